"""A walk along one run's events, by rules of our own: who held which attempt when, and what became of each step.

The one rule: it is written from the promises, not from the engine; nothing of the engine is imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from tests.fleet.evidence import Event
from tests.fleet.stories import Expected

TERMINAL = {"RUN_COMPLETED": "completed", "RUN_FAILED": "failed", "RUN_CANCELLED": "cancelled"}
BOOKKEEPING = frozenset({"LATE_RESULT_REFUSED", "COST_RECORDED"})
DECISIONS = {"APPROVAL_GRANTED": "granted", "APPROVAL_DENIED": "denied", "APPROVAL_EXPIRED": "expired"}
LOST = "worker_lost"


@dataclass(kw_only=True)
class Attempt:
    seq: int
    at: int
    worker: str


@dataclass(kw_only=True)
class Step:
    """One step as the events tell it. ``failures``: classes of its failed attempts, lost workers aside."""

    attempts: list[Attempt] = field(default_factory=list[Attempt])
    open: Attempt | None = None
    ended: str | None = None
    output: dict[str, Any] = field(default_factory=dict[str, Any])
    failures: list[str] = field(default_factory=list[str])
    losses: int = 0
    last_failure: str = ""
    not_before: int = 0
    asked: int = 0
    decision: Event | None = None
    verdict: str = ""
    effects: dict[str, Event] = field(default_factory=dict[str, Event])


class Timeline:
    """``steps`` by path, ``end`` the terminal event, ``wrong`` what the order of the events alone makes wrong."""

    def __init__(self, events: list[Event], expected: Mapping[str, Expected]) -> None:
        self.steps: dict[str, Step] = {}
        self.end: Event | None = None
        self.cancel: Event | None = None
        self.wrong: list[str] = []
        self._expected = expected
        self._last = Event(0, "", 0, {})
        for event in events:
            self._follow(event)
            self._last = event

    def _complain(self, event: Event, what: str) -> None:
        self.wrong.append(f"seq {event.seq}: {what}")

    def _follow(self, event: Event) -> None:
        if event.seq != self._last.seq + 1:
            self._complain(event, f"follows seq {self._last.seq}")
        if event.at < self._last.at:
            self._complain(event, "is earlier than the event before it")
        if (event.type == "RUN_STARTED") != (event.seq == 1):
            self._complain(event, f"{event.type} out of place")
        if self.end is not None and event.type not in BOOKKEEPING:
            self._complain(event, f"{event.type} after the run's end")
        if event.type in TERMINAL:
            self.end = self.end or event
        elif event.type == "RUN_CANCEL_REQUESTED":
            if self.cancel is not None:
                self._complain(event, "a second request to cancel")
            self.cancel = event
        elif "step" in event.data:
            self._follow_step(event, event.data["step"], self.steps.setdefault(event.data["step"], Step()))

    def _follow_step(self, event: Event, path: str, step: Step) -> None:
        match event.type:
            case "STEP_STARTED":
                self._start(event, path, step)
            case "STEP_COMPLETED":
                self._complete(event, path, step)
            case "STEP_FAILED":
                self._fail(event, path, step)
            case "STEP_RETRIED":
                step.ended, step.not_before = None, event.data["at"]
            case "STEP_HANDED_BACK":
                if step.open is None:
                    self._complain(event, f"{path} is handed back, but nobody has it")
                step.open = None
            case "STEP_SKIPPED":
                self._end(event, path, step, "skipped")
            case "EFFECT_RECORDED":
                self._record(event, path, step)
            case "APPROVAL_REQUESTED":
                if step.asked:
                    self._complain(event, f"{path} is asked for twice")
                self._see_needs(event, path)
                step.asked = event.seq
            case "APPROVAL_GRANTED" | "APPROVAL_DENIED" | "APPROVAL_EXPIRED":
                self._decide(event, path, step)
            case _:
                pass

    def _start(self, event: Event, path: str, step: Step) -> None:
        attempt = Attempt(seq=event.seq, at=event.at, worker=event.data["worker"])
        if step.open is not None:
            self._complain(event, f"{path} is started while the attempt of seq {step.open.seq} still counts")
        if step.ended is not None:
            self._complain(event, f"{path} is started although it has {step.ended}")
        if event.at < step.not_before:
            self._complain(event, f"{path} is started {step.not_before - event.at} ms before its retry is due")
        if self.cancel is not None:
            self._complain(event, f"{path} is started after the run was cancelled")
        self._see_needs(event, path)
        step.open = attempt
        step.attempts.append(attempt)

    def _see_needs(self, event: Event, path: str) -> None:
        expected = self._expected.get(path)
        for need in expected.needs if expected else ():
            if self.steps.get(need, Step()).ended not in ("completed", "skipped"):
                self._complain(event, f"{path} begins before {need} has ended")

    def _complete(self, event: Event, path: str, step: Step) -> None:
        if step.ended == "completed":
            self._complain(event, f"{path} completed twice")
        elif step.open is None:
            self._complain(event, f"{path} completed, but no attempt of it counted")
        else:
            by = _fields(event.data["output"]).get("by")
            if by not in (None, step.open.worker):
                self._complain(event, f"{path}: the result is {by}'s, but the attempt that counts {step.open.worker}'s")
        step.open, step.ended, step.output = None, "completed", _fields(event.data["output"])

    def _fail(self, event: Event, path: str, step: Step) -> None:
        kind = event.data["failure"]["cls"]
        if kind == LOST:
            step.losses += 1
        else:
            step.failures.append(kind)
        step.open, step.last_failure = None, kind
        self._end(event, path, step, "failed")

    def _end(self, event: Event, path: str, step: Step, how: str) -> None:
        if step.ended is not None:
            self._complain(event, f"{path} {how}, but it had {step.ended} before")
        step.ended = how

    def _record(self, event: Event, path: str, step: Step) -> None:
        effect = event.data["effect"]
        if effect in step.effects:
            self._complain(event, f"{path}: the effect {effect} is recorded twice")
        elif step.open is None:
            self._complain(event, f"{path}: the effect {effect} is recorded, but no attempt counted")
        step.effects.setdefault(effect, event)

    def _decide(self, event: Event, path: str, step: Step) -> None:
        if step.decision is not None:
            self._complain(event, f"{path} is decided twice, {step.verdict} and then {DECISIONS[event.type]}")
            return
        if not step.asked:
            self._complain(event, f"{path} is decided, but nobody was asked")
        step.decision, step.verdict = event, DECISIONS[event.type]
        passes = step.verdict == "granted" or event.data.get("policy") == "approve"
        self._end(event, path, step, "completed" if passes else "failed")


def _fields(output: Any) -> dict[str, Any]:
    """The output's fields, none if it is no object."""
    return cast("dict[str, Any]", output) if isinstance(output, dict) else {}
