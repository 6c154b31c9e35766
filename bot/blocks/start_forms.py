"""Modals to start a run with: the choice of a workflow, its inputs, and what will run; and the choice of a run.

The one rule: a form is made from the definition alone, and says what sending it will do before anybody sends it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.blocks.forms import FIELD, MOST_FIELDS, Place, View, entered_in, field_block, modal, option
from bot.blocks.kit import Block, clip, context, plain_text, section
from bot.blocks.replies import RunLine
from bot.blocks.vocabulary import Word
from bot.blocks.words import either, one_line, short_id
from engine.core.definition import Step, Workflow
from engine.core.durations import say_duration
from engine.core.kinds import InputType

PICKER = "picker_form"
START = "start_form"
RUN_PICKER = "run_picker_form"

CHOOSE_WORKFLOW = "choose_workflow"
CHOOSE_RUN = "choose_run"
"""Action ids of the fields whose options are asked for while somebody types."""

WORKFLOW_BLOCK = "workflow"
RUN_BLOCK = "run"
WHY_BLOCK = "why"
CHANNEL_BLOCK = "tell_in"

_MOST_BYTES = 200_000
"""Of the 250,000 of a modal; the rest is for what is typed, and said about it."""

SUGGESTED = 100
_SHOWN_STEPS = 15
_TITLE = 24


def can_be_shown(workflow: Workflow) -> bool:
    """Whether all its inputs fit into one form, with their descriptions and defaults."""
    if len(workflow.input) > MOST_FIELDS:
        return False
    form = start_form(workflow, Place(""), {}, {})
    return len(json.dumps(form, ensure_ascii=False).encode()) <= _MOST_BYTES


# The inputs


def start_form(
    workflow: Workflow, place: Place, given: Mapping[str, str], problems: Mapping[str, str], notes: Sequence[str] = ()
) -> View:
    """The inputs of ``workflow``, filled with what was ``given`` (people and channels by id), and what will run.

    ``problems`` has a sentence for each field that is wrong, ``notes`` says what was wrong besides. Both are said above
    the fields: the place at a field is for what is wrong with it when the form is sent, and shows that by itself.
    """
    wrong = [*notes, *(problems[name] for name in workflow.input if name in problems)]
    blocks: list[Block] = []
    if wrong:
        blocks.append(section("\n".join(f"✗ {one_line(each)}." for each in wrong)))
    blocks += [section(about)] if (about := _about(workflow)) else []
    blocks += [field_block(name, field, given.get(name)) for name, field in workflow.input.items()]
    if not place.channel:
        blocks.append(_where())
    blocks.append(context(preview(workflow)))
    return modal(START, _start_title(workflow), "Start", place, blocks)


def preview(workflow: Workflow) -> str:
    """What will run, step by step, and who will be asked; mrkdwn."""
    steps = [_step(step) for step in workflow.steps[:_SHOWN_STEPS]]
    more = len(workflow.steps) - len(steps)
    told = " → ".join(steps) + (f" → and {more} more" if more > 0 else "")
    return f"Will run: {told}."


def read_channel(values: Mapping[str, Any]) -> str:
    """The id of the channel that was chosen to tell the run in; empty where the form did not ask."""
    return _field(values, CHANNEL_BLOCK).removeprefix("#")


def _field(values: Mapping[str, Any], block: str) -> str:
    """What a field of the form holds; empty if it has none, or nothing in it."""
    fields: Mapping[str, Any] = values.get(block) or {}
    return entered_in(fields.get(FIELD) or {}) or ""


def _where() -> Block:
    """A run that is started from nowhere in particular has to be told somewhere."""
    return {
        "type": "input",
        "block_id": CHANNEL_BLOCK,
        "label": plain_text("Tell of it in"),
        "element": {
            "type": "conversations_select",
            "action_id": FIELD,
            "default_to_current_conversation": True,
            "filter": {"include": ["public", "private"]},
        },
    }


def _about(workflow: Workflow) -> str:
    """What is not said by the form's title and fields; the title has no room for a long name."""
    told = [f"*{workflow.name}*"] if len(_start_title(workflow)) > _TITLE else []
    told += [one_line(workflow.description)] if workflow.description.strip() else []
    told += [] if workflow.input else ["It takes no inputs."]
    return "\n".join(told)


def _start_title(workflow: Workflow) -> str:
    return f"Start {workflow.name}"


def _step(step: Step) -> str:
    does = _does(step)
    often = " for each item" if step.for_each is not None else " again and again" if step.repeat is not None else ""
    maybe = ", perhaps" if step.if_ is not None else ""
    return f"*{step.id}* ({does}{often}{maybe})"


