"""How Slack reaches the bot: over Socket Mode, or by signed HTTP requests.

The one rule: both bring the same payloads to the same app; nothing else knows which one is on. What makes Slack
unusable is found here before anything is served, and said in one sentence.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.web.async_client import AsyncWebClient

from bot.attending import Attending
from bot.directory import error_name, reason_of
from engine.core.errors import EngineError

log = logging.getLogger(__name__)

PATH = "/slack/events"

PING_S = 4.0
"""Between the pings by which a lost connection is noticed."""

SCOPES = frozenset({"chat:write", "commands", "im:write", "usergroups:read", "users:read"})
"""Without these the bot cannot do its work; the manifest has more."""

_LONGEST_STAMP = 11  # digits of a time in seconds, for the next 3,000 years
_SAY_AGAIN_S = 60.0


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = record.exc_text = None
    return True


_client_log = logging.getLogger("bot.socket_mode")
_client_log.addFilter(_without_traceback)  # the client logs whole tracebacks for each lost connection
_TROUBLE = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)


class SlackUnusable(EngineError):
    """Slack cannot be served with these settings. The text says what to do."""


async def identify(client: AsyncWebClient) -> dict[str, Any]:
    """Slack's answer to auth.test: which workspace, which bot. Raises ``SlackUnusable``."""
    try:
        answer: Any = await _untyped(client).auth_test()
    except SlackApiError as error:
        raise SlackUnusable(
            f"Slack does not accept the bot token ({error_name(error)}); copy the Bot User OAuth Token (xoxb-…) of the "
            "installed app into SLACK_BOT_TOKEN."
        ) from None
    except _TROUBLE as error:
        raise _unreachable(client, error) from None
    granted = {scope.strip() for scope in str(answer.headers.get("x-oauth-scopes", "")).split(",") if scope.strip()}
    if granted and (lacking := SCOPES - granted):
        raise SlackUnusable(
            f"The bot token lacks {', '.join(sorted(lacking))}; add these scopes to the app (manifest.yml has "
            "them all) and install it again."
        )
    return dict(answer.data)


def _untyped(client: AsyncWebClient) -> Any:
    """The client whose methods' types are unknown in part."""
    return client


def _unreachable(client: AsyncWebClient, error: Exception) -> SlackUnusable:
    return SlackUnusable(
        f"Slack cannot be reached at {client.base_url} ({reason_of(error)}); "
        "check the network, and SLACK_API_URL if it is set."
    )


@asynccontextmanager
async def socket_mode(
    app: AsyncApp, client: AsyncWebClient, app_token: str, attending: Attending
) -> AsyncGenerator[None]:
    """Receive over Socket Mode until the block ends. Raises ``SlackUnusable``."""
    ticket = await _ticket(client, app_token)
    handler = _SocketMode(app, app_token, client, attending)
    connection: Any = handler.client
    connection.wss_uri = ticket
    renewing = asyncio.create_task(_renew_tickets(connection))
    try:
        await handler.connect_async()
        yield
    finally:
        renewing.cancel()
        await handler.close_async()
        await connection.aiohttp_client_session.close()
        with contextlib.suppress(asyncio.CancelledError):
            await renewing


class _SocketMode(AsyncSocketModeHandler):
    """Bolt's own, which counts the deliveries that it has not answered yet."""

    def __init__(self, app: AsyncApp, app_token: str, client: AsyncWebClient, attending: Attending) -> None:
        super().__init__(app, app_token, logger=_client_log, web_client=client, ping_interval=PING_S)
        self._attending = attending

    async def handle(self, client: Any, req: SocketModeRequest) -> None:
        with self._attending.one():
            await super().handle(client, req)


async def _ticket(client: AsyncWebClient, app_token: str) -> str:
    """The address of a first connection. The client would try a wrong token for ever, so it is tried here."""
    try:
        answer: Any = await _untyped(client).apps_connections_open(app_token=app_token)
    except SlackApiError as error:
        raise SlackUnusable(
            f"Slack does not accept the app token ({error_name(error)}); create an app-level token (xapp-…) with the "
            "scope connections:write, and put it into SLACK_APP_TOKEN."
        ) from None
    except _TROUBLE as error:
        raise _unreachable(client, error) from None
    return str(answer["url"])


async def _renew_tickets(connection: Any) -> None:
    """Let a client that cannot connect ask for a new address: it would try its old one, good for one use, for ever."""
    while True:
        await asyncio.sleep(connection.ping_interval)
        if not await connection.is_connected():
            connection.wss_uri = None


@asynccontextmanager
async def http(app: AsyncApp, host: str, port: int) -> AsyncGenerator[str]:
    """Receive signed requests until the block ends; gives the URL that they are sent to. Raises ``SlackUnusable``."""
    receiver = _Receiver(app)
    server = web.Application()
    server.router.add_post(PATH, receiver.receive)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=3)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise SlackUnusable(
                f"The bot cannot listen on {host} port {port} ({error.strerror or error}); "
                "set VB_HTTP_HOST and VB_HTTP_PORT to a free address."
            ) from None
        name = f"[{host}]" if ":" in host else host
        yield f"http://{name}:{runner.addresses[0][1]}{PATH}"
    finally:
        await runner.cleanup()


class _Receiver:
    """Hands requests to bolt, which verifies them; says, at most once a minute, that some were refused."""

    def __init__(self, app: AsyncApp) -> None:
        self._app = app
        self._said_at = -_SAY_AGAIN_S

    async def receive(self, request: web.Request) -> web.Response:
        if not await _could_be_slacks(request):
            self._say_refused()
            return web.Response(status=401)
        answer = await self._app.async_dispatch(await to_bolt_request(request))
        if answer.status == 401:
            self._say_refused()
        return await to_aiohttp_response(answer)

    def _say_refused(self) -> None:
        now = time.monotonic()
        if now - self._said_at >= _SAY_AGAIN_S:
            self._said_at = now
            log.warning(
                "A request was refused: its signature is not Slack's, or it is older than 5 minutes. If it came from "
                "Slack, check SLACK_SIGNING_SECRET (Basic Information of the app) and this machine's clock."
            )


async def _could_be_slacks(request: web.Request) -> bool:
    """Whether there is a time and a text to verify; the libraries that verify them would fail without."""
    stamp = request.headers.get("X-Slack-Request-Timestamp", "0")
    try:
        await request.text()
    except (UnicodeDecodeError, LookupError):  # the latter: a character set that does not exist
        return False
    return stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP
