"""`vb estimate`: what a run may cost, before anything is started.

The one rule: it is always called an estimate, and says what it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from rich.table import Table

from bot.config.known import catalog
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE
from bot.console.output import note, out, say, say_json
from bot.console.start import read_pairs
from bot.text.plain import one_line
from engine.core.definition import Workflow
from engine.core.errors import InvalidInput
from engine.core.estimate import NOTHING, Estimate, Range, StepEstimate, estimate, range_words
from engine.core.inputs import validate_input
from engine.core.money import say_money
from engine.prices import advice


async def estimate_run(settings: Settings, workflow: str, pairs: Sequence[str], *, as_json: bool) -> int:
    """Tell what a run of ``workflow`` may cost with these inputs; those that are missing count as not known."""
    pairs_given = read_pairs(pairs)
    if settings.is_embedded_database and not settings.database_file.exists():
        known, _ = catalog(settings)
        plan = known.plan(workflow)
        definition, values = plan.workflow, _values(plan.workflow, pairs_given)
        found = estimate(plan, values, settings.models.prices.of)
    else:
        async with defining_engine(settings) as engine:
            definition = engine.workflow(workflow)
            values = _values(definition, pairs_given)
            found = await engine.forecasts.of(definition, values) or Estimate((), NOTHING)
    return _tell(definition, found, as_json=as_json)


def _values(definition: Workflow, given: Mapping[str, str]) -> dict[str, JsonValue]:
    values, problems = validate_input(definition, given, text=True)
    wrong = {name: text for name, text in problems.items() if name in values or "is missing" not in text}
    if wrong:
        raise InvalidInput(definition.name, wrong)
    return values


def _tell(definition: Workflow, found: Estimate, *, as_json: bool) -> int:
    workflow = definition.name
    if as_json:
        say_json(_described(workflow, found))
        return DONE
    if not found.steps:
        say(f"{one_line(workflow)} asks no model, so that it costs nothing by itself.")
        return DONE
    out.print(_table(found))
    for one in found.steps:
        say(f"{one_line(one.step)}: {one_line('; '.join(one.reasons), 400)}")
    say(f"Estimate for one run of {one_line(workflow)}: {range_words(found.cost)}.")
    models = {one.step: one.model for one in found.steps}
    for step in found.unpriced:
        note(f"{step} is not in it: no price is known for {one_line(models[step])}; {one_line(advice(models[step]))}")
    limit = definition.budget.limit if definition.budget is not None else None
    if limit is not None:
        note(f"Whatever the estimate says, a run is held once it has spent {say_money(limit)}, its budget.")
    return DONE


def _table(found: Estimate) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("step", "model", "questions", "low", "likely", "high"):
        table.add_column(name, justify="right" if name in ("low", "likely", "high") else "left")
    for one in found.steps:
        cost = ["?"] * 3 if one.cost is None else [say_money(each) for each in one.cost]
        table.add_row(one_line(one.step), one_line(one.model), _count(one.calls), *cost)
    return table


def _count(calls: Range) -> str:
    return str(calls.high) if calls.low == calls.high else f"{calls.low} to {calls.high}"


def _described(workflow: str, found: Estimate) -> JsonValue:
    steps: list[JsonValue] = [_step(one) for one in found.steps]
    return {
        "workflow": workflow,
        "estimate": _usd(found.cost),
        "unpriced": list(found.unpriced),
        "steps": steps,
    }


def _step(one: StepEstimate) -> JsonValue:
    return {
        "step": one.step,
        "model": one.model,
        "questions": dict(one.calls._asdict()),
        "cost": None if one.cost is None else _usd(one.cost),
        "reasons": list(one.reasons),
    }


def _usd(cost: Range) -> JsonValue:
    """In millionths of a US dollar."""
    return {"unit": "micro-USD", **cost._asdict()}
