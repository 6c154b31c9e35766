"""A gate's messages in Slack, in every state: the question, its copies and reminders, and what became of it.

The one rule: a message is a function of the run's state and of who was asked, so the same is shown wherever and
whenever it is made; its buttons are there exactly while a click can decide, and carry the version of what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.blocks.evidence import digest_words, evidence
from bot.blocks.gate_words import (
    approved_with,
    changed_words,
    decision_words,
    if_nobody_decides,
    progress,
    sent_back,
    stage_words,
)
from bot.blocks.kit import TEXT_LIMIT, Block, Message, actions, button, clip, clip_markup, context, escape, section
from bot.blocks.words import Asked, counted, date, either, listed, named, one_line, run_title, short_id
from engine.core.durations import say_duration
from engine.core.gates import Gate
from engine.core.state import RunState, StepStatus

APPROVE = "gate_approve"
DENY = "gate_deny"
EDIT = "gate_edit"
CHANGES = "gate_changes"
DELEGATE = "gate_delegate"
SNOOZE = "gate_snooze"

PINGED_AT_ONCE = 20
"""Groups and people whom one message can notify."""

UNREACHABLE_TOLD = 3

IN_A_ROW = 4
"""Buttons that stand beside each other."""


@dataclass(frozen=True, slots=True)
class Question:
    """One message about a gate. ``asked``: those whom it speaks of, by the name in the definition.

    ``rung``: 0 for the first request, else the rung of the ladder that this copy was made for. ``stage``: of the gate,
    for which it was made, after the edit with the seq ``version``. ``pinged``: those whom this message notifies.
    ``elsewhere``: it is not in the run's thread; ``thread`` is then a link to that. ``directly``: it is written to one
    person; ``given_by``, by name, has let them decide; or ``to_admin``, since nobody who is asked can be shown it.
    ``unreached``: the people, by name, who could not be written to, and why.
    """

    asked: Mapping[str, Asked]
    pinged: Sequence[str]
    rung: int = 0
    elsewhere: bool = False
    thread: str = ""
    stage: int = 0
    version: int = 0
    directly: bool = False
    given_by: str = ""
    to_admin: bool = False
    unreached: Sequence[tuple[str, str]] = ()


def can_be_decided(state: RunState, gate: Gate) -> bool:
    """Whether the gate waits for a decision: nobody has made one, nor an operator gone on without."""
    asked = (step.gate.asked_seq for _, step in state.opened(StepStatus.WAITING) if step.gate is not None)
    return gate.decision is None and gate.changes is None and not state.stopping and gate.asked_seq in asked


def title_of(step: str, gate: Gate) -> str:
    """What is asked, in mrkdwn: the rendered title, which data may have left empty."""
    return one_line(gate.request.title, 200) or f"Approve {step}?"


def click_value(state: RunState, step: str, gate: Gate) -> str:
    """What a button carries: which gate of which run a click is for, and which version of what it decides on."""
    return f"{state.run}:{gate.version}:{step}"


def read_click(value: str) -> tuple[str, int, str]:
    """(run, version, step) of a button's value. Raises ``ValueError`` for anything else."""
    run, version, step = value.split(":", 2)
    if not run.startswith("run_") or not step:
        raise ValueError(f"not a button of a gate: {clip(value, 40)}")
    return run, int(version), step


def approval(state: RunState, step: str, gate: Gate, question: Question) -> Message:
    """The message about ``gate`` as it stands. ``gate`` is given apart, since a step may be asked about again."""
    asks = asks_now(state, gate, question)
    above, below = _open(state, step, gate, question) if asks else _closed(state, step, gate, question)
    title, foot = title_of(step, gate), _foot(state, gate, question)
    room = TEXT_LIMIT - len("\n".join([title, *above, *below, foot]))
    items = tuple(evidence(gate, room)) if _shows_evidence(gate, question, asks=asks) else ()
    blocks = [section(f"*{title}*"), section("\n".join(above))]
    for item in items:
        blocks += item.blocks()
    blocks += [section("\n".join(below))] if below else []
    blocks.append(context(foot))
    blocks += buttons(state, step, gate) if asks else []
    text = "\n".join([title, *above, *(item.text() for item in items), *below, foot])
    return Message(clip_markup(text, TEXT_LIMIT), tuple(blocks))


