"""One run and everybody who wants something of it, by chance: workers, people, other runs, operators.

The one rule: what happens is chosen by the caller's ``pick`` alone, so that whoever chooses the same sees the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from immutables import Map

from engine.core import commands as c
from engine.core import events as e
from engine.core.decide import Decision, decide, start
from engine.core.definition import Workflow
from engine.core.failures import Failure, FailureClass
from engine.core.outlook import due
from engine.core.spending import Cost, Spend
from engine.core.state import AT_WORK, Recorded, RunState, RunStatus, StepStatus
from engine.core.switches import NONE_THROWN, Switch, Switches
from tests.core.definitions import plan_of

T = TypeVar("T")

ANA = e.Actor(via="cli", id="ana", name="Ana")
PEOPLE = [e.Actor(via="slack", id=f"U{number}", name=f"Person {number}") for number in range(8)]
BEN, CAT = PEOPLE[:2]
LINKED = e.Actor(via="slack", id=ANA.id, name=ANA.name)
"""Ana where it is known who she is in Slack; her account alone does not count beside those who are known there."""
EVERYBODY = frozenset({BEN.id, CAT.id, ANA.id})
"""Who has to approve where everybody has to."""
LEASE = 15_000
CODE = frozenset({"noop"})
ELSEWHERE = "f" * 64
"""The hash of the definition that a run is moved to."""

SOON = [0, 0, 1, 6_000]
LATER = [0, 1, 6_000, 40_000, 1_900_000, 4_000_000]
WORKERS = ["w1", "w2"]
OUTPUTS: list[Any] = [None, 1, "y" * 900, {"a": [1]}]
STEERING: list[Callable[[e.Actor], c.Command]] = [c.Resume, c.Redrive, c.Pause, c.Redrive, c.Resume, c.Cancel]
ENDS = [RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED]


class Pick(Protocol):
    """One of the options, of which there is one at least."""

    def __call__(self, options: Sequence[T], /) -> T: ...


class Life:
    """``log`` is all that was decided; ``state`` what the decisions say the run is."""

    def __init__(self, workflow: Workflow) -> None:
        self.now = 1_000_000
        self.log: list[Recorded] = []
        self.tokens: list[tuple[str, int]] = []
        self.sent = 0
        self.moves = 0
        self.blocked = False
        self.switches = NONE_THROWN
        self.plan = plan_of(workflow)
        wanted = workflow.concurrency
        line = None if wanted is None else e.InLine(key="k", limit=1, on_limit=wanted.on_limit.value)
        event = e.RunStarted(
            workspace="ws_t", workflow="random", definition=workflow.hash, input={}, by=ANA, concurrency=line
        )
        self.state: RunState
        self._apply(start("run_t", self.plan, event, self.now))

    def act(self, pick: Pick) -> None:
        """Something happens; and mostly somebody looks at the run then, as in earnest."""
        pick(self._possible())(pick)
        if pick([True, True, False]):
            self.now += pick(SOON)
            self._look(pick(WORKERS), pick([0, 1, 2, 3]))

    def crowd_at_gates(self, pick: Pick) -> None:
        """People do something at a gate; now and then time passes, and what may run is run."""
        happens: list[Callable[[Pick], None]] = [self._vote, self._vote, self._vote, self._act_at_gate]
        pick([*happens, *happens, self._wait, self._override])(pick)
        if self.tokens and pick([True, False]):
            self._succeed(pick)

    def finish(self) -> None:
        """Whatever happened: with workers, people and time the run ends."""
        self.blocked = False
        self._switch(thrown=False)
        for _ in range(400):
            if self.state.end is not None:
                return
            self.go_on()
        raise AssertionError(f"stuck: {self.state.status} {[(p, self.state.steps[p].status) for p in self.state.open]}")

    def go_on(self) -> None:
        """One round of everybody doing their part."""
        self._do(c.Resume(ANA))
        self.now += 20_000
        self._look("w3", 10)
        for path, step in tuple(self.state.opened(*AT_WORK, StepStatus.WAITING, StepStatus.UNCERTAIN)):
            if step.status is StepStatus.RUNNING:
                self._do(c.Succeed(path, step.token, step.worker, "done"))
            elif step.status is StepStatus.CALLING:
                self._do(c.ChildEnded(path, step.child, RunStatus.COMPLETED))
            elif step.status is StepStatus.WAITING:
                # Somebody new as well: whoever approved in an earlier stage cannot do so in a later one.
                newcomer = e.Actor(via="slack", id=f"U{self.now}", name="Newcomer")
                for person in (*PEOPLE, ANA, LINKED, newcomer):
                    self._do(c.Vote(path, True, person, reason="so", seat=c.Seat(everyone=EVERYBODY)))
            else:
                self._do(c.Settle(path, "did_not_happen", ANA))
        if any(True for _ in self.state.opened(StepStatus.LISTENING)):
            self.sent += 1
            self._do(c.Signal(f"id{self.sent}", "go", None, ANA))
        next_look = due(self.state, self.now)
        if next_look is not None and not any(True for _ in self.state.opened(*AT_WORK)):
            self.now = max(self.now, next_look.at)

    def _possible(self) -> list[Callable[[Pick], None]]:
        """What may happen now; what happens often stands here more than once."""
        found = [self._wait, self._signal, self._override, self._steer, self._crowd, self._stop]
        if self.tokens:
            found += [self._succeed, self._succeed, self._succeed, self._fail, self._note]
        if self._gates():
            found += [self._vote, self._vote, self._act_at_gate]
        if self._calls():
            found += [self._child_ends, self._child_ends]
        if self.state.end is None:
            found.append(lambda pick: self.go_on())
            if self.moves < 2:
                found.append(self._move)
        return found

    def _gates(self) -> list[str]:
        return [path for path, step in sorted(self.state.steps.items()) if step.gate is not None]

    def _calls(self) -> list[e.ChildStarted]:
        return [one.event for one in self.log if isinstance(one.event, e.ChildStarted)]

    # What happens

    def _wait(self, pick: Pick) -> None:
        self.now += pick(LATER)
        self._look(pick(WORKERS), pick([0, 1, 2, 3]))

    def _stop(self, pick: Pick) -> None:
        self._switch(thrown=pick([False, False, True]))

    def _switch(self, *, thrown: bool) -> None:
        epoch = self.switches.epoch + 1
        switch = Switch("workspace", ANA, "too much", self.now, epoch)
        self.switches = Switches(epoch, Map({("ws_t", "workspace"): switch} if thrown else {}))

    def _crowd(self, pick: Pick) -> None:
        self.blocked = pick([False, False, True])

    def _succeed(self, pick: Pick) -> None:
        step, token = self._attempt(pick)
        worker = pick(WORKERS)
        self._report(c.Succeed(step, token, worker, pick(OUTPUTS), self._claim(worker)))

    def _fail(self, pick: Pick) -> None:
        step, token = self._attempt(pick)
        failure = Failure(cls=pick(list(FailureClass)), message="it broke", known=pick([False, True]))
        self._report(c.Fail(step, token, "w1", failure, self._claim("w1")))

    def _note(self, pick: Pick) -> None:
        step, token = self._attempt(pick)
        commands: list[c.Command] = [
            c.BeginEffect(step, token, "pay", f"key/{step}"),
            c.RecordEffect(step, token, "pay", "receipt"),
            c.BeginEffect(step, token, "ask", f"ask/{step}", Spend(500_000)),
            c.RecordEffect(step, token, "ask", "answer", Cost(pick([0, 200_000, 500_000, 600_000]))),
            c.CancelEffect(step, token, "ask"),
            c.HandBack(step, token, "w1", pick([False, True])),
            c.Postpone(step, token, "w1", 12_000, "openai's limit"),
            c.LogLine(step, token, "half done"),
            c.NoteProgress(step, token, {"page": 3}),
        ]
        self._do(pick(commands))

    def _attempt(self, pick: Pick) -> tuple[str, int]:
        """Any that ever began; mostly one that counts."""
        counting = [(path, step.token) for path, step in self.state.opened(StepStatus.RUNNING)]
        return pick(counting if counting and pick([True, True, False]) else self.tokens)

    def _vote(self, pick: Pick) -> None:
        """Somebody, perhaps for somebody else, on what there is to decide on now or was before."""
        path, by = self._gate(pick), pick([*PEOPLE[:4], ANA])
        gate = self.state.steps[path].gate
        versions = [None] if gate is None else [None, gate.version, gate.version, gate.asked_seq, 1]
        names: list[tuple[str, ...] | None] = [None, ("@x",), ("@x", "@y")]
        seat = c.Seat(pick(names), pick([EVERYBODY, None]), pick([None, None, None, BEN, ANA]), pick([None, 7]))
        version, granted = pick(versions), pick([*[True] * 7, False])
        reply = self._do(c.Vote(path, granted, by, "as asked", pick(["so", "so", ""]), version, seat))
        if gate is not None and version not in (None, gate.version):
            assert not isinstance(reply, c.Accepted), "a vote on what the person has not seen"

    def _act_at_gate(self, pick: Pick) -> None:
        path, by, other = self._gate(pick), pick([*PEOPLE[:4], ANA]), pick([*PEOPLE[:4], ANA])
        edit = c.EditGate(path, {"n": pick([1, 2, 3, -1])}, by)
        acts: list[c.Command] = [
            edit,
            c.RequestChanges(path, by, pick(["more", ""])),
            c.Delegate(path, by, other),
            edit,
            c.Snooze(path, by, self.now + pick([0, 1, 60_000])),
        ]
        self._do(pick(acts))

    def _gate(self, pick: Pick) -> str:
        """Any that ever opened; mostly one that waits."""
        waiting = [path for path, _ in self.state.opened(StepStatus.WAITING)]
        return pick(waiting if waiting and pick([True, True, True, False]) else self._gates())

    def _signal(self, pick: Pick) -> None:
        """Perhaps the last one again."""
        self.sent += pick([True, True, False])
        self._do(c.Signal(f"id{self.sent}", "go", {"n": self.sent}, ANA))

    def _child_ends(self, pick: Pick) -> None:
        call = pick(self._calls())
        along = pick([True, False])
        self._do(c.ChildEnded(call.step, call.run, pick(ENDS), "from the child", "as it went", along))

    def _steer(self, pick: Pick) -> None:
        self._do(pick(STEERING)(ANA))

    def _override(self, pick: Pick) -> None:
        path = pick(sorted({*self.state.steps, *self.plan.steps}))
        commands: list[c.Command] = [
            c.SkipStep(path, ANA),
            c.SetOutput(path, "as set", ANA),
            c.RetryFrom(path, ANA),
            c.Settle(path, "happened", ANA, result="so it was"),
            c.Settle(path, "did_not_happen", ANA),
            c.Settle(path, "fail", ANA),
        ]
        self._do(pick(commands))

    def _move(self, pick: Pick) -> None:
        """To the same definition under another hash: nothing may be lost by it."""
        self.moves += 1
        self._do(c.Move(ELSEWHERE, self.plan, ANA, {}))

    # How it is decided

    def _look(self, worker: str, slots: int) -> None:
        self._do(c.Look(self._claim(worker, slots)))

    def _claim(self, worker: str, slots: int = 3) -> c.Claim:
        return c.Claim(worker, CODE, slots, self.now, self.now + LEASE)

    def _do(self, command: c.Command) -> c.Reply:
        values = {one.seq: e.value_of(one.event) for one in self.log}
        around = c.Around(self.switches)
        decision = decide(self.state, command, self.now, values, around)
        assert decision == decide(self.state, command, self.now, values, around), "deciding is a function"
        if self.blocked and isinstance(command, c.Look):
            refused = frozenset(one for one in decision.conditions if isinstance(one, c.SlotFree))
            if refused:
                decision = decide(self.state, command, self.now, values, c.Around(self.switches, refused))
        self._is_not_started_while_stopped(decision)
        self._apply(decision)
        if isinstance(command, c.Steering):
            assert decision.events or not isinstance(decision.reply, c.Accepted), "nothing was done, and told so"
        return decision.reply

    def _is_not_started_while_stopped(self, decision: Decision) -> None:
        for one in decision.events:
            if isinstance(one.event, e.StepStarted | e.EffectStarted):
                assert not self.switches.thrown, f"{one.event.type} while everything is stopped"
                assert one.event.epoch == self.switches.epoch

    def _report(self, command: c.Succeed | c.Fail) -> None:
        step, known = self.state.step(command.step), len(self.log)
        counts = step.status is StepStatus.RUNNING and step.token == command.token
        self._do(command)
        ended = (e.StepCompleted, e.StepFailed)
        told = [one.event for one in self.log[known:] if isinstance(one.event, ended)]
        assert counts or command.step not in {event.step for event in told}, "an attempt that does not count ended it"

    def _apply(self, decision: Decision) -> None:
        self.state = decision.state
        self.log.extend(decision.events)
        under_way = [effect for _, step in self.state.opened(StepStatus.RUNNING) for effect in step.effects.values()]
        assert self.state.reserved == sum(effect.reserved for effect in under_way), "only for effects under way"
        for path, step in self.state.opened(StepStatus.RUNNING):
            if (path, step.token) not in self.tokens:
                self.tokens.append((path, step.token))
