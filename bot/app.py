"""The bot as a service: an engine and the settings of one Slack app in, a running bot out.

The one rule: no globals. Everything that runs is made here, in the order in which it depends on each other, and is
stopped in the opposite one: first nothing new is received, then what was received is finished, then the rest.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.bounds import USUAL, Bounds
from bot.listeners import LISTENERS, register
from bot.listeners.departures import Departures
from bot.receiving import transport
from bot.receiving.attending import Attending
from bot.receiving.transport import SlackUnusable
from bot.sending.allowance import sharing
from bot.sending.steps import SlackSender
from bot.telling.follower import Follower
from bot.workspaces.installations import Installations, States
from bot.workspaces.installing import InstallPages, OAuthApp
from bot.workspaces.tenant import Common, Identity, meanwhile
from bot.workspaces.tenants import Tenants
from engine.engine import Engine
from engine.store import Deliveries, NoSealer, Secrets

log = logging.getLogger(__name__)

NOT_SERVED = "This bot serves another workspace. Nothing was changed."
NOT_INSTALLED = "The app is not installed in this workspace any more. Nothing was changed; install it again at {url}."


def _not_about_the_token(record: logging.LogRecord) -> bool:
    return not record.getMessage().endswith("`token` will be unused.")


_bolt_log = logging.getLogger("bot.bolt")
_bolt_log.addFilter(_not_about_the_token)  # bolt reads SLACK_BOT_TOKEN by itself, and warns that it need not have


@dataclass(frozen=True, slots=True)
class BotSettings:
    """One Slack app. With ``app_token`` it is served over Socket Mode, else with ``signing_secret`` over HTTP.

    ``bot_token`` is that of its one workspace; with ``oauth`` it is served wherever people install it, and there too.

    ``default_channel`` (a name or an id) is where runs are told that were not started in a channel. ``api_url`` is for
    workspaces that are not at slack.com, such as the simulator. ``admins``: who is an admin besides those on record.
    ``folders`` hold the definitions that are kept deployed (``bot.workspaces.tenant.Common``). ``bounds``: how long
    whom is waited for.
    """

    bot_token: str | None = field(default=None, repr=False)
    app_token: str | None = field(default=None, repr=False)
    signing_secret: str | None = field(default=None, repr=False)
    oauth: OAuthApp | None = None
    api_url: str | None = None
    http_host: str = "127.0.0.1"
    http_port: int = 3000
    default_channel: str | None = None
    admins: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    bounds: Bounds = USUAL


class Service:
    """Serves Slack while its ``async with`` block is running; steps are run by ``engine.work()``, here or elsewhere.

    ``sender``, if given, is connected to each workspace, for the step ``slack.post``. Entering raises
    ``SlackUnusable``, and ``NoSealer`` where tokens could not be kept sealed.
    """

    def __init__(self, engine: Engine, settings: BotSettings, *, sender: SlackSender | None = None) -> None:
        self._engine = engine
        self._settings = settings
        self._sender = sender
        self._stack = AsyncExitStack()
        self.tenants: Tenants
        """The workspaces that are served."""
        self.team = ""
        """The id of the bot token's workspace; empty if there is none."""
        self.request_url = ""
        """Where signed requests are received; empty over Socket Mode."""
        self.url = ""
        """Where this process listens for HTTP, if it does: signed requests, and installations."""

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
        settings = self._settings
        if not settings.app_token and not settings.signing_secret:
            raise SlackUnusable(
                "Set SLACK_APP_TOKEN to serve Slack over Socket Mode, or SLACK_SIGNING_SECRET to serve it over HTTP."
            )
        session = await stack.enter_async_context(aiohttp.ClientSession())
        follower = Follower(Deliveries(self._engine.store), self._engine.home)
        common = Common(
            self._engine,
            session,
            await stack.enter_async_context(sharing(self._engine)),
            follower,
            api_url=settings.api_url,
            default_channel=settings.default_channel,
            admins=settings.admins,
            folders=settings.folders,
            sender=self._sender,
            bounds=settings.bounds,
        )
        installations = _installations(common, settings.oauth)
        tenants = self.tenants = Tenants(common, installations)
        stack.push_async_callback(tenants.close)
        if settings.bot_token:
            await self._open_home(tenants, common.client(settings.bot_token))
        await tenants.look()
        meanwhile(stack, follower.run(), "Runs of others are not told in Slack any more; restart the bot.")
        meanwhile(stack, common.watch.run(), "Definitions are not deployed any more; restart the bot.")
        meanwhile(stack, tenants.keep(), "New installations are not seen any more; restart the bot.")
        app = _bolt(settings, common.client(), tenants)
        attending = Attending()
        register(app, attending, Departures(tenants.depart))
        pages = None
        if settings.oauth is not None and installations is not None:
            states = States(Secrets(self._engine.store))
            pages = InstallPages(settings.oauth, common.client(), installations, states, tenants.installed)
        await self._receive(stack, app, common.client(), attending, pages)

    async def _open_home(self, tenants: Tenants, client: AsyncWebClient) -> None:
        identity = Identity.told(await transport.identify(client))
        self.team = identity.id
        await tenants.open_home(identity, client)

    async def _receive(
        self,
        stack: AsyncExitStack,
        app: AsyncApp,
        client: AsyncWebClient,
        attending: Attending,
        pages: InstallPages | None,
    ) -> None:
        settings = self._settings
        if settings.app_token:
            connected = transport.socket_mode(app, client, settings.app_token, attending, settings.bounds)
            await stack.enter_async_context(connected)
        if pages is not None or not settings.app_token:
            requests = None if settings.app_token else app
            add = pages.add_routes if pages is not None else None
            listening = transport.http(
                requests, settings.signing_secret or "", settings.http_host, settings.http_port, add
            )
            self.url = await stack.enter_async_context(listening)
        if not settings.app_token:
            self.request_url = self.url + transport.PATH
            log.info("Slack is to send its requests to %s (by way of an address that it can reach).", self.request_url)
        stack.push_async_callback(_finish, attending, settings.bounds.finished)


