"""Random workflows whose end is known beforehand, drawn from a seed: what a run is given, and how it must go.

The one rule: nothing of the engine is asked, nor imported. The steps that the definitions use behave as they are told
(``tests.fleet.steps``), so that the outcome follows from the definition alone, whatever happens to the workers.

A construct of the language is one drawing function, listed in ``tests.fleet.constructs``: it returns a ``Drawn`` node,
the step's definition together with all that must be true of it. ``tell`` puts nodes into a graph, and follows the
language's rules for what is reached and what is skipped.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Ending = Literal["completed", "failed", "skipped"]
Verdict = Literal["granted", "denied", "expired"]

KEY = "fleet/"
"""Begins the deduplication key of every run; its number follows."""


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
class Expected:
    """What must be true of the step at ``path`` if the run reaches it.

    ``needs``: what must have ended before it starts. ``value``: that of its output. ``failures``: the classes of its
    failed attempts in order, lost workers aside. ``effects``: those that a completed step has made, once each.
    """

    path: str
    ends: Ending
    needs: tuple[str, ...] = ()
    value: str | None = None
    size: int = 0
    failures: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    votes: Votes | None = None
    poison: bool = False


@dataclass(kw_only=True)
class Drawn:
    """A node as it was drawn: its definition, how it ends if it is run, and the value that others may refer to."""

    spec: dict[str, Any]
    ends: Ending = "completed"
    value: str | None = None
    size: int = 0
    failures: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    votes: Votes | None = None
    poison: bool = False


@dataclass(frozen=True, kw_only=True)
class Story:
    """Run ``number``: its definition, what it is given, and its end.

    ``culprits``: the steps that must fail if they are reached; with any, the run fails by one of them. A run that is
    asked to cancel after ``cancel_after`` ms must end as cancelled, unless it had ended before.
    """

    number: int
    workflow: dict[str, Any]
    given: dict[str, Any]
    steps: Mapping[str, Expected]
    cancel_after: int | None = None

    @property
    def key(self) -> str:
        return f"{KEY}{self.number}"

    @property
    def culprits(self) -> frozenset[str]:
        return frozenset(path for path, step in self.steps.items() if step.ends == "failed")

    @property
    def ends(self) -> str:
        return "failed" if self.culprits else "completed"


@dataclass
class Pen:
    """What a drawing function draws from: chance, the run's input, and the values known at this place of the graph."""

    rng: random.Random
    given: Mapping[str, Any]
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    fails: bool = False

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def value(self) -> tuple[str, str]:
        """A text for the definition, perhaps with expressions in it, and what it must come to."""
        parts: list[str] = []
        texts: list[str] = []
        for step in self.rng.sample(sorted(self.known), min(len(self.known), self.rng.randint(0, 2))):
            parts.append(f"${{{{ steps.{step}.output.value }}}}")
            texts.append(self.known[step])
        if not parts or self.chance(0.3):
            parts.append("${{ input.tag }}")
            texts.append(self.given["tag"])
        return "+".join(parts), "+".join(texts)

    def condition(self) -> tuple[str, bool]:
        """An expression for ``if``, and whether it holds."""
        holds = self.chance(0.6)
        if self.known and self.chance(0.5):
            step = self.rng.choice(sorted(self.known))
            right = self.known[step] if holds else "something else"
            return f"steps.{step}.output.value == '{right}'", holds
        remainder = self.given["n"] % 3 if holds else (self.given["n"] + 1) % 3
        return f"input.n % 3 == {remainder}", holds


@dataclass
class _Graph:
    """A story in the making: what became of each step so far, and everything that comes before it."""

    ends: dict[str, Ending | None] = field(default_factory=dict[str, "Ending | None"])
    before: dict[str, frozenset[str]] = field(default_factory=dict[str, "frozenset[str]"])
    values: dict[str, str] = field(default_factory=dict[str, str])

    def outcome(self, needs: tuple[str, ...], explicit: bool, condition: bool, own: Ending) -> Ending | None:
        """How a step ends; None if it is never reached, as something before it fails."""
        if any(self.ends[need] in (None, "failed") for need in needs):
            return None
        if explicit and needs and all(self.ends[need] == "skipped" for need in needs):
            return "skipped"
        return own if condition else "skipped"

    def known(self, needs: tuple[str, ...]) -> dict[str, str]:
        """The values that are known once ``needs`` have ended."""
        earlier = frozenset(needs).union(*(self.before[need] for need in needs))
        return {step: self.values[step] for step in sorted(earlier) if step in self.values}


def tell(seed: int, number: int, draw: Any) -> Story:
    """The story of run ``number`` of this seed. ``draw`` makes one node with a ``Pen``."""
    rng = random.Random(f"{seed}/{number}")
    given: dict[str, Any] = {"tag": f"tag{rng.randrange(10**6)}", "n": rng.randrange(1000)}
    length = rng.randint(2, 9)
    failing = rng.randrange(length) if rng.random() < 0.18 else -1
    graph, expected = _Graph(), dict[str, Expected]()
    specs: list[dict[str, Any]] = []
    for index in range(length):
        step = f"s{index}"
        needs, explicit = _needs(rng, index)
        pen = Pen(rng, given, graph.known(needs), fails=index == failing)
        drawn: Drawn = draw(pen)
        holds = True
        if not pen.fails and pen.chance(0.2):
            drawn.spec["if"], holds = pen.condition()
        if explicit:
            drawn.spec["needs"] = list(needs)
        ends = graph.outcome(needs, explicit, holds, drawn.ends)
        graph.ends[step] = ends
        graph.before[step] = frozenset(needs).union(*(graph.before[need] for need in needs))
        if ends == "completed" and drawn.value is not None:
            graph.values[step] = drawn.value
        specs.append({"id": step, **drawn.spec})
        if ends is not None:
            expected[step] = _expected(step, needs, ends, drawn)
    workflow = {"name": f"story-{number}", "input": {"tag": {"type": "string"}, "n": {"type": "integer"}}}
    cancel_after = rng.randint(0, 1_500) if rng.random() < 0.06 else None
    return Story(
        number=number, workflow={**workflow, "steps": specs}, given=given, steps=expected, cancel_after=cancel_after
    )


def _needs(rng: random.Random, index: int) -> tuple[tuple[str, ...], bool]:
    """What step ``index`` needs, and whether its definition says so: else it is the step before."""
    if rng.random() < 0.5:
        return ((f"s{index - 1}",) if index else ()), False
    count = min(index, rng.choice((0, 1, 1, 2, 3)))
    return tuple(f"s{other}" for other in sorted(rng.sample(range(index), count))), True


def _expected(step: str, needs: tuple[str, ...], ends: Ending, drawn: Drawn) -> Expected:
    if ends == "skipped":
        return Expected(path=step, ends=ends, needs=needs)
    return Expected(
        path=step,
        ends=ends,
        needs=needs,
        value=drawn.value if ends == "completed" else None,
        size=drawn.size,
        failures=drawn.failures,
        effects=drawn.effects,
        votes=drawn.votes,
        poison=drawn.poison,
    )
