"""What expressions see of a run, at each of its steps.

The one rule: a step sees the steps of its own group, then those of the groups around it; of a loop around it the item
or the pass that it belongs to. Values that the state holds by their place are taken from ``values``. No secret is ever
in a scope that is made here: its name in brackets stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from immutables import Map
from pydantic import JsonValue

from engine.core import paths
from engine.core.graph import Kind
from engine.core.keys import SECRETS, mask
from engine.core.state import Phase, RunState, StepState, StepStatus
from engine.core.values import At, Held, Values

_NONE: Values = Map()


def scope(state: RunState, path: str = "", values: Values = _NONE) -> dict[str, Any]:
    """The roots of expressions at ``path``: a step, or an item or pass of a loop.

    ``values`` must have what ``needed`` says.
    """
    outer = cast("dict[str, Any]", state.started.outer)
    known = {"run": _run(state), "changes": _changes(state)}
    roots: dict[str, Any] = {**known, **outer, "input": state.started.input}
    roots["steps"] = StepScope(state, path, values)
    roots[SECRETS] = MASKED
    for unit in _units(path):
        roots = {**roots, **_of_unit(state, unit, values)}
    if state.phase is not Phase.FORWARD:
        roots["failure"] = failure(state)
    return roots


def needed(state: RunState, path: str, references: Iterable[tuple[str, str]]) -> frozenset[int]:
    """Where the values are that expressions with these references, at ``path``, need and the state does not hold."""
    return frozenset(held.seq for root, name in references for held in _held(state, path, root, name))


def resolve(held: Held, values: Values) -> JsonValue:
    """``KeyError`` for one that is not among ``values``."""
    return values[held.seq] if isinstance(held, At) else held


def failure(state: RunState) -> dict[str, JsonValue]:
    """Why the run stopped, for ``on_failure`` and ``undo``."""
    if state.cancel is not None:
        return {"step": "", "kind": "cancelled", "reason": state.cancel.reason, "class": "cancelled"}
    if state.timed_out:
        return {"step": "", "kind": "timeout", "reason": "the run took longer than it may", "class": "timeout"}
    path = state.failed_step or ""
    step = state.step(path)
    if step.gate is not None and step.gate.decision is not None:
        decision = step.gate.decision
        return {"step": path, "kind": decision.verdict.value, "reason": decision.reason, "class": "permanent"}
    if step.failure is None:
        return {"step": path, "kind": "failure", "reason": "", "class": "permanent"}
    return {"step": path, "kind": "failure", "reason": step.failure.message, "class": step.failure.cls.value}


class StepScope:
    """``steps`` as expressions see it, made entry by entry on demand: a run may have thousands."""

    __slots__ = ("_path", "_state", "_values")

    def __init__(self, state: RunState, path: str, values: Values) -> None:
        self._state = state
        self._path = path
        self._values = values

    def __getitem__(self, step: str) -> dict[str, JsonValue]:
        found = _find(self._state, self._path, step)
        if found is None:
            return _outer_steps(self._state)[step]
        output = resolve(found.output, self._values)
        error = found.failure.message if found.failure is not None else ""
        return {"output": output, "status": found.status.value, "error": error}

    def __contains__(self, step: object) -> bool:
        if not isinstance(step, str):
            return False
        return _find(self._state, self._path, step) is not None or step in _outer_steps(self._state)


class Assuming:
    """``steps`` as they would be seen if the step ``id`` had completed with ``output`` by now."""

    __slots__ = ("_id", "_output", "_steps")

    def __init__(self, steps: StepScope, id_: str, output: JsonValue) -> None:
        self._steps = steps
        self._id = id_
        self._output = output

    def __getitem__(self, step: str) -> dict[str, JsonValue]:
        if step != self._id:
            return self._steps[step]
        return {"output": self._output, "status": StepStatus.COMPLETED.value, "error": ""}

    def __contains__(self, step: object) -> bool:
        return step == self._id or step in self._steps


class _Masked:
    """``secrets`` as everybody sees them but the attempt that is given them."""

    __slots__ = ()

    def __getitem__(self, name: str) -> str:
        return mask(name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)


MASKED = _Masked()


def _outer_steps(state: RunState) -> dict[str, dict[str, JsonValue]]:
    return cast("dict[str, dict[str, JsonValue]]", state.started.outer.get("steps", {}))


def _find(state: RunState, path: str, step: str) -> StepState | None:
    """The step of that id that ``path`` sees: in the innermost group that has begun one."""
    for group in _around(path):
        found = state.steps.get(paths.in_group(group, step))
        if found is not None and found.status is not StepStatus.PENDING:
            return found
    return None


def _around(path: str) -> Iterator[str]:
    """The path itself, which may be an item or pass with a group inside, and each group around it."""
    while path:
        yield path
        path = paths.group_of(path)
    yield ""


def _units(path: str) -> list[str]:
    """The items and passes that ``path`` is inside of, the outermost first."""
    return [unit for unit in _around(path) if paths.loop_of(unit) is not None][::-1]


def _of_unit(state: RunState, unit: str, values: Values) -> dict[str, JsonValue]:
    number, of = paths.number_of(unit), paths.loop_of(unit) or ""
    loop = state.step(of).loop
    if loop is None:
        return {}
    repeats = state.plan.node(of).kind is Kind.REPEAT
    held = loop.last if repeats else loop.items
    known: dict[str, JsonValue] = {"iteration" if repeats else "index": number}
    if state.plan.node(of).step.agent is not None and _are_known(loop.history, values):
        known["history"] = [resolve(one, values) for one in loop.history]
    if not _are_known([held], values):
        return known  # nobody refers to it here, or ``needed`` had asked for it
    value = resolve(held, values)
    return known | ({"previous": value} if repeats else {"item": cast("list[JsonValue]", value)[number - loop.first]})


def _are_known(held: Iterable[Held], values: Values) -> bool:
    return all(not isinstance(one, At) or one.seq in values for one in held)


def _held(state: RunState, path: str, root: str, name: str) -> Iterator[At]:
    if root == "steps":
        found = _find(state, path, name)
        if found is not None and isinstance(found.output, At):
            yield found.output
    if root not in ("item", "index", "iteration", "previous", "history"):
        return
    for unit in _units(path):
        loop = state.step(paths.loop_of(unit) or "").loop
        if loop is not None:
            seen = loop.history if root == "history" else (loop.items, loop.last)
            yield from (held for held in seen if isinstance(held, At))


def _changes(state: RunState) -> dict[str, JsonValue]:
    """What somebody at a gate wants done differently; empty texts as long as nobody has said so."""
    said = state.changes
    if said is None:
        return {"gate": "", "comment": "", "by": "", "count": 0}
    return {"gate": said.gate, "comment": said.comment, "by": said.by.name, "count": said.times}


def _run(state: RunState) -> dict[str, JsonValue]:
    started = state.started
    return {
        "id": state.run,
        "workflow": started.workflow,
        "started_by": started.by.name,
        "started_at": state.started_at,
    }
