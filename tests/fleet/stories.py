"""Random workflows whose end is known beforehand, drawn from a seed: what a run is given, and how it must go.

The one rule: nothing of the engine is asked, nor imported. The steps that the definitions use behave as they are told
(``tests.fleet.steps``), so that the outcome follows from the definition alone, whatever happens to the workers.

A construct of the language is one drawing function (``tests.fleet.constructs``, ``tests.fleet.loops``): it returns a
``Drawn`` node, the step's definition together with all that must be true of it. ``tests.fleet.teller`` puts nodes into
a graph.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Ending = Literal["completed", "failed", "skipped"]
Verdict = Literal["granted", "denied", "expired"]
Kind = Literal["worker", "gate", "set", "sleep", "signal", "child", "loop", "group"]

KEY = "fleet/"
"""Begins the deduplication key of every run that people start; its number follows."""


def answer(value: str) -> str:
    """What every step makes of its value: short, and different for every input."""
    return hashlib.sha256(value.encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Votes:
    """How people treat a gate: how it must be decided, after how long (ms) they decide, and what else they try."""

    verdict: Verdict
    passes: bool
    after: int = 0
    twice: bool = False
    stale: bool = False
    starter_may: bool = True


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A signal that people send ``after`` so many ms since the run's start: before the run waits for it, or after.

    With a ``correlation`` they send it without knowing the run.
    """

    name: str
    payload: dict[str, Any]
    after: int
    twice: bool = False
    correlation: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pause:
    """People hold the run ``after`` so many ms, and let it go on after ``lasts``."""

    after: int
    lasts: int


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What must be true of the step at ``path`` if the run reaches it.

    ``needs``: what must have ended before it starts. ``output``: its output, without what only the worker knows.
    ``failures``: the classes of its failed attempts in order, lost workers aside. ``effects``: those that a completed
    step has made; at most ``once`` in all if they must not be repeated. ``tolerated``: the run goes on if it fails.
    ``child``: how the run goes that does it. ``undo``: what compensates it. ``parallel``: how many items at a time.
    ``poison``: it kills its workers.
    """

    path: str
    ends: Ending
    kind: Kind = "worker"
    needs: tuple[str, ...] = ()
    output: Any = None
    size: int = 0
    failures: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    once: bool = False
    votes: Votes | None = None
    tolerated: bool = False
    child: Story | None = None
    undo: Expected | None = None
    parallel: int = 0
    poison: bool = False


@dataclass(kw_only=True)
class Drawn:
    """A node as it was drawn: its definition, what is expected of it and of what is inside, if it is run.

    ``known``: where its value is found in the scope of what follows, and the value. ``signal``: what it waits for.
    ``callee``: the workflow that it calls.
    """

    spec: dict[str, Any]
    expected: Expected
    inner: list[Expected] = field(default_factory=list[Expected])
    known: tuple[str, str] | None = None
    signal: Signal | None = None
    callee: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Story:
    """A run's definition, what it is given, and its end. ``number`` is that of the run that people started.

    ``steps`` by path. A run that is asked to cancel after ``cancel_after`` ms must end as cancelled, unless it had
    ended before. ``handling``: what runs once it has failed. ``callees``: the workflows that it calls.
    """

    number: int
    workflow: dict[str, Any]
    given: dict[str, Any]
    steps: Mapping[str, Expected]
    output: Any = None
    handling: tuple[Expected, ...] = ()
    callees: tuple[dict[str, Any], ...] = ()
    signals: tuple[Signal, ...] = ()
    pause: Pause | None = None
    cancel_after: int | None = None

    @property
    def key(self) -> str:
        return f"{KEY}{self.number}"

    @property
    def culprits(self) -> frozenset[str]:
        """The steps that must fail if they are reached; with any, the run fails by one of them."""
        return frozenset(
            path
            for path, step in self.steps.items()
            if step.ends == "failed" and not step.tolerated and not any(mark in path for mark in "[#/")
        )

    @property
    def ends(self) -> str:
        return "failed" if self.culprits else "completed"

    def expected(self, path: str) -> Expected | None:
        """What is expected of the step at this path: one of the workflow, a compensation, or one after a failure."""
        if path in self.steps:
            return self.steps[path]
        undone = self.steps.get(path.removesuffix("!undo"))
        if undone is not None and undone.undo is not None:
            return undone.undo
        return next((step for step in self.handling if step.path == path), None)


@dataclass
class Pen:
    """What a drawing function draws from: chance, the run's input, and the values known at this place of the graph.

    ``path`` is that of the step to be drawn; ``fails``: whether it must fail. ``known``: expressions and their values.
    """

    rng: random.Random
    given: Mapping[str, Any]
    path: str
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    fails: bool = False
    number: int = 0

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def at(self, path: str) -> Pen:
        """A pen for a step inside of this one, which knows nothing and does not fail."""
        return replace(self, path=path, known={}, fails=False)

    def value(self) -> tuple[str, str]:
        """A text for the definition, perhaps with expressions in it, and what it must come to."""
        parts: list[str] = []
        texts: list[str] = []
        for expression in self.rng.sample(sorted(self.known), min(len(self.known), self.rng.randint(0, 2))):
            parts.append(f"${{{{ {expression} }}}}")
            texts.append(self.known[expression])
        if not parts or self.chance(0.3):
            parts.append("${{ input.tag }}")
            texts.append(self.given["tag"])
        return "+".join(parts), "+".join(texts)

    def condition(self) -> tuple[str, bool]:
        """An expression for ``if``, and whether it holds."""
        holds = self.chance(0.6)
        if self.known and self.chance(0.5):
            expression = self.rng.choice(sorted(self.known))
            right = self.known[expression] if holds else "something else"
            return f"{expression} == '{right}'", holds
        remainder = self.given["n"] % 3 if holds else (self.given["n"] + 1) % 3
        return f"input.n % 3 == {remainder}", holds
