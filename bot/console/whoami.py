"""Who types: the user of this machine, by the account that the process runs under, and whose that account is.

The one rule: the operating system is asked, not the environment, in which everybody may write what they like. That an
account is somebody's in Slack is on record, since they said so there; it is never concluded from a name.
"""

from __future__ import annotations

import os
import platform
import pwd
from typing import NamedTuple

from bot.config.permissions import may
from bot.config.settings import Settings
from bot.people.roles import grants_of
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.engine import Engine


class NotLinked(EngineError):
    """The settings want to know whose an account is before it acts on runs, and nobody has said."""

    def __init__(self) -> None:
        super().__init__(
            "Nobody has said whose this account is, and VB_CLI_MUST_LINK wants that; nothing was changed. Type "
            "/vb link in Slack, then vb link CODE here."
        )


def me() -> Actor:
    """The machine's user, as one who came by way of the command line."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = f"uid {os.getuid()}"
    return Actor(via="cli", id=str(os.getuid()), name=name)


def machine() -> str:
    """The name of this machine: an account's number is somebody else's on another one."""
    return platform.node() or "this machine"


async def person_here(engine: Engine) -> Actor:
    """Who acts: the person whose this account is, if that is on record, else the account."""
    account = me()
    return await engine.identities.person_of(account, machine()) or account


class Changing(NamedTuple):
    """Who changes definitions, roles, keys or secrets, and what of it they may."""

    by: Actor
    may: frozenset[str]


async def changing_here(settings: Settings, engine: Engine) -> Changing:
    """Who acts, with the permissions that they have as this account, and as the person whose it is."""
    person = await person_here(engine)
    grants = (*grants_of(settings.admins), *await engine.workspace.grants())
    return Changing(person, may(settings, me(), person, grants))


async def acting_here(settings: Settings, engine: Engine) -> Actor:
    """The same, for what is done with runs. Raises ``NotLinked`` where that takes a person."""
    person = await person_here(engine)
    if settings.cli_must_link and person.via == "cli":
        raise NotLinked
    return person
