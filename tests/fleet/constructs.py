"""The kinds of steps that stories are made of: each a function that draws a definition and says how it must go.

The one rule: what is drawn depends on the pen alone. A new construct of the language is one more function in
``CONSTRUCTS``, with its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.fleet.stories import Drawn, Pen, Votes, answer

Trouble = str
RETRIED: tuple[Trouble, ...] = ("transient", "rate_limited", "timeout")
FINAL: tuple[Trouble, ...] = ("permanent", "permission")

TIMEOUT = 4_000
"""Of a step that is told to hang: more than a lease, so that its worker must keep it."""


def call(pen: Pen, uses: str, **more: Any) -> Drawn:
    """A call of a step with a value, and with troubles for its first attempts; failing if the pen says so."""
    text, value = pen.value()
    troubles = _troubles(pen)
    allowed = len(troubles) if pen.fails else len(troubles) + pen.rng.randint(1, 3)
    spec: dict[str, Any] = {"uses": uses, "with": {"value": text, "troubles": list(troubles), **more}}
    spec["retry"] = {"attempts": max(allowed, 1), "initial": f"{pen.rng.randint(20, 150)}ms", "max": "400ms"}
    if "timeout" in troubles:
        # Only what hangs has so short a time: others may be held up by the faults.
        spec["timeout"] = f"{TIMEOUT}ms"
    ends = "failed" if pen.fails else "completed"
    return Drawn(spec=spec, ends=ends, value=None if pen.fails else answer(value), failures=troubles)


def _troubles(pen: Pen) -> tuple[Trouble, ...]:
    """The classes of the attempts that fail, in order. A step that must fail does so for good, or once too often."""
    retried = tuple(pen.rng.choices(RETRIED, (8, 3, 1), k=pen.rng.randint(1, 3)))
    if pen.fails:
        return (*retried[1:], pen.rng.choice(FINAL)) if pen.chance(0.5) else retried
    return retried if pen.chance(0.2) else ()


def work(pen: Pen) -> Drawn:
    return call(pen, "fleet.work", ms=pen.rng.choice((0, 0, 5, 20, 60)))


def slow(pen: Pen) -> Drawn:
    return call(pen, "fleet.work", ms=pen.rng.randint(200, 1_200))


def plain(pen: Pen) -> Drawn:
    """In a thread."""
    return call(pen, "fleet.plain", ms=pen.rng.randint(0, 300))


def block(pen: Pen) -> Drawn:
    """Blocks its worker's event loop, now and then for longer than the lease."""
    return call(pen, "fleet.block", ms=pen.rng.choice((30, 30, 100, 100, 2_500)))


def talk(pen: Pen) -> Drawn:
    return call(pen, "fleet.talk", lines=pen.rng.randint(1, 3))


def bulk(pen: Pen) -> Drawn:
    """An output of a size on either side of every limit: kept in the state, in its event, or apart."""
    size = pen.rng.choice((600, 5_000, 70_000, 200_000))
    drawn = call(pen, "fleet.bulk", size=size)
    drawn.size = size
    return drawn


def pay(pen: Pen) -> Drawn:
    """Effects outside; its troubles come after them, so that the next attempt must know what was done."""
    count = pen.rng.randint(1, 3)
    drawn = call(pen, "fleet.pay", effects=count, ms=pen.rng.choice((0, 20, 100, 300)))
    drawn.effects = tuple(f"pay{number}" for number in range(count))
    return drawn


def gate(pen: Pen) -> Drawn:
    """Decided by people, or left to expire."""
    left = pen.chance(0.3)
    approval: dict[str, Any] = {"title": f"Go on with {pen.value()[0]}?", "approvers": ["@all"]}
    votes = _left_alone(pen, approval) if left else _decided(pen, approval)
    ends = "completed" if votes.passes else "failed"
    return Drawn(spec={"approval": approval}, ends=ends, votes=votes)


def _left_alone(pen: Pen, approval: dict[str, Any]) -> Votes:
    policy = pen.rng.choice(("deny", "fail")) if pen.fails else "approve"
    approval |= {"expires_in": f"{pen.rng.randint(300, 1_500)}ms", "on_expiry": policy}
    if pen.chance(0.5):
        approval["escalate"] = [{"after": "150ms", "to": "@oncall"}]
    return Votes(verdict="expired", passes=policy == "approve", stale=pen.chance(0.5))


def _decided(pen: Pen, approval: dict[str, Any]) -> Votes:
    approval |= {"expires_in": "30m", "allow_self": pen.chance(0.5)}
    if pen.chance(0.3):
        approval["escalate"] = [{"after": "200ms", "to": "@oncall"}, {"after": "900ms", "to": "#leads"}]
    return Votes(
        verdict="denied" if pen.fails else "granted",
        passes=not pen.fails,
        after=pen.rng.randint(0, 800),
        twice=pen.chance(0.6),
        stale=pen.chance(0.4),
        starter_may=approval["allow_self"],
    )


CONSTRUCTS: dict[Callable[[Pen], Drawn], int] = {
    work: 35,
    slow: 14,
    plain: 6,
    block: 3,
    talk: 8,
    bulk: 5,
    pay: 20,
    gate: 14,
}


def draw(pen: Pen) -> Drawn:
    """Any construct, by weight."""
    [construct] = pen.rng.choices(list(CONSTRUCTS), list(CONSTRUCTS.values()))
    return construct(pen)
