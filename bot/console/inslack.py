"""Slack as a terminal may ask it: who is who in the workspace that commands are about.

The one rule: it asks, and never posts. The token is opened as the bot opens it, from the setting or from where it lies
sealed, and goes nowhere but to Slack.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import time

from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.config.masterkey import sealer
from bot.config.settings import Settings
from bot.people.directory import Directory
from bot.people.roles import asked_by_role
from bot.receiving.transport import look_up
from bot.workspaces.installations import id_of, on_record
from bot.workspaces.tenant import CALL_WITHIN_S, Identity
from engine.core.errors import EngineError
from engine.engine import Engine
from engine.store import Secrets

ANSWER_WITHIN_S = 30.0
"""Nobody waits for an acknowledgement here, as one who clicks does."""


class NoWayToSlack(EngineError):
    """This terminal has nothing to ask Slack with, of the workspace that commands are about."""

    def __init__(self) -> None:
        super().__init__(
            "Slack says who may decide, and this terminal cannot ask it: there is no bot token of the workspace here. "
            "Nothing was changed. Set SLACK_BOT_TOKEN; or VB_WORKSPACE and VB_MASTER_KEY_FILE, where the app was "
            "installed at /slack/install. Or decide in Slack."
        )


def client_of(settings: Settings, token: str) -> AsyncWebClient:
    url = settings.slack_api_url or AsyncWebClient.BASE_URL
    return AsyncWebClient(token, base_url=url, timeout=CALL_WITHIN_S)


@asynccontextmanager
async def directory_here(settings: Settings, engine: Engine) -> AsyncGenerator[Directory]:
    """Who is who, as Slack says now. Raises ``NoWayToSlack``, and ``SlackUnusable`` if it does not take the token."""
    identity, client = await _workspace(settings, engine)
    roles = asked_by_role(engine, settings.admins)
    directory = Directory(client, identity.id, org_wide=identity.org_wide, roles=roles, within_s=ANSWER_WITHIN_S)
    try:
        yield directory
    finally:
        await directory.close()


async def _workspace(settings: Settings, engine: Engine) -> tuple[Identity, AsyncWebClient]:
    """The workspace of the bot token, unless the settings name another one; then that, as it was installed."""
    if settings.bot_token is not None:
        client = client_of(settings, settings.bot_token.get_secret_value())
        identity = Identity.told((await look_up(client))[0])
        if settings.given_workspace in (None, identity.id):
            return identity, client
    found = await _installed(settings, engine)
    if found is None or not found.bot_token:
        raise NoWayToSlack
    return Identity.of(found), client_of(settings, found.bot_token)


async def _installed(settings: Settings, engine: Engine) -> Installation | None:
    """The newest installation in the workspace. A token that has ended is for the bot to renew, which can."""
    if settings.given_workspace is None or sealer(settings) is None:
        return None
    known = [one for one in await on_record(Secrets(engine.store)) if id_of(one) == settings.given_workspace]
    holding = [one for one in known if one.bot_token_expires_at is None or one.bot_token_expires_at > time()]
    return max(holding, key=lambda one: one.installed_at, default=None)
