"""Many workspaces of one bot: people install it, each workspace sees its own, and those that leave are let go."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import BotSettings, Service
from bot.blocks.approval import APPROVE
from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, GUS, HANA, demo_workspace, other_workspace
from bot.simulator.http_delivery import signature
from bot.simulator.model import Message, Organization
from bot.simulator.people import People
from bot.simulator.simulator import Options, Simulator
from bot.workspaces.installations import Installations, NotRenewed, States
from bot.workspaces.installing import OAuthApp
from bot.workspaces.leaving import REMOVED
from engine.core.roles import Role
from engine.core.state import RunStatus
from engine.definitions import Frozen
from engine.engine import Engine
from engine.store import Sealer, Secrets
from tests.bot import front
from tests.bot.browsing import PUBLIC, Browser
from tests.bot.conftest import ACTOR, Setup, gate, until, workflow
from tests.bot.front import SIMPLE

# slack_sdk sends the client's secret by a class of aiohttp that aiohttp would rather not have used.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")

ACME, GLOBEX = "T0ACMEDEMO", "T0GLOBEXXX"
ASKED = {
    ACME: workflow(gate(approvers=["@ana"]), name="ask_ana"),
    GLOBEX: workflow(gate(approvers=["@gus"]), name="ask_gus"),
}


GROUP = workflow(gate(approvers=["@release-managers"]), name="release_it")

SAY = workflow({"id": "say", "uses": "slack.post", "with": {"text": "said by a step"}}, name="say")


@dataclass
class Company:
    """A bot without a token of its own, and two workspaces that may install it."""

    simulator: Simulator
    globex: People
    engine: Engine
    service: Service

    def people(self, team: str) -> People:
        return self.globex if team == GLOBEX else self.simulator

    def seen_by(self, team: str) -> Engine:
        return self.engine.within(f"ws_{team}")

    @property
    def on_record(self) -> Installations:
        return installations(self.simulator, self.engine)

    @property
    def browser(self) -> Browser:
        return Browser(self.service.url, self.simulator.page_url)

    async def install(self, team: str, who: str = "") -> str:
        return await self.browser.install(team, who)

    async def ask(self, team: str, who: str, channel: str) -> str:
        """Start a run that asks; its id, once the question is in the channel."""
        await self.people(team).type_command(who, channel, f"/vb run {ASKED[team].name}")
        await self.question(team, channel)
        return (await self.seen_by(team).runs())[0].id

    async def question(self, team: str, channel: str) -> tuple[Message, dict[str, Any]]:
        """The message that asks, and its button to approve, once it is there."""

        def asking() -> list[tuple[Message, dict[str, Any]]]:
            shown = [(one, block) for one in self.people(team).channel_messages(channel) for block in one.blocks]
            buttons = [(one, button) for one, block in shown for button in block.get("elements", ())]
            return [(one, button) for one, button in buttons if button.get("action_id") == APPROVE]

        return (await self.simulator.wait_for(asking))[0]

    async def deliver(self, payload: dict[str, Any]) -> tuple[int, str]:
        """Send an interaction."""
        return await self.send({"payload": json.dumps(payload)})

    async def tell(self, team: str, event: dict[str, Any]) -> tuple[int, str]:
        """Send an event."""
        outer = {"type": "event_callback", "team_id": team, "api_app_id": "A0VECTORBE", "event": event}
        return await self._post(json.dumps(outer).encode(), "application/json")

    async def send(self, form: dict[str, str]) -> tuple[int, str]:
        """Send a command, or what else comes as a form."""
        return await self._post(urlencode(form).encode(), "application/x-www-form-urlencoded")

    async def _post(self, body: bytes, content_type: str) -> tuple[int, str]:
        """Signed as Slack signs it."""
        now = int(time.time())
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": signature(self.simulator.signing_secret, now, body),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.service.request_url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    def whispers(self, team: str, who: str, channel: str) -> list[str]:
        seen = self.people(team).channel_messages(channel, seen_by=who)
        return [one.text for one in seen if one.ephemeral]


def slash(team: str, text: str, **more: str) -> dict[str, str]:
    """A command as Slack sends it."""
    known = {"command": "/vb", "text": text, "team_id": team, "user_name": "x", "channel_name": "x"}
    about = {"api_app_id": "A0VECTORBE", "trigger_id": "1.2.3", "is_enterprise_install": "false"}
    return {**known, **about, **more}


def installations(simulator: Simulator, engine: Engine) -> Installations:
    grants = simulator.grants
    rotator = AsyncTokenRotator(
        client_id=grants.client_id,
        client_secret=grants.client_secret,
        client=AsyncWebClient(base_url=simulator.api_url, retry_handlers=[]),
    )
    return Installations(Secrets(engine.store), grants.client_id, rotator)


@pytest.fixture
def sealed(setup: Setup) -> Setup:
    return replace(setup, settings=replace(setup.settings, sealer=Sealer(b"m" * 32)))


@asynccontextmanager
async def serving(sealed: Setup, simulator: Simulator, globex: People, folder: Path) -> AsyncGenerator[Company]:
    grants = simulator.grants
    settings = BotSettings(
        signing_secret=simulator.signing_secret,
        oauth=OAuthApp(grants.client_id, grants.client_secret, PUBLIC),
        api_url=simulator.api_url,
        http_port=0,
        folders=(folder,),
    )
    async with (
        sealed.working(*ASKED.values(), GROUP, SAY, SIMPLE) as engine,
        Service(engine, settings, sender=sealed.world.sender) as service,
    ):
        simulator.use_http(service.request_url)
        yield Company(simulator, globex, engine, service)


@pytest.fixture
async def company(sealed: Setup, tmp_path: Path) -> AsyncIterator[Company]:
    first = demo_workspace(sealed.clock)
    simulator = Simulator(first, options=Options(rotating=True, event_retry_ms=(100, 100, 100)))
    globex = simulator.add_workspace(other_workspace(sealed.clock))
    async with simulator.serve(), serving(sealed, simulator, globex, tmp_path) as made:
        yield made


async def test_who_installs_it_is_served_and_sees_its_own_alone(company: Company) -> None:
    page = await company.install(GLOBEX)
    assert "The bot serves Globex" in page
    await company.install(ACME)
    ours = await company.ask(GLOBEX, "hana", "#general")
    assert (await company.seen_by(GLOBEX).state(ours)).started.workspace == f"ws_{GLOBEX}"
    theirs = await company.ask(ACME, "ben", "#releases")
    await company.globex.type_command("hana", "#general", "/vb runs")
    told = company.whispers(GLOBEX, "hana", "#general")[-1]
    assert "ask_gus" in told
    assert "ask_ana" not in told
    for word in ("status", "cancel", "pause", "retry"):
        await company.globex.type_command("hana", "#general", f"/vb {word} {theirs}")
        assert f"no run {theirs}" in company.whispers(GLOBEX, "hana", "#general")[-1], word
    assert (await company.seen_by(ACME).state(theirs)).status is RunStatus.WAITING


async def test_a_click_decides_nothing_in_another_workspace(company: Company) -> None:
    await company.install(GLOBEX)
    await company.install(ACME)
    run = await company.ask(ACME, "ben", "#releases")
    message, button = await company.question(ACME, "#releases")
    # Everything in it is right but the workspace: the run's id, the step, and a person who is asked by that name there.
    payload: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": GLOBEX, "domain": "globex"},
        "user": {"id": GUS, "username": "gus", "team_id": GLOBEX},
        "api_app_id": "A0VECTORBE",
        "trigger_id": "1.2.3",
        "container": {"type": "message", "message_ts": "1.000001", "channel_id": "C1GENERALX"},
        "channel": {"id": "C1GENERALX", "name": "general"},
        "actions": [{"type": "button", "block_id": "b", "action_ts": "1.1", **button}],
    }
    assert (await company.deliver(payload))[0] == 200
    await company.simulator.wait_for(lambda: company.whispers(GLOBEX, "gus", "#general"))
    found = (await company.seen_by(ACME).state(run)).step("publish").gate
    assert found is not None
    assert found.decision is None
    # The same click in its own workspace decides.
    await company.simulator.click("ana", "#releases", message.ts, APPROVE)

    async def decided() -> bool:
        gate = (await company.seen_by(ACME).state(run)).step("publish").gate
        return gate is not None and gate.decision is not None

    await until(decided)


async def test_the_first_who_installs_it_is_admin_and_tokens_lie_sealed(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await company.install(GLOBEX)
    found = (await company.on_record.all())[GLOBEX]
    tokens = [found.bot_token, found.bot_refresh_token]
    await company.install(GLOBEX, "hana")
    grants = await company.seen_by(GLOBEX).workspace.grants()
    assert [(one.to, one.name) for one in grants if one.role is Role.ADMIN] == [(f"@{GUS}", "@gus")]
    assert not [one for one in await company.seen_by(ACME).workspace.grants() if one.role is Role.ADMIN]
    found = (await company.on_record.all())[GLOBEX]
    tokens += [found.bot_token, found.bot_refresh_token]
    assert all(tokens)
    # Each value by itself: a row that shows itself leaves out the middle of a long one.
    rows = await company.engine.store.database.read(
        lambda connection: "".join(str([*row]) for row in connection.exec_driver_sql("SELECT * FROM secrets"))
    )
    assert GLOBEX in rows
    for token in tokens:
        assert str(token) not in rows
        assert str(token) not in caplog.text, "a log has a token"


REFUSALS = {
    "declined": ("error=access_denied", "The installation was declined in Slack."),
    "another browser": ("", "in another browser than the one in which the installation began"),
    "no code": ("code=", "Slack gave no code along"),
    "a wrong code": ("code=1.2", "The code that Slack gave was used before"),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_what_goes_wrong_with_an_installation_is_said_in_words(company: Company, case: str) -> None:
    change, words = REFUSALS[case]
    address, cookie = await company.browser.begin()
    query = await company.browser.allow(address, GLOBEX)
    name, _, value = change.partition("=")
    changed = {**query, name: value} if name else query
    status, page = await company.browser.come_back(
        {name: value for name, value in changed.items() if value}, "" if case == "another browser" else cookie
    )
    assert status == 400
    assert words in page
    assert f'<a href="{PUBLIC}/slack/install">Begin again</a>' in page
    assert await company.on_record.all() == {}


async def test_a_link_is_good_once_and_for_ten_minutes(company: Company) -> None:
    address, cookie = await company.browser.begin()
    query = await company.browser.allow(address, GLOBEX)
    assert (await company.browser.come_back(query, cookie))[0] == 200
    status, page = await company.browser.come_back(query, cookie)
    assert status == 400
    assert "This link was used before, or it is older than ten minutes." in page
    states = States(Secrets(company.engine.store), lifetime_ms=-1)
    assert not await states.async_consume(await states.async_issue())


async def test_where_it_is_removed_it_stops_and_the_runs_wait(company: Company) -> None:
    await company.install(GLOBEX)
    await company.install(ACME)
    gone = await company.ask(GLOBEX, "hana", "#general")
    kept = await company.ask(ACME, "ben", "#releases")
    company.globex.uninstall_app()

    async def removed() -> bool:
        return list(await company.on_record.all()) == [ACME]

    await until(removed)
    state = await company.seen_by(GLOBEX).state(gone)
    assert state.status is RunStatus.PAUSED
    assert state.paused is not None
    assert state.paused.reason == REMOVED
    # Nothing starts there, and what still comes from there is refused.
    _, answer = await company.send(slash(GLOBEX, "run simple", user_id=HANA, channel_id="C1GENERALX"))
    assert "not installed in this workspace any more" in answer
    with pytest.raises(Frozen):
        await company.seen_by(GLOBEX).start("simple", {}, by=ACTOR)
    assert len(await company.seen_by(GLOBEX).runs()) == 1
    # The other workspace goes on as if nothing had been.
    await company.simulator.click("ana", "#releases", (await company.question(ACME, "#releases"))[0].ts, APPROVE)

    async def ended() -> bool:
        return (await company.seen_by(ACME).state(kept)).status is RunStatus.COMPLETED

    await until(ended)
    # Installed again, it starts runs; the old ones wait for somebody to resume them.
    await company.install(GLOBEX)
    await company.globex.type_command("hana", "#general", "/vb run simple")
    assert len(await company.seen_by(GLOBEX).runs()) == 2
    assert (await company.seen_by(GLOBEX).state(gone)).status is RunStatus.PAUSED


async def test_a_workspace_that_is_let_go_leaves_nothing_behind(company: Company) -> None:
    def observers() -> int:
        return len(company.engine._runtime.handle._observers)  # pyright: ignore[reportPrivateUsage]

    before = observers()
    await company.install(GLOBEX)
    await company.ask(GLOBEX, "hana", "#general")
    assert observers() > before
    await company.service.tenants.close()
    assert observers() == before


async def test_a_late_word_of_a_removal_does_not_remove_what_was_installed_since(company: Company) -> None:
    await company.install(GLOBEX)
    run = await company.ask(GLOBEX, "hana", "#general")
    assert (await company.tell(GLOBEX, {"type": "app_uninstalled"}))[0] == 200
    asked = len(company.simulator.calls("auth.test"))
    # Tokens of people are none of the bot's, which need not even ask.
    assert (await company.tell(GLOBEX, {"type": "tokens_revoked", "tokens": {"oauth": [GUS], "bot": []}}))[0] == 200
    assert len(company.simulator.calls("auth.test")) == asked
    assert list(await company.on_record.all()) == [GLOBEX]
    assert (await company.seen_by(GLOBEX).state(run)).status is RunStatus.WAITING


async def test_a_word_of_a_removal_that_cannot_be_checked_is_not_acknowledged(company: Company) -> None:
    await company.install(GLOBEX)
    company.simulator.fail_next("auth.test", Fault(status=503))
    assert (await company.tell(GLOBEX, {"type": "app_uninstalled"}))[0] == 500
    assert list(await company.on_record.all()) == [GLOBEX]


async def test_what_another_process_installs_or_removes_is_seen(company: Company) -> None:
    """Slack's payloads reach any process; here they reach one that knows nothing yet."""
    await company.install(GLOBEX)
    found = (await company.on_record.all())[GLOBEX]
    await company.on_record.remove(GLOBEX)
    await company.service.tenants.look()
    _, answer = await company.send(slash(GLOBEX, "list", user_id=HANA, channel_id="C1GENERALX"))
    assert "not installed" in answer
    await company.on_record.async_save(found)
    await company.globex.type_command("hana", "#general", "/vb list")
    assert "ask_gus" in company.whispers(GLOBEX, "hana", "#general")[-1]
    # Removed and installed again elsewhere, before anybody looked: there is another bot now.
    found.bot_id, found.bot_user_id = "B1ANOTHERX", "U1ANOTHERX"
    await company.on_record.async_save(found)
    await company.service.tenants.look()
    assert company.service.tenants.served[GLOBEX].authorized().bot_user_id == "U1ANOTHERX"


