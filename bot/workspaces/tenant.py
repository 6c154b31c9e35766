"""One Slack workspace as it is served: its client, its directory, its one sender, its threads, its listeners.

The one rule: everything that knows a workspace's token or its runs is made here, for this workspace alone, and ends
with it. An organization in which the app was installed org-wide counts as one workspace: it has one token.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.kit import Block
from bot.blocks.waiting import waiting
from bot.bounds import USUAL, Bounds
from bot.listeners import Listeners
from bot.listeners.desk import Desk
from bot.people.directory import Directory
from bot.people.roles import Roles, asked_by_role
from bot.people.waiting import waiting_for
from bot.receiving.transport import SlackUnusable
from bot.sending.allowance import Allowance
from bot.sending.files import Files
from bot.sending.outbox import Outbox, PacedClient
from bot.sending.steps import SlackSender
from bot.telling.follower import Follower
from bot.telling.homes import Homes
from bot.telling.notices import Notices
from bot.telling.threads import Threads
from bot.workspaces.installations import id_of
from engine.engine import Engine
from engine.folder import Watch

log = logging.getLogger(__name__)

CALL_WITHIN_S = 10

_client_log = logging.getLogger("bot.slack")
_client_log.setLevel(logging.INFO)  # below it the client writes down whole answers, with the tokens of an installation


@dataclass(frozen=True, slots=True)
class Identity:
    """Which workspace it is, or which organization (``org_wide``), and which bot is there. ``id`` is Slack's."""

    id: str
    name: str
    bot_id: str
    bot_user_id: str
    enterprise_id: str | None = None
    org_wide: bool = False

    @classmethod
    def of(cls, installation: Installation) -> Identity:
        """Of where the app was installed."""
        org_wide = bool(installation.is_enterprise_install)
        name = installation.enterprise_name if org_wide else installation.team_name
        return cls(
            id_of(installation),
            name or id_of(installation),
            installation.bot_id or "",
            installation.bot_user_id or "",
            installation.enterprise_id,
            org_wide,
        )

    @classmethod
    def told(cls, answer: dict[str, Any]) -> Identity:
        """Of what auth.test has answered."""
        org_wide = bool(answer.get("is_enterprise_install"))
        known = str((answer.get("enterprise_id") if org_wide else None) or answer["team_id"])
        name = str(answer.get("team") or known)
        bot, user = str(answer.get("bot_id") or ""), str(answer.get("user_id") or "")
        return cls(known, name, bot, user, answer.get("enterprise_id"), org_wide)


@dataclass(frozen=True, slots=True)
class Common:
    """What all workspaces of a process share. ``engine`` gives each its own facade.

    ``default_channel`` (a name or an id) is where runs are told that were not started in a channel. ``admins``: who is
    an admin besides those on record. ``folders`` hold definitions: what lies in one is kept deployed everywhere; what
    lies in a folder in it that is called by a workspace's id, in that workspace alone.
    """

    engine: Engine
    session: aiohttp.ClientSession
    allowance_of: Callable[[str], Allowance]
    follower: Follower
    watch: Watch = field(default_factory=Watch)
    api_url: str | None = None
    default_channel: str | None = None
    admins: tuple[str, ...] = ()
    folders: tuple[Path, ...] = ()
    sender: SlackSender | None = None
    bounds: Bounds = USUAL

    def client(self, token: str | None = None) -> AsyncWebClient:
        """The Web API. Without the library's retries: they post again where it is not known whether a post arrived."""
        return AsyncWebClient(
            token=token,
            base_url=self.api_url or AsyncWebClient.BASE_URL,
            timeout=CALL_WITHIN_S,
            session=self.session,
            retry_handlers=[],
            logger=_client_log,
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """A workspace that is being served."""

    identity: Identity
    engine: Engine
    client: AsyncWebClient = field(repr=False)
    desk: Desk
    listeners: Listeners

    def authorized(self) -> AuthorizeResult:
        """What bolt has to know to take a payload of this workspace."""
        return AuthorizeResult(
            enterprise_id=self.identity.enterprise_id,
            team_id=None if self.identity.org_wide else self.identity.id,
            bot_id=self.identity.bot_id,
            bot_user_id=self.identity.bot_user_id,
            bot_token=self.client.token,
        )


@asynccontextmanager
async def serving(
    common: Common, engine: Engine, identity: Identity, client: AsyncWebClient, *, only: bool = False
) -> AsyncGenerator[Tenant]:
    """Serve the workspace, which sees ``engine``, until the block ends.

    ``only``: it is the one that the settings are about. Then a default channel that it does not have is
    ``SlackUnusable``; of many workspaces, those without it do without.
    """
    bounds = common.bounds
    async with AsyncExitStack() as stack:
        await engine.definitions.refresh()
        outbox = Outbox(client, allowance=common.allowance_of(identity.id))
        paced = PacedClient(client, outbox, within_s=bounds.turn)
        directory = Directory(
            paced,
            identity.id,
            org_wide=identity.org_wide,
            roles=asked_by_role(engine, common.admins),
            within_s=bounds.answered,
        )
        stack.push_async_callback(directory.close)
        default = await _default_channel(directory, common.default_channel, must_be=only)
        if common.sender is not None:
            stack.callback(common.sender.connect(engine, outbox, directory, default_channel=default))
        threads = Threads(engine, outbox, directory, default_channel=default, owner=common.follower.owner)
        notices = Notices(
            engine,
            outbox,
            directory,
            default_channel=default,
            owner=common.follower.owner,
            answered=threads.show_answers,
        )
        stack.push_async_callback(notices.close)
        stack.enter_context(common.follower.following(engine.settings.workspace, threads, notices))
        meanwhile(stack, threads.run(), "Runs are not told in Slack any more; restart the bot.")
        if folders := _folders(common, identity):
            stack.enter_context(common.watch.watching(engine.folder(folders)))
        roles = Roles(engine, directory, common.admins)
        homes = Homes(engine, outbox, roles, lambda user: _waiting(engine, directory, user))
        meanwhile(stack, homes.run(), "Home tabs are shown as they were when they were opened; restart the bot.")
        desk = Desk(engine, directory, paced, identity.id, roles, Files(outbox, engine.store), bounds)
        yield Tenant(identity, engine, client, desk, Listeners(desk, homes))


async def _waiting(engine: Engine, directory: Directory, user: str) -> list[Block]:
    found = await waiting_for(engine, directory, user)
    return waiting(found) if found else []


def _folders(common: Common, identity: Identity) -> list[Path]:
    own = (folder / identity.id for folder in common.folders)
    return [*common.folders, *(folder for folder in own if folder.is_dir())]


def meanwhile(stack: AsyncExitStack, work: Coroutine[Any, Any, None], if_it_fails: str) -> None:
    """Do it until the stack is left."""

    def say(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s", if_it_fails, exc_info=error)

    task = asyncio.create_task(work)
    task.add_done_callback(say)
    stack.push_async_callback(_cancelled, task)


async def _default_channel(directory: Directory, channel: str | None, *, must_be: bool) -> str | None:
    """The id of the default channel; None if none is set, or there is none of that name."""
    if not channel:
        return None
    asked = await directory.asked(f"#{channel.removeprefix('#')}")
    if asked.kind == "channel":
        return asked.id
    if must_be:
        raise SlackUnusable(
            f"VB_DEFAULT_CHANNEL is {channel}, and no such channel is to be seen; check its name, and invite the bot "
            "there if it is private."
        )
    return None


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
