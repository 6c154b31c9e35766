"""A gate's messages in Slack, in every state: the question, its copies and reminders, and what became of it.

The one rule: a message is a function of the run's state and of who was asked, so the same is shown wherever and
whenever it is made; its buttons are there exactly while a click can decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from bot.blocks.card import decision_words, if_nobody_decides
from bot.blocks.kit import (
    TEXT_LIMIT,
    Block,
    Message,
    actions,
    button,
    clip,
    clip_markup,
    context,
    entities,
    escape,
    fitting,
    literal,
    section,
)
from bot.blocks.words import Asked, counted, either, named, one_line, plain, run_title, short_id
from engine.core.durations import say_duration
from engine.core.state import Gate, RunState, StepStatus

APPROVE = "gate_approve"
DENY = "gate_deny"

EVIDENCE_LIMIT = 2_000
"""Characters of evidence in all, as escaped for mrkdwn: the text beside the blocks has to hold it too."""

EVIDENCE_ITEMS = 12

PINGED_AT_ONCE = 20
"""Groups and people whom one message can notify."""

UNREACHABLE_TOLD = 3

_AROUND = 60
"""What a value takes in a text besides itself: how much of it is shown, and its first bar."""

_BAR = "│ "
"""Before each line of evidence in a text, so that none can pose as one of the bot's own."""


@dataclass(frozen=True, slots=True)
class Question:
    """One message about a gate. ``asked``: those whom it speaks of, by the name in the definition.

    ``rung``: 0 for the first request, else the rung of the ladder that this copy was made for. ``pinged``: those whom
    this message notifies. ``elsewhere``: it is not in the run's thread; ``thread`` is then a link to that.
    """

    asked: Mapping[str, Asked]
    pinged: Sequence[str]
    rung: int = 0
    elsewhere: bool = False
    thread: str = ""


def can_be_decided(state: RunState, gate: Gate) -> bool:
    """Whether the gate waits for a decision: nobody has made one, nor an operator gone on without."""
    asked = (step.gate.asked_seq for _, step in state.opened(StepStatus.WAITING) if step.gate is not None)
    return gate.decision is None and not state.stopping and gate.asked_seq in asked


def title_of(step: str, gate: Gate) -> str:
    """What is asked, in mrkdwn: the rendered title, which data may have left empty."""
    return one_line(gate.request.title, 200) or f"Approve {step}?"


def click_value(state: RunState, step: str, gate: Gate) -> str:
    """What a button carries: which asking of which run a click is for."""
    return f"{state.run}:{gate.asked_seq}:{step}"


def read_click(value: str) -> tuple[str, int, str]:
    """(run, asked_seq, step) of a button's value. Raises ``ValueError`` for anything else."""
    run, seq, step = value.split(":", 2)
    if not run.startswith("run_") or not step:
        raise ValueError(f"not a button of a gate: {clip(value, 40)}")
    return run, int(seq), step


def approval(state: RunState, step: str, gate: Gate, question: Question) -> Message:
    """The message about ``gate`` as it stands. ``gate`` is given apart, since a step may be asked about again."""
    question_asked = title_of(step, gate)
    foot = _foot(state, question)
    above, below = _open(state, step, gate, question) if can_be_decided(state, gate) else _closed(state, step, gate)
    room = TEXT_LIMIT - len("\n".join([question_asked, *above, *below, foot]))
    evidence = tuple(_evidence(gate.request.show, room)) if _shows_evidence(state, gate, question) else ()
    blocks = [section(f"*{question_asked}*"), section("\n".join(above))]
    for item in evidence:
        blocks += item.blocks()
    blocks += [section("\n".join(below))] if below else []
    blocks.append(context(foot))
    if can_be_decided(state, gate):
        blocks.append(_buttons(state, step, gate))
    text = "\n".join([question_asked, *above, *(item.text() for item in evidence), *below, foot])
    return Message(clip_markup(text, TEXT_LIMIT), tuple(blocks))


def _shows_evidence(state: RunState, gate: Gate, question: Question) -> bool:
    """Once there is nothing to decide, a copy leaves it to the first request above it in the same thread."""
    return question.elsewhere or question.rung == 0 or can_be_decided(state, gate)


def _foot(state: RunState, question: Question) -> str:
    run = f"{escape(run_title(state))} · {short_id(state.run)}" if question.elsewhere else "this run"
    return f"Asked by {named(state.started.by)}, who started {run}"


def reminder(step: str, gate: Gate, question: Question, count: int) -> Message:
    """The ``count``-th reply that asks once more, without buttons: those are in the messages above it."""
    waited = say_duration((gate.request.remind_every or 0) * count)
    lead = f"Reminder: {title_of(step, gate)}"
    return Message(
        f"{lead}\n{_mentions(question)}: {step} has waited {waited} for your decision. {if_nobody_decides(gate)}"
    )


