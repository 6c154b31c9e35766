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

from bot.text.plain import one_line
from engine.core import events as e
from engine.core.durations import format_duration
from engine.core.graph import Plan
from engine.core.money import say_money
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
    e.StepPostponed: _WAITS,
    e.StepAwaitedWorker: _WAITS,
    e.ApprovalRequested: _WAITS,
    e.ApprovalEscalated: _WAITS,
    e.ApprovalChangesRequested: _WAITS,
    e.ApprovalReminded: _WAITS,
    e.RunPaused: _WAITS,
    e.StepMissing: _WAITS,
    e.StepUncertain: _WAITS,
    e.StepHeld: _WAITS,
    e.StepGivenUp: _WAITS,
    e.RunTimedOut: _BAD,
    e.StepDeadLettered: _BAD,
    e.StepProgressed: _QUIET,
    e.StepReported: _QUIET,
    e.EffectStarted: _QUIET,
    e.EffectRecorded: _QUIET,
    e.EffectUnsent: _QUIET,
    e.KeyUsed: _QUIET,
    e.BudgetAlerted: _WAITS,
    e.BudgetExceeded: _WAITS,
    e.ApprovalPresented: _QUIET,
}


Fields = dict[str, JsonValue]
"""What is told of an event, by name."""

Attempts = (
    e.StepStarted
    | e.StepCompleted
    | e.StepFailed
    | e.StepRetried
    | e.StepHandedBack
    | e.StepPostponed
    | e.StepHeld
    | e.StepProgressed
    | e.KeyUsed
    | e.LateResultRefused
)


_Act = (
    e.ApprovalVoted
    | e.ApprovalGranted
    | e.ApprovalDenied
    | e.ApprovalStageOpened
    | e.ApprovalEdited
    | e.ApprovalChangesRequested
    | e.ApprovalDelegated
    | e.ApprovalSnoozed
)


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
            case (
                e.StepStarted(step=step)
                | e.ForEachStarted(step=step)
                | e.IterationStarted(step=step, iteration=1)
                | e.ChildStarted(step=step)
                | e.SignalAwaited(step=step)
            ):
                self._begun[step] = recorded.at
            case e.ApprovalRequested(step=step):
                self._asked[step] = recorded.at
            case _:
                pass

    def _told(self, recorded: Recorded) -> tuple[str, Fields]:
        at, event = recorded.at, recorded.event
        if isinstance(event, e.RunEvent):
            return _of_run(event, _span(at - self._started_at))
        if isinstance(event, e.ApprovalEvent):
            return event.step, _of_gate(event, at, _span(at - self._asked.get(event.step, at)))
        if isinstance(event, e.FlowEvent):
            return "" if isinstance(event, e.SignalReceived) else event.step, _of_flow(event, at)
        if isinstance(event, e.SpendingEvent):
            return event.step, _of_money(event)
        if isinstance(event, e.StepsReset):
            return ",".join(event.steps), {"by": _named(event.by), "reason": event.reason}
        if isinstance(event, Attempts):
            begun = self._begun.get(event.step)
            took = None if begun is None else _span(at - begun)
            return event.step, _of_attempt(event, at, self._attempt(event.step, event.attempt), took)
        if isinstance(event, e.CorrectionEvent):
            return event.step, _of_correction(event)
        return event.step, _of_step(event)

    def _attempt(self, step: str, attempt: int) -> str:
        try:
            return f"{attempt}/{self._plan.node(step).step.retry.attempts}"
        except KeyError:
            return str(attempt)  # a step of a definition that the run has left


def _of_run(event: e.RunEvent, took: str) -> tuple[str, Fields]:
    match event:
        case e.RunStarted():
            return event.workflow, {"by": _named(event.by), **_beginning(event), **event.input}
        case e.RunAdmitted():
            return "", {"key": event.key, "after": took}
        case e.RunTimedOut() | e.RunCompleted():
            return "", {"took": took}
        case e.RunUndoing():
            return "", {"steps": ",".join(event.steps)}
        case e.RunFailureHandling():
            return "", {}
        case e.RunFailed():
            return event.step, {"kind": event.kind, "took": took, "reason": event.reason}
        case e.RunCancelled():
            return "", {"by": _named(event.by), "took": took, "reason": event.reason}
        case _:
            return "", _steered(event)


