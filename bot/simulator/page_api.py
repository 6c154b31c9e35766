"""The JSON and WebSocket API of the page, under `/_sim/`: what a person sees, what they do, what changes.

Only the page itself may use it: the Host must be the loopback address that is served, and a browser's Origin the same,
so that no other site in that browser can act in the workspace (nor by DNS rebinding).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.simulator import forms, person, shortcuts
from bot.simulator.disturbance import Disturbance
from bot.simulator.errors import PersonError
from bot.simulator.model import Channel, Json, Suggestion, User
from bot.simulator.person import UNSET, Desk, Use
from bot.simulator.schema import is_object
from bot.simulator.seen import channel_seen, group_seen, message_seen, user_seen, view_seen
from bot.simulator.violations import Violations
from bot.simulator.workspace import Workspace

PAGE = Path(__file__).parent / "page"
MAX_ADVANCE_MS = 31 * 24 * 3600 * 1000
_STATUS = {"bad_request": 400, "forbidden": 403, "not_in_channel": 403}
_CONFLICTS = frozenset({"not_connected", "operation_timeout", "dispatch_failed", "app_error"})
_CSP = (
    "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_SUFFIXES = frozenset({".html", ".js", ".css", ".svg", ".png", ".woff2"})

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def own_hosts(port: int) -> frozenset[str]:
    return frozenset({f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"})


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other hosts and origins; turn refusals into JSON."""
    try:
        _only_from_the_page(request)
        response = await handler(request)
    except PersonError as refused:
        status = _STATUS.get(refused.code, 409 if refused.code in _CONFLICTS else 404)
        return web.json_response({"ok": False, "error": refused.code, "message": str(refused)}, status=status)
    if not response.prepared:
        response.headers["Content-Security-Policy"] = _CSP
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _only_from_the_page(request: web.Request) -> None:
    sockname: Any = request.transport.get_extra_info("sockname") if request.transport else None
    host = request.headers.get("Host", "")
    if not sockname or host not in own_hosts(sockname[1]):
        raise PersonError("forbidden", "This address belongs to the simulator on this machine only.")
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{host}":
        raise PersonError("forbidden", "Only the simulator's own page may do this.")