def asks_now(state: RunState, gate: Gate, question: Question) -> bool:
    """Whether those whom the message was made for can decide now: it is of the open stage, or of a rung."""
    is_of_stage = question.stage == gate.stage and (question.stage == 0 or question.version == gate.version)
    return can_be_decided(state, gate) and (question.rung > 0 or is_of_stage)


def _shows_evidence(gate: Gate, question: Question, *, asks: bool) -> bool:
    """Once there is nothing to decide, a copy leaves it to the first request above it in the same thread."""
    return asks or question.elsewhere or (question.rung == 0 and question.stage == 0)


def _foot(state: RunState, gate: Gate, question: Question) -> str:
    run = f"{escape(run_title(state))} · {short_id(state.run)}" if question.elsewhere else "this run"
    return f"Asked by {named(state.started.by)}, who started {run}{digest_words(gate)}"


def reminder(step: str, gate: Gate, question: Question, count: int) -> Message:
    """The ``count``-th reply that asks once more, without buttons: those are in the messages above it."""
    waited = say_duration((gate.request.remind_every or 0) * count)
    lead = f"Reminder: {title_of(step, gate)}"
    lines = [f"{_mentions(question)}: {step} has waited {waited} for your decision. {if_nobody_decides(gate)}"]
    return Message("\n".join([lead, *progress(gate), *lines]))


# While it is open


def _open(state: RunState, step: str, gate: Gate, question: Question) -> tuple[list[str], list[str]]:
    above = [_request(gate, question), *progress(gate), *_edited(gate), *_unreachable(question)]
    if question.elsewhere:
        above.append(f"The run and its thread: {question.thread}" if question.thread else "")
    below = [*_what_clicks_do(state, step, gate), if_nobody_decides(gate)]
    return [line for line in above if line], below


def _request(gate: Gate, question: Question) -> str:
    if question.to_admin:
        return (
            f"{either(gate.asked)} cannot be shown this in Slack, so its admins are: see that somebody who may decide "
            "gets to know of it, or cancel the run."
        )
    whom = _mentions(question)
    if question.directly:
        given = f"{one_line(question.given_by, 80)} lets you decide here"
        whom = given if question.given_by else f"You are asked as {either(question.pinged)}"
    if question.rung:
        waited = say_duration(gate.request.escalate[question.rung - 1].at - gate.asked_at)
        first = either(gate.request.approvers)
        return f"{whom}: please decide. {first} has not decided for {waited}, so you are asked too."
    others = [who for who in gate.asked if who not in question.pinged]
    also = f" {either(others)} may decide too." if others else ""
    return f"{whom}: please decide.{also}"


def _mentions(question: Question) -> str:
    found = [question.asked[who].mention if who in question.asked else one_line(who, 80) for who in question.pinged]
    more = f" and {len(found) - PINGED_AT_ONCE} more" if len(found) > PINGED_AT_ONCE else ""
    return ", ".join(found[:PINGED_AT_ONCE]) + more


def _edited(gate: Gate) -> Iterator[str]:
    if gate.edited is not None:
        event = gate.edited.event
        yield (
            f"✎ {named(event.by)} changed {changed_words(event.old, event.new)} {date(gate.edited.at)}. "
            "Approvals from before that do not count any more."
        )


def _unreachable(question: Question) -> Iterator[str]:
    """Says of those who cannot be asked why, and who can help."""
    told = [why for asked in question.asked.values() if (why := _why_unreachable(asked))]
    yield from told[:UNREACHABLE_TOLD]
    if len(told) > UNREACHABLE_TOLD:
        yield f"! {len(told) - UNREACHABLE_TOLD} more of those asked cannot be notified either."
    if question.unreached and not question.elsewhere:
        people = listed(f"{name} ({_why_unreached(why)})" for name, why in question.unreached)
        yield f"! Not reached by direct message: {people}. Everybody else who is asked can decide."


def _why_unreachable(asked: Asked) -> str:
    name = one_line(asked.who, 80)
    if asked.kind == "missing":
        return _missing(asked.who)
    if asked.kind == "unread":
        return f"! Slack did not say who {name} is, so nobody there was notified."
    if asked.kind == "closed":
        return f"! I may not post in {name}, so nobody there was notified; invite me there with /invite."
    return ""


