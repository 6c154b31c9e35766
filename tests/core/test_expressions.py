"""Expressions: native values, texts, and one sentence for whatever is wrong."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from pydantic import JsonValue

from engine.core.expressions import ExpressionError, Template, compile_mapping, compile_value, condition

SCOPE: dict[str, Any] = {
    "input": {"version": "v1", "count": 3, "tags": ["a", "b"], "map": {"z": 1, "a": None}, "nothing": None},
    "steps": {
        "changes": {"output": {"text": "T", "commits": [{"subject": "x"}, {"subject": "y"}]}, "status": "completed"},
        "check-site": {"output": 200, "status": "completed"},
        "off": {"output": None, "status": "skipped"},
    },
    "run": {"id": "run_1", "workflow": "w", "started_by": "Ana", "started_at": 1_700_000_000_000},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        ("${{ input.count }}", 3),
        ("${{input.count}}", 3),
        ("${{ input.tags }}", ["a", "b"]),
        ("${{ input }}", SCOPE["input"]),
        ("${{ input.count }} of ${{ input.tags }}", '3 of ["a","b"]'),
        ("${{ input.nothing }}!", "null!"),
        ("$${{ input.count }}", "${{ input.count }}"),
        ("$${{ x }} ${{ input.count }}", "${{ x }} 3"),
        ("costs $5", "costs $5"),
        ('${{ "}}" }}', "}}"),
        ('${{ {"a": {"b": 1}}}}', {"a": {"b": 1}}),
        ('${{ "a\\"}}" + input.version }}', 'a"}}v1'),
        ("${{ 1 // }}\n + 1 }}", 2),
        ('${{ steps["check-site"].output + 1 }}', 201),
        ("${{ steps.off.status }}", "skipped"),
        ("${{ steps.changes.output.commits[1].subject }}", "y"),
        ("${{ run.id }}", "run_1"),
        ("${{ input.map }}", {"z": 1, "a": None}),
        ('${{ {"z": 1, "a": [{"y": 1, "b": 2}]} }}', {"a": [{"b": 2, "y": 1}], "z": 1}),
        ('${{ join(input.tags, ", ") }}', "a, b"),
        ('${{ input.tags.join(", ") }}', "a, b"),
        ("${{ [1, true, null].join(' ') }}", "1 true null"),
        ("${{ lines(steps.changes.output.commits.map(c, c.subject)) }}", "x\ny"),
        ("${{ json(input.map) }}", '{"a":null,"z":1}'),
        ("${{ default(input.nothing, 7) }}", 7),
        ('${{ has(input.absent) ? input.absent : "none" }}', "none"),
        ('${{ upper("a") + lower("B") + trim(" c ") }}', "Abc"),
        ("${{ math.abs(-1) + size(input.tags) }}", 3),
        ('${{ "a,b".split(",") }}', ["a", "b"]),
        ("${{ type(input.count) == int }}", True),
        ('${{ timestamp("2026-01-02T03:04:05Z") }}', "2026-01-02T03:04:05Z"),
        ('${{ duration("90s") }}', "90s"),
        ('${{ duration("336h") }}', "1209600s"),
        ('${{ duration("1500ms") }}', "1.5s"),
        ("${{ 7 / 2 }}", 3),
        ("${{ 1.0 }}", 1.0),
    ],
)
def test_renders(text: str, value: JsonValue) -> None:
    rendered = Template.parse(text).render(SCOPE)
    assert rendered == value
    assert type(rendered) is type(value)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("steps.changes.output.x", "steps.changes.output has no x; it has commits, text"),
        ('steps.changes.output.x + "a"', "steps.changes.output has no x; it has commits, text"),
        ("steps.absent.output", "step absent has no output, since it has not run yet"),
        ("steps.absent.output + 1", "step absent has no output, since it has not run yet"),
        ("steps.off.output.text", "steps.off.output is nothing (null), so it has no text"),
        ("input.versoin", "input has no versoin; it has count, map, nothing, tags, version"),
        ("input.version.x", "input.version is text, so it has no x"),
        (
            "input.count + input.version",
            "its types do not fit together; input.count is a number, input.version is text",
        ),
        ('1 + "a"', "its types do not fit together; nothing is converted by itself"),
        ("size(null)", "its types do not fit together"),
        ("1 / 0", "it divides by zero"),
        ("input.tags[7]", "a list is shorter than the index asks for"),
        ("9223372036854775807 + input.count", "a number grows beyond 64 bits"),
        ("lower(1)", "lower() needs a text"),
        ("lines(1)", "lines() needs a list"),
        ('int("x")', "int() cannot take what it is given"),
        ('input.version.matches("(")', "matches() cannot take what it is given; input.version is text"),
        ("double('inf')", "the result is not a finite number"),
    ],
)
def test_a_value_that_is_not_there_is_one_sentence(expression: str, reason: str) -> None:
    template = Template.parse(f"${{{{ {expression} }}}}")
    with pytest.raises(ExpressionError) as raised:
        template.render(SCOPE)
    assert reason in str(raised.value)
    assert raised.value.expression == expression
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${{ 1 + }}", "it ends too early, at character 4"),
        ("${{ }}", "the expression is empty"),
        ("a ${{ 1", "this ${{ is not closed by }}"),
        ("${{ not true }}", "did not expect 'true'"),
        ("${{ inptu.version }}", "there is no name inptu; did you mean input?"),
        ("${{ lowr('A') }}", "there is no function lowr; did you mean lower?"),
        ("${{ steps }}", "steps needs the id of a step"),
        ("${{ steps.map(s, s) }}", "steps needs the id of a step"),
        ("${{ steps[input.version].output }}", "steps needs the id of a step"),
        ("${{ steps.changes.outputs }}", "a step has no outputs; did you mean output?"),
        ("${{ run.idd }}", "run has no idd; did you mean id?"),
        ("${{ " + "1+" * 30_000 + "1 }}", "2,000 are the most"),
        ("${{ " + "(" * 900 + "1" + ")" * 900 + " }}", "this is not an expression"),
    ],
)
def test_what_does_not_compile_is_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        Template.parse(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("plain", set[tuple[str, str]]()),
        ("${{ steps.a.output }} ${{ input.b }}", {("steps", "a"), ("input", "b")}),
        ('${{ steps["a-b"].output["steps.c"] + "steps.d.output" }}', {("steps", "a-b")}),
        ("${{ [1].map(steps_of, steps_of) }}", set[tuple[str, str]]()),
        ("${{ {'input': run.id}.input }}", {("run", "id")}),
        ("${{ 1 // steps.a.output\n}}", set[tuple[str, str]]()),
        ("${{ r'\\' + input.x }}", {("input", "x")}),
        ("${{ input.x.contains(steps.b.output) }}", {("input", "x"), ("steps", "b")}),
    ],
)
def test_names_what_it_refers_to(text: str, references: set[tuple[str, str]]) -> None:
    assert Template.parse(text).references == references


def test_only_the_steps_referred_to_are_looked_up() -> None:
    asked: list[str] = []

    class Steps:
        def __getitem__(self, name: str) -> dict[str, JsonValue]:
            asked.append(name)
            return {"output": 1, "status": "completed"}

        def __contains__(self, name: object) -> bool:
            return True

    scope: dict[str, Any] = {"input": {}, "steps": Steps(), "run": {}}
    assert Template.parse("${{ steps.a.output + 1 }}").render(scope) == 2
    assert Template.parse("${{ steps.b.output }}").render(scope) == 1
    assert asked == ["a", "b"]


def test_nested_values_keep_their_shape() -> None:
    value: JsonValue = {"list": ["x", {"n": "${{ input.count }}"}], "fixed": {"a": [1, None]}, "lit": "$${{ a }}"}
    compiled = compile_value(value)
    assert compiled.render(SCOPE) == {
        "list": ["x", {"n": 3}],
        "fixed": {"a": [1, None]},
        "lit": "${{ a }}",
    }
    assert compiled.references == {("input", "count")}
    assert compile_mapping({"a": "${{ input.version }}!", "b": 1}).render(SCOPE) == {"a": "v1!", "b": 1}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("input.count == 3", True),
        ("${{ input.count > 5 }}", False),
        ('steps.off.status == "skipped"', True),
        ('"}}" != "${{"', True),
    ],
)
def test_condition_holds(text: str, holds: bool) -> None:
    assert condition(text).holds(SCOPE) is holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("input.count", "this is a number"),
        ("input.version", "this is text"),
        ("input.nothing", "this is nothing (null)"),
    ],
)
def test_condition_is_true_or_false(text: str, reason: str) -> None:
    with pytest.raises(ExpressionError, match="a condition is true or false") as raised:
        condition(text).holds(SCOPE)
    assert reason in str(raised.value)


def test_condition_is_one_expression() -> None:
    with pytest.raises(ExpressionError, match="one expression"):
        condition("${{ true }} and ${{ false }}")


def test_a_text_does_not_grow_without_bound() -> None:
    scope: dict[str, Any] = {"input": {"long": "a" * 5_000}}
    with pytest.raises(ExpressionError, match="more than 1,000,000 characters"):
        Template.parse("${{ input.long.replace('a', input.long) }}").render(scope)


def test_values_of_a_run_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ExpressionError) as raised:
        Template.parse("${{ bool(input.version) }}").render({"input": {"version": "s3cret"}})
    assert caplog.text == ""
    assert "s3cret" not in str(raised.value)
