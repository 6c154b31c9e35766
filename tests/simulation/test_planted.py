"""The simulation can fail: bugs that are planted into the engine are found, each by what it breaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.core import commands as c
from engine.core.commands import Command
from engine.handle import Answer, Handle
from engine.store import Append, Log, Outcome
from engine.streams import Activation
from tests.simulation.disk import disk
from tests.simulation.simulation import Simulation
from tests.simulation.stream import StreamServer

ENOUGH = 150
"""Schedules within which each of these bugs is to show."""


def first_failure(words: str) -> str:
    """The first problem, among these schedules, that has the words in it."""
    for number in range(ENOUGH):
        for problem in Simulation(f"planted.{number}").run().problems:
            if words in problem:
                return problem
    raise AssertionError(f"nothing was found in {ENOUGH} schedules")


def test_an_acknowledgement_before_the_claim_is_found_if_the_due_is_lost_too(monkeypatch: pytest.MonkeyPatch) -> None:
    deliver, take_due = StreamServer.deliver, Log.take_due

    def acknowledged_at_once(server: StreamServer, consumer: str, count: int) -> list[Activation]:
        given = deliver(server, consumer, count)
        server.remove(given)
        return given

    async def forgotten(log: Log, *args: Any, **kwargs: Any) -> Any:
        taken = await take_due(log, *args, **kwargs)
        for due in taken:
            disk().raw.execute("DELETE FROM open_work WHERE run = ?", (due.run,))
        return taken

    monkeypatch.setattr(StreamServer, "deliver", acknowledged_at_once)
    monkeypatch.setattr(Log, "take_due", forgotten)
    assert first_failure("it has not ended")


def test_declaring_an_attempt_lost_without_regard_to_its_lease_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Log.append

    async def unguarded(log: Log, what: Append) -> Outcome:
        return await append(log, replace(what, guards=()))

    monkeypatch.setattr(Log, "append", unguarded)
    assert first_failure("whose lease held")


def test_an_effect_that_is_made_again_although_it_is_on_record_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    submit = Handle.submit

    async def blind(handle: Handle, run: str, command: Command) -> Answer:
        answer = await submit(handle, run, command)
        return replace(answer, reply=c.Accepted()) if isinstance(answer.reply, c.EffectKnown) else answer

    monkeypatch.setattr(Handle, "submit", blind)
    assert first_failure("was paid again")
