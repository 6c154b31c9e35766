"""The plan: needs, dependents and compiled expressions of a workflow."""

from __future__ import annotations

from engine.core.definition import Step, Workflow
from engine.core.graph import Plan
from tests.core.effort import calls_in


def workflow(*steps: dict[str, object]) -> Workflow:
    return Workflow.model_validate({"name": "w", "input": {"n": {"type": "integer"}}, "steps": steps})


def test_a_step_follows_the_one_before_it_unless_it_says_otherwise() -> None:
    plan = Plan.of(
        workflow(
            {"id": "a", "uses": "set"},
            {"id": "b", "uses": "set"},
            {"id": "c", "uses": "set", "needs": ["a", "a"]},
            {"id": "d", "uses": "set", "needs": []},
            {"id": "e", "uses": "set", "needs": ["c", "b", "d"]},
        )
    )
    assert {id_: step.needs for id_, step in plan.steps.items()} == {
        "a": (),
        "b": ("a",),
        "c": ("a",),
        "d": (),
        "e": ("c", "b", "d"),
    }
    assert [step.explicit for step in plan.steps.values()] == [False, False, True, True, True]
    assert [step.index for step in plan.steps.values()] == [0, 1, 2, 3, 4]
    assert plan.steps["a"].dependents == ("b", "c")
    assert plan.steps["d"].dependents == ("e",)
    assert plan.roots == ("a", "d")


def test_needs_may_name_a_later_step() -> None:
    plan = Plan.of(
        workflow({"id": "a", "uses": "set", "needs": ["b"]}, {"id": "b", "uses": "set", "needs": []}),
    )
    assert plan.roots == ("b",)
    assert plan.steps["b"].dependents == ("a",)


def test_expressions_are_compiled() -> None:
    gate = {"title": "Go, ${{ input.n }}?", "show": {"n": "${{ input.n }}"}, "approvers": ["@a"]}
    plan = Plan.of(
        workflow(
            {"id": "a", "uses": "set", "with": {"x": "${{ input.n + 1 }}"}, "if": "input.n > 1"},
            {"id": "b", "approval": gate},
        )
    )
    scope = {"input": {"n": 2}, "steps": {}, "run": {}}
    a, b = plan.steps["a"], plan.steps["b"]
    assert a.arguments.render(scope) == {"x": 3}
    assert a.condition is not None
    assert a.condition.holds(scope)
    assert a.gate is None
    assert b.gate is not None
    assert b.gate.title.render_text(scope) == "Go, 2?"
    assert b.gate.show.render(scope) == {"n": 2}
    assert b.condition is None
    assert b.arguments.render(scope) == {}


def calls_to_plan(count: int) -> int:
    steps = tuple(
        Step.model_validate({"id": f"s{i}", "uses": "set", "with": {"x": "${{ input.n + 1 }}"}, "if": "input.n == 1"})
        for i in range(count)
    )
    definition = Workflow(name="w", steps=steps)
    return calls_in(lambda: Plan.of(definition))


def test_work_grows_with_the_number_of_steps_only() -> None:
    """A square would make it a hundred times."""
    assert calls_to_plan(1_000) < 11 * calls_to_plan(100)
