"""Random workflows, the steps that they are made of, and what must come of them.

The one rule: what is expected is worked out here from what was drawn, never by the engine's own code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from typing import Any, Protocol

from pydantic import JsonValue

from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.registry import Registry, step

PROGRAMS = 400
WIDE = 40
"""The first so many programs have steps that all run beside each other."""
TIMEOUT_MS = 4_000
"""Longer than most leases, so that they must be renewed."""


class Outside(Protocol):
    """What a step touches outside the engine."""

    def execution(self, run: str, path: str) -> int:
        """A number for one execution of the step's code, by which its result is known again."""
        ...

    def recorded(self, run: str, path: str, effect: str) -> bool:
        """Whether the log holds the effect's result by now."""
        ...

    async def pay(self, key: str, again: bool) -> str:
        """Take the payment; a receipt. ``again``: its result was on record before the step asked for it."""
        ...


OUTSIDE: ContextVar[Outside] = ContextVar("outside")


@step("sim.echo")
async def echo(value: JsonValue) -> JsonValue:
    return value


@step("sim.work")
async def work(ctx: StepContext, ms: int, fails: int, late: int, result: str) -> str:
    """Takes its time; the first attempts fail, or are late. The result says which execution it is of."""
    number = OUTSIDE.get().execution(ctx.run, ctx.step)
    await ctx.log(f"attempt {ctx.attempt}")
    await asyncio.sleep(ms / 1000 if ctx.attempt > late else TIMEOUT_MS / 500)
    if ctx.attempt <= fails:
        raise StepError("not yet", FailureClass.TRANSIENT)
    return f"{result} #{number}"


@step("sim.pay")
async def pay(ctx: StepContext, ms: int, fails: int, effects: int) -> list[JsonValue]:
    """Has effects outside, one after another, and then perhaps fails."""
    outside = OUTSIDE.get()
    receipts: list[JsonValue] = []
    for number in range(effects):
        name = f"pay{number}"
        again = outside.recorded(ctx.run, ctx.step, name)

        async def charge(key: str, again: bool = again) -> str:
            await asyncio.sleep(ms / 1000)
            return await outside.pay(key, again)

        receipts.append(await ctx.effect(name, charge))
    if ctx.attempt <= fails:
        raise StepError("after the payment", FailureClass.TRANSIENT)
    return receipts


@step("sim.breaks")
async def breaks() -> str:
    raise StepError("it never works")


@dataclass(frozen=True)
class Piece:
    """One step as it was drawn. ``over``: its condition holds for an input above this; ``tries``: attempts it needs."""

    id: str
    kind: str
    needs: tuple[str, ...]
    explicit: bool
    over: int | None
    attempts: int
    tries: int
    refers: str | None
    effects: int = 1
    on_expiry: str = "deny"


@dataclass(frozen=True)
class Program:
    """A drawn workflow and its pieces, in order."""

    workflow: Workflow
    pieces: tuple[Piece, ...] = field(repr=False)


@cache
def registry() -> Registry:
    return Registry([echo, work, pay, breaks])


@cache
def program(number: int) -> Program:
    """The same one for the same number, in every process."""
    random = Random(f"program {number}")
    pieces: list[Piece] = []
    steps: list[dict[str, Any]] = []
    wide = number < WIDE
    for index in range(random.randint(3, 5) if wide else random.randint(2, 5)):
        piece = _draw(random, index, pieces)
        if wide:
            kind = piece.kind if index else "gate"
            piece = replace(piece, kind=kind, needs=(), explicit=True, refers=None, over=None)
        pieces.append(piece)
        steps.append(_step_of(random, piece))
    definition: dict[str, Any] = {"name": f"p{number}", "input": {"n": {"type": "integer"}}, "steps": steps}
    return Program(Catalog(registry().catalog()).add(Workflow.model_validate(definition)), tuple(pieces))


_KINDS = (*("echo", "work", "work", "pay", "pay", "gate") * 4, "late", "late", "breaks")


