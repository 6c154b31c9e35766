"""What a run may cost before it starts: low, likely and high, step by step, each with its reasons.

The one rule: it is a guess, is always called an estimate, and says what it was made from. What holds is the budget.

Tokens are reckoned at four characters each. Money is in millionths of a US dollar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

from engine.core import paths
from engine.core.agent_parts import TURN_CODE
from engine.core.corrections import CORRECTING_CODE
from engine.core.expressions import Compiled, ExpressionError, Template, compile_value
from engine.core.graph import Kind, Plan, PlannedStep, family_of
from engine.core.models import LLM, image_tokens
from engine.core.money import Micros, say_money
from engine.core.prices import Price
from engine.core.state import RunState

CHARACTERS_PER_TOKEN = 4
UNKNOWN_TEXT = (0, 500, 10_000)
"""Tokens of what an expression gives that is not known before the run: at least, likely, at most."""
TOOL_RESULT = (20, 500, 10_000)
"""Tokens that each turn of an agent adds to what the next one is told, besides the model's own answer."""
CORRECTION = (150, 800, 7_000)
"""Tokens that a model is told besides the attempt that it may correct: the error, what came of it, what was changed."""
IMAGE = (85, 1_500)
"""Tokens of an image: at least, likely."""
MOST_PLACES = 1_000
"""So many places where models are asked are reckoned; workflows that call each other may come to very many more."""
CALLED = " > "
"""Before it is the step that calls a workflow, behind it a step of that."""
CORRECTIONS = " (corrections)"
"""Behind the place of a step: the questions how it could be tried otherwise."""
LIKELY_TURNS, LIKELY_PASSES = 3, 2
_CORRECT = CORRECTING_CODE.partition("@")[0]
_ASKING = (LLM, TURN_CODE, _CORRECT)


class Range(NamedTuple):
    low: int
    likely: int
    high: int

    def plus(self, other: Range) -> Range:
        return Range(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, other: Range) -> Range:
        return Range(*(a * b for a, b in zip(self, other, strict=True)))


NOTHING = Range(0, 0, 0)
ONCE = Range(1, 1, 1)


class Past(NamedTuple):
    """What a step cost in earlier runs of the same workflow: in so many of them, that much on average."""

    runs: int
    average: int


@dataclass(frozen=True, slots=True)
class StepEstimate:
    """One step that asks a model; ``step`` is its place in the definition, child runs' steps behind ``>``.

    ``cost`` is None where the model has no known price.
    """

    step: str
    model: str
    calls: Range
    cost: Range | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Estimate:
    """``cost`` leaves out the steps in ``unpriced``, whose model has no known price."""

    steps: tuple[StepEstimate, ...]
    cost: Range
    unpriced: tuple[str, ...] = ()


Prices = Callable[[str], Price | None]
"""The price of a model by ``provider:name``; free ones have a price of zero."""


def estimate(
    plan: Plan, given: Mapping[str, JsonValue], prices: Prices, past: Mapping[str, Past] | None = None
) -> Estimate:
    """What a run of ``plan`` may cost that is started with ``given``, as far as the inputs are known by then.

    ``past`` is by the step's place in the definition.
    """
    asked = list(islice(_asked(plan, given, "", ONCE, ()), MOST_PLACES + 1))
    if len(asked) > MOST_PLACES:
        more = f"what is asked in more than {MOST_PLACES:,} places is left out"
        asked[-2:] = [replace(asked[-2], reasons=(*asked[-2].reasons, more))]
    steps = tuple(_priced(one, prices, past or {}) for one in asked)
    cost = NOTHING
    for one in steps:
        cost = cost.plus(one.cost or NOTHING)
    return Estimate(steps, cost, tuple(one.step for one in steps if one.cost is None))


def asks_models(plan: Plan) -> bool:
    """Whether a run of it can ask any model, itself or in a run that it calls."""
    family = {"": plan, **family_of(plan)}
    return any(_code(node) in _ASKING for each in family.values() for node in each.nodes.values())


