"""The simulator as one object: a Slack workspace on loopback for one app, and the people in it.

The app's own clients connect unchanged but for their base URL. Everything here delegates; the rules are in the parts.
"""

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from bot.simulator import forms, person
from bot.simulator.answers import Origin, apply_answer
from bot.simulator.args import read_arguments
from bot.simulator.calls import Call, CallLog, Fault
from bot.simulator.courier import ACK_TIMEOUT_MS, EVENT_RETRY_MS, Courier, Delivery, Kind
from bot.simulator.errors import SlackError
from bot.simulator.forms import Submitted
from bot.simulator.http_delivery import HttpDelivery
from bot.simulator.methods import Slack
from bot.simulator.model import Json, Message, View
from bot.simulator.page_api import PageApi, advance_clock, guard
from bot.simulator.person import UNSET, Desk, Use
from bot.simulator.rates import RateLimits
from bot.simulator.socket_mode import LIFETIME_MS, SocketMode
from bot.simulator.tickets import TRIGGER_LIFETIME_MS, ResponseUrls, SocketTickets, Triggers
from bot.simulator.values import PageValues
from bot.simulator.webapi import WebApi
from bot.simulator.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """How strict and how quick this Slack is. Times in ms of real time; the defaults are Slack's.

    `strict_rates` answers 429 over the limits; `redeliver` repeats a command or click once that was not acknowledged.
    """

    strict_rates: bool = False
    redeliver: bool = False
    ack_timeout_ms: int = ACK_TIMEOUT_MS
    trigger_lifetime_ms: int = TRIGGER_LIFETIME_MS
    connection_lifetime_ms: int = LIFETIME_MS
    event_retry_ms: tuple[int, ...] = EVENT_RETRY_MS


