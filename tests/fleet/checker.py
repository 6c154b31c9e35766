"""Judges what a fleet left behind: every promise that can be seen from outside, checked on every run.

The one rule: it knows the definitions' stories, the rows and the outside world's log, and nothing of the engine.

What is checked, each with a test that makes it wrong (``tests.fleet.test_checker``):

    runs       every start that was answered is one run, under its key, and every child run was asked for; no others
    order      numbers without a gap, times that never go back, one end, only bookkeeping after it
    rows       the row of a run says what its last event says; an ended run has no open work
    end        as the definition says; cancelled if and only if somebody asked for it in time
    steps      each ends once, as the definition says, with the output that it must have, after all that it needs
    attempts   one at a time; what is recorded is its own worker's; retries as often as told and not before their time
    failing    what must be undone is undone, the last first, once; what handles the failure runs after that
    effects    no attempt that began after an effect was recorded makes it again; none makes it twice; each was made
    gates      decided once, as the people did; all clicks that were told to count were that decision
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from tests.fleet.evidence import Event, Evidence, Run
from tests.fleet.recorder import Payment
from tests.fleet.stories import Expected, Story
from tests.fleet.timeline import TERMINAL, Step, Timeline, fields

LOSSES_TO_GIVE_UP = 2
"""A step whose worker was lost at least so often in a row may be given up: it may be what kills the workers."""

OF_THE_WORKER = frozenset({"by", "bulk", "receipts"})
"""Fields of an output that no story can know."""


@dataclass(frozen=True)
class Finding:
    """Something that must never be: in which run, and what."""

    run: str
    what: str

    def __str__(self) -> str:
        return f"{self.run}: {self.what}"


def check(evidence: Evidence, story_of: Callable[[int], Story]) -> list[Finding]:
    """All that is wrong. ``story_of`` tells how the run of a number must go."""
    findings = [Finding(stray, "has events or open work, but is no run") for stray in evidence.strays]
    findings += _check_starts(evidence)
    payments = _by_run(evidence.payments)
    votes = _by_run_of(evidence.people, "voted")
    cancels = _by_run_of(evidence.people, "cancelled")
    by_id = {run.id: run for run in evidence.runs}
    cases = [Case(run, story_of(run.number)) for run in evidence.runs if run.number is not None]
    judged: set[str] = set()
    while cases:
        case = cases.pop()
        judged.add(case.run.id)
        cases += case.children(by_id)
        told = [
            *case.check(),
            *case.check_effects(payments.pop(case.run.id, [])),
            *case.check_votes(votes.get(case.run.id, [])),
            *case.check_cancels(cancels.get(case.run.id, [])),
        ]
        findings += [Finding(case.run.id, f"(story {case.story.number}) {what}") for what in told]
    findings += [Finding(run, "nobody started it") for run in by_id.keys() - judged]
    findings += [Finding(run, "paid for, but it is no run") for run in payments.keys() - by_id.keys()]
    return findings


def _check_starts(evidence: Evidence) -> Iterator[Finding]:
    by_number: dict[int, list[str]] = {}
    for run in evidence.runs:
        by_number.setdefault(-1 if run.number is None else run.number, []).append(run.id)
    for line in evidence.people:
        if line["fact"] == "started" and line["runs"] != by_number.get(line["number"]):
            number, there = line["number"], by_number.get(line["number"], [])
            yield Finding(
                ", ".join(line["runs"]), f"story {number} was begun as this, but there is {there or 'nothing'}"
            )


def _by_run(payments: Any) -> dict[str, list[Payment]]:
    found: dict[str, list[Payment]] = {}
    for payment in payments:
        found.setdefault(payment.key.partition("/")[0], []).append(payment)
    return found


def _by_run_of(lines: Any, fact: str) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["fact"] == fact:
            found.setdefault(line["run"], []).append(line)
    return found


class Case:
    """One run before its story. A child run is stopped when its ``parent`` is stopping."""

    def __init__(self, run: Run, story: Story, parent: Case | None = None) -> None:
        self.run = run
        self.story = story
        self.parent = parent
        self.timeline = Timeline(run.events, story.expected)
        self.end = TERMINAL[self.timeline.end.type] if self.timeline.end else None
        self._known: list[tuple[str, Case]] = []

    @property
    def culprit(self) -> str:
        """The step by which the run failed, or nothing."""
        end = self.timeline.end
        return end.data["step"] if end is not None and self.end == "failed" else ""

    @property
    def given_up(self) -> bool:
        """Whether the run failed although the story does not say so: a step's workers were lost too often."""
        return any(
            step.given_up and step.losses >= LOSSES_TO_GIVE_UP
            for path, step in self.timeline.steps.items()
            if self.culprit and _is_at(path, self.culprit)
        ) or any(child.given_up for child in self._children_of(self.culprit))

    def children(self, runs: dict[str, Run]) -> list[Case]:
        """The runs that did steps of this one, each before its own story."""
        self._known = [
            (path, Case(runs[run], expected.child, self))
            for path, step in self.timeline.steps.items()
            for run in step.children
            if run in runs and (expected := self.story.expected(path)) is not None and expected.child is not None
        ]
        return [case for _, case in self._known]

    def check(self) -> Iterator[str]:
        yield from self.timeline.wrong
        yield from self._check_rows()
        yield from self._check_end()
        yield from self._check_failing()
        for path, step in self.timeline.steps.items():
            expected = self.story.expected(path)
            if path.startswith("on_failure/") and not self.timeline.handling:
                continue  # of a failure that the run has got over
            if expected is None:
                yield f"{path} was reached, which the definition does not let happen"
            else:
                yield from self._check_step(path, step, expected)

    def _check_rows(self) -> Iterator[str]:
        events = self.run.events
        if not events:
            yield "it has no events"
            return
        if self.run.last_seq != events[-1].seq:
            yield f"its row ends at seq {self.run.last_seq}, its events at {events[-1].seq}"
        if events[0].data.get("input") != self.story.given:
            yield "its input is not what it was given"
        if self.end is not None and (self.run.status != self.end or self.run.ended_at is None):
            yield f"its row says {self.run.status}, its events {self.end}"
        if self.end is not None and self.run.open_work is not None:
            yield "it has ended, but has open work"

    def _check_end(self) -> Iterator[str]:
        end = self.timeline.end
        if end is None:
            last = self.run.events[-1].type if self.run.events else "nothing"
            waits = sorted(path for path, step in self.timeline.steps.items() if step.ended is None)
            yield f"stuck: it has not ended ({last} is its last event; {waits} open; open work {self.run.open_work})"
        elif (self.timeline.cancel is not None) != (self.end == "cancelled"):
            yield f"it ended as {self.end}, but to cancel it was {'' if self.timeline.cancel else 'not '}asked for"
        elif self.end == "completed":
            if self.story.ends != "completed":
                yield f"it completed, but had to fail by one of {sorted(self.story.culprits)}"
            for path in self.story.steps.keys() - self.timeline.steps.keys():
                yield f"it completed without {path}"
            if known(end.data.get("output")) != self.story.output:
                yield f"it gave {known(end.data.get('output'))!r:.200}, but had to give {self.story.output!r:.200}"
        elif self.end == "failed" and self.culprit not in self.story.culprits and not self.given_up:
            yield f"it failed by {self.culprit} ({end.data.get('reason')}), which had to work"

    def _check_failing(self) -> Iterator[str]:
        """What follows when a run fails or is cancelled: what it did is undone, then its failure is handled."""
        timeline = self.timeline
        done = [path for path, step in timeline.steps.items() if step.ended == "completed" and self._undo(path)]
        due = sorted(done, key=lambda path: timeline.steps[path].ended_at, reverse=True)
        if self.end in ("failed", "cancelled") and timeline.undoing != tuple(due):
            yield f"it undid {list(timeline.undoing)}, but had to undo {due}"
        for path, before in zip(due[1:], due, strict=False):
            if timeline.step(f"{path}!undo").begun < timeline.step(f"{before}!undo").ended_at:
                yield f"{path} was undone before {before}"
        handles = bool(self.story.handling) and self.end == "failed"
        if self.end is not None and timeline.handling != handles:
            yield f"its failure was {'not ' if handles else ''}handled, though it ended as {self.end}"
        after = [*(f"{path}!undo" for path in due), *(step.path for step in self.story.handling if handles)]
        for path in after if self.end in ("failed", "cancelled") else ():
            if timeline.step(path).ended != "completed":
                yield f"it ended before {path} had"

    def _undo(self, path: str) -> bool:
        expected = self.story.steps.get(path)
        return expected is not None and expected.undo is not None

    def _check_step(self, path: str, step: Step, expected: Expected) -> Iterator[str]:
        if self.end is not None and step.ended != expected.ends and not self._cut_short(step):
            yield f"{path} {step.ended or 'did not end'}, but had to end as {expected.ends}"
        # What is at work when a run stops is told to stop too.
        failures = tuple(kind for kind in step.failures if kind != "cancelled" or self.end == "completed")
        due = expected.failures if self._at_its_end(path, step) else expected.failures[: len(failures)]
        # A loop fails as one of its items did; which one is a matter of time.
        exact = expected.kind != "loop" or len(failures) != len(due)
        exact = exact and not set(failures) == set(due) == {"timeout"}
        exact = exact and not any(child.given_up for child in self._children_of(path))
        if exact and failures != due and not step.given_up and not (self.given_up and _is_at(self.culprit, path)):
            yield f"{path} failed as {list(failures)}, but had to as {list(due)}"
        if expected.poison and step.losses > LOSSES_TO_GIVE_UP:
            yield f"{path} killed {step.losses} workers before it was given up"
        if step.decision is not None and (expected.votes is None or step.verdict != expected.votes.verdict):
            yield f"{path} was {step.verdict}, but had to be {expected.votes.verdict if expected.votes else 'no gate'}"
        if step.ended == "completed" and expected.votes is None:
            yield from _check_output(path, step, expected)

    def _cut_short(self, step: Step) -> bool:
        """In a run that stops, a step may be left as it is, and a failed attempt is not made again."""
        return self.end != "completed" and step.decision is None and step.ended in (None, "failed")

    def _at_its_end(self, path: str, step: Step) -> bool:
        """Whether all attempts that the step is told to fail in must have been made."""
        return step.ended == "completed" or (path == self.culprit and not self.given_up)

    def _children_of(self, path: str) -> list[Case]:
        return [case for at, case in self._known if path and _is_at(at, path)]

    # The outside world

    def check_effects(self, payments: list[Payment]) -> Iterator[str]:
        made: set[tuple[str, int]] = set()
        receipts: dict[str, set[int]] = {}
        for payment in payments:
            receipts.setdefault(payment.key, set()).add(payment.receipt)
            path, _ = _named(payment.key)
            step = self.timeline.step(path)
            mine = [one for one in step.attempts if payment.worker in ("", one.worker) and one.at <= payment.began]
            if not mine:
                yield f"{payment.key} was paid by {payment.worker}, which had not started {path}"
                continue
            attempt = mine[-1].seq
            recorded = step.recorded.get(payment.key)
            if recorded is not None and recorded.seq < attempt:
                yield (
                    f"{payment.key} was recorded at seq {recorded.seq}, and paid once more (receipt {payment.receipt})"
                    f" by the attempt of seq {attempt}"
                )
            if (payment.key, attempt) in made:
                yield f"{payment.key} was paid twice by the attempt of seq {attempt}"
            made.add((payment.key, attempt))
        yield from self._check_receipts(receipts)
        yield from self._check_once(payments)

    def _check_once(self, payments: list[Payment]) -> Iterator[str]:
        times = Counter(_named(payment.key) for payment in payments)
        for (path, effect), count in times.items():
            expected = self.story.expected(path)
            if expected is not None and expected.once and count > 1:
                yield f"{path}: the effect {effect} must not be repeated, and was made {count} times"

    def _check_receipts(self, receipts: dict[str, set[int]]) -> Iterator[str]:
        for path, step in self.timeline.steps.items():
            for effect, recorded in step.effects.items():
                key = step.keys.get(effect, "")
                if recorded.data["result"].get("receipt") not in receipts.get(key, set()):
                    yield f"{path}: the effect {effect} is recorded with a receipt that nobody gave"

    # People

    def check_votes(self, votes: list[dict[str, Any]]) -> Iterator[str]:
        counted: dict[str, list[dict[str, Any]]] = {}
        for vote in votes:
            if vote["reply"] == "Accepted":
                counted.setdefault(vote["step"], []).append(vote)
        for path, accepted in counted.items():
            # One person's two clicks in the same millisecond are one decision, and may both be told so.
            if len({(vote["by"], vote["granted"]) for vote in accepted}) > 1:
                yield f"{path}: {len(accepted)} people were told that they decided it"
            yield from self._check_counted(path, accepted[0])

    def _check_counted(self, path: str, vote: dict[str, Any]) -> Iterator[str]:
        step = self.timeline.step(path)
        decision = step.decision
        by = decision.data.get("by", {}).get("id") if decision else None
        if by != vote["by"] or step.verdict != ("granted" if vote["granted"] else "denied"):
            yield f"{path}: {vote['by']} was told to have decided it, but it is recorded as {step.verdict} by {by}"
        if vote["asked_seq"] not in (None, step.asked):
            yield f"{path}: a click on another request was accepted"
        expected = self.story.steps.get(path)
        starter_may = expected is None or expected.votes is None or expected.votes.starter_may
        if vote["by"] == "starter" and not starter_may:
            yield f"{path}: who started the run was let decide"

    def check_cancels(self, cancels: list[dict[str, Any]]) -> Iterator[str]:
        request = self.timeline.cancel
        if request is not None and self.story.cancel_after is None and not self._was_stopped_along(request):
            yield "it was cancelled by nobody"
        if any(line["reply"] in ("Accepted", "Nothing") for line in cancels) and request is None:
            yield "to cancel it was accepted, and forgotten"

    def _was_stopped_along(self, request: Event) -> bool:
        """Whether the run that this is a part of was stopping at the place in its history that the request names.

        It may have been redriven since, and have completed.
        """
        return self.parent is not None and request.data.get("order") in self.parent.timeline.stopping


