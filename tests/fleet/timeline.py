"""A walk along one run's events, by rules of our own: who held which attempt when, and what became of each step.

The one rule: it is written from the promises, not from the engine; nothing of the engine is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from tests.fleet.evidence import Event
from tests.fleet.stories import Expected

TERMINAL = {"RUN_COMPLETED": "completed", "RUN_FAILED": "failed", "RUN_CANCELLED": "cancelled"}
BOOKKEEPING = frozenset({"LATE_RESULT_REFUSED", "COST_RECORDED", "RUN_REOPENED"})
DECISIONS = {"APPROVAL_GRANTED": "granted", "APPROVAL_DENIED": "denied", "APPROVAL_EXPIRED": "expired"}
LOST = "worker_lost"
INSIDE = frozenset("[#/!")
"""A path with one of these is that of something inside of a step, or of what undoes one."""


@dataclass(kw_only=True)
class Attempt:
    seq: int
    at: int
    worker: str


@dataclass(kw_only=True)
class Step:
    """One step as the events tell it. ``failures``: classes of its failed attempts, lost workers aside.

    ``begun`` and ``ended_at`` are the seqs of its first and last events. ``effects`` are the records of its effects as
    they count now, ``keys`` their keys, ``recorded`` all records that there ever were, by key.
    """

    attempts: list[Attempt] = field(default_factory=list[Attempt])
    open: Attempt | None = None
    begun: int = 0
    ended: str | None = None
    ended_at: int = 0
    output: Any = None
    failures: list[str] = field(default_factory=list[str])
    losses: int = 0
    last_failure: str = ""
    not_before: int = 0
    asked: int = 0
    decision: Event | None = None
    verdict: str = ""
    effects: dict[str, Event] = field(default_factory=dict[str, Event])
    recorded: dict[str, Event] = field(default_factory=dict[str, Event])
    keys: dict[str, str] = field(default_factory=dict[str, str])
    children: list[str] = field(default_factory=list[str])

    @property
    def given_up(self) -> bool:
        """Whether it failed because its workers were lost again and again."""
        return self.ended == "failed" and self.last_failure == LOST


class Timeline:
    """``steps`` by path, ``end`` the terminal event, ``wrong`` what the order of the events alone makes wrong.

    ``stopping``: the seqs after which it was stopping, as it was to be cancelled or one of its own steps had failed.
    """

    def __init__(self, events: list[Event], expected: Callable[[str], Expected | None]) -> None:
        self.steps: dict[str, Step] = {}
        self.end: Event | None = None
        self.cancel: Event | None = None
        self.undoing: tuple[str, ...] = ()
        self.handling = False
        self.stopping: set[int] = set()
        self.wrong: list[str] = []
        self._expected = expected
        self._paused = False
        self._signals: dict[int, Event] = {}
        self._received: set[str] = set()
        self._last = Event(0, "", 0, {})
        for event in events:
            self._follow(event)
            if self.cancel is not None or any(self._stops(path, step) for path, step in self.steps.items()):
                self.stopping.add(event.seq)
            self._last = event

    def step(self, path: str) -> Step:
        return self.steps.get(path, Step())

    def _stops(self, path: str, step: Step) -> bool:
        """Whether the step is why the run stops: one of its own, not of what is inside of it, or undoes or tells."""
        if step.ended != "failed" or not INSIDE.isdisjoint(path):
            return False
        expected = self._expected(path)
        return expected is None or not expected.tolerated

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
        if "step" in event.data and event.type not in TERMINAL:
            self._follow_step(event, event.data["step"], self.steps.setdefault(event.data["step"], Step()))
        else:
            self._follow_run(event)

    def _follow_run(self, event: Event) -> None:
        match event.type:
            case "RUN_COMPLETED" | "RUN_FAILED" | "RUN_CANCELLED":
                self.end = self.end or event
            case "RUN_REOPENED":
                self._reopen(event)
            case "RUN_CANCEL_REQUESTED":
                if self.cancel is not None:
                    self._complain(event, "a second request to cancel")
                self.cancel = event
            case "RUN_PAUSED" | "RUN_RESUMED":
                if self._paused == (event.type == "RUN_PAUSED"):
                    self._complain(event, f"{event.type} twice")
                self._paused = event.type == "RUN_PAUSED"
            case "RUN_UNDOING":
                self.undoing = tuple(event.data["steps"])
            case "RUN_FAILURE_HANDLING":
                self.handling = True
            case "SIGNAL_RECEIVED":
                if event.data["id"] in self._received:
                    self._complain(event, f"the signal {event.data['id']} is received twice")
                self._received.add(event.data["id"])
                self._signals[event.seq] = event
            case _:
                pass

    def _reopen(self, event: Event) -> None:
        """A run that had failed goes on; should it fail again, that is handled anew."""
        if self.end is None or self.end.type != "RUN_FAILED":
            self._complain(event, "reopened, but it had not failed")
        self.end, self.handling = None, False
        for path, step in self.steps.items():
            if path.startswith("on_failure/"):
                step.ended, step.failures, step.losses, step.effects = None, [], 0, {}

    def _follow_step(self, event: Event, path: str, step: Step) -> None:
        match event.type:
            case "STEP_STARTED":
                self._start(event, path, step)
            case "STEP_COMPLETED":
                self._complete(event, path, step)
            case "STEP_FAILED":
                self._fail(event, path, step)
            case "STEP_RETRIED" | "STEP_UNCERTAIN":
                step.ended, step.not_before = None, event.data.get("at", 0)
            case "STEP_SETTLED":
                self._settle(event, path, step)
            case "STEP_REDRIVEN":
                self._redrive(path)
            case "STEP_HANDED_BACK":
                if step.open is None:
                    self._complain(event, f"{path} is handed back, but nobody has it")
                step.open = None
            case "STEP_SKIPPED":
                self._see_needs(event, path, step)
                self._end(event, path, step, "skipped")
            case "EFFECT_STARTED" | "EFFECT_RECORDED":
                self._note_effect(event, path, step)
            case _:
                self._follow_waiting(event, path, step)

    def _follow_waiting(self, event: Event, path: str, step: Step) -> None:
        """Steps that need no worker: they wait for people, time, signals, child runs, or what is inside of them."""
        match event.type:
            case "APPROVAL_REQUESTED":
                if step.asked:
                    self._complain(event, f"{path} is asked for twice")
                self._see_needs(event, path, step)
                step.asked = event.seq
            case "APPROVAL_GRANTED" | "APPROVAL_DENIED" | "APPROVAL_EXPIRED":
                self._decide(event, path, step)
            case "TIMER_SET":
                self._see_needs(event, path, step)
                step.not_before = event.data["at"]
            case "SIGNAL_AWAITED":
                self._see_needs(event, path, step)
                step.not_before = event.data.get("expires_at") or 0
            case "TIMER_FIRED":
                self._fire(event, path, step)
            case "SIGNAL_MATCHED":
                self._match(event, path, step)
            case "CHILD_STARTED":
                self._see_needs(event, path, step)
                step.children.append(event.data["run"])
            case "FOR_EACH_STARTED" | "ITERATION_STARTED":
                self._see_needs(event, path, step)
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
        if self.cancel is not None and not path.endswith("!undo"):
            self._complain(event, f"{path} is started after the run was cancelled")
        if self._paused and self.cancel is None and not self.undoing and not self.handling:
            self._complain(event, f"{path} is started while the run is paused")
        self._see_needs(event, path, step)
        self._see_parallel(event, path)
        step.open = attempt
        step.attempts.append(attempt)

    def _see_parallel(self, event: Event, path: str) -> None:
        """No more items of a loop are at work than may be."""
        loop = path.rpartition("[")[0]
        expected = self._expected(loop) if loop else None
        if expected is None or not expected.parallel:
            return
        items = {
            other[: other.index("]", len(loop))]
            for other, step in self.steps.items()
            if other.startswith(f"{loop}[") and step.open is not None
        }
        if len(items | {path[: path.index("]", len(loop))]}) > expected.parallel:
            self._complain(event, f"{path} is started, with which more than {expected.parallel} items are at work")

    def _see_needs(self, event: Event, path: str, step: Step) -> None:
        step.begun = step.begun or event.seq
        expected = self._expected(path)
        for need in expected.needs if expected else ():
            before, tolerated = self.step(need), self._expected(need)
            fails = tolerated is not None and tolerated.tolerated and before.ended == "failed"
            if before.ended not in ("completed", "skipped") and not fails:
                self._complain(event, f"{path} begins before {need} has ended")

    def _complete(self, event: Event, path: str, step: Step) -> None:
        expected = self._expected(path)
        if step.ended == "completed":
            self._complain(event, f"{path} completed twice")
        elif step.open is not None:
            by = fields(event.data["output"]).get("by")
            if by not in (None, step.open.worker):
                self._complain(event, f"{path}: the result is {by}'s, but the attempt that counts {step.open.worker}'s")
        elif expected is None or expected.kind == "worker":
            self._complain(event, f"{path} completed, but no attempt of it counted")
        step.open, step.ended, step.ended_at, step.output = None, "completed", event.seq, event.data["output"]

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
        step.ended, step.ended_at = how, event.seq

    def _settle(self, event: Event, path: str, step: Step) -> None:
        """A person has said what became of an attempt."""
        match event.data["answer"]:
            case "happened":
                step.output = event.data["result"]
                self._end(event, path, step, "completed")
            case "fail":
                self._end(event, path, step, "failed")
            case _:
                step.losses = 0

    def _redrive(self, path: str) -> None:
        """The step, and the loops around it, go on as if they had not failed."""
        for other, step in self.steps.items():
            inside = path.startswith(other) and path[len(other) : len(other) + 1] in ("", "[", "#", "/")
            if inside and step.ended == "failed":
                step.ended, step.failures, step.losses, step.not_before = None, [], 0, 0

    def _note_effect(self, event: Event, path: str, step: Step) -> None:
        effect = event.data["effect"]
        if event.type == "EFFECT_STARTED":
            step.keys[effect] = event.data["key"]
            return
        key = step.keys.get(effect, "")
        if key in step.recorded:
            self._complain(event, f"{path}: the effect {effect} is recorded twice")
        elif step.open is None:
            self._complain(event, f"{path}: the effect {effect} is recorded, but no attempt counted")
        step.effects.setdefault(effect, event)
        step.recorded.setdefault(key, event)

    def _decide(self, event: Event, path: str, step: Step) -> None:
        if step.decision is not None:
            self._complain(event, f"{path} is decided twice, {step.verdict} and then {DECISIONS[event.type]}")
            return
        if not step.asked:
            self._complain(event, f"{path} is decided, but nobody was asked")
        step.decision, step.verdict = event, DECISIONS[event.type]
        passes = step.verdict == "granted" or event.data.get("policy") == "approve"
        self._end(event, path, step, "completed" if passes else "failed")

    def _fire(self, event: Event, path: str, step: Step) -> None:
        if not step.not_before:
            self._complain(event, f"{path}: a timer fires that was never set, or once more")
        elif event.at < step.not_before:
            self._complain(event, f"{path}: its timer fires {step.not_before - event.at} ms early")
        step.not_before = 0
        expected = self._expected(path)
        if expected is not None and expected.kind == "sleep":
            self._end(event, path, step, "completed")

    def _match(self, event: Event, path: str, step: Step) -> None:
        signal = self._signals.pop(event.data["seq"], None)
        if signal is None:
            self._complain(event, f"{path} takes a signal that is not there, or was taken before")
            return
        step.output = signal.data["payload"]
        self._end(event, path, step, "completed")


def fields(output: Any) -> dict[str, Any]:
    """The output's fields, none if it is no object."""
    return cast("dict[str, Any]", output) if isinstance(output, dict) else {}