def models_of(plan: Plan) -> Iterator[tuple[str, str]]:
    """The models that a run of it may ask, itself: by the place of the step, and ``provider:name``."""
    for template, node in plan.nodes.items():
        if _code(node) in _ASKING:
            yield _place(paths.corrected_by(template) or template, node), str(node.step.with_.get("model", ""))


def place_of(plan: Plan, path: str) -> str:
    """Where the estimate counts what the step at ``path`` of a run costs: a turn with its agent, a correction apart."""
    template = paths.template_of(path)
    return _place(template, plan.nodes.get(template))


def _place(template: str, node: PlannedStep | None) -> str:
    """The turns of an agent are counted as the agent's."""
    if (corrected := paths.corrected_by(template)) is not None:
        return f"{corrected}{CORRECTIONS}"
    return template if node is None or _code(node) != TURN_CODE else template.removesuffix(f"#/{node.id}")


def main_reasons(found: Estimate, most: int = 3) -> tuple[str, ...]:
    """Why it may cost so much: those of the steps that may cost the most, each once."""
    dearest = sorted(found.steps, key=lambda one: 0 if one.cost is None else one.cost.high, reverse=True)
    told = (f"{one.step}: {reason}" for one in dearest[:1] for reason in reversed(one.reasons))
    return tuple(dict.fromkeys(told))[:most]


@dataclass(frozen=True, slots=True)
class _Asking:
    """A place where a model is asked: how often, with how many tokens in and out each time, and why one thinks so."""

    step: str
    model: str
    calls: Range
    tokens_in: Range
    tokens_out: Range
    reasons: tuple[str, ...]
    limit: tuple[int, int] | None = None
    """So many steps or agents ask at most, each until that has cost so much."""


def _asked(
    plan: Plan, given: Mapping[str, JsonValue], prefix: str, times: Range, why: tuple[str, ...]
) -> Iterator[_Asking]:
    scope = {"input": given}
    for template, node in plan.nodes.items():
        often, reasons = _often(plan, template, node, scope)
        often, reasons = often.times(times), (*why, *reasons)
        if node.kind is Kind.CALL and node.step.workflow is not None:
            child = plan.children.get(node.step.workflow.definition or "")
            if child is not None and asks_models(child):
                inputs = _known_input(node, scope)
                yield from _asked(child, inputs, f"{prefix}{template}{CALLED}", often, reasons)
        elif _code(node) in _ASKING:
            asked = _correcting if _code(node) == _CORRECT else _asking
            yield asked(f"{prefix}{_place(template, node)}", plan, node, often, reasons, scope)


def _code(node: PlannedStep) -> str:
    return (node.step.uses or "").partition("@")[0] if node.kind is Kind.USES else ""


def _known_input(node: PlannedStep, scope: Mapping[str, Any]) -> dict[str, JsonValue]:
    """What the child is given, as far as it is known before the run."""
    known: dict[str, JsonValue] = {}
    for name, value in node.arguments.values.items():
        try:
            known[name] = value.render(scope)
        except ExpressionError:
            continue
    return known


