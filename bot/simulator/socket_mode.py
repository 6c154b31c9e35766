"""Socket Mode, the server's side: connections, envelopes, acknowledgements, refresh.

An acknowledgement counts on whichever connection it comes back, because clients reconnect between receiving an
envelope and answering it. Facts: docs.slack.dev/apis/events-api/using-socket-mode.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from bot.simulator.changes import Changes
from bot.simulator.courier import ACK_TIMEOUT_MS, LATE, Parcel, Retry
from bot.simulator.errors import DeliveryFailed
from bot.simulator.model import Json
from bot.simulator.schema import is_object
from bot.simulator.tickets import Handed, SocketTickets, monotonic_ms, new_uuid
from bot.simulator.violations import Violations

MAX_CONNECTIONS = 10
LIFETIME_MS = 5 * 3600 * 1000
DEBUG_LIFETIME_MS = 360_000
WARNING_MS = 10_000
_LINGER_MS = 1_000
_HOST = "applink-simulator"


@dataclass(eq=False, slots=True)
class Link:
    """One connection. `retiring` ones get no new envelopes; `waiting` are the envelopes not yet acknowledged."""

    socket: web.WebSocketResponse
    transport: asyncio.BaseTransport | None
    lifetime_ms: int
    retiring: bool = False
    waiting: set[str] = field(default_factory=set[str])


@dataclass(eq=False, slots=True)
class _Pending:
    parcel: Parcel
    answer: "asyncio.Future[Json | None]"


class SocketMode:
    """Accepts connections with a one-time ticket and sends each envelope over any one of them, in turn."""

    def __init__(
        self,
        app_id: str,
        tickets: SocketTickets,
        changes: Changes,
        violations: Violations,
        handed: Handed,
        *,
        ack_timeout_ms: int = ACK_TIMEOUT_MS,
        lifetime_ms: int = LIFETIME_MS,
    ) -> None:
        self.muted = False
        """When true, pings get no pong: a half-open link."""
        self._app_id = app_id
        self._tickets = tickets
        self._changes = changes
        self._violations = violations
        self._handed = handed
        self._ack_timeout_ms = ack_timeout_ms
        self._lifetime_ms = lifetime_ms
        self._links: list[Link] = []
        self._pending: dict[str, _Pending] = {}
        self._turn = 0

    @property
    def connections(self) -> int:
        return len(self._links)

    @property
    def connected(self) -> bool:
        return any(not link.retiring for link in self._links)

    # ── the connection ───────────────────────────────────────────────────────────────────────────────────────────

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket upgrade at the URL that `apps.connections.open` gave."""
        if not self._tickets.redeem(request.query.get("ticket", "")):
            self._violations.note("used_ticket", "a Socket Mode URL is good once")
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=403)
        socket = web.WebSocketResponse(autoping=False, max_msg_size=1_000_000)
        await socket.prepare(request)
        if len(self._links) >= MAX_CONNECTIONS:
            self._violations.note("too_many_websockets", f"more than {MAX_CONNECTIONS} connections")
            await socket.send_json(_disconnect("too_many_websockets"))
            await socket.close()
            return socket
        debug = request.query.get("debug_reconnects") == "true"
        link = Link(socket, request.transport, DEBUG_LIFETIME_MS if debug else self._lifetime_ms)
        self._links.append(link)
        ageing = asyncio.create_task(self._age(link))
        try:
            await socket.send_json(self._hello(link))
            self._tell_connection()
            await self._read(link)
        finally:
            ageing.cancel()
            self._lose(link)
        return socket

    def _hello(self, link: Link) -> Json:
        debug = {
            "host": _HOST,
            "build_number": 1,
            "approximate_connection_time": link.lifetime_ms // 1000,
        }
        return {
            "type": "hello",
            "num_connections": len(self._links),
            "debug_info": debug,
            "connection_info": {"app_id": self._app_id},
        }

    async def _read(self, link: Link) -> None:
        async for message in link.socket:
            if message.type == WSMsgType.PING and not self.muted:
                await link.socket.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                self._acknowledge(message.data)

    def _acknowledge(self, text: str) -> None:
        """Anything that is not the acknowledgement of a waiting envelope is ignored, as Slack does."""
        try:
            frame: Any = json.loads(text)
        except ValueError:
            return
        pending = self._pending.get(str(frame.get("envelope_id"))) if is_object(frame) else None
        if pending is not None and not pending.answer.done():
            payload = frame.get("payload")
            pending.answer.set_result(payload if is_object(payload) and payload else None)

    def _lose(self, link: Link) -> None:
        """Events on a lost link are sent again; a command may still be answered over another one."""
        self._links.remove(link)
        for envelope_id in link.waiting:
            pending = self._pending.get(envelope_id)
            if pending and pending.parcel.kind == "events_api" and not pending.answer.done():
                pending.answer.set_exception(DeliveryFailed("dispatch_failed", "connection_failed"))
        self._tell_connection()

    def _tell_connection(self) -> None:
        body = {"connected": self.connected, "connections": self.connections}
        self._changes.publish("app.connection", body)

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, parcel: Parcel, retry: Retry | None = None) -> Json | None:
        """Send one envelope and wait for its acknowledgement; a moment without connections is waited out."""
        envelope_id = new_uuid()
        envelope: Json = {"envelope_id": envelope_id, "type": parcel.kind, "payload": parcel.payload}
        envelope["accepts_response_payload"] = parcel.answerable
        if parcel.kind == "events_api":
            envelope |= {"retry_attempt": retry.attempt if retry else 0, "retry_reason": retry.reason if retry else ""}
        answer: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._pending[envelope_id] = _Pending(parcel, answer)
        link: Link | None = None
        began_ms = sent_ms = monotonic_ms()
        try:
            async with asyncio.timeout(self._ack_timeout_ms / 1000):
                link = await self._next_link()
                link.waiting.add(envelope_id)
                self._handed.note(parcel.payload.get("trigger_id"))
                sent_ms = monotonic_ms()
                await link.socket.send_json(envelope)
                return await answer
        except TimeoutError:
            in_time = sent_ms - began_ms < self._ack_timeout_ms / 10
            if link in self._links and in_time and not link.retiring and not self.muted:
                self._violations.note(LATE, f"{parcel.kind} of {self._ack_timeout_ms} ms ago")
            raise DeliveryFailed("operation_timeout" if link else "not_connected", "timeout") from None
        except ConnectionError:
            raise DeliveryFailed("dispatch_failed", "connection_failed") from None
        finally:
            del self._pending[envelope_id]
            if link is not None:
                link.waiting.discard(envelope_id)

    async def _next_link(self) -> Link:
        while True:
            ready = [link for link in self._links if not link.retiring and not link.socket.closed]
            if ready:
                self._turn += 1
                return ready[self._turn % len(ready)]
            await self._changes.moved()

    # ── refresh ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def refresh(self, warning_ms: int = 0, over: asyncio.Event | None = None) -> None:
        """Ask every connection to reconnect, as Slack does when a server goes down; with a warning ahead if asked.

        Its time is over when `over` is set, or else after `warning_ms`.
        """
        await asyncio.gather(*(self._retire(link, warning_ms, over) for link in list(self._links)))

    async def refresh_one(self, which: int, warning_ms: int = 0) -> None:
        """The same for one connection, by its place among those there are."""
        await self._retire(self._links[which], warning_ms)

    def drop(self, which: int | None = None) -> None:
        """Cut one connection, or every one, without a word."""
        for link in self._links if which is None else [self._links[which]]:
            link.retiring = True
            if link.transport is not None:
                link.transport.close()

    async def close(self, _app: web.Application | None = None) -> None:
        for link in list(self._links):
            await link.socket.close()

    async def _age(self, link: Link) -> None:
        await asyncio.sleep(max(0, link.lifetime_ms - WARNING_MS) / 1000)
        await self._retire(link, min(WARNING_MS, link.lifetime_ms))

    async def _retire(self, link: Link, warning_ms: int, over: asyncio.Event | None = None) -> None:
        if link.retiring:
            return
        try:
            if warning_ms or over:
                await link.socket.send_json(_disconnect("warning"))
                await (over.wait() if over else asyncio.sleep(warning_ms / 1000))
            link.retiring = True
            await link.socket.send_json(_disconnect("refresh_requested"))
            await asyncio.sleep(_LINGER_MS / 1000)
            await link.socket.close()
        except ConnectionError:
            return


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": _HOST}}
