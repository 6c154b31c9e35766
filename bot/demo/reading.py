"""Messages as a person would read them, as text for a terminal: names for ids, times for tokens, no markup.

The one rule: the words are the messages' own. Nothing is added but who wrote them and when.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.text import Text

from bot.simulator.model import Message
from bot.simulator.workspace import Workspace
from bot.text.plain import clean

_TOKEN = re.compile(r"<([^<>]+)>")
_DATE = re.compile(r"!date\^(\d+)\^([^|^]*)(?:\^[^|]*)?\|(.*)", re.DOTALL)
_BOLD = re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+)(?<=\S)\*(?![\w*])")
_CODE = re.compile(r"`([^`\n]+)`")


def thread(workspace: Workspace, root: Message, replies: Sequence[Message]) -> Iterator[Text]:
    """The root message and its replies, each with who and when."""
    yield from _message(workspace, root, "")
    for reply in replies:
        yield Text()
        yield from _message(workspace, reply, "    ")


def _message(workspace: Workspace, message: Message, margin: str) -> Iterator[Text]:
    who = workspace.users[message.user].real_name if message.user in workspace.users else message.user
    yield Text.assemble(margin, (who, "bold"), "  ", (f"{_moment(float(message.ts)):%H:%M:%S}", "dim"))
    for line in readable(workspace, message.text).splitlines():
        yield Text(f"{margin}{line}")


def readable(workspace: Workspace, text: str) -> str:
    """Slack's markup as plain text."""
    named = _TOKEN.sub(lambda found: _token(workspace, found.group(1)), text)
    bare = _CODE.sub(r"\1", _BOLD.sub(r"\1", named))
    for escaped, char in (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")):
        bare = bare.replace(escaped, char)
    return clean(bare)


def _token(workspace: Workspace, inner: str) -> str:
    if found := _DATE.fullmatch(inner):
        return _date(int(found[1]), found[2])
    target, _, label = inner.partition("|")
    kind, rest = target[:1], target[1:]
    if kind == "@" and rest in workspace.users:
        return f"@{workspace.users[rest].name}"
    if kind == "#" and rest in workspace.channels:
        return f"#{workspace.channels[rest].name}"
    group = workspace.groups.get(rest.removeprefix("subteam^")) if kind == "!" else None
    if group is not None:
        return f"@{group.handle}"
    return label or target


def _date(at: int, form: str) -> str:
    """A date token in this machine's zone: with seconds where the form has them, and with the day."""
    moment = _moment(at)
    time = f"{moment:%H:%M:%S}" if "time_secs" in form else f"{moment:%H:%M}"
    return f"{moment:%d %b} at {time}" if "date" in form else time


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).astimezone()