def _does(step: Step) -> str:
    asked = step.llm or step.agent
    if asked is not None:
        return f"asks {one_line(asked.model)}"
    if step.uses is not None:
        return f"`{step.uses.partition('@')[0]}`"
    if step.approval is not None:
        return f"asks {', then '.join(_asked(approvers) for _, approvers, _ in step.approval.asking)}"
    if step.workflow is not None:
        return f"runs {one_line(step.workflow.name)}"
    if step.wait_for is not None:
        return f"waits for {one_line(step.wait_for.signal)}"
    if step.sleep is not None:
        pause = step.sleep.for_
        return f"pauses for {say_duration(pause)}" if isinstance(pause, int) else "pauses"
    return "several steps" if step.steps is not None else "values"


def _asked(approvers: Sequence[str]) -> str:
    """Those whom the definition names; those whom the run finds are not known yet."""
    known = [who for who in approvers if "${{" not in who]
    return either(known) if known else "people whom it finds"


# A message as input

MESSAGE, LINK = "message", "message_url"
"""Inputs of these names get a message's text and address; without them, the first of a type that fits."""


def from_message(workflow: Workflow, place: Place) -> dict[str, str]:
    """The inputs that the message gives on which the form was opened."""
    text = _input_for(workflow, MESSAGE, InputType.TEXT)
    link = _input_for(workflow, LINK, InputType.URL)
    given = {text: place.message} if text and place.message else {}
    return {**given, **({link: place.link} if link and place.link else {})}


def takes_message(workflow: Workflow) -> bool:
    """Whether a message can be an input of the workflow."""
    return bool(_input_for(workflow, MESSAGE, InputType.TEXT) or _input_for(workflow, LINK, InputType.URL))


def _input_for(workflow: Workflow, name: str, type_: InputType) -> str:
    if name in workflow.input:
        return name
    return next((other for other, field in workflow.input.items() if field.type is type_), "")


# Choosing


def picker(place: Place) -> View:
    """A choice of the workflows, which leads to the form of the chosen one."""
    choice = _choice(WORKFLOW_BLOCK, "Workflow", CHOOSE_WORKFLOW, "Type a part of its name")
    return modal(PICKER, "Start a workflow", "Next", place, [choice])


def read_picker(values: Mapping[str, Any]) -> str:
    """The chosen workflow's name."""
    return values[WORKFLOW_BLOCK][CHOOSE_WORKFLOW]["selected_option"]["value"]


def workflow_options(workflows: Iterable[Workflow], typed: str) -> list[Block]:
    """Those whose name or description has what was typed, the names that begin with it first."""
    wanted = typed.strip().lower()
    fitting = [one for one in workflows if wanted in one.name.lower() or wanted in one.description.lower()]
    fitting.sort(key=lambda one: (not one.name.lower().startswith(wanted), wanted not in one.name.lower(), one.name))
    return [option(one.name, one.name, one.description) for one in fitting[:SUGGESTED]]


def run_picker(word: Word, place: Place) -> View:
    """A choice of the runs, for a word that is about one, and the reason where that is kept."""
    blocks = [_choice(RUN_BLOCK, "Run", CHOOSE_RUN, "Type a part of its id, workflow or inputs")]
    if "[why …]" in word.usages[0].typed:
        why: Block = {"type": "plain_text_input", "action_id": FIELD, "max_length": 1_000}
        hint = plain_text("Kept in the run's history.")
        blocks.append(
            {
                "type": "input",
                "block_id": WHY_BLOCK,
                "optional": True,
                "label": plain_text("Why?"),
                "hint": hint,
                "element": why,
            }
        )
    blocks.append(context(f"{word.usages[0].does[0].upper()}{word.usages[0].does[1:]}."))
    return modal(RUN_PICKER, "Which run?", word.name.capitalize(), place, blocks)


def read_run_picker(values: Mapping[str, Any]) -> tuple[str, str]:
    """The chosen run's id, and why."""
    return values[RUN_BLOCK][CHOOSE_RUN]["selected_option"]["value"], _field(values, WHY_BLOCK).strip()


def run_options(runs: Sequence[RunLine]) -> list[Block]:
    """The runs as they were found, with where each is."""
    return [
        option(f"{clip(run.workflow, 40)} · {run.status} · {short_id(run.id)}", run.id, run.summary)
        for run in runs[:SUGGESTED]
    ]


def _choice(block: str, label: str, action: str, placeholder: str) -> Block:
    element = {
        "type": "external_select",
        "action_id": action,
        "min_query_length": 0,
        "placeholder": plain_text(placeholder),
    }
    return {"type": "input", "block_id": block, "label": plain_text(label), "element": element}
