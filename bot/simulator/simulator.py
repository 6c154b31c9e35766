"""The simulator as one object: a Slack on loopback for one app, and the people in it.

The app's own clients connect unchanged but for their base URL. Everything here delegates; the rules are in the parts.
"""

import asyncio
import contextlib
import ipaddress
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from aiohttp import web

from bot.simulator.answers import Origin, apply_answer
from bot.simulator.args import read_arguments
from bot.simulator.authorizing import AuthorizePage
from bot.simulator.calls import Call, CallLog, Fault
from bot.simulator.chaos import Chaos
from bot.simulator.courier import ACK_TIMEOUT_MS, EVENT_RETRY_MS, Courier, Delivery, Kind
from bot.simulator.disturbance import Disturbance
from bot.simulator.errors import SlackError
from bot.simulator.grants import Grants
from bot.simulator.http_delivery import HttpDelivery
from bot.simulator.methods import Slack
from bot.simulator.model import Suggestion
from bot.simulator.page_api import PageApi, guard
from bot.simulator.people import People
from bot.simulator.person import Desk
from bot.simulator.rates import RateLimits
from bot.simulator.socket_mode import LIFETIME_MS, SocketMode
from bot.simulator.tickets import TRIGGER_LIFETIME_MS, Handed, ResponseUrls, SocketTickets, Triggers
from bot.simulator.uploads import UPLOAD_LIMIT, UploadAddresses
from bot.simulator.violations import Violations
from bot.simulator.webapi import WebApi
from bot.simulator.workspace import Workspace

T = TypeVar("T")

IN_FLIGHT_MS = 1_000
"""Of real time: so long may a call be on its way, and an answer until all processes of an app have heard of it."""

WAIT_MS = 180_000
"""For what a test waits for: a busy machine takes long, and only a failure takes all of it."""


@dataclass(frozen=True, slots=True)
class Options:
    """How strict and how quick this Slack is. Times in ms of real time; the defaults are Slack's.

    `strict_rates` answers 429 over the limits; `redeliver` repeats a command or click once that was not acknowledged;
    `rotating` gives tokens that expire to new installations.
    """

    strict_rates: bool = False
    redeliver: bool = False
    rotating: bool = False
    ack_timeout_ms: int = ACK_TIMEOUT_MS
    trigger_lifetime_ms: int = TRIGGER_LIFETIME_MS
    connection_lifetime_ms: int = LIFETIME_MS
    event_retry_ms: tuple[int, ...] = EVENT_RETRY_MS


@dataclass(frozen=True, slots=True)
class _Team:
    """One workspace: as methods see it, as its people use it, and as a program drives them."""

    slack: Slack
    desk: Desk
    people: People


