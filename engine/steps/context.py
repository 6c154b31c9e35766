"""What a step is told and may do while it runs: keys, recorded effects, lines in the timeline, cancellation.

The one rule: an outside effect goes through ``StepContext.effect``; once recorded, it is never made again.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import JsonValue

from engine.core.failures import FailureClass, StepError
from engine.core.keys import Chosen
from engine.core.money import Micros
from engine.core.prices import Price
from engine.core.spending import Cost, Spend
from engine.steps.jsonvalue import to_json_value

T = TypeVar("T")

LOG_LINE_LIMIT = 300
LOG_LINES_PER_ATTEMPT = 50
REPORTS_PER_ATTEMPT = 200

_EFFECT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}")
WHOLE_STEP = "-"
"""Stands for the step as a whole in its key. No effect can be named so."""


class Unsent(StepError):
    """Raised by an effect that certainly never left, such as for a name that no server has: it has cost nothing.

    An error of another kind says the same by an attribute ``sent`` that is False.
    """


@dataclass(frozen=True, slots=True)
class Paid:
    """What an effect gives that was begun with a ``Spend``: its result, and what it has cost in micro-dollars."""

    result: object
    cost: Micros
    usage: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])


@dataclass(frozen=True, slots=True)
class Recorded:
    """An effect that an earlier attempt (or the one that a crash cut short) has made and recorded."""

    result: JsonValue


class EffectRecorder(Protocol):
    """The log, as one attempt of one step sees it. Each call returns when its event is durable."""

    async def recorded(self, name: str) -> Recorded | None:
        """What earlier attempts have recorded of the effect."""
        ...

    async def begin(self, name: str, spend: Spend | None, under: tuple[str, ...] = ()) -> Recorded | None:
        """EFFECT_STARTED for ``name``; or, if that effect has been recorded before, its record and no event.

        What it may ``spend`` is then set aside. ``under`` are the switches that stop it.
        """
        ...

    async def record(self, name: str, result: JsonValue, cost: Cost | None) -> JsonValue:
        """EFFECT_RECORDED, with its ``cost``. What this returns stands for it: ``result`` without any secret."""
        ...

    async def unsent(self, name: str) -> None:
        """EFFECT_UNSENT: it never left, and nothing is set aside for it any more."""
        ...

    async def log(self, text: str) -> None:
        """A line of the step in the run's timeline."""
        ...

    async def status(self, text: str) -> None:
        """STEP_REPORTED: what the step is doing now."""
        ...

    async def progress(self, cursor: JsonValue) -> None:
        """STEP_PROGRESSED: from here on ``cursor`` is what the next attempt begins with."""
        ...

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        """KEY_USED, and then the key's value."""
        ...

    async def own_prices(self) -> Mapping[str, Price]:
        """What the run's workspace has set, by ``provider:model``."""
        ...

    async def chosen_key(self, provider: str, name: str | None) -> Chosen | None:
        """Which key that would be now; None if there is none."""
        ...


def effect_key(run: str, step: str, effect: str, generation: int) -> str:
    """The idempotency key of an effect. It does not know the attempt: all attempts share it."""
    return f"{run}/{step}/{effect}/{generation}"


