"""The question to people where a step does not go on by itself: whether it happened, how it may go on, or with which
code.

The one rule: it is told from the run's history, attempt by attempt; its buttons are there exactly while an answer
counts, and carry which question they are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from pydantic import JsonValue

from bot.blocks.kit import TEXT_LIMIT, Block, Message, actions, button, clip, clip_markup, section
from bot.blocks.steering import cancelling
from bot.blocks.step_lines import missing_words
from bot.blocks.words import because, codes_words, date, listed, named, one_line, plain, went_wrong
from engine.core import events as e
from engine.core import paths
from engine.core.failures import Failure
from engine.core.moving import new_path
from engine.core.questions import asked
from engine.core.state import Phase, Recorded, RunState, StepState, StepStatus

HAPPENED = "question_happened"
AGAIN = "question_again"
RETRY = "question_retry"
ACCEPT = "question_accept"
FAIL = "question_fail"
USE = "question_use"
FORK = "question_fork"

TRIED = 1_900
"""Characters of what was tried: the last lines that fit are shown, and the others counted."""

_FAIL = "*Fail*: it counts as failed, and the run goes on as with any step that failed."
_KEYS = 3
_VALUE, _CHANGES, _WHY, _RESULT = 160, 400, 200, 600


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said, and what they changed for another try."""

    event: e.StepSettled | e.RunMoved
    at: int
    changed: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Question:
    """Named by ``seq``. ``tried``: what was tried before that, in mrkdwn; ``result``: what the last try gave.

    ``is_unknown``: whether the last attempt, with these ``effects`` under way, has happened. ``uses``: the code that no
    worker has, if it is about that; all else is empty then.
    """

    seq: int
    step: str
    summary: str
    may_change: tuple[str, ...]
    tried: tuple[str, ...]
    result: JsonValue = None
    answer: Answer | None = None
    is_unknown: bool = False
    effects: tuple[str, ...] = ()
    uses: str = ""


@dataclass(slots=True)
class _Tried:
    """What was tried of one step so far."""

    lines: list[str] = field(default_factory=list[str])
    attempts: int = 0
    untold: Failure | None = None
    changes: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    result: JsonValue = None
    begun: int = 0
    open: int = 0


class Asked:
    """All questions of one run so far, by their seqs; ``read`` takes its events in order."""

    def __init__(self) -> None:
        self.known: dict[int, Question] = {}
        self._tried: dict[str, _Tried] = {}
        self._missing: dict[str, int] = {}

    def read(self, recorded: Recorded) -> None:
        match recorded.event:
            case e.StepStarted(step=path):
                self._of(path).begun = recorded.seq
                self._missing.pop(path, None)
            case e.StepMissing(step=path, uses=uses):
                self.known[recorded.seq] = Question(recorded.seq, path, "", (), (), uses=uses)
                self._missing[path] = recorded.seq
            case e.RunMoved():
                self._moved(recorded.at, recorded.event)
            case e.StepUncertain():
                self._doubt(recorded.event)
            case e.StepFailed(step=path, failure=failure) if paths.corrected_by(path) is None:
                self._of(path).untold = failure
            case e.StepCorrecting(step=path, output=output):
                self._tell_failure(path, output)
            case e.StepCorrected():
                self._corrected(recorded.event)
            case e.StepGivenUp(step=path, output=output):
                self._tell_failure(path, output)
                self._ask(recorded.seq, recorded.event)
            case e.StepSettled(step=path) if path in self._tried:
                self._answered(recorded.at, recorded.event)
            case _:
                self._go_on(recorded.event)

    def _go_on(self, event: e.Event) -> None:
        match event:
            case e.StepsReset(steps=steps):
                for path in [*self._tried]:
                    if any(path == step or paths.is_inside(path, step) for step in steps):
                        del self._tried[path]
            case e.StepCompleted(step=path) | e.StepSkipped(step=path) | e.StepOutputSet(step=path):
                self._tried.pop(path, None)
            case e.StepRedriven(step=path):
                self._tried.pop(path, None)
            case _:
                pass

    def _moved(self, at: int, event: e.RunMoved) -> None:
        """Whatever the run follows from here on, whether anybody has the code of that is asked anew."""
        self._tried = {new_path(path, event.renamed): tried for path, tried in self._tried.items()}
        for seq in self._missing.values():
            self.known[seq] = replace(self.known[seq], answer=Answer(event, at))
        self._missing.clear()

    def _of(self, path: str) -> _Tried:
        return self._tried.setdefault(path, _Tried())

    def _tell_failure(self, path: str, output: JsonValue) -> None:
        tried = self._of(path)
        if output is not None:
            tried.result = output
        if tried.untold is not None:
            tried.attempts += 1
            gave = f". It gave: {one_line(plain(output), _VALUE)}" if output is not None else ""
            tried.lines.append(f"✗ Attempt {tried.attempts} failed ({went_wrong(tried.untold)}){gave}")
            tried.untold = None

    def _corrected(self, event: e.StepCorrected) -> None:
        tried = self._of(event.step)
        seen = one_line(event.seen, _WHY) or "nothing said"
        why = one_line(event.why, _WHY) or "nothing said"
        new = {name: event.changes.get(name) for name in event.changed}
        tried.lines.append(f"✎ Then the model changed {changes_words(new)}; it saw: {seen}; why: {why}")
        tried.changes = event.changes

    def _ask(self, seq: int, event: e.StepGivenUp) -> None:
        tried = self._of(event.step)
        self.known[seq] = Question(
            seq, event.step, event.summary, event.may_change, tuple(tried.lines), result=tried.result
        )
        tried.open = seq

    def _doubt(self, event: e.StepUncertain) -> None:
        tried = self._of(event.step)
        lost = "" if tried.untold is None else f" ({went_wrong(tried.untold)})"
        line = f"? Attempt {event.attempt} ended without an answer{lost}"
        self.known[tried.begun] = Question(
            tried.begun, event.step, "", (), (line,), is_unknown=True, effects=event.effects
        )
        tried.open, tried.untold = tried.begun, None

    def _answered(self, at: int, event: e.StepSettled) -> None:
        tried = self._tried[event.step]
        about = self.known.get(tried.open)
        if about is None:
            return
        given = cast("dict[str, Any]", event.result) if isinstance(event.result, dict) else {}
        changed: dict[str, JsonValue] = {}
        if event.answer == "retry":
            changed = {name: value for name, value in given.items() if tried.changes.get(name, _NOTHING) != value}
            tried.changes = given
            tried.lines.append(f"✎ Then {named(event.by)} changed {changes_words(changed)}{because(event.reason)}")
        self.known[about.seq] = replace(about, answer=Answer(event, at, changed))
        tried.open = 0
        if event.answer not in ("retry", "did_not_happen"):
            del self._tried[event.step]


