"""Random workflows, drawn by their number, the same ones in every process.

The one rule: a piece holds all that was drawn of a step, so that what must come of it can be worked out from the piece
alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any

from pydantic import JsonValue

from engine.catalog import Catalog
from engine.core.definition import Workflow
from tests.simulation.steps import TIMEOUT_MS, registry

PROGRAMS = 500
WIDE = 40
"""The first so many programs have steps that all run beside each other."""
LARGEST_LOOP = 50
"""Items that a run does itself; more are done by runs of their own."""
CHILDREN = 30
"""Programs that are called by others have these numbers less one, below zero."""

_PLAIN = ("echo", "work", "work", "pay", "pay", "gate")
_KINDS = (
    *_PLAIN * 3,
    "set",
    "sleep",
    "late",
    "late",
    "breaks",
    "each",
    "each",
    "repeat",
    "repeat",
    "call",
    "call",
    "listen",
    "listen",
)
_INNER = ("echo", "work", "pay")
_COUNTS = {"child": (1, 1, 2), "wide": (2, 2, 3, 3, 5), "plain": (1, 1, 1, 2, 2, 3, 3, 5)}
"""Of steps: many small workflows reach more orders of events in the same time than few large ones; some are large."""


@dataclass(frozen=True)
class Piece:
    """One step as it was drawn.

    ``over``: its condition holds for an input above this. ``tries``: attempts it needs, of ``attempts`` that it has.
    ``items``: of a for_each, how many attempts fail for each. ``passes``: of a repeat, how many it needs, of ``most``.
    ``lenient``: where it has items, passes or a time limit, whether it completes although some failed, there were too
    few, or it was over. ``patience``: how many seconds it waits for its signal, None for ever; ``by_key``: whether the
    signal is sent to whoever waits for the run's key, and not to the run.
    """

    id: str
    kind: str
    needs: tuple[str, ...] = ()
    explicit: bool = False
    over: int | None = None
    attempts: int = 3
    tries: int = 1
    ms: int = 0
    refers: str | None = None
    effects: int = 1
    on_expiry: str = "deny"
    tolerated: bool = False
    undone: bool = False
    items: tuple[int, ...] = ()
    lenient: bool = False
    inner: tuple[Piece, ...] = ()
    passes: int = 1
    most: int = 1
    child: int = 0
    patience: int | None = None
    by_key: bool = False

    @property
    def signal(self) -> str:
        """The name of the signal that it waits for."""
        return f"go-{self.id}"


@dataclass(frozen=True)
class Program:
    """A drawn workflow and its pieces, in order.

    ``handles``: whether it has a step for the case that it fails; ``alone``: whether one run at a time goes on.
    """

    workflow: Workflow
    pieces: tuple[Piece, ...] = field(repr=False)
    handles: bool = False
    alone: bool = False


@cache
def catalog() -> Catalog:
    """All programs that were drawn so far."""
    return Catalog(registry().catalog())


@cache
def program(number: int) -> Program:
    """The same one for the same number. Those below zero call no other and have no loops."""
    random = Random(f"program {number}")
    wide, child = 0 <= number < WIDE, number < 0
    count = random.choice(_COUNTS["child" if child else "wide" if wide else "plain"])
    pieces: list[Piece] = []
    for index in range(count):
        # What a called run gives may be given again by its caller, and must not pass for a result of the caller's own.
        piece = _draw(random, f"{'c' if child else 's'}{index}", pieces, _PLAIN if child or wide else _KINDS)
        if wide:
            kind = piece.kind if index else "gate"
            piece = replace(piece, kind=kind, needs=(), explicit=True, refers=None, over=None, undone=False)
        pieces.append(piece)
    name = f"child{-number}" if child else f"p{number}"
    definition: dict[str, Any] = {
        "name": name,
        "input": {"n": {"type": "integer"}} if child else {"n": {"type": "integer"}, "key": {"type": "string"}},
        "steps": [_step_of(random, piece) for piece in pieces],
        "output": _output_of(pieces[-1].id),
    }
    handles = random.random() < 0.2
    if handles:
        definition["on_failure"] = [{"id": "told", "uses": "sim.echo", "with": {"value": "it failed"}}]
    alone = not child and random.random() < 0.15
    if alone:
        definition["concurrency"] = {"key": "only one", "limit": 1}
    return Program(catalog().add(Workflow.model_validate(definition)), tuple(pieces), handles, alone)


def _draw(random: Random, id_: str, before: list[Piece], kinds: tuple[str, ...]) -> Piece:
    ids = [piece.id for piece in before]
    explicit = random.random() < 0.5
    needs = sorted(random.sample(ids, random.randint(0, min(2, len(ids))))) if explicit else ids[-1:]
    drawn = replace(
        _simple(random, id_, random.choice(kinds)),
        needs=tuple(needs),
        explicit=explicit,
        over=random.randint(0, 9) if random.random() < 0.2 else None,
        refers=random.choice(needs) if needs else None,
        on_expiry=random.choice(("deny", "approve", "fail")),
        tolerated=random.random() < 0.1,
    )
    match drawn.kind:
        case "work" | "pay":
            return replace(drawn, undone=random.random() < 0.2)
        case "each":
            many = random.random() < 0.03
            items = [0] * random.randint(51, 70) if many else random.choices((0, 0, 0, 1, 3), k=random.randint(0, 4))
            return replace(drawn, items=tuple(items), lenient=random.random() < 0.5, ms=0 if many else drawn.ms)
        case "repeat":
            inner = [_simple(random, f"i{n}", random.choice(_INNER)) for n in range(random.randint(1, 2))]
            passes, most = random.randint(1, 3), random.randint(2, 3)
            return replace(drawn, inner=tuple(inner), passes=passes, most=most, lenient=random.random() < 0.5)
        case "call":
            return replace(drawn, child=-random.randint(1, CHILDREN))
        case "listen":
            by_key, patience = random.random() < 0.5, random.choice((None, 4, 6))
            return replace(drawn, by_key=by_key, patience=patience, lenient=random.random() < 0.5)
        case _:
            return drawn


def _simple(random: Random, id_: str, kind: str) -> Piece:
    attempts = random.choice((1, 3, 3, 4))
    tries = 1 if random.random() < 0.6 else random.randint(1, attempts + (random.random() < 0.1))
    ms = random.choice((0, 5, 50, 300, 800, 2_200))
    return Piece(id_, kind, attempts=attempts, tries=tries, ms=ms, effects=random.randint(1, 2))


def _step_of(random: Random, piece: Piece) -> dict[str, Any]:
    made: dict[str, Any] = {"id": piece.id, "continue_on_error": piece.tolerated}
    if piece.explicit:
        made["needs"] = list(piece.needs)
    if piece.over is not None:
        made["if"] = f"input.n > {piece.over}"
    if piece.undone:
        made["undo"] = {"uses": "sim.undo", "with": {"of": piece.id, "got": _output_of(piece.id)}}
    match piece.kind:
        case "gate":
            return made | {"approval": _approval(random, piece)}
        case "set":
            return made | {"set": {"v": _value_of(piece)}}
        case "sleep":
            return made | {"sleep": f"{random.choice((1, 300, 2_500))}ms"}
        case "call":
            name = program(piece.child).workflow.name
            return made | {"workflow": {"name": name, "input": {"n": "${{ input.n }}"}}}
        case "listen":
            return made | {"wait_for": _wait_of(piece)}
        case "repeat":
            until = f"iteration >= {piece.passes}"
            on_max = "continue" if piece.lenient else "fail"
            repeat = {"until": until, "max": piece.most, "every": random.choice(("0ms", "200ms")), "on_max": on_max}
            return made | {"repeat": repeat, "steps": [{"id": each.id} | _code_of(each) for each in piece.inner]}
        case "each":
            on_item_failure = "continue" if piece.lenient else "fail"
            loop = {"items": list(piece.items), "max_items": 100, "max_parallel": random.choice((1, 2, 60))}
            return made | {"for_each": loop | {"on_item_failure": on_item_failure}} | _code_of(piece)
        case _:
            return made | _code_of(piece)


def _approval(random: Random, piece: Piece) -> dict[str, Any]:
    expires = random.randint(2, 8)
    return {
        "title": f"Go on with {piece.id}?",
        "approvers": ["@all"],
        "allow_self": True,
        "expires_in": f"{expires}s",
        "on_expiry": piece.on_expiry,
        "escalate": [{"after": f"{expires // 2}s", "to": "@oncall"}],
    }


def _wait_of(piece: Piece) -> dict[str, Any]:
    made: dict[str, Any] = {"signal": piece.signal}
    if piece.by_key:
        made["correlation"] = "${{ input.key }}"
    if piece.patience is not None:
        made |= {"timeout": f"{piece.patience}s", "on_timeout": "continue" if piece.lenient else "fail"}
    return made


def _code_of(piece: Piece) -> dict[str, Any]:
    """The call of the step's code."""
    retry = {"attempts": piece.attempts, "initial": "200ms", "max": "1s"}
    made: dict[str, Any] = {"timeout": f"{TIMEOUT_MS}ms", "retry": retry}
    failing = piece.tries - 1
    match piece.kind:
        case "echo":
            return made | {"uses": "sim.echo", "with": {"value": _value_of(piece)}}
        case "pay":
            return made | {"uses": "sim.pay", "with": {"ms": piece.ms // 3, "fails": failing, "effects": piece.effects}}
        case "breaks":
            return made | {"uses": "sim.breaks"}
        case _:
            late, fails = (failing, 0) if piece.kind == "late" else (0, failing)
            of_item = "${{ item }}" if piece.kind == "each" else fails
            arguments = {"ms": piece.ms, "fails": of_item, "late": late, "result": f"done {piece.id}"}
            return made | {"uses": "sim.work", "with": arguments}


def _value_of(piece: Piece) -> JsonValue:
    return _output_of(piece.refers) if piece.refers else piece.id


def _output_of(step: str) -> str:
    return f"${{{{ steps.{step}.output }}}}"
