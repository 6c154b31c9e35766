"""Judges what a fleet left behind: every promise that can be seen from outside, checked on every run.

The one rule: it knows the definitions' stories, the rows and the outside world's log, and nothing of the engine.

What is checked, each with a test that makes it wrong (``tests.fleet.test_checker``):

    runs       every start that was answered is one run, under its key; no others exist
    order      numbers without a gap, times that never go back, one end, only bookkeeping after it
    rows       the row of a run says what its last event says; an ended run has no open work
    end        as the definition says; cancelled if and only if somebody asked for it in time
    steps      each ends once, as the definition says, with the value that it must have, after all that it needs
    attempts   one at a time; what is recorded is its own worker's; retries as often as told and not before their time
    effects    no attempt that began after an effect was recorded makes it again; none makes it twice; each was made
    gates      decided once, as the people did; exactly one click was told that it counted
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.fleet.evidence import Evidence, Run
from tests.fleet.recorder import Payment
from tests.fleet.stories import Expected, Story
from tests.fleet.timeline import LOST, TERMINAL, Step, Timeline

LOSSES_TO_GIVE_UP = 2
"""A step whose worker was lost at least so often in a row may be given up: it may be what kills the workers."""


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
    for run in evidence.runs:
        if run.number is None:
            findings.append(Finding(run.id, f"nobody started it (its key is {run.key!r})"))
            continue
        case = Case(run, story_of(run.number))
        told = [
            *case.check(),
            *case.check_effects(payments.pop(run.id, [])),
            *case.check_votes(votes.get(run.id, [])),
            *case.check_cancels(cancels.get(run.id, [])),
        ]
        findings += [Finding(run.id, f"(story {run.number}) {what}") for what in told]
    findings += [Finding(run, "paid for, but it is no run") for run in payments]
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
    """One run before its story."""

    def __init__(self, run: Run, story: Story) -> None:
        self.run = run
        self.story = story
        self.timeline = Timeline(run.events, story.steps)
        self.end = TERMINAL[self.timeline.end.type] if self.timeline.end else None

    @property
    def given_up(self) -> str | None:
        """The step for which the run ended although the story does not say so: its workers were lost too often."""
        if self.end != "failed" or self.timeline.end is None:
            return None
        culprit = self.timeline.end.data["step"]
        step = self.timeline.steps.get(culprit, Step())
        return culprit if step.last_failure == LOST and step.losses >= LOSSES_TO_GIVE_UP else None

    def check(self) -> Iterator[str]:
        yield from self.timeline.wrong
        yield from self._check_rows()
        yield from self._check_end()
        for path, step in self.timeline.steps.items():
            expected = self.story.steps.get(path)
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
            waits = {path: step.ended or "open" for path, step in self.timeline.steps.items() if step.ended is None}
            yield f"stuck: it has not ended ({last} is its last event; {waits}; open work {self.run.open_work})"
        elif (self.timeline.cancel is not None) != (self.end == "cancelled"):
            yield f"it ended as {self.end}, but to cancel it was {'' if self.timeline.cancel else 'not '}asked for"
        elif self.end == "completed":
            if self.story.ends != "completed":
                yield f"it completed, but had to fail by one of {sorted(self.story.culprits)}"
            for path in self.story.steps.keys() - self.timeline.steps.keys():
                yield f"it completed without {path}"
        elif self.end == "failed" and end.data["step"] not in self.story.culprits and self.given_up is None:
            yield f"it failed by {end.data['step']} ({end.data.get('reason')}), which had to work"

    def _check_step(self, path: str, step: Step, expected: Expected) -> Iterator[str]:
        if self.end is not None and step.ended != expected.ends and not self._cut_short(step):
            yield f"{path} {step.ended or 'did not end'}, but had to end as {expected.ends}"
        failures = tuple(kind for kind in step.failures if kind != "cancelled" or self.timeline.cancel is None)
        due = expected.failures if self._at_its_end(path, step) else expected.failures[: len(failures)]
        if failures != due:
            yield f"{path} failed as {list(failures)}, but had to as {list(due)}"
        if step.decision is not None and (expected.votes is None or step.verdict != expected.votes.verdict):
            yield f"{path} was {step.verdict}, but had to be {expected.votes.verdict if expected.votes else 'no gate'}"
        if step.ended == "completed" and expected.votes is None:
            yield from _check_output(path, step, expected)

    def _cut_short(self, step: Step) -> bool:
        """In a run that stops, a step may be left as it is, and a failed attempt is not made again."""
        return self.end != "completed" and step.decision is None and step.ended in (None, "failed")

    def _at_its_end(self, path: str, step: Step) -> bool:
        """Whether all attempts that the step is told to fail in must have been made."""
        culprit = self.timeline.end.data.get("step") if self.timeline.end and self.end == "failed" else None
        return step.ended == "completed" or (path == culprit and self.given_up is None)

    # The outside world

    def check_effects(self, payments: list[Payment]) -> Iterator[str]:
        made: set[tuple[str, int]] = set()
        receipts: dict[str, set[int]] = {}
        for payment in payments:
            receipts.setdefault(payment.key, set()).add(payment.receipt)
            path, effect = _named(payment.key)
            step = self.timeline.steps.get(path, Step())
            mine = [one for one in step.attempts if one.worker == payment.worker and one.at <= payment.began]
            if not mine:
                yield f"{payment.key} was paid by {payment.worker}, which had not started {path}"
                continue
            attempt = mine[-1].seq
            recorded = step.effects.get(effect)
            if recorded is not None and recorded.seq < attempt:
                yield (
                    f"{payment.key} was recorded at seq {recorded.seq}, and paid once more (receipt {payment.receipt})"
                    f" by the attempt of seq {attempt}"
                )
            if (payment.key, attempt) in made:
                yield f"{payment.key} was paid twice by the attempt of seq {attempt}"
            made.add((payment.key, attempt))
        yield from self._check_receipts(receipts)

    def _check_receipts(self, receipts: dict[str, set[int]]) -> Iterator[str]:
        for path, step in self.timeline.steps.items():
            for effect, recorded in step.effects.items():
                key = f"{self.run.id}/{path}/{effect}/1"
                if recorded.data["result"].get("receipt") not in receipts.get(key, set()):
                    yield f"{key} is recorded with a receipt that nobody gave"

    # People

    def check_votes(self, votes: list[dict[str, Any]]) -> Iterator[str]:
        counted: dict[str, list[dict[str, Any]]] = {}
        for vote in votes:
            if vote["reply"] == "Accepted":
                counted.setdefault(vote["step"], []).append(vote)
        for path, accepted in counted.items():
            if len(accepted) > 1:
                yield f"{path}: {len(accepted)} clicks were told that they decided it"
            yield from self._check_counted(path, accepted[0])

    def _check_counted(self, path: str, vote: dict[str, Any]) -> Iterator[str]:
        step = self.timeline.steps.get(path, Step())
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
        if self.timeline.cancel is not None and self.story.cancel_after is None:
            yield "it was cancelled by nobody"
        if any(line["reply"] == "Accepted" for line in cancels) and self.timeline.cancel is None:
            yield "to cancel it was accepted, and forgotten"


def _check_output(path: str, step: Step, expected: Expected) -> Iterator[str]:
    if step.output.get("value") != expected.value:
        yield f"{path} gave {step.output.get('value')!r}, but had to give {expected.value!r}"
    if expected.size and len(step.output.get("bulk", "")) != expected.size:
        yield f"{path} gave {len(step.output.get('bulk', ''))} characters, but had to give {expected.size}"
    if tuple(sorted(step.effects)) != tuple(sorted(expected.effects)):
        yield f"{path} completed with the effects {sorted(step.effects)}, but had to make {sorted(expected.effects)}"
    if expected.effects:
        recorded = [step.effects[effect].data["result"] for effect in expected.effects if effect in step.effects]
        if step.output.get("receipts") != recorded:
            yield f"{path} gave the receipts {step.output.get('receipts')}, but recorded {recorded}"


def _named(key: str) -> tuple[str, str]:
    """The step's path and the effect's name in an idempotency key: run/path/effect/generation."""
    path, effect, _ = key.partition("/")[2].rsplit("/", 2)
    return path, effect
