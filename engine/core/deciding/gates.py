"""What people do at a gate: vote, edit, ask for changes, let somebody else decide, be left in peace for a while.

The rules of a vote, all of them: it is about what is decided on now and not about an older version; whoever started the
run never counts, be it through a group, for somebody else or by somebody else, unless the gate allows it; a person
counts once in the whole gate, for themselves or for one other; an edit and a request for changes void what was approved
before; one denial ends the gate, and the last approval that the last stage needs grants it. Where a stage needs
everybody, who has approved in an earlier one approves once more. An account of a machine of which nobody has said whose
it is may be anybody's: it approves nothing where it matters that it is nobody who is known on another surface.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core.commands import Reply
from engine.core.deciding.asking import clock_in, covered
from engine.core.deciding.draft import Draft
from engine.core.deciding.operators import retry_from
from engine.core.evidence import digest
from engine.core.expressions import ExpressionError
from engine.core.gates import Ballot, Gate, same, unknown_beside
from engine.core.inputs import read_value
from engine.core.state import RunState, StepStatus
from engine.core.words import did_you_mean, listed

STARTER = "whoever started the run may not decide here"
_WHOSE = "and nobody has said whose this account is; vb whoami tells how that is done. Or decide where you are known"
MAY_BE_STARTER = f"{STARTER}, {_WHOSE}"
MAY_COUNT_TWICE = f"several people have to approve here, {_WHOSE}"
LONGEST_REASON = 3_000
"""Characters of a reason or comment."""


@dataclass(frozen=True, slots=True)
class _Open:
    """The gate that a command is about, and where it is now."""

    path: str
    gate: Gate


def at_gate(draft: Draft, command: c.AtGate) -> Reply:
    """Do it, or say why nothing was done."""
    found = _find(draft, command)
    if not isinstance(found, _Open):
        return found
    refusal = _may_act(draft, command, found.gate)
    if refusal is not None:
        return refusal
    match command:
        case c.Vote():
            return _vote(draft, command, found)
        case c.EditGate():
            return _edit(draft, command, found)
        case c.RequestChanges():
            return _request_changes(draft, command, found)
        case c.Delegate():
            return _delegate(draft, command, found)
        case c.Snooze():
            return _snooze(draft, command, found)


def present(draft: Draft, command: c.Present) -> Reply:
    """Record what people have before them, and whose working time counts, as far as that has become known."""
    gate = draft.state.step(command.step).gate
    if gate is None:
        return c.NotOpen(command.step)
    first, *also = (e.Copy(where=where, digest=digest) for where, digest in command.copies.items())
    clock = None if gate.decision is not None else clock_in(gate, command.zones)
    shown = e.ApprovalPresented(
        step=command.step, where=first.where, digest=first.digest, also=tuple(also), clock=clock
    )
    draft.record(shown)
    return c.Accepted()


def _find(draft: Draft, command: c.AtGate) -> _Open | Reply:
    path = _asked_at(draft.state, command)
    gate = draft.state.step(path).gate
    seen = command.version
    if gate is None or (seen is not None and seen > gate.version):
        return c.NotOpen(command.step)
    if seen is not None and seen < gate.asked_seq and gate.decision is not None:
        return c.NotOpen(command.step)
    if gate.decision is not None:
        return c.AlreadyDecided(gate.decision)
    if path not in draft.state.open or draft.state.stopping:
        return c.Ended(draft.state.status)
    if seen is not None and seen != gate.version:
        return c.Outdated(path, gate.version)
    return _Open(path, gate)


def _asked_at(state: RunState, command: c.AtGate) -> str:
    """Where the asking that the person saw is now: the step may have been renamed since."""
    for path, step in state.opened(StepStatus.WAITING):
        if step.gate is not None and command.version in (step.gate.asked_seq, step.gate.version):
            return path
    return command.step


def _may_act(draft: Draft, command: c.AtGate, gate: Gate) -> Reply | None:
    """Why the person has no say in this gate, as far as the run itself can tell."""
    starter, seat = draft.state.started.by, command.seat
    if not gate.request.allow_self:
        if same(command.by, starter):
            return c.NotAllowed(f"{STARTER}; somebody else who is asked has to")
        if seat.on_behalf_of is not None and same(seat.on_behalf_of, starter):
            return c.NotAllowed("nobody may decide here for whoever started the run")
    if seat.names is not None and set(seat.names).isdisjoint(gate.asked):
        return c.NotAsked(gate.asked)
    if seat.on_behalf_of is None:
        return None
    if gate.request.delegation == "forbidden":
        return c.NotAllowed("nobody may decide for somebody else at this gate")
    if seat.delegation is None and not any(same(one.by, seat.on_behalf_of) for one in gate.delegators(command.by)):
        return c.NotAllowed(f"{seat.on_behalf_of.name} has not let {command.by.name} decide")
    return None


# Voting


def _vote(draft: Draft, command: c.Vote, found: _Open) -> Reply:
    gate, seat = found.gate, command.seat
    if _lacks_reason(gate, command):
        return c.ReasonNeeded()
    if not command.granted:
        draft.record(_denied(command, found))
        return c.Accepted()
    for person in (command.by, *((seat.on_behalf_of,) if seat.on_behalf_of else ())):
        if (ballot := gate.ballot_of(person)) is not None:
            return c.AlreadyVoted(ballot)
    everyone = _everyone(draft, gate, seat)
    if isinstance(everyone, c.NotAllowed):
        return everyone
    if (unknown := _may_be_another(draft, command.by, gate)) is not None:
        return unknown
    _count(draft, command, found, everyone)
    return c.Accepted()


def _may_be_another(draft: Draft, by: e.Actor, gate: Gate) -> c.NotAllowed | None:
    """Why an account cannot be told from people who are known: it may be the starter's, or of one who has approved."""
    starter = draft.state.started.by
    if not gate.request.allow_self and unknown_beside(by, [starter]):
        return c.NotAllowed(MAY_BE_STARTER)
    several = any(stage.quorum != 1 for stage in gate.stages) or len(gate.stages) > 1
    if several and unknown_beside(by, [starter, *(ballot.seat for ballot in gate.votes)]):
        return c.NotAllowed(MAY_COUNT_TWICE)
    return None


