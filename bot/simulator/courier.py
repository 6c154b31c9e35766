"""Brings payloads to the app, over whichever transport is on, and keeps Slack's promises about repeating them.

Commands and interactions are delivered once and must be acknowledged in time; events are delivered until they are
acknowledged, at most four times in all. Facts: docs.slack.dev/apis/events-api.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bot.simulator.chaos import Chaos
from bot.simulator.errors import DeliveryFailed
from bot.simulator.model import Json
from bot.simulator.tickets import monotonic_ms

Kind = Literal["slash_commands", "interactive", "events_api"]
EVENT_RETRY_MS = (0, 60_000, 300_000)
ACK_TIMEOUT_MS = 3_000
LATE = "late_acknowledgement"
"""The violation of an app that is connected and does not acknowledge in time."""

KEPT = 20_000
"""How many deliveries are remembered, so that a demo may run for days."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One payload. `answerable` says whether the acknowledgement may carry an answer."""

    kind: Kind
    payload: Json
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Retry:
    """The number of this repeated delivery, from 1, and why the one before it failed."""

    attempt: int
    reason: str


class Transport(Protocol):
    @property
    def connected(self) -> bool: ...

    async def send(self, parcel: Parcel, retry: Retry | None = None) -> Json | None:
        """Deliver once and return the acknowledgement's answer, if it had one. Raises DeliveryFailed."""
        ...


@dataclass(slots=True)
class Delivery:
    """One payload on its way: how often it was sent, and in the end whether and after how long it was acknowledged."""

    kind: Kind
    payload: Json
    attempts: int = 0
    acknowledged: bool = False
    took_ms: int = 0
    finished: bool = False
    answer: Json | None = None
    failures: list[str] = field(default_factory=list[str])


class Courier:
    """`redeliver` repeats a command or interaction once when it was not acknowledged, to model duplicates."""

    def __init__(
        self,
        transport: Transport,
        touched: Callable[[], None],
        *,
        redeliver: bool = False,
        event_retry_ms: tuple[int, ...] = EVENT_RETRY_MS,
    ) -> None:
        self.transport = transport
        self.chaos: Chaos | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._touched = touched
        self._redeliver = redeliver
        self._event_retry_ms = event_retry_ms
        self._duplicates: dict[Kind, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def duplicate_next(self, kind: Kind, times: int = 1) -> None:
        """Deliver the next payloads of this kind twice at once; the first acknowledgement counts."""
        self._duplicates[kind] = self._duplicates.get(kind, 0) + times

    async def ask(self, parcel: Parcel) -> Json | None:
        """Deliver a command or interaction; returns the app's answer. Raises DeliveryFailed."""
        delivery = self._start(parcel)
        await self._disturb(parcel, delivery)
        try:
            return await self._send_as_often_as_asked(parcel, delivery)
        finally:
            self._finish(delivery)

    def tell(self, parcel: Parcel) -> None:
        """Deliver an event in the background, again after each failure."""
        self._spawn(self._keep_telling(parcel))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _disturb(self, parcel: Parcel, delivery: Delivery) -> None:
        """Keep it back for a while, and let it come again, as chance will have it."""
        if self.chaos is None:
            return
        again_ms = self.chaos.again_after_ms()
        if again_ms is not None:
            self._spawn(self._repeat(parcel, delivery, again_ms))
        await asyncio.sleep(self.chaos.delay_ms() / 1000)

    async def _repeat(self, parcel: Parcel, delivery: Delivery, after_ms: int) -> None:
        """Send it once more; nobody waits for that answer."""
        await asyncio.sleep(after_ms / 1000)
        delivery.attempts += 1
        with contextlib.suppress(DeliveryFailed):
            await self.transport.send(parcel)

    async def close(self) -> None:
        """Give up what is still on its way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _send_as_often_as_asked(self, parcel: Parcel, delivery: Delivery) -> Json | None:
        if self._duplicates.get(parcel.kind, 0) > 0:
            self._duplicates[parcel.kind] -= 1
            both = await asyncio.gather(
                self._attempt(parcel, delivery), self._attempt(parcel, delivery), return_exceptions=True
            )
            for result in both:
                if not isinstance(result, BaseException):
                    return result
            raise DeliveryFailed("operation_timeout", "timeout")
        try:
            return await self._attempt(parcel, delivery)
        except DeliveryFailed:
            if not self._redeliver:
                raise
        return await self._attempt(parcel, delivery)

    async def _keep_telling(self, parcel: Parcel) -> None:
        delivery = self._start(parcel)
        await self._disturb(parcel, delivery)
        retry: Retry | None = None
        for attempt, pause_ms in enumerate((0, *self._event_retry_ms), start=1):
            await asyncio.sleep(pause_ms / 1000)
            try:
                await self._attempt(parcel, delivery, retry)
                break
            except DeliveryFailed as failure:
                if not failure.again:
                    break
                retry = Retry(attempt, failure.retry_reason)
        self._finish(delivery)

    async def _attempt(self, parcel: Parcel, delivery: Delivery, retry: Retry | None = None) -> Json | None:
        delivery.attempts += 1
        begun_ms = monotonic_ms()
        try:
            answer = await self.transport.send(parcel, retry)
        except DeliveryFailed as failure:
            delivery.failures.append(failure.reason)
            raise
        delivery.acknowledged, delivery.took_ms = True, monotonic_ms() - begun_ms
        delivery.answer = answer if parcel.answerable else None
        return delivery.answer

    def _start(self, parcel: Parcel) -> Delivery:
        delivery = Delivery(parcel.kind, parcel.payload)
        self.deliveries.append(delivery)
        return delivery

    def _finish(self, delivery: Delivery) -> None:
        delivery.finished = True
        self._touched()
