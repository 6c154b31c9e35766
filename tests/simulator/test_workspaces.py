"""Several workspaces in one simulator: installing over OAuth, tokens that rotate and end, and nothing leaks over."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.demo import BEN, GUS, demo_workspace, other_workspace
from bot.simulator.errors import PersonError
from bot.simulator.grants import GRACE_MS, TOKEN_LIFETIME_MS
from bot.simulator.model import Json
from bot.simulator.people import People
from bot.simulator.simulator import Options, Simulator

from .conftest import QUICK, connected, on, refusal, web_client

# slack_sdk sends the client's secret by a class of aiohttp that aiohttp would rather not have used.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

BACK = "http://127.0.0.1:9/slack/oauth_redirect"
SCOPES = "chat:write,commands,users:read"


class Company:
    """A simulator with Acme, where the app is installed, and Globex, where it is not."""

    def __init__(self, options: Options) -> None:
        first = demo_workspace()
        self.simulator = Simulator(first, options=options)
        self.globex: People = self.simulator.add_workspace(other_workspace(first.clock))

    async def code(self, **changes: str) -> str:
        """Go through the page as a person does, and come back with the code."""
        asked = {"client_id": self.simulator.grants.client_id, "scope": SCOPES, "redirect_uri": BACK, "state": "s"}
        url = f"{self.simulator.page_url}oauth/v2/authorize"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, params={**asked, **changes}) as page:
                text = (await page.text()).replace("&amp;", "&")
            found = re.search(r'href="([^"]+)">Allow in Globex', text)
            assert found is not None, text
            async with session.get(f"{self.simulator.page_url}{found[1][1:]}", allow_redirects=False) as answer:
                back = urlsplit(answer.headers["Location"])
        query = parse_qs(back.query)
        assert (f"{back.scheme}://{back.netloc}{back.path}", query["state"]) == (BACK, ["s"])
        return query["code"][0]

    async def install(self) -> Json:
        code = await self.code()
        return (await self.client().oauth_v2_access(**self.secrets, code=code, redirect_uri=BACK)).data

    async def refresh(self, token: str) -> Json:
        asked = {"grant_type": "refresh_token", "refresh_token": token}
        return (await self.client().oauth_v2_access(**self.secrets, **asked)).data

    @property
    def secrets(self) -> dict[str, str]:
        grants = self.simulator.grants
        return {"client_id": grants.client_id, "client_secret": grants.client_secret}

    def client(self, token: str | None = None) -> Any:
        return AsyncWebClient(token=token, base_url=self.simulator.api_url)


@pytest.fixture
async def company() -> AsyncIterator[Company]:
    made = Company(QUICK)
    async with made.simulator.serve():
        yield made


@pytest.fixture
async def rotating() -> AsyncIterator[Company]:
    made = Company(Options(rotating=True))
    async with made.simulator.serve():
        yield made


async def test_an_installation_gives_a_token_for_that_workspace(company: Company) -> None:
    installed = await company.install()
    assert (installed["team"], installed["scope"], installed["authed_user"]) == (
        {"id": "T0GLOBEXXX", "name": "Globex"},
        SCOPES,
        {"id": GUS},
    )
    assert "expires_in" not in installed
    globex = company.client(installed["access_token"])
    identity = await globex.auth_test()
    assert (identity["team_id"], identity["user_id"]) == ("T0GLOBEXXX", installed["bot_user_id"])
    assert (await globex.chat_postMessage(channel="#general", text="x"))["ok"]
    assert (await refusal(globex.chat_postMessage(channel="C0RELEASES", text="x")))["error"] == "channel_not_found"
    assert (await refusal(globex.users_info(user=BEN)))["error"] == "user_not_found"
    acme: Any = web_client(company.simulator)
    assert (await refusal(acme.chat_postMessage(channel="C1GENERALX", text="x")))["error"] == "channel_not_found"


async def test_what_installing_refuses(company: Company) -> None:
    client, code = company.client(), await company.code()
    wrong = {**company.secrets, "client_secret": "x"}
    for given, error in [
        ({**wrong, "code": code}, "bad_client_secret"),
        ({**wrong, "client_id": "1.2", "code": code}, "invalid_client_id"),
        ({**company.secrets, "code": "nonsense", "redirect_uri": BACK}, "invalid_code"),
        ({**company.secrets, "code": code, "redirect_uri": "http://elsewhere.example/"}, "bad_redirect_uri"),
        ({**company.secrets, "code": code, "redirect_uri": BACK}, "invalid_code"),  # it was used
        ({**company.secrets, "grant_type": "refresh_token", "refresh_token": "x"}, "invalid_refresh_token"),
    ]:
        assert (await refusal(client.oauth_v2_access(**given)))["error"] == error


async def test_people_of_a_workspace_without_the_app_cannot_use_it(company: Company) -> None:
    with pytest.raises(PersonError, match="not installed in Globex"):
        await company.globex.type_command("gus", "#general", "/vb list")


async def test_payloads_say_whose_they_are(company: Company) -> None:
    simulator = company.simulator
    installed = await company.install()
    seen: list[Json] = []
    app = AsyncApp(client=company.client(simulator.bot_token), signing_secret=simulator.signing_secret)

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Json) -> None:
        seen.append(body)
        await ack("Heard.")

    async with connected(simulator, app):
        await company.globex.type_command("gus", "#general", "/vb list")
        await simulator.type_command("ben", "#releases", "/vb list")
    assert [(body["team_id"], body["user_id"]) for body in seen] == [("T0GLOBEXXX", GUS), ("T0ACMEDEMO", BEN)]
    assert [m.text for m in company.globex.channel_messages("#general", seen_by="gus")] == ["Heard."]
    # A trigger of one workspace opens nothing in the other.
    view = {"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": [{"type": "divider"}]}
    globex = company.client(installed["access_token"])
    refused = await refusal(globex.views_open(trigger_id=seen[1]["trigger_id"], view=view))
    assert refused["error"] == "invalid_trigger_id"


async def test_tokens_that_rotate(rotating: Company) -> None:
    clock = rotating.simulator.workspace.clock
    first = await rotating.install()
    assert (first["expires_in"], first["access_token"][:10]) == (43_200, "xoxe.xoxb-")
    clock.advance(TOKEN_LIFETIME_MS - 60_000)
    second = await rotating.refresh(first["refresh_token"])
    old, new = rotating.client(first["access_token"]), rotating.client(second["access_token"])
    assert (await old.auth_test())["expires_in"] <= 60
    assert (await new.auth_test())["expires_in"] > 43_000
    clock.advance(60_000)
    assert (await refusal(old.auth_test()))["error"] == "token_expired"
    assert (await new.auth_test())["ok"]


async def test_a_refresh_token_is_good_once_and_for_a_moment(rotating: Company) -> None:
    first = await rotating.install()
    lost = await rotating.refresh(first["refresh_token"])
    again = await rotating.refresh(first["refresh_token"])
    assert lost["access_token"] != again["access_token"]
    revoked = await refusal(rotating.client(first["access_token"]).auth_test())
    assert revoked["error"] == "token_revoked", "at most two tokens live"
    rotating.simulator.workspace.clock.advance(GRACE_MS + 1)
    with pytest.raises(Exception, match="invalid_refresh_token"):
        await rotating.refresh(first["refresh_token"])


async def test_a_token_that_was_given_back(company: Company) -> None:
    client = company.client((await company.install())["access_token"])
    assert (await client.auth_revoke(test="true"))["revoked"] is False
    assert (await client.auth_revoke())["revoked"] is True
    assert (await refusal(client.auth_test()))["error"] == "token_revoked"


async def test_an_app_that_is_removed_from_a_workspace(company: Company) -> None:
    simulator = company.simulator
    token = (await company.install())["access_token"]
    told: dict[str, Json] = {}
    app = AsyncApp(client=company.client(simulator.bot_token), signing_secret=simulator.signing_secret)

    for kind in ("app_uninstalled", "tokens_revoked"):

        @on(app, "event", kind)
        async def _(body: Json) -> None:
            told[body["event"]["type"]] = body

    async with connected(simulator, app):
        company.globex.uninstall_app()
        await simulator.wait_for(lambda: len(told) == 2)
    assert {body["team_id"] for body in told.values()} == {"T0GLOBEXXX"}
    assert told["tokens_revoked"]["event"]["tokens"] == {"oauth": [], "bot": ["U1VECTORBE"]}
    assert (await refusal(company.client(token).auth_test()))["error"] == "account_inactive"
    assert (await company.client(simulator.bot_token).auth_test())["team_id"] == "T0ACMEDEMO"
    with pytest.raises(PersonError, match="not installed"):
        await company.globex.type_command("gus", "#general", "/vb list")


async def test_no_secret_is_kept_in_the_log(company: Company) -> None:
    installed = await company.install()
    kept = repr(company.simulator.calls()) + repr(company.simulator.grants.__dict__)
    assert company.simulator.calls("oauth.v2.access")[0].answer is not None
    assert installed["access_token"] not in kept
