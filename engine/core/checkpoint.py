"""A run's state as a text, and back, so that a run need not be folded from its beginning.

The one rule: a checkpoint is a cache. ``VERSION`` names the fold that made it; whoever changes what a state holds, or
how an event changes it, raises it, and checkpoints of other versions are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from immutables import Map
from pydantic import BaseModel, JsonValue

from engine.core import events as e
from engine.core.corrections import Correction
from engine.core.failures import Failure
from engine.core.gate_checkpoint import dump_gate, read_gate
from engine.core.graph import Plan
from engine.core.state import (
    Changes,
    Effect,
    End,
    GroupState,
    Hold,
    Kept,
    Loop,
    Phase,
    RunState,
    RunStatus,
    StepState,
    StepStatus,
)
from engine.core.values import At, Held

VERSION = 18

_DEFAULT = StepState()
_PLAIN = (
    *(
        "attempt",
        "losses",
        "token",
        "worker",
        "lease_until",
        "lease_cap",
        "since",
        "started_at",
        "ended_at",
        "retry_at",
        "postponed",
    ),
    *("awaited", "awaited_at", "missing", "dead", "generation", "keyed_as", "wake_at", "child"),
    *("report", "reported_at"),
)


def to_text(state: RunState) -> str:
    """Everything of the state but its plan. Equal states give equal texts, whichever process writes them."""
    data: dict[str, Any] = {
        "run": state.run,
        "definition": state.definition,
        "started": _dump(state.started),
        "places": [state.seq, state.at, state.started_at, state.deadline, state.reopened, state.reserved, state.spent],
        "flags": [state.queued, state.timed_out, state.undone],
        "phase": state.phase.value,
        "pauses": [_dump(state.own_pause), _dump(state.parent_pause), state.parent_order, state.held_at],
        "cancel": _dump(state.cancel),
        "changes": _changes(state.changes),
        "open": state.open,
        "undoable": state.undoable,
        "undoing": state.undoing,
        "groups": {path: list(group) for path, group in sorted(state.groups.items())},
        "labels": dict(sorted(state.labels.items())),
        "kept": [[seq, kept.signal, kept.correlation, _held(kept.payload)] for seq, kept in sorted(state.kept.items())],
        "signals": dict(sorted(state.signals.items())),
        "children_spent": dict(sorted(state.children_spent.items())),
        "end": None if state.end is None else [*state.end[:5], _held(state.end.output)],
        "steps": {path: _step(step) for path, step in sorted(state.steps.items())},
    }
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


class Parsed(NamedTuple):
    """A checkpoint's text, read as far as it can be without its plan: that of ``definition``, or a part of it."""

    definition: str
    part: e.Part | None
    data: Mapping[str, Any]


def parse(text: str) -> Parsed:
    data = cast("dict[str, Any]", json.loads(text))
    part = data["started"]["part"]
    return Parsed(data["definition"], None if part is None else e.Part.model_validate(part), data)


def restore(parsed: Parsed, plan: Plan) -> RunState:
    """The state that was written, on its plan."""
    data = parsed.data
    started = e.RunStarted.model_validate(data["started"])
    seq, at, started_at, deadline, reopened, reserved, spent = data["places"]
    queued, timed_out, undone = data["flags"]
    own, parents, order, held_at = data["pauses"]
    end = data["end"]
    return RunState(
        run=data["run"],
        plan=plan,
        definition=parsed.definition,
        started=started,
        seq=seq,
        at=at,
        started_at=started_at,
        steps=Map({path: _read_step(step) for path, step in data["steps"].items()}),
        open=tuple(data["open"]),
        groups=Map({path: GroupState(*group) for path, group in data["groups"].items()}),
        labels=Map(data["labels"]),
        phase=Phase(data["phase"]),
        queued=queued,
        own_pause=None if own is None else e.RunPaused.model_validate(own),
        parent_pause=None if parents is None else e.RunPaused.model_validate(parents),
        parent_order=order,
        held_at=held_at,
        cancel=None if data["cancel"] is None else e.RunCancelRequested.model_validate(data["cancel"]),
        deadline=deadline,
        timed_out=timed_out,
        undoable=tuple(data["undoable"]),
        undoing=tuple(data["undoing"]),
        undone=undone,
        reopened=reopened,
        kept=Map({place: Kept(name, correlation, _unheld(held)) for place, name, correlation, held in data["kept"]}),
        signals=Map(data["signals"]),
        changes=_read_changes(data["changes"]),
        reserved=reserved,
        spent=spent,
        children_spent=Map(data["children_spent"]),
        end=None if end is None else End(RunStatus(end[0]), *end[1:5], output=_unheld(end[5])),
    )


