"""A run's timeline in a modal, page by page, and the way to all of its log: as a file, and at a terminal.

The one rule: it is a function of the run's history; a page is a place in that, so what is on it stays on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.blocks import timeline
from bot.blocks.card import progress, status_words
from bot.blocks.forms import View
from bot.blocks.kit import Block, actions, button, context, plain_text, section, title
from bot.blocks.words import command, counted, moment, run_title
from engine.core.events import RunStarted
from engine.core.fold import NO_PLANS, begin
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState

DETAILS = "details"
"""The modal's callback id."""

EARLIER = "details_earlier"
LATER = "details_later"
LATEST = "details_latest"
LOG = "details_log"

ON_ITS_WAY = "The log is on its way to your messages with me."

PAGE = 20
LAST = -1
"""The number of the last page, whichever that is."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the timeline, and when it happened."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """A run, the lines that are told of it, and how many events it has."""

    state: RunState
    told: Sequence[Told]
    events: int


@dataclass(frozen=True, slots=True)
class LogFile:
    """The run's whole log as a file: whether this person has it, where (``link``), or what is to be said of it."""

    link: str = ""
    note: str = ""
    shared: bool = False


NO_FILE = LogFile()


def told(run: str, plan: Plan, events: Sequence[Recorded], plans: Mapping[str, Plan] = NO_PLANS) -> Timeline:
    """The timeline of the run with this whole history."""
    first = events[0]
    if not isinstance(first.event, RunStarted):
        raise ValueError(f"{run} does not begin with RUN_STARTED")
    before = begin(run, plan, first.event, first.at)
    lines, state = timeline.lines(before, events[1:], plans)
    at = {recorded.seq: recorded.at for recorded in events}
    return Timeline(
        state, [Told(at[line.seq], line.text) for line in (timeline.first_line(before), *lines)], len(events)
    )


def details(found: Timeline, page: int = LAST, log: LogFile = NO_FILE) -> View:
    """One page of the timeline, in the order in which it happened."""
    pages = -(-len(found.told) // PAGE)
    shown = pages - 1 if page == LAST else min(max(page, 0), pages - 1)
    state = found.state
    head = [title(run_title(state)), section(f"{status_words(state)} · {progress(state)}")]
    lines = found.told[shown * PAGE : (shown + 1) * PAGE]
    blocks = [*head, *(section(f"{moment(line.at)}  {line.text}") for line in lines)]
    blocks += [context(_place(found, shown, pages)), *_of_log(log), _leafing(shown, pages, log)]
    whole = f"Every one of its {counted(found.events, 'event')}, at a terminal: {command('show', state.run)}"
    return {
        "type": "modal",
        "callback_id": DETAILS,
        "title": plain_text("Details"),
        "close": plain_text("Close"),
        "private_metadata": state.run,
        "blocks": [*blocks, context(whole)],
    }


def _place(found: Timeline, page: int, pages: int) -> str:
    first = page * PAGE + 1
    last = min(first + PAGE - 1, len(found.told))
    return f"{first} to {last} of {counted(len(found.told), 'line')}, page {page + 1} of {pages}"


def _of_log(log: LogFile) -> list[Block]:
    if log.shared:
        return [section(f"The log is in your messages with me{f': <{log.link}|open it>' if log.link else ''}.")]
    return [section(log.note)] if log.note else []


def _leafing(page: int, pages: int, log: LogFile) -> Block:
    """Buttons to the other pages; the last one also shows what has happened meanwhile. A log can be had once."""
    made = [button("Earlier", EARLIER, f"{page - 1}")] if page else []
    made += [button("Later", LATER, f"{page + 1}")] if page + 1 < pages else []
    made.append(button("Latest", LATEST, f"{LAST}"))
    made += [] if log.shared or log.note == ON_ITS_WAY else [button("Log as a file", LOG, f"{page}")]
    return actions("details_pages", made)