def _asking(
    step: str, plan: Plan, node: PlannedStep, often: Range, why: tuple[str, ...], scope: Mapping[str, Any]
) -> _Asking:
    words = node.step.with_
    most = cast("int", words.get("max_tokens", 0))
    out = _out(most)
    prompt, reasons = _prompt(words, scope)
    attempts = node.step.retry.attempts
    calls = often.times(Range(1, 1, attempts))
    reasons = (*why, *reasons, f"at most {most:,} tokens out each time")
    if attempts > 1:
        reasons = (*reasons, f"at most {attempts} attempts")
    if (rules := node.step.correct) is not None:
        calls = calls.times(Range(1, 1, 1 + rules.attempts))
        reasons = (*reasons, f"and as many after each of at most {_corrections(rules.attempts)}")
    if _code(node) != TURN_CODE:
        return _Asking(step, str(words.get("model", "")), calls, prompt, out, reasons)
    # What a turn is told grows by each turn before it; on average by half of them.
    turns, most = _turns(plan, node)
    prompt = prompt.plus(out.plus(Range(*TOOL_RESULT)).times(Range(*((count - 1) // 2 for count in turns))))
    limit = None if most is None else (often.high // turns.high, most)
    if most is not None:
        reasons = (*reasons, f"together at most {say_money(most)}")
    return _Asking(step, str(words.get("model", "")), calls, prompt, out, reasons, limit)


def _correcting(
    step: str, plan: Plan, node: PlannedStep, often: Range, why: tuple[str, ...], scope: Mapping[str, Any]
) -> _Asking:
    """The questions how a step could be tried otherwise: of all that is bounded, the most that may be asked."""
    corrected = plan.nodes[paths.corrected_by(node.template) or ""].step
    rules = corrected.correct
    corrections, attempts = 0 if rules is None else rules.attempts, node.step.retry.attempts
    most = cast("int", node.step.with_.get("max_tokens", 0))
    told = Range(*CORRECTION)
    for value in corrected.with_.values():
        told = told.plus(_tokens(value, scope)[0])
    reasons = (*why, f"at most {_corrections(corrections)}, only where an attempt is refused or does not fit")
    reasons = (*reasons, f"at most {attempts} attempts at each", f"at most {most:,} tokens out each time")
    limit = None if rules is None or rules.cost is None else (often.high, rules.cost)
    if limit is not None:
        reasons = (*reasons, f"together at most {say_money(limit[1])}")
    calls = often.times(Range(0, 0, corrections * attempts))
    return _Asking(step, str(node.step.with_.get("model", "")), calls, told, _out(most), reasons, limit)


def _corrections(count: int) -> str:
    return "1 correction" if count == 1 else f"{count} corrections"


def _out(most: int) -> Range:
    """Tokens of an answer."""
    return Range(max(1, most // 10), max(1, most // 2), most)


def _turns(plan: Plan, node: PlannedStep) -> tuple[Range, Micros | None]:
    """How many turns the agent of this one has, and what they may cost together."""
    step = plan.nodes[paths.around_template(node.template)[-1]].step
    most = 1 if step.repeat is None else step.repeat.max
    return Range(1, min(LIKELY_TURNS, most), most), None if step.agent is None else step.agent.cost


def _prompt(words: Mapping[str, JsonValue], scope: Mapping[str, Any]) -> tuple[Range, tuple[str, ...]]:
    """Tokens of what the model is told at first."""
    total, unknown = NOTHING, 0
    for name in ("system", "prompt", "tools", "output"):
        found, missing = _tokens(words.get(name), scope)
        total, unknown = total.plus(found), unknown + missing
    images = words.get("images")
    if isinstance(images, list):
        one = Range(*IMAGE, image_tokens(str(words.get("model", ""))))
        total = total.plus(one.times(Range(*[len(images)] * 3)))
    told = f"a prompt of about {total.likely:,} tokens"
    if unknown:
        told += f", {unknown} of its parts not known before the run"
    return total, (told,)


def _tokens(value: JsonValue, scope: Mapping[str, Any]) -> tuple[Range, int]:
    """Of a text with expressions or of JSON, and how many expressions are not known yet."""
    if value is None or value == "" or value == []:
        return NOTHING, 0
    try:
        return _counted(compile_value(value).render(scope)), 0
    except ExpressionError:
        pass
    if not isinstance(value, str):
        return Range(*UNKNOWN_TEXT), 1
    total, unknown = NOTHING, 0
    for part in Template.parse(value).parts:
        if isinstance(part, str):
            total = total.plus(_counted(part))
            continue
        found = _rendered(compile_value(f"${{{{ {part.source} }}}}"), scope)
        total = total.plus(Range(*UNKNOWN_TEXT) if found is None else _counted(found))
        unknown += found is None
    return total, unknown


def _rendered(part: Compiled, scope: Mapping[str, Any]) -> JsonValue:
    try:
        return part.render(scope)
    except ExpressionError:
        return None


def _counted(value: JsonValue) -> Range:
    count = -(-len(value if isinstance(value, str) else str(value)) // CHARACTERS_PER_TOKEN)
    return Range(count, count, count)


def _often(plan: Plan, template: str, node: PlannedStep, scope: Mapping[str, Any]) -> tuple[Range, tuple[str, ...]]:
    """How often the step at ``template`` runs in one run, and why."""
    often, reasons = ONCE, ()
    holders = [plan.nodes[one] for one in paths.around_template(template) if one in plan.nodes]
    for holder in (*holders, node):
        if holder.condition is not None:
            often = often.times(Range(0, 1, 1))
            reasons = (*reasons, f"{holder.id} may be skipped")
        if holder is node:
            continue
        if holder.kind is Kind.EACH:
            count = _items(holder, scope)
            often = often.times(count)
            reasons = (*reasons, f"{holder.id} has {_said(count)} items")
        elif holder.kind is Kind.REPEAT and holder.step.repeat is not None:
            most = holder.step.repeat.max
            is_agent = holder.step.agent is not None
            count = Range(1, min(LIKELY_TURNS if is_agent else LIKELY_PASSES, most), most)
            often = often.times(count)
            reasons = (*reasons, f"{holder.id} takes {_said(count)} {'turns' if is_agent else 'passes'}")
    if paths.undone_by(template) is not None:
        often, reasons = often.times(Range(0, 0, 1)), (*reasons, "only where it is undone")
    if template.startswith(f"{paths.ON_FAILURE}/"):
        often, reasons = often.times(Range(0, 0, 1)), (*reasons, "only after a failure")
    return often, reasons


def _items(holder: PlannedStep, scope: Mapping[str, Any]) -> Range:
    settings = holder.step.for_each
    found = _rendered(holder.items, scope) if holder.items is not None else None
    if isinstance(found, list):
        return Range(len(found), len(found), len(found))
    most = 0 if settings is None else settings.max_items
    return Range(0, -(-most // 2), most)


def _said(count: Range) -> str:
    return f"{count.high:,}" if count.low == count.high else f"{count.low:,} to {count.high:,}"


def _priced(asking: _Asking, prices: Prices, past: Mapping[str, Past]) -> StepEstimate:
    price = prices(asking.model)
    known = StepEstimate(asking.step, asking.model, asking.calls, None, asking.reasons)
    if price is None:
        return replace(known, reasons=(*asking.reasons, f"the price of {asking.model} is not known"))
    one = Range(
        *(
            price.cost(tokens_in, tokens_out)
            for tokens_in, tokens_out in zip(asking.tokens_in, asking.tokens_out, strict=True)
        )
    )
    cost = one.times(asking.calls)
    if asking.limit is not None:
        steps, limit = asking.limit
        cost = Range(*(min(one, steps * limit) for one in cost))
    before = past.get(asking.step)
    if before is None:
        return replace(known, cost=cost)
    likely = min(max(before.average, cost.low), cost.high)
    runs = "the last run" if before.runs == 1 else f"the last {before.runs} runs"
    return replace(known, cost=cost._replace(likely=likely), reasons=(*asking.reasons, f"likely, as in {runs}"))


def range_words(cost: Range) -> str:
    """``about $0.04, between $0.01 and $0.31``."""
    if cost.low == cost.high:
        return f"about {say_money(cost.likely)}"
    return f"about {say_money(cost.likely)}, between {say_money(cost.low)} and {say_money(cost.high)}"


def cost_words(state: RunState) -> str:
    """What the run has cost so far, with the runs that it called and that have ended, and what it was estimated to.

    Empty if it costs nothing.
    """
    budget, guess = state.plan.workflow.budget, state.started.estimate
    expected = guess is not None and guess.high > 0
    whole = state.whole_cost
    if not whole and not state.reserved and budget is None and not expected:
        return ""
    words = f"{say_money(whole)} spent"
    if called := whole - state.spent:
        words += f", {say_money(called)} of it by runs that it called"
    if guess is not None and expected:
        words += f", estimated {range_words(Range(guess.low, guess.likely, guess.high))}"
    return words if budget is None else f"{words} (its definition allows {say_money(budget.limit)})"
