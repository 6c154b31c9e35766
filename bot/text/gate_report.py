"""Everything on record about a gate, as text for people and as JSON for programs.

The one rule: nothing is judged here. What is printed is what the events say, with the hash under which each lies in the
run's chain, and what was found when that chain was checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from bot.text.gate_facts import named, told
from bot.text.plain import clean, one_line
from engine.core import events as e
from engine.core.durations import format_duration
from engine.core.gate_history import Asking, Version
from engine.core.gates import Gate
from engine.core.instants import key_instant
from engine.core.words import listed
from engine.gates import GateReport, PeriodDelegation

_EXPIRY = {"deny": "it is denied", "approve": "it is approved", "fail": "the run fails", "wait": "it waits on"}
_LONGEST = 2_000


# As text


def lines(report: GateReport) -> Iterator[str]:
    """The report for people, a line at a time. All instants are UTC."""
    started = report.started.event
    if not isinstance(started, e.RunStarted):
        raise TypeError(f"the first event is {started.type}")
    yield f"Gate {report.gate} of {report.run} ({started.workflow})"
    yield f"Started {key_instant(report.started.at)} by {named(started.by)}"
    for number, asking in enumerate(report.askings, 1):
        yield ""
        count = f" {number} of {len(report.askings)}" if len(report.askings) > 1 else ""
        where = f" at {asking.path}" if asking.path != report.gate else ""
        yield f"ASKED{count}{where}, {key_instant(asking.at)}, event {asking.seq}"
        yield from _seen(asking)
        yield from _rules(asking)
        yield "  What happened" if len(asking.facts) > _shown(asking) else "  Nothing has happened yet"
        yield from _happened(report, asking)
        yield f"  {_outcome(asking)}"
    yield ""
    yield from _proof(report)


def decided_on(gate: Gate) -> Iterator[str]:
    """What people decide on at the gate now, a line at a time."""
    yield from _question(gate.request)
    yield from _contents(gate.fields, gate.inputs)
    if gate.evidence:
        yield f"  Evidence: sha256 {gate.evidence}"


def _question(request: e.ApprovalRequested) -> Iterator[str]:
    yield f"  Question: {one_line(request.title)}"
    for label, value in request.show.items():
        yield f"  Shown {one_line(label)}: {_value(value)}"


def _contents(fields: Mapping[str, JsonValue], inputs: e.Inputs, since: str = "") -> Iterator[str]:
    for name, value in fields.items():
        yield f"  Field {name}{since}: {_value(value)}"
    for step, given in inputs.items():
        yield f"  Arguments of {step}{since}: {_value(given)}"


def _seen(asking: Asking) -> Iterator[str]:
    yield from _question(asking.request)
    for version in asking.versions:
        yield from _version(asking, version)
    for fact in asking.facts:
        if isinstance(fact.event, e.ApprovalPresented):
            for copy in fact.event.copies:
                where = f"{one_line(copy.where)}, {key_instant(fact.at)}, event {fact.seq}"
                yield f"  Presented at {where}; sha256 of what was shown {copy.digest}"


def _shown(asking: Asking) -> int:
    return sum(isinstance(fact.event, e.ApprovalPresented) for fact in asking.facts)


def _version(asking: Asking, version: Version) -> Iterator[str]:
    since = "" if version.seq == asking.seq else f" after the edit at event {version.seq}"
    yield from _contents(version.fields, version.inputs, since)
    if version.evidence:
        holds = "" if version.holds else "; WHAT IS ON RECORD HAS ANOTHER ONE"
        yield f"  Evidence{since}: sha256 {version.evidence}{holds}"


def _rules(asking: Asking) -> Iterator[str]:
    request = asking.request
    for stage in request.stages or (e.AskedStage(approvers=request.approvers),):
        of = f" in stage {stage.name}" if stage.name else ""
        number = "everybody" if stage.quorum == "all" else f"{stage.quorum} of them"
        yield f"  Asked{of}: {one_line(listed(stage.approvers, 20))}; {number} must approve"
    may = "may decide" if request.allow_self else "may not decide"
    yield f"  Whoever started the run {may}; delegation is {request.delegation}; reasons: {request.reason}"
    clock = next((clock for fact in asking.facts if (clock := _clock(fact.event)) is not None), None)
    for rung in (clock or request).escalate:
        yield f"  Escalates {key_instant(rung.at)} to {one_line(rung.to)}"
    if request.hours is not None:
        hours = request.hours
        day = f"{hours.begin // 60:02d}:{hours.begin % 60:02d}-{hours.end // 60:02d}:{hours.end % 60:02d}"
        but = f", but not on {', '.join(hours.holidays)}" if hours.holidays else ""
        zones = "; ".join(clock.zones) if clock is not None else hours.zone
        where = f"the working time of those asked: {zones}" if hours.of_approvers else zones
        yield f"  Its clock runs {day} on {', '.join(hours.days)} ({where}){but}"
    if request.remind_every is not None:
        yield f"  Reminds every {format_duration(request.remind_every)}"
    yield f"  Expires {key_instant((clock or request).expires_at)}; then {_EXPIRY[request.on_expiry]}"


def _clock(event: e.Event) -> e.AskedClock | None:
    """The clock in the zones of those asked, where it became known with this event."""
    return event.clock if isinstance(event, e.ApprovalPresented) else None


def _happened(report: GateReport, asking: Asking) -> Iterator[str]:
    for fact in asking.facts:
        if isinstance(fact.event, e.ApprovalPresented):
            continue
        for number, line in enumerate(told(asking, fact.event)):
            yield f"    {key_instant(fact.at)}  event {fact.seq:<4} {line}" if number == 0 else f"{'':37}{line}"
        delegation = _delegation(report, fact.event)
        if delegation is not None:
            yield f"{'':37}delegated {key_instant(delegation.at)} until {key_instant(delegation.event.until)}"


def _delegation(report: GateReport, event: e.Event) -> PeriodDelegation | None:
    if not isinstance(event, e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied) or event.delegation is None:
        return None
    return report.delegations.get(event.delegation)


def _outcome(asking: Asking) -> str:
    if asking.ended is None:
        return "It waits for a decision."
    event, at = asking.ended.event, key_instant(asking.ended.at)
    match event:
        case e.ApprovalGranted():
            return f"Granted {at}"
        case e.ApprovalDenied():
            return f"Denied {at}"
        case e.ApprovalExpired():
            return f"Expired {at}; {_EXPIRY[event.policy]}"
        case e.ApprovalChangesRequested():
            return f"Sent back to {event.to} {at}"
        case _:
            return f"Ended without a decision {at}"


def _proof(report: GateReport) -> Iterator[str]:
    yield "PROOF"
    checked, (seq, head) = report.checked, report.head
    if checked.ok:
        what = "every hash follows from its event and the hash before it, up to the head on record"
        yield f"  The run's {checked.events} events are whole and unchanged: {what}."
    for finding in checked.findings:
        yield f"  DOES NOT HOLD: {one_line(str(finding), 1_000)}"
    yield f"  Head of the chain: event {seq}, {head}"
    for event_seq, type_ in _events(report):
        yield f"  event {event_seq:<4} {type_:<26} {report.hashes[event_seq]}"
    for place, delegation in report.delegations.items():
        yield f"  workspace event {place} DELEGATION_STARTED {delegation.hash}"


def _events(report: GateReport) -> Iterator[tuple[int, str]]:
    for asking in report.askings:
        yield asking.seq, asking.request.type
        yield from ((fact.seq, fact.event.type) for fact in asking.facts)


def _value(value: JsonValue | Mapping[str, JsonValue]) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"
    return clean(cut).strip().replace("\n", "\n      ")


# As JSON


def described(report: GateReport) -> dict[str, JsonValue]:
    """The same facts; events have the names and members that they have in the log."""
    started = report.started.event
    if not isinstance(started, e.RunStarted):
        raise TypeError(f"the first event is {started.type}")
    return {
        "run": report.run,
        "workflow": started.workflow,
        "gate": report.gate,
        "started_at": key_instant(report.started.at),
        "started_by": started.by.model_dump(),
        "askings": [_asking(report, asking) for asking in report.askings],
        "proof": {
            "verified": report.checked.ok,
            "findings": [str(finding) for finding in report.checked.findings],
            "events": report.checked.events,
            "head": {"seq": report.head[0], "hash": report.head[1]},
        },
    }


def _asking(report: GateReport, asking: Asking) -> dict[str, JsonValue]:
    ended = asking.ended
    return {
        "step": asking.path,
        "seq": asking.seq,
        "at": key_instant(asking.at),
        "hash": report.hashes[asking.seq],
        "request": asking.request.model_dump(mode="json"),
        "versions": [
            {
                "seq": version.seq,
                "at": key_instant(version.at),
                "fields": dict(version.fields),
                "inputs": {step: dict(given) for step, given in version.inputs.items()},
                "evidence": version.evidence,
                "holds": version.holds,
            }
            for version in asking.versions
        ],
        "events": [
            {
                "seq": fact.seq,
                "at": key_instant(fact.at),
                "type": fact.event.type,
                "hash": report.hashes[fact.seq],
                **fact.event.model_dump(mode="json"),
                **_delegation_json(report, fact.event),
            }
            for fact in asking.facts
        ],
        "ended": None if ended is None else {"seq": ended.seq, "at": key_instant(ended.at), "type": ended.event.type},
    }


def _delegation_json(report: GateReport, event: e.Event) -> dict[str, JsonValue]:
    found = _delegation(report, event)
    if found is None:
        return {}
    return {"delegated": {"at": key_instant(found.at), "hash": found.hash, **found.event.model_dump(mode="json")}}
