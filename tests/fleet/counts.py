"""What a round came to, in figures.

The one rule: they are counted from what the fleet left behind, as everything is.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.fleet.evidence import Event, Evidence

NEVER_TRIED = ("kills", "stops", "flushes", "restarts of Redis", "attempts lost", "late results refused", "effects")


def count(evidence: Evidence, suffered: Counter[str], seconds: int) -> Counter[str]:
    """Everything that is worth a figure, in the order in which it is told."""
    events = [event for run in evidence.runs for event in run.events]
    types = Counter(event.type for event in events)
    ends = Counter(run.status for run in evidence.runs)
    losses = sum(event.type == "STEP_FAILED" and event.data["failure"]["cls"] == "worker_lost" for event in events)
    counts: Counter[str] = Counter()
    counts["faults"] = suffered.total()
    counts += suffered
    counts["runs"] = len(evidence.runs)
    for status in ("completed", "failed", "cancelled"):
        counts[status] = ends[status]
    counts["steps"] = types["STEP_COMPLETED"] + types["APPROVAL_GRANTED"]
    counts["events"] = types.total()
    counts["effects"] = types["EFFECT_RECORDED"]
    counts["attempts lost"] = losses
    counts["late results refused"] = types["LATE_RESULT_REFUSED"]
    counts["redriven"] = types["STEP_REDRIVEN"]
    counts["settled by a person"] = types["STEP_SETTLED"]
    counts["ms until a lost step goes on (median)"] = round(statistics.median([*takeovers(evidence)] or [0]))
    counts["seconds"] = seconds
    return counts


def too_little(counts: Counter[str]) -> list[str]:
    """What a long round should have met, and has not: then it has shown nothing about it."""
    return [f"no {what} in so long a round" for what in NEVER_TRIED if not counts[what]]


def takeovers(evidence: Evidence) -> Iterator[int]:
    """How long (ms) after the blow that hit its worker each lost step was started again."""
    workers = {line["id"]: line["process"] for line in evidence.workers}
    blows: dict[int, list[int]] = {}
    for line in evidence.faults:
        blows.setdefault(line["process"], []).append(line["at"])
    for run in evidence.runs:
        by_step: dict[str, list[Event]] = {}
        for event in run.events:
            if event.type == "STEP_STARTED":
                by_step.setdefault(event.data["step"], []).append(event)
        for attempts in by_step.values():
            for lost, again in pairwise(attempts):
                hits = blows.get(workers.get(lost.data["worker"], 0), [])
                before = [at for at in hits if lost.at <= at <= again.at]
                if before:
                    yield again.at - before[0]