class StepContext:
    """One attempt of one step of a run. Made in the event loop that runs the attempt.

    ``step`` is the step's path in the run, with item and iteration where there are any; ``attempt`` counts from 1.
    ``generation`` grows only after an attempt whose effects are known not to have happened. ``keyed_as`` is the path in
    its keys, if that is another one: a step that was renamed on its way keeps them.
    """

    def __init__(
        self,
        run: str,
        step: str,
        attempt: int,
        effects: EffectRecorder,
        *,
        workspace: str = "",
        generation: int = 1,
        keyed_as: str = "",
    ) -> None:
        self.workspace = workspace
        self.run = run
        self.step = step
        self.attempt = attempt
        self.generation = generation
        self.cursor: JsonValue = None
        """How far an earlier attempt came: the newest that it gave to ``progress``; None if there is none."""
        self.cancelled = asyncio.Event()
        """Set once nobody waits for this attempt any more: cancelled, timed out, or its lease lost."""
        self._keyed_as = keyed_as or step
        self._effects = effects
        self._loop = asyncio.get_running_loop()
        self._begun: set[str] = set()
        self._lines = 0
        self._reports = 0

    @property
    def idempotency_key(self) -> str:
        """The key for a step that is a single operation; the same on every attempt."""
        return effect_key(self.run, self._keyed_as, WHOLE_STEP, self.generation)

    def key_for(self, effect: str) -> str:
        """The key under which a system downstream recognises ``effect`` of this step when it is asked again."""
        return effect_key(self.run, self._keyed_as, effect, self.generation)

    async def recorded(self, name: str) -> Recorded | None:
        """What an earlier attempt has recorded of an effect; None: it has yet to be made.

        For what an effect needs before it is begun, such as a price or a turn, which need not be there any more once
        it is made.
        """
        return await self._effects.recorded(name)

    async def effect(
        self,
        name: str,
        fn: Callable[[str], Awaitable[object]],
        *,
        spend: Spend | None = None,
        under: tuple[str, ...] = (),
    ) -> JsonValue:
        """The result of ``fn(key)`` as JSON, made at most once after it was recorded: then ``fn`` is not called.

        ``fn`` is called again by a later attempt, with the same key, if it failed or if its outcome was never recorded.
        With ``spend``, the most that it can cost is set aside before, from all budgets that apply, and ``fn`` gives
        ``Paid``; unless it fails as ``Unsent``, an effect that fails counts as the most that it could have cost.
        ``under`` are the switches that stop it (``engine.core.switches``), beside those of the step and of the provider
        and model in ``spend``.
        ``StepError`` for a bad or repeated name, for a result that is not JSON, and once the attempt is cancelled.
        """
        self._claim(name)
        self.check_cancelled()
        recorded = await self._effects.begin(name, spend, under)
        if recorded is not None:
            return recorded.result
        try:
            made = await fn(self.key_for(name))
        except Exception as error:
            if isinstance(error, Unsent) or getattr(error, "sent", None) is False:
                await self._effects.unsent(name)
            raise
        made, cost = _paid(name, made) if spend is not None else (made, None)
        try:
            result = to_json_value(made)
        except ValueError as error:
            raise StepError(f"the result of the effect {name!r} {error}", FailureClass.INVALID_OUTPUT) from None
        return await self._effects.record(name, result, cost)

    def key(self, provider: str, name: str | None = None) -> AbstractAsyncContextManager[str]:
        """The value of the workspace's key of ``provider``, for one call: ``async with ctx.key("openai") as key:``.

        For steps that were made with ``opens_keys=True``. Do not keep the value: each call asks anew, so that a key
        that was replaced or revoked meanwhile is not used. ``StepError`` where there is no such key.
        """
        return self._effects.key(provider, name)

    async def own_prices(self) -> Mapping[str, Price]:
        """What the run's workspace says now that models cost, by ``provider:model`` or ``provider:*``."""
        return await self._effects.own_prices()

    async def chosen_key(self, provider: str, name: str | None = None) -> Chosen | None:
        """Which key ``key`` would open now; None if there is no such key.

        For an effect's ``under`` (``engine.core.keys.switch_of``), and for limits that go by keys. One that others
        replace by another one meanwhile is held where it is opened.
        """
        return await self._effects.chosen_key(provider, name)

    async def log(self, text: str) -> None:
        """Adds a line to the run's timeline: one line, at most 300 characters, at most 50 of them per attempt."""
        self._lines += 1
        if self._lines > LOG_LINES_PER_ATTEMPT:
            return
        line = _one_line(text)
        if self._lines == LOG_LINES_PER_ATTEMPT:
            line = f"further lines of this attempt are left out (at most {LOG_LINES_PER_ATTEMPT})"
        await self._effects.log(line)

    async def status(self, text: str) -> None:
        """Says on the run's card what the attempt is doing now, in the place of what it said before.

        One line, at most 300 characters. Each call is an event: say it every few seconds, not for every row; after 200
        of them nothing more is said.
        """
        self._reports += 1
        if self._reports <= REPORTS_PER_ATTEMPT:
            await self._effects.status(_one_line(text))

    async def progress(self, cursor: object) -> None:
        """Notes how far a long step has come, as JSON of the step's own; another attempt finds it in ``ctx.cursor``.

        Each call is an event: note what it would cost to do again, such as every hundredth row. ``StepError`` for a
        cursor that is not JSON, and once the attempt is cancelled.
        """
        self.check_cancelled()
        try:
            value = to_json_value(cursor)
        except ValueError as error:
            raise StepError(f"the cursor {error}", FailureClass.INVALID_OUTPUT) from None
        await self._effects.progress(value)
        self.cursor = value

    def check_cancelled(self) -> None:
        """Raises once the attempt is cancelled. For loops in plain functions, whose thread nobody can interrupt."""
        if self.cancelled.is_set():
            raise StepError("the attempt was cancelled", FailureClass.CANCELLED)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Lets a plain function use the calls above from its thread: ``ctx.wait(ctx.log("half done"))``.

        ``StepError`` in an async function, which must ``await`` instead: waiting would stop the loop for good.
        """
        if _in_event_loop():
            work.close()
            raise StepError("ctx.wait is for plain functions; an async step awaits the call itself")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _claim(self, name: str) -> None:
        if not _EFFECT_NAME.fullmatch(name):
            raise StepError(f"{name!r} cannot name an effect; use at most 100 letters, digits and _ . : -")
        if name in self._begun:
            raise StepError(f"the step has two effects named {name!r}; give each effect a name of its own")
        self._begun.add(name)


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LOG_LINE_LIMIT else line[: LOG_LINE_LIMIT - 1] + "…"


def _paid(name: str, made: object) -> tuple[object, Cost]:
    if not isinstance(made, Paid):
        words = f"the effect {name!r} may spend money, and does not say what it has cost; return Paid(result, cost)"
        raise StepError(words, FailureClass.INVALID_OUTPUT)
    return made.result, Cost(made.cost, made.usage)


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
