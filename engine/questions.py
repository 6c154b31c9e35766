"""What people are asked where a step does not go on by itself: what to change of an attempt, or what one has given.

The one rule: a change is checked against the step's own arguments, and a result against what the step promises, before
anything is recorded, whoever gives it and from where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from pydantic import JsonValue

from engine.core.given import arguments, places
from engine.core.questions import OpenQuestion, outcome_question
from engine.core.state import RunState, StepStatus
from engine.core.words import listed
from engine.own_runs import OwnRuns
from engine.steps.registry import Registry, StepFunction, UnknownStep


@dataclass(frozen=True, slots=True)
class Questions:
    """Of the runs of one workspace."""

    runs: OwnRuns
    registry: Registry

    async def open(self, state: RunState, path: str) -> OpenQuestion:
        """The question of ``path``, which is open."""
        node, known = state.plan.node(path), state.step(path).correction
        code = self._code(node.step.uses)
        if state.step(path).status is StepStatus.UNCERTAIN:
            return outcome_question(path, {} if code is None else code.signature.result_schema)
        rules = node.step.correct
        if rules is None or known is None:
            raise ValueError(f"{path} asks nothing")
        attempt = await self._attempt(state, path)
        found = {name: attempt[name] for name in rules.may_change if name in attempt}
        schemas = {} if code is None else _schemas(code.schema, rules.may_change)
        return OpenQuestion(path, rules.may_change, found, schemas, known.output is not None)

    async def problems(self, state: RunState, path: str, changes: JsonValue) -> dict[str, str]:
        """One sentence for each argument that cannot be so, as far as this process has the step's code."""
        if state.step(path).status is not StepStatus.GIVEN_UP or not isinstance(changes, dict):
            return {}
        code = self._code(state.plan.node(path).step.uses)
        if code is None:
            return {}
        attempt = await self._attempt(state, path)
        found = code.signature.problems({**attempt, **changes})
        together = found.pop("", None)
        wrong = {name: words for name, words in found.items() if name in changes}
        return wrong if together is None or not changes else {next(iter(changes)): together, **wrong}

    def outcome(self, state: RunState, path: str, result: JsonValue) -> tuple[JsonValue, dict[str, str]]:
        """A result that a person gives for an attempt of unknown outcome, as the step would have given it; with one
        sentence for each field that cannot be so, as far as this process has the step's code.
        """
        if state.step(path).status is not StepStatus.UNCERTAIN:
            return result, {}
        code = self._code(state.plan.node(path).step.uses)
        return (result, {}) if code is None else code.outcome(result)

    def codes(self, state: RunState, uses: str) -> list[str]:
        """The code that the run can use in place of ``uses``, as far as this process has it; what is closest first."""
        name, _, _ = uses.partition("@")

        def nearness(key: str) -> tuple[bool, float, int]:
            other, _, version = key.partition("@")
            return other != name, -SequenceMatcher(None, name, other).ratio(), -int(version)

        fit = [key for key in self.registry.keys if key != uses and not self.unfit(state, uses, key)]
        return sorted(fit, key=nearness)

    def unfit(self, state: RunState, uses: str, other: str) -> str:
        """Why ``other`` cannot do what the run has ``uses`` do; nothing if it takes the same arguments."""
        spec = self.registry.get(other).spec
        for node in state.plan.nodes.values():
            if node.step.uses != uses:
                continue
            if lacking := spec.lacking(node.step.with_):
                return f"{other} needs {listed(lacking)}, which {node.template} does not give"
            if strange := spec.strange(node.step.with_):
                return f"{other} takes no {listed(strange)}, which {node.template} gives"
        return ""

    async def _attempt(self, state: RunState, path: str) -> dict[str, JsonValue]:
        values = await self.runs.recall.values(state.run, places(state, path))
        return arguments(state, path, values)

    def _code(self, uses: str | None) -> StepFunction | None:
        try:
            return None if uses is None else self.registry.get(uses)
        except UnknownStep:
            return None


def _schemas(schema: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    known: Mapping[str, Any] = schema.get("properties", {})
    return {name: known[name] for name in names if name in known}
