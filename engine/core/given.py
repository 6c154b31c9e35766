"""What an attempt of a step runs with: the definition's arguments, what a correction has changed, and what an agent has
spent.

The one rule: whoever runs a step, decides on it or shows it takes its arguments from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import JsonValue

from engine.core import paths
from engine.core.corrections import Correction
from engine.core.keys import SECRETS
from engine.core.scope import needed, resolve, scope
from engine.core.state import RunState
from engine.core.values import At, Held, Values


def places(state: RunState, path: str) -> frozenset[int]:
    """Where the values are that ``arguments`` needs, and the state does not hold."""
    target = paths.corrected_by(path)
    about = target or path
    known = state.step(about).correction or Correction()
    held = (known.changes,) if target is None else (known.changes, known.output)
    found = frozenset(one.seq for one in held if isinstance(one, At))
    return found | needed(state, about, state.plan.node(about).arguments.references)


def arguments(
    state: RunState, path: str, values: Values, secrets: Mapping[str, str] | None = None
) -> dict[str, JsonValue]:
    """By name. ``values`` has those at ``places``. Raises ``ExpressionError``, also where ``secrets`` are needed and
    not given: the attempt alone has them.
    """
    target = paths.corrected_by(path)
    if target is not None:
        return _question(state, path, target, values)
    compiled = state.plan.node(path).arguments
    seen = scope(state, path, values) if compiled.references else {}
    given = compiled.render(seen if secrets is None else {**seen, SECRETS: secrets})
    if (agent := state.plan.agent_of(path)) is not None:
        loop = state.step(agent).loop
        return {**given, "spent": 0 if loop is None else loop.spent}
    known = state.step(path).correction
    return given if known is None else {**given, **_changes(known.changes, values)}


def _question(state: RunState, path: str, target: str, values: Values) -> dict[str, JsonValue]:
    """What a model is told that is to mend an attempt of ``target``."""
    step = state.step(target)
    known, failure = step.correction or Correction(), step.failure
    failed: JsonValue = None if failure is None else {"class": failure.cls.value, "message": failure.message}
    about: dict[str, JsonValue] = {
        "step": target,
        "attempt": arguments(state, target, values),
        "failure": failed,
        "output": resolve(known.output, values),
        "before": list(known.told),
    }
    rules = state.plan.node(target).step.correct
    if rules is not None and rules.cost is not None:
        about["left"] = max(0, rules.cost - known.cost)
    return {**state.plan.node(path).arguments.render({}), **about}


def _changes(held: Held, values: Values) -> dict[str, JsonValue]:
    return cast("dict[str, Any]", resolve(held, values) or {})
