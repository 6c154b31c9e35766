"""The built-in steps as a set: their names, and that the operator's policies reach them."""

from typing import Any

import jsonschema
import pytest

from engine.core.failures import StepError
from engine.steps.builtin import builtin_steps
from engine.steps.context import StepContext
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import Registry
from engine.steps.shell import ShellPolicy


def registry() -> Registry:
    return Registry(builtin_steps(HttpPolicy(), ShellPolicy()))


def test_the_names_that_definitions_use() -> None:
    known = {"http.request", "shell.run", "set", "git.log", "git.tag", "llm", "llm.correct", "agent.turn"}
    assert registry().keys == {f"{name}@1" for name in known}


def test_every_schema_is_one_and_its_defaults_fit_it() -> None:
    for name, spec in registry().catalog().items():
        schema: dict[str, Any] = dict(spec.version().arguments)
        jsonschema.Draft202012Validator.check_schema(schema)
        for argument, described in schema["properties"].items():
            if "default" in described:
                whole = {**described, "$defs": schema.get("$defs", {})}
                jsonschema.validate(described["default"], whole)
            assert "title" not in described, (name, argument)


async def test_set_returns_what_it_was_given(ctx: StepContext) -> None:
    values: dict[str, Any] = {"text": "a", "json": None, "version": {"deep": [1, 2.5, True]}}
    assert await registry().get("set@1").invoke(ctx, values) == values


async def test_nothing_private_and_no_program_unless_the_operator_says_so(ctx: StepContext) -> None:
    with pytest.raises(StepError, match="the operator has to allow"):
        await registry().get("http.request@1").invoke(ctx, {"url": "http://127.0.0.1:1/"})
    with pytest.raises(StepError, match="the operator has to allow"):
        await registry().get("shell.run@1").invoke(ctx, {"program": "sh"})
