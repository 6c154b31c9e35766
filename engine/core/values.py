"""How large values are held: by the place of the event that has them, and not in the state.

The one rule: a state costs the same however large the values are that its steps gave. ``decide`` and whoever renders
expressions are handed the values that they need by their places; where one is missing they ask for it with
``ValuesNeeded`` and are called again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from pydantic import JsonValue

HELD_INLINE = 512
"""About this many characters of JSON, and the value itself is held."""


class At(NamedTuple):
    """The value is in the event at ``seq`` of the same stream."""

    seq: int


Held = JsonValue | At
Values = Mapping[int, JsonValue]
"""Values by the seq of the event that has them."""


class ValuesNeeded(Exception):
    """Not an error: the values at ``seqs`` are to be loaded, and the call made again with them."""

    def __init__(self, seqs: frozenset[int]) -> None:
        super().__init__(f"the values at {sorted(seqs)} are needed")
        self.seqs = seqs


def held(value: JsonValue, seq: int) -> Held:
    """What a state keeps of ``value``, which the event at ``seq`` has."""
    if isinstance(value, dict) and "$blob" in value:
        return At(seq)  # the value lies beside the log, see engine.records
    return value if _room_left(value, HELD_INLINE) >= 0 else At(seq)


def size_of(value: JsonValue) -> int:
    """About how many characters of JSON the value is."""
    most = 1 << 62
    return most - _room_left(value, most)


def _room_left(value: object, room: int) -> int:
    """What is left of ``room`` characters; it stops counting once there is none."""
    if isinstance(value, str):
        return room - len(value) - 2
    if isinstance(value, dict):
        for name, part in cast("dict[str, Any]", value).items():
            room = _room_left(part, room - len(name) - 4)
            if room < 0:
                break
        return room
    if isinstance(value, list):
        for part in cast("list[Any]", value):
            room = _room_left(part, room - 2)
            if room < 0:
                break
        return room
    return room - 8
