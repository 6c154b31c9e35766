"""Random definitions under random commands, duplicates and stale ones included: what must always hold of a run."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import JsonValue

from engine.core import checkpoint
from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.fold import evolve, fold
from engine.core.outlook import due, something_ready
from engine.core.state import AT_WORK, ENDED_STEP, RunState, StepStatus
from engine.records import cache_of
from tests.core.definitions import gated, workflows
from tests.core.gate_truth import gates_decide_as_they_may
from tests.core.life import ELSEWHERE, Life

T = TypeVar("T")

LENGTH = 60
AFTERWARDS = 6
"""So many things happen in a long life, and so many more once its run has ended."""

LOADED_EVERY = 4

AFTER_THE_END = (e.LateResultRefused, e.RunLabelled, e.RunReopened)
ENDS = (e.RunCompleted, e.RunFailed, e.RunCancelled)
AFTER_THE_ID = re.compile(r"[\[#/!]")


def holds(life: Life) -> None:
    """All that must be true of the run, and of what is on record of it."""
    it_can_be_loaded(life)
    it_is_sound(life)


def it_can_be_loaded(life: Life) -> None:
    """This goes through the whole history again and again, so a long life is asked for it now and then."""
    the_state_is_the_fold(life)
    a_checkpoint_restores_the_state(life)


def it_is_sound(life: Life) -> None:
    places_and_times_ascend(life)
    after_the_end_there_is_only_bookkeeping(life)
    nothing_is_decided_twice(life)
    gates_decide_as_they_may(life.log)
    what_is_undone_is_undone_in_reverse(life)
    who_has_work_is_due(life)
    open_steps_are_those_that_are_at_something(life)
    groups_count_what_has_not_ended(life)


def the_state_is_the_fold(life: Life) -> None:
    folded = fold("run_t", life.plan, life.log, {ELSEWHERE: life.plan})
    assert folded == life.state
    assert cache_of(folded) == cache_of(life.state)


def a_checkpoint_restores_the_state(life: Life) -> None:
    plans = {ELSEWHERE: life.plan}
    half = len(life.log) // 2 or 1
    state = fold("run_t", life.plan, life.log[:half], plans)
    state = restored(state, life)
    for recorded in life.log[half:]:
        state = evolve(state, recorded, plans)
    assert state == life.state
    assert checkpoint.to_text(state) == checkpoint.to_text(life.state)
    assert restored(life.state, life) == life.state


def restored(state: RunState, life: Life) -> RunState:
    """The state as another process has it, which reads the checkpoint of this one."""
    text = checkpoint.to_text(state)
    again = checkpoint.restore(checkpoint.parse(text), life.plan)
    assert checkpoint.to_text(again) == text
    return again


def places_and_times_ascend(life: Life) -> None:
    assert [one.seq for one in life.log] == list(range(1, len(life.log) + 1))
    assert all(one.at <= two.at for one, two in zip(life.log, life.log[1:], strict=False))


def after_the_end_there_is_only_bookkeeping(life: Life) -> None:
    ended = False
    for one in life.log:
        if ended:
            assert isinstance(one.event, AFTER_THE_END), one.event
        ended = (ended and not isinstance(one.event, e.RunReopened)) or isinstance(one.event, ENDS)
    assert ended == (life.state.end is not None)


def nothing_is_decided_twice(life: Life) -> None:
    """Attempts, steps, signals and calls. What is ordered anew by name may happen anew."""
    running: set[str] = set()
    completed: set[str] = set()
    once: set[object] = set()
    for one in life.log:
        match one.event:
            case e.StepStarted(step=step):
                assert step not in running | completed, f"{step} was started again at {one.seq}"
                running.add(step)
            case e.StepHandedBack(step=step) | e.StepHeld(step=step) | e.StepPostponed(step=step):
                running.discard(step)
            case e.StepCompleted(step=step) | e.StepFailed(step=step):
                assert step not in completed, f"{step} ended at {one.seq}, after it had completed"
                running.discard(step)
                if isinstance(one.event, e.StepCompleted):
                    completed.add(step)
            case e.StepsReset(steps=steps):
                completed = {path for path in completed if AFTER_THE_ID.split(path)[0] not in steps}
            case e.RunFailureHandling():
                completed = {path for path in completed if not path.startswith("on_failure/")}
            case e.SignalReceived(id=id_):
                assert ("signal", id_) not in once, f"the signal {id_} came twice"
                once.add(("signal", id_))
            case e.SignalMatched(seq=seq):
                assert ("taken", seq) not in once, f"the signal at {seq} was taken twice"
                once.add(("taken", seq))
            case e.ChildStarted(run=run):
                assert ("child", run) not in once, f"{run} was asked for twice"
                once.add(("child", run))
            case _:
                pass


def what_is_undone_is_undone_in_reverse(life: Life) -> None:
    done: list[str] = []
    for one in life.log:
        match one.event:
            case e.StepCompleted(step=step):
                done.append(step)
            case e.RunUndoing(steps=steps):
                places = [len(done) - done[::-1].index(step) for step in steps if step in done]
                assert places == sorted(places, reverse=True)
                assert len(set(steps)) == len(steps)
            case _:
                pass


def who_has_work_is_due(life: Life) -> None:
    next_look = due(life.state, life.now)
    assert (next_look is None) == (life.state.end is not None)
    if next_look is not None and something_ready(life.state, life.now) and not life.state.queued:
        assert next_look.at <= life.now + 2_000


def open_steps_are_those_that_are_at_something(life: Life) -> None:
    for path in life.state.open:
        status = life.state.steps[path].status
        assert status is not StepStatus.PENDING
        assert status not in ENDED_STEP
    assert len(set(life.state.open)) == len(life.state.open)
    for path, step in life.state.steps.items():
        if step.status in AT_WORK and life.state.end is None:
            assert path in life.state.open, f"{path} is {step.status} and forgotten"


def groups_count_what_has_not_ended(life: Life) -> None:
    for group, known in life.state.groups.items():
        if group and group not in life.state.steps and group != "on_failure":
            continue
        prefix = f"{group}/" if group else ""
        ids = life.state.plan.group(group).steps
        left = sum(1 for id_ in ids if life.state.step(prefix + id_).status not in ENDED_STEP)
        assert known.unfinished == left, group


class Lives(RuleBasedStateMachine):
    """Hypothesis chooses, and makes what it finds small."""

    @initialize(workflow=workflows())
    def begin(self, workflow: Workflow) -> None:
        self.life = Life(workflow)

    @rule(data=st.data())
    def act(self, data: st.DataObject) -> None:
        def pick(options: Sequence[T]) -> T:
            return data.draw(st.sampled_from(options))

        self.life.act(pick)

    @invariant()
    def all_holds(self) -> None:
        holds(self.life)

    def teardown(self) -> None:
        if hasattr(self, "life"):
            self.life.finish()
            holds(self.life)


PATIENCE = pytest.mark.timeout(600)
"""Of the test alone: to make small what was found takes Hypothesis some minutes."""

TestLife = PATIENCE(Lives.TestCase)
TestLife.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)


@PATIENCE
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(workflow=workflows(), seed=st.integers(0, 2**32))
def test_a_long_life(workflow: Workflow, seed: int) -> None:
    """A die chooses: what it finds stays large, but it gets further, and everywhere equally often."""
    die = random.Random(seed)
    life = Life(workflow)
    left = AFTERWARDS
    for number in range(LENGTH):
        life.act(die.choice)
        it_is_sound(life)
        if number % LOADED_EVERY == seed % LOADED_EVERY:
            it_can_be_loaded(life)
        left = left - 1 if life.state.end is not None else AFTERWARDS
        if not left:
            break
    life.finish()
    holds(life)


@PATIENCE
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
@given(workflow=gated(), seed=st.integers(0, 2**32))
def test_a_crowd_at_gates(workflow: Workflow, seed: int) -> None:
    """Everybody votes, edits, delegates and asks for changes, in whatever order, on what there is or was."""
    die = random.Random(seed)
    life = Life(workflow)
    for number in range(LENGTH):
        life.crowd_at_gates(die.choice)
        it_is_sound(life)
        if number % LOADED_EVERY == seed % LOADED_EVERY:
            it_can_be_loaded(life)
        if life.state.end is not None:
            break
    life.finish()
    holds(life)
    an_approved_step_ran_as_approved(life)


def an_approved_step_ran_as_approved(life: Life) -> None:
    """``ship`` started only with the number on which people decided last, and not before they did."""
    approved: JsonValue = None
    fields: dict[str, JsonValue] = {}
    for one in life.log:
        match one.event:
            case e.ApprovalRequested(step="gate") | e.ApprovalEdited(step="gate"):
                fields, approved = one.event.fields, None
                assert one.event.inputs == {"ship": fields}
            case e.ApprovalGranted(step="gate"):
                approved = fields
            case e.StepOutputSet(step="gate") | e.StepSkipped(step="gate"):
                approved = "as an operator said"
            case e.StepStarted(step="ship"):
                assert approved is not None
            case _:
                pass
