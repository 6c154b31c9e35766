"""Approve and Deny, from the click to what everybody sees, over Socket Mode and over signed HTTP."""

from __future__ import annotations

import pytest

from bot.simulator.demo import ANA
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus, Verdict
from tests.bot.conftest import Setup
from tests.bot.front import HTTP, SOCKET, serving


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_an_approval_goes_from_the_command_to_the_end(setup: Setup, simulator: Simulator, transport: str) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        run = await front.release()
        await front.click("ana")
        made = (await front.gate(run)).decision  # it was recorded before the click was acknowledged
        assert made is not None
        assert made.by is not None
        assert (made.verdict, made.by.via, made.by.id, made.by.name) == (Verdict.GRANTED, "slack", ANA, "ana")
        assert made.authority == "in @release-managers"
        state = await front.ended(run)
        assert state.status is RunStatus.COMPLETED
        await simulator.wait_for(
            lambda: not any("actions" in str(m.blocks) for m in simulator.channel_messages("#releases"))
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
