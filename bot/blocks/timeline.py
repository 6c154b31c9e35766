"""A run's events as the lines of its thread: one line for each fact worth telling, none for bookkeeping.

The one rule: a line says what happened and, where something will follow by itself, what and when. A failure and the
retry that follows from it are one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.blocks.correction_lines import correction_line
from bot.blocks.flow_lines import flow_line
from bot.blocks.gate_lines import gate_line
from bot.blocks.kit import Message, clip_markup
from bot.blocks.loops import how_far, is_milestone
from bot.blocks.money_lines import money_line
from bot.blocks.run_lines import run_line
from bot.blocks.step_lines import asking_line, attempt_line, decided_line
from bot.blocks.words import chosen_inputs, counted, named, one_line, plain, short_id
from engine.core import events as e
from engine.core import paths
from engine.core.fold import NO_PLANS, evolve
from engine.core.gates import Gate
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState

MESSAGE_LIMIT = 3_000
LINE_LIMIT = 600


@dataclass(frozen=True, slots=True)
class Line:
    """What event ``seq`` is told as, in mrkdwn."""

    seq: int
    text: str


def lines(
    before: RunState,
    events: Sequence[Recorded],
    plans: Mapping[str, Plan] = NO_PLANS,
    gates: dict[int, Gate] | None = None,
) -> tuple[list[Line], RunState]:
    """The lines for ``events``, which follow ``before`` directly; and the state after them.

    ``plans`` has the definitions that the run was moved to. ``gates`` collects every asking as it was last, by its seq:
    the state forgets it when the gate asks anew. Events that one line tells together are recorded together, so all of
    them are in ``events``, or none is.
    """
    told: list[Line] = []
    state = before
    for index, recorded in enumerate(events):
        after = evolve(state, recorded, plans)
        if gates is not None and isinstance(recorded.event, e.ApprovalEvent):
            gate = after.step(recorded.event.step).gate
            gates |= {} if gate is None else {gate.asked_seq: gate}
        following = events[index + 1].event if index + 1 < len(events) else None
        if not _told_by(recorded, following) and (text := _line(state, recorded, after)):
            told.append(Line(recorded.seq, clip_markup(text, LINE_LIMIT)))
        state = after
    return told, state


def first_line(state: RunState) -> Line:
    """The line of RUN_STARTED, which has no state before it."""
    started = state.started
    chosen = chosen_inputs(state.plan, started.input)
    inputs = ", ".join(f"{name} {one_line(plain(value), 80)}" for name, value in chosen.items())
    parts = [f": {inputs}"] if inputs else []
    if (fork := started.forked_from) is not None:
        parts.append(f"; it takes over what `{short_id(fork.run)}` had done before {fork.step}")
    if (line := started.concurrency) is not None:
        parts.append(f"; at most {counted(line.limit, 'run')} of {one_line(line.key, 80)} at a time")
    text = f"→ {named(started.by)} started {one_line(started.workflow)}{''.join(parts)}"
    return Line(1, clip_markup(text, LINE_LIMIT))


def message(told: Sequence[Line]) -> tuple[Message, int]:
    """As many of the lines as fit into one message, and how many those are (at least one)."""
    taken, length = 1, len(told[0].text)
    while taken < len(told) and length + 1 + len(told[taken].text) <= MESSAGE_LIMIT:
        length += 1 + len(told[taken].text)
        taken += 1
    return Message("\n".join(line.text for line in told[:taken])), taken


def _told_by(recorded: Recorded, following: e.Event | None) -> bool:
    """Whether the line of the event that follows says this one too."""
    match recorded.event, following:
        case e.StepFailed(step=step), e.StepRetried() | e.StepUncertain() | e.StepDeadLettered():
            return following.step == step
        case e.StepFailed(step=step), e.StepCorrecting() | e.StepGivenUp():
            return following.step == step
        case e.StepRedriven(step=step), e.StepSkipped() | e.StepOutputSet():
            return following.step == step
        case e.SignalReceived(), e.SignalMatched(seq=seq):
            return seq == recorded.seq
        case _:
            return False


def _line(before: RunState, recorded: Recorded, after: RunState) -> str | None:
    text = _own_line(before, recorded, after)
    if text is None and (loop := _counted_in(recorded.event)) and is_milestone(before, after, loop):
        return f"→ {loop}: {how_far(after, loop)}"
    return text


def _counted_in(event: e.Event) -> str | None:
    """The loop whose count this event may have changed."""
    ended = isinstance(event, e.StepCompleted | e.StepFailed | e.StepSkipped | e.StepOutputSet | e.StepSettled)
    return paths.loop_of(event.step) if ended else None


def _own_line(before: RunState, recorded: Recorded, after: RunState) -> str | None:
    at, event = recorded.at, recorded.event
    if isinstance(event, e.RunEvent):
        return None if isinstance(event, e.RunStarted) else run_line(event, after)
    if isinstance(event, e.FlowEvent):
        return flow_line(before, at, event, after)
    if isinstance(event, e.ApprovalEvent):
        return gate_line(before, at, event)
    if isinstance(event, e.CorrectionEvent):
        return correction_line(before, event)
    if isinstance(event, e.SpendingEvent):
        return money_line(event, at, before)
    match event:
        case e.StepStarted() | e.StepReused() | e.EffectStarted() | e.EffectRecorded() | e.KeyUsed():
            return None
        case e.StepProgressed() | e.StepReported():
            return None  # the card says how far it is
        case e.StepHeld(asks=False):
            return None  # it goes on by itself in a moment
        case e.StepReleased(step=path) if (hold := before.step(path).hold) is not None and not hold.asks:
            return None
        case e.StepDeadLettered() | e.StepUncertain() | e.StepMissing():
            return asking_line(before, event)
        case e.StepSettled() | e.StepRedriven() | e.StepsReset() | e.StepOutputSet():
            return decided_line(before, event)
        case _:
            return attempt_line(before, at, event)
