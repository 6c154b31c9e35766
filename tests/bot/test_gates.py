"""Gates through the front door: who counts, how many, on which version, and what every copy shows afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, BEN, CHEN, DANA
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core.events import Actor
from engine.core.roles import Role
from engine.core.state import RunStatus, Verdict
from engine.core.workspace import ROLES
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import Front, locked, serving
from tests.patience import PATIENT

DMS = {name: f"D0VBDM{number:04d}" for number, name in enumerate(("ana", "ben", "chen", "dana", "eve"), 1)}

EDITABLE: dict[str, Any] = {
    "edit": {
        "count": {"type": "integer", "min": 1, "max": 9, "value": "${{ 3 }}"},
        "region": {"value": "eu"},
    },
    "covers": ["tag"],
}
TAG = {"id": "tag", "uses": "t.echo", "with": {"text": "to ${{ steps.publish.output.fields.region }}"}}


@asynccontextmanager
async def asking(setup: Setup, simulator: Simulator, *more: dict[str, Any], **approval: Any) -> AsyncGenerator[Front]:
    """A bot, and a run of Ben's that waits at a gate with ``approval``."""
    wanted = workflow(gate(**approval), *more, name="asking")
    async with serving(setup, simulator, [wanted]) as front:
        assert await front.type("ben", "run asking") == ""
        await front.question()
        yield front


async def the_run(front: Front) -> str:
    return (await front.runs())[0]


async def types_of(front: Front) -> list[str]:
    events = await front.engine.history(await the_run(front))
    return [
        one.event.type for one in events if one.event.type.startswith("APPROVAL_") and "PRESENTED" not in one.event.type
    ]


async def shows(front: Front, text: str, channel: str = "#releases") -> Message:
    """The newest message in the channel that says ``text``, once there is one."""

    def found() -> list[Message]:
        return [one for one in front.simulator.channel_messages(channel) if text in one.text]

    return (await front.simulator.wait_for(found))[-1]


async def submit(front: Front, who: str, **values: dict[str, Any]) -> Any:
    return await front.simulator.submit_view(who, (await front.form(who)).id, values)


# How many


async def test_two_people_are_needed_and_the_same_one_counts_once(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, quorum=2) as front:
        run = await the_run(front)
        await front.click("ana")
        assert (await front.gate(run)).decision is None
        await shows(front, "1 of 2 approved: Ana Ruiz.")
        await front.click("ana")
        assert (await front.told("ana", 1)).startswith("You have approved this already just now, and that counts once.")
        await front.click("dana")
        assert (await front.ended(run)).status is RunStatus.COMPLETED
        assert await types_of(front) == ["APPROVAL_REQUESTED", "APPROVAL_VOTED", "APPROVAL_GRANTED"]
        done = await shows(front, "✓ Approved by Dana Levy (in @release-managers)")
        assert "Approved before that: Ana Ruiz." in done.text
        assert not any(block["type"] == "actions" for block in done.blocks)


async def test_of_a_quorum_one_denial_is_the_end(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, quorum=2) as front:
        await front.click("ana")
        await front.click("dana", "gate_deny")
        assert (await submit(front, "dana", reason={"value": "not today"})).result == "closed"
        made = (await front.decided(await the_run(front))).decision
        assert made is not None
        assert made.verdict is Verdict.DENIED


async def test_all_are_the_full_members_of_the_group_at_the_decision(setup: Setup, simulator: Simulator) -> None:
    simulator.workspace.groups["S0RELEASES"].users += ["U0EVEXXXXX", "U0FINNXXXX"]  # a guest, and one who has left
    async with asking(setup, simulator, quorum="all") as front:
        await front.click("ana")
        await shows(front, "Everybody asked has to approve; 1 approval so far: Ana Ruiz.")
        await front.click("dana")
        gate = await front.decided(await the_run(front))
        assert [ballot.by.id for ballot in gate.votes] == [ANA, DANA]


async def test_business_hours_are_those_of_the_people_asked(setup: Setup, simulator: Simulator) -> None:
    """Ana and Dana are asked; where each of them is, Slack says."""
    simulator.workspace.users[ANA].tz, simulator.workspace.users[DANA].tz = "America/New_York", "Asia/Tokyo"
    async with asking(setup, simulator, hours={"zone": "approver"}, expires_in="4h") as front:
        run = await the_run(front)

        async def known() -> bool:
            return not (await front.gate(run)).wants_zones

        await until(known)
        request = (await front.gate(run)).request
        assert request.hours is not None
        assert request.hours.zones == ("America/New_York", "Asia/Tokyo")
        at = f"{request.expires_at // 1_000}"
        await shows(front, f"<!date^{at}^")