def _beginning(event: e.RunStarted) -> Fields:
    """What a run is a part of, or goes on from, and what it is in line for."""
    fork, line, parent = event.forked_from, event.concurrency, event.parent
    return {
        "for": None if parent is None else f"{parent.run}/{parent.step}",
        "fork_of": None if fork is None else f"{fork.run}/{fork.step}",
        "in_line_for": None if line is None else line.key,
    }


def _steered(
    event: e.RunPaused | e.RunResumed | e.RunCancelRequested | e.RunReopened | e.RunMoved | e.RunLabelled,
) -> Fields:
    by = _named(event.by)
    match event:
        case e.RunMoved():
            renamed: Fields = {old: f"→{new}" for old, new in event.renamed.items()}
            codes: Fields = {old: f"→{new}" for old, new in event.codes.items()}
            return {"to": event.definition[:12], "by": by, "reason": event.reason, **renamed, **codes}
        case e.RunLabelled():
            labels: Fields = {name: "(taken away)" if value is None else value for name, value in event.labels.items()}
            return {"by": by, **labels}
        case _:
            return {"by": by, "reason": event.reason}


def _of_attempt(event: Attempts, at: int, attempt: str, took: str | None) -> Fields:
    match event:
        case e.StepStarted() | e.StepHandedBack():
            return {"attempt": attempt, "worker": event.worker}
        case e.StepCompleted():
            return {"attempt": attempt, "took": took}
        case e.StepFailed():
            return {"attempt": attempt, "class": event.failure.cls.value, "reason": event.failure.message}
        case e.StepRetried():
            return {"attempt": f"{event.attempt}/{event.of}", "in": _span(event.at - at)}
        case e.StepPostponed():
            return {"attempt": attempt, "in": _span(event.until - at), "for": event.words}
        case e.StepHeld():
            until = None if event.until is None else _span(event.until - at)
            return {"attempt": attempt, "by": ",".join(event.keys), "for": until, "reason": event.words}
        case e.StepProgressed():
            return {"attempt": attempt, "cursor": event.cursor}
        case e.KeyUsed():
            return {"attempt": attempt, "key": f"{event.provider}/{event.name}", "ends_in": event.last_four}
        case e.LateResultRefused():
            return {"attempt": attempt, "outcome": event.outcome, "worker": event.worker}
        case _:
            assert_never(event)


_Step = (
    e.StepSkipped
    | e.StepAwaitedWorker
    | e.StepReleased
    | e.StepLogged
    | e.StepReported
    | e.EffectStarted
    | e.EffectRecorded
    | e.StepMissing
    | e.StepDeadLettered
    | e.StepUncertain
    | e.StepSettled
    | e.StepRedriven
    | e.StepReused
    | e.StepOutputSet
)


def _of_correction(event: e.CorrectionEvent) -> Fields:
    match event:
        case e.StepCorrecting():
            return {"number": event.number, "of": event.of}
        case e.StepCorrected():
            return {"number": event.number, "changed": ",".join(event.changed), "seen": event.seen, "why": event.why}
        case e.StepGivenUp():
            return {"summary": event.summary}
        case _:
            assert_never(event)


def _of_step(event: _Step) -> Fields:
    match event:
        case e.StepSkipped():
            return {"by": None if event.by is None else _named(event.by), "reason": event.reason}
        case e.StepAwaitedWorker() | e.StepMissing():
            return {"uses": event.uses}
        case e.StepReleased():
            return {}
        case e.StepLogged() | e.StepReported():
            return {"text": event.text}
        case e.EffectStarted():
            reserved = say_money(event.reserved) if event.reserved else None
            return {"effect": event.effect, "key": event.key, "reserved": reserved}
        case e.EffectRecorded():
            return {"effect": event.effect}
        case e.StepDeadLettered():
            return {"attempts": event.attempts, "summary": event.summary}
        case e.StepUncertain():
            return {"attempt": event.attempt, "effects": ",".join(event.effects)}
        case e.StepReused():
            return {"status": event.status}
        case e.StepSettled() | e.StepRedriven() | e.StepOutputSet():
            answer = event.answer if isinstance(event, e.StepSettled) else None
            return {"answer": answer, "by": _named(event.by), "reason": event.reason}
        case _:
            assert_never(event)


