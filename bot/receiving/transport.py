"""How Slack reaches the bot: over Socket Mode, or by signed HTTP requests.

The one rule: both bring the same payloads to the same app; nothing else knows which one is on. What makes Slack
unusable is found here before anything is served, and said in one sentence.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.bounds import USUAL, Bounds
from bot.people.directory import PASSING, error_name, reason_of
from bot.receiving.attending import Attending
from bot.receiving.links import TROUBLE, Envelope, Links, Patience, Payload, retry_after
from bot.receiving.once import Once
from engine.core.errors import EngineError

log = logging.getLogger(__name__)

PATH = "/slack/events"

SCOPES = frozenset({"chat:write", "commands", "im:write", "usergroups:read", "users:read"})
"""Without these the bot cannot do its work; the manifest has more."""

_LONGEST_STAMP = 11  # digits of a time in seconds, for the next 3,000 years
_SAY_AGAIN_S = 60.0
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Between questions at the start, while Slack has a trouble of its own."""

T = TypeVar("T")


class SlackUnusable(EngineError):
    """Slack cannot be served with these settings. The text says what to do."""


async def identify(client: AsyncWebClient) -> dict[str, Any]:
    """Slack's answer to auth.test: which workspace, which bot. Raises ``SlackUnusable``, also for a lack of scopes."""
    told, granted = await look_up(client)
    if granted and (lacking := SCOPES - granted):
        raise SlackUnusable(
            f"The bot token lacks {', '.join(sorted(lacking))}; add these scopes to the app (manifest.yml has "
            "them all) and install it again."
        )
    return told


async def look_up(client: AsyncWebClient) -> tuple[dict[str, Any], frozenset[str]]:
    """Slack's answer to auth.test, and the scopes of the token, as far as it says. Raises ``SlackUnusable``."""
    try:
        answer: Any = await _patiently(_untyped(client).auth_test)
    except SlackApiError as error:
        if _passes(error):
            raise _unreachable(client, error) from None
        raise SlackUnusable(
            f"Slack does not accept the bot token ({error_name(error)}); copy the Bot User OAuth Token (xoxb-…) of the "
            "installed app into SLACK_BOT_TOKEN."
        ) from None
    except TROUBLE as error:
        raise _unreachable(client, error) from None
    scopes = str(answer.headers.get("x-oauth-scopes", "")).split(",")
    return dict(answer.data), frozenset(scope.strip() for scope in scopes if scope.strip())


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask Slack; where it has a trouble of its own, some times more: that says nothing of the settings."""
    for pause in PAUSES_S:
        try:
            return await ask()
        except SlackApiError as error:
            if not _passes(error):
                raise
            pause = max(pause, retry_after(error))
            log.info("Slack does not answer yet (%s); it is asked again in %s s.", error_name(error), pause)
        await asyncio.sleep(pause)
    return await ask()


def _passes(error: SlackApiError) -> bool:
    """Whether it says nothing of the token; many processes that start at once meet Slack's limit, too."""
    return error_name(error) in PASSING or error_name(error) == "ratelimited"


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
    app: AsyncApp, client: AsyncWebClient, app_token: str, attending: Attending, bounds: Bounds = USUAL
) -> AsyncGenerator[None]:
    """Receive over Socket Mode until the block ends. Raises ``SlackUnusable``."""
    first: list[str] = [await _first_ticket(client, app_token)]

    async def ticket() -> str:
        return first.pop() if first else await _ticket(client, app_token)

    once = Once(app)

    async def deliver(envelope: Envelope) -> Payload | None:
        if envelope.retry:
            _say_again(envelope.retry, envelope.why)
        return _acknowledgement(await once.dispatch(AsyncBoltRequest(mode="socket_mode", body=envelope.payload)))

    async with aiohttp.ClientSession() as session:
        patience = Patience(hello=bounds.hello, ping=bounds.ping)
        links = Links(session, ticket, deliver, attending, patience, within_s=bounds.acknowledged)
        holding = asyncio.create_task(links.run())
        try:
            await links.connected()
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)


def _say_again(retry: int | str, why: str) -> None:
    log.info("Slack delivers an event again (%s, %s).", retry, why or "no reason given")


def _acknowledgement(response: BoltResponse) -> Payload | None:
    """What an acknowledgement over Socket Mode carries; None if there is to be none."""
    if response.status != 200:
        log.info("A delivery is not acknowledged (status %s).", response.status)
        return None
    if not response.body:
        return {}
    if response.headers.get("content-type", [""])[0].startswith("application/json"):
        return json.loads(response.body)
    return {"text": response.body}


async def _first_ticket(client: AsyncWebClient, app_token: str) -> str:
    """The address of a first connection, which tells whether the token is good. Raises ``SlackUnusable``."""
    try:
        return await _patiently(lambda: _ticket(client, app_token))
    except SlackApiError as error:
        if _passes(error):
            raise _unreachable(client, error) from None
        raise SlackUnusable(
            f"Slack does not accept the app token ({error_name(error)}); create an app-level token (xapp-…) with the "
            "scope connections:write, and put it into SLACK_APP_TOKEN."
        ) from None
    except TROUBLE as error:
        raise _unreachable(client, error) from None


async def _ticket(client: AsyncWebClient, app_token: str) -> str:
    answer: Any = await _untyped(client).apps_connections_open(app_token=app_token)
    return str(answer["url"])


@asynccontextmanager
async def http(
    app: AsyncApp | None,
    signing_secret: str,
    host: str,
    port: int,
    add_pages: Callable[[web.Application], None] | None = None,
) -> AsyncGenerator[str]:
    """Listen until the block ends; gives the URL of the server. Raises ``SlackUnusable``.

    Signed requests to ``PATH`` go to ``app``, if there is one; ``add_pages`` may add what people open in a browser.
    """
    server = web.Application()
    if app is not None:
        server.router.add_post(PATH, _Receiver(app, signing_secret).receive)
    if add_pages is not None:
        add_pages(server)
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
        yield f"http://{name}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class _Receiver:
    """Hands to the app what Slack has signed; says, at most once a minute, that some requests were refused."""

    def __init__(self, app: AsyncApp, signing_secret: str) -> None:
        self._once = Once(app)
        self._verifier = SignatureVerifier(signing_secret)
        self._said_at = -_SAY_AGAIN_S

    async def receive(self, request: web.Request) -> web.Response:
        if not (await _could_be_slacks(request) and await self._is_slacks(request)):
            self._say_refused()
            return web.Response(status=401)
        if retry := request.headers.get("X-Slack-Retry-Num"):
            _say_again(retry, request.headers.get("X-Slack-Retry-Reason", ""))
        return await to_aiohttp_response(await self._once.dispatch(await to_bolt_request(request)))

    async def _is_slacks(self, request: web.Request) -> bool:
        stamp = request.headers.get("X-Slack-Request-Timestamp", "0")
        return self._verifier.is_valid(await request.text(), stamp, request.headers.get("X-Slack-Signature", ""))

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
    signed = request.headers.get("X-Slack-Signature", "")
    return stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP and signed.isascii()
