"""Estimates: what multiplies, what is known before a run, what earlier runs say, and which reasons are given."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from engine.core.estimate import MOST_PLACES, Estimate, Past, Range, asks_models, estimate
from engine.core.graph import Plan, family_of
from engine.core.loader import load_yaml
from engine.core.paths import around_template
from engine.core.pinning import pin
from engine.core.prices import Price
from engine.core.stepspec import StepSpec
from engine.plans import called_by

CATALOG = {name: StepSpec.of({}) for name in ("llm", "agent.turn", "llm.correct", "http.request", "noop")}
PRICES = {"p:cheap": Price(1_000_000, 10_000_000), "local:free": Price(0, 0)}
ASK = "uses: llm, with: {model: 'p:cheap', prompt: 'abcdabcd', max_tokens: 100}"
LIST, AGAIN = "${{ steps.list.output }}", "repeat: {until: 'true', max: 4}"
ONE_CALL = Range(2 + 10 * 10, 2 + 50 * 10, 2 + 100 * 10)
"""Of ``ASK``: two tokens in at a micro-dollar, and 10, 50 or 100 out at ten."""


def made(steps: str, more: str = "", children: Mapping[str, Plan] | None = None) -> Plan:
    loaded = load_yaml(f"name: w\n{more}\nsteps:\n{steps}", catalog=CATALOG)
    assert loaded.workflow is not None, loaded.problems
    workflow = pin(loaded.workflow, CATALOG, {name: child.workflow for name, child in (children or {}).items()})
    return Plan.of(workflow, {child.workflow.hash: child for child in (children or {}).values()})


def of(plan: Plan, past: Mapping[str, Past] | None = None, **given: JsonValue) -> Estimate:
    return estimate(plan, given, PRICES.get, past)


def test_a_call_costs_its_prompt_and_what_it_may_answer() -> None:
    found = of(made(f"  - {{id: ask, {ASK}}}"))
    assert found.cost == ONE_CALL
    (one,) = found.steps
    assert (one.step, one.model, one.calls) == ("ask", "p:cheap", Range(1, 1, 1))
    assert one.reasons == ("a prompt of about 2 tokens", "at most 100 tokens out each time")


@pytest.mark.parametrize(
    ("step", "calls", "reason"),
    [
        (f"{{id: ask, if: input.yes, {ASK}}}", Range(0, 1, 1), "ask may be skipped"),
        (f"{{id: ask, retry: {{attempts: 3}}, {ASK}}}", Range(1, 1, 3), "at most 3 attempts"),
        (f"{{id: ask, for_each: {{items: [1, 2, 3], max_items: 9}}, {ASK}}}", Range(3, 3, 3), "ask has 3 items"),
        (f"{{id: ask, for_each: {{items: '{LIST}', max_items: 9}}, {ASK}}}", Range(0, 5, 9), "ask has 0 to 9 items"),
        (f"{{id: often, {AGAIN}, steps: [{{id: ask, {ASK}}}]}}", Range(1, 2, 4), "often takes 1 to 4 passes"),
    ],
)
def test_what_surrounds_a_call_multiplies_it(step: str, calls: Range, reason: str) -> None:
    more = "input:\n  yes: {type: boolean, default: true}"
    (one,) = of(made(f"  - {{id: list, uses: noop}}\n  - {step}", more)).steps
    assert one.calls == calls
    assert one.cost == ONE_CALL.times(calls)
    assert reason in one.reasons


def test_what_is_given_is_counted_and_what_comes_from_steps_is_guessed() -> None:
    prompt = "${{ input.text }} and ${{ steps.first.output }}"
    plan = made(
        f"  - {{id: first, uses: noop}}\n"
        f"  - {{id: ask, uses: llm, with: {{model: 'p:cheap', prompt: '{prompt}', max_tokens: 1}}}}",
        "input:\n  text: {type: text}",
    )
    (one,) = of(plan, text="x" * 400).steps
    assert one.cost == Range(100 + 2 + 0 + 10, 100 + 2 + 500 + 10, 100 + 2 + 10_000 + 10)
    assert one.reasons[0] == "a prompt of about 602 tokens, 1 of its parts not known before the run"


def test_an_agent_is_told_more_with_each_turn() -> None:
    agent = "{model: 'p:cheap', prompt: 'abcdabcd', max_turns: 5, max_tokens: 100}"
    (one,) = of(made(f"  - {{id: look, agent: {agent}}}")).steps
    assert (one.step, one.calls) == ("look", Range(1, 3, 5))
    assert one.cost == Range(102, 3 * (2 + (50 + 500) + 500), 5 * (2 + 2 * (100 + 10_000) + 1_000))
    assert one.reasons[0] == "look takes 1 to 5 turns"


def test_an_agent_costs_no_more_than_its_limit() -> None:
    agent = "agent: {model: 'p:cheap', prompt: 'abcdabcd', max_turns: 5, max_tokens: 100, cost: 0.001 USD}"
    items = "for_each: {items: [1, 2, 3], max_items: 3}"
    (one,) = of(made(f"  - {{id: look, {agent}}}")).steps
    assert one.cost == Range(102, 1_000, 1_000)
    assert one.reasons[-1] == "together at most $0.001"
    (each,) = of(made(f"  - {{id: all, {items}, steps: [{{id: look, {agent}}}]}}")).steps
    assert each.cost == Range(3 * 102, 3_000, 3_000)


def test_images_are_counted() -> None:
    (one,) = of(made("  - {id: ask, llm: {model: 'p:cheap', prompt: abcd, max_tokens: 10, images: [a, b]}}")).steps
    assert one.cost == Range(1 + 2 * 85 + 10, 1 + 2 * 1_500 + 50, 1 + 2 * 20_000 + 100)


def test_workflows_that_call_each_other_in_very_many_ways_are_estimated_in_time() -> None:
    calls = "".join(f"  - {{id: s{at}, workflow: child}}\n" for at in (1, 2))
    plan = renamed(made(f"  - {{id: ask, {ASK}}}"), "child")
    for _ in range(40):
        plan = renamed(made(calls, children={"child": plan}), "child")
    found = of(plan)
    assert len(found.steps) == MOST_PLACES
    assert found.steps[-1].reasons[-1] == "what is asked in more than 1,000 places is left out"
    assert len(family_of(plan)) == 40
    assert len(called_by(plan)) == 40


def renamed(plan: Plan, name: str) -> Plan:
    return Plan.of(plan.workflow.model_copy(update={"name": name}), plan.children)


def test_earlier_runs_say_what_is_likely_within_what_is_possible() -> None:
    plan = made(f"  - {{id: ask, {ASK}}}")
    assert of(plan, {"ask": Past(12, 300)}).cost == Range(102, 300, 1_002)
    assert of(plan, {"ask": Past(1, 9_999)}).cost == Range(102, 1_002, 1_002)
    assert "likely, as in the last 12 runs" in of(plan, {"ask": Past(12, 300)}).steps[0].reasons


def test_a_child_run_is_a_part_of_the_estimate() -> None:
    child = made(f"  - {{id: ask, {ASK}}}").workflow
    inner = Plan.of(child.model_copy(update={"name": "child"}))
    plan = made("  - {id: call, workflow: child, for_each: {items: [1, 2], max_items: 2}}", children={"child": inner})
    found = of(plan)
    assert [one.step for one in found.steps] == ["call[] > ask"]
    assert found.cost == ONE_CALL.times(Range(2, 2, 2))


CORRECTED = "uses: http.request, with: {body: 'abcdabcd'}"
CORRECT = "correct: {model: 'p:cheap', may_change: [body], attempts: 4, max_tokens: 100%s}"


def test_corrections_are_estimated_as_far_as_they_are_bounded() -> None:
    plan = made(f"  - {{id: fetch, {CORRECTED}, {CORRECT % ''}}}")
    assert asks_models(plan)
    found = of(plan)
    (one,) = found.steps
    assert (one.step, one.model, one.calls) == ("fetch (corrections)", "p:cheap", Range(0, 0, 12))
    assert found.cost == Range(0, 0, 12 * (7_000 + 2 + 1_000))
    assert one.reasons[0] == "at most 4 corrections, only where an attempt is refused or does not fit"
    (one,) = of(made(f"  - {{id: fetch, {CORRECTED}, {CORRECT % ', cost: 0.01 USD'}}}")).steps
    assert one.cost == Range(0, 0, 10_000)
    assert one.reasons[-1] == "together at most $0.01"


def test_a_question_is_asked_again_after_each_correction() -> None:
    correct = "correct: {model: 'p:cheap', may_change: [prompt], attempts: 2, max_tokens: 100}"
    ask, corrections = of(made(f"  - {{id: ask, retry: {{attempts: 2}}, {ASK}, {correct}}}")).steps
    assert (ask.calls, corrections.calls) == (Range(1, 1, 6), Range(0, 0, 6))
    assert "and as many after each of at most 2 corrections" in ask.reasons
    assert of(made(f"  - {{id: ask, {ASK}, {correct}}}"), {"ask (corrections)": Past(2, 90)}).cost.likely == 502 + 90


def test_what_is_done_where_a_step_is_undone_need_not_be() -> None:
    (one,) = of(made(f"  - {{id: tag, uses: noop, undo: {{{ASK}}}}}")).steps
    assert (one.calls, one.reasons[0]) == (Range(0, 0, 5), "only where it is undone")


def test_a_model_without_a_price_is_left_out_and_named() -> None:
    ask = "uses: llm, with: {model: 'p:new', prompt: x, max_tokens: 1}"
    found = of(made(f"  - {{id: ask, {ask}}}"))
    assert (found.cost, found.unpriced) == (Range(0, 0, 0), ("ask",))
    assert "the price of p:new is not known" in found.steps[0].reasons


def test_the_loops_around_a_place() -> None:
    assert around_template("each[]/poll#/check") == ["each", "each[]/poll"]
    assert around_template("each[]") == ["each"]
    assert around_template("tag") == []
