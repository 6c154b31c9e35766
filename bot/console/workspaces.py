"""`vb workspaces`: where the app is installed, by whom, since when, and what it was not granted there.

The one rule: no token leaves what was read. What is printed is what Slack said of the installation.
"""

from __future__ import annotations

from pydantic import JsonValue
from slack_sdk.oauth.installation_store import Installation

from bot.config.masterkey import sealer
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say, say_json, table
from bot.manifest import SCOPES
from bot.workspaces.installations import id_of, on_record
from engine.core.instants import key_instant
from engine.core.words import listed
from engine.store import Secrets


async def list_workspaces(settings: Settings, *, as_json: bool) -> int:
    """The first installed first. Raises ``Misuse`` without the master key, as tokens lie beside what is shown."""
    if sealer(settings) is None:
        raise Misuse(
            "Where the app is installed lies sealed, with its tokens: set VB_MASTER_KEY_FILE to the file that vb serve "
            "has."
        )
    async with reading_engine(settings, any_key=True) as engine:
        found = sorted(await on_record(Secrets(engine.store)), key=lambda one: (one.installed_at, id_of(one)))
    if as_json:
        say_json([_described(one) for one in found])
    elif found:
        head = ("WORKSPACE", "NAME", "INSTALLED", "BY", "SCOPES")
        for line in table(head, [_cells(one) for one in found]):
            say(line)
    else:
        note(
            "The app is installed nowhere yet; people do so at /slack/install. The workspace of SLACK_BOT_TOKEN is not "
            "listed: its token is a setting."
        )
    return DONE


def _cells(one: Installation) -> tuple[str, ...]:
    lacks = _lacking(one)
    scopes = f"lacks {listed(lacks, 2)}; install it again" if lacks else "as asked for"
    return id_of(one), _name(one), key_instant(_at(one)), one.user_id, scopes


def _described(one: Installation) -> JsonValue:
    return {
        "workspace": id_of(one),
        "name": _name(one),
        "org_wide": bool(one.is_enterprise_install),
        "app": one.app_id,
        "installed_at": key_instant(_at(one)),
        "installed_by": one.user_id,
        "scopes": [*sorted(one.bot_scopes or ())],
        "lacks": [*_lacking(one)],
        "token_ends_at": None if one.bot_token_expires_at is None else key_instant(one.bot_token_expires_at * 1_000),
    }


def _name(one: Installation) -> str:
    return (one.enterprise_name if one.is_enterprise_install else one.team_name) or id_of(one)


def _at(one: Installation) -> int:
    return int(one.installed_at * 1_000)


def _lacking(one: Installation) -> list[str]:
    """What the manifest asks for, and was not granted there."""
    return [scope for scope in sorted(SCOPES) if scope not in (one.bot_scopes or ())]
