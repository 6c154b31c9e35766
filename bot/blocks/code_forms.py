"""Modals for a run whose code no worker has: what it uses instead, or from where a new run does the rest.

The one rule: a form offers only what can be done: code that takes the same arguments, steps that the new run has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.blocks.forms import Place, View, block_of, field_block, modal, read_fields
from bot.blocks.gate_forms import reason_block
from bot.blocks.kit import Block, plain_text, section
from bot.blocks.operated import named_run
from bot.blocks.words import one_line
from engine.core.graph import Plan
from engine.core.kinds import InputField, InputType
from engine.core.state import RunState

USE_FORM = "question_use_form"
FORK_FORM = "question_fork_form"

CODE = "code"
STEP = "step"

MOST = 100
"""Options of a field. Of the code that there is, the closest; of the steps, the first."""
LONGEST = 150
"""Characters of an option."""


def use_form(state: RunState, path: str, uses: str, codes: Sequence[str], place: Place) -> View:
    """Asks what to use in place of ``uses``: one of ``codes``, of which there is at least one, the closest first."""
    what = (
        f"*Use other code for {one_line(path, 120)}*\nWherever {named_run(state)} says {one_line(uses, 80)}, it uses "
        "what you choose instead, with the same arguments, and goes on with that."
    )
    is_newer = codes[0].partition("@")[0] == uses.partition("@")[0]
    field = _choice(CODE, "Use instead", codes, codes[0] if is_newer else None)
    why = reason_block("Why?", "Shown in the run's thread and kept in its history.", optional=True)
    return modal(USE_FORM, "Use other code", "Use it", place, [section(what), field, why])


def fork_form(state: RunState, path: str, uses: str, plan: Plan, place: Place) -> View:
    """Asks from which step of ``plan``, the definition that the new run follows, it does the rest."""
    name = one_line(plan.workflow.name, 80)
    follows = f"It follows {name} as it is deployed now"
    if plan.workflow.hash == state.definition:
        follows = f"It follows {name} as this run does, since there is no other version now"
    if any(node.step.uses == uses for node in plan.nodes.values()):
        follows += f", which uses {one_line(uses, 80)} too, and so may wait like this one"
    what = (
        f"*Fork {named_run(state)}*\nA new run takes over what was done before the step that you choose, and does the "
        f"rest. {follows}. This run is left as it is: cancel it once it is not needed any more."
    )
    field = _choice(STEP, "Do anew from", list(plan.steps), path)
    return modal(FORK_FORM, "Fork", "Start it", place, [section(what), field])


def chosen(name: str, values: Mapping[str, Any]) -> str:
    """What was chosen in the form, in its field ``name``."""
    return read_fields(values).get(name, "")


def wrong_at(name: str, problem: str) -> dict[str, str]:
    """A problem with what was chosen, at its field."""
    return {block_of(name): f"{problem[:1].upper()}{problem[1:]}{'' if problem.endswith('?') else '.'}"}


def _choice(name: str, label: str, options: Sequence[str], initial: str | None) -> Block:
    shown = tuple(one for one in options if len(one) <= LONGEST)[:MOST]
    field = InputField(type=InputType.CHOICE, choices=shown)
    return {**field_block(name, field, initial), "label": plain_text(label)}
