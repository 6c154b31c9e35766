"""Random definitions under random commands, duplicates and stale ones included: what must always hold of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.core import checkpoint
from engine.core import commands as c
from engine.core import events as e
from engine.core.decide import Decision, decide, start
from engine.core.definition import Workflow
from engine.core.failures import Failure, FailureClass
from engine.core.fold import evolve, fold
from engine.core.outlook import due, something_ready
from engine.core.state import AT_WORK, ENDED_STEP, Recorded, RunState, RunStatus, StepStatus
from engine.records import cache_of
from tests.core.definitions import plan_of, workflows

ANA = e.Actor(via="cli", id="ana", name="Ana")
LEASE = 15_000
CODE = frozenset({"noop"})
AFTER_THE_END = (e.LateResultRefused, e.RunLabelled, e.RunReopened)
ENDS = (e.RunCompleted, e.RunFailed, e.RunCancelled)
MOMENTS = st.sampled_from([0, 1, 6_000, 40_000, 1_900_000, 4_000_000])


class Life(RuleBasedStateMachine):
    """One run, and everybody who wants something of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.log: list[Recorded] = []
        self.tokens: list[tuple[str, int]] = []
        self.sent = 0
        self.blocked = False

    @initialize(workflow=workflows())
    def begin(self, workflow: Workflow) -> None:
        self.plan = plan_of(workflow)
        wanted = workflow.concurrency
        line = None if wanted is None else e.InLine(key="k", limit=1, on_limit=wanted.on_limit.value)
        event = e.RunStarted(
            workspace="ws_t", workflow="random", definition=workflow.hash, input={}, by=ANA, concurrency=line
        )
        self.apply(start("run_t", self.plan, event, self.now))

    # What happens

    def do(self, command: c.Command) -> c.Reply:
        values = {one.seq: e.value_of(one.event) for one in self.log}
        before = self.state
        decision = decide(self.state, command, self.now, values)
        again = decide(before, command, self.now, values)
        assert decision == again, "deciding is a function"
        if decision.conditions and self.blocked and isinstance(command, c.Look):
            refused = frozenset(one for one in decision.conditions if isinstance(one, c.SlotFree))
            if refused and not command.refused:
                return self.do(c.Look(command.claim, refused))
        self.apply(decision)
        return decision.reply

    def apply(self, decision: Decision) -> None:
        self.state: RunState = decision.state
        self.log.extend(decision.events)
        for path, step in self.state.opened(StepStatus.RUNNING):
            if (path, step.token) not in self.tokens:
                self.tokens.append((path, step.token))

    def claim(self, worker: str, slots: int = 3) -> c.Claim:
        return c.Claim(worker, CODE, slots, self.now, self.now + LEASE)

    @rule(after=MOMENTS, worker=st.sampled_from(["w1", "w2"]), slots=st.integers(0, 3))
    def look(self, after: int, worker: str, slots: int) -> None:
        self.now += after
        self.do(c.Look(self.claim(worker, slots)))

    @rule(blocked=st.booleans())
    def crowd(self, blocked: bool) -> None:
        self.blocked = blocked

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(), output=st.sampled_from([None, 1, "y" * 900, {"a": [1]}]), worker=st.sampled_from(["w1", "w2"])
    )
    def succeed(self, data: st.DataObject, output: Any, worker: str) -> None:
        """Also of attempts that no longer count."""
        step, token = data.draw(st.sampled_from(self.tokens))
        self.do(c.Succeed(step, token, worker, output, self.claim(worker)))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), cls=st.sampled_from(list(FailureClass)), known=st.booleans())
    def fail(self, data: st.DataObject, cls: FailureClass, known: bool) -> None:
        step, token = data.draw(st.sampled_from(self.tokens))
        failure = Failure(cls=cls, message="it broke", known=known)
        self.do(c.Fail(step, token, "w1", failure, self.claim("w1")))

    @precondition(lambda self: self.tokens)
    @rule(data=st.data(), note=st.sampled_from(["back", "begin", "record", "log", "progress"]))
    def note(self, data: st.DataObject, note: str) -> None:
        step, token = data.draw(st.sampled_from(self.tokens))
        commands: dict[str, c.Command] = {
            "back": c.HandBack(step, token, "w1"),
            "begin": c.BeginEffect(step, token, "pay", f"key/{step}"),
            "record": c.RecordEffect(step, token, "pay", "receipt"),
            "log": c.LogLine(step, token, "half done"),
            "progress": c.NoteProgress(step, token, {"page": 3}),
        }
        self.do(commands[note])

    @rule(data=st.data(), granted=st.booleans())
    def vote(self, data: st.DataObject, granted: bool) -> None:
        gates = [path for path, step in sorted(self.state.steps.items()) if step.gate is not None]
        assume(gates)
        self.do(c.Vote(data.draw(st.sampled_from(gates)), granted, ANA))

    @rule(again=st.booleans())
    def signal(self, again: bool) -> None:
        self.sent += not again
        self.do(c.Signal(f"id{self.sent}", "go", {"n": self.sent}, ANA))

    @rule(data=st.data(), status=st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]))
    def child_ends(self, data: st.DataObject, status: RunStatus) -> None:
        calls = [one.event for one in self.log if isinstance(one.event, e.ChildStarted)]
        assume(calls)
        call = data.draw(st.sampled_from(calls))
        self.do(c.ChildEnded(call.step, call.run, status, "from the child", "as it went"))

    @rule(which=st.sampled_from([c.Pause, c.Resume, c.Cancel, c.Redrive]))
    def steer(self, which: Callable[[e.Actor], c.Command]) -> None:
        self.do(which(ANA))

    @rule(data=st.data(), what=st.sampled_from(["skip", "set", "retry", "happened", "did_not_happen", "fail"]))
    def override(self, data: st.DataObject, what: Any) -> None:
        path = data.draw(st.sampled_from(sorted({*self.state.steps, *self.plan.steps})))
        if what == "skip":
            self.do(c.SkipStep(path, ANA))
        elif what == "set":
            self.do(c.SetOutput(path, "as set", ANA))
        elif what == "retry":
            self.do(c.RetryFrom(path, ANA))
        else:
            self.do(c.Settle(path, what, ANA, result="so it was"))

    @rule()
    def move(self) -> None:
        """To the same definition: nothing may be lost by it."""
        before = self.state
        assume(before.end is None)
        self.do(c.Move("f" * 64, self.plan, ANA, {}))

    # What always holds

    @invariant()
    def the_state_is_the_fold(self) -> None:
        plans = {"f" * 64: self.plan}
        folded = fold("run_t", self.plan, self.log, plans)
        assert folded == self.state
        assert cache_of(folded) == cache_of(self.state)

    @invariant()
    def a_checkpoint_restores_the_state(self) -> None:
        plans = {"f" * 64: self.plan}
        half = len(self.log) // 2 or 1
        state = fold("run_t", self.plan, self.log[:half], plans)
        text = checkpoint.to_text(state)
        state = checkpoint.restore(checkpoint.parse(text), self.plan)
        assert checkpoint.to_text(state) == text
        for recorded in self.log[half:]:
            state = evolve(state, recorded, plans)
        assert state == self.state
        assert checkpoint.to_text(state) == checkpoint.to_text(self.state)

    @invariant()
    def places_and_times_ascend(self) -> None:
        assert [one.seq for one in self.log] == list(range(1, len(self.log) + 1))
        assert all(one.at <= two.at for one, two in zip(self.log, self.log[1:], strict=False))

    @invariant()
    def after_the_end_there_is_only_bookkeeping(self) -> None:
        ended = False
        for one in self.log:
            if ended:
                assert isinstance(one.event, AFTER_THE_END), one.event
            ended = (ended and not isinstance(one.event, e.RunReopened)) or isinstance(one.event, ENDS)
        assert ended == (self.state.end is not None)

    @invariant()
    def no_attempt_is_decided_twice(self) -> None:
        running: set[str] = set()
        for one in self.log:
            match one.event:
                case e.StepStarted(step=step):
                    assert step not in running, f"{step} was started twice at {one.seq}"
                    running.add(step)
                case e.StepHandedBack(step=step):
                    running.remove(step)
                case e.StepCompleted(step=step) | e.StepFailed(step=step):
                    running.discard(step)
                case _:
                    pass

    @invariant()
    def who_has_work_is_due(self) -> None:
        next_look = due(self.state, self.now)
        assert (next_look is None) == (self.state.end is not None)
        if next_look is not None and something_ready(self.state, self.now) and not self.state.queued:
            assert next_look.at <= self.now + 2_000

    @invariant()
    def open_steps_are_those_that_are_at_something(self) -> None:
        for path in self.state.open:
            status = self.state.steps[path].status
            assert status is not StepStatus.PENDING
            assert status not in ENDED_STEP
        assert len(set(self.state.open)) == len(self.state.open)
        for path, step in self.state.steps.items():
            if step.status in AT_WORK and self.state.end is None:
                assert path in self.state.open, f"{path} is {step.status} and forgotten"

    @invariant()
    def groups_count_what_has_not_ended(self) -> None:
        for group, known in self.state.groups.items():
            if group and group not in self.state.steps and group != "on_failure":
                continue
            prefix = f"{group}/" if group else ""
            ids = self.state.plan.group(group).steps
            left = sum(1 for id_ in ids if self.state.step(prefix + id_).status not in ENDED_STEP)
            assert known.unfinished == left, group

    def teardown(self) -> None:
        """Whatever happened: with workers, people and time the run ends, and by itself."""
        if not hasattr(self, "state"):
            return
        self.blocked = False
        for _ in range(400):
            if self.state.end is not None:
                return
            self.help()
        raise AssertionError(f"stuck: {self.state.status} {[(p, self.state.steps[p].status) for p in self.state.open]}")

    def help(self) -> None:
        """One round of everybody doing their part."""
        self.do(c.Resume(ANA))
        self.now += 20_000
        self.do(c.Look(self.claim("w3", 10)))
        for path, step in tuple(self.state.opened(*AT_WORK, StepStatus.WAITING, StepStatus.UNCERTAIN)):
            if step.status is StepStatus.RUNNING:
                self.do(c.Succeed(path, step.token, step.worker, "done"))
            elif step.status is StepStatus.CALLING:
                self.do(c.ChildEnded(path, step.child, RunStatus.COMPLETED))
            elif step.status is StepStatus.WAITING:
                self.do(c.Vote(path, True, ANA))
            else:
                self.do(c.Settle(path, "did_not_happen", ANA))
        if any(True for _ in self.state.opened(StepStatus.LISTENING)):
            self.sent += 1
            self.do(c.Signal(f"id{self.sent}", "go", None, ANA))
        next_look = due(self.state, self.now)
        if next_look is not None and not any(True for _ in self.state.opened(*AT_WORK)):
            self.now = max(self.now, next_look.at)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    print_blob=True,
)
