"""Starting a run on a person's word, whether they typed it all or filled a form in.

The one rule: everything that can be known to be wrong is said before anything is started.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from bot.blocks import replies, start_forms
from bot.blocks.forms import Place, View
from bot.blocks.kit import Message
from bot.blocks.words import one_line
from bot.listeners.desk import Desk, Where, actor
from bot.listeners.naming import with_names
from bot.people.policy import Act, Refused
from engine.core.definition import Workflow
from engine.core.inputs import validate_input


@dataclass(frozen=True, slots=True)
class Wanted:
    """A start as a person asked for it. Two with one ``dedupe_key`` are one run."""

    workflow: Workflow
    given: Mapping[str, str]
    where: Where
    dedupe_key: str


@dataclass(frozen=True, slots=True)
class Started:
    run: str


@dataclass(frozen=True, slots=True)
class BadInputs:
    """``problems``: a sentence for each input that is wrong or missing, also for names that are no inputs."""

    problems: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class NotStarted:
    """It cannot be started by this person or in this workspace, whatever the inputs."""

    message: Message


async def start(desk: Desk, wanted: Wanted) -> Started | BadInputs | NotStarted:
    """Start the run, durable on return, or say what is wrong. Raises ``Unreadable``, and what the engine raises."""
    verdict = await desk.from_slack(desk.roles.may_start(wanted.where.user, wanted.workflow))
    if isinstance(verdict, Refused):
        return NotStarted(replies.said(verdict.sentence))
    values, problems = validate_input(wanted.workflow, wanted.given, text=True)
    if problems:
        return BadInputs(problems)
    missing, (given, unknown) = await desk.from_slack(
        asyncio.gather(
            _missing(desk, wanted.workflow),
            with_names(desk.directory, wanted.workflow.input, {**wanted.given, **_texts(wanted.given, values)}),
        )
    )
    if unknown:
        return BadInputs(unknown)
    if missing:
        return NotStarted(replies.unknown_groups(one_line(wanted.workflow.name), missing))
    begun = await desk.engine.start(
        wanted.workflow.name,
        given,
        by=actor(verdict.person),
        origin=desk.origin(wanted.where),
        dedupe_key=wanted.dedupe_key,
        text=True,
    )
    return Started(begun.run)


async def pick(desk: Desk, user: str, place: Place) -> View | Message:
    """The choice of a workflow; or why there is nothing to choose from. Raises ``Unreadable``."""
    known = desk.engine.workflows
    if not known:
        return replies.no_workflows()
    own = await desk.from_slack(desk.roles.startable(user, known.values()))
    if not own:
        verdict = await desk.from_slack(desk.roles.may(Act.START, user))
        return replies.said(verdict.sentence if isinstance(verdict, Refused) else replies.NOTHING_TO_START)
    if place.is_message and not any(map(start_forms.takes_message, own)):
        return replies.said(replies.NO_WORKFLOW_TAKES_MESSAGES)
    return start_forms.picker(place)


def _texts(given: Mapping[str, str], values: Mapping[str, JsonValue]) -> dict[str, str]:
    """What was given as texts, as it was read: a name that was typed without its sign has it."""
    return {name: value for name, value in values.items() if name in given and isinstance(value, str)}


async def _missing(desk: Desk, workflow: Workflow) -> list[str]:
    """Those asked by the workflow whom the workspace surely does not have."""
    found = await asyncio.gather(*(desk.directory.asked(who, workflow.name) for who in dict.fromkeys(_asked(workflow))))
    return [asked.who for asked in found if asked.kind == "missing"]


def _asked(workflow: Workflow) -> Iterator[str]:
    for step in workflow.steps:
        if step.approval is not None:
            yield from step.approval.names