def _step(step: StepState) -> dict[str, Any]:
    """What differs from a step that has not begun."""
    data: dict[str, Any] = {"status": step.status.value}
    for name in _PLAIN:
        value = getattr(step, name)
        if value != getattr(_DEFAULT, name):
            data[name] = value
    for name in ("output", "cursor"):
        value = getattr(step, name)
        if value is not None:
            data[name] = _held(value)
    for name in ("failure", "awaits"):
        value = getattr(step, name)
        if value is not None:
            data[name] = _dump(value)
    if step.log:
        data["log"] = step.log
    if step.effects:
        data["effects"] = {name: _effect(effect) for name, effect in sorted(step.effects.items())}
    for name, (dump, _) in _PARTS.items():
        value = getattr(step, name)
        if value is not None:
            data[name] = dump(value)
    return data


def _read_step(data: Mapping[str, Any]) -> StepState:
    found: dict[str, Any] = {name: data[name] for name in _PLAIN if name in data}
    for name in ("output", "cursor"):
        if name in data:
            found[name] = _unheld(data[name])
    if "failure" in data:
        found["failure"] = Failure.model_validate(data["failure"])
    if "awaits" in data:
        found["awaits"] = e.SignalAwaited.model_validate(data["awaits"])
    if "log" in data:
        found["log"] = tuple(data["log"])
    if "effects" in data:
        found["effects"] = Map({name: _read_effect(effect) for name, effect in data["effects"].items()})
    found |= {name: read(data[name]) for name, (_, read) in _PARTS.items() if name in data}
    return StepState(status=StepStatus(data["status"]), **found)


def _loop(loop: Loop) -> list[Any]:
    history = [_held(one) for one in loop.history]
    return [_held(loop.items), *loop[1:7], _held(loop.last), *loop[8:11], history, loop.spent]


def _read_loop(data: list[Any]) -> Loop:
    items, *counts, last, rested, failed, base, history, spent = data
    past = tuple(_unheld(one) for one in history)
    more = {"rested": rested, "failed": failed, "base": base, "history": past, "spent": spent}
    return Loop(_unheld(items), *counts, last=_unheld(last), **more)


def _read_hold(data: list[Any]) -> Hold:
    cause, keys, *more = data
    return Hold(cause, tuple(keys), *more)


def _correction(correction: Correction) -> list[Any]:
    number, changes, tried, told, cost, output, summary, asked = correction
    return [number, _held(changes), tried, told, cost, _held(output), summary, asked]


def _read_correction(data: list[Any]) -> Correction:
    number, changes, tried, told, cost, output, summary, asked = data
    return Correction(number, _unheld(changes), tuple(tried), tuple(told), cost, _unheld(output), summary, asked)


_PARTS: Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "loop": (_loop, _read_loop),
    "hold": (list, _read_hold),
    "gate": (dump_gate, read_gate),
    "correction": (_correction, _read_correction),
}
"""What only some steps have: how it is written, and how it is read."""


def _effect(effect: Effect) -> list[Any]:
    return [*effect[:2], _held(effect.result), *effect[3:]]


def _read_effect(data: list[Any]) -> Effect:
    key, known, result, reserved, model, provider, accounts, under = data
    return Effect(key, known, _unheld(result), reserved, model, provider, tuple(accounts), tuple(under))


def _changes(changes: Changes | None) -> list[Any] | None:
    return None if changes is None else [*changes[:2], _dump(changes.by), *changes[3:]]


def _read_changes(data: list[Any] | None) -> Changes | None:
    if data is None:
        return None
    gate, comment, by, *numbers = data
    return Changes(gate, comment, e.Actor.model_validate(by), *numbers)


def _dump(model: BaseModel | None) -> Any:
    return None if model is None else model.model_dump(mode="json")


def _held(held: Held) -> list[JsonValue]:
    """A place and a value that looks like one must stay apart."""
    return [1, held.seq] if isinstance(held, At) else [0, held]


def _unheld(pair: list[Any]) -> Held:
    return At(pair[1]) if pair[0] else pair[1]
