"""Approve and Deny, from the click to what everybody sees, over Socket Mode and over signed HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, EVE
from bot.simulator.errors import PersonError
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus, Verdict
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import HTTP, SOCKET, locked, serving, unanswered
from tests.patience import PATIENT
from tests.services import running_redis


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_an_approval_goes_from_the_command_to_the_end(setup: Setup, simulator: Simulator, transport: str) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        run = await front.release()
        await front.click("ana")
        made = (await front.gate(run)).decision  # it was recorded before the click was acknowledged
        assert made is not None
        assert made.by is not None
        assert (made.verdict, made.by.via, made.by.id, made.by.name) == (Verdict.GRANTED, "slack", ANA, "Ana Ruiz")
        assert made.authority == "in @release-managers"
        state = await front.ended(run)
        assert state.status is RunStatus.COMPLETED
        await simulator.wait_for(
            lambda: not any("gate_approve" in str(m.blocks) for m in simulator.channel_messages("#releases"))
        )


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_a_denial_asks_why_and_is_recorded_with_the_reason(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        run = await front.release()
        await front.click("dana", "gate_deny")
        form = await front.form("dana")
        assert (await front.gate(run)).decision is None
        empty = await simulator.submit_view("dana", form.id, {"reason": {"value": "   "}})
        assert empty.errors == {"reason": "Write why, for those who wait for this run."}
        sent = await simulator.submit_view("dana", form.id, {"reason": {"value": "not on a Friday"}})
        assert sent.result == "closed"
        made = (await front.gate(run)).decision
        assert made is not None
        assert (made.verdict, made.reason) == (Verdict.DENIED, "not on a Friday")
        state = await front.ended(run)
        assert state.end is not None
        assert state.end.kind == "denied"


@pytest.mark.parametrize("action", ["gate_approve", "gate_deny"])
async def test_who_was_not_asked_is_told_so_and_nothing_changes(
    setup: Setup, simulator: Simulator, action: str
) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        seq = (await front.engine.state(run)).seq
        await front.click("ben", action)
        told = await front.told("ben", 1)
        assert told == "Only @release-managers can decide this, and you do not belong there. Nothing was changed."
        assert simulator.views("ben") == []
        state = await front.engine.state(run)
        assert state.step("publish").gate == await front.gate(run)
        assert (await front.gate(run)).decision is None
        assert [event.event.type for event in await front.engine.history(run, after=seq)] in (
            [],
            ["APPROVAL_PRESENTED"],
        )


async def test_the_refusal_is_in_the_thread_that_was_clicked_in(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.release()
        await front.click("ben")
        await front.told("ben", 1)
        (whisper,) = [one for one in simulator.channel_messages("#releases", seen_by="ben") if one.ephemeral]
        assert whisper.thread_ts == (await front.question()).thread_ts
        assert not any(one.ephemeral for one in simulator.channel_messages("#releases", seen_by="ana"))


async def test_a_guest_never_counts_even_in_the_group(setup: Setup, simulator: Simulator) -> None:
    simulator.workspace.groups["S0RELEASES"].users.append(EVE)
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("eve")
        assert (await front.told("eve", 1)).startswith("Guests of this workspace cannot do this")
        assert (await front.gate(run)).decision is None


async def test_those_escalated_to_may_decide_from_then_on(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("chen")
        assert await front.told("chen", 1) == (
            "Only @release-managers can decide this, and you do not belong there. Nothing was changed."
        )
        simulator.advance_clock(15 * 60_000)

        async def escalated() -> bool:
            return (await front.gate(run)).escalated == 1

        await until(escalated)
        await front.click("chen")
        made = (await front.gate(run)).decision
        assert made is not None
        assert made.authority == "in @oncall"


async def test_of_two_clicks_the_second_is_told_who_decided(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        question = await front.question()
        both = (simulator.click(who, "#releases", question.ts, "gate_approve") for who in ("ana", "dana"))
        await asyncio.gather(*both)
        made = (await front.decided(run)).decision
        assert made is not None
        assert made.by is not None
        loser = {"Ana Ruiz": "dana", "Dana Levy": "ana"}[made.by.name]
        assert await front.told(loser, 1) == (
            f"Already approved by {made.by.name} just now. Nothing was changed by your click."
        )
        types = [event.event.type for event in await front.engine.history(run)]
        assert types.count("APPROVAL_GRANTED") == 1
        assert types.count("APPROVAL_DENIED") == 0


async def test_a_click_that_is_delivered_twice_decides_once(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        simulator.duplicate_next("interactive")
        await front.click("ana")
        assert simulator.deliveries("interactive")[-1].attempts == 2
        await front.ended(run)
        types = [event.event.type for event in await front.engine.history(run)]
        assert types.count("APPROVAL_GRANTED") == 1
        assert front.whispers("ana") == [], "nobody is told that they were too late for themselves"


async def test_a_decision_after_the_form_was_opened_is_told_in_the_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("dana", "gate_deny")
        form = await front.form("dana")
        await front.click("ana")
        await front.decided(run)
        simulator.advance_clock(3 * 60_000)
        sent = await simulator.submit_view("dana", form.id, {"reason": {"value": "no"}})
        assert sent.result == "updated"
        told = (await front.form("dana")).blocks[0]["text"]["text"]
        assert told == "Already approved by Ana Ruiz 3 min ago. Nothing was changed by your click."
        made = (await front.gate(run)).decision
        assert made is not None
        assert made.verdict is Verdict.GRANTED


async def test_an_unreadable_group_decides_nothing_and_says_so(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        simulator.fail_next("usergroups.users.list", Fault(error="internal_error"))
        await front.click("ana")
        assert await front.told("ana", 1) == (
            "Slack did not say who belongs to @release-managers, so it is not known whether you may decide. "
            "Nothing was changed; try again in a minute."
        )
        assert (await front.gate(run)).decision is None
        await front.click("ana")
        assert (await front.gate(run)).decision is not None


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(retry_after_s=1)])
async def test_a_person_whom_slack_does_not_tell_of_decides_nothing(
    setup: Setup, simulator: Simulator, fault: Fault
) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        simulator.fail_next("users.info", fault)
        await front.click("ana")
        assert (
            await front.told("ana", 1) == "Slack did not say who you are. Try again in a minute. Nothing was decided."
        )
        assert (await front.gate(run)).decision is None


@pytest.mark.parametrize(
    ("bound", "method", "said"),
    [
        ("answered", "users.info", "Slack did not say who you are. Try again in a minute. Nothing was decided."),
        ("asked", "usergroups.list", "Slack did not say in time who is who."),
    ],
)
async def test_a_slack_that_does_not_answer_is_not_taken_for_a_slow_database(
    setup: Setup, simulator: Simulator, bound: str, method: str, said: str
) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
    hasty = replace(PATIENT, **{bound: 0.2})
    async with serving(setup, simulator, bounds=hasty) as front:  # it has asked nothing yet
        with unanswered(simulator, method):
            await front.click("ana")
            assert (await front.told("ana", 1)).startswith(said)
        assert (await front.gate(run)).decision is None


async def test_who_started_the_run_may_not_decide_where_the_definition_says_so(
    setup: Setup, simulator: Simulator
) -> None:
    strict = workflow(gate(allow_self=False), name="strict")
    async with serving(setup, simulator, [strict]) as front:
        await front.type("ana", "run strict")
        (run,) = await front.runs()
        await front.click("ana")
        assert await front.told("ana", 1) == (
            "You may not decide this: whoever started the run may not decide here; "
            "somebody else who is asked has to. Nothing was changed."
        )
        assert (await front.gate(run)).decision is None
        await front.click("dana")
        assert (await front.decided(run)).decision is not None


async def test_a_run_that_was_stopped_asks_nobody(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        question = await front.question()
        with unanswered(simulator, "chat.update", 3):
            await front.type("ben", f"cancel {run}")
            await simulator.click("ana", "#releases", question.ts, "gate_approve")
            assert (await front.told("ana", 1)).startswith("This question is not open any more: the run is cancel")
        assert (await front.gate(run)).decision is None


async def test_a_database_that_is_away_loses_no_click_unseen(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        question = await front.question()
    async with serving(setup, simulator, bounds=replace(PATIENT, recorded=0.5)) as front:
        with locked(setup):
            await front.click("ana")  # is acknowledged, or this raises
            assert await front.told("ana", 1) == (
                "The database did not answer in time, so your decision could not be recorded. Click again; "
                "if the first click did count after all, you are told so."
            )
    async with serving(setup, simulator) as front:
        with contextlib.suppress(PersonError):  # the buttons may be gone: then the first click did count
            await simulator.click("ana", "#releases", question.ts, "gate_approve")
        made = (await front.decided(run)).decision
        assert made is not None
        assert made.verdict is Verdict.GRANTED


async def test_a_click_is_acknowledged_only_when_it_is_durable(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        question = await front.question()
        with locked(setup):
            clicking = asyncio.create_task(simulator.click("ana", "#releases", question.ts, "gate_approve"))
            acknowledged, _ = await asyncio.wait({clicking}, timeout=0.5)
            assert not acknowledged
        await clicking
        assert (await front.gate(run)).decision is not None


async def test_while_redis_is_away_a_decision_is_recorded_all_the_same(
    setup: Setup, simulator: Simulator, tmp_path: Path
) -> None:
    with running_redis(tmp_path / "redis") as redis:
        own = replace(setup, settings=replace(setup.settings, redis_url=redis.url))
        async with serving(own, simulator) as front:
            run = await front.release()
            await front.question()
            await redis.close()
            await front.click("ana")
            made = (await front.gate(run)).decision
            assert made is not None
            assert await front.type("ben", "run simple") == ""
            await redis.ensure()
            assert (await front.ended(run)).status is RunStatus.COMPLETED
            for each in await front.runs():
                assert (await front.ended(each)).status is RunStatus.COMPLETED