class PageApi:
    """The routes of the page, for the workspaces of `desks`: whose it is, is told by the person who acts.

    `connections` tells how many connections the app has, and `mode` over which transport it is reached; `suggestions`
    are what the page offers to type.
    """

    def __init__(
        self,
        desks: Sequence[Desk],
        violations: Violations,
        *,
        connections: Callable[[], int],
        mode: Callable[[], str],
        suggestions: Callable[[], Sequence[Suggestion]],
        disturbance: Disturbance,
    ) -> None:
        self._desks = desks
        self._violations = violations
        self._connections = connections
        self._mode = mode
        self._suggestions = suggestions
        self._disturbance = disturbance
        self._sockets: set[web.WebSocketResponse] = set()

    def add_routes(self, app: web.Application) -> None:
        posts = {
            "command": self._command,
            "message": self._message,
            "shortcut": self._shortcut,
            "click": self._click,
            "submit": self._submit,
            "close": self._close,
            "suggest": self._suggest,
            "home": self._home,
            "clock": self._clock,
            "chaos": self._chaos,
        }
        for name, action in posts.items():
            app.router.add_post(f"/_sim/{name}", _json_action(action))
        app.router.add_get("/_sim/state", self._state)
        app.router.add_get("/_sim/violations", self._show_violations)
        app.router.add_get("/_sim/events", self._events)
        app.router.add_get("/", _page_file)
        app.router.add_get("/archives/{rest:.*}", _page_file)
        app.router.add_get("/{file}", _page_file)

    async def close(self, _app: web.Application | None = None) -> None:
        """Close the pages' event streams."""
        for socket in list(self._sockets):
            await socket.close()

    def _at(self, name: str) -> tuple[Desk, User]:
        """The person of this id or name, and the desk of their workspace; ids are unique over all workspaces."""
        desk = next((desk for desk in self._desks if name in desk.workspace.users), self._desks[0])
        return desk, desk.person(name)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _state(self, request: web.Request) -> web.StreamResponse:
        desk, me = self._at(request.query.get("user") or _first_person(self._desks[0].workspace))
        workspace = desk.workspace
        channels = [channel for channel in workspace.channels.values() if channel.visible_to(me)]
        state: Json = {
            "ok": True,
            "rev": workspace.changes.rev,
            "now": workspace.clock.now(),
            "pace": workspace.clock.pace,
            "team": {"id": workspace.team_id, "name": workspace.team_name, "domain": workspace.domain},
            "teams": [_team_seen(desk.workspace) for desk in self._desks],
            "app": self._app_seen(desk),
            "chaos": self._disturbance.seen(),
            "suggestions": [one._asdict() for one in self._suggestions()],
            "me": me.id,
            "people": [user_seen(user) for user in workspace.users.values()],
            "groups": [group_seen(group) for group in workspace.groups.values() if group.enabled],
            "channels": [channel_seen(channel, workspace.users, me.id) for channel in channels],
            "messages": {channel.id: _messages(workspace, channel, me) for channel in channels},
            "views": [view_seen(view) for view in workspace.stack(me.id)],
            "home": view_seen(workspace.homes[me.id]) if me.id in workspace.homes else None,
        }
        return web.json_response(state)

    async def _show_violations(self, _request: web.Request) -> web.StreamResponse:
        """How often the app broke a rule of Slack, by kind, and the latest times in words."""
        counted = self._violations
        return web.json_response(
            {"ok": True, "total": counted.total, "counts": dict(counted.counts), "latest": list(counted.latest)}
        )

    def _app_seen(self, desk: Desk) -> Json:
        app = desk.workspace.app
        return {
            "user_id": app.bot_user_id,
            "name": app.name,
            "installed": desk.installed,
            "connected": desk.courier.transport.connected,
            "connections": self._connections(),
            "mode": self._mode(),
            "home_tab": app.home_tab,
            "writable": app.writable,
            "commands": [
                {"command": c.command, "description": c.description, "usage_hint": c.usage_hint} for c in app.commands
            ],
            "shortcuts": [
                {"callback_id": s.callback_id, "name": s.name, "kind": s.kind, "description": s.description}
                for s in app.shortcuts
            ],
        }

    async def _events(self, request: web.Request) -> web.StreamResponse:
        desk, me = self._at(request.query.get("user") or _first_person(self._desks[0].workspace))
        socket = web.WebSocketResponse(heartbeat=20)
        await socket.prepare(request)
        self._sockets.add(socket)
        reading = asyncio.create_task(_drain(socket))
        try:
            await _tell_changes(desk.workspace, socket, me, reading)
        except ConnectionError:
            pass
        finally:
            self._sockets.discard(socket)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await socket.close()
        return socket

    # ── acting ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _command(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        await person.type_command(desk, user, desk.place(user, body.text("channel")), body.text("text"))
        return {}

    async def _message(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        channel = desk.place(user, body.text("channel"))
        message = person.post_message(desk, user, channel, body.text("text"), body.optional_text("thread_ts"))
        return {"ts": message.ts}

    async def _shortcut(self, body: "Body") -> Json:
        """A global shortcut; with `channel` and `ts` one on a message."""
        desk, user = self._at(body.text("user"))
        if body.has("ts"):
            channel = desk.place(user, body.text("channel"))
            await shortcuts.use_on(desk, user, channel, body.text("ts"), body.text("callback_id"))
        else:
            await shortcuts.use(desk, user, body.text("callback_id"))
        return {}

    async def _click(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        use = body.use("value")
        if body.has("view_id"):
            view = forms.open_view_of(desk, user, body.text("view_id"))
            await person.click_in_view(desk, user, view, use)
        else:
            channel = desk.place(user, body.text("channel"))
            await person.click(desk, user, channel, body.text("ts"), use)
        return {}

    async def _submit(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        view = forms.open_view_of(desk, user, body.text("view_id"))
        submitted = await forms.submit(desk, user, view, body.values())
        errors = {"errors": submitted.errors} if submitted.result == "errors" else {}
        return {"result": submitted.result, **errors}

    async def _close(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        view = forms.open_view_of(desk, user, body.text("view_id"))
        await forms.close(desk, user, view, everything=body.flag("all"))
        return {}

    async def _suggest(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        use = body.use("query")
        if body.has("view_id"):
            where = forms.open_view_of(desk, user, body.text("view_id"))
        else:
            where = desk.seen_message(user, desk.place(user, body.text("channel")), body.text("ts"))
        return await forms.suggest(desk, user, where, use)

    async def _home(self, body: "Body") -> Json:
        desk, user = self._at(body.text("user"))
        person.open_home(desk, user)
        return {}

    async def _clock(self, body: "Body") -> Json:
        ms = body.number("advance_ms")
        if not 0 <= ms <= MAX_ADVANCE_MS:
            raise PersonError("bad_request", "The clock moves forward by at most 31 days at a time.")
        for desk in self._desks[1:]:
            advance_clock(desk, 0)
        return {"now": advance_clock(self._desks[0], ms)}

    async def _chaos(self, body: "Body") -> Json:
        try:
            await self._disturbance.switch(on=body.flag("on"))
        except LookupError:
            raise PersonError("not_found", "Nothing goes wrong by chance in this simulator.") from None
        return {"chaos": self._disturbance.seen()}


def _first_person(workspace: Workspace) -> str:
    return next(user.id for user in workspace.users.values() if not (user.is_bot or user.deleted))


def _team_seen(workspace: Workspace) -> Json:
    """A workspace, and somebody as whom it can be entered."""
    return {"id": workspace.team_id, "name": workspace.team_name, "user": _first_person(workspace)}


def _messages(workspace: Workspace, channel: Channel, me: User) -> list[Json]:
    seen = (message for message in workspace.messages(channel.id) if message.visible_to in (None, me.id))
    return [
        message_seen(message, workspace.users, workspace.replies(message), workspace.uploads.contents)
        for message in seen
    ]


async def _tell_changes(
    workspace: Workspace, socket: web.WebSocketResponse, me: User, reading: "asyncio.Task[None]"
) -> None:
    """Send what this person sees until the page has gone, or has fallen too far behind."""
    changes = workspace.changes
    with changes.subscribe(me.id) as subscription:
        await socket.send_json({"type": "hello", "rev": changes.rev, "now": workspace.clock.now()})
        while not subscription.lost:
            getting = asyncio.create_task(subscription.queue.get())
            try:
                await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone = not getting.done() and getting.cancel()
            if gone:
                return
            change = getting.result()
            await socket.send_json(
                {"type": change.type, "rev": change.rev, "now": workspace.clock.now(), **change.body}
            )


def advance_clock(desk: Desk, ms: int) -> int:
    """Move the workspace's clock forward and tell every page; returns the new time."""
    workspace = desk.workspace
    workspace.clock.advance(ms)
    workspace.changes.publish("clock.moved", {})
    return workspace.clock.now()


class Body:
    """A JSON body of the page, read with plain complaints."""

    def __init__(self, fields: Json) -> None:
        self._fields = fields

    def has(self, name: str) -> bool:
        return self._fields.get(name) is not None

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str):
            raise PersonError("bad_request", f"The field {name} must be a text.")
        return value

    def optional_text(self, name: str) -> str | None:
        return self.text(name) if self.has(name) else None

    def flag(self, name: str) -> bool:
        return self._fields.get(name) is True

    def number(self, name: str) -> int:
        value = self._fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise PersonError("bad_request", f"The field {name} must be a whole number.")
        return value

    def values(self) -> dict[str, dict[str, Any]]:
        values: Any = self._fields.get("values") or {}
        if not is_object(values) or not all(is_object(block) for block in values.values()):
            raise PersonError("bad_request", "The field values must be {block_id: {action_id: value}}.")
        return values

    def use(self, value_name: str) -> Use:
        value = self._fields.get(value_name, UNSET)
        return Use(self.text("action_id"), self.optional_text("block_id"), value, self.values())


def _json_action(action: Callable[[Body], Awaitable[Json]]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/json":
            raise PersonError("bad_request", "The body must be JSON (Content-Type: application/json).")
        try:
            fields: Any = await request.json()
        except ValueError:
            raise PersonError("bad_request", "The body is not valid JSON.") from None
        if not is_object(fields):
            raise PersonError("bad_request", "The body must be a JSON object.")
        return web.json_response({"ok": True, **await action(Body(fields))})

    return handle


async def _page_file(request: web.Request) -> web.StreamResponse:
    """A file of the page's folder, by plain name; the folder has no subfolders."""
    name = request.match_info.get("file", "index.html")
    path = PAGE / name
    if path.parent != PAGE or path.suffix not in _SUFFIXES or not path.is_file():
        raise PersonError("not_found", f"There is no file {name} here.")
    return web.FileResponse(path, headers={"Cache-Control": "no-cache"})


async def _drain(socket: web.WebSocketResponse) -> None:
    """Read until the page goes away; what it sends is ignored."""
    with contextlib.suppress(ConnectionError):
        async for _ in socket:
            pass
