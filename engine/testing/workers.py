"""The workers of a rehearsal: each attempt calls its stub, or the code itself where that was asked for.

The one rule: the call is made the moment the attempt begins, and its report comes when its virtual time is over.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Collection, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Any

from pydantic import JsonValue

from engine.core import commands as c
from engine.core import events as e
from engine.core.durations import say_duration
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass, NotYet, classify
from engine.core.graph import PlannedStep
from engine.core.keys import DEFAULT, Chosen, mask
from engine.core.prices import Price
from engine.core.scope import resolve
from engine.core.spending import Cost, Spend
from engine.steps.context import Recorded, StepContext, effect_key
from engine.steps.registry import Registry, StepFunction, UnknownStep
from engine.testing.script import RehearsalError
from engine.testing.stubs import Called, Outcome, Stubs, missing
from engine.testing.world import Case, World


class Workers:
    """``calls`` are those that were made, in order. ``real``: the steps whose own code runs if they have no stub."""

    def __init__(self, stubs: Stubs, registry: Registry, real: Collection[str]) -> None:
        self._stubs = stubs
        self._registry = registry
        self._real = frozenset(real)
        self.calls: list[Called] = []

    def begin(self, world: World, case: Case, event: e.StepStarted, token: int) -> None:
        """Make the call of this attempt, and put its report off for as long as it takes."""
        node = case.plan.node(event.step)
        try:
            arguments = case.arguments(event.step)
        except ExpressionError as error:
            outcome = Outcome()
            report = Failure(cls=FailureClass.INVALID_INPUT, message=str(error), known=True)
            self._put_off(world, case, event, token, outcome, report)
            return
        called = Called(
            run=case.run,
            workflow=case.name,
            step=event.step,
            uses=node.step.uses or "",
            args=arguments,
            attempt=event.attempt,
            generation=case.state.step(event.step).generation,
            at=world.now - world.began,
        )
        self.calls.append(called)
        outcome = self._call(world, case, called, node, token)
        if outcome.lost:
            return
        timeout = node.step.timeout
        if outcome.after > timeout:
            late = Failure(cls=FailureClass.TIMEOUT, message=f"no result within {say_duration(timeout)}")
            self._put_off(world, case, event, token, Outcome(timeout), late)
            return
        if isinstance(outcome.error, NotYet):
            later = outcome.error
            world.submit(case, c.Postpone(event.step, token, event.worker, later.wait, later.words))
            return
        failure = None if outcome.error is None else self._classified(called, outcome.error)
        self._put_off(world, case, event, token, outcome, failure)

    def cancel(self, world: World, case: Case) -> None:
        """The run is being cancelled: what is at work stops at once."""
        for token, path in tuple(case.in_hand.items()):
            failure = Failure(cls=FailureClass.CANCELLED, message="the run was cancelled", known=True)
            world.later(0, partial(_report, world, case, path, token, failure))

    def _call(self, world: World, case: Case, called: Called, node: PlannedStep, token: int) -> Outcome:
        name = self._stubs.find(called, node)
        if name is not None:
            outcome = self._stubs.answer(name, called)
            if inspect.iscoroutine(outcome.output):
                raise RehearsalError(f"the stub {name!r} is async; a stub is a plain function")
            return outcome
        function = self._function(called)
        if function is None or called.uses.partition("@")[0] not in self._real:
            raise missing(called, node)
        return _executed(world, case, called, function, token)

    def _function(self, called: Called) -> StepFunction | None:
        try:
            return self._registry.get(called.uses)
        except UnknownStep:
            return None

    def _classified(self, called: Called, error: Exception) -> Failure:
        function = self._function(called)
        return classify(error) if function is None else function.classify(error)

    def _put_off(
        self, world: World, case: Case, event: e.StepStarted, token: int, outcome: Outcome, failure: Failure | None
    ) -> None:
        case.in_hand[token] = event.step
        answer = outcome.output if failure is None else failure
        world.later(outcome.after, partial(_report, world, case, event.step, token, answer))


def _report(world: World, case: Case, path: str, token: int, answer: JsonValue | Failure) -> None:
    if case.in_hand.pop(token, None) is None:
        return
    worker = case.state.step(path).worker
    if isinstance(answer, Failure):
        world.submit(case, c.Fail(path, token, worker, answer))
    else:
        world.submit(case, c.Succeed(path, token, worker, answer))


def _executed(world: World, case: Case, called: Called, function: StepFunction, token: int) -> Outcome:
    """What the step's own code gives; it takes no virtual time."""

    async def execute() -> JsonValue:
        recorder = _Recorder(world, case, called, token)
        ctx = StepContext(called.run, called.step, called.attempt, recorder, generation=called.generation)
        return await function.invoke(ctx, called.args)

    try:
        return Outcome(output=_in_loop(execute))
    except Exception as error:  # noqa: BLE001 - whatever the step raises is its failure
        return Outcome(error=error)


def _in_loop(work: Callable[[], Coroutine[Any, Any, JsonValue]]) -> JsonValue:
    """Run it in an event loop of its own: the test may have one already, which must not run within itself."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()


class _Recorder:
    """The log as one attempt sees it (``engine.steps.context.EffectRecorder``); the world stands still meanwhile."""

    def __init__(self, world: World, case: Case, called: Called, token: int) -> None:
        self._world = world
        self._case = case
        self._called = called
        self._token = token

    async def recorded(self, name: str) -> Recorded | None:
        known = self._case.state.step(self._called.step).effects.get(name)
        return Recorded(resolve(known.result, self._case.values)) if known is not None and known.recorded else None

    async def begin(self, name: str, spend: Spend | None, under: tuple[str, ...] = ()) -> Recorded | None:
        called = self._called
        key = effect_key(called.run, called.step, name, called.generation)
        reply = self._submit(c.BeginEffect(called.step, self._token, name, key, spend, under))
        return Recorded(reply.result) if isinstance(reply, c.EffectKnown) else None

    async def record(self, name: str, result: JsonValue, cost: Cost | None) -> JsonValue:
        self._submit(c.RecordEffect(self._called.step, self._token, name, result, cost))
        return result

    async def unsent(self, name: str) -> None:
        self._submit(c.CancelEffect(self._called.step, self._token, name))

    async def own_prices(self) -> Mapping[str, Price]:
        return {}

    async def chosen_key(self, provider: str, name: str | None) -> Chosen | None:
        return Chosen(name or DEFAULT)

    async def log(self, text: str) -> None:
        self._submit(c.LogLine(self._called.step, self._token, text))

    async def status(self, text: str) -> None:
        self._submit(c.ReportStatus(self._called.step, self._token, text))

    async def progress(self, cursor: JsonValue) -> None:
        self._submit(c.NoteProgress(self._called.step, self._token, cursor))

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        return nullcontext(mask(f"{provider}/{name or DEFAULT}"))  # a rehearsal has no keys

    def _submit(self, command: c.Command) -> c.Reply:
        return self._world.submit(self._case, command)
