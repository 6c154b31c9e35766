"""`vb roles`: who has which role in Slack, as far as that is on record, and changing it from this machine.

The one rule: Slack is not asked. A name is kept as it is written, and stands for whoever has it when it counts; an id
(`@U0123ABC`) stands for one person or group for good.
"""

from __future__ import annotations

import re

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, say, say_json, table
from bot.console.whoami import changing_here
from bot.people.roles import grants_of
from bot.text.plain import one_line
from engine.core.roles import EVERYONE, Grant, Role, role_named
from engine.engine import Engine
from engine.store import to_text

_WHO = re.compile(r"[@#][^\s@#]{1,80}")


async def list_roles(settings: Settings, *, as_json: bool) -> int:
    """Every grant, those of the settings first."""
    async with defining_engine(settings) as engine:
        grants = (*grants_of(settings.admins), *await engine.workspace.grants())
    if as_json:
        say_json([_described(grant) for grant in grants])
        return DONE
    for line in table(("ROLE", "WHO", "FOR", "BY", "SINCE", "WHY"), [_cells(grant) for grant in grants]):
        say(line)
    if not any(grant.role is Role.ADMIN for grant in grants):
        note("Nobody is an admin yet: name somebody with VB_ADMINS, or with vb roles grant admin @ana.")
    return DONE


async def grant(settings: Settings, role: str, who: str, workflow: str | None, *, reason: str) -> int:
    """Give somebody a role."""
    wanted, to = _role(role), _who(who)
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        name = _workflow(engine, workflow)
        new = await engine.workspace.grant(wanted, to, to, name, by=acting.by, may=acting.may, reason=reason)
    what = f"{to} {'is now' if new else 'was'} {wanted}{f' for {name}' if name else ''}"
    say(one_line(f"{what}." if new else f"{what} already; nothing was changed.", 400))
    return DONE


async def revoke(settings: Settings, role: str, who: str, workflow: str | None, *, reason: str) -> int:
    """Take a role away that was granted to this name or id, or under this name in Slack."""
    wanted, to = _role(role), _who(who)
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        name = _workflow(engine, workflow)
        grants = await engine.workspace.grants()
        fitting = [one for one in grants if (one.role, one.workflow) == (wanted, name) and to in (one.to, one.name)]
        besides = bool(settings.admins)
        for one in fitting:
            await engine.workspace.revoke(
                wanted,
                one.to,
                name,
                by=acting.by,
                may=acting.may,
                reason=reason,
                admins_besides=besides,
            )
    what = f"{to} {'is no longer' if fitting else 'was not'} {wanted}{f' for {name}' if name else ''}"
    if not fitting:
        note(one_line(f"{what}; nothing was changed. vb roles list shows what was granted.", 400))
        return FAILED
    say(one_line(f"{what}.", 400))
    return DONE


def _role(word: str) -> Role:
    try:
        return role_named(word)
    except ValueError as problem:
        said = str(problem)
        raise Misuse(f"{said[0].upper()}{said[1:]}{'' if said.endswith('?') else '.'}") from None


def _who(who: str) -> str:
    if who.lower().lstrip("@") == EVERYONE:
        return EVERYONE
    if not _WHO.fullmatch(who):
        raise Misuse(f"{who!r} is nobody in Slack; write @ana, @oncall, #ops, everyone, or an id as @U0123ABC.")
    return who


def _workflow(engine: Engine, name: str | None) -> str | None:
    return None if name is None else engine.workflow(name).name


def _cells(grant: Grant) -> tuple[str, ...]:
    by = grant.by.name if grant.by else ("the settings" if grant.role is Role.ADMIN else "")
    since = to_text(grant.at) if grant.at else ""
    who = grant.name if grant.name == grant.to else f"{grant.name} ({grant.to})"
    return grant.role, who, grant.workflow or "everything", by, since, grant.reason


def _described(grant: Grant) -> JsonValue:
    return {
        "role": grant.role,
        "to": grant.to,
        "name": grant.name,
        "workflow": grant.workflow,
        "by": grant.by.name if grant.by else None,
        "at": to_text(grant.at) if grant.at else None,
        "reason": grant.reason,
    }
