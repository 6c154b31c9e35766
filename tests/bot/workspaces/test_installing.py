"""Installing the app: who does is admin, tokens lie sealed and are renewed once, and what goes wrong is said."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest

from bot.simulator.demo import GUS
from bot.workspaces.installations import NotRenewed, States
from engine.core.roles import Role
from engine.store import Secrets
from tests.bot.browsing import PUBLIC
from tests.bot.workspaces.company import ACME, GLOBEX, Company, installations

# slack_sdk sends the client's secret by a class of aiohttp that aiohttp would rather not have used.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


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
