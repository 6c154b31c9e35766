"""Socket Mode connections: two at a time, so that neither a loss nor a refresh leaves a gap.

The one rule: where Slack asks to leave a connection, the next one has said hello before the old one is closed; and what
was received on one that is gone is acknowledged on another. A connection that does not say hello, or does not answer
pings, is given up and made anew.

The second connection is replaced at half of its first life, so that the two do not come to their ends together. Slack
allows ten connections for an app (docs.slack.dev/apis/events-api/using-socket-mode).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.bounds import USUAL
from bot.people.directory import reason_of
from bot.pulse import Pulse
from bot.receiving.attending import Attending

log = logging.getLogger(__name__)

LINKS: Final = 2

TROUBLE: Final = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)
"""What opening a connection may end in."""

_WsTimeout: Any = aiohttp.ClientWSTimeout  # whose arguments are not typed
_CLOSING: Final = _WsTimeout(ws_close=2.0)

_SOUND_AFTER_S: Final = 30.0
"""A connection that has lasted so long is not held against the next one."""

_WORDS: Final = {
    "link_disabled": "Socket Mode is switched off for the app; switch it on at api.slack.com/apps",
    "too_many_websockets": "the app has ten connections already; run fewer processes, or serve over HTTP",
}

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What Slack delivers; ``retry`` counts the deliveries of an event that failed, ``why`` they did."""

    id: str
    payload: Payload
    retry: int = 0
    why: str = ""


Deliver = Callable[[Envelope], Awaitable[Payload | None]]
"""What is answered to an envelope; None: it is not acknowledged, so that Slack tells the person or tries again."""


class Refused(ConnectionError):
    """Slack took the connection and sent it away."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds: until the hello, between pings, for Slack to close what it asked to leave; and after each
    failure in a row.
    """

    hello: float = USUAL.hello
    ping: float = USUAL.ping
    drain: float = 15.0
    pauses: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(eq=False, slots=True)
class Link:
    """One connection. ``begun`` is set once it has said hello, or will not. Who wants it left: Slack (``asked``), or we
    as it was ``planned``; otherwise it was lost.
    """

    socket: aiohttp.ClientWebSocketResponse
    since: float = field(default_factory=time.monotonic)
    life: float | None = None
    said_hello: bool = False
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    attending: Attending = field(default_factory=Attending)
    asked: bool = False
    planned: bool = False
    why: str = ""

    @property
    def was_sound(self) -> bool:
        """Whether its end is no sign of trouble."""
        return self.asked or self.planned or time.monotonic() - self.since > _SOUND_AFTER_S

    def greet(self, life: float | None) -> None:
        self.life, self.said_hello = life, True
        self.begun.set()

    def leave(self, why: str, *, asked: bool = False) -> None:
        self.asked = self.asked or asked
        self.why = self.why or why
        self.leaving.set()
        self.begun.set()


