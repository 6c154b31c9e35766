"""What a person types becomes Slack's markup: @people, @groups, #channels, and escaped angle brackets.

Markup that is already there (`<@U…>`, `<https://…>`) is left as it is.
"""

import re

from bot.simulator.workspace import Workspace

_MARKUP = re.compile(r"<(?:[@#!][^<>\s]+|https?://[^<>\s]+)>")
_WORD = re.compile(r"(?<![\w@#])([@#])([\w.-]*\w)")
_EVERYBODY = frozenset({"here", "channel", "everyone"})


def typed_to_markup(workspace: Workspace, text: str) -> str:
    pieces: list[str] = []
    end = 0
    for found in _MARKUP.finditer(text):
        pieces += [_plain(workspace, text[end : found.start()]), found.group()]
        end = found.end()
    return "".join([*pieces, _plain(workspace, text[end:])])


def mentions(text: str, user_id: str) -> bool:
    return f"<@{user_id}>" in text or f"<@{user_id}|" in text


def _plain(workspace: Workspace, text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _WORD.sub(lambda found: _named(workspace, found.group(1), found.group(2)) or found.group(), escaped)


def _named(workspace: Workspace, sign: str, name: str) -> str | None:
    if sign == "#":
        channel = next((c for c in workspace.channels.values() if c.name == name and not c.is_im), None)
        return f"<#{channel.id}|{channel.name}>" if channel else None
    user = next((u for u in workspace.users.values() if u.name == name.lower() and not u.deleted), None)
    if user is not None:
        return f"<@{user.id}>"
    group = next((g for g in workspace.groups.values() if g.handle == name and g.enabled), None)
    if group is not None:
        return f"<!subteam^{group.id}|@{group.handle}>"
    return f"<!{name}>" if name in _EVERYBODY else None
