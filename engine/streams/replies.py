"""What Redis answers, read: refusals, entries of streams, texts.

The one rule: nothing is asked here.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import cast

from redis.exceptions import ResponseError

from engine.streams.connection import Reply
from engine.streams.contract import Activation, DeadLetter, Lane


def refusals(replies: Sequence[Reply]) -> Iterator[ResponseError]:
    """The errors among the replies, and in the lists that transactions reply."""
    for reply in replies:
        parts = cast("list[Reply]", reply) if isinstance(reply, list) else [reply]
        yield from (part for part in parts if isinstance(part, ResponseError))


def is_group_lost(reply: Reply) -> bool:
    """Whether the reply says that a stream or its group is not there."""
    # XINFO has words of its own for it, and so has Redis 7 for a read that was waiting.
    return isinstance(reply, ResponseError) and str(reply).startswith(("NOGROUP", "UNBLOCKED", "no such key"))


def lane_name(lane: Lane) -> str:
    """The lane as it is written in Redis."""
    return f"{lane.priority}:{lane.workspace}"


def lane_named(name: str | bytes) -> Lane:
    """The lane that `lane_name` wrote so."""
    priority, _, workspace = text(name).partition(":")
    return Lane(workspace, int(priority))


def activations(lane: Lane, entries: Iterable[Reply]) -> list[Activation]:
    """Entries of a lane, now delivered; one that has no run (nobody of us writes such) is left out."""
    found = ((text(entry[0]), fields(entry[1])) for entry in entries)
    return [
        Activation(entry_id, each["run"], 1 + int(each.get("deliveries", 0)), lane)
        for entry_id, each in found
        if "run" in each
    ]


def dead_letter(entry: Reply) -> DeadLetter:
    """An entry of the dead letters."""
    entry_id, each = text(entry[0]), fields(entry[1])
    at = int(entry_id.split("-")[0])
    return DeadLetter(entry_id, each["run"], int(each["deliveries"]), each["reason"], at)


def fields(flat: Sequence[Reply]) -> dict[str, str]:
    """Names and values that come one after the other."""
    return {text(name): text(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}


def text(raw: bytes | str | int) -> str:
    """A reply as text."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)
