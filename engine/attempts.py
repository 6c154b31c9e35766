"""One attempt of one step, from its arguments to the command that reports how it went.

The one rule: an attempt always ends in exactly one report, unless the log no longer counts it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from enum import Enum
from typing import NamedTuple

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.commands import Claim, Command
from engine.core.durations import say_duration
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass, StepError, classify
from engine.core.graph import PlannedStep
from engine.core.scope import scope
from engine.core.state import RunState, StepState
from engine.core.values import size_of
from engine.handle import Answer, Handle
from engine.steps.context import Recorded, StepContext, effect_key
from engine.steps.registry import Registry
from engine.store import StoreError, StoreUnavailable

log = logging.getLogger(__name__)

RECORD_AGAIN = (0.1, 0.3, 1.0, 2.0)
"""Seconds between the tries to record something while the store cannot be reached; the last goes on."""

LARGEST_RESULT = 16 * 1024 * 1024
"""Characters of JSON that a step may give; a file or a table is the place for more."""


class AttemptKey(NamedTuple):
    run: str
    step: str
    token: int


class Stop(Enum):
    """Why an attempt was stopped from outside."""

    CANCELLED = "the run was cancelled"
    SHUTDOWN = "the worker is stopping"
    LOST = "the log no longer counts it"


class AttemptLost(BaseException):
    """Raised inside a step that records something although the log no longer counts its attempt.

    No ``Exception``, as ``CancelledError`` is none: a step that catches all its own errors must not go on.
    """


class Attempt:
    """An attempt in hand. ``claim`` gives the worker's claim for what follows, at the time of the report."""

    def __init__(
        self,
        state: RunState,
        step_id: str,
        handle: Handle,
        registry: Registry,
        claim: Callable[[], Claim | None],
    ) -> None:
        step = state.steps[step_id]
        self.key = AttemptKey(state.run, step_id, step.token)
        self._state = state
        self._step = step
        self._handle = handle
        self._registry = registry
        self._claim = claim
        self._stop: Stop | None = None
        self._work: asyncio.Task[Command | None] | None = None

    def stop(self, why: Stop) -> None:
        """Cancel the step's code; its report then says so, or hands the attempt back. A lost one reports nothing."""
        if self._stop is None:
            self._stop = why
            if self._work is not None:
                self._work.cancel()

    async def run(self) -> Answer | None:
        """Execute and report. None if the attempt no longer counted when it would have reported."""
        self._work = asyncio.create_task(self._execute(_context(self.key, self._step, self._handle)))
        if self._stop is not None:
            self._work.cancel()
        command = await self._outcome(self._work)
        if self._stop is not None and not isinstance(command, c.Succeed):
            # Also if it failed: code that is cancelled may fail in its own way while it cleans up.
            command = self._stopped(self._stop)
        return None if command is None else await self._report(command)

    async def _outcome(self, work: asyncio.Task[Command | None]) -> Command | None:
        """The report of the step's code; None if it was stopped, or if its attempt no longer counts."""
        try:
            return await work
        except asyncio.CancelledError:
            own = asyncio.current_task()
            if own is not None and own.cancelling():
                raise
            if self._stop is not None:
                return None
        return self._failed(Failure(cls=FailureClass.PERMANENT, message="the step cancelled itself"))

    async def _execute(self, ctx: StepContext) -> Command | None:
        planned = self._state.plan.node(self.key.step)
        timeout = planned.step.timeout
        clock = asyncio.timeout(timeout / 1_000)
        try:
            arguments = await self._arguments(planned)
            function = self._registry.get(planned.step.uses or "")
            async with clock:
                output = await function.invoke(ctx, arguments)
        except AttemptLost:
            return None
        except ExpressionError as error:
            return self._failed(Failure(cls=FailureClass.INVALID_INPUT, message=str(error), known=True))
        except Exception as error:  # noqa: BLE001 - whatever a step raises is its failure, and is classified
            ctx.cancelled.set()
            if clock.expired():
                late = f"no result within {say_duration(timeout)}"
                return self._failed(Failure(cls=FailureClass.TIMEOUT, message=late))
            return self._failed(_failure_of(error, self.key))
        if (size := size_of(output)) > LARGEST_RESULT:
            words = f"its result has {size / 2**20:.1f} MiB, and {LARGEST_RESULT // 2**20} MiB are the most"
            return self._failed(Failure(cls=FailureClass.INVALID_OUTPUT, message=words, known=True))
        return self._succeeded(output)

    async def _arguments(self, planned: PlannedStep) -> dict[str, JsonValue]:
        references = planned.arguments.references
        if not references:
            return planned.arguments.render({})
        values = await self._handle.recall.for_expressions(self._state, self.key.step, references)
        return planned.arguments.render(scope(self._state, self.key.step, values))

    def _stopped(self, why: Stop) -> Command | None:
        if why is Stop.LOST:
            return None
        if why is Stop.SHUTDOWN:
            return c.HandBack(self.key.step, self.key.token, self._step.worker)
        return self._failed(Failure(cls=FailureClass.CANCELLED, message=why.value, known=True))

    def _succeeded(self, output: JsonValue) -> c.Succeed:
        return c.Succeed(self.key.step, self.key.token, self._step.worker, output)

    def _failed(self, failure: Failure) -> c.Fail:
        return c.Fail(self.key.step, self.key.token, self._step.worker, failure)

    async def _report(self, command: Command) -> Answer:
        """Submit it; where it cannot be recorded as it is, that is the attempt's failure, or it would be made again."""
        try:
            return await self._submit(command)
        except (StoreError, ValueError) as error:
            if not isinstance(command, c.Succeed):
                raise
            log.error("The result of %s of %s cannot be recorded: %s", self.key.step, self.key.run, error)
            unfit = f"its result cannot be recorded: {classify(error).message}"
            return await self._submit(self._failed(Failure(cls=FailureClass.INVALID_OUTPUT, message=unfit, known=True)))

    async def _submit(self, command: Command) -> Answer:
        async def submit() -> Answer:
            # The claim for what follows is made anew for each try: its lease would have run out while we waited.
            current = replace(command, claim=self._claim()) if isinstance(command, c.Succeed | c.Fail) else command
            return await self._handle.submit(self.key.run, current)

        return await _persistently(submit, self.key)


