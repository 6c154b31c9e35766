"""The values that states hold by their place: loaded from the log when an expression needs them, and kept for a while.

The one rule: what an event holds never changes, so that whatever is known here is right.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

from pydantic import JsonValue

from engine.core import events as e
from engine.core.scope import needed
from engine.core.state import Recorded, RunState
from engine.core.values import At, Held, Values, size_of
from engine.core.values import held as held_at
from engine.records import blob_of, recorded, with_value
from engine.store import Log, StoredEvent

MOST_KEPT = 2_048
LARGEST_IN_ALL = 64 * 1024 * 1024
"""Characters of JSON, about, that are kept; the newest value is kept however large it is."""


class Recall:
    """The values of one process."""

    def __init__(self, store: Log) -> None:
        self._store = store
        self._known: OrderedDict[tuple[str, int], JsonValue] = OrderedDict()
        self._sizes: dict[tuple[str, int], int] = {}
        self._size = 0

    async def values(self, run: str, seqs: Collection[int]) -> dict[int, JsonValue]:
        """The values in these events of the run."""
        found = {seq: self._known[run, seq] for seq in seqs if (run, seq) in self._known}
        missing = sorted(set(seqs) - found.keys())
        if missing:
            loaded = [recorded(event) for event in await self._store.events_at(run, missing)]
            for one, value in zip(loaded, await self.whole([e.value_of(one.event) for one in loaded]), strict=True):
                found[one.seq] = value
                self._keep(run, one.seq, value)
        return found

    async def whole(self, values: Sequence[JsonValue]) -> list[JsonValue]:
        """The same values, with what lies beside the log in its place."""
        hashes = [blob_of(value) for value in values]
        wanted = sorted({digest for digest in hashes if digest is not None})
        texts = await self._store.blobs(wanted) if wanted else {}
        return [
            value if digest is None else json.loads(texts[digest]) for value, digest in zip(values, hashes, strict=True)
        ]

    async def events(self, stored: Sequence[StoredEvent]) -> list[Recorded]:
        """Events with their values in them. Raises ``UnknownEvent`` for those that a newer release wrote."""
        found = [recorded(event) for event in stored]
        values = [e.value_of(one.event) for one in found]
        if all(blob_of(value) is None for value in values):
            return found
        whole = await self.whole(values)
        return [
            one if value is full else one._replace(event=with_value(one.event, full))
            for one, value, full in zip(found, values, whole, strict=True)
        ]

    async def value(self, run: str, held: Held) -> JsonValue:
        """What a state holds, whether by its place or not."""
        if not isinstance(held, At):
            return held
        return (await self.values(run, [held.seq]))[held.seq]

    async def for_expressions(self, state: RunState, path: str, references: Iterable[tuple[str, str]]) -> Values:
        """What expressions with these references need at ``path``."""
        return await self.values(state.run, needed(state, path, references))

    def note(self, run: str, events: Iterable[Recorded]) -> None:
        """Keep the values of events that were just recorded: what follows is likely to need them."""
        for one in events:
            value = e.value_of(one.event)
            if value is not None and isinstance(held_at(value, one.seq), At):
                self._keep(run, one.seq, value)

    def _keep(self, run: str, seq: int, value: JsonValue) -> None:
        place = (run, seq)
        if place not in self._known:
            self._sizes[place] = size_of(value)
            self._size += self._sizes[place]
        self._known[place] = value
        self._known.move_to_end(place)
        while len(self._known) > MOST_KEPT or (self._size > LARGEST_IN_ALL and len(self._known) > 1):
            oldest, _ = self._known.popitem(last=False)
            self._size -= self._sizes.pop(oldest)
