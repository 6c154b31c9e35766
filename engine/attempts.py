"""One attempt of one step, from its arguments to the command that reports how it went.

The one rule: an attempt always ends in exactly one report, unless the log no longer counts it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple, TypeVar

from pydantic import JsonValue

from engine.core import commands as c
from engine.core.commands import Claim, Command
from engine.core.durations import say_duration
from engine.core.errors import EngineError, UnknownEvent
from engine.core.expressions import ExpressionError
from engine.core.failures import Failure, FailureClass, NotYet, StepError, classify
from engine.core.given import arguments, places
from engine.core.keys import SECRETS, Chosen, Use
from engine.core.prices import Price
from engine.core.spending import Cost, Spend
from engine.core.state import RunState
from engine.core.values import size_of
from engine.handle import Answer, Handle
from engine.redaction import Redactor
from engine.steps.context import Recorded, StepContext, effect_key
from engine.steps.registry import Registry
from engine.store import Log, StoreError, StoreUnavailable
from engine.tariffs import Tariffs
from engine.vault import chosen_key, open_key

log = logging.getLogger(__name__)

T = TypeVar("T")

KILL_GRACE = 0.3
"""Seconds that code stopped by a switch has to end in; then as many again until it is left to itself."""

RECORD_AGAIN = (0.1, 0.3, 1.0, 2.0)
"""Seconds between the tries to record something while the store cannot be reached; the last goes on."""

LAST_WORDS = 30.0
"""Seconds for which a secret is taken out of logs after its attempt: what the code has left behind may still speak."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``grace``: seconds that stopped code has to end in, before it is left to itself.

    ``largest``: characters of JSON that a result, an effect's result or a cursor may have; a file or a table is the
    place for more.
    """

    grace: float = 10.0
    largest: int = 16 * 1024 * 1024

    def refuse(self, value: JsonValue, what: str) -> None:
        """``StepError`` INVALID_OUTPUT, with the size, for a value that is too large."""
        if (size := size_of(value)) > self.largest:
            words = f"{what} has {_mib(size)}, and {_mib(self.largest)} are the most that a run's history takes"
            raise StepError(f"{words}; put it into a file or a store, and give its place", FailureClass.INVALID_OUTPUT)


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB".replace(".0 ", " ")


class AttemptKey(NamedTuple):
    run: str
    step: str
    token: int


class Stop(Enum):
    """Why an attempt was stopped from outside."""

    CANCELLED = "the run was cancelled"
    SHUTDOWN = "the worker is stopping"
    LOST = "the log no longer counts it"
    LATE = "its timeout is over"
    KILLED = "a switch was thrown"


class AttemptLost(BaseException):
    """Raised inside a step that records something although the log no longer counts its attempt.

    No ``Exception``, as ``CancelledError`` is none: a step that catches all its own errors must not go on.
    ``outdated``: it may count, but this release cannot read the log any more.
    """

    def __init__(self, outdated: UnknownEvent | None = None) -> None:
        super().__init__()
        self.outdated = outdated


class Attempt:
    """An attempt in hand. ``claim`` gives the worker's claim for what follows, at the time of the report."""

    def __init__(
        self,
        state: RunState,
        step_id: str,
        handle: Handle,
        registry: Registry,
        store: Log,
        claim: Callable[[], Claim | None],
        limits: Limits | None = None,
        tariffs: Tariffs | None = None,
    ) -> None:
        step = state.steps[step_id]
        self.key = AttemptKey(state.run, step_id, step.token)
        self._state = state
        self._step = step
        self._planned = state.plan.node(step_id)
        self._handle = handle
        self._registry = registry
        self._claim = claim
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._redactor = Redactor()
        self._recorder = _LogRecorder(
            state, step_id, handle, store, self._limits, self._redactor, tariffs or Tariffs(store)
        )
        self._ctx = StepContext(
            state.run,
            step_id,
            step.attempt,
            self._recorder,
            workspace=state.started.workspace,
            generation=step.generation,
            keyed_as=step.keyed_as or step_id,
        )
        self._stop: Stop | None = None
        self._outcome: asyncio.Future[Command | None] = self._loop.create_future()
        self._work: asyncio.Task[Command | None] | None = None
        self._telling: asyncio.Task[None] | None = None

    def stop(self, why: Stop) -> None:
        """Cancel the step's code; its report then says so, or hands the attempt back. A lost one reports nothing.

        Code that goes on in spite of it is given up after the grace period, but not if the worker is stopping: then it
        ends with its process, and until that is sure nobody else may begin. A switch leaves it next to no time, and
        then cancels it again.
        """
        if self._stop is not None or self._outcome.done():
            return
        self._stop = why
        self._ctx.cancelled.set()
        if self._work is not None:
            self._work.cancel()
        if why is Stop.KILLED:
            self._loop.call_later(KILL_GRACE, self._cut_short)
        elif why is not Stop.SHUTDOWN:
            self._loop.call_later(self._limits.grace, self._give_up)

    async def run(self) -> Answer | None:
        """Execute and report. None if the attempt no longer counted when it would have reported.

        Raises ``UnknownEvent`` if a newer release has written to the run, so that nothing can be reported from here.
        """
        self._work = asyncio.create_task(self._execute())
        self._work.add_done_callback(self._ended)
        if self._stop is not None:
            self._work.cancel()
        timeout = self._loop.call_later(self._planned.step.timeout / 1_000, self.stop, Stop.LATE)
        try:
            command = await self._outcome
        except asyncio.CancelledError:
            self._work.cancel()
            raise
        finally:
            timeout.cancel()
        if self._stop is not None and not isinstance(command, c.Succeed):
            # Also if it failed: code that is cancelled may fail in its own way while it cleans up.
            command = self._stopped(self._stop)
        return None if command is None else await self._report(command)

    def _ended(self, work: asyncio.Task[Command | None]) -> None:
        """The step's code has ended; what it gave after it was given up is refused by the log, and told there."""
        if not self._redactor.is_empty:
            self._loop.call_later(LAST_WORDS, self._redactor.forget)
        command = None
        if not work.cancelled():
            if (error := work.exception()) is not None and not self._outcome.done():
                self._outcome.set_exception(error)
                return
            command = None if error is not None else work.result()
        elif self._stop is None:
            command = self._failed(Failure(cls=FailureClass.PERMANENT, message="the step cancelled itself"))
        if not self._outcome.done():
            self._outcome.set_result(command)
        elif isinstance(command, c.Succeed) and not self._outcome.cancelled():
            self._telling = asyncio.create_task(self._tell_too_late(command))

    def _cut_short(self) -> None:
        if self._work is not None and not self._outcome.done():
            self._work.cancel()
            self._loop.call_later(KILL_GRACE, self._give_up)

    def _give_up(self) -> None:
        if not self._outcome.done():
            log.warning("%s of %s goes on although it was stopped; it is left to itself", self.key.step, self.key.run)
            self._outcome.set_result(None)

    async def _tell_too_late(self, command: c.Succeed) -> None:
        try:
            await self._handle.submit(self.key.run, command)
        except EngineError as error:
            log.warning("%s of %s ended after it was given up: %s", self.key.step, self.key.run, error)

    async def _execute(self) -> Command | None:
        function = None
        try:
            function = self._registry.get(self._planned.step.uses or "")
            self._recorder.opens_keys = function.opens_keys
            given = await self._arguments()
            if self._step.cursor is not None:
                self._ctx.cursor = await self._handle.recall.value(self.key.run, self._step.cursor)
            output = self._redactor.value(await function.invoke(self._ctx, given))
            self._limits.refuse(output, "its result")
        except AttemptLost as lost:
            if lost.outdated is not None:
                raise lost.outdated from None
            return None
        except NotYet as later:
            return c.Postpone(
                self.key.step, self.key.token, self._step.worker, later.wait, self._redactor.text(later.words)
            )
        except ExpressionError as error:
            return self._failed(Failure(cls=FailureClass.INVALID_INPUT, message=str(error), known=True))
        except Exception as error:  # noqa: BLE001 - whatever a step raises is its failure, and is classified
            self._ctx.cancelled.set()
            return self._failed(_failure_of(error, self.key, classify if function is None else function.classify))
        return self._succeeded(output)

    async def _arguments(self) -> dict[str, JsonValue]:
        values = await self._handle.recall.values(self.key.run, places(self._state, self.key.step))
        references = self._planned.arguments.references
        secrets = {name: await self._recorder.secret(name) for root, name in sorted(references) if root == SECRETS}
        return arguments(self._state, self.key.step, values, secrets)

    def _stopped(self, why: Stop) -> Command | None:
        if why is Stop.LOST:
            return None
        if why in (Stop.SHUTDOWN, Stop.KILLED):
            return c.HandBack(self.key.step, self.key.token, self._step.worker, held=why is Stop.KILLED)
        if why is Stop.LATE:
            late = f"no result within {say_duration(self._planned.step.timeout)}"
            return self._failed(Failure(cls=FailureClass.TIMEOUT, message=late))
        return self._failed(Failure(cls=FailureClass.CANCELLED, message=why.value, known=True))

    def _succeeded(self, output: JsonValue) -> c.Succeed:
        return c.Succeed(self.key.step, self.key.token, self._step.worker, output, attempt=self._step.attempt)

    def _failed(self, failure: Failure) -> c.Fail:
        failure = failure.model_copy(update={"message": self._redactor.text(failure.message)})
        return c.Fail(self.key.step, self.key.token, self._step.worker, failure, attempt=self._step.attempt)

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

    def __init__(
        self,
        state: RunState,
        step_id: str,
        handle: Handle,
        store: Log,
        limits: Limits,
        redactor: Redactor,
        tariffs: Tariffs,
    ) -> None:
        self._step = state.steps[step_id]
        self._key = AttemptKey(state.run, step_id, self._step.token)
        self._workspace = state.started.workspace
        self._handle = handle
        self._store = store
        self._limits = limits
        self._redactor = redactor
        self._tariffs = tariffs
        self.opens_keys = False
        """Whether the step may have keys of providers."""

    async def recorded(self, name: str) -> Recorded | None:
        """As the log had it when this attempt was started: only the attempt itself can have added to that."""
        known = self._step.effects.get(name)
        if known is None or not known.recorded:
            return None
        value = await _persistently(lambda: self._handle.recall.value(self._key.run, known.result), self._key)
        return Recorded(value)

    async def begin(self, name: str, spend: Spend | None, under: tuple[str, ...] = ()) -> Recorded | None:
        key = effect_key(self._key.run, self._step.keyed_as or self._key.step, name, self._step.generation)
        reply = await self._submit(c.BeginEffect(self._key.step, self._key.token, name, key, spend, under))
        return Recorded(reply.result) if isinstance(reply, c.EffectKnown) else None

    async def record(self, name: str, result: JsonValue, cost: Cost | None) -> JsonValue:
        clean = self._redactor.value(result)
        self._limits.refuse(clean, f"the result of the effect {name}")
        await self._submit(c.RecordEffect(self._key.step, self._key.token, name, clean, cost))
        return clean

    async def unsent(self, name: str) -> None:
        await self._submit(c.CancelEffect(self._key.step, self._key.token, name))

    async def log(self, text: str) -> None:
        await self._submit(c.LogLine(self._key.step, self._key.token, self._redactor.text(text)))

    async def status(self, text: str) -> None:
        await self._submit(c.ReportStatus(self._key.step, self._key.token, self._redactor.text(text)))

    async def progress(self, cursor: JsonValue) -> None:
        clean = self._redactor.value(cursor)
        self._limits.refuse(clean, "the cursor")
        await self._submit(c.NoteProgress(self._key.step, self._key.token, clean))

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        if not self.opens_keys or provider == SECRETS:
            raise StepError("this step was not made with opens_keys=True, and has no keys", FailureClass.PERMISSION)
        return self._open(provider, name)

    async def own_prices(self) -> Mapping[str, Price]:
        try:
            return await self._tariffs.own(self._workspace)
        except StoreUnavailable as error:
            words = f"what models cost here cannot be looked up: {error}"
            raise StepError(words, FailureClass.TRANSIENT) from None
        except UnknownEvent as error:
            raise AttemptLost(error) from None

    async def chosen_key(self, provider: str, name: str | None) -> Chosen | None:
        return await chosen_key(self._store, self._workspace, provider, name)

    async def secret(self, name: str) -> str:
        async with self._open(SECRETS, name) as value:
            return value

    def _open(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        return open_key(self._store, self._workspace, provider, name, used=self._note_use, redactor=self._redactor)

    async def _note_use(self, use: Use) -> None:
        await self._submit(c.UseKey(self._key.step, self._key.token, use))

    async def _submit(self, command: c.StepNote) -> c.Reply:
        try:
            answer = await _persistently(lambda: self._handle.submit(self._key.run, command), self._key)
        except UnknownEvent as error:
            # No failure of the step, which must not go on either: what it does could not be recorded here.
            raise AttemptLost(error) from None
        if isinstance(answer.reply, c.Stale | c.Ended | c.NowHeld):
            raise AttemptLost
        return answer.reply


async def _persistently(ask: Callable[[], Awaitable[T]], key: AttemptKey) -> T:
    """Ask until the store answers: what was done is not done again because the database was away."""
    tries = 0
    while True:
        try:
            return await ask()
        except StoreUnavailable as error:
            log.warning("%s of %s waits for the store: %s", key.step, key.run, error)
            await asyncio.sleep(RECORD_AGAIN[min(tries, len(RECORD_AGAIN) - 1)])
            tries += 1


def _failure_of(error: Exception, key: AttemptKey, classify: Callable[[Exception], Failure]) -> Failure:
    """Classified; what is no failure that a step speaks of is logged with its traceback, for the author."""
    failure = classify(error)
    if failure.cls is FailureClass.PERMANENT and not isinstance(error, StepError):
        log.error("%s of %s raised", key.step, key.run, exc_info=error)
    return failure