async def test_a_token_is_renewed_once_however_many_ask(company: Company) -> None:
    await company.install(GLOBEX)
    before = (await company.on_record.all())[GLOBEX]
    before.bot_token_expires_at = int(time.time()) + 60
    await company.on_record.async_save(before)
    asked = len(company.simulator.calls("oauth.v2.access"))
    # Processes find at once that it ends soon.
    processes = [installations(company.simulator, company.engine) for _ in range(4)]
    found = [one for one in await asyncio.gather(*(each.fresh(GLOBEX) for each in processes)) if one is not None]
    assert len(company.simulator.calls("oauth.v2.access")) == asked + 1
    assert {one.bot_token for one in found} == {found[0].bot_token} != {before.bot_token}
    assert found[0].bot_refresh_token != before.bot_refresh_token
    # The workspace goes on with the new token.
    await company.service.tenants.look()
    assert company.service.tenants.served[GLOBEX].client.token == found[0].bot_token
    await company.ask(GLOBEX, "hana", "#general")


async def test_a_token_that_cannot_be_renewed_is_said_once_and_used_until_it_ends(
    company: Company, caplog: pytest.LogCaptureFixture
) -> None:
    await company.install(GLOBEX)
    found = (await company.on_record.all())[GLOBEX]
    found.bot_refresh_token, found.bot_token_expires_at = "xoxe-1-of-nobody", int(time.time()) + 60
    await company.on_record.async_save(found)
    with pytest.raises(NotRenewed, match=r"The token of Globex could not be renewed \(invalid_refresh_token\)"):
        await company.on_record.fresh(GLOBEX)
    await company.service.tenants.close()
    for _ in range(2):
        await company.service.tenants.look()
    said = [record.getMessage() for record in caplog.records if "could not be renewed" in record.getMessage()]
    assert len(said) == 1
    assert list(company.service.tenants.served) == [GLOBEX]
    assert "of-nobody" not in caplog.text
    await company.ask(GLOBEX, "hana", "#general")


