"""What only the person who asked sees: lists, and what was wrong and what to do about it.

The one rule: an answer to a mistake has one clear sentence and an example that works.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from bot.blocks.kit import SECTION_LIMIT, TEXT_LIMIT, Message, clip_markup, entities, section, seen
from bot.blocks.newer import ROWS_LIMIT, table
from bot.blocks.words import date, either, one_line, short_id
from engine.core.definition import Workflow
from engine.core.inputs import sample_of
from engine.core.kinds import InputField
from engine.core.state import RunStatus

LISTED = 30
"""Workflows that are told one by one."""

_FOR_OTHERS = 20
_SAMPLE = 80
_TYPED = 12
"""Inputs of an example; whoever needs more of them is better served by the form."""

_SIGNS: Mapping[str, str] = {
    RunStatus.QUEUED: "…",
    RunStatus.WAITING: "…",
    RunStatus.PAUSED: "‖",
    RunStatus.UNDOING: "↶",
    RunStatus.CANCELLING: "■",
    RunStatus.COMPLETED: "✓",
    RunStatus.FAILED: "✗",
    RunStatus.CANCELLED: "■",
}


class RunLine(Protocol):
    """What a list shows of a run."""

    @property
    def id(self) -> str: ...
    @property
    def workflow(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def started_by(self) -> str: ...
    @property
    def created_at(self) -> int: ...


def said(text: str) -> Message:
    """A message of mrkdwn text alone."""
    return Message(clip_markup(text, TEXT_LIMIT))


def mistake(sentence: str, example: str = "") -> Message:
    """What was wrong (mrkdwn), and a command that works."""
    return said(f"{sentence}\nFor example: `{example}`" if example else sentence)


def paragraphs(lines: Iterable[str]) -> Message:
    """Lines, in as few sections as they fit into; where they are too many, those before the last are counted."""
    sections: list[str] = []
    for line in _in_room(list(lines)):
        if sections and len(sections[-1]) + len(line) < SECTION_LIMIT:
            sections[-1] += f"\n{line}"
        else:
            sections.append(line)
    return Message("\n".join(sections), tuple(section(text) for text in sections))


def tabled(head: Sequence[str], rows: Sequence[Sequence[str]], lines: Sequence[str], last: str) -> Message:
    """A table of texts that are not escaped, and ``lines`` that say the same of each row; ``last`` comes below.

    What the message's text has no room for is in no table either.
    """
    plain = paragraphs([*lines, last])
    if len(rows) >= ROWS_LIMIT or any(line not in plain.text for line in lines):
        return plain
    return Message(plain.text, (table(head, rows), section(last)), plain.blocks)


def _in_room(lines: list[str]) -> list[str]:
    room = TEXT_LIMIT
    if sum(len(line) + 1 for line in lines) <= room:
        return lines
    *first, last = (clip_markup(line, SECTION_LIMIT) for line in lines)
    room -= len(last) + _FOR_OTHERS
    for count, line in enumerate(first):
        room -= len(line) + 1
        if room < 0:
            return [*first[:count], f"and {len(first) - count} more.", last]
    return [*first, last]


# Lists


def workflows(command: str, known: Sequence[Workflow]) -> Message:
    """The workflows, how to start each, and the inputs that may be left out; as many as one message has room for."""
    if not known:
        return no_workflows()
    told: list[str] = []
    for workflow in known[:LISTED]:
        about = f": {one_line(workflow.description)}" if workflow.description.strip() else ""
        optional = _typed(workflow, required=False)
        more = f"\nOptional: `{optional}`" if optional else ""
        only = f"\nOnly {either(workflow.who_can_run)} can start it." if workflow.who_can_run else ""
        told.append(f"*{workflow.name}*{about}\n`{example(command, workflow)}`{more}{only}")
        if len("\n".join(told)) > TEXT_LIMIT - _FOR_OTHERS:
            told.pop()
            break
    if len(known) > len(told):
        told.append(f"and {len(known) - len(told)} more.")
    return Message("\n".join(told), tuple(section(text) for text in told))


def no_workflows() -> Message:
    return said("No workflow is loaded. Put a definition into the workflows folder of the bot, and restart it.")


def example(command: str, workflow: Workflow) -> str:
    """A command that starts ``workflow``, with every required input; escaped."""
    typed = _typed(workflow, required=True)
    return f"{command} run {workflow.name} {typed}" if typed else f"{command} run {workflow.name}"


def _typed(workflow: Workflow, *, required: bool) -> str:
    """The inputs that have to be given, or those that may be, each with a value that it takes; escaped."""
    chosen = [(name, field) for name, field in workflow.input.items() if field.is_required is required]
    typed = [entities(seen(f"{name}={_sample(name, field)}")) for name, field in chosen[:_TYPED]]
    return " ".join([*typed, "…"] if len(chosen) > _TYPED else typed)


def _sample(name: str, field: InputField) -> str:
    """A value as it is typed; an ellipsis for one that cannot be made up, or not be shown as code on a line."""
    value = sample_of(name, field)
    if value is None or len(value) > _SAMPLE or any(character in value for character in "`\n"):
        return "…"
    return json.dumps(value, ensure_ascii=False) if re.search(r"[\s\"'\\]", value) else value


def runs(command: str, known: Sequence[RunLine], workflow: str = "", *, own: bool = False) -> Message:
    """The newest runs first, one line each."""
    if not known:
        of = " of yours" if own else f" of {one_line(workflow)}" if workflow else ""
        return said(f"There are no runs{of} yet. Start one with `{command} run`.")
    lines = [
        f"`{short_id(run.id)}` *{run.workflow}* {standing_of(run)} · "
        f"{one_line(run.started_by, 80)}, {date(run.created_at)}"
        for run in known
    ]
    return paragraphs([*lines, f"`{command} status RUN` tells more."])


def standing_of(run: RunLine) -> str:
    """Where the run is: a sign, its status, and what the summary adds to that."""
    summary = one_line(run.summary, 120)
    if not summary.startswith(run.status):
        summary = run.status if run.status == RunStatus.COMPLETED else f"{run.status}: {summary}"
    return f"{_SIGNS.get(run.status, '→')} {summary}"


# Starting


def unknown_groups(workflow: str, missing: Sequence[str]) -> Message:
    """The workflow asks people whom the workspace does not have."""
    return said(
        f"{workflow} was not started: it asks {either(missing)} to decide, and no such group, person or channel is in "
        "this workspace. Create it (and invite this bot, if it is a private channel), or correct the definition."
    )


NOT_IN_TIME = (
    "The database did not answer in time, so your decision could not be recorded. Click again; "
    "if the first click did count after all, you are told so."
)
START_NOT_IN_TIME = (
    "The database did not answer in time, so it is not certain that the run was started. "
    "Look with `{command} runs` before you try again."
)
RETRY_NOT_IN_TIME = (
    "The database did not answer in time, so it is not certain that the step was begun anew. "
    "Look with `{command} status RUN` before you try again: its effects would be made once more."
)
KEY_NOT_IN_TIME = (
    "The database did not answer in time, so it is not certain that this was recorded. "
    "Look in the list of keys before you try again."
)
ASK_NOT_IN_TIME = "The database did not answer in time. Try again in a moment."
FORM_NOT_OPENED = "Slack did not open the form in time. Please try once more."
UNKNOWN_BUTTON = (
    "I do not know this button: it is of another release of me. Nothing was changed. Try again in a moment; "
    "`/vb status RUN` shows what can be done with a run now."
)
UNKNOWN_FORM = (
    "I do not know this form: it is of another release of me. Nothing was changed. Send it again in a moment, or open "
    "it anew."
)
UNEXPECTED = "Something went wrong in the bot, and the details are in its log. Try again, or tell whoever runs the bot."
NO_WORKFLOW_TAKES_MESSAGES = (
    "No workflow here takes a message. Give one an input called `message` (or of the type `text`) for what it says, or "
    "`message_url` (or of the type `url`) for its address."
)
NOTHING_TO_START = (
    "None of the workflows here is for you to start: their definitions name others. `/vb list` says whom."
)
