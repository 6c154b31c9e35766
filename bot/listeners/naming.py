"""People and channels among inputs: names for those who read them, ids for Slack's own lists.

The one rule: a run is started with the unique names that people and definitions use (``@ana``, ``#ops``), of somebody
who is there; an id is only what a form hands over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.blocks.words import Asked
from bot.people.directory import Directory, Unreadable
from bot.people.roles import identified
from engine.core.kinds import InputField, InputType

_KINDS = {InputType.USER: "person", InputType.CHANNEL: "channel"}


async def with_ids(directory: Directory, fields: Mapping[str, InputField], given: Mapping[str, str]) -> dict[str, str]:
    """``given``, and the defaults that name somebody, with ids in the place of names, for a form.

    A name that stands for nobody, or that Slack says nothing of, is left out: the form asks for it anew.
    """
    names = {name: given.get(name, field.default) for name, field in fields.items() if field.type in _KINDS}
    wanted = {name: value for name, value in names.items() if isinstance(value, str) and value}
    found = await asyncio.gather(*(_asked(directory, value) for value in wanted.values()))
    ids = {
        name: f"{value[0]}{asked.id}"
        for (name, value), asked in zip(wanted.items(), found, strict=True)
        if asked.kind == _KINDS[fields[name].type]
    }
    return {**{name: value for name, value in given.items() if name not in wanted}, **ids}


async def with_names(
    directory: Directory, fields: Mapping[str, InputField], values: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """``values`` with names in the place of ids, and a sentence for each that stands for nobody here.

    What Slack says nothing of is taken as it is: a run need not wait for that.
    """
    wanted = {name: value for name, value in values.items() if name in fields and fields[name].type in _KINDS and value}
    found = await asyncio.gather(*(_name(directory, fields[name], value) for name, value in wanted.items()))
    named = dict(zip(wanted, found, strict=True))
    problems = {name: _problem(name, fields[name], wanted[name]) for name, value in named.items() if not value}
    return {**values, **{name: value for name, value in named.items() if value}}, problems


async def _name(directory: Directory, field: InputField, value: str) -> str:
    """The unique name; empty where there is nobody of that kind."""
    asked = await _asked(directory, value)
    if asked.kind == "unread":
        return value
    if asked.kind != _KINDS[field.type]:
        return ""
    try:
        return await directory.name_of(asked)
    except Unreadable:
        return value


async def _asked(directory: Directory, value: str) -> Asked:
    return identified(value) or await directory.asked(value)


def _problem(name: str, field: InputField, value: str) -> str:
    if field.type is InputType.CHANNEL:
        which = "that channel" if identified(value) else f"a channel {value}"
        return f"{name}: this bot does not see {which}; if it is private, invite the bot there"
    return f"{name}: there is no person {value} in this workspace"
