"""A gate opens, or what is decided on at it changes: everything that people are to see is fixed then.

The one rule: what is rendered here is what is approved; nothing of it is rendered again before it is decided on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from engine.core import events as e
from engine.core import paths
from engine.core.approval import OF_APPROVERS, UNTIL_KNOWN, Approval, Hours, Quorum, is_name, minutes
from engine.core.deciding.draft import Draft
from engine.core.evidence import digest
from engine.core.expressions import Compiled
from engine.core.gates import Gate
from engine.core.graph import PlannedGate, PlannedStep
from engine.core.hours import is_zone, later, worked
from engine.core.inputs import read_value
from engine.core.scope import Assuming
from engine.core.words import kind, one_line

MOST_ASKED = 100
"""Names that one gate may ask in a stage."""
MOST_ZONES = 20
"""Time zones in which one gate's clock runs."""


class Unfit(ValueError):
    """What an expression gave cannot be used there; the text is one sentence."""


def request(draft: Draft, path: str, planned: PlannedStep) -> None:
    """Open the gate. Raises ``ExpressionError`` and ``Unfit``."""
    gate = planned.gate
    if gate is None:
        raise ValueError(f"{path} is not a gate")
    scope = draft.scope(path, gate.references)
    approval, title, show = gate.approval, gate.title.render_text(scope), gate.show.render(scope)
    stages = _stages(gate, scope)
    fields = _fields(gate, scope)
    inputs = covered(draft, path, approval, fields)
    hours = _hours(approval.hours)
    draft.record(
        e.ApprovalRequested(
            step=path,
            title=title,
            show=show,
            approvers=stages[0].approvers,
            allow_self=approval.allow_self,
            expires_at=later(hours, draft.now, approval.expires_in),
            on_expiry=approval.on_expiry.value,
            remind_every=approval.remind_every,
            escalate=tuple(_ladder(gate, scope, hours, draft.now)),
            stages=() if len(stages) == 1 and stages[0].name == "" and stages[0].quorum == 1 else stages,
            fields=fields,
            inputs=inputs,
            evidence=digest(title, show, fields, inputs),
            reason=approval.reason.value,
            request_changes=approval.request_changes,
            delegation=approval.delegation.value,
            hours=hours,
            direct_messages=approval.direct_messages,
        )
    )


def clock_in(gate: Gate, zones: Sequence[str]) -> e.AskedClock | None:
    """The gate's clock where the people asked are; None if it is not theirs, is known, or nobody knows where they are.

    The spans are those of the request, from the request on. What was climbed already stays as it was.
    """
    hours, request = gate.request.hours, gate.request
    known = tuple(sorted({zone for zone in zones if is_zone(zone)}))[:MOST_ZONES]
    if hours is None or not gate.wants_zones or not known or gate.overdue:
        return None
    theirs = hours.model_copy(update={"zones": known})

    def moved(at: int) -> int:
        return later(theirs, gate.asked_at, worked(hours, gate.asked_at, at))

    climbed, ahead = request.escalate[: gate.escalated], request.escalate[gate.escalated :]
    return e.AskedClock(
        zones=known,
        expires_at=moved(request.expires_at),
        escalate=(*climbed, *(e.AskedLater(at=moved(rung.at), to=rung.to) for rung in ahead)),
    )


def covered(draft: Draft, path: str, approval: Approval, fields: Mapping[str, JsonValue]) -> e.Inputs:
    """The arguments of the steps that the gate covers, as if it had been granted. Raises ``ExpressionError``."""
    id_, group = path.rpartition("/")[2], paths.group_of(path)
    found: e.Inputs = {}
    for covered_id in approval.covers:
        step = paths.in_group(group, covered_id)
        arguments = draft.state.plan.node(step).arguments
        elsewhere = (pair for pair in arguments.references if pair != ("steps", id_))
        scope = draft.scope(step, elsewhere)
        granted: JsonValue = {"decision": "granted", "fields": dict(fields)}
        found[covered_id] = arguments.render({**scope, "steps": Assuming(scope["steps"], id_, granted)})
    return found


def _stages(gate: PlannedGate, scope: Mapping[str, Any]) -> tuple[e.AskedStage, ...]:
    return tuple(
        e.AskedStage(name=stage.name, approvers=_names(stage.approvers, scope), quorum=_number(stage.quorum))
        for stage in gate.stages
    )


def _number(quorum: Quorum) -> Any:
    return 1 if quorum == "any" else quorum


def _names(compiled: Compiled, scope: Mapping[str, Any]) -> tuple[str, ...]:
    """Who is asked: every name once, in their order."""
    found: list[str] = []
    rendered = compiled.render(scope)
    for one in rendered if isinstance(rendered, list) else [rendered]:
        for name in one if isinstance(one, list) else [one]:
            if not isinstance(name, str) or not is_name(name):
                said = one_line(name)[:60] if isinstance(name, str) else kind(name)
                raise Unfit(
                    f'who is asked must be names such as "@ana", "@oncall" or "#leads"; an expression gave {said}'
                )
            found.append(name)
    if not found:
        raise Unfit("nobody is asked: the expression gave an empty list")
    if len(found) > MOST_ASKED:
        raise Unfit(f"{len(found)} names are asked, and {MOST_ASKED} are the most; ask a group")
    return tuple(dict.fromkeys(found))


def _ladder(gate: PlannedGate, scope: Mapping[str, Any], hours: e.AskedHours | None, now: int) -> list[e.AskedLater]:
    return [
        e.AskedLater(at=later(hours, now, rung.after), to=name)
        for rung, to in zip(gate.approval.escalate, gate.ladder, strict=True)
        for name in _names(to, scope)
    ]


def _fields(gate: PlannedGate, scope: Mapping[str, Any]) -> dict[str, JsonValue]:
    values = gate.fields.render(scope)
    for name, field in gate.approval.edit.items():
        try:
            values[name] = read_value(name, field, values[name])
        except ValueError as error:
            raise Unfit(f"the value to edit does not fit: {error}") from None
    return values


def _hours(hours: Hours | None) -> e.AskedHours | None:
    if hours is None:
        return None
    return e.AskedHours(
        zone=UNTIL_KNOWN if hours.zone == OF_APPROVERS else hours.zone,
        of_approvers=hours.zone == OF_APPROVERS,
        begin=minutes(hours.from_),
        end=minutes(hours.to),
        days=tuple(day.value for day in hours.days),
        holidays=hours.holidays,
    )