def _lacks_reason(gate: Gate, command: c.Vote) -> bool:
    wanted = gate.request.reason
    asked_for = wanted == "always" or (wanted == "on_deny" and not command.granted)
    return asked_for and not command.reason.strip()


def _everyone(draft: Draft, gate: Gate, seat: c.Seat) -> frozenset[str] | c.NotAllowed:
    """The ids of all who have to approve where the stage needs everybody; nobody else's stage has any."""
    if gate.current.quorum != "all":
        return frozenset()
    if seat.everyone is None:
        names = listed(gate.current.approvers)
        return c.NotAllowed(f"everybody of {names} has to approve, and who that is cannot be told from here")
    starter = draft.state.started.by
    return seat.everyone if gate.request.allow_self else seat.everyone - {starter.id}


def _count(draft: Draft, command: c.Vote, found: _Open, everyone: frozenset[str]) -> None:
    """Record the approval, and what it leads to: the next stage, or the end of the gate."""
    path, gate, seat = found.path, found.gate, command.seat
    mine = Ballot(0, draft.now, command.by, gate.stage, on_behalf_of=seat.on_behalf_of)
    fulfilled = _fulfilled(gate, (*gate.given, mine), everyone)
    decides = fulfilled and gate.stage + 1 == len(gate.stages)
    event = e.ApprovalGranted if decides else e.ApprovalVoted
    draft.record(
        event(
            step=path,
            stage=gate.stage,
            by=command.by,
            authority=command.authority,
            reason=command.reason[:LONGEST_REASON],
            evidence=gate.evidence,
            on_behalf_of=seat.on_behalf_of,
            delegation=seat.delegation,
            everyone=tuple(sorted(everyone)),
        )
    )
    if fulfilled and not decides:
        stage = gate.stages[gate.stage + 1]
        draft.record(e.ApprovalStageOpened(step=path, stage=gate.stage + 1, name=stage.name, approvers=stage.approvers))


def _fulfilled(gate: Gate, given: tuple[Ballot, ...], everyone: frozenset[str]) -> bool:
    """Whether the stage has what it needs. Where everybody has to approve, a delegate has done so for who let them."""
    if gate.current.quorum != "all":
        return len(given) >= gate.current.quorum
    done = {ballot.by.id for ballot in given} | {ballot.seat.id for ballot in given}
    done |= {one.by.id for one in gate.delegated if one.to.id in done}
    return everyone <= done