class Simulator:
    """One workspace with one installed app. People and channels are named by id or by name ("ben", "#releases").

    Credentials that are not given are made up, so that only who holds this object can act as the app.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        signing_secret: str | None = None,
        bot_token: str | None = None,
        app_token: str | None = None,
        options: Options | None = None,
    ) -> None:
        options = options or Options()
        changes = workspace.changes
        self.workspace = workspace
        self.bot_token = bot_token or f"xoxb-simulator-{secrets.token_hex(16)}"
        self.app_token = app_token or f"xapp-simulator-{secrets.token_hex(16)}"
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self.rates = RateLimits(strict=options.strict_rates)
        self._options = options
        tickets = SocketTickets()
        triggers = Triggers(options.trigger_lifetime_ms)
        self.socket = SocketMode(
            workspace.app.id,
            tickets,
            changes,
            ack_timeout_ms=options.ack_timeout_ms,
            lifetime_ms=options.connection_lifetime_ms,
        )
        self._http: list[HttpDelivery] = []
        self._courier = Courier(
            self.socket, changes.touch, redeliver=options.redeliver, event_retry_ms=options.event_retry_ms
        )
        self._log = CallLog(changes.touch)
        self._slack = Slack(workspace, triggers, tickets)
        self._desk = Desk(workspace, self._courier, triggers, ResponseUrls(workspace.clock.now))

    # ── serving ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def page_url(self) -> str:
        """Where a person opens the workspace; ends in a slash."""
        return self._slack.site

    @property
    def api_url(self) -> str:
        """The base URL for `AsyncWebClient`."""
        return f"{self._slack.site}api/"

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator["Simulator"]:
        """Listen until the block ends. Only loopback addresses; raises ValueError for others."""
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the simulator listens on loopback only, not on {host}")
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            name = f"[{host}]" if ":" in host else host
            self._slack.site = self._desk.site = f"http://{name}:{runner.addresses[0][1]}/"
            yield self
        finally:
            await self._courier.close()
            for http in self._http:
                await http.close()
            await runner.cleanup()

    def _application(self) -> web.Application:
        api = WebApi(self._slack, self._log, self.rates, bot_token=self.bot_token, app_token=self.app_token)
        app = web.Application(middlewares=[guard], client_max_size=2_000_000)
        app.router.add_route("GET", "/api/{method}", api.handle)
        app.router.add_route("POST", "/api/{method}", api.handle)
        app.router.add_get("/link/", self.socket.handle)
        app.router.add_post("/response/{token:.+}", self._response_url)
        page = PageApi(self._desk, lambda: self.socket.connections, lambda: "http" if self._http else "socket")
        page.add_routes(app)
        app.on_shutdown.append(self.socket.close)
        app.on_shutdown.append(page.close)
        return app

    async def _response_url(self, request: web.Request) -> web.Response:
        try:
            url = self._desk.response_urls.use(request.match_info["token"])
        except SlackError as refused:
            return web.json_response({"ok": False, "error": refused.name}, status=404)
        try:
            body = await read_arguments(request)
            apply_answer(self.workspace, Origin(url.user, url.channel, url.message_ts), body)
        except SlackError as refused:
            return web.json_response({"ok": False, "error": refused.name, **refused.extra}, status=400)
        return web.Response(text="ok")

    # ── the way to the app ───────────────────────────────────────────────────────────────────────────────────────

    def use_http(self, request_url: str) -> HttpDelivery:
        """Deliver signed requests to this URL from now on, instead of Socket Mode."""
        http = HttpDelivery(request_url, self.signing_secret, ack_timeout_ms=self._options.ack_timeout_ms)
        self._http.append(http)
        self._courier.transport = http
        return http

    def duplicate_next(self, kind: Kind, times: int = 1) -> None:
        """Deliver the next payloads of this kind twice."""
        self._courier.duplicate_next(kind, times)

    def deliveries(self, kind: Kind | None = None) -> list[Delivery]:
        return [delivery for delivery in self._courier.deliveries if kind in (None, delivery.kind)]

    def calls(self, method: str | None = None) -> list[Call]:
        """The app's Web API calls so far, oldest first."""
        return self._log.calls(method)

    def fail_next(self, method: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of this method meet a fault."""
        self._log.fail_next(method, fault, times)

    async def wait_for(self, condition: Callable[[], T], timeout_ms: int = 5_000) -> T:
        """The first true value of `condition`, looked at after each change and every 20 ms. Raises TimeoutError."""
        async with asyncio.timeout(timeout_ms / 1000):
            while not (result := condition()):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.workspace.changes.moved(), 0.02)
        return result

    async def wait_connected(self, timeout_ms: int = 5_000) -> None:
        """Return once the app has a Socket Mode connection."""
        await self.wait_for(lambda: self.socket.connected, timeout_ms)

    # ── people ───────────────────────────────────────────────────────────────────────────────────────────────────

    def advance_clock(self, ms: int) -> int:
        """Move the workspace's time forward; returns the new time in epoch ms."""
        return advance_clock(self._desk, ms)

    def channel_messages(self, channel: str, *, seen_by: str | None = None) -> list[Message]:
        """Roots, replies and (with `seen_by`) that person's ephemeral messages of a channel, oldest first."""
        viewer = self.workspace.person(seen_by).id if seen_by else None
        found = self.workspace.messages(self.workspace.place(channel).id)
        return [message for message in found if message.visible_to in (None, viewer)]

    def views(self, user: str) -> list[View]:
        """The person's open modals, bottom first."""
        return list(self.workspace.stack(self.workspace.person(user).id))

    def home(self, user: str) -> View | None:
        return self.workspace.homes.get(self.workspace.person(user).id)

    def direct_messages(self, user: str) -> list[Message]:
        """What this person and the app wrote to each other."""
        channel = self.workspace.direct_channel(self._desk.person(user).id, self.workspace.app.bot_user_id)
        return list(self.workspace.messages(channel.id)) if channel else []

    async def type_command(self, user: str, channel: str, line: str) -> None:
        """Type `/vb …` and wait for the acknowledgement. Raises PersonError."""
        who = self._desk.person(user)
        await person.type_command(self._desk, who, self._desk.place(who, channel), line)

    def post_message(self, user: str, channel: str, text: str, thread_ts: str | None = None) -> Message:
        """Write a message; "@vectorbea" and the like become mentions. Raises PersonError."""
        who = self._desk.person(user)
        return person.post_message(self._desk, who, self._desk.place(who, channel), text, thread_ts)

    async def click(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = UNSET,
        values: PageValues | None = None,
    ) -> None:
        """Use a button, or with `value` (a page value) a select, in a message. Raises PersonError."""
        who = self._desk.person(user)
        use = Use(action_id, block_id, value, values or {})
        await person.click(self._desk, who, self._desk.place(who, channel), ts, use)

    async def click_in_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        block_id: str | None = None,
        value: Any = UNSET,
        values: PageValues | None = None,
    ) -> None:
        """The same in a modal or on the App Home. Raises PersonError."""
        who = self._desk.person(user)
        view = forms.open_view_of(self._desk, who, view_id)
        await person.click_in_view(self._desk, who, view, Use(action_id, block_id, value, values or {}))

    async def submit_view(self, user: str, view_id: str, values: PageValues | None = None) -> Submitted:
        """Submit the topmost modal with these page values. Raises PersonError."""
        who = self._desk.person(user)
        return await forms.submit(self._desk, who, forms.open_view_of(self._desk, who, view_id), values or {})

    async def close_view(self, user: str, view_id: str, *, everything: bool = False) -> None:
        """Cancel a modal, or the whole stack. Raises PersonError."""
        who = self._desk.person(user)
        await forms.close(self._desk, who, forms.open_view_of(self._desk, who, view_id), everything=everything)

    async def suggest(self, user: str, view_id: str, action_id: str, query: str) -> Json:
        """Type into an external select of a modal; returns the offered options. Raises PersonError."""
        who = self._desk.person(user)
        view = forms.open_view_of(self._desk, who, view_id)
        return await forms.suggest(self._desk, who, view, Use(action_id, value=query))

    def open_home(self, user: str) -> None:
        """Open the app's Home tab."""
        person.open_home(self._desk, self._desk.person(user))
