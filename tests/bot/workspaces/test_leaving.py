"""Leaving a workspace: its runs are kept and paused, nothing starts, and nothing of it is left in memory."""

from __future__ import annotations

import pytest

from bot.blocks.approval import APPROVE
from bot.simulator.calls import Fault
from bot.simulator.demo import GUS, HANA
from bot.simulator.simulator import Simulator
from bot.workspaces.leaving import REMOVED
from engine.core.state import RunStatus
from engine.definitions import Frozen
from tests.bot import front
from tests.bot.conftest import ACTOR, Setup, until
from tests.bot.workspaces.company import ACME, GLOBEX, Company, slash

# slack_sdk sends the client's secret by a class of aiohttp that aiohttp would rather not have used.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


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
