"""What must be true of every simulated run, looked up from outside: plain SQL and JSON, and what was drawn.

The one rule: nothing here asks the engine, or uses its fold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.state import Verdict
from tests.simulation.disk import Disk, Fact
from tests.simulation.forecast import Forecast, Told, forecast, undone
from tests.simulation.people import Order, contradiction

TERMINAL = {"RUN_COMPLETED": "completed", "RUN_FAILED": "failed", "RUN_CANCELLED": "cancelled"}
AFTER_THE_END = frozenset({"LATE_RESULT_REFUSED"})
VERDICTS = {
    "APPROVAL_GRANTED": Verdict.GRANTED,
    "APPROVAL_DENIED": Verdict.DENIED,
    "APPROVAL_EXPIRED": Verdict.EXPIRED,
}


def violations(disk: Disk, order: Order, payments: Counter[str]) -> Iterator[str]:
    """What is wrong with the run of the order, which should have ended, and with the runs that it called, in words."""
    if len(set(order.runs)) != 1:
        yield f"order {order.number} was started as {order.runs}"
        return
    facts = disk.facts(order.run)
    told = told_by(disk, facts)
    cast = forecast(order.program, order.n, told)
    problems = (
        *_expected(facts, cast, told, payments),
        *_stopped(order, facts),
        *_answers(order, disk, facts),
        *_signals(order, facts),
    )
    for problem in problems:
        yield f"{order.run} ({order.program.workflow.name}): {problem}"
    for run in family(disk, order.run):
        for problem in (
            *_endings(disk.facts(run)),
            *_attempts(disk.facts(run)),
            *_pauses(disk.facts(run)),
            *_open_work(disk, run),
        ):
            yield f"{run} ({order.program.workflow.name}): {problem}"


def family(disk: Disk, run: str) -> Iterator[str]:
    """The run, those that it called, and those that they called."""
    yield run
    for fact in disk.facts(run):
        if fact.type == "CHILD_STARTED":
            yield from family(disk, fact.payload["run"])


def ending(facts: list[Fact]) -> str | None:
    """How the run ended, None if it has not."""
    return next((TERMINAL[fact.type] for fact in facts if fact.type in TERMINAL), None)


def _endings(facts: list[Fact]) -> Iterator[str]:
    ends = [fact for fact in facts if fact.type in TERMINAL]
    if not ends:
        last = ", ".join(f"{fact.type} {fact.payload.get('step', '')}" for fact in facts[-4:])
        yield f"it has not ended, after {last or 'nothing'}"
    if len(ends) > 1:
        yield f"it ended {len(ends)} times"
    if ends and (later := [fact.type for fact in facts if fact.seq > ends[0].seq and fact.type not in AFTER_THE_END]):
        yield f"after its end followed {later}"
    if [fact.seq for fact in facts] != list(range(1, len(facts) + 1)):
        yield "its events are not numbered from 1 without a gap"


def _attempts(facts: list[Fact]) -> Iterator[str]:
    """Each step starts, ends once, and no attempt runs beside another one that counts."""
    running: set[str] = set()
    once: set[tuple[str, str]] = set()
    for fact in facts:
        step = str(fact.payload.get("step", ""))
        match fact.type:
            case "STEP_STARTED":
                if step in running or ("STEP_COMPLETED", step) in once:
                    yield f"{step} was started at seq {fact.seq} although it ran or had completed"
                running.add(step)
            case "STEP_FAILED" | "STEP_HANDED_BACK":
                running.discard(step)
            case "STEP_COMPLETED" | "FOR_EACH_STARTED" | "STEP_SKIPPED" | "SIGNAL_MATCHED":
                running.discard(step)
                yield from _only_once(once, fact.type, step)
            case "EFFECT_RECORDED":
                yield from _only_once(once, fact.type, f"{step}/{fact.payload['effect']}")
            case kind if kind in VERDICTS:
                yield from _only_once(once, "a decision", step)
            case _:
                pass


def _only_once(known: set[tuple[str, str]], what: str, step: str) -> Iterator[str]:
    if (what, step) in known:
        yield f"there is {what} twice for {step}"
    known.add((what, step))


def _open_work(disk: Disk, run: str) -> Iterator[str]:
    rows = disk.rows("SELECT status, ended_at FROM runs WHERE id = ?", run)
    [(waiting,)] = disk.rows("SELECT count(*) FROM open_work WHERE run = ?", run)
    for status, ended_at in rows:
        if (ended_at is None) != bool(waiting):
            yield f"it is {status}, and {'in' if waiting else 'not in'} open_work"


def _expected(facts: list[Fact], cast: Forecast, told: Told, payments: Counter[str]) -> Iterator[str]:
    for fact in facts:
        step = fact.payload.get("step", "")
        if fact.type == "STEP_COMPLETED" and "!" not in step and not step.startswith("on_failure/"):
            output, expected = fact.payload.get("output"), cast.outputs.get(step, "nothing")
            # The results of items that runs of their own do are compared in the list of all.
            if output != expected and ":" not in step:
                yield f"{step} gave {output!r}, expected was {expected!r}"
    ended = ending(facts)
    if ended not in (None, "cancelled", cast.status):
        yield f"it {ended}, expected was {cast.status}"
    for step, receipts in told.receipts.items():
        for receipt in receipts:
            if not payments[str(receipt)]:
                yield f"{step} has the receipt {receipt!r}, which nobody gave"


def _stopped(order: Order, facts: list[Fact]) -> Iterator[str]:
    """What has been done is undone, in the reverse order; then the steps for a failure run."""
    completed = [str(fact.payload["step"]) for fact in facts if fact.type == "STEP_COMPLETED"]
    undoing = [fact.payload["steps"] for fact in facts if fact.type == "RUN_UNDOING"]
    finals = [fact.payload["step"] for fact in facts if _is_final(fact) and fact.payload["step"].endswith("!undo")]
    ended = ending(facts)
    expected = undone(order.program, completed) if ended in ("failed", "cancelled") else []
    if undoing != ([expected] if expected else []):
        yield f"what is undone is {undoing}, expected was {expected}"
    elif ended is not None and finals != [f"{step}!undo" for step in expected]:
        yield f"what was undone is {finals}, expected was {expected}"
    handled = [fact for fact in facts if _is_final(fact) and fact.payload["step"] == "on_failure/told"]
    if ended == "failed" and order.program.handles and not handled:
        yield "it failed, and the steps for that case did not run"
    if ended == "completed" and handled:
        yield "it completed, and the steps for a failure ran"


def _signals(order: Order, facts: list[Fact]) -> Iterator[str]:
    """What a step got is what was sent for it; what came before the wait was not lost."""
    awaited: dict[str, Fact] = {}
    for fact in facts:
        step = str(fact.payload.get("step", ""))
        sent = order.signals.get(step)
        if fact.type == "SIGNAL_AWAITED":
            awaited[step] = fact
        elif fact.type == "SIGNAL_MATCHED":
            received = next(other.payload for other in facts if other.seq == fact.payload["seq"])
            if sent is None or received["payload"] != {"step": step}:
                yield f"{step} got the signal {received}, sent was {sent}"
        elif fact.type == "TIMER_FIRED" and step in awaited and sent is not None and sent.heard < awaited[step].at:
            yield f"{step} waited in vain for a signal that had come {awaited[step].at - sent.heard} ms before"


def _pauses(facts: list[Fact]) -> Iterator[str]:
    """While a run is paused nothing starts, until it fails: what it did is undone and told of all the same."""
    paused = False
    for fact in facts:
        if fact.type in ("RUN_PAUSED", "RUN_RESUMED", "RUN_UNDOING", "RUN_FAILURE_HANDLING"):
            paused = fact.type == "RUN_PAUSED"
        elif paused and fact.type in ("STEP_STARTED", "CHILD_STARTED"):
            yield f"{fact.type} of {fact.payload['step']} at seq {fact.seq}, while the run was paused"


def _is_final(fact: Fact) -> bool:
    return fact.type == "STEP_COMPLETED" or (fact.type == "STEP_FAILED" and not fact.payload["again"])


def told_by(disk: Disk, facts: list[Fact]) -> Told:
    """What could not be foretold of the run with these events, and of the runs that it called."""
    told = Told()
    for fact in facts:
        step, payload = str(fact.payload.get("step", "")), fact.payload
        match fact.type:
            case "STEP_FAILED":
                cls = payload["failure"]["cls"]
                told.losses[step] = told.losses.get(step, 0) + 1 if cls == "worker_lost" else 0
                told.late[step] = payload["attempt"] if cls == "timeout" else 0
                told.errors[step] = payload["failure"]["message"]
            case "STEP_HANDED_BACK":
                told.losses[step] = 0
            case "STEP_COMPLETED":
                told.results[step] = payload["output"]
            case "SIGNAL_MATCHED":
                received = next(other.payload for other in facts if other.seq == payload["seq"])
                told.signals[step] = received["payload"]
            case "TIMER_FIRED":
                told.signals[step] = None
            case "EFFECT_RECORDED":
                told.receipts.setdefault(step, []).append(payload["result"])
            case "CHILD_STARTED":
                child = told_by(disk, disk.facts(payload["run"]))
                told.children[step] = child
                if payload["part"] is not None:
                    told.losses |= child.losses
                    told.late |= child.late
                    told.errors |= child.errors
                    told.results |= {path: result for path, result in child.results.items() if "[" in path}
            case kind if kind in VERDICTS:
                told.gates[step] = _gate(fact)
            case _:
                pass
    return told


def _gate(fact: Fact) -> tuple[bool, JsonValue]:
    """Whether the gate was passed by this decision, and what later steps see of it."""
    expired = fact.type == "APPROVAL_EXPIRED"
    passed = fact.payload["policy"] == "approve" if expired else fact.type == "APPROVAL_GRANTED"
    by, reason = ("", "") if expired else (fact.payload["by"]["name"], fact.payload["reason"])
    decided = {"decision": VERDICTS[fact.type].value, "by": by or None, "reason": reason, "at": fact.at}
    approved_by: list[JsonValue] = [by] if fact.type == "APPROVAL_GRANTED" else []
    return passed, {**decided, "approved_by": approved_by, "fields": {}}


def _answers(order: Order, disk: Disk, facts: list[Fact]) -> Iterator[str]:
    """Whether what people were told is what happened."""
    decisions = {
        (run, str(fact.payload["step"])): (VERDICTS[fact.type], str(fact.payload.get("reason", "")))
        for run in family(disk, order.run)
        for fact in disk.facts(run)
        if fact.type in VERDICTS
    }
    if (wrong := contradiction(order, decisions)) is not None:
        yield wrong
    ended = ending(facts)
    match order.cancel_reply:
        case c.Accepted() | c.Nothing() if ended not in (None, "cancelled"):
            yield f"whoever cancelled it was told that it is so, but it {ended}"
        case c.Ended(status) if status.value != ended:
            yield f"whoever cancelled it was told that it had {status.value}, but it {ended}"
        case None if ended == "cancelled" and order.cancelled_at is None:
            yield "it was cancelled, and nobody had asked for it"
        case _:
            pass
