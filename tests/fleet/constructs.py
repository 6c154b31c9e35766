"""The kinds of steps that stories are made of: each a function that draws a definition and says how it must go.

The one rule: what is drawn depends on the pen alone. A new construct of the language is one more function in
``CONSTRUCTS``, with its weight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fleet.stories import Drawn, Ending, Expected, Pen, Signal, Votes, answer

RETRIED = ("transient", "rate_limited", "timeout")
FINAL = ("permanent", "permission")

TIMEOUT = 8_000
"""Of a step that is told to hang: far more than a lease, so that nothing else takes as long."""

POISONED = 0.08
"""So much of the failing work kills its worker."""

PATIENT = {"worker_lost": {"attempts": 50}}
"""Rules of retry under which a step is never given up because its workers were lost."""


def call(pen: Pen, uses: str, **more: Any) -> Drawn:
    """A call of a step with a value, and with troubles for its first attempts; failing if the pen says so."""
    text, value = pen.value()
    failures = troubles(pen)
    allowed = len(failures) if pen.fails else len(failures) + pen.rng.randint(1, 3)
    spec: dict[str, Any] = {"uses": uses, "with": {"value": text, "troubles": list(failures), **more}}
    retry: dict[str, Any] = {"attempts": max(allowed, 1), "initial": f"{pen.rng.randint(20, 150)}ms", "max": "400ms"}
    if pen.chance(0.5):
        retry["classes"] = PATIENT
    spec["retry"] = retry
    if "timeout" in failures:
        # Only what hangs has so short a time: others may be held up by the faults.
        spec["timeout"] = f"{TIMEOUT}ms"
    ends: Ending = "failed" if pen.fails else "completed"
    output = None if pen.fails else {"value": answer(value)}
    drawn = Drawn(spec=spec, expected=Expected(path=pen.path, ends=ends, output=output, failures=failures))
    if not pen.fails:
        drawn.known = (f"steps.{pen.path}.output.value", answer(value))
    return _with_undo(pen, drawn) if pen.chance(0.15) else drawn


def troubles(pen: Pen) -> tuple[str, ...]:
    """The classes of the attempts that fail, in order. A step that must fail does so for good, or once too often."""
    retried = tuple(pen.rng.choices(RETRIED, (8, 3, 0 if pen.fails else 1), k=pen.rng.randint(1, 3)))
    if pen.fails:
        return (*retried[1:], pen.rng.choice(FINAL)) if pen.chance(0.5) else retried
    if "timeout" in retried:
        retried = ("timeout",)  # alone: in so little time the other attempts may end for want of it too
    return retried if pen.chance(0.2) else ()


def _with_undo(pen: Pen, drawn: Drawn) -> Drawn:
    """The step with a compensation, which is paid for too."""
    path = f"{pen.path}!undo"
    spec, expected = _paid(path, f"undo {pen.path}", pen.given["tag"])
    drawn.spec["undo"] = {**spec, "retry": {"attempts": 5, "classes": PATIENT}}
    drawn.expected = replace(drawn.expected, undo=expected)
    return drawn


def handler(pen: Pen) -> tuple[dict[str, Any], Expected]:
    """A step for ``on_failure``."""
    spec, expected = _paid(pen.path, "sorry", pen.given["tag"])
    spec |= {"id": pen.path.rpartition("/")[2], "retry": {"classes": PATIENT}}
    return spec, expected


def _paid(path: str, word: str, tag: str) -> tuple[dict[str, Any], Expected]:
    spec: dict[str, Any] = {
        "uses": "fleet.pay",
        "with": {"value": f"{word} ${{{{ input.tag }}}}", "troubles": [], "effects": 1},
    }
    output = {"value": answer(f"{word} {tag}")}
    return spec, Expected(path=path, ends="completed", output=output, effects=("pay0",))


def work(pen: Pen) -> Drawn:
    if pen.fails and pen.chance(POISONED):
        return _poison(pen)
    return call(pen, "fleet.work", ms=pen.rng.choice((0, 0, 5, 20, 60)))


def _poison(pen: Pen) -> Drawn:
    """A step that kills whoever runs it."""
    spec = {"uses": "fleet.poison", "with": {"value": pen.value()[0]}, "retry": {"attempts": 9}}
    return Drawn(spec=spec, expected=Expected(path=pen.path, ends="failed", poison=True))


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
    drawn.expected = replace(drawn.expected, size=0 if pen.fails else size)
    return drawn


def pay(pen: Pen) -> Drawn:
    """Effects outside; its troubles come after them, so that the next attempt must know what was done."""
    count = pen.rng.randint(1, 3)
    drawn = call(pen, "fleet.pay", effects=count, ms=pen.rng.choice((0, 20, 100, 600)))
    drawn.expected = replace(drawn.expected, effects=tuple(f"pay{number}" for number in range(count)))
    return drawn


def tolerated(pen: Pen) -> Drawn:
    """A step that fails, and the run goes on."""
    drawn = call(replace(pen, fails=True), "fleet.work")
    drawn.spec |= {"continue_on_error": True}
    drawn.spec["retry"]["classes"] = PATIENT
    drawn.expected = replace(drawn.expected, tolerated=True)
    return drawn


def unrepeatable(pen: Pen) -> Drawn:
    """An effect that must not be made twice: when its outcome is unknown, a person has to look."""
    text, value = pen.value()
    spec: dict[str, Any] = {
        "uses": "fleet.pay",
        "with": {"value": text, "troubles": [], "effects": 1},
        "repeatable": False,
    }
    output = {"value": answer(value)}
    expected = Expected(path=pen.path, ends="completed", output=output, effects=("pay0",), once=True)
    return Drawn(spec=spec, expected=expected, known=(f"steps.{pen.path}.output.value", answer(value)))


def values(pen: Pen) -> Drawn:
    text, value = pen.value()
    expected = Expected(path=pen.path, ends="completed", kind="set", output={"value": value})
    known = (f"steps.{pen.path}.output.value", value)
    return Drawn(spec={"set": {"value": text}}, expected=expected, known=known)


def sleep(pen: Pen) -> Drawn:
    expected = Expected(path=pen.path, ends="completed", kind="sleep")
    return Drawn(spec={"sleep": f"{pen.rng.randint(50, 1_500)}ms"}, expected=expected)


def signal(pen: Pen) -> Drawn:
    """Waits for something that people send, or that nobody ever sends."""
    name = f"go-{pen.path}"
    if pen.fails or pen.chance(0.3):
        policy = "fail" if pen.fails else "continue"
        wait = {"signal": name, "timeout": f"{pen.rng.randint(200, 1_500)}ms", "on_timeout": policy}
        failures = ("permanent",) if pen.fails else ()
        ends: Ending = "failed" if pen.fails else "completed"
        expected = Expected(path=pen.path, ends=ends, kind="signal", failures=failures)
        return Drawn(spec={"wait_for": wait}, expected=expected)
    payload = {"value": f"sent{pen.rng.randrange(10**6)}"}
    wait: dict[str, Any] = {"signal": name, "payload": {"value": {"type": "string"}}}
    correlation = f"story {pen.number} {pen.path}" if pen.chance(0.4) else None
    if correlation is not None:
        wait["correlation"] = correlation
    expected = Expected(path=pen.path, ends="completed", kind="signal", output=payload)
    after, twice = pen.rng.randint(0, 2_500), pen.chance(0.5)
    sent = Signal(name=name, payload=payload, after=after, twice=twice, correlation=correlation)
    known = (f"steps.{pen.path}.output.value", payload["value"])
    return Drawn(spec={"wait_for": wait}, expected=expected, known=known, signal=sent)


def gate(pen: Pen) -> Drawn:
    """Decided by people, or left to expire."""
    approval: dict[str, Any] = {"title": f"Go on with {pen.value()[0]}?", "approvers": ["@all"]}
    votes = _left_alone(pen, approval) if pen.chance(0.3) else _decided(pen, approval)
    ends: Ending = "completed" if votes.passes else "failed"
    return Drawn(spec={"approval": approval}, expected=Expected(path=pen.path, ends=ends, kind="gate", votes=votes))


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


IN_CHILDREN: dict[Callable[[Pen], Drawn], int] = {work: 30, slow: 6, plain: 6, talk: 6, bulk: 4, pay: 20}
CONSTRUCTS: dict[Callable[[Pen], Drawn], int] = {
    **IN_CHILDREN,
    slow: 12,
    block: 3,
    gate: 14,
    values: 6,
    sleep: 5,
    signal: 7,
    tolerated: 4,
    unrepeatable: 5,
}
