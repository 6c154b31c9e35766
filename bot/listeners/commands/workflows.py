"""``run`` and ``list``: what can be started, and starting it."""

from __future__ import annotations

from bot.blocks import replies, start_forms
from bot.blocks.forms import Place
from bot.blocks.kit import escape
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.desk import Desk
from bot.listeners.naming import with_ids
from bot.listeners.previewing import start_form
from bot.listeners.starting import BadInputs, NotStarted, Wanted, pick, start
from bot.people.policy import Act, Refused
from engine.core.definition import Workflow
from engine.core.inputs import parse_pairs


async def run(desk: Desk, typed: Typed) -> Answer:
    """Start a run; or open a form for what is missing or wrong, or the picker where no workflow is named."""
    name, inputs = split(typed.rest)
    if not name:
        return await pick(desk, typed.user, Place(typed.where.channel, thread=typed.where.thread))
    workflow = desk.engine.workflow(name)
    given, notes = parse_pairs(inputs)
    if notes:
        return await _form(desk, workflow, typed, given, {}, notes)
    match await start(desk, Wanted(workflow, given, typed.where, typed.key)):
        case BadInputs(problems):
            return await _form(desk, workflow, typed, given, problems, [])
        case NotStarted(message):
            return message
        case _:
            return None


async def list_workflows(desk: Desk, typed: Typed) -> Answer:
    """The workflows, and how to start each."""
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    return replies.workflows(typed.command, list(desk.engine.workflows.values()))


async def _form(
    desk: Desk, workflow: Workflow, typed: Typed, given: dict[str, str], problems: dict[str, str], notes: list[str]
) -> Answer:
    """The form for what is missing or wrong; a sentence where a form would have no field for it."""
    notes = [*notes, *(problem for name, problem in problems.items() if name not in workflow.input)]
    if not workflow.input or not start_forms.can_be_shown(workflow):
        said = "; ".join(dict.fromkeys([*notes, *problems.values()]))
        example = replies.example(typed.command, workflow)
        return replies.mistake(f"{workflow.name} was not started: {escape(said)}.", example)
    wrong = {name: problem for name, problem in problems.items() if name in given}
    place = Place(typed.where.channel, workflow.name, typed.where.thread)
    shown = await desk.from_slack(with_ids(desk.directory, workflow.input, given))
    return await start_form(desk, workflow, place, shown, wrong, notes, typed.key)
