"""What a rehearsal came to: how the run ended, what its steps gave, who was called, and the whole story.

The one rule: all of it is read from the events, as anybody else would read a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import JsonValue

from engine.core import events as e
from engine.core.durations import format_duration
from engine.core.scope import resolve
from engine.core.state import Recorded, RunState, RunStatus
from engine.core.words import one_line
from engine.testing.stubs import Called

_WIDEST = 100


@dataclass(frozen=True)
class Rehearsed:
    """One run of a rehearsal, once nothing happens any more by itself."""

    state: RunState
    log: Sequence[Recorded]
    calls: Sequence[Called]
    """Every call of a step's code, in order, of this run and of the runs that it started."""
    children: Mapping[str, Rehearsed]
    """The runs that its steps started, by the steps' paths; of several attempts the last."""
    began: int

    @property
    def run(self) -> str:
        return self.state.run

    @property
    def status(self) -> RunStatus:
        """How it ended, or what it waits for."""
        return self.state.status

    @property
    def completed(self) -> bool:
        return self.status is RunStatus.COMPLETED

    @property
    def failed(self) -> bool:
        return self.status is RunStatus.FAILED

    @property
    def cancelled(self) -> bool:
        return self.status is RunStatus.CANCELLED

    @property
    def reason(self) -> str:
        """Why it failed or was cancelled, with the step, as people are told it; empty otherwise."""
        end = self.state.end
        if end is None:
            return ""
        return f"{end.step}: {end.reason}" if end.step else end.reason

    @property
    def output(self) -> JsonValue:
        """What the run gives; null unless it completed."""
        return None if self.state.end is None else resolve(self.state.end.output, self._values)

    @cached_property
    def outputs(self) -> Mapping[str, JsonValue]:
        """What each step that completed gave, by its path; those inside of loops too."""
        found: dict[str, JsonValue] = {}
        for one in self.log:
            match one.event:
                case e.StepCompleted() | e.StepOutputSet() | e.StepReused():
                    found[one.event.step] = one.event.output
                case e.StepSettled(answer="happened"):
                    found[one.event.step] = one.event.result
                case e.SignalMatched():
                    found[one.event.step] = self._values.get(one.event.seq)
                case e.ApprovalGranted():
                    held = self.state.step(one.event.step).output
                    found[one.event.step] = resolve(held, self._values)
                case _:
                    pass
        return found

    @property
    def steps(self) -> Mapping[str, str]:
        """The status of every step that has begun, or that was skipped, by its path."""
        return {path: step.status.value for path, step in self.state.steps.items()}

    @property
    def labels(self) -> Mapping[str, str]:
        """What the run is found by."""
        return dict(self.state.labels)

    @property
    def events(self) -> Sequence[e.Event]:
        """What happened, in order."""
        return [one.event for one in self.log]

    @property
    def types(self) -> Sequence[str]:
        """The names of the events, in order, such as ``STEP_COMPLETED``."""
        return [one.event.type for one in self.log]

    @property
    def took(self) -> int:
        """Virtual ms from the start of the run to its last event."""
        return self.log[-1].at - self.log[0].at

    def called(self, name: str) -> Sequence[Mapping[str, JsonValue]]:
        """The arguments of each call of ``name``: a step's code (``git.tag``), or the path of a step."""
        return [one.args for one in self.calls if name in (one.step, one.uses, one.uses.partition("@")[0])]

    def timeline(self) -> str:
        """One line for each event: the virtual time since the start of the rehearsal, what, where, and how."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        for one in self.log:
            told = _told(one.event)
            yield f"{format_duration(one.at - self.began):>10}  {one.event.type:<22} {told}".rstrip()

    @cached_property
    def _values(self) -> Mapping[int, JsonValue]:
        return {one.seq: e.value_of(one.event) for one in self.log}


def _told(event: e.Event) -> str:
    """The step, and the plain words of the event."""
    data: dict[str, Any] = event.model_dump(mode="json", exclude_defaults=True)
    words = [str(data.pop("step"))] if "step" in data else []
    for name, value in data.items():
        if name in ("worker", "lease_until", "lease_cap", "definition", "workspace", "evidence"):
            continue
        if name in ("by", "on_behalf_of") or (event.type == "APPROVAL_DELEGATED" and name == "to"):
            value = value["name"]
        if name == "failure":
            value = f"{value['cls']}: {value['message']}"
        if value not in (None, "", [], {}):
            words.append(f"{name}={value}")
    line = one_line(" ".join(words))
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"