def _of_flow(event: e.FlowEvent, at: int) -> Fields:
    match event:
        case e.ForEachStarted():
            return {"count": event.count, "first": event.first or None}
        case e.IterationStarted():
            return {"iteration": event.iteration}
        case e.TimerSet():
            return {"in": _span(event.at - at)}
        case e.TimerFired():
            return {}
        case e.SignalAwaited():
            expires = None if event.expires_at is None else _span(event.expires_at - at)
            return {"signal": event.signal, "correlation": event.correlation, "expires_in": expires}
        case e.SignalReceived():
            return {"signal": event.signal, "correlation": event.correlation, "by": _named(event.by), "id": event.id}
        case e.SignalMatched():
            return {"seq": event.seq}
        case e.ChildStarted():
            again = event.attempt if event.attempt > 1 else None
            items = None if event.part is None else len(event.part.items)
            return {"workflow": event.workflow, "run": event.run, "items": items, "attempt": again}
        case _:
            assert_never(event)


def _of_gate(event: e.ApprovalEvent, at: int, waited: str) -> Fields:
    match event:
        case e.ApprovalRequested():
            expires = _span(event.expires_at - at)
            asks = ",".join(event.approvers)
            return {"title": event.title, "asks": asks, "expires_in": expires, "then": event.on_expiry}
        case e.ApprovalPresented():
            return {"where": event.where, "digest": event.digest[:12], "also": len(event.also) or None}
        case e.ApprovalReminded():
            return {"count": event.count, "waited": waited}
        case e.ApprovalEscalated():
            return {"to": event.to, "rung": event.rung, "waited": waited}
        case e.ApprovalExpired():
            return {"then": event.policy, "waited": waited}
        case _:
            return _of_act(event, at, waited)


def _of_act(event: _Act, at: int, waited: str) -> Fields:
    """What people do at gates."""
    match event:
        case e.ApprovalGranted() | e.ApprovalDenied() | e.ApprovalVoted():
            behalf = None if event.on_behalf_of is None else _named(event.on_behalf_of)
            known: Fields = {"by": _named(event.by), "for": behalf, "as": event.authority, "waited": waited}
            return {**known, "reason": event.reason}
        case e.ApprovalStageOpened():
            return {"stage": event.name, "asks": ",".join(event.approvers)}
        case e.ApprovalEdited():
            return {"by": _named(event.by), "as": event.authority, **event.new, "reason": event.reason}
        case e.ApprovalChangesRequested():
            return {"by": _named(event.by), "as": event.authority, "back_to": event.to, "comment": event.comment}
        case e.ApprovalDelegated():
            return {"by": _named(event.by), "to": _named(event.to), "as": event.authority, "reason": event.reason}
        case e.ApprovalSnoozed():
            return {"by": _named(event.by), "for": _span(event.until - at)}
        case _:
            assert_never(event)


def _of_money(event: e.SpendingEvent) -> Fields:
    match event:
        case e.CostRecorded():
            assumed = "yes" if event.assumed else None
            told: Fields = {"effect": event.effect, "cost": say_money(event.cost), "assumed": assumed}
            return {**told, "reserved": say_money(event.reserved), "model": event.model, **event.usage}
        case e.EffectUnsent():
            return {"effect": event.effect, "released": say_money(event.reserved) if event.reserved else None}
        case e.BudgetAlerted(budget=budget):
            passed = ",".join(f"{share}%" for share in budget.passes)
            return {"budget": budget.account, "passed": passed, **_standing(budget)}
        case e.BudgetExceeded():
            budgets = ",".join(one.account for one in event.accounts)
            return {"effect": event.effect, "needs": say_money(event.amount), "budgets": budgets}
        case _:
            assert_never(event)


def _standing(one: e.Standing) -> Fields:
    return {"spent": say_money(one.spent), "reserved": say_money(one.reserved), "limit": say_money(one.limit)}


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