async def test_stages_ask_one_after_the_other(setup: Setup, simulator: Simulator) -> None:
    stages = [
        {"name": "release", "approvers": ["@release-managers"]},
        {"name": "ops", "approvers": ["@oncall", "#ops"]},
    ]
    async with serving(setup, simulator, [workflow(_staged(stages), name="asking")]) as front:
        await front.type("ben", "run asking")
        first = await front.question()
        assert "Stage 1 of 2 (release): 0 of 1 approved." in first.text
        await front.click("chen")
        assert (await front.told("chen", 1)).startswith("Only @release-managers can decide this")
        await front.click("ana")
        second = await shows(front, "<!subteam^S0ONCALLXX>: please decide.")
        assert "Stage 2 of 2 (ops): 0 of 1 approved." in second.text
        await shows(front, "<#C0OPSXXXXX>: please decide.", "#ops")
        old = await shows(
            front, "✓ Stage 1 of 2 (release) has its approvals; stage 2 of 2 (ops) asks @oncall or #ops now."
        )
        assert old.ts == first.ts
        assert not any(block["type"] == "actions" for block in old.blocks)
        await simulator.click("chen", "#releases", second.ts, "gate_approve")
        assert (await front.ended(await the_run(front))).status is RunStatus.COMPLETED


def _staged(stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": "publish", "approval": {"title": "Publish?", "stages": stages}}


# Who


async def test_whoever_started_it_counts_through_no_group(setup: Setup, simulator: Simulator) -> None:
    simulator.workspace.groups["S0ONCALLXX"].users.append(BEN)
    async with asking(setup, simulator, approvers=["@ben", "@oncall"]) as front:
        await front.click("ben")
        told = await front.told("ben", 1)
        assert told == (
            "You may not decide this: whoever started the run may not decide here; "
            "somebody else who is asked has to. Nothing was changed."
        )
        assert (await front.gate(await the_run(front))).decision is None


async def test_a_list_from_an_earlier_step_is_asked(setup: Setup, simulator: Simulator) -> None:
    rota = {"id": "rota", "uses": "t.echo", "with": {"text": "@chen"}}
    wanted = workflow(rota, gate(approvers=["${{ steps.rota.output }}"]), name="asking")
    async with serving(setup, simulator, [wanted]) as front:
        await front.type("ben", "run asking")
        assert f"<@{CHEN}>: please decide." in (await front.question()).text
        await front.click("ana")
        assert (await front.told("ana", 1)).startswith("Only @chen can decide this")
        await front.click("chen")
        await front.decided(await the_run(front))


# Which version


async def test_an_edit_shows_what_it_changes_and_voids_the_approvals_before_it(
    setup: Setup, simulator: Simulator
) -> None:
    async with asking(setup, simulator, TAG, quorum=2, **EDITABLE) as front:
        await front.click("ana")
        await shows(front, "1 of 2 approved: Ana Ruiz.")
        await front.click("dana", "gate_edit")
        wrong = await submit(front, "dana", input_count={"value": "12"}, input_region={"value": "us"})
        assert wrong.errors == {"input_count": "count must be at most 9; you gave 12"}
        same = await submit(front, "dana", input_count={"value": "3"}, input_region={"value": "eu"})
        assert list(same.errors) == ["input_count"]
        saved = await submit(front, "dana", input_count={"value": "5"}, input_region={"value": "us"})
        assert saved.result == "updated"
        told = str((await front.form("dana")).blocks)
        assert "You changed count: 3 → 5, region: eu → us. Approvals from before do not count any more." in told
        request = await shows(front, "✎ Dana Levy changed count: 3 → 5, region: eu → us")
        assert "0 of 2 approved." in request.text
        assert "region (was eu): us" in request.text
        assert '"to us"' in request.text, "the exact input of what is covered"
        assert f"<@{ANA}>" in (await shows(front, "publish: Dana Levy changed")).text, "who has to approve anew is told"
        assert (await submit(front, "dana", reason={"value": "fewer is safer"})).result == "closed"
        await front.click("ana")
        state = await front.ended(await the_run(front))
        assert state.step("tag").output == "to us"
        assert await types_of(front) == [
            "APPROVAL_REQUESTED", "APPROVAL_VOTED", "APPROVAL_EDITED", "APPROVAL_VOTED", "APPROVAL_GRANTED",
        ]  # fmt: skip


async def test_a_click_on_what_has_changed_is_refused_and_shows_what_it_is_now(
    setup: Setup, simulator: Simulator
) -> None:
    async with asking(setup, simulator, TAG, **EDITABLE) as front:
        run = await the_run(front)
        question = await front.question()
        unchanged = asyncio.Event()
        simulator.fail_next("chat.update", Fault(held=unchanged), 3)
        await front.click("dana", "gate_edit")
        await submit(front, "dana", input_count={"value": "5"}, input_region={"value": "eu"})
        seq = (await front.engine.state(run)).seq
        await simulator.click("ana", "#releases", question.ts, "gate_approve")
        told = await front.told("ana", 1)
        assert told.startswith("Dana Levy has changed what is decided on since you saw it. Nothing was recorded.")
        assert "count (was 3): 5" in told
        kinds = {one.event.type for one in await front.engine.history(run, after=seq)}
        assert kinds <= {"APPROVAL_PRESENTED"}
        (whisper,) = [one for one in simulator.channel_messages("#releases", seen_by="ana") if one.ephemeral]
        await simulator.click("ana", "#releases", whisper.ts, "gate_approve")
        assert (await front.decided(run)).decision is not None
        unchanged.set()


async def test_changes_are_asked_for_made_and_asked_about_again(setup: Setup, simulator: Simulator) -> None:
    draft = {"id": "draft", "uses": "t.echo", "with": {"text": "draft for ${{ changes.comment }}"}}
    wanted = workflow(draft, gate(show={"draft": "${{ steps.draft.output }}"}, request_changes="draft"), name="asking")
    async with serving(setup, simulator, [wanted]) as front:
        await front.type("ben", "run asking")
        first = await front.question()
        await front.click("ana", "gate_changes")
        empty = await submit(front, "ana", reason={"value": " "})
        assert list(empty.errors) == ["reason"]
        assert (await submit(front, "ana", reason={"value": "say it shorter"})).result == "closed"
        again = await shows(front, "draft: draft for say it shorter")
        assert again.ts != first.ts
        closed = await shows(front, "↩ Ana Ruiz (in @release-managers) asked for changes: say it shorter.")
        assert closed.ts == first.ts
        await simulator.click("dana", "#releases", again.ts, "gate_approve")
        assert (await front.ended(await the_run(front))).status is RunStatus.COMPLETED


async def test_where_an_approval_needs_a_reason_the_click_asks_for_it(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, reason="always") as front:
        await front.click("ana")
        assert (await front.gate(await the_run(front))).decision is None
        assert (await submit(front, "ana", reason={"value": "  "})).errors == {
            "reason": "Write why, for those who wait for this run."
        }
        assert (await submit(front, "ana", reason={"value": "tests are green"})).result == "closed"
        made = (await front.decided(await the_run(front))).decision
        assert made is not None
        assert made.reason == "tests are green"


# For whom, and when


async def test_a_delegate_decides_for_who_let_them_and_only_here(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, quorum=2) as front:
        run = await the_run(front)
        await front.click("ana", "gate_delegate")
        guest = await submit(front, "ana", person={"value": "U0EVEXXXXX"}, reason={"value": ""})
        assert list(guest.errors) == ["person"]
        starter = await submit(front, "ana", person={"value": BEN}, reason={"value": ""})
        assert starter.result == "updated"
        await front.click("ana", "gate_delegate")
        assert (await submit(front, "ana", person={"value": CHEN}, reason={"value": "on a train"})).result == "closed"
        assert f"<@{CHEN}>" in (await shows(front, "Ana Ruiz lets")).text
        await front.click("chen")
        gate = await front.gate(run)
        assert [(one.by.id, one.seat.id, one.authority) for one in gate.votes] == [
            (CHEN, ANA, "for Ana Ruiz, in @release-managers")
        ]
        await front.click("ana")
        assert "Chen Wei for Ana Ruiz has approved this already" in await front.told("ana", 1)
        await front.click("dana")
        assert (await front.ended(run)).status is RunStatus.COMPLETED


async def test_who_is_let_decide_for_a_period_decides_at_other_gates_too(setup: Setup, simulator: Simulator) -> None:
    until_then = simulator.workspace.clock.now() // 1_000 + 86_400
    async with asking(setup, simulator) as front:
        await front.click("ana", "gate_delegate")
        over = await submit(
            front, "ana", person={"value": CHEN}, until={"value": until_then - 90_000}, reason={"value": ""}
        )
        assert list(over.errors) == ["until"]
        for_a_day = {"person": {"value": CHEN}, "until": {"value": until_then}, "reason": {"value": "on a train"}}
        assert (await submit(front, "ana", **for_a_day)).result == "closed"
        assert await front.type("ben", "run asking") == ""
        second = (await front.runs())[0]
        request = await front.question(2)
        await simulator.click("chen", "#releases", request.ts, "gate_approve")
        made = (await front.decided(second)).decision
        assert made is not None
        assert made.on_behalf_of is not None
        assert (made.on_behalf_of.id, made.authority) == (ANA, "for Ana Ruiz, in @release-managers")


async def test_where_delegation_is_forbidden_it_is_not_offered_and_counts_for_nothing(
    setup: Setup, simulator: Simulator
) -> None:
    async with asking(setup, simulator, delegation="forbidden") as front:
        question = await front.question()
        assert "gate_delegate" not in str(question.blocks)
        ana, chen = (Actor(via="slack", id=id_, name=name) for id_, name in ((ANA, "Ana Ruiz"), (CHEN, "Chen Wei")))
        await front.engine.gates.delegate(chen, simulator.workspace.clock.now() + 3_600_000, by=ana)
        await front.click("chen")
        assert (await front.told("chen", 1)).startswith("Only @release-managers can decide this")


async def test_who_holds_the_role_now_may_decide(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [workflow(gate(approvers=["role:approver"]), name="asking")]) as front:
        missing = await front.type("ben", "run asking")
        assert "role:approver" in missing
        admin = Actor(via="cli", id="root", name="root")
        await front.engine.workspace.grant(Role.APPROVER, f"@{CHEN}", "@chen", by=admin, may=frozenset({ROLES}))
        assert await front.type("ben", "run asking") == ""
        assert f"<@{CHEN}>" in (await front.question()).text
        await front.click("ana")
        assert (await front.told("ana", 1)).startswith("Only role:approver can decide this")
        await front.click("chen")
        made = (await front.decided(await the_run(front))).decision
        assert made is not None
        assert made.authority == "in role:approver"


async def test_who_snoozes_is_left_out_of_reminders(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, remind_every="10m") as front:
        await front.click("ana", "gate_snooze")
        assert (await submit(front, "ana", pause={"value": "60"})).result == "closed"
        simulator.advance_clock(11 * 60_000)
        reminded = await shows(front, "Reminder: Publish?")
        assert f"<@{DANA}>" in reminded.text
        assert f"<@{ANA}>" not in reminded.text
        assert "subteam" not in reminded.text


# Copies


async def test_copies_in_direct_messages_are_kept_in_step(setup: Setup, simulator: Simulator) -> None:
    simulator.workspace.groups["S0RELEASES"].users.append("U0FINNXXXX")
    async with asking(setup, simulator, direct_messages=True, approvers=["@release-managers", "@chen"]) as front:
        for who in ("ana", "chen", "dana"):
            copy = await shows(front, "please decide", DMS[who])
            assert "You are asked as @" in copy.text
            assert "asking" in copy.text
        await shows(front, "! Not reached by direct message: Finn Berg (the account is deactivated).")
        copy = await shows(front, "please decide", DMS["chen"])
        await simulator.click("chen", DMS["chen"], copy.ts, "gate_approve")
        for where in ("#releases", DMS["ana"], DMS["chen"], DMS["dana"]):
            done = await shows(front, "✓ Approved by Chen Wei (asked as @chen)", where)
            assert not any(block["type"] == "actions" for block in done.blocks)
        assert not any("Publish?" in one.text for one in simulator.channel_messages(DMS["ben"]))


async def test_who_was_let_decide_gets_a_copy_too(setup: Setup, simulator: Simulator) -> None:
    async with asking(setup, simulator, direct_messages=True, approvers=["@ana"]) as front:
        await front.click("ana", "gate_delegate")
        await submit(front, "ana", person={"value": CHEN}, reason={"value": ""})
        copy = await shows(front, "Ana Ruiz lets you decide here: please decide.", DMS["chen"])
        await simulator.click("chen", DMS["chen"], copy.ts, "gate_approve")
        await shows(front, "✓ Approved by Chen Wei for Ana Ruiz", DMS["ana"])


# Trouble


@pytest.mark.parametrize("action", ["gate_edit", "gate_delegate", "gate_snooze"])
async def test_forms_open_for_those_only_who_may_send_them(setup: Setup, simulator: Simulator, action: str) -> None:
    async with asking(setup, simulator, TAG, remind_every="10m", **EDITABLE) as front:
        await front.click("chen", action)
        assert (await front.told("chen", 1)).startswith("Only @release-managers can decide this")
        assert simulator.views("chen") == []


async def test_while_the_store_is_away_an_edit_is_kept_in_its_form(setup: Setup, simulator: Simulator) -> None:
    values = {"input_count": {"value": "5"}, "input_region": {"value": "eu"}}
    async with asking(setup, simulator, TAG, **EDITABLE) as front:
        await front.click("dana", "gate_edit")
        await front.form("dana")
    async with serving(setup, simulator, bounds=replace(PATIENT, recorded=0.5)) as front:
        with locked(setup):
            sent = await submit(front, "dana", **values)
            assert list(sent.errors) == ["input_count"]
    async with serving(setup, simulator) as front:

        async def edited() -> bool:
            return (await front.gate(await the_run(front))).edited is not None

        if not await edited():
            await submit(front, "dana", **values)
        await until(edited)
        assert (await types_of(front)).count("APPROVAL_EDITED") == 1
