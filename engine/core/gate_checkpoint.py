"""A gate within a checkpoint: as plain JSON, and back."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from engine.core import events as e
from engine.core.gates import Ballot, Delegated, Edit, Gate, GateDecision, Snoozed, Verdict


def dump_gate(gate: Gate) -> dict[str, Any]:
    """What differs from a gate that has just opened."""
    data: dict[str, Any] = {
        "request": _dump(gate.request),
        "places": [gate.asked_at, gate.asked_seq, gate.escalated, gate.reminded, gate.stage, gate.stage_at],
    }
    if gate.decision is not None:
        verdict, at, by, *words, behalf = gate.decision
        data["decision"] = [verdict.value, at, _dump(by), *words, _dump(behalf)]
    if gate.votes:
        data["votes"] = [[one.seq, one.at, _dump(one.by), *one[3:6], _dump(one.on_behalf_of)] for one in gate.votes]
    if gate.edited is not None:
        data["edited"] = [gate.edited.seq, gate.edited.at, _dump(gate.edited.event)]
    if gate.delegated:
        data["delegated"] = [[one.at, _dump(one.by), _dump(one.to), one.authority] for one in gate.delegated]
    if gate.snoozed:
        data["snoozed"] = [[_dump(one.by), one.until] for one in gate.snoozed]
    if gate.overdue:
        data["overdue"] = True
    if gate.changes is not None:
        data["changes"] = _dump(gate.changes)
    return data


def read_gate(data: dict[str, Any]) -> Gate:
    asked_at, asked_seq, escalated, reminded, stage, stage_at = data["places"]
    decided, edited, changes = data.get("decision"), data.get("edited"), data.get("changes")
    decision = None
    if decided is not None:
        verdict, at, by, *words, behalf = decided
        decision = GateDecision(Verdict(verdict), at, _actor(by), *words, on_behalf_of=_actor(behalf))
    return Gate(
        request=e.ApprovalRequested.model_validate(data["request"]),
        asked_at=asked_at,
        asked_seq=asked_seq,
        escalated=escalated,
        reminded=reminded,
        decision=decision,
        stage=stage,
        stage_at=stage_at,
        votes=tuple(_ballot(one) for one in data.get("votes", [])),
        edited=None if edited is None else Edit(edited[0], edited[1], e.ApprovalEdited.model_validate(edited[2])),
        delegated=tuple(
            Delegated(at, e.Actor.model_validate(by), e.Actor.model_validate(to), authority)
            for at, by, to, authority in data.get("delegated", [])
        ),
        snoozed=tuple(Snoozed(e.Actor.model_validate(by), until) for by, until in data.get("snoozed", [])),
        overdue=data.get("overdue", False),
        changes=None if changes is None else e.ApprovalChangesRequested.model_validate(changes),
    )


def _ballot(data: list[Any]) -> Ballot:
    seq, at, by, *words, behalf = data
    return Ballot(seq, at, e.Actor.model_validate(by), *words, on_behalf_of=_actor(behalf))


def _actor(data: Any) -> e.Actor | None:
    return None if data is None else e.Actor.model_validate(data)


def _dump(model: BaseModel | None) -> Any:
    return None if model is None else model.model_dump(mode="json")
