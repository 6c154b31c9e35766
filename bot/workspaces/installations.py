"""Where the app is installed, with its tokens: what slack_sdk's OAuth code asks an installation store for.

The one rule: tokens leave memory sealed only, and a token that is renewed is renewed by one process: the refresh token
is good once. There is one installation for each workspace, or for each organization where the app was installed
org-wide; its id is Slack's, ``T…`` or ``E…``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Mapping, Sequence

import aiohttp
from slack_sdk.errors import SlackClientError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot, Installation
from slack_sdk.oauth.installation_store.async_installation_store import AsyncInstallationStore
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator

from bot.people.directory import error_name, reason_of
from engine.core.errors import EngineError
from engine.ids import worker_id
from engine.store import Secrets

log = logging.getLogger(__name__)

RENEW_BEFORE_MIN = 120
"""A token lives for twelve hours; it is renewed this long before it ends, while the one before it still holds."""

STATE_LIFETIME_MS = 600_000

_HELD_MS = 30_000
"""For so long one process renews a token; longer than a call of Slack may take."""
_LOOK_AGAIN_S = 0.1
_INSTALLATIONS = "slack/installation/"
_STATES = "slack/state/"


class NotRenewed(EngineError):
    """A token that ends soon could not be exchanged for a new one. The text says what to do."""


def installed_id(enterprise_id: str | None, team_id: str | None, org_wide: bool | None) -> str:
    """Which installation a payload or an answer of Slack is about; empty if it does not say."""
    return (enterprise_id if org_wide or not team_id else team_id) or ""


def id_of(installation: Installation) -> str:
    return installed_id(installation.enterprise_id, installation.team_id, installation.is_enterprise_install)


async def on_record(store: Secrets) -> Sequence[Installation]:
    """Every installation of every app."""
    return [_read(text) for text in (await store.beginning_with(_INSTALLATIONS)).values()]


class Installations(AsyncInstallationStore):
    """The installations of the app ``client_id``. The newest installation of a workspace takes the place of older ones.

    ``rotator`` is what asks Slack for new tokens.
    """

    def __init__(
        self,
        store: Secrets,
        client_id: str,
        rotator: AsyncTokenRotator,
        *,
        renew_before_min: int = RENEW_BEFORE_MIN,
    ) -> None:
        self._store = store
        self._prefix = f"{_INSTALLATIONS}{client_id}/"
        self._rotator = rotator
        self._renew_before_min = renew_before_min
        self._me = worker_id()

    @property
    def logger(self) -> logging.Logger:
        return log

    async def all(self) -> Mapping[str, Installation]:
        """Every installation, by its id."""
        found = await self._store.beginning_with(self._prefix)
        return {name.removeprefix(self._prefix): _read(text) for name, text in found.items()}

    async def of(self, installed: str) -> Installation | None:
        """The installation with this id."""
        text = await self._store.get(self._prefix + installed)
        return None if text is None else _read(text)

    async def fresh(self, installed: str) -> Installation | None:
        """The installation, with a token that does not end soon: it is renewed here, or by another process meanwhile.

        Raises ``NotRenewed``.
        """
        found = await self.of(installed)
        while found is not None and self.ends_soon(found):
            if await self._store.claim(self._prefix + installed, self._me, _HELD_MS):
                return await self._renewed(installed)
            await asyncio.sleep(_LOOK_AGAIN_S)
            found = await self.of(installed)
        return found

    async def remove(self, installed: str) -> bool:
        """Forget the installation and its tokens; whether there was one."""
        return await self._store.take(self._prefix + installed) is not None

    # What slack_sdk asks of a store

    async def async_save(self, installation: Installation) -> None:
        await self._store.put(self._prefix + id_of(installation), _written(installation))

    async def async_find_installation(
        self,
        *,
        enterprise_id: str | None,
        team_id: str | None,
        user_id: str | None = None,
        is_enterprise_install: bool | None = False,
    ) -> Installation | None:
        found = await self.fresh(installed_id(enterprise_id, team_id, is_enterprise_install))
        return found if found is None or user_id in (None, found.user_id) else None

    async def async_find_bot(
        self, *, enterprise_id: str | None, team_id: str | None, is_enterprise_install: bool | None = False
    ) -> Bot | None:
        found = await self.fresh(installed_id(enterprise_id, team_id, is_enterprise_install))
        return None if found is None else found.to_bot()

    async def async_delete_installation(
        self, *, enterprise_id: str | None, team_id: str | None, user_id: str | None = None
    ) -> None:
        found = await self.of(installed_id(enterprise_id, team_id, None))
        if found is not None and user_id in (None, found.user_id):
            await self.remove(id_of(found))

    async def async_delete_bot(self, *, enterprise_id: str | None, team_id: str | None) -> None:
        await self.remove(installed_id(enterprise_id, team_id, None))

    # Renewing

    def ends_soon(self, installation: Installation) -> bool:
        """Whether its token is to be renewed now."""
        ends = installation.bot_token_expires_at
        if ends is None or not installation.bot_refresh_token:
            return False
        return ends <= time.time() + self._renew_before_min * 60  # the clock of slack_sdk's rotation

    async def _renewed(self, installed: str) -> Installation | None:
        """Renew it, now that nobody else may. Another one may have done so before."""
        name = self._prefix + installed
        try:
            found = await self.of(installed)
            if found is None:
                return None
            await _exchange(self._rotator, found, self._renew_before_min)
            if await self._store.put(name, _written(found), holder=self._me):
                return found
            return await self.of(installed)
        finally:
            await self._store.release(name, self._me)


async def _exchange(rotator: AsyncTokenRotator, found: Installation, before_min: int) -> None:
    """Give the refresh token for a new pair of tokens, which become those of ``found``. Raises ``NotRenewed``.

    Nothing is asked, and nothing changes, if the token does not end soon any more.
    """
    try:
        bot = await rotator.perform_bot_token_rotation(bot=found.to_bot(), minutes_before_expiration=before_min)
    except SlackTokenRotationError as error:
        raise NotRenewed(_why(found, error_name(error.api_error))) from None
    except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotRenewed(_why(found, reason_of(error))) from None
    if bot is not None:
        found.bot_token = bot.bot_token
        found.bot_refresh_token = bot.bot_refresh_token
        found.bot_token_expires_at = bot.bot_token_expires_at


class States(AsyncOAuthStateStore):
    """The states of installations under way: each is good once, in whichever process it comes back to."""

    def __init__(self, store: Secrets, *, lifetime_ms: int = STATE_LIFETIME_MS) -> None:
        self._store = store
        self._lifetime_ms = lifetime_ms

    @property
    def logger(self) -> logging.Logger:
        return log

    async def async_issue(self, *args: object, **kwargs: object) -> str:
        await self._store.drop_older(_STATES, self._lifetime_ms)
        state = secrets.token_urlsafe(24)
        await self._store.put(_STATES + state, "issued")
        return state

    async def async_consume(self, state: str) -> bool:
        await self._store.drop_older(_STATES, self._lifetime_ms)
        return await self._store.take(_STATES + state) is not None


def _why(found: Installation, reason: str) -> str:
    name = found.team_name or found.enterprise_name or id_of(found)
    return (
        f"The token of {name} could not be renewed ({reason or 'an answer that is no JSON'}); it is tried again. If it "
        "stays so, install the app there once more at /slack/install."
    )


def _written(installation: Installation) -> str:
    # What is no JSON in an installation are instants, which it takes back as texts.
    return json.dumps(installation.to_dict_for_copying(), ensure_ascii=False, separators=(",", ":"), default=str)


def _read(text: str) -> Installation:
    return Installation(**json.loads(text))
