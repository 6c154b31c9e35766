"""`vb workspaces`: where the app is installed, by whom, since when, and what it was not granted there.

The one rule: no token leaves what was read. What is printed is what Slack said of the installation: when it was made,
or just now, where the token is a setting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue, SecretStr
from slack_sdk.oauth.installation_store import Installation

from bot.config.masterkey import sealer
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.inslack import client_of
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say, say_json, table
from bot.manifest import SCOPES
from bot.receiving.transport import look_up
from bot.workspaces.installations import id_of, on_record
from bot.workspaces.tenant import Identity
from engine.core.instants import key_instant
from engine.core.words import listed
from engine.store import Secrets

BY_SETTING = "SLACK_BOT_TOKEN"


@dataclass(frozen=True, slots=True)
class Served:
    """A workspace, or an organization (``org_wide``). ``at`` and ``ends_at`` are instants, None where nobody knows.

    ``by`` installed the app there: a person, or nobody where the token is a setting.
    """

    id: str
    name: str
    scopes: frozenset[str]
    org_wide: bool = False
    app: str | None = None
    at: int | None = None
    by: str | None = None
    ends_at: int | None = None

    @property
    def lacks(self) -> list[str]:
        """What the manifest asks for, and was not granted there; nothing, if Slack did not say what was."""
        return [scope for scope in sorted(SCOPES) if scope not in self.scopes] if self.scopes else []


async def list_workspaces(settings: Settings, *, as_json: bool) -> int:
    """That of the bot token, then the first installed first.

    Raises ``SlackUnusable``, and ``Misuse`` where nothing can be known: without a token, and without the master key, as
    tokens lie beside what is shown.
    """
    if sealer(settings) is None and settings.bot_token is None:
        raise Misuse(
            "Where the app is installed lies sealed, with its tokens: set VB_MASTER_KEY_FILE to the file that vb serve "
            "has; or SLACK_BOT_TOKEN, for the one workspace of that token."
        )
    home: Sequence[Served] = []
    if settings.bot_token is not None:
        home = [await _of_token(settings, settings.bot_token)]
    known: Sequence[Served] = [] if sealer(settings) is None else await _installed(settings)
    found = [*home, *(one for one in known if one.id not in {each.id for each in home})]
    if as_json:
        say_json([_described(one) for one in found])
    elif found:
        for line in table(("WORKSPACE", "NAME", "INSTALLED", "BY", "SCOPES"), [_cells(one) for one in found]):
            say(line)
    else:
        note("The app is installed nowhere yet; people do so at /slack/install.")
    return DONE


async def _of_token(settings: Settings, token: SecretStr) -> Served:
    """The workspace of the bot token, as Slack tells it now. Raises ``SlackUnusable``."""
    told, granted = await look_up(client_of(settings, token.get_secret_value()))
    identity = Identity.told(told)
    return Served(identity.id, identity.name, granted, identity.org_wide)


async def _installed(settings: Settings) -> Sequence[Served]:
    async with reading_engine(settings, any_key=True) as engine:
        found = [_recorded(one) for one in await on_record(Secrets(engine.store))]
    return sorted(found, key=lambda one: (one.at or 0, one.id))


def _recorded(one: Installation) -> Served:
    return Served(
        id_of(one),
        (one.enterprise_name if one.is_enterprise_install else one.team_name) or id_of(one),
        frozenset(one.bot_scopes or ()),
        bool(one.is_enterprise_install),
        one.app_id,
        int(one.installed_at * 1_000),
        one.user_id,
        None if one.bot_token_expires_at is None else one.bot_token_expires_at * 1_000,
    )


def _cells(one: Served) -> tuple[str, ...]:
    scopes = f"lacks {listed(one.lacks, 2)}; install it again" if one.lacks else "as asked for"
    return one.id, one.name, "" if one.at is None else key_instant(one.at), one.by or BY_SETTING, scopes


def _described(one: Served) -> JsonValue:
    return {
        "workspace": one.id,
        "name": one.name,
        "org_wide": one.org_wide,
        "app": one.app,
        "installed_at": None if one.at is None else key_instant(one.at),
        "installed_by": one.by,
        "by_setting": None if one.by else BY_SETTING,
        "scopes": [*sorted(one.scopes)],
        "lacks": [*one.lacks],
        "token_ends_at": None if one.ends_at is None else key_instant(one.ends_at),
    }