_NOTHING: Any = object()


def changes_words(changes: Mapping[str, JsonValue]) -> str:
    """``prompt to Write less., tone to dry``; escaped."""
    told = [f"{one_line(name, 80)} to {one_line(plain(value), _VALUE) or 'nothing'}" for name, value in changes.items()]
    return clip_markup(", ".join(told), _CHANGES) or "nothing"


# What is open


def asked_at(state: RunState, seq: int) -> str | None:
    """The step whose question of that seq is open; None if none is, or the run is stopping."""
    return next((path for path, known in open_questions(state) if known == seq), None)


def open_questions(state: RunState) -> list[tuple[str, int]]:
    """The steps that wait for an answer, with the seqs of their questions, the first one first.

    Where several wait for the same code, the first of them asks.
    """
    if state.end is not None or state.stopping:
        return []
    found = ((path, asked(step)) for path, step in state.opened(StepStatus.UNCERTAIN, StepStatus.GIVEN_UP))
    known = [(path, seq) for path, seq in found if seq]
    return sorted((*known, *_missing(state).values()), key=lambda one: one[1])


def _missing(state: RunState) -> Mapping[str, tuple[str, int]]:
    """The code that no worker has, with the first step that asks about it and the seq of its question."""
    first: dict[str, tuple[str, int]] = {}
    for path, step in state.opened(StepStatus.READY, StepStatus.RETRYING):
        code = code_of(state, path)
        if step.missing and (code not in first or step.missing < first[code][1]):
            first[code] = path, step.missing
    return first


def code_of(state: RunState, path: str) -> str:
    """The ``name@version`` that the step uses."""
    return state.plan.node(path).step.uses or ""


def can_be_recoded(state: RunState) -> bool:
    """Whether the run can use other code, or be forked to do so."""
    return state.phase is Phase.FORWARD and state.started.part is None


def click_value(run: str, seq: int) -> str:
    """What a button carries: the question of which run it answers."""
    return f"{run}:{seq}"


def read_click(value: str) -> tuple[str, int]:
    """(run, seq) of a button's value. Raises ``ValueError`` for anything else."""
    run, seq = value.split(":")
    if not run.startswith("run_"):
        raise ValueError(f"not a button of a question: {clip(value, 40)}")
    return run, int(seq)


def question_buttons(state: RunState, path: str, *, cancel: bool = False) -> list[Block]:
    """The ways in which the step can go on; it can be accepted only where an attempt gave something.

    ``cancel``: with the one that ends the run, which is on its card too.
    """
    step = state.step(path)
    if step.missing:
        made = _codes(state, click_value(state.run, step.missing))
        made += [cancelling(state)] if made and cancel else []
        return [actions(_block(state, step.missing), made)] if made else []
    value = click_value(state.run, asked(step))
    if step.status is StepStatus.UNCERTAIN:
        made = [button("It happened", HAPPENED, value, "primary"), button("It did not, run it again", AGAIN, value)]
    else:
        made = [button("Retry with my change", RETRY, value, "primary")]
        made += [button("Accept", ACCEPT, value)] if _has_result(step) else []
    made.append(button("Fail", FAIL, value, "danger"))
    return [actions(_block(state, asked(step)), made)]


