"""The buttons of a run's card: what people can do to a run in the state in which it is.

The one rule: a button says which state it was shown for, so that a second click on it, or a late one, does nothing that
was not meant; and where it does harm it first says exactly what will happen to what.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.blocks.kit import Block, actions, button, clip, clip_markup, plain_text
from bot.blocks.switches import keys_holding
from bot.blocks.words import one_line, run_title
from engine.core.deciding.operators import dead_steps
from engine.core.money import say_money
from engine.core.spending import budget_words
from engine.core.state import AT_WORK, Hold, Phase, RunState, RunStatus, StepStatus
from engine.core.switches import scope_words
from engine.core.words import listed

BLOCK = "run"

CONFIRM_LIMIT = 300


class Deed(StrEnum):
    """What a click asks for; the value is the button's action id."""

    PAUSE = "run_pause"
    RESUME = "run_resume"
    RETRY = "run_retry"
    RAISE = "run_raise"
    CANCEL = "run_cancel"


DETAILS = "run_details"
LIFT = "run_lift"


@dataclass(frozen=True, slots=True)
class Clicked:
    """What a button carries: the run, and the mark of the state that it was shown for."""

    run: str
    mark: int

    @classmethod
    def read(cls, value: str) -> Clicked:
        """Raises ``ValueError`` for what is no button of a card."""
        run, mark = value.split(":", 1)
        if not run.startswith("run_"):
            raise ValueError(f"not a button of a run: {clip(value, 40)}")
        return cls(run, int(mark))


def possible(state: RunState) -> Iterator[Deed]:
    """What can be done now, what is safe first."""
    if state.end is None and state.own_pause is not None:
        yield Deed.RESUME
    elif _goes_on(state) and state.paused is None:
        yield Deed.PAUSE
    if _can_be_retried(state):
        yield Deed.RETRY
    if any(True for _ in used_up(state)):
        yield Deed.RAISE
    if state.end is None and state.cancel is None and state.phase is Phase.FORWARD:
        yield Deed.CANCEL


def used_up(state: RunState) -> Iterator[Hold]:
    """What holds steps until a budget is raised."""
    if _goes_on(state):
        for _, step in state.opened(StepStatus.HELD):
            if step.hold is not None and step.hold.cause == "budget" and step.hold.asks:
                yield step.hold


def mark(state: RunState, deed: Deed) -> int:
    """Changes whenever the same deed would be another one."""
    match deed:
        case Deed.PAUSE | Deed.RESUME:
            return state.held_at
        case Deed.RETRY:
            return max((state.step(path).token for path in dead_steps(state)), default=state.reopened)
        case Deed.RAISE:
            return max((hold.at for hold in used_up(state)), default=0)
        case Deed.CANCEL:
            return 0


def buttons(state: RunState) -> Block:
    """The card's buttons."""
    made = [_button(state, deed) for deed in possible(state) if deed is not Deed.CANCEL]
    made.append(button("Details", DETAILS, f"{state.run}:0"))
    if state.end is None and (keys := keys_holding(state)):
        made.insert(0, _lift(state, keys))
    if Deed.CANCEL in possible(state):
        made.append(_button(state, Deed.CANCEL))
    return actions(BLOCK, made)


def _button(state: RunState, deed: Deed) -> Block:
    value = f"{state.run}:{mark(state, deed)}"
    match deed:
        case Deed.PAUSE:
            return button("Pause", deed, value)
        case Deed.RESUME:
            return button("Resume", deed, value, "primary")
        case Deed.RETRY:
            asked = confirm("Try it again?", _what_retrying_does(state), "Try again", "Leave it")
            return {**button("Retry", deed, value), "confirm": asked}
        case Deed.RAISE:
            asked = confirm("Raise what holds it?", _what_raising_does(state), "Raise", "Leave it")
            return {**button("Raise budget", deed, value), "confirm": asked}
        case Deed.CANCEL:
            return _cancel(value, _what_cancelling_does(state))


def cancelling(state: RunState) -> Block:
    """The button that cancels the run, in a message that is not shown anew whenever something of the run changes."""
    does = "ends for good: what runs is told to stop, nothing more starts, and what can be undone is undone."
    return _cancel(f"{state.run}:{mark(state, Deed.CANCEL)}", f"{_named(state)} {does}")


def _cancel(value: str, does: str) -> Block:
    asked = confirm("Cancel this run?", does, "Cancel the run", "Let it go on")
    return {**button("Cancel", Deed.CANCEL, value, "danger"), "confirm": {**asked, "style": "danger"}}


def _lift(state: RunState, keys: Sequence[str]) -> Block:
    what = " and ".join(one_line(scope_words(key), 80) for key in keys)
    does = f"The switch that stopped {what} is lifted, and all that it holds goes on."
    return {
        **button("Lift", LIFT, f"{state.run}:0", "primary"),
        "confirm": confirm("Let it go on?", does, "Lift", "Leave it"),
    }


def confirm(title: str, markup: str, yes: str, no: str) -> Block:
    """Asked before a click counts; ``markup`` says what will happen then."""
    text = {"type": "mrkdwn", "text": clip_markup(markup, CONFIRM_LIMIT), "verbatim": True}
    return {"title": plain_text(title), "text": text, "confirm": plain_text(yes), "deny": plain_text(no)}


def _goes_on(state: RunState) -> bool:
    return state.end is None and not state.stopping and state.phase is Phase.FORWARD


def _can_be_retried(state: RunState) -> bool:
    if state.end is None:
        return state.phase is Phase.FORWARD and state.cancel is None and any(True for _ in dead_steps(state))
    if state.end.status is not RunStatus.FAILED or state.undone:
        return False
    return state.end.kind == "timeout" or any(True for _ in dead_steps(state))


def _what_retrying_does(state: RunState) -> str:
    dead = list(dead_steps(state))
    if not dead:
        return f"{_named(state)} goes on from where its time was over."
    again = "is run again with all its attempts" if len(dead) == 1 else "are run again with all their attempts"
    return f"{_few(dead)} of {_named(state)} {again}, and the run goes on from there."


def _what_raising_does(state: RunState) -> str:
    holds = list(used_up(state))
    names = dict.fromkeys(one_line(budget_words(key, state.run), 80) for hold in holds for key in hold.keys)
    by = say_money(sum(hold.amount for hold in holds))
    what = _few(list(names))
    return f"{by} more may be spent, which what comes next may cost, of {what}. Then {_named(state)} goes on."


def _what_cancelling_does(state: RunState) -> str:
    busy = [path for path, _ in state.opened(*AT_WORK)]
    stopped = f"{_few(busy)} {'is' if len(busy) == 1 else 'are'} told to stop, and " if busy else ""
    asked = ", and nobody needs to decide any more" if any(True for _ in state.opened(StepStatus.WAITING)) else ""
    return f"{_named(state)} ends for good: {stopped}nothing more starts{asked}. {_what_becomes_of_done(state)}"


def _what_becomes_of_done(state: RunState) -> str:
    if state.undoable:
        return f"Then what it did is undone: {_few(state.undoable[::-1])}."
    done = [step for step in state.plan.steps if state.step(step).status is StepStatus.COMPLETED]
    return f"What is done stays done: {_few(done)}." if done else "Nothing has been done so far."


def _few(names: Sequence[str]) -> str:
    return listed(names, 3)


def _named(state: RunState) -> str:
    return one_line(run_title(state), 80)
