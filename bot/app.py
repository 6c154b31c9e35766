"""The bot as a service: an engine and the settings of one Slack app in, a running bot out.

The one rule: no globals. Everything that runs is made here, in the order in which it depends on each other, and is
stopped in the opposite one: first nothing new is received, then what was received is finished, then the rest.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient

from bot import transport
from bot.allowance import sharing
from bot.attending import Attending
from bot.directory import Directory
from bot.listeners import register
from bot.listeners.desk import Desk
from bot.outbox import Outbox, PacedClient
from bot.roles import Roles, asked_by_role
from bot.steps import SlackSender
from bot.threads import Threads
from bot.transport import SlackUnusable
from engine.engine import Engine

log = logging.getLogger(__name__)

FINISH_WITHIN_S = 3.0
"""What was received when the service stops has so long to be finished."""

CALL_WITHIN_S = 10

OTHER_WORKSPACE = "This bot serves another workspace. Nothing was changed."


def _not_about_the_token(record: logging.LogRecord) -> bool:
    return not record.getMessage().endswith("`token` will be unused.")


_bolt_log = logging.getLogger("bot.bolt")
_bolt_log.addFilter(_not_about_the_token)  # bolt reads SLACK_BOT_TOKEN by itself, and warns that it need not have


@dataclass(frozen=True, slots=True)
class BotSettings:
    """One Slack app. With ``app_token`` it is served over Socket Mode, else with ``signing_secret`` over HTTP.

    ``default_channel`` (a name or an id) is where runs are told that were not started in a channel. ``api_url`` is for
    workspaces that are not at slack.com, such as the simulator. ``admins``: who is an admin besides those on record.
    """

    bot_token: str = field(repr=False)
    app_token: str | None = field(default=None, repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    api_url: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 3000
    default_channel: str | None = None
    admins: tuple[str, ...] = ()


class Service:
    """Serves Slack while its ``async with`` block is running; steps are run by ``engine.work()``, here or elsewhere.

    ``sender``, if given, is connected to the workspace, for the step ``slack.post``. Entering raises ``SlackUnusable``.
    """

    def __init__(self, engine: Engine, settings: BotSettings, *, sender: SlackSender | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._sender = sender
        self._stack = AsyncExitStack()
        self.team = ""
        """The id of the Slack workspace."""
        self.request_url = ""
        """Where signed requests are received; empty over Socket Mode."""

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _start(self, stack: AsyncExitStack) -> None:
        if not self._settings.app_token and not self._settings.signing_secret:
            raise SlackUnusable(
                "Set SLACK_APP_TOKEN to serve Slack over Socket Mode, or SLACK_SIGNING_SECRET to serve it over HTTP."
            )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = _client(self._settings, session)
        identity = await transport.identify(client)
        self.team = str(identity["team_id"])
        allowance_of = await stack.enter_async_context(sharing(self._engine))
        outbox = Outbox(client, allowance=allowance_of(self.team))
        paced = PacedClient(client, outbox)
        asked = asked_by_role(self._engine, self._settings.admins)
        directory = Directory(paced, self.team, roles=asked)
        stack.push_async_callback(directory.close)
        await self._start_voice(stack, outbox, directory)
        app = _bolt(self._settings, session, identity)
        attending = Attending()
        roles = Roles(self._engine, directory, self._settings.admins)
        register(app, Desk(self._engine, directory, paced, self.team, roles), attending)
        await self._receive(stack, app, client, attending)
        log.info("Serving %s as %s.", identity.get("team"), identity.get("user"))

    async def _start_voice(self, stack: AsyncExitStack, outbox: Outbox, directory: Directory) -> None:
        channel = await _channel_id(directory, self._settings.default_channel)
        if self._sender is not None:
            self._sender.connect(self._engine, outbox, directory, default_channel=channel)
        threads = Threads(self._engine, outbox, directory, default_channel=channel)
        telling = asyncio.create_task(threads.run())
        telling.add_done_callback(_say_if_failed)
        stack.push_async_callback(_cancelled, telling)

    async def _receive(
        self, stack: AsyncExitStack, app: AsyncApp, client: AsyncWebClient, attending: Attending
    ) -> None:
        settings = self._settings
        if settings.app_token:
            await stack.enter_async_context(transport.socket_mode(app, client, settings.app_token, attending))
        else:
            listening = transport.http(app, settings.signing_secret or "", settings.http_host, settings.http_port)
            self.request_url = await stack.enter_async_context(listening)
            log.info("Slack is to send its requests to %s (by way of an address that it can reach).", self.request_url)
        stack.push_async_callback(_finish, attending)


def _client(settings: BotSettings, session: aiohttp.ClientSession) -> AsyncWebClient:
    """The Web API. Without the library's retries: they post again where it is not known whether a post arrived."""
    return AsyncWebClient(
        token=settings.bot_token,
        base_url=settings.api_url or AsyncWebClient.BASE_URL,
        timeout=CALL_WITHIN_S,
        session=session,
        retry_handlers=[],
    )


def _bolt(settings: BotSettings, session: aiohttp.ClientSession, identity: dict[str, Any]) -> AsyncApp:
    """Bolt's app. It knows already what auth.test says, and takes nothing from any other workspace."""

    async def authorize(team_id: str | None = None) -> Any:
        if team_id not in (None, identity["team_id"]):
            log.warning("A payload of workspace %s was refused.", team_id)
            return None
        return AuthorizeResult(
            enterprise_id=identity.get("enterprise_id"),
            team_id=identity["team_id"],
            bot_id=identity.get("bot_id"),
            bot_user_id=identity.get("user_id"),
            bot_token=settings.bot_token,
        )

    base_url = settings.api_url or AsyncWebClient.BASE_URL
    return AsyncApp(
        name="vectorbea",
        logger=_bolt_log,
        client=AsyncWebClient(base_url=base_url, timeout=CALL_WITHIN_S, session=session, retry_handlers=[]),
        authorize=authorize,
        signing_secret=settings.signing_secret or "",
        user_facing_authorize_error_message=OTHER_WORKSPACE,
    )


async def _channel_id(directory: Directory, channel: str | None) -> str | None:
    """The id of the default channel. Raises ``SlackUnusable`` if there is none of that name."""
    if not channel:
        return None
    asked = await directory.asked(f"#{channel.removeprefix('#')}")
    if asked.kind != "channel":
        raise SlackUnusable(
            f"VB_DEFAULT_CHANNEL is {channel}, and no such channel is to be seen; check its name, and invite the bot "
            "there if it is private."
        )
    return asked.id


async def _finish(attending: Attending) -> None:
    if not await attending.finished(FINISH_WITHIN_S):
        log.warning("The bot stops before all that was received is finished; Slack tells the people concerned.")


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _say_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("Runs are not told in Slack any more; restart the bot.", exc_info=error)
