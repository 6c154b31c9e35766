"""A run's events as lines for a terminal: ``12:04:58.402 STEP_RETRIED deploy attempt=2/5 in=30s``.

The one rule: every event has its line, in the order of the log; nothing is summed up or left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple, assert_never

from pydantic import JsonValue
from rich.text import Text

from bot.console.output import one_line
from engine.core import events as e
from engine.core.durations import format_duration
from engine.core.graph import Plan
from engine.core.state import Recorded

_GOOD, _BAD, _WAITS, _QUIET = "green", "red", "yellow", "dim"

_STYLES: Mapping[type[e.Event], str] = {
    e.RunCompleted: _GOOD,
    e.StepCompleted: _GOOD,
    e.ApprovalGranted: _GOOD,
    e.RunFailed: _BAD,
    e.StepFailed: _BAD,
    e.ApprovalDenied: _BAD,
    e.ApprovalExpired: _BAD,
    e.RunCancelled: _BAD,
    e.StepRetried: _WAITS,
    e.StepAwaitedWorker: _WAITS,
    e.ApprovalRequested: _WAITS,
    e.ApprovalEscalated: _WAITS,
    e.ApprovalReminded: _WAITS,
    e.EffectStarted: _QUIET,
    e.EffectRecorded: _QUIET,
    e.ApprovalPresented: _QUIET,
}


class Line(NamedTuple):
    """``what`` the event is about: the workflow, the step or nothing. ``detail`` is clean, and one line."""

    at: int
    name: str
    what: str
    detail: str
    style: str

    def text(self, zone: tzinfo | None, *, with_date: bool = False) -> Text:
        """The line with its time in ``zone`` (None: this machine's); with the date as well, in ISO 8601."""
        moment = datetime.fromtimestamp(self.at / 1_000, UTC).astimezone(zone)
        stamp = f"{moment:%H:%M:%S}.{self.at % 1_000:03d}"
        if with_date:
            stamp = f"{moment:%Y-%m-%dT}{stamp}{'Z' if zone is UTC else f'{moment:%z}'}"
        parts = [(stamp, _QUIET), (" ", ""), (self.name, self.style)]
        tail = " ".join(part for part in (self.what, self.detail) if part)
        return Text.assemble(*parts, f" {tail}" if tail else "")


class Timeline:
    """Turns a run's events into lines, in order; it remembers what later lines refer to."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._begun: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._started_at = 0

    def lines(self, events: Sequence[Recorded]) -> Iterator[Line]:
        for recorded in events:
            event = recorded.event
            self._remember(recorded)
            what, fields = self._told(recorded)
            yield Line(recorded.at, event.type, one_line(what), _spelled(fields), _STYLES.get(type(event), ""))

    def _remember(self, recorded: Recorded) -> None:
        match recorded.event:
            case e.RunStarted():
                self._started_at = recorded.at
            case e.StepStarted(step=step):
                self._begun[step] = recorded.at
            case e.ApprovalRequested(step=step):
                self._asked[step] = recorded.at
            case _:
                pass

    def _told(self, recorded: Recorded) -> tuple[str, dict[str, JsonValue]]:
        match recorded.event:
            case (
                e.RunStarted() | e.RunCancelRequested() | e.RunCompleted() | e.RunFailed() | e.RunCancelled()
            ) as event:
                return self._of_run(recorded.at, event)
            case (
                e.ApprovalRequested()
                | e.ApprovalPresented()
                | e.ApprovalReminded()
                | e.ApprovalEscalated()
                | e.ApprovalGranted()
                | e.ApprovalDenied()
                | e.ApprovalExpired()
            ) as event:
                return event.step, self._of_gate(recorded.at, event)
            case event:
                return event.step, self._of_step(recorded.at, event)

    def _of_run(
        self, at: int, event: e.RunStarted | e.RunCancelRequested | e.RunCompleted | e.RunFailed | e.RunCancelled
    ) -> tuple[str, dict[str, JsonValue]]:
        took = _span(at - self._started_at)
        match event:
            case e.RunStarted():
                return event.workflow, {"by": _named(event.by), **event.input}
            case e.RunCancelRequested():
                return "", {"by": _named(event.by), "reason": event.reason}
            case e.RunCompleted():
                return "", {"took": took}
            case e.RunFailed():
                return event.step, {"kind": event.kind, "took": took, "reason": event.reason}
            case e.RunCancelled():
                return "", {"by": _named(event.by), "took": took, "reason": event.reason}
            case _:
                assert_never(event)

    def _of_step(
        self,
        at: int,
        event: e.StepStarted
        | e.StepCompleted
        | e.StepFailed
        | e.StepRetried
        | e.StepHandedBack
        | e.StepSkipped
        | e.StepAwaitedWorker
        | e.StepLogged
        | e.EffectStarted
        | e.EffectRecorded
        | e.LateResultRefused,
    ) -> dict[str, JsonValue]:
        match event:
            case e.StepStarted():
                return {"attempt": self._attempt(event.step, event.attempt), "worker": event.worker}
            case e.StepCompleted():
                return {"attempt": self._attempt(event.step, event.attempt), "took": self._took(event.step, at)}
            case e.StepFailed():
                failure = event.failure
                attempt = self._attempt(event.step, event.attempt)
                return {"attempt": attempt, "class": failure.cls.value, "reason": failure.message}
            case e.StepRetried():
                return {"attempt": f"{event.attempt}/{event.of}", "in": _span(event.at - at)}
            case e.StepHandedBack():
                return {"attempt": self._attempt(event.step, event.attempt), "worker": event.worker}
            case e.StepSkipped():
                return {"reason": event.reason}
            case e.StepAwaitedWorker():
                return {"uses": event.uses}
            case e.StepLogged():
                return {"text": event.text}
            case e.EffectStarted():
                return {"effect": event.effect, "key": event.key}
            case e.EffectRecorded():
                return {"effect": event.effect}
            case e.LateResultRefused():
                attempt = self._attempt(event.step, event.attempt)
                return {"attempt": attempt, "outcome": event.outcome, "worker": event.worker}
            case _:
                assert_never(event)

    def _of_gate(
        self,
        at: int,
        event: e.ApprovalRequested
        | e.ApprovalPresented
        | e.ApprovalReminded
        | e.ApprovalEscalated
        | e.ApprovalGranted
        | e.ApprovalDenied
        | e.ApprovalExpired,
    ) -> dict[str, JsonValue]:
        waited = _span(at - self._asked.get(event.step, at))
        match event:
            case e.ApprovalRequested():
                expires = _span(event.expires_at - at)
                asks = ",".join(event.approvers)
                return {"title": event.title, "asks": asks, "expires_in": expires, "then": event.on_expiry}
            case e.ApprovalPresented():
                return {"where": event.where, "digest": event.digest[:12]}
            case e.ApprovalReminded():
                return {"count": event.count, "waited": waited}
            case e.ApprovalEscalated():
                return {"to": event.to, "rung": event.rung, "waited": waited}
            case e.ApprovalGranted() | e.ApprovalDenied():
                return {"by": _named(event.by), "as": event.authority, "waited": waited, "reason": event.reason}
            case e.ApprovalExpired():
                return {"then": event.policy, "waited": waited}
            case _:
                assert_never(event)

    def _attempt(self, step: str, attempt: int) -> str:
        return f"{attempt}/{self._plan.steps[step].step.retry.attempts}"

    def _took(self, step: str, at: int) -> str:
        return _span(at - self._begun.get(step, at))


def _span(ms: int) -> str:
    """A duration, exact enough to compare: ``42ms``, ``3.04s``, ``15m``, ``1h30m``."""
    if 1_000 < ms < 60_000:
        return f"{ms / 1_000:.2f}".rstrip("0").rstrip(".") + "s"
    return format_duration(ms if ms < 1_000 else ms // 1_000 * 1_000)


def _named(actor: e.Actor) -> str:
    return f"{actor.name} ({actor.via})"


def _spelled(fields: Mapping[str, JsonValue]) -> str:
    """``name=value`` pairs; values of several words are quoted, empty ones are left out."""
    return " ".join(f"{name}={_value(value)}" for name, value in fields.items() if value not in ("", None))


def _value(value: JsonValue) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    flat = one_line(text)
    # Quoted as JSON is, so that no quote within a value can end it and begin what looks like another one.
    return json.dumps(flat, ensure_ascii=False) if " " in flat or '"' in flat or not flat else flat
