"""What must come of a run: worked out from what was drawn, and from what nobody could foretell.

The one rule: nothing of the engine is used here, so that a mistake of its own cannot be expected of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from tests.simulation.programs import Piece, Program, program


@dataclass
class Told:
    """What the log says of a run and nobody could foretell, by the path of the step.

    ``gates``: whether each that was decided was passed, and its output. ``losses``: how often in a
    row its worker was lost; ``late``: the attempt that failed last, if it failed by its timeout,
    which happens to any where processes stand still. ``receipts``: what the outside gave. ``results``: what steps gave,
    for those whose results name the execution. ``errors``: the last failure's words. ``children``: the same of the runs
    that it called. ``signals``: the payload that each wait got; None if its time was over before.
    """

    gates: dict[str, tuple[bool, JsonValue]] = field(default_factory=dict[str, tuple[bool, JsonValue]])
    losses: dict[str, int] = field(default_factory=dict[str, int])
    late: dict[str, int] = field(default_factory=dict[str, int])
    receipts: dict[str, list[JsonValue]] = field(default_factory=dict[str, list[JsonValue]])
    results: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    errors: dict[str, str] = field(default_factory=dict[str, str])
    signals: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    children: dict[str, Told] = field(default_factory=dict[str, "Told"])


LOSSES_ALLOWED = 2
"""With so many a step may be taken for what kills its workers, and be given up."""


@dataclass
class Forecast:
    """``outputs`` of the steps that complete if they are reached, by path; ids of the others that it has."""

    outputs: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    skipped: set[str] = field(default_factory=set[str])
    failing: set[str] = field(default_factory=set[str])
    forgiven: set[str] = field(default_factory=set[str])
    undecided: set[str] = field(default_factory=set[str])

    @property
    def status(self) -> str | None:
        """How the run ends if nobody cancels it; None if that is not decided yet."""
        if self.failing:
            return "failed"
        return None if self.undecided else "completed"


def forecast(drawn: Program, n: int, told: Told) -> Forecast:
    """What must come of a run of the program with the input ``n``."""
    cast = Forecast()
    for piece in drawn.pieces:
        if any(needed in cast.failing or needed in cast.undecided for needed in piece.needs):
            # Whether it is ever reached depends on a step that is not passed; it says nothing about the run's end.
            cast.undecided.add(piece.id)
        elif _is_skipped(piece, n, cast):
            cast.skipped.add(piece.id)
        else:
            fate = _fate(piece, n, told, cast)
            if fate == "failed":
                (cast.forgiven if piece.tolerated else cast.failing).add(piece.id)
            elif fate == "undecided":
                cast.undecided.add(piece.id)
    return cast


def _is_skipped(piece: Piece, n: int, cast: Forecast) -> bool:
    pointless = piece.explicit and bool(piece.needs) and all(needed in cast.skipped for needed in piece.needs)
    return pointless or (piece.over is not None and not n > piece.over)


def _fate(piece: Piece, n: int, told: Told, cast: Forecast) -> str:
    """What becomes of the step once it is reached; its output, and those inside of it, come into the forecast."""
    outputs, refers = cast.outputs, piece.refers
    match piece.kind:
        case "gate":
            if piece.id not in told.gates:
                return "undecided"
            passed, outputs[piece.id] = told.gates[piece.id]
            return "completed" if passed else "failed"
        case "set":
            outputs[piece.id] = {"v": outputs.get(refers) if refers else piece.id}
        case "sleep":
            outputs[piece.id] = None
        case "listen":
            if piece.id not in told.signals:
                return "undecided"
            outputs[piece.id] = told.signals[piece.id]
            return "completed" if told.signals[piece.id] is not None or piece.lenient else "failed"
        case "call":
            return _call(piece, n, told, outputs)
        case "each":
            return _each(piece, told, outputs)
        case "repeat":
            return _repeat(piece, told, outputs)
        case _:
            return _attempts(piece, piece.id, outputs.get(refers) if refers else piece.id, told, outputs)
    return "completed"


def _attempts(piece: Piece, path: str, value: JsonValue, told: Told, outputs: dict[str, JsonValue]) -> str:
    """Of a step with code. ``value``: what it gives if it only says again what it was given."""
    lost = told.losses.get(path, 0) >= LOSSES_ALLOWED
    given_up = lost or told.late.get(path) == piece.attempts
    never = piece.kind == "breaks" or (piece.kind != "echo" and piece.tries > piece.attempts)
    if given_up or never:
        return "failed"
    if piece.kind == "echo":
        outputs[path] = value
    elif piece.kind == "pay":
        outputs[path] = list(told.receipts.get(path, []))
    else:
        result = told.results.get(path)
        is_one = isinstance(result, str) and result.startswith(f"done {piece.id} #")
        outputs[path] = result if is_one else "what one execution of it gives"
    return "completed"


def _call(piece: Piece, n: int, told: Told, outputs: dict[str, JsonValue]) -> str:
    child = told.children.get(piece.id)
    if child is None:
        return "undecided"
    called = program(piece.child)
    cast = forecast(called, n, child)
    outputs[piece.id] = cast.outputs.get(called.pieces[-1].id)
    return cast.status or "undecided"


def _each(piece: Piece, told: Told, outputs: dict[str, JsonValue]) -> str:
    results: list[JsonValue] = []
    failed = False
    for index, fails in enumerate(piece.items):
        path = f"{piece.id}[{index}]"
        fate = _attempts(_with_tries(piece, fails + 1), path, None, told, outputs)
        error = told.errors.get(path, "") if fate == "failed" else ""
        results.append({"index": index, "status": fate, "output": outputs.get(path), "error": error})
        failed = failed or fate == "failed"
    outputs[piece.id] = results
    return "failed" if failed and not piece.lenient else "completed"


def _with_tries(piece: Piece, tries: int) -> Piece:
    return Piece(piece.id, "work", attempts=piece.attempts, tries=tries)


def _repeat(piece: Piece, told: Told, outputs: dict[str, JsonValue]) -> str:
    done: dict[str, JsonValue] = {}
    passes = min(piece.passes, piece.most)
    for number in range(1, passes + 1):
        for inner in piece.inner:
            path = f"{piece.id}#{number}/{inner.id}"
            if _attempts(inner, path, inner.id, told, outputs) == "failed":
                return "failed"
            done[inner.id] = outputs[path]
        outputs[f"{piece.id}#{number}"] = dict(done)
    met = piece.passes <= piece.most
    outputs[piece.id] = {"iterations": passes, "met": met, "outputs": dict(done)}
    return "completed" if met or piece.lenient else "failed"


def undone(drawn: Program, completed: Sequence[str]) -> list[str]:
    """The steps that are compensated if the run stops, in the order in which that is done, the last one first."""
    wanted = {piece.id for piece in drawn.pieces if piece.undone}
    return [step for step in reversed(completed) if step in wanted]
