"""One attempt of one step, from its arguments to the command that reports how it went.

The one rule: an attempt always ends in exactly one report, unless the log no longer counts it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.commands import Claim, Command
from engine.core.durations import say_duration
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass, StepError, classify
from engine.core.state import RunState, StepState
from engine.handle import Answer, Handle
from engine.steps.context import Recorded, StepContext, effect_key
from engine.steps.registry import Registry
from engine.store import StoreUnavailable

log = logging.getLogger(__name__)

REPORT_AGAIN = (0.1, 0.3, 1.0, 2.0)
"""Seconds between the tries of a report while the store cannot be reached; the last goes on."""


class AttemptKey(NamedTuple):
    run: str
    step: str
    token: int


class Stop(Enum):
    """Why an attempt was stopped from outside."""

    CANCELLED = "the run was cancelled"
    SHUTDOWN = "the worker is stopping"


class AttemptLost(BaseException):
    """Raised inside a step that records something although the log no longer counts its attempt.

    No ``Exception``, as ``CancelledError`` is none: a step that catches all its own errors must not go on.
    """


class Attempt:
    """An attempt in hand. ``claim`` gives the worker's claim for what follows, at the time of the report."""

    def __init__(
        self, state: RunState, step_id: str, handle: Handle, registry: Registry, claim: Callable[[], Claim | None]
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
        """Cancel the step's code; its report then says so, or hands the attempt back."""
        if self._stop is None:
            self._stop = why
            if self._work is not None:
                self._work.cancel()

    async def run(self) -> Answer | None:
        """Execute and report. None if the attempt no longer counted when it would have reported."""
        self._work = asyncio.create_task(self._execute(_context(self.key, self._step, self._handle)))
        if self._stop is not None:
            self._work.cancel()
        try:
            command = await self._work
        except asyncio.CancelledError:
            if self._stop is None:
                raise
            command = self._stopped(self._stop)
        return None if command is None else await self._report(command)

    async def _execute(self, ctx: StepContext) -> Command | None:
        planned = self._state.plan.steps[self.key.step]
        timeout = planned.step.timeout
        clock = asyncio.timeout(timeout / 1_000)
        try:
            arguments = planned.arguments.render(self._state.scope())
            function = self._registry.get(planned.step.uses or "")
            async with clock:
                output = await function.invoke(ctx, arguments)
        except AttemptLost:
            return None
        except ExpressionError as error:
            return self._failed(Failure(cls=FailureClass.INVALID_INPUT, message=str(error)))
        except Exception as error:  # noqa: BLE001 - whatever a step raises is its failure, and is classified
            ctx.cancelled.set()
            if clock.expired():
                late = f"no result within {say_duration(timeout)}"
                return self._failed(Failure(cls=FailureClass.TIMEOUT, message=late))
            return self._failed(_failure_of(error, self.key))
        return self._succeeded(output)

    def _stopped(self, why: Stop) -> Command:
        if why is Stop.SHUTDOWN:
            return c.HandBack(self.key.step, self.key.token, self._step.worker)
        return self._failed(Failure(cls=FailureClass.CANCELLED, message=why.value))

    def _succeeded(self, output: JsonValue) -> c.Succeed:
        return c.Succeed(self.key.step, self.key.token, self._step.worker, output, self._claim())

    def _failed(self, failure: Failure) -> c.Fail:
        return c.Fail(self.key.step, self.key.token, self._step.worker, failure, self._claim())

    async def _report(self, command: Command) -> Answer:
        """Submit until the store takes it: a finished step is not done again because the database was away."""
        tries = 0
        while True:
            try:
                return await self._handle.submit(self.key.run, command)
            except StoreUnavailable as error:
                pause = REPORT_AGAIN[min(tries, len(REPORT_AGAIN) - 1)]
                log.warning("%s of %s waits to be recorded: %s", self.key.step, self.key.run, error)
                tries += 1
                await asyncio.sleep(pause)


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
        answer = await self._handle.submit(self._key.run, command)
        if isinstance(answer.reply, c.Stale | c.Ended):
            raise AttemptLost
        return answer.reply


def _context(key: AttemptKey, step: StepState, handle: Handle) -> StepContext:
    recorder = _LogRecorder(handle, key, lambda name: effect_key(key.run, key.step, name, 1))
    return StepContext(key.run, key.step, step.attempt, recorder)


def _failure_of(error: Exception, key: AttemptKey) -> Failure:
    """Classified; what is no failure that a step speaks of is logged with its traceback, for the author."""
    failure = classify(error)
    if failure.cls is FailureClass.PERMANENT and not isinstance(error, StepError):
        log.error("%s of %s raised", key.step, key.run, exc_info=error)
    return failure