async def test_the_runs_of_a_workspace_are_left_to_whoever_serves_it(company: Company, sealed: Setup) -> None:
    await company.install(GLOBEX)
    async with sealed.engine(SIMPLE) as elsewhere:  # another process, whose appends are found by asking alone
        ours, theirs = elsewhere.within(f"ws_{GLOBEX}"), elsewhere.within(f"ws_{ACME}")
        left = (await theirs.start("simple", {}, by=ACTOR, origin={"channel": "C0RELEASES"})).run
        await ours.start("simple", {}, by=ACTOR, origin={"channel": "C1GENERALX"})
    await company.simulator.wait_for(lambda: company.globex.channel_messages("#general"), 10_000)
    query = f"SELECT owner FROM cursors WHERE stream = '{left}'"  # noqa: S608 - an id of ours
    owners = await company.engine.store.database.read(lambda connection: connection.exec_driver_sql(query).all())
    assert [tuple(row) for row in owners] == [(None,)]


async def test_a_folder_in_a_folder_is_one_workspaces_alone(company: Company, tmp_path: Path) -> None:
    definition = "name: {0}\nsteps: [{{id: one, uses: t.echo, with: {{text: hi}}}}]\n"
    (tmp_path / "shared.yaml").write_text(definition.format("for_all"), encoding="utf-8")
    (tmp_path / GLOBEX).mkdir()
    (tmp_path / GLOBEX / "own.yaml").write_text(definition.format("for_globex"), encoding="utf-8")
    for team in (GLOBEX, ACME):
        await company.install(team)

    async def deployed() -> bool:
        known = [await company.seen_by(team).definitions.refresh() for team in (ACME, GLOBEX)]
        return [set(each.workflows) for each in known] == [{"for_all"}, {"for_all", "for_globex"}]

    await until(deployed)


