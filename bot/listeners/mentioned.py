"""Mentions in a command, turned back into what was typed: ``<@U…>`` into ``@ana``, ``<#C…|ops>`` into ``#ops``.

The one rule: what cannot be named is left as its id; nothing that was typed is lost. Shapes:
docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re

from bot.people.directory import Directory, Unreadable

_MENTION = re.compile(r"<(?P<sign>@|#|!subteam\^|!)(?P<id>[^<>|\s]+)(?:\|(?P<label>[^<>\s]*))?>")


async def as_typed(text: str, directory: Directory) -> str:
    """``text`` with names for mentions. Links and escaped characters are left to whoever reads the values."""
    pieces: list[str] = []
    end = 0
    for mention in _MENTION.finditer(text):
        pieces += [text[end : mention.start()], await _named(mention, directory)]
        end = mention.end()
    return "".join([*pieces, text[end:]])


def as_ids(text: str) -> str:
    """``text`` with ids for mentions, word by word as ``as_typed`` has names: ``@U0ABC``, ``@S0ABC``, ``#C0ABC``."""
    return _MENTION.sub(lambda mention: f"{'#' if mention['sign'] == '#' else '@'}{mention['id']}", text)


def unescape(text: str) -> str:
    """The characters that Slack escapes, as they were typed."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


async def _named(mention: re.Match[str], directory: Directory) -> str:
    sign, id_, label = mention["sign"], mention["id"], mention["label"]
    if sign == "#":
        return f"#{label or id_}"
    if label:
        return f"@{label.removeprefix('@')}"
    return f"@{await _handle(id_, directory)}" if sign == "@" else f"@{id_}"


async def _handle(user: str, directory: Directory) -> str:
    try:
        person = await directory.person(user)
    except Unreadable:
        return user
    return user if person is None else person.handle