def _check_output(path: str, step: Step, expected: Expected) -> Iterator[str]:
    if known(step.output) != expected.output:
        yield f"{path} gave {known(step.output)!r:.200}, but had to give {expected.output!r:.200}"
    if len(fields(step.output).get("bulk", "")) != expected.size:
        yield f"{path} gave {len(fields(step.output).get('bulk', ''))} characters, but had to give {expected.size}"
    if not expected.once and tuple(sorted(step.effects)) != tuple(sorted(expected.effects)):
        yield f"{path} completed with the effects {sorted(step.effects)}, but had to make {sorted(expected.effects)}"
    recorded = [step.effects[effect].data["result"] for effect in expected.effects if effect in step.effects]
    if recorded and fields(step.output).get("receipts") != recorded:
        yield f"{path} gave the receipts {fields(step.output).get('receipts')}, but recorded {recorded}"


def known(output: Any) -> Any:
    """The output without what only the worker knows."""
    if isinstance(output, dict):
        named = cast("dict[str, Any]", output)
        return {name: known(value) for name, value in named.items() if name not in OF_THE_WORKER}
    return [known(value) for value in cast("list[Any]", output)] if isinstance(output, list) else output


def _is_at(path: str, step: str) -> bool:
    """Whether ``path`` is the step itself, or inside of it."""
    return path.startswith(step) and path[len(step) : len(step) + 1] in ("", "[", "#", "/")


def _named(key: str) -> tuple[str, str]:
    """The step's path and the effect's name in an idempotency key: run/path/effect/generation."""
    path, effect, _ = key.partition("/")[2].rsplit("/", 2)
    return path, effect
