"""What must be true of every simulated run, looked up from outside: plain SQL and JSON, and what was drawn.

The one rule: nothing here asks the engine, or uses its fold; only the last of the checks does, which is to compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.state import Verdict
from tests.simulation.disk import Disk, Fact
from tests.simulation.people import Order, contradiction
from tests.simulation.programs import Told, forecast

TERMINAL = {"RUN_COMPLETED": "completed", "RUN_FAILED": "failed", "RUN_CANCELLED": "cancelled"}
LOSSES_ALLOWED = 2
"""In a row: after so many a step is taken for what kills its workers."""
AFTER_THE_END = frozenset({"LATE_RESULT_REFUSED"})
VERDICTS = {
    "APPROVAL_GRANTED": Verdict.GRANTED,
    "APPROVAL_DENIED": Verdict.DENIED,
    "APPROVAL_EXPIRED": Verdict.EXPIRED,
}


def violations(disk: Disk, order: Order, payments: Counter[str], *, over: bool) -> Iterator[str]:
    """What is wrong with the run of the order, in words. ``over``: it is expected to have ended."""
    if len(set(order.runs)) != 1:
        yield f"order {order.number} was started as {order.runs}"
        return
    facts = disk.facts(order.run)
    for problem in (*_endings(facts), *_attempts(facts), *_outcome(disk, order, facts, payments, over=over)):
        yield f"{order.run} ({order.program.workflow.name}): {problem}"


def _endings(facts: list[Fact]) -> Iterator[str]:
    ends = [fact for fact in facts if fact.type in TERMINAL]
    if len(ends) > 1:
        yield f"it ended {len(ends)} times"
    if ends and (later := [fact.type for fact in facts if fact.seq > ends[0].seq and fact.type not in AFTER_THE_END]):
        yield f"after its end followed {later}"
    if [fact.seq for fact in facts] != list(range(1, len(facts) + 1)):
        yield "its events are not numbered from 1 without a gap"


def _attempts(facts: list[Fact]) -> Iterator[str]:
    """Each step starts, ends once, and no attempt runs beside another one that counts."""
    running: dict[str, int] = {}
    completed: set[str] = set()
    decided: set[str] = set()
    recorded: set[tuple[str, str]] = set()
    for fact in facts:
        step = str(fact.payload.get("step", ""))
        match fact.type:
            case "STEP_STARTED":
                if step in running or step in completed:
                    yield f"{step} was started at seq {fact.seq} although it ran or had completed"
                running[step] = fact.seq
            case "STEP_COMPLETED" | "STEP_FAILED" | "STEP_HANDED_BACK":
                if running.pop(step, None) is None and fact.type != "STEP_FAILED":
                    yield f"{fact.type} of {step} at seq {fact.seq}, which was not running"
                if fact.type == "STEP_COMPLETED":
                    if step in completed:
                        yield f"{step} completed twice"
                    completed.add(step)
            case "EFFECT_RECORDED":
                effect = (step, fact.payload["effect"])
                if effect in recorded:
                    yield f"the effect {effect} was recorded twice"
                recorded.add(effect)
            case kind if kind in VERDICTS:
                if step in decided:
                    yield f"the gate {step} was decided twice"
                decided.add(step)
            case _:
                pass


def _outcome(disk: Disk, order: Order, facts: list[Fact], payments: Counter[str], *, over: bool) -> Iterator[str]:
    told = _told(facts)
    cast = forecast(order.program, order.n, told)
    ended = next((TERMINAL[fact.type] for fact in facts if fact.type in TERMINAL), None)
    outputs = {fact.payload["step"]: fact.payload.get("output") for fact in facts if fact.type == "STEP_COMPLETED"}
    for step, output in outputs.items():
        if step not in cast.outputs or cast.outputs[step] != output:
            yield f"{step} gave {output!r}, expected was {cast.outputs.get(step, 'nothing')!r}"
    [(status, open_work)] = disk.rows(
        "SELECT status, (SELECT count(*) FROM open_work WHERE run = id) FROM runs WHERE id = ?", order.run
    )
    if ended is None and not open_work:
        yield f"it has not ended ({status}), and is not in open_work"
    if ended is None and over:
        last = ", ".join(f"{fact.type} {fact.payload.get('step', '')}" for fact in facts[-4:])
        yield f"it has not ended: {status}, after {last}"
    if ended is not None and open_work:
        yield "it has ended, and is still in open_work"
    if ended not in (None, "cancelled", cast.status):
        yield f"it {ended}, expected was {cast.status}"
    yield from _answers(order, facts, ended)
    for step, receipts in told.receipts.items():
        for receipt in receipts:
            if not payments[str(receipt)]:
                yield f"{step} has the receipt {receipt!r}, which nobody gave"


def _told(facts: list[Fact]) -> Told:
    gates: dict[str, JsonValue] = {}
    losses: Counter[str] = Counter()  # in a row
    late: Counter[str] = Counter()
    receipts: dict[str, list[Any]] = {}
    results = {fact.payload["step"]: fact.payload["output"] for fact in facts if fact.type == "STEP_COMPLETED"}
    for fact in facts:
        step = fact.payload.get("step", "")
        if fact.type in VERDICTS:
            gates[step] = _gate_output(fact)
        elif fact.type == "STEP_FAILED":
            losses[step] = losses[step] + 1 if fact.payload["failure"]["cls"] == "worker_lost" else 0
            late[step] = fact.payload["attempt"] if fact.payload["failure"]["cls"] == "timeout" else 0
        elif fact.type == "EFFECT_RECORDED":
            receipts.setdefault(step, []).append(fact.payload["result"])
    return Told(
        gates, frozenset(step for step, count in losses.items() if count >= LOSSES_ALLOWED), late, receipts, results
    )


def _gate_output(fact: Fact) -> JsonValue:
    """What later steps see of a gate that was passed; None of one that was not."""
    expired = fact.type == "APPROVAL_EXPIRED"
    if fact.type == "APPROVAL_DENIED" or (expired and fact.payload["policy"] != "approve"):
        return None
    by, reason = ("", "") if expired else (fact.payload["by"]["name"], fact.payload["reason"])
    return {"decision": VERDICTS[fact.type].value, "by": by or None, "reason": reason, "at": fact.at}


def _answers(order: Order, facts: list[Fact], ended: str | None) -> Iterator[str]:
    """Whether what people were told is what happened."""
    decisions = {
        str(fact.payload["step"]): (VERDICTS[fact.type], str(fact.payload.get("reason", "")))
        for fact in facts
        if fact.type in VERDICTS
    }
    if (wrong := contradiction(order, decisions)) is not None:
        yield wrong
    match order.cancel_reply:
        case c.Accepted() if ended not in (None, "cancelled"):
            yield f"whoever cancelled it was told that it is so, but it {ended}"
        case c.Ended(status) if status.value != ended:
            yield f"whoever cancelled it was told that it had {status.value}, but it {ended}"
        case None if ended == "cancelled" and order.cancelled_at is None:
            yield "it was cancelled, and nobody had asked for it"
        case _:
            pass