def _block(state: RunState, seq: int) -> str:
    return f"question:{click_value(state.run, seq)}"[:255]


def _codes(state: RunState, value: str) -> list[Block]:
    if not can_be_recoded(state):
        return []
    return [button("Use other code", USE, value, "primary"), button("Fork", FORK, value)]


# The message


def question(state: RunState, about: Question) -> Message:
    """The message as it has to be now: with its buttons while it is open, else with who answered what."""
    path = asked_at(state, about.seq)
    name = one_line(about.step if path is None else path, 120)
    parts = [part for part in (*_tried(about.tried), one_line(about.summary, 600)) if part]
    if path is None:
        parts.append(_closed(state, about))
    elif about.uses:
        parts += _without(state, path, about.uses)
    elif about.is_unknown:
        parts += _outcomes(about, state.step(path))
    else:
        parts += _ways(about, state.step(path))
    lead = _lead(about, name)
    blocks = [section(f"*{lead}*"), *(section(part) for part in parts)]
    if path is not None:
        blocks += question_buttons(state, path, cancel=bool(about.uses))
    return Message(clip_markup("\n".join((lead, *parts)), TEXT_LIMIT), tuple(blocks))


def _lead(about: Question, name: str) -> str:
    if about.uses:
        return f"How shall {name} go on without {one_line(about.uses, 80)}?"
    return f"Did {name} happen?" if about.is_unknown else f"How shall {name} go on?"


def _without(state: RunState, path: str, uses: str) -> list[str]:
    ways = (
        "*Use other code*: you say which, and it is run with the same arguments. *Fork*: a new run takes over what was "
        "done before a step, and does the rest. *Cancel*: the run ends for good."
    )
    return [f"{missing_words(path, uses)}.", *([ways] if can_be_recoded(state) else [])]


def _tried(lines: Sequence[str]) -> list[str]:
    shown: list[str] = []
    for line in reversed(lines):
        if shown and sum(len(each) + 1 for each in shown) + len(line) > TRIED:
            break
        shown.insert(0, line)
    if len(lines) > len(shown):
        shown.insert(0, f"… {len(lines) - len(shown)} more before that")
    return ["\n".join(shown)] if shown else []


def _ways(about: Question, step: StepState) -> list[str]:
    gave = [f"What may be accepted: {one_line(plain(about.result), _RESULT)}"] if _has_result(step) else []
    accept = " *Accept*: the run goes on with what it gave." if _has_result(step) else ""
    ways = f"*Retry with my change*: you change {listed(about.may_change)}, and it is run again.{accept} {_FAIL}"
    return [*gave, ways]


def _has_result(step: StepState) -> bool:
    return step.correction is not None and step.correction.output is not None


def _outcomes(about: Question, step: StepState) -> list[str]:
    begun = [one_line(step.effects[name].key, 200) for name in about.effects if name in step.effects]
    keys = ", ".join(f"`{key}`" for key in begun[:_KEYS] if key)
    look = f" Look there first, at what has the key {keys}." if keys else " Look there first."
    asks = f"It must not happen twice, so the run waits for a person to say whether it did.{look}"
    happened = "*It happened*: you say what it gave, and the run goes on with that."
    return [asks, f"{happened} *It did not*: it is run again. {_FAIL}"]


def _closed(state: RunState, about: Question) -> str:
    if about.answer is not None:
        return answer_words(about.answer)
    if state.cancel is not None:
        return f"■ No answer is needed any more: {named(state.cancel.by)} stopped the run."
    return "■ No answer is needed any more: the run went on without one."


def answer_words(answer: Answer) -> str:
    """Who answered what, and when."""
    event, when = answer.event, date(answer.at)
    who, why = named(event.by), because(event.reason)
    if isinstance(event, e.RunMoved):
        instead = codes_words(event.codes) if event.codes else "another definition"
        return f"✎ {who} let the run use {instead} {when}{why}"
    match event.answer:
        case "retry":
            return f"✎ {who} let it be tried with {changes_words(answer.changed)} {when}{why}"
        case "accept":
            return f"✓ {who} accepted it {when}{why}"
        case "happened":
            return f"✓ {who} said that it happened {when}{why}"
        case "did_not_happen":
            return f"↻ {who} said that it did not happen, and it was run again {when}{why}"
        case _:
            return f"✗ {who} let it fail {when}{why}"