def _open(state: RunState, step: str, gate: Gate, question: Question) -> tuple[list[str], list[str]]:
    above = [_request(gate, question), *_unreachable(question)]
    if question.elsewhere:
        above.append(f"The run and its thread: {question.thread}" if question.thread else "")
    after = ", ".join(state.plan.node(step).dependents[:5])
    granted = f"the run goes on with {after}" if after else "the run goes on"
    below = [f"*Approve*: {granted}. *Deny*: the run ends, after asking you why.", if_nobody_decides(gate)]
    return [line for line in above if line], below


def _request(gate: Gate, question: Question) -> str:
    whom = _mentions(question)
    if question.rung:
        waited = say_duration(gate.request.escalate[question.rung - 1].at - gate.asked_at)
        first = either(gate.request.approvers)
        return f"{whom}: please decide. {first} has not decided for {waited}, so you are asked too."
    others = [who for who in gate.asked if who not in question.pinged]
    also = f" {either(others)} may decide too." if others else ""
    return f"{whom}: please decide.{also}"


def _mentions(question: Question) -> str:
    found = [question.asked[who].mention if who in question.asked else one_line(who, 80) for who in question.pinged]
    return ", ".join(found[:PINGED_AT_ONCE])


def _unreachable(question: Question) -> Iterator[str]:
    """Says of those who cannot be asked why, and who can help."""
    told = [why for asked in question.asked.values() if (why := _why_unreachable(asked))]
    yield from told[:UNREACHABLE_TOLD]
    if len(told) > UNREACHABLE_TOLD:
        yield f"! {len(told) - UNREACHABLE_TOLD} more of those asked cannot be notified either."


def _why_unreachable(asked: Asked) -> str:
    name = one_line(asked.who, 80)
    if asked.kind == "missing":
        kind = "channel" if asked.who.startswith("#") else "user group or person"
        return (
            f"! There is no {kind} {name} in this workspace. Whoever manages them can create it, and it counts "
            "from then on; or the run can be cancelled."
        )
    if asked.kind == "unread":
        return f"! Slack did not say who {name} is, so nobody there was notified."
    if asked.kind == "closed":
        return f"! I may not post in {name}, so nobody there was notified; invite me there with /invite."
    return ""


def _closed(state: RunState, step: str, gate: Gate) -> tuple[list[str], list[str]]:
    if gate.decision is not None:
        return [decision_words(gate)], []
    if state.cancel is not None:
        return [f"■ No decision is needed any more: {named(state.cancel.by)} stopped the run."], []
    if not state.stopping and (state.end is None or state.failed_step is None):
        return ["■ No decision is needed any more: an operator went on without one."], []
    why = f" at {state.failed_step}" if state.failed_step and state.failed_step != step else ""
    return [f"■ No decision is needed any more: the run failed{why}."], []


def _buttons(state: RunState, step: str, gate: Gate) -> Block:
    value = click_value(state, step, gate)
    return actions("gate", [button("Approve", APPROVE, value, "primary"), button("Deny", DENY, value, "danger")])


# Evidence


@dataclass(frozen=True, slots=True)
class _Item:
    """One shown value, cut to fit. ``whole`` is its full length in characters."""

    name: str
    value: str
    whole: int

    @property
    def label(self) -> str:
        cut = f" (the first {len(self.value):,} of {self.whole:,} characters)" if self.whole > len(self.value) else ""
        return f"*{one_line(self.name, 80) or 'Without a name'}*{cut}"

    @property
    def short(self) -> bool:
        """Whether it is shown within a line, where nothing in it may look like markup."""
        return "\n" not in self.value and len(self.value) <= 120 and escape(self.value) == entities(self.value)

    def blocks(self) -> list[Block]:
        if self.short:
            return [section(f"{self.label}: {escape(self.value) or 'empty'}")]
        return [section(self.label), literal(self.value)]

    def text(self) -> str:
        label = self.label.replace("*", "")
        if self.short:
            return f"{label}: {escape(self.value) or 'empty'}"
        return "\n".join([f"{label}:", *(f"{_BAR}{line}" for line in escape(self.value).splitlines())])


def _evidence(show: Mapping[str, JsonValue], room: int) -> Iterator[_Item]:
    """The values in their order, sharing what there is: short ones whole, the rest in equal parts.

    ``room``: the characters that are left for them in the message's text.
    """
    items = list(show.items())
    most = min(EVIDENCE_ITEMS, max(room, 0) // 2 // (80 + _AROUND))
    kept = [(name, plain(value).strip("\n")) for name, value in items[:most]]
    total = min(EVIDENCE_LIMIT, room - sum(len(one_line(name, 80)) + _AROUND for name, _ in (*kept, ("", ""))))
    share = _fair_share([len(escape(value)) + value.count("\n") * len(_BAR) for _, value in kept], total)
    for name, value in kept:
        yield _Item(name, value[: fitting(value, share, 1 + len(_BAR))], len(value))
    if len(items) > most:
        more = counted(len(items) - most, "more value")
        yield _Item("Not shown here", f"{more}; vb show tells all", 0)


def _fair_share(sizes: Sequence[int], total: int) -> int:
    """The most that each of ``sizes`` may take so that all fit into ``total``."""
    left = total
    for position, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - position)
        if size > share:
            return share
        left -= size
    return total