def _missing(who: str) -> str:
    if who.startswith("role:"):
        return f"! Nobody holds {one_line(who, 80)}. An admin can give it to somebody, and it counts from then on."
    kind = "channel" if who.startswith("#") else "user group or person"
    return (
        f"! There is no {kind} {one_line(who, 80)} in this workspace. Whoever manages them can create it, and it "
        "counts from then on; or the run can be cancelled."
    )


def _why_unreached(why: str) -> str:
    return {
        "deactivated": "the account is deactivated",
        "guest": "a guest, who may not decide",
        "bot": "a bot, which may not decide",
        "outsider": "of another workspace",
        "user_disabled": "the account is deactivated",
        "user_not_found": "Slack does not know them",
    }.get(why, f"Slack says {why}")


def _what_clicks_do(state: RunState, step: str, gate: Gate) -> Iterator[str]:
    denied = "the run ends" if gate.request.reason == "never" else "the run ends, after asking you why"
    yield f"*Approve*: {_what_approving_does(state, step, gate)}. *Deny*: {denied}."
    more: list[str] = []
    if gate.fields:
        more.append(f"*Edit*: change {listed(gate.fields)} first; approvals from before then count no more.")
    if gate.request.request_changes is not None:
        more.append(f"*Request changes*: back to {one_line(gate.request.request_changes)}, with your comment.")
    if more:
        yield " ".join(more)


def _what_approving_does(state: RunState, step: str, gate: Gate) -> str:
    after = ", ".join(state.plan.node(step).dependents[:5])
    goes_on = f"the run goes on with {after}" if after else "the run goes on"
    if gate.stage + 1 < len(gate.stages):
        following = gate.stages[gate.stage + 1]
        goes_on = f"{stage_words(gate, gate.stage + 1)} asks {either(following.approvers)}"
    if gate.needed is None:
        return f"once everybody asked has approved, {goes_on}"
    return goes_on if gate.needed <= 1 else f"{counted(gate.needed, 'approval')} are needed; after that {goes_on}"


def buttons(state: RunState, step: str, gate: Gate) -> Iterator[Block]:
    """What can be done at the gate: in one row if it is short, else what decides first."""
    deciding, others = offered(state, step, gate)
    if len(deciding) + len(others) <= IN_A_ROW or not others:
        yield actions("gate", [*deciding, *others])
    else:
        yield actions("gate", deciding)
        yield actions("gate_more", others)


def offered(state: RunState, step: str, gate: Gate) -> tuple[list[Block], list[Block]]:
    """The buttons that decide, and the others."""
    value = click_value(state, step, gate)
    deciding = [button("Approve", APPROVE, value, "primary"), button("Deny", DENY, value, "danger")]
    deciding += [button("Edit", EDIT, value)] if gate.fields else []
    deciding += [button("Request changes", CHANGES, value)] if gate.request.request_changes is not None else []
    others = [button("Delegate", DELEGATE, value)] if gate.request.delegation == "allowed" else []
    others += [button("Snooze", SNOOZE, value)] if gate.request.remind_every is not None else []
    return deciding, others


# Once it asks nobody, or somebody else


def _closed(state: RunState, step: str, gate: Gate, question: Question) -> tuple[list[str], list[str]]:
    return [line for line in (*_why_closed(state, step, gate, question), approved_with(gate)) if line], []


def _why_closed(state: RunState, step: str, gate: Gate, question: Question) -> Iterator[str]:
    if gate.decision is not None:
        yield decision_words(gate)
    elif gate.changes is not None:
        yield sent_back(gate)
    elif state.cancel is not None:
        yield f"■ No decision is needed any more: {named(state.cancel.by)} stopped the run."
    elif can_be_decided(state, gate):
        yield _asks_others(gate, question)
    elif not state.stopping and (state.end is None or state.failed_step is None):
        yield "■ No decision is needed any more: an operator went on without one."
    else:
        why = f" at {state.failed_step}" if state.failed_step and state.failed_step != step else ""
        yield f"■ No decision is needed any more: the run failed{why}."


def _asks_others(gate: Gate, question: Question) -> str:
    """Why a message asks nobody now, although the gate is open."""
    now = f"{stage_words(gate, gate.stage)} asks {either(gate.asked)} now"
    if question.stage < gate.stage:
        return f"✓ {stage_words(gate, question.stage)} has its approvals; {now}.".replace("✓ stage", "✓ Stage")
    by = "" if gate.edited is None else f" since {named(gate.edited.event.by)} changed what is decided on"
    return f"… Not yet: {now}{by}."
