"""Looks for values in whatever a system leaves behind, in every form in which they may lie there.

The one rule: it knows nothing of how values are kept away, so that it finds what was forgotten there.
"""

from __future__ import annotations

import base64
import html
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

PIECE = slice(5, 19)
"""A piece from the middle of a value is looked for as well: half a key in a text that was cut off is a leak, too."""
_DEEPEST = 3
_STREAMS = re.compile(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]")


@dataclass(frozen=True)
class Hit:
    """A value that was found: what it is called, in which form, and where."""

    name: str
    form: str
    where: str


def forms(value: str) -> Iterator[tuple[str, bytes]]:
    """The value as software may write it."""
    raw = value.encode()
    yield "plain", raw
    yield "a piece", raw[PIECE]
    for ascii_only in (True, False):
        once = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield "JSON", once.encode()
        yield "JSON within JSON", json.dumps(once)[1:-1].encode()
    yield "repr", repr(value)[1:-1].encode()
    yield "HTML", html.escape(value).encode()
    for quoted in (quote(value), quote(value, safe=""), quote_plus(value)):
        yield "URL", quoted.encode()
        yield "URL", re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quoted).encode()
    yield "hex", raw.hex().encode()
    yield "hex", raw.hex().upper().encode()
    for before in range(3):
        first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield f"base64 at {before}", encode(b"\0" * before + raw)[first:last]


def search(values: Mapping[str, str], places: Iterable[tuple[str, bytes]]) -> list[Hit]:
    """Everything that is found of the values in these places, compressed or not."""
    wanted = [(name, form, found) for name, value in values.items() for form, found in forms(value)]
    return [
        Hit(name, form, where)
        for place, data in places
        for where, text in _unpacked(place, data, 0)
        for name, form, found in wanted
        if found in text
    ]


def _unpacked(where: str, data: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """The data, and what is in every compressed stream within it."""
    yield where, data
    if depth == _DEEPEST:
        return
    for found in _STREAMS.finditer(data):
        try:
            text = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data[found.start() :])
        except zlib.error:
            continue  # it only looked like a stream
        if text:
            yield from _unpacked(f"{where}, unpacked", text, depth + 1)
