"""What Slack would make of a text of ours: every mention, link and mark in it, and what has no business there.

The one rule: only what the bot itself puts there may be markup. The grammar is that of
docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_DATE = r"<!date\^\d+\^\{[a-z_]+\}(?: at \{time\})?\|[0-9: -]+UTC>"
_CHANNEL = r"<#C0[A-Z]+>"
_LINK = r"<https://acme\.example/[a-z0-9/]+\|open it>"
_PING = r"<@U(?:0[A-Z]+|[0-4])>|<!subteam\^S0[A-Z]+>"
_QUIET = re.compile(f"{_DATE}|{_CHANNEL}|{_LINK}")
_PINGS = re.compile(_PING)
_ENTITY = re.compile(r"&(?:amp|lt|gt);")
_CODE = re.compile(r"`[^`\n]+`")
_BOLD = re.compile(r"\*[^*\n]+\*")
_ITALIC = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])")
_ISOLATES = "\u2068\u2069"
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")


@lru_cache(10_000)
def problems(markup: str, *, pings: bool = False) -> tuple[str, ...]:
    """What in ``markup`` is not the bot's own. With ``pings`` it may notify those it asks."""
    return tuple(_problems(markup, pings))


def _problems(markup: str, pings: bool) -> Iterator[str]:
    rest = _QUIET.sub("", markup)
    rest = _PINGS.sub("", rest) if pings else rest
    if found := re.search(r"<[^>]{0,40}|>", rest):
        yield f"a mention or a link that nobody meant: {found[0]}"
    if found := re.search(r"&.{0,8}", _ENTITY.sub("", rest)):
        yield f"an ampersand that is not escaped: {found[0]}"
    plain = _BOLD.sub("", _CODE.sub("", rest))
    if found := re.search(r".{0,20}[*`~].{0,20}", plain):
        yield f"a mark that begins or ends nothing of ours: {found[0]}"
    if found := _ITALIC.search(plain):
        yield f"italics: {plain[max(found.start() - 20, 0) : found.end() + 20]}"
    yield from unseen(markup)


@lru_cache(10_000)
def unseen(text: str) -> tuple[str, ...]:
    """Characters that nobody sees, but for those that set right-to-left text apart, and joiners of emoji."""
    return tuple(_unseen(text))


def _unseen(text: str) -> Iterator[str]:
    strange = {each for each in set(text) if unicodedata.category(each) in _UNSEEN} - set(f"\n\t{_ISOLATES}")
    for place, character in enumerate(text if strange else ""):
        if unicodedata.category(character) not in _UNSEEN or character in f"\n\t{_ISOLATES}":
            continue
        if character == "\u200d" and place and not text[place - 1].isascii():
            continue
        yield f"a character that nobody sees: U+{ord(character):04X}"
        return
