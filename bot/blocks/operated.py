"""What was done to a run on somebody's word, what was not, and why; only they see it.

The one rule: it says what happens next, from the run as it is now, and how to take it back where that can be done.
"""

from __future__ import annotations

from bot.blocks.card import status_words
from bot.blocks.kit import Message, escape
from bot.blocks.replies import said
from bot.blocks.words import listed, one_line, run_title, short_id
from engine.core import commands as c
from engine.core.state import AT_WORK, RunState


def paused(command: str, state: RunState) -> Message:
    busy = [path for path, _ in state.opened(*AT_WORK)]
    left = f"; {listed(busy)} is finished first" if busy else ""
    return said(
        f"Paused {named_run(state)}: nothing new starts{left}. `{command} resume {short_id(state.run)}` goes on."
    )


def resumed(command: str, state: RunState) -> Message:
    return said(f"Resumed {named_run(state)}.")


def stopping(command: str, state: RunState) -> Message:
    return said(f"Stopping {named_run(state)}. Its card tells when it has ended.")


def retried(step: str, state: RunState) -> Message:
    return said(
        f"{named_run(state)} goes on from *{one_line(step)}*, which is done anew with all that follows from it."
    )


def redriven(state: RunState) -> Message:
    return said(f"{named_run(state)} goes on: what had failed is tried again with all its attempts.")


def forked(step: str, old: RunState, new: RunState) -> Message:
    return said(f"Started {named_run(new)}, which takes over what {named_run(old)} had done before *{one_line(step)}*.")


def no_other_code(path: str, uses: str) -> Message:
    """Nothing can be chosen in place of code that no worker has."""
    return said(
        f"There is no other code here that takes the arguments of *{one_line(path)}*. Start a worker that has "
        f"{one_line(uses, 80)}, fork the run, or cancel it. Nothing was changed."
    )


def so_already(state: RunState) -> Message:
    return said(f"{named_run(state)} was so already ({status_words(state)}); nothing was changed.")


def not_so_any_more(state: RunState) -> Message:
    """A click on a button that the run has got past: by a click before it, or by itself."""
    since = f"{named_run(state)} is not any more as it was when this button was shown ({status_words(state)})"
    return said(f"{since}. Nothing was changed by your click; its card has the buttons that count now.")


def refused(state: RunState, reply: c.Reply) -> Message | None:
    """Why nothing was done; None if it was. ``state`` is the run as it is now."""
    match reply:
        case c.NotAllowed(reason):
            mark = "" if reason.endswith("?") else "."
            return said(f"{named_run(state)} was left as it is: {escape(reason)}{mark}")
        case c.Nothing():
            return so_already(state)
        case c.Ended():
            return said(f"{named_run(state)} has ended already ({status_words(state)}); nothing was changed.")
        case _:
            return None


def named_run(state: RunState) -> str:
    """A run in a sentence; escaped."""
    return f"{one_line(run_title(state))} (`{short_id(state.run)}`)"