async def test_a_step_posts_where_its_run_is(company: Company) -> None:
    await company.install(GLOBEX)
    await company.install(ACME)
    for team, who, channel in ((ACME, "ben", "#releases"), (GLOBEX, "hana", "#general")):
        people = company.people(team)
        await people.type_command(who, channel, "/vb run say")

        def said(people: People = people, channel: str = channel) -> list[str]:
            return [one.text for one in people.channel_messages(channel) if one.text == "said by a step"]

        assert await company.simulator.wait_for(said) == ["said by a step"]


async def test_an_organization_is_one_workspace_for_all_of_its_teams(company: Company) -> None:
    """Installed org-wide there is one token, and payloads name the organization, not always a team of it."""
    company.simulator.workspace.organization = Organization("E0ACMECORP", "Acme Corp")
    page = await company.install(ACME)
    assert "The bot serves Acme Corp" in page
    assert list(await company.on_record.all()) == ["E0ACMECORP"]
    whole = company.engine.within("ws_E0ACMECORP")
    # Groups, people and channels are asked for team by team, and a click says of no team.
    await company.simulator.type_command("ben", "#releases", "/vb run release_it")
    question, _ = await company.question(ACME, "#releases")
    run = (await whole.runs())[0].id
    await company.simulator.click("dana", "#releases", question.ts, APPROVE)

    async def ended() -> bool:
        return (await whole.state(run)).status is RunStatus.COMPLETED

    await until(ended)
    # The same team without its organization has not installed the app.
    command = slash(ACME, "run simple", user_id=ANA, channel_id="C0RELEASES")
    assert "not installed" in (await company.send(command))[1]
    assert await company.seen_by(ACME).runs() == []
    company.simulator.uninstall_app()

    async def removed() -> bool:
        return not await company.on_record.all()

    await until(removed)


async def test_the_workspace_of_the_bot_token_is_let_go_in_the_same_way(setup: Setup, simulator: Simulator) -> None:
    async with front.serving(setup, simulator) as served:
        run = await served.release()
        simulator.uninstall_app()

        async def paused() -> bool:
            return (await served.engine.state(run)).status is RunStatus.PAUSED

        await until(paused)
        assert [one.event.reason for one in await served.engine.freezes()] == [REMOVED]
        assert served.service.tenants.served == {}
    # Started with a token that holds, it takes up again; the run waits for a person.
    simulator.grants.permit(ACME, simulator.bot_token)
    async with front.serving(setup, simulator) as served:
        assert await served.engine.freezes() == []
        assert (await served.engine.state(run)).status is RunStatus.PAUSED
