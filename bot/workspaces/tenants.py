"""All workspaces that a process serves: the one of the bot token, if one is set, and those where the app was installed.

The one rule: what a payload may reach is decided here, by the workspace that Slack's signed payload names. It is served
through what was made for that workspace, and through nothing else.

Other processes install and remove too, and renew tokens; so what is on record is looked at every few seconds, and what
is served is made to equal it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.config.settings import workspace_of
from bot.people.directory import Unreadable, error_name, reason_of
from bot.workspaces.installations import Installations, NotRenewed, installed_id
from bot.workspaces.leaving import BY_SLACK, leave, take_up
from bot.workspaces.tenant import Common, Identity, Tenant, serving
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.roles import Role
from engine.core.workspace import ROLES
from engine.engine import Engine

log = logging.getLogger(__name__)

LOOK_EVERY_S = 5.0

_ENDED = frozenset({"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"})
"""What Slack says of the token of an installation that is no more."""


class Tenants:
    """``installations`` is None where the bot token's workspace is the only one."""

    def __init__(self, common: Common, installations: Installations | None = None) -> None:
        self._common = common
        self._installations = installations
        self._served: dict[str, tuple[Tenant, AsyncExitStack]] = {}
        self._home = ""
        self._changing = asyncio.Lock()
        self._said: dict[str, str] = {}

    @property
    def served(self) -> Mapping[str, Tenant]:
        """The workspaces that are served at the moment, by Slack's ids."""
        return {installed: tenant for installed, (tenant, _) in self._served.items()}

    async def keep(self) -> None:
        """Look after the workspaces until cancelled."""
        while True:
            try:
                await self.look()
            except EngineError as error:
                log.warning("Which workspaces there are is looked at again: %s", error)
            except Exception:
                log.exception("Looking after the workspaces met a fault that nobody foresaw, and goes on.")
            await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Serve no workspace any more."""
        for installed in tuple(self._served):
            await self._close(installed)

    async def open_home(self, identity: Identity, client: AsyncWebClient) -> Tenant:
        """Serve the workspace of the bot token, which was just seen to hold."""
        self._home = identity.id
        await take_up(self._engine(identity.id), BY_SLACK)
        return await self._open(identity, client, only=self._installations is None)

    async def of(self, enterprise: str | None, team: str | None, org_wide: bool | None) -> Tenant | None:
        """The workspace that a payload is about; None if the app is not installed there."""
        installed = installed_id(enterprise, team, org_wide)
        if (known := self._served.get(installed)) is not None:
            return known[0]
        if self._installations is None or not installed:
            return None
        found = await self._installations.of(installed)
        return None if found is None else await self._serve(found)

    async def installed(self, installation: Installation) -> None:
        """Begin to serve where the app was just installed, or go on there with the new token.

        Whoever installs it where nobody is an admin becomes one.
        """
        tenant = await self._serve(installation)
        by, handle = await _installer(tenant, installation.user_id)
        await take_up(tenant.engine, by)
        await tenant.engine.workspace.grant(
            Role.ADMIN, f"@{by.id}", handle, by=by, may=frozenset({ROLES}),
            reason="they installed the app first", if_no_admin=True,
        )  # fmt: skip

    async def depart(self, installed: str) -> None:
        """End the service where the app is no longer installed. Nothing, if Slack says that the token still holds.

        Slack may tell of it late and more than once, and the app may have been installed again meanwhile. Raises
        ``NotSaid`` where Slack is not to be asked, so that it tells again.
        """
        token = await self._token(installed)
        if token is None:
            return
        if not await self._has_ended(installed, token):
            log.info("%s was said to have left, but its token holds; it stays.", installed)
            return
        async with self._changing:
            await self._close(installed)
            # The installation goes last: until then this is done again by whoever is told again.
            await leave(self._engine(installed))
            if self._installations is not None:
                await self._installations.remove(installed)
        log.warning("The app was removed from %s: it is served no more, and its runs are paused.", installed)

    async def look(self) -> None:
        """Make what is served equal what is on record, once; tokens that end soon are renewed."""
        if self._installations is None:
            return
        on_record = await self._installations.all()
        for installed in self._served.keys() - on_record.keys() - {self._home}:  # others have seen them leave
            async with self._changing:
                if await self._installations.of(installed) is None:  # not installed since the list was read, either
                    await self._close(installed)
        for installed, found in on_record.items():
            try:
                await self._look_at(installed, found)
                self._said.pop(installed, None)
            except EngineError as error:
                self._say(installed, str(error))

    async def _look_at(self, installed: str, found: Installation) -> None:
        if self._installations is None or not self._installations.ends_soon(found):
            await self._serve(found)
            return
        try:
            fresh = await self._installations.fresh(installed)
        except NotRenewed:
            await self._serve(found)  # its token may hold for a while
            raise
        if fresh is not None:
            await self._serve(fresh)

    async def _serve(self, installation: Installation) -> Tenant:
        """The workspace, opened if need be, with the token that was just read; anew if another bot is there now."""
        identity = Identity.of(installation)
        async with self._changing:
            served = self.served.get(identity.id)
            if served is not None and identity.id == self._home:
                return served
            if served is not None and served.identity == identity:
                served.client.token = installation.bot_token
                return served
            await self._close(identity.id)
            return await self._open(identity, self._common.client(installation.bot_token))

    async def _open(self, identity: Identity, client: AsyncWebClient, *, only: bool = False) -> Tenant:
        async with AsyncExitStack() as stack:
            made = serving(self._common, self._engine(identity.id), identity, client, only=only)
            tenant = await stack.enter_async_context(made)
            self._served[identity.id] = tenant, stack.pop_all()
        log.info("Serving %s (%s).", identity.name, identity.id)
        return tenant

    async def _close(self, installed: str) -> None:
        served = self._served.pop(installed, None)
        if served is not None:
            await served[1].aclose()

    def _engine(self, installed: str) -> Engine:
        """The engine as the workspace sees it; that of the bot token has the name that there always was."""
        engine = self._common.engine
        return engine if installed == self._home else engine.within(workspace_of(installed))

    async def _token(self, installed: str) -> str | None:
        """The token by which the app is installed there, as far as is known here."""
        if installed == self._home:
            served = self._served.get(installed)
            return None if served is None else served[0].client.token
        found = None if self._installations is None else await self._installations.of(installed)
        return None if found is None else found.bot_token

    async def _has_ended(self, installed: str, token: str) -> bool:
        """Whether Slack takes the token no more. Raises ``NotSaid``."""
        client: Any = self._common.client(token)
        try:
            await client.auth_test()
        except SlackApiError as error:
            if error_name(error) in _ENDED:
                return True
            raise NotSaid(installed, reason_of(error)) from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotSaid(installed, reason_of(error)) from None
        return False

    def _say(self, installed: str, sentence: str) -> None:
        """Say it once for as long as it stays so."""
        if self._said.get(installed) != sentence:
            self._said[installed] = sentence
            log.warning("%s", sentence)


async def _installer(tenant: Tenant, user: str) -> tuple[Actor, str]:
    """Who installed the app, as the history names them, and their handle."""
    try:
        person = await tenant.desk.directory.person(user)
    except Unreadable:
        person = None
    if person is None:
        return Actor(via="slack", id=user, name=user), f"@{user}"
    return Actor(via="slack", id=user, name=person.name), f"@{person.handle}"


class NotSaid(EngineError):
    """Slack did not say whether an installation still holds."""

    def __init__(self, installed: str, why: str) -> None:
        super().__init__(f"Slack did not say whether the app is still installed in {installed} ({why}).")