def _denied(command: c.Vote, found: _Open) -> e.ApprovalDenied:
    return e.ApprovalDenied(
        step=found.path,
        stage=found.gate.stage,
        by=command.by,
        authority=command.authority,
        reason=command.reason[:LONGEST_REASON],
        evidence=found.gate.evidence,
        on_behalf_of=command.seat.on_behalf_of,
        delegation=command.seat.delegation,
    )


# What else people do


def _edit(draft: Draft, command: c.EditGate, found: _Open) -> Reply:
    gate, step = found.gate, draft.state.plan.node(found.path).step
    known = step.approval.edit if step.approval is not None else {}
    problems: dict[str, str] = {}
    new: dict[str, JsonValue] = {}
    for name, value in command.fields.items():
        if name not in known or name not in gate.fields:
            problems[name] = f"there is no {name} to edit here; {did_you_mean(name, list(gate.fields)) or 'nothing is'}"
            continue
        try:
            read = read_value(name, known[name], value)
        except ValueError as error:
            problems[name] = str(error)
            continue
        if read != gate.fields[name]:
            new[name] = read
    if problems:
        return c.InvalidFields(problems)
    return _edited(draft, command, found, new) if new else c.Nothing()


def _edited(draft: Draft, command: c.EditGate, found: _Open, new: dict[str, JsonValue]) -> Reply:
    gate, approval = found.gate, draft.state.plan.node(found.path).step.approval
    if approval is None:
        raise ValueError(f"{found.path} is not a gate")
    fields = {**gate.fields, **new}
    try:
        inputs = covered(draft, found.path, approval, fields)
    except ExpressionError as error:
        return c.NotAllowed(f"with these values the steps that this is about cannot run: {error}")
    draft.record(
        e.ApprovalEdited(
            step=found.path,
            by=command.by,
            authority=command.authority,
            reason=command.reason[:LONGEST_REASON],
            old={name: gate.fields[name] for name in new},
            new=new,
            fields=fields,
            inputs=inputs,
            evidence=digest(gate.request.title, gate.request.show, fields, inputs),
        )
    )
    return c.Accepted()


def _request_changes(draft: Draft, command: c.RequestChanges, found: _Open) -> Reply:
    to = found.gate.request.request_changes
    if to is None:
        return c.NotAllowed("the workflow does not say where changes would begin; deny it, and say why")
    if not command.comment.strip():
        return c.ReasonNeeded()
    comment = command.comment[:LONGEST_REASON]
    asked = e.ApprovalChangesRequested(
        step=found.path,
        by=command.by,
        authority=command.authority,
        comment=comment,
        to=to,
        evidence=found.gate.evidence,
        on_behalf_of=command.seat.on_behalf_of,
    )
    return retry_from(draft, c.RetryFrom(to, command.by, comment), before=asked)


def _delegate(draft: Draft, command: c.Delegate, found: _Open) -> Reply:
    gate = found.gate
    if gate.request.delegation == "forbidden":
        return c.NotAllowed("nobody may decide for somebody else at this gate")
    if command.seat.on_behalf_of is not None:
        return c.NotAllowed(f"only {command.seat.on_behalf_of.name} can let somebody else decide")
    if same(command.by, command.to):
        return c.NotAllowed("you may decide yourself")
    if not gate.request.allow_self and same(command.to, draft.state.started.by):
        return c.NotAllowed(f"{command.to.name} started the run and may not decide here")
    if (ballot := gate.ballot_of(command.by)) is not None:
        return c.AlreadyVoted(ballot)
    delegated = e.ApprovalDelegated(
        step=found.path,
        by=command.by,
        to=command.to,
        authority=command.authority,
        reason=command.reason[:LONGEST_REASON],
    )
    draft.record(delegated)
    return c.Accepted()


def _snooze(draft: Draft, command: c.Snooze, found: _Open) -> Reply:
    if command.until <= draft.now:
        return c.NotAllowed("that time is over already; give a later one")
    if found.gate.snoozed_until(command.by) != command.until:
        draft.record(e.ApprovalSnoozed(step=found.path, by=command.by, until=command.until))
    return c.Accepted()
