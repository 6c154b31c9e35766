"""Tells the story of a run: draws its steps one by one, puts them into a graph, and follows what is reached.

The one rule: what is reached and what is skipped is decided here by the rules of the language, written anew: a step
waits for the one before it, or for what it needs; it is skipped if its condition does not hold, or if it says what it
needs and all of that was skipped; nothing follows from a step that fails, unless the run tolerates that.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tests.fleet.constructs import CONSTRUCTS, IN_CHILDREN, handler
from tests.fleet.loops import LOOPS
from tests.fleet.stories import Drawn, Ending, Expected, Pause, Pen, Signal, Story

Weights = dict[Callable[[Pen], Drawn], int]

TIMEOUT = "40s"
"""Of a call: after that and a grace an attempt ends whose worker lives, but cannot report it any more."""

INPUT = {"tag": {"type": "string"}, "n": {"type": "integer"}}


@dataclass
class _Draft:
    """A story in the making: what became of each step so far, and everything that comes before it."""

    ends: dict[str, Ending | None] = field(default_factory=dict[str, "Ending | None"])
    before: dict[str, frozenset[str]] = field(default_factory=dict[str, "frozenset[str]"])
    values: dict[str, tuple[str, str]] = field(default_factory=dict[str, "tuple[str, str]"])
    stops: set[str] = field(default_factory=set[str])
    specs: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    expected: dict[str, Expected] = field(default_factory=dict[str, Expected])
    signals: list[Signal] = field(default_factory=list[Signal])
    callees: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def outcome(self, needs: tuple[str, ...], explicit: bool, condition: bool, own: Ending) -> Ending | None:
        """How a step ends; None if it is never reached, as something before it fails."""
        if any(self.ends[need] is None or need in self.stops for need in needs):
            return None
        if explicit and needs and all(self.ends[need] == "skipped" for need in needs):
            return "skipped"
        return own if condition else "skipped"

    def known(self, needs: tuple[str, ...]) -> dict[str, str]:
        """The values that are known once ``needs`` have ended, by the expressions that give them."""
        earlier = frozenset(needs).union(*(self.before[need] for need in needs))
        return dict(self.values[step] for step in sorted(earlier) if step in self.values)

    def put(self, step: str, needs: tuple[str, ...], ends: Ending | None, drawn: Drawn) -> None:
        self.ends[step] = ends
        self.before[step] = frozenset(needs).union(*(self.before[need] for need in needs))
        self.specs.append({"id": step, **drawn.spec})
        if drawn.callee is not None:
            self.callees.append(drawn.callee)
        if ends == "skipped":
            self.expected[step] = Expected(path=step, ends="skipped", needs=needs)
        elif ends is not None:
            self.expected[step] = replace(drawn.expected, needs=needs)
            self.expected.update({one.path: one for one in drawn.inner})
            if ends == "failed" and not drawn.expected.tolerated:
                self.stops.add(step)
            if ends == "completed" and drawn.known is not None:
                self.values[step] = drawn.known
            if drawn.signal is not None:
                self.signals.append(drawn.signal)


def tell(seed: int, number: int) -> Story:
    """The story of the run of that number, of this seed."""
    rng = random.Random(f"{seed}/{number}")
    given = {"tag": f"tag{rng.randrange(10**6)}", "n": rng.randrange(1000)}
    draft = _told(rng, rng.randint(2, 9), given, number, CONSTRUCTS | LOOPS | {child: 6}, rng.random() < 0.18)
    workflow: dict[str, Any] = {"name": f"story-{number}", "input": INPUT, "steps": draft.specs}
    handling: tuple[Expected, ...] = ()
    if rng.random() < 0.25:
        spec, expected = handler(Pen(rng, given, "on_failure/notify", number=number))
        workflow["on_failure"], handling = [spec], (expected,)
    return Story(
        number=number,
        workflow=_in_time(workflow),
        given=given,
        steps=draft.expected,
        handling=handling,
        callees=tuple(_in_time(callee) for callee in draft.callees),
        signals=tuple(draft.signals),
        pause=Pause(after=rng.randint(0, 1_500), lasts=rng.randint(100, 1_500)) if rng.random() < 0.06 else None,
        cancel_after=rng.randint(0, 1_500) if rng.random() < 0.06 else None,
    )


def _in_time(part: Any) -> Any:
    """The definition with a limit of time for each call that has none."""
    if isinstance(part, list):
        return [_in_time(each) for each in cast("list[Any]", part)]
    if not isinstance(part, dict):
        return part
    inside = {name: _in_time(value) for name, value in cast("dict[str, Any]", part).items()}
    return {"timeout": TIMEOUT, **inside} if "uses" in inside else inside


def child(pen: Pen) -> Drawn:
    """A run of another workflow, with a story of its own; it fails if the pen says so."""
    text, value = pen.value()
    given = {"tag": value, "n": pen.given["n"]}
    draft = _told(pen.rng, pen.rng.randint(1, 3), given, pen.number, IN_CHILDREN, pen.fails)
    fails = bool(draft.stops)
    name = f"story-{pen.number}-{pen.path}"
    expression, known = pen.rng.choice([("input.tag", value), *draft.values.values()])
    output = None if fails else {"value": known}
    workflow = {"name": name, "input": INPUT, "steps": draft.specs, "output": {"value": f"${{{{ {expression} }}}}"}}
    if fails:
        workflow["output"] = {"value": "${{ input.tag }}"}
    told = Story(number=pen.number, workflow=workflow, given=given, steps=draft.expected, output=output)
    ends: Ending = "failed" if fails else "completed"
    expected = Expected(
        path=pen.path, ends=ends, kind="child", output=output, child=told, failures=("permanent",) if fails else ()
    )
    spec = {"workflow": {"name": name, "input": {"tag": text, "n": "${{ input.n }}"}}}
    return Drawn(spec=spec, expected=expected, known=(f"steps.{pen.path}.output.value", known), callee=workflow)


def _told(
    rng: random.Random, length: int, given: dict[str, Any], number: int, weights: Weights, failing: bool
) -> _Draft:
    """The steps of one workflow. One that must fail has one step that fails if it is reached."""
    culprit = rng.randrange(length) if failing else -1
    draft = _Draft()
    for index in range(length):
        step = f"s{index}"
        needs, explicit = _needs(rng, index)
        pen = Pen(rng, given, step, draft.known(needs), fails=index == culprit, number=number)
        [construct] = rng.choices(list(weights), list(weights.values()))
        drawn = construct(pen)
        holds = True
        if not pen.fails and pen.chance(0.2):
            drawn.spec["if"], holds = pen.condition()
        if explicit:
            drawn.spec["needs"] = list(needs)
        draft.put(step, needs, draft.outcome(needs, explicit, holds, drawn.expected.ends), drawn)
    return draft


def _needs(rng: random.Random, index: int) -> tuple[tuple[str, ...], bool]:
    """What step ``index`` needs, and whether its definition says so: else it is the step before."""
    if rng.random() < 0.5:
        return ((f"s{index - 1}",) if index else ()), False
    count = min(index, rng.choice((0, 1, 1, 2, 3)))
    return tuple(f"s{other}" for other in sorted(rng.sample(range(index), count))), True
