"""Brings payloads to the app, over whichever transport is on, and keeps Slack's promises about repeating them.

Commands and interactions are delivered once and must be acknowledged in time; events are delivered until they are
acknowledged, at most four times in all. Facts: docs.slack.dev/apis/events-api.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from bot.simulator.errors import DeliveryFailed
from bot.simulator.model import Json

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
    """One payload on its way: how often it was sent, and in the end whether it was acknowledged."""

    kind: Kind
    payload: Json
    attempts: int = 0
    acknowledged: bool = False
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
        try:
            return await self._send_as_often_as_asked(parcel, delivery)
        finally:
            self._finish(delivery)

    def tell(self, parcel: Parcel) -> None:
        """Deliver an event in the background, again after each failure."""
        task = asyncio.create_task(self._keep_telling(parcel))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
        try:
            answer = await self.transport.send(parcel, retry)
        except DeliveryFailed as failure:
            delivery.failures.append(failure.reason)
            raise
        delivery.acknowledged = True
        delivery.answer = answer if parcel.answerable else None
        return delivery.answer

    def _start(self, parcel: Parcel) -> Delivery:
        delivery = Delivery(parcel.kind, parcel.payload)
        self.deliveries.append(delivery)
        return delivery

    def _finish(self, delivery: Delivery) -> None:
        delivery.finished = True
        self._touched()
