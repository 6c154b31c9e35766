"""What one person is told who wanted to decide, and whose click changed nothing: why, and what counts now.

The one rule: nothing is left open. It says who decided, what changed, or what to do, and that nothing was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.approval import Question, approval
from bot.blocks.gate_words import by_whom
from bot.blocks.kit import TEXT_LIMIT, Message, clip_markup, escape, section
from bot.blocks.replies import said
from bot.blocks.words import either, named
from engine.core.durations import say_duration
from engine.core.gates import Ballot, Gate, GateDecision, Verdict
from engine.core.state import RunState, RunStatus

JUST_NOW = 1_000

NO_REASON = "Write why, for those who wait for this run."
NO_DELEGATE = "Choose a full member of this workspace; guests, bots and people who have left cannot decide."
NOTHING_WAITS = "Nothing like it waits for you any more."
NOTHING_CHANGED = "Nothing is different from before. Change a value, or close this form."


def decided_before(decision: GateDecision, clicker: str, now: int) -> Message:
    """A click by the Slack user ``clicker`` finds the decision made."""
    when = _ago(decision.at, now)
    if decision.by is None:
        return said(f"Already expired {when}: nobody decided in time. Nothing was changed by your click.")
    word = "approved" if decision.verdict is Verdict.GRANTED else "denied"
    who = "you" if (decision.by.via, decision.by.id) == ("slack", clicker) else named(decision.by)
    return said(f"Already {word} by {who} {when}. Nothing was changed by your click.")


def voted_before(ballot: Ballot, clicker: str, now: int) -> Message:
    """The approval of ``clicker`` counts already, or of the one for whom they decide."""
    mine = (ballot.by.via, ballot.by.id) == ("slack", clicker)
    who = "You have" if mine and ballot.on_behalf_of is None else f"{by_whom(ballot.by, ballot.on_behalf_of)} has"
    return said(
        f"{who} approved this already {_ago(ballot.at, now)}, and that counts once. "
        "More approvals have to come from other people. Nothing was changed by your click."
    )


def not_open(status: RunStatus | None = None) -> Message:
    """The question is not waiting for a decision."""
    why = f"the run is {status.value}" if status is not None else "the run has gone on since"
    return said(f"This question is not open any more: {why}. Nothing was changed.")


def changes_asked(gate: Gate) -> Message:
    """Somebody has asked for changes; the gate asks anew after that."""
    by = named(gate.changes.by) if gate.changes is not None else "somebody"
    return said(f"{by} has asked for changes; you are asked anew when they are made. Nothing was changed.")


def outdated(state: RunState, step: str, gate: Gate) -> Message:
    """What the person saw has changed since, and is shown as it is now, with its buttons."""
    who = "" if gate.edited is None else f"{named(gate.edited.event.by)} has "
    lead = f"{who or 'It was '}changed {'what is decided on ' if who else ''}since you saw it. Nothing was recorded."
    now = approval(state, step, gate, Question({}, gate.asked, stage=gate.stage, version=gate.version))
    text = f"{lead} This is how it is now:\n{now.text}"
    return Message(clip_markup(text, TEXT_LIMIT), (section(f"{lead} This is how it is now:"), *now.blocks))


def not_asked(asked: Sequence[str]) -> Message:
    """The gate has gone on to others while the person was about to decide."""
    return said(f"{either(asked)} is asked now, and you do not belong there. Nothing was changed.")


def not_allowed(why: str) -> Message:
    return said(f"You may not decide this: {escape(why)}. Nothing was changed.")


def whole(state: RunState, step: str, gate: Gate) -> Message:
    """The request as it is now, for one person who looks at it."""
    question = Question({}, gate.asked, elsewhere=True, stage=gate.stage, version=gate.version)
    return approval(state, step, gate, question)


def _ago(at: int, now: int) -> str:
    return "just now" if now - at < JUST_NOW else f"{say_duration(now - at)} ago"