class Links:
    """Holds the connections while ``run`` runs. ``ticket`` gives the address of a new one, good for one use.

    An acknowledgement that could not be sent for ``within_s`` seconds is given up: Slack waits no longer.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        ticket: Callable[[], Awaitable[str]],
        deliver: Deliver,
        attending: Attending,
        patience: Patience | None = None,
        *,
        within_s: float = USUAL.acknowledged,
    ) -> None:
        self._session = session
        self._ticket = ticket
        self._deliver = deliver
        self._attending = attending
        self._patience = patience or Patience()
        self._within_s = within_s
        self._open: list[Link] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._up = asyncio.Event()
        self._arrivals = Pulse()
        self._trouble = ""

    async def connected(self) -> None:
        """Return once there has been a connection."""
        await self._up.wait()

    async def run(self) -> None:
        """Hold the connections until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(LINKS):
                    group.create_task(self._hold(number))
        finally:
            for link in list(self._open):
                await link.socket.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    # Holding

    async def _hold(self, number: int) -> None:
        """Keep one connection; when it is to be left, there is another one before it is closed."""
        failures = 0
        old: Link | None = None
        while True:
            try:
                link = await self._connect()
            except TROUBLE as error:
                self._note(_in_words(error))
                await asyncio.sleep(max(self._pause(failures), retry_after(error)))
                failures += 1
                continue
            self._note("")
            self._up.set()
            if old is not None:
                self._start(self._drain(old))
            await self._until_left(link, link.life / 2 if old is None and number % 2 and link.life else None)
            old = link
            failures = 0 if link.was_sound else failures + 1
            if failures:
                self._note(link.why)
                await asyncio.sleep(self._pause(failures - 1))

    def _pause(self, failures: int) -> float:
        pauses = self._patience.pauses
        return pauses[min(failures, len(pauses) - 1)]

    async def _connect(self) -> Link:
        """A connection that has said hello. Raises one of ``TROUBLE``."""
        async with asyncio.timeout(self._patience.hello):
            url = await self._ticket()
            socket = await self._session.ws_connect(url, heartbeat=self._patience.ping, timeout=_CLOSING)
            link = Link(socket)
            self._open.append(link)
            self._start(self._read(link))
            try:
                await link.begun.wait()
                if not link.said_hello:
                    raise Refused(link.why)
                self._arrivals.beat()
            except BaseException:
                await link.socket.close()
                raise
        return link

    async def _until_left(self, link: Link, at_most: float | None) -> None:
        try:
            async with asyncio.timeout(at_most):
                await link.leaving.wait()
        except TimeoutError:
            link.planned = True
            link.leave("it has had its time")

    async def _drain(self, link: Link) -> None:
        """Close a connection that has been replaced, after what still comes by it and is attended to."""
        if link.asked:  # until Slack closes it
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience.drain):
                    await link.ended.wait()
        await link.attending.finished(self._patience.drain)
        await link.socket.close()

    # Receiving

    async def _read(self, link: Link) -> None:
        try:
            async for message in link.socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(link, message.data)
        finally:
            self._open.remove(link)
            link.leave("the connection was lost")
            link.ended.set()

    def _take(self, link: Link, text: str) -> None:
        frame: Payload = json.loads(text)
        match frame:
            case {"type": "hello"}:
                debug: Payload = frame.get("debug_info") or {}
                life = debug.get("approximate_connection_time")
                link.greet(float(life) if life else None)
            case {"type": "disconnect"}:
                reason = str(frame.get("reason"))
                link.leave(_WORDS.get(reason, reason), asked=reason in ("warning", "refresh_requested"))
            case {"envelope_id": id_, "payload": payload}:
                retry, why = frame.get("retry_attempt") or 0, frame.get("retry_reason") or ""
                self._start(self._attend(link, Envelope(id_, payload, retry, why)))
            case _:
                log.debug("A frame of Slack's is not known here.")

    async def _attend(self, link: Link, envelope: Envelope) -> None:
        with self._attending.one(), link.attending.one():
            payload = await self._deliver(envelope)
            if payload is not None:
                answer = {"envelope_id": envelope.id, **({"payload": payload} if payload else {})}
                await self._acknowledge(link, answer)

    async def _acknowledge(self, link: Link, answer: Payload) -> None:
        """On the connection that it came by; if that is gone, on another, as soon as there is one."""
        try:
            async with asyncio.timeout(self._within_s):
                while True:
                    version = self._arrivals.version
                    for each in (link, *(other for other in self._open if other is not link)):
                        if await _sent(each, answer):
                            return
                    await self._arrivals.past(version)
        except TimeoutError:
            log.warning("An acknowledgement did not reach Slack: there was no connection in time.")

    # Helpers

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("A delivery could not be attended to.", exc_info=error)

    def _note(self, trouble: str) -> None:
        """Say once that a connection cannot be held, and once that it can be again."""
        if trouble and not self._trouble:
            log.warning("A connection to Slack was not to be had (%s); it is tried again.", trouble)
        elif self._trouble and not trouble:
            log.info("The connections to Slack are there again.")
        self._trouble = trouble


async def _sent(link: Link, answer: Payload) -> bool:
    if link.socket.closed:
        return False
    try:
        await link.socket.send_json(answer)
    except (aiohttp.ClientError, ConnectionError):
        return False
    return True


def _in_words(error: Exception) -> str:
    return "no hello in time" if isinstance(error, TimeoutError) else reason_of(error)


def retry_after(error: Exception) -> float:
    """How long Slack has asked to wait."""
    response: Any = cast("Any", error).response if isinstance(error, SlackApiError) else None
    return 0.0 if response is None else float(response.headers.get("Retry-After", 0))