def _installations(common: Common, oauth: OAuthApp | None) -> Installations | None:
    """Where the app is installed. Raises ``NoSealer`` if that cannot be kept."""
    if oauth is None:
        return None
    if common.engine.settings.sealer is None:
        raise NoSealer
    rotator = AsyncTokenRotator(client_id=oauth.client_id, client_secret=oauth.client_secret, client=common.client())
    return Installations(Secrets(common.engine.store), oauth.client_id, rotator)


class Bolt(AsyncApp):
    """Bolt's app. It waits for the acknowledgement of a listener for ``within_s`` seconds."""

    def __init__(self, *, within_s: float, **settings: Any) -> None:
        super().__init__(**settings)
        self._within_s = within_s

    def _register_listener(self, *listener: Any, **more: Any) -> Any:
        """Here bolt sets a bound for each listener, which its decorators do not take."""
        more["ack_timeout"] = self._within_s
        return super()._register_listener(*listener, **more)  # pyright: ignore[reportUnknownMemberType]


def _bolt(settings: BotSettings, client: AsyncWebClient, tenants: Tenants) -> AsyncApp:
    """Bolt's app. Each payload gets the listeners of the workspace that it names, and of no other one."""

    async def authorize(context: AsyncBoltContext, enterprise_id: str | None, team_id: str | None) -> Any:
        tenant = await tenants.of(enterprise_id, team_id, context.is_enterprise_install)
        if tenant is None:
            log.warning("A payload of workspace %s was refused.", team_id or enterprise_id)
            return None
        context[LISTENERS] = tenant.listeners
        return tenant.authorized()

    refusal = NOT_SERVED if settings.oauth is None else NOT_INSTALLED.format(url=settings.oauth.install_url)
    return Bolt(
        within_s=settings.bounds.acknowledged,
        name="vectorbea",
        logger=_bolt_log,
        client=client,
        authorize=authorize,
        signing_secret=settings.signing_secret or "",
        user_facing_authorize_error_message=refusal,
    )


async def _finish(attending: Attending, within_s: float) -> None:
    if not await attending.finished(within_s):
        log.warning("The bot stops before all that was received is finished; Slack tells the people concerned.")
