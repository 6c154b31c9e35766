"""What people did at a gate, in a sentence for each event, as `vb audit` tells it.

The one rule: a sentence says who, for whom, in which stage, by what right, on which version of the evidence and why, as
far as the event has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from bot.text.plain import one_line
from engine.core import events as e
from engine.core.gate_history import Asking
from engine.core.instants import key_instant


def told(asking: Asking, event: e.Event) -> Iterator[str]:
    """The lines for one event."""
    if isinstance(event, e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied):
        yield from _vote(asking, event)
    elif isinstance(event, e.ApprovalEvent):
        yield from _of_gate(event)
    else:
        yield _of_run(event)


def _vote(asking: Asking, event: e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied) -> Iterator[str]:
    verb = "denied" if isinstance(event, e.ApprovalDenied) else "approved"
    behalf = f" for {named(event.on_behalf_of)}" if event.on_behalf_of is not None else ""
    stages = asking.request.stages
    stage = f" in stage {stages[event.stage].name}" if stages and stages[event.stage].name else ""
    yield f"{named(event.by)} {verb}{behalf}{stage}{_right(event.authority, event.on_behalf_of)}{_why(event.reason)}"
    version = asking.version_of(event.evidence)
    if event.evidence:
        seen = f"the version of event {version.seq}" if version is not None else "NO VERSION ON RECORD"
        yield f"on {seen}, sha256 {event.evidence[:12]}"
    if not isinstance(event, e.ApprovalDenied) and event.everyone:
        yield f"everybody at that moment: {one_line(', '.join(event.everyone), 1_000)}"


def _of_gate(event: e.ApprovalEvent) -> Iterator[str]:
    match event:
        case e.ApprovalEdited():
            yield f"{named(event.by)} edited{_right(event.authority)}{_why(event.reason)}; earlier approvals are void"
            yield from changed(event.old, event.new)
        case e.ApprovalStageOpened():
            yield f"stage {one_line(event.name)} opened; asked: {one_line(', '.join(event.approvers))}"
        case e.ApprovalDelegated():
            yield f"{named(event.by)} let {named(event.to)} decide{_right(event.authority)}{_why(event.reason)}"
        case e.ApprovalChangesRequested():
            behalf = f" for {named(event.on_behalf_of)}" if event.on_behalf_of is not None else ""
            right = _right(event.authority, event.on_behalf_of)
            yield f"{named(event.by)} asked for changes{behalf}{right}{_why(event.comment)}"
        case e.ApprovalSnoozed():
            yield f"{named(event.by)} is not reminded before {key_instant(event.until)}"
        case e.ApprovalReminded():
            yield f"reminder {event.count}"
        case e.ApprovalEscalated():
            yield f"escalated to {one_line(event.to)}, rung {event.rung}"
        case e.ApprovalExpired():
            yield "nobody had decided in time"
        case _:
            yield event.type


def changed(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> Iterator[str]:
    """What each value was, and what it is."""
    for name, value in new.items():
        yield f"{one_line(name, 80)}: {_json(old.get(name))} -> {_json(value)}"


def _of_run(event: e.Event) -> str:
    match event:
        case e.StepsReset(by=by, reason=reason):
            return f"{named(by)} had it done anew{_why(reason)}"
        case e.StepSkipped(by=by) if by is not None:
            return f"{named(by)} went on without a decision{_why(event.reason)}"
        case e.StepOutputSet(by=by, reason=reason):
            return f"{named(by)} went on without a decision{_why(reason)}"
        case e.RunCancelRequested(by=by, reason=reason):
            return f"{named(by)} stopped the run{_why(reason)}"
        case e.RunFailed(reason=reason):
            return f"the run failed{_why(reason)}"
        case _:
            return "the run ended"


def named(actor: e.Actor) -> str:
    """A person, and the id by which the surface knows them that vouches for them."""
    at = f", at the terminal of {one_line(actor.terminal, 80)}" if actor.terminal else ""
    return f"{one_line(actor.name, 80)} ({actor.via} {one_line(actor.id, 80)}{at})"


def _right(authority: str, behalf: e.Actor | None = None) -> str:
    """By what right; for whom is told already, where it was for somebody."""
    right = authority if behalf is None else authority.removeprefix(f"for {behalf.name}, ")
    return f", {one_line(right)}" if right else ""


def _why(reason: str) -> str:
    return f': "{one_line(reason, 1_000)}"' if reason.strip() else ""


def _json(value: object) -> str:
    return one_line(json.dumps(value, ensure_ascii=False), 200)