def _draw(random: Random, index: int, before: list[Piece]) -> Piece:
    ids = [piece.id for piece in before]
    explicit = random.random() < 0.5
    needs = sorted(random.sample(ids, random.randint(0, min(2, len(ids))))) if explicit else ids[-1:]
    attempts = random.choice((1, 3, 3, 4))
    tries = 1 if random.random() < 0.6 else random.randint(1, attempts + (random.random() < 0.1))
    return Piece(
        id=f"s{index}",
        kind=random.choice(_KINDS),
        needs=tuple(needs),
        explicit=explicit,
        over=random.randint(0, 9) if random.random() < 0.25 else None,
        attempts=attempts,
        tries=tries,
        refers=random.choice(needs) if needs else None,
        effects=random.randint(1, 2),
        on_expiry=random.choice(("deny", "approve", "fail")),
    )


def _step_of(random: Random, piece: Piece) -> dict[str, Any]:
    made: dict[str, Any] = {"id": piece.id, "timeout": f"{TIMEOUT_MS}ms"}
    if piece.explicit:
        made["needs"] = list(piece.needs)
    if piece.over is not None:
        made["if"] = f"input.n > {piece.over}"
    if piece.kind == "gate":
        del made["timeout"]
        expires = random.randint(3, 12)
        made["approval"] = {
            "title": f"Go on with {piece.id}?",
            "approvers": ["@all"],
            "expires_in": f"{expires}s",
            "on_expiry": piece.on_expiry,
            "escalate": [{"after": f"{expires // 2}s", "to": "@oncall"}],
        }
        return made
    made["retry"] = {"attempts": piece.attempts, "initial": "200ms", "max": "1s"}
    ms, failing = random.choice((0, 5, 50, 400, 1_200, 3_000)), piece.tries - 1
    if piece.kind == "echo":
        made |= {"uses": "sim.echo", "with": {"value": _value_of(piece)}}
    elif piece.kind == "pay":
        made |= {"uses": "sim.pay", "with": {"ms": ms // 3, "fails": failing, "effects": piece.effects}}
    elif piece.kind == "breaks":
        made |= {"uses": "sim.breaks"}
    else:
        late, fails = (failing, 0) if piece.kind == "late" else (0, failing)
        made |= {"uses": "sim.work", "with": {"ms": ms, "fails": fails, "late": late, "result": f"done {piece.id}"}}
    return made


def _value_of(piece: Piece) -> str:
    return f"${{{{ steps.{piece.refers}.output }}}}" if piece.refers else piece.id


@dataclass(frozen=True)
class Told:
    """What the log says of a run and nobody could foretell.

    ``gates``: the output of each that was decided, None for those that were not passed; ``lost``: steps whose workers
    were lost too often; ``late``: the attempt of each step that failed last, if it failed by its timeout, which happens
    to any step where processes stand still; ``receipts``: what the outside gave, by step; ``results``: what the steps
    gave, for those whose results name the execution.
    """

    gates: Mapping[str, JsonValue]
    lost: frozenset[str]
    late: Mapping[str, int]
    receipts: Mapping[str, list[JsonValue]]
    results: Mapping[str, JsonValue]


@dataclass
class Forecast:
    """``outputs`` of the steps that complete if they are reached; ``skipped``, ``failing`` and ``undecided`` ones."""

    outputs: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    skipped: set[str] = field(default_factory=set[str])
    failing: set[str] = field(default_factory=set[str])
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
        elif piece.id in told.lost or told.late.get(piece.id) == piece.attempts:
            cast.failing.add(piece.id)
        else:
            _settle(piece, told, cast)
    return cast


def _is_skipped(piece: Piece, n: int, cast: Forecast) -> bool:
    pointless = piece.explicit and bool(piece.needs) and all(needed in cast.skipped for needed in piece.needs)
    return pointless or (piece.over is not None and not n > piece.over)


def _settle(piece: Piece, told: Told, cast: Forecast) -> None:
    if piece.kind == "gate":
        if piece.id not in told.gates:
            cast.undecided.add(piece.id)
        elif told.gates[piece.id] is None:
            cast.failing.add(piece.id)
        else:
            cast.outputs[piece.id] = told.gates[piece.id]
    elif piece.kind == "breaks" or (piece.kind != "echo" and piece.tries > piece.attempts):
        cast.failing.add(piece.id)
    elif piece.kind == "echo":
        cast.outputs[piece.id] = cast.outputs.get(piece.refers) if piece.refers else piece.id
    elif piece.kind == "pay":
        cast.outputs[piece.id] = list(told.receipts.get(piece.id, []))
    else:
        result = told.results.get(piece.id)
        is_one = isinstance(result, str) and result.startswith(f"done {piece.id} #")
        cast.outputs[piece.id] = result if is_one else "done, by any execution"
