"""People at a terminal and gates: the same function decides who may as in Slack, with the same facts of Slack."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.config.settings import Settings
from bot.config.wiring import starting_engine
from bot.console.atgate import GateStays, NobodyInSlack, NotDone
from bot.console.decide import approve, approve_changed
from bot.console.handing import delegate, delegate_for, list_delegations, request_changes, snooze, take_back
from bot.console.inslack import NoWayToSlack
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.steering import set_output, skip, steer
from bot.console.whoami import machine, me
from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, BEN, CHEN, DANA, demo_workspace
from bot.simulator.simulator import Simulator
from bot.workspaces.installations import Installations
from engine.catalog import Catalog
from engine.core import events as e
from engine.core.events import Actor
from engine.core.gates import Gate
from engine.core.state import StepState
from engine.engine import Engine
from engine.steps.registry import Registry, step
from engine.store import Secrets, new_master_key
from tests.core.driver import workflow
from tests.patience import PATIENT_SLACK

HOUR_MS = 3_600_000
NAMES = {ANA: "Ana Ruiz", BEN: "Ben Okafor", CHEN: "Chen Wei", DANA: "Dana Levy"}


@step("t.ship")
async def ship(percent: int) -> None: ...


@dataclass
class Terminal:
    """A terminal beside a workspace in Slack, and whose its account is."""

    slack: Simulator
    folder: Path
    settings: Settings

    @asynccontextmanager
    async def engine(self, catalog: Catalog | None = None) -> AsyncGenerator[Engine]:
        async with starting_engine(self.settings, catalog or Catalog({})) as engine:
            yield engine

    async def run(self, first: str = "notes", by: Actor | None = None, **approval: object) -> str:
        """A run that waits at its gate ``agree``, started ``by`` Ben in Slack. ``first``: the step before."""
        gate = {"id": "agree", "approval": {"title": "Ship it?", "approvers": ["@release-managers"], **approval}}
        catalog = Catalog(Registry((ship,)).catalog())
        percent = "${{ steps.agree.output.fields.percent }}"
        more = [{"id": "ship", "uses": "t.ship", "with": {"percent": percent}}] if "covers" in approval else []
        catalog.add(workflow({"id": first, "set": {"text": "${{ changes.comment }}"}}, gate, *more))
        async with self.engine(catalog) as engine:
            return (await engine.start("wf", {}, by=by or person(BEN))).run

    async def belongs_to(self, who: str) -> None:
        """The account of this process is theirs from now on."""
        async with self.engine() as engine:
            await engine.identities.end(me(), by=me(), machine=machine())
            code = await engine.identities.offer(person(who))
            await engine.identities.take(code, me(), machine())

    async def step(self, run: str) -> StepState:
        async with self.engine() as engine:
            return (await engine.state(run)).step("agree")

    async def gate(self, run: str) -> Gate:
        gate = (await self.step(run)).gate
        assert gate is not None
        return gate


def person(who: str) -> Actor:
    return Actor(via="slack", id=who, name=NAMES[who])


@pytest.fixture
async def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Terminal]:
    for name in Settings.variables():
        monkeypatch.delenv(name, raising=False)
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as slack:
        told = {"SLACK_API_URL": slack.api_url, "SLACK_BOT_TOKEN": slack.bot_token}
        yield Terminal(slack, tmp_path, Settings.read(tmp_path, **told))


async def test_everybody_of_a_group_can_approve_at_a_terminal(terminal: Terminal) -> None:
    """Who everybody is takes Slack; so does that somebody else is not of the group."""
    run = await terminal.run(quorum="all")
    await terminal.belongs_to(CHEN)
    with pytest.raises(NotDone, match=r"^Only @release-managers can decide this, and you do not belong there\."):
        await approve(terminal.settings, run, "agree")
    await terminal.belongs_to(ANA)
    await approve(terminal.settings, run, "agree")
    (vote,) = (await terminal.gate(run)).votes
    assert (vote.by.id, vote.by.terminal, vote.authority) == (ANA, machine(), "in @release-managers")
    await terminal.belongs_to(DANA)
    await approve(terminal.settings, run, "agree")
    assert (await terminal.step(run)).status == "completed"


async def test_a_person_without_a_way_to_slack_decides_nothing(terminal: Terminal, tmp_path: Path) -> None:
    run = await terminal.run()
    await terminal.belongs_to(ANA)
    with pytest.raises(NoWayToSlack, match=r"Nothing was changed\. Set SLACK_BOT_TOKEN"):
        await approve(Settings.read(tmp_path), run, "agree")
    terminal.slack.fail_next("usergroups.users.list", Fault(error="internal_error"))
    with pytest.raises(NotDone, match=r"^Slack did not say who belongs to @release-managers, .* Nothing was changed"):
        await approve(terminal.settings, run, "agree")
    assert (await terminal.gate(run)).decision is None


async def test_who_is_known_in_slack_goes_past_no_gate_at_a_terminal(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await terminal.run(first="agr")
    await terminal.belongs_to(BEN)
    for deed in (skip("agree", "in a hurry"), set_output("agree", "null", "in a hurry")):
        with pytest.raises(GateStays, match=r"nothing was changed\. Decide it with vb approve or vb deny"):
            await steer(terminal.settings, run, deed)
    assert (await terminal.step(run)).status == "waiting"
    assert await steer(terminal.settings, run, skip("agr", "")) == FAILED
    assert "agr is completed already" in capsys.readouterr().err, "a part of a gate's name is no gate"


async def test_an_account_that_may_be_a_persons_goes_past_no_gate_of_theirs(terminal: Terminal) -> None:
    run = await terminal.run()
    with pytest.raises(GateStays):
        await steer(terminal.settings, run, skip("agree", "in a hurry"))
    assert (await terminal.step(run)).status == "waiting"
    ours = await terminal.run(by=me())
    assert await steer(terminal.settings, ours, skip("agree", "in a hurry")) == DONE


async def test_a_change_is_shown_and_voids_what_was_approved_before(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = {"percent": {"type": "integer", "min": 1, "max": 100, "value": 50}}
    run = await terminal.run(quorum=2, edit=edit, covers=["ship"])
    await terminal.belongs_to(DANA)
    await approve(terminal.settings, run, "agree")
    await terminal.belongs_to(ANA)

    async def change(*changes: str, yes: bool = True) -> None:
        await approve_changed(terminal.settings, run, "agree", changes, reason="", yes=yes)

    for wrong, told in (("percnet=10", r"did you mean percent\?"), ("percent=200", "at most 100"), ("percent=x", "x")):
        with pytest.raises(NotDone, match=told):
            await change(wrong)
    with pytest.raises(Misuse, match="--yes"):
        await change("percent=10", yes=False)
    assert len((await terminal.gate(run)).votes) == 1, "nothing was changed yet"
    capsys.readouterr()
    await change("percent=10")
    told = capsys.readouterr().out
    assert "Approvals from before do not count any more: 1.\n  percent: 50 -> 10\n" in told
    assert '  ship is to run with {"percent": 10}\n' in told
    gate = await terminal.gate(run)
    assert (gate.fields, [vote.by.id for vote in gate.votes]) == ({"percent": 10}, [ANA])
    await terminal.belongs_to(DANA)
    await change("percent=10", yes=False)
    assert "has these values already" in capsys.readouterr().err
    assert (await terminal.step(run)).status == "completed"


async def test_a_change_without_the_reason_that_is_asked_for_is_not_made(terminal: Terminal) -> None:
    run = await terminal.run(edit={"percent": {"type": "integer", "value": 50}}, reason="always")
    await terminal.belongs_to(ANA)
    with pytest.raises(NotDone, match="give one with --reason"):
        await approve_changed(terminal.settings, run, "agree", ["percent=10"], reason=" ", yes=True)
    assert (await terminal.gate(run)).fields == {"percent": 50}
    await approve_changed(terminal.settings, run, "agree", ["percent=10"], reason="a canary", yes=True)
    gate = await terminal.gate(run)
    assert gate.decision is not None
    assert (gate.fields, gate.decision.reason) == ({"percent": 10}, "a canary")


async def test_what_is_done_at_a_gate_in_slack_is_done_at_a_terminal(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await terminal.run(request_changes="notes", remind_every="1h")
    with pytest.raises(NobodyInSlack, match="nobody has said whose this account is"):
        await snooze(terminal.settings, run, "agree", "2h")
    await terminal.belongs_to(ANA)
    await snooze(terminal.settings, run, "agree", "2h")
    gate = await terminal.gate(run)
    (snoozed,) = gate.snoozed
    assert snoozed.by.id == ANA
    assert snoozed.until >= gate.asked_at + 2 * HOUR_MS
    with pytest.raises(Misuse, match=r"There is no @eve in Slack who could decide"):
        await delegate(terminal.settings, run, "agree", "@eve", reason="")
    await delegate(terminal.settings, run, "agree", "@chen", reason="on a train")
    async with terminal.engine() as engine:
        last = (await engine.history(run))[-1].event
    assert isinstance(last, e.ApprovalDelegated)
    assert (last.by.id, last.to.id, last.reason) == (ANA, CHEN, "on a train")
    await delegate_for(terminal.settings, f"@{BEN}", "3d", reason="holidays")
    await list_delegations(terminal.settings)
    told = capsys.readouterr().out.splitlines()[-1]
    assert told.startswith("Ben Okafor decides for Ana Ruiz until ")
    assert told.endswith(" (holidays)")
    closed = Settings.read(terminal.folder, VB_CLI_APPROVALS="no")
    await list_delegations(closed)
    assert "Ben Okafor decides for Ana Ruiz until " in capsys.readouterr().out
    await take_back(terminal.settings)
    await list_delegations(terminal.settings)
    assert "Nobody decides in the place of others now" in capsys.readouterr().err
    with pytest.raises(Misuse, match="Say what has to change"):
        await request_changes(terminal.settings, run, "agree", " ")
    with pytest.raises(Misuse, match=r"wf has no gate named agre; did you mean agree\?"):
        await request_changes(terminal.settings, run, "agre", "name the migration")
    await terminal.belongs_to(CHEN)
    await request_changes(terminal.settings, run, "agree", "name the migration")
    async with terminal.engine() as engine:
        state = await engine.state(run)
    assert state.changes is not None
    assert (state.changes.comment, state.changes.by.id) == ("name the migration", CHEN)


async def test_an_approval_at_a_terminal_is_of_what_was_shown(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    run = await terminal.run(show={"notes": "v1 \x1b[31m"})
    await terminal.belongs_to(ANA)
    evidence = (await terminal.gate(run)).evidence
    with pytest.raises(Misuse, match="eight characters at least"):
        await approve(terminal.settings, run, "agree", seen="5f7b")
    with pytest.raises(NotDone, match=rf"This is how it is now:\n  Question: Ship it\?[\s\S]*sha256 {evidence}"):
        await approve(terminal.settings, run, "agree", seen="5f7b6325b0")
    assert (await terminal.gate(run)).decision is None
    capsys.readouterr()
    await approve(terminal.settings, run, "agree", seen=evidence[:10])
    second = await terminal.run(show={"notes": "v2"})
    await approve(terminal.settings, second, "agree")
    assert "  Shown notes: v2\n" in capsys.readouterr().err
    assert all([(await terminal.gate(each)).decision for each in (run, second)])


async def test_where_it_was_installed_the_sealed_token_asks_slack(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VB_MASTER_KEY", new_master_key())
    slack = terminal.slack
    terminal.settings = Settings.read(tmp_path, SLACK_API_URL=slack.api_url, VB_WORKSPACE="T0ACMEDEMO")
    run = await terminal.run()
    await terminal.belongs_to(CHEN)

    async def install(
        bot_token: str, *, team: str = "T0ACMEDEMO", app: str = "1.2", at: float = 2.0, ends_at: int | None = None
    ) -> None:
        made = Installation(
            team_id=team, user_id=ANA, bot_token=bot_token, bot_token_expires_at=ends_at, installed_at=at
        )
        async with terminal.engine() as engine:
            rotator = AsyncTokenRotator(client_id=app, client_secret="s3cret")
            await Installations(Secrets(engine.store), app, rotator).async_save(made)

    with pytest.raises(NoWayToSlack):
        await approve(terminal.settings, run, "agree")
    await install(slack.bot_token, ends_at=1)
    await install(slack.bot_token, team="T0GLOBEX")
    with pytest.raises(NoWayToSlack):
        await approve(terminal.settings, run, "agree")
    await install(slack.bot_token)
    await install("xoxb-of-an-older-app", app="1.1", at=1.0)
    with pytest.raises(NotDone, match="Only @release-managers can decide this"):
        await approve(terminal.settings, run, "agree")


async def test_the_token_of_another_workspace_is_not_asked(terminal: Terminal, tmp_path: Path) -> None:
    slack = terminal.slack
    token = {"SLACK_API_URL": slack.api_url, "SLACK_BOT_TOKEN": slack.bot_token}
    terminal.settings = Settings.read(tmp_path, **token, VB_WORKSPACE="T0GLOBEX")
    run = await terminal.run()
    await terminal.belongs_to(ANA)
    with pytest.raises(NoWayToSlack):
        await approve(terminal.settings, run, "agree")