class _LogRecorder:
    """The log as one attempt sees it (``engine.steps.context.EffectRecorder``)."""

    def __init__(self, handle: Handle, key: AttemptKey, key_of: Callable[[str], str]) -> None:
        self._handle = handle
        self._key = key
        self._key_of = key_of

    async def begin(self, name: str) -> Recorded | None:
        reply = await self._submit(c.BeginEffect(self._key.step, self._key.token, name, self._key_of(name)))
        return Recorded(reply.result) if isinstance(reply, c.EffectKnown) else None

    async def record(self, name: str, result: JsonValue) -> None:
        await self._submit(c.RecordEffect(self._key.step, self._key.token, name, result))

    async def log(self, text: str) -> None:
        await self._submit(c.LogLine(self._key.step, self._key.token, text))

    async def _submit(self, command: c.BeginEffect | c.RecordEffect | c.LogLine) -> c.Reply:
        answer = await _persistently(lambda: self._handle.submit(self._key.run, command), self._key)
        if isinstance(answer.reply, c.Stale | c.Ended):
            raise AttemptLost
        return answer.reply


async def _persistently(submit: Callable[[], Awaitable[Answer]], key: AttemptKey) -> Answer:
    """Submit until the store takes it: what was done is not done again because the database was away."""
    tries = 0
    while True:
        try:
            return await submit()
        except StoreUnavailable as error:
            log.warning("%s of %s waits to be recorded: %s", key.step, key.run, error)
            await asyncio.sleep(RECORD_AGAIN[min(tries, len(RECORD_AGAIN) - 1)])
            tries += 1


def _context(key: AttemptKey, step: StepState, handle: Handle) -> StepContext:
    recorder = _LogRecorder(handle, key, lambda name: effect_key(key.run, key.step, name, step.generation))
    return StepContext(key.run, key.step, step.attempt, recorder, generation=step.generation)


def _failure_of(error: Exception, key: AttemptKey) -> Failure:
    """Classified; what is no failure that a step speaks of is logged with its traceback, for the author."""
    failure = classify(error)
    if failure.cls is FailureClass.PERMANENT and not isinstance(error, StepError):
        log.error("%s of %s raised", key.step, key.run, exc_info=error)
    return failure