class Simulator(People):
    """A Slack for one app, which is installed in `workspace`; the methods of `People` act for that one's people.

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
        self.bot_token = bot_token or f"xoxb-simulator-{secrets.token_hex(16)}"
        self.app_token = app_token or f"xapp-simulator-{secrets.token_hex(16)}"
        self.signing_secret = signing_secret or secrets.token_hex(16)
        self.violations = Violations()
        self.rates = RateLimits(
            strict=options.strict_rates,
            now_ms=workspace.clock.ticking,
            violations=self.violations,
            in_flight_ms=int(IN_FLIGHT_MS * workspace.clock.pace),
        )
        self.grants = Grants(workspace.clock.now, rotating=options.rotating)
        self.suggestions: Sequence[Suggestion] = ()
        self._options = options
        self._tickets = SocketTickets()
        self._handed = Handed()
        self.socket = SocketMode(
            workspace.app.id,
            self._tickets,
            changes,
            self.violations,
            self._handed,
            ack_timeout_ms=options.ack_timeout_ms,
            lifetime_ms=options.connection_lifetime_ms,
        )
        self._http: list[HttpDelivery] = []
        self._courier = Courier(
            self.socket, changes.touch, redeliver=options.redeliver, event_retry_ms=options.event_retry_ms
        )
        self._log = CallLog(changes.touch)
        self.disturbance = Disturbance(self._courier, self._log, self.socket, self.rates, self._tell_of_chaos)
        self._api: WebApi | None = None
        self._teams: dict[str, _Team] = {}
        super().__init__(self._take_in(workspace).desk)
        self.grants.permit(workspace.team_id, self.bot_token)

    # ── workspaces ───────────────────────────────────────────────────────────────────────────────────────────────

    def add_workspace(self, workspace: Workspace) -> People:
        """One more workspace, which has not installed the app yet; returns its people. Before serving."""
        return self._take_in(workspace).people

    def _take_in(self, workspace: Workspace) -> _Team:
        triggers = Triggers(self._options.trigger_lifetime_ms, handed=self._handed)
        slack = Slack(workspace, triggers, self._tickets, self.grants)
        desk = Desk(workspace, self._courier, triggers, ResponseUrls(workspace.clock.now), self.grants)
        team = self._teams[workspace.team_id] = _Team(slack, desk, People(desk))
        self.grants.workspaces[workspace.team_id] = workspace
        return team

    # ── serving ──────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def page_url(self) -> str:
        """Where a person opens the workspace; ends in a slash."""
        return self._desk.site

    @property
    def api_url(self) -> str:
        """The base URL for `AsyncWebClient`."""
        return f"{self._desk.site}api/"

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
            for team in self._teams.values():
                team.slack.site = team.desk.site = team.slack.workspace.site = (
                    f"http://{name}:{runner.addresses[0][1]}/"
                )
            yield self
        finally:
            await self.calm()
            await self._courier.close()
            for http in self._http:
                await http.close()
            await runner.cleanup()

    def _application(self) -> web.Application:
        teams = {name: team.slack for name, team in self._teams.items()}
        api = self._api = WebApi(teams, self._log, self.rates, self.violations, app_token=self.app_token)
        app = web.Application(middlewares=[guard], client_max_size=UPLOAD_LIMIT)
        app.router.add_route("GET", "/api/{method}", api.handle)
        app.router.add_route("POST", "/api/{method}", api.handle)
        app.router.add_get("/link/", self.socket.handle)
        app.router.add_post("/response/{token:.+}", self._response_url)
        AuthorizePage(self.grants).add_routes(app)
        uploads = [team.slack.workspace.uploads for team in self._teams.values()]
        UploadAddresses(uploads, self.violations, self._log.next_fault).add_routes(app)
        page = PageApi(
            [team.desk for team in self._teams.values()],
            self.violations,
            connections=lambda: self.socket.connections,
            mode=lambda: "http" if self._http else "socket",
            suggestions=lambda: self.suggestions,
            disturbance=self.disturbance,
        )
        page.add_routes(app)
        app.on_shutdown.append(self.socket.close)
        app.on_shutdown.append(page.close)
        return app

    async def _response_url(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        desks = [team.desk for team in self._teams.values()]
        desk = next((desk for desk in desks if desk.response_urls.knows(token)), self._desk)
        try:
            url = desk.response_urls.use(token)
        except SlackError as refused:
            self.violations.note(refused.name, "a response URL")
            return web.json_response({"ok": False, "error": refused.name}, status=404)
        try:
            body = await read_arguments(request)
            apply_answer(desk.workspace, Origin(url.user, url.channel, url.message_ts), body)
        except SlackError as refused:
            self.violations.refused("a response URL", refused)
            return web.json_response({"ok": False, "error": refused.name, **refused.extra}, status=400)
        return web.Response(text="ok")

    # ── the way to the app ───────────────────────────────────────────────────────────────────────────────────────

    def use_http(self, request_url: str) -> HttpDelivery:
        """Deliver signed requests to this URL from now on, instead of Socket Mode."""
        http = HttpDelivery(
            request_url,
            self.signing_secret,
            ack_timeout_ms=self._options.ack_timeout_ms,
            handed=self._handed,
            violations=self.violations,
        )
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

    @property
    def calls_in_hand(self) -> int:
        """Calls of the app that have not been answered yet."""
        return self._api.in_hand if self._api else 0

    def fail_next(self, method: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of this method meet a fault."""
        self._log.fail_next(method, fault, times)

    @property
    def chaos(self) -> Chaos | None:
        """What goes wrong, or last did."""
        return self.disturbance.chaos

    def unleash(self, chaos: Chaos) -> None:
        """Let things go wrong from now on; while serving."""
        self.disturbance.unleash(chaos)

    async def calm(self) -> None:
        """Let nothing go wrong any more."""
        await self.disturbance.calm()

    def _tell_of_chaos(self) -> None:
        for team in self._teams.values():
            team.desk.workspace.changes.publish("chaos.changed", {"chaos": self.disturbance.seen()})

    async def wait_for(self, condition: Callable[[], T], timeout_ms: int = WAIT_MS) -> T:
        """The first true value of `condition`, looked at after each change and every 20 ms. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_ms / 1000
        while not (result := condition()):
            if loop.time() >= until:
                raise TimeoutError(f"what was waited for did not happen within {timeout_ms} ms")
            # One time limit alone: of two that end in one moment, Python 3.11 may lose the outer one.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.02):
                    await self.workspace.changes.moved()
        return result

    async def wait_connected(self, timeout_ms: int = WAIT_MS) -> None:
        """Return once the app has a Socket Mode connection."""
        await self.wait_for(lambda: self.socket.connected, timeout_ms)
