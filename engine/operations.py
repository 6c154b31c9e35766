"""What operators do to a run, and what reaches it from outside: everything that people may decide about but its gates.

The one rule: each is one command to the one writer, so that it is decided on like everything else and is an event with
its person and reason. What cannot be done is a ``NotAllowed`` that says what can; who may do it is for the caller to
know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from engine.attempts import Limits
from engine.clock import Clock
from engine.core import commands as c
from engine.core import events as e
from engine.core.deciding.opening import correlation_of
from engine.core.definition import Workflow
from engine.core.errors import InvalidInput
from engine.core.failures import StepError
from engine.core.graph import Plan
from engine.core.inputs import validate_input
from engine.core.pinning import recoded
from engine.core.starting import reusable, started_of
from engine.core.state import RunState
from engine.core.words import did_you_mean, listed
from engine.definitions import Definitions
from engine.handle import Begun
from engine.ids import Ids
from engine.own_runs import OwnRuns
from engine.plans import Plans, called_by
from engine.questions import Questions
from engine.steps.registry import Registry
from engine.store import DEFAULT_WORKSPACE, Log, Signal

ON_BEHALF_OF_PARENT = "the run does some items of a step of another run; do this with {parent}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """The operations on the runs of one workspace. Every method returns when what it did is durable.

    ``run`` is a whole id. Every method raises ``UnknownRun``, and the store's errors; then it may be called again.
    ``announce`` says that somebody should look at a run.
    """

    store: Log
    runs: OwnRuns
    plans: Plans
    definitions: Definitions
    registry: Registry
    clock: Clock
    ids: Ids
    workspace: str
    announce: Callable[[str], None]
    limits: Limits

    # Holding, and stopping

    async def pause(self, run: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Start nothing more until ``resume``, in its child runs too. What runs is finished; deadlines stand."""
        return await self.submit(run, c.Pause(by, reason))

    async def resume(self, run: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Let a paused run, and its child runs, go on."""
        return await self.submit(run, c.Resume(by, reason))

    async def cancel(self, run: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Start nothing more, tell running steps to stop, undo what can be undone, and end the run as cancelled."""
        return await self.submit(run, c.Cancel(by, reason))

    # Trying again

    async def redrive(self, run: str, *, by: e.Actor, reason: str = "", steps: Sequence[str] = ()) -> c.Reply:
        """Try what is in the dead letters again, with all its attempts: these steps, or all of the run.

        Effects on record are not repeated. A run that had failed goes on.
        """
        return await self.submit(run, c.Redrive(by, reason, tuple(steps)))

    async def retry_from(self, run: str, step: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Do ``step``, one of the workflow's own, and all that follows from it anew. Their effects are made again."""
        return await self.submit(run, c.RetryFrom(step, by, reason))

    async def fork(
        self, run: str, step: str, *, by: e.Actor, definition: str | None = None,
        origin: Mapping[str, JsonValue] | None = None, dedupe_key: str | None = None,
    ) -> Begun | c.NotAllowed:  # fmt: skip
        """Start a new run that takes over the results that do not follow from ``step``, and does the rest itself.

        It has the same inputs, and the same definition, or that of the name or hash ``definition``. The run itself is
        left as it is. Raises ``UnknownWorkflow``, ``InvalidInput`` if the inputs do not fit the other definition, and
        ``Frozen`` if no run of the workflow may start now.
        """
        state = await self.runs.state(run)
        if state.started.part is not None and state.started.parent is not None:
            return c.NotAllowed(ON_BEHALF_OF_PARENT.format(parent=state.started.parent.run))
        plan = state.plan if definition is None else await self._plan(definition)
        await self.definitions.allowed(plan.workflow.name, self.clock.now())
        if step not in plan.steps:
            return c.NotAllowed(f"there is no step {step}; {did_you_mean(step, list(plan.steps))}")
        taken = reusable(state, plan, step)
        if taken and state.undone:
            return c.NotAllowed("what the run did was undone; fork it from its first step, or start it again")
        outputs = [await self.runs.recall.value(run, one.output) for one in taken]
        reused = [
            e.StepReused(step=one.step, status=one.status, output=output)
            for one, output in zip(taken, outputs, strict=True)
        ]
        started = self._forked(state, plan.workflow, e.Fork(run=run, step=step, seq=state.seq), by)
        more = {"origin": dict(origin or {}), "dedupe_key": dedupe_key}
        return await self.runs.start(self.ids.run(), plan, started.model_copy(update=more), reused)

    def _forked(self, state: RunState, workflow: Workflow, fork: e.Fork, by: e.Actor) -> e.RunStarted:
        values = dict(state.started.input)
        if workflow.hash != state.definition:
            known = {name: value for name, value in values.items() if name in workflow.input}
            values, problems = validate_input(workflow, known)
            if problems:
                raise InvalidInput(workflow.name, problems)
        return started_of(self.workspace, workflow, values, by).model_copy(update={"forked_from": fork})

    # Deciding for a step

    async def skip(self, run: str, step: str, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Count ``step``, which has failed or not begun, as skipped."""
        return await self.submit(run, c.SkipStep(step, by, reason))

    async def set_output(self, run: str, step: str, output: JsonValue, *, by: e.Actor, reason: str = "") -> c.Reply:
        """Count ``step``, which has failed or not begun, as completed with this output."""
        if refusal := self._too_large(output, "the output"):
            return refusal
        return await self.submit(run, c.SetOutput(step, output, by, reason))

    async def settle(
        self, run: str, step: str, answer: e.SettledAs, *, by: e.Actor,
        result: JsonValue = None, reason: str = "", asked: int = 0,
    ) -> c.Reply:  # fmt: skip
        """Say what became of an attempt of unknown outcome: it happened, with this result; it did not, so it is made
        again; or it counts as failed. Where corrections were given up: try it with these changes, accept it, or fail.

        ``asked`` is the seq of the question that was answered, where that is known. ``InvalidFields`` for a result that
        the step could not have given, and for changes that it does not take.
        """
        if refusal := self._too_large(result, "the result"):
            return refusal
        if answer == "happened":
            result, problems = self.questions.outcome(await self.runs.state(run), step, result)
            if problems:
                return c.InvalidFields(problems)
        if answer == "retry":
            problems = await self.questions.problems(await self.runs.state(run), step, result)
            if problems:
                return c.InvalidFields(problems)
        return await self.submit(run, c.Settle(step, answer, by, result, reason, asked))

    # Which definition it follows, and how it is found

    async def move(
        self, run: str, *, by: e.Actor, definition: str | None = None, renamed: Mapping[str, str] | None = None,
        reason: str = "",
    ) -> c.Reply:  # fmt: skip
        """Let the run follow another definition from now on: the current one of its workflow, or that of the name or
        hash ``definition``. ``renamed`` maps ids of its steps to those of the other definition.

        Raises ``UnknownWorkflow``.
        """
        state = await self.runs.state(run)
        plan = await self._plan(definition or state.started.workflow)
        return await self.submit(run, c.Move(plan.workflow.hash, plan, by, dict(renamed or {}), reason))

    async def recode(self, run: str, uses: Mapping[str, str], *, by: e.Actor, reason: str = "") -> c.Reply:
        """Let the run use other code where its definition says ``name@version``: for code that no worker has any more.

        ``uses`` maps the names and versions in the definition to those to be used, which take the same arguments.
        """
        state = await self.runs.state(run)
        unknown = [new for new in uses.values() if new not in self.registry.keys]
        if unknown:
            return c.NotAllowed(f"there is no step {unknown[0]} here; {did_you_mean(unknown[0], self.registry.keys)}")
        used = {node.step.uses for node in state.plan.nodes.values() if node.step.uses is not None}
        strange = [old for old in uses if old not in used]
        if strange:
            return c.NotAllowed(f"the run does not use {strange[0]}; it uses {listed(sorted(used))}")
        unfit = [problem for old, new in uses.items() if (problem := self.questions.unfit(state, old, new))]
        if unfit:
            return c.NotAllowed(unfit[0])
        workflow = recoded(state.plan.workflow, uses)
        plan = await self.plans.pin(workflow, called_by(state.plan))
        return await self.submit(run, c.Move(workflow.hash, plan, by, {}, reason, uses))

    async def label(self, run: str, labels: Mapping[str, str | None], *, by: e.Actor) -> c.Reply:
        """Set labels by which the run can be found, or take them away (None). Also of a run that has ended."""
        return await self.submit(run, c.Label(dict(labels), by))

    # Signals

    async def signal(
        self, name: str, payload: JsonValue, *, by: e.Actor, id: str, run: str | None = None,  # noqa: A002
        correlation: str | None = None,
    ) -> c.Reply:  # fmt: skip
        """Send a signal: to ``run``, or to whichever run waits, now or later, for this ``correlation``.

        ``id`` is the sender's: the same one again changes nothing. ``ValueError`` without a run and a correlation.
        """
        if refusal := self._too_large(payload, "the payload"):
            return refusal
        correlation = None if correlation is None else correlation_of(correlation)
        if run is not None:
            return await self.submit(run, c.Signal(id, name, payload, by, correlation))
        if correlation is None:
            raise ValueError("a signal goes to a run, or to whoever waits for its correlation; give one of them")
        letter = json.dumps({"payload": payload, "by": by.model_dump()}, ensure_ascii=False, separators=(",", ":"))
        where = {"workspace": self.workspace, "name": name, "correlation": correlation}
        # Ids are the senders', and those of one workspace know nothing of another's.
        own_id = id if self.workspace == DEFAULT_WORKSPACE else f"{self.workspace}/{id}"
        await self.store.put_signal(Signal(id=own_id, payload=letter, at=self.clock.now(), **where))
        for waiting in await self.store.listeners(**where):
            self.announce(waiting)
        return c.Accepted()

    @property
    def questions(self) -> Questions:
        """What people are asked where corrections were given up."""
        return Questions(self.runs, self.registry)

    # Inside

    async def submit(self, run: str, command: c.Command) -> c.Reply:
        """What the run's one writer answers to ``command``."""
        return (await self.runs.submit(run, command)).reply

    def _too_large(self, value: JsonValue, what: str) -> c.NotAllowed | None:
        try:
            self.limits.refuse(value, what)
        except StepError as error:
            return c.NotAllowed(str(error))
        return None

    async def _plan(self, ref: str) -> Plan:
        """The plan of a workflow by its name, or of a definition by its hash. Raises ``UnknownWorkflow``."""
        known = self.definitions.workflow(ref)
        if known is None and await self.store.definition(ref) is not None:
            return await self.plans.of(ref)
        workflow = known or self.definitions.get(ref)
        return await self.plans.pin(workflow, self.definitions.children(workflow))
