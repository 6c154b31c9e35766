"""What a fleet leaves behind, as anybody could read it: rows by plain SQL, the outside world's log, people's journals.

The one rule: nothing of the engine is imported. What the rows mean is said here and in ``tests.fleet.checker`` a second
time, independently.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

from tests.fleet.recorder import Payment
from tests.fleet.sql import Row, rows
from tests.fleet.stories import KEY

RUNS = "SELECT id, dedupe_key, status, ended_at, last_seq FROM runs ORDER BY id"
EVENTS = "SELECT stream, seq, type, at, payload FROM events WHERE stream LIKE 'run_%' ORDER BY stream, seq"
BLOBS = "SELECT hash, text FROM blobs"
OPEN_WORK = "SELECT run, due, kind FROM open_work ORDER BY run"


class Event(NamedTuple):
    """``at`` in epoch ms; ``data`` is the payload."""

    seq: int
    type: str
    at: int
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """A row of ``runs`` with its events and its row of ``open_work``, as (due, kind)."""

    id: str
    key: str
    status: str
    ended_at: int | None
    last_seq: int
    events: list[Event]
    open_work: tuple[int, str] | None

    @property
    def number(self) -> int | None:
        """The number of its story; None for a run that nobody started."""
        text = self.key.removeprefix(KEY)
        return int(text) if self.key.startswith(KEY) and text.isdigit() else None

    @property
    def parent(self) -> str | None:
        """The run that this one does a step of."""
        parent = self.events[0].data.get("parent") if self.events else None
        return None if parent is None else parent["run"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """``strays``: streams with events or open work, but without a run. ``people``, ``workers`` and
    ``faults``: the lines of the journals."""

    runs: list[Run]
    payments: Sequence[Payment] = ()
    people: Sequence[dict[str, Any]] = ()
    strays: Sequence[str] = ()
    workers: Sequence[dict[str, Any]] = ()
    faults: Sequence[dict[str, Any]] = ()

    def families(self, members: Collection[str]) -> set[str]:
        """These runs, those that they are parts of, and all parts of those."""
        parents = {run.id: run.parent for run in self.runs}

        def head(run: str) -> str:
            parent = parents.get(run)
            return run if parent is None else head(parent)

        heads = {head(run) for run in members}
        return {run for run in parents if head(run) in heads}


async def gather(url: str, payments: Sequence[Payment], folder: Path) -> Evidence:
    """All of it, once the fleet is at rest."""
    heads, events, work = await rows(url, RUNS), await rows(url, EVENTS), await rows(url, OPEN_WORK)
    blobs: dict[str, str] = {row[0]: row[1] for row in await rows(url, BLOBS)}
    by_stream = histories(events, blobs)
    waiting = {run: (int(due), str(kind)) for run, due, kind in work}
    runs = [
        Run(
            id=run,
            key=key or "",
            status=status,
            ended_at=ended_at,
            last_seq=last_seq,
            events=by_stream.get(run, []),
            open_work=waiting.get(run),
        )
        for run, key, status, ended_at, last_seq in heads
    ]
    return Evidence(
        runs=runs,
        payments=payments,
        people=read_lines(folder / "people.jsonl"),
        strays=sorted((by_stream.keys() | waiting.keys()) - {run.id for run in runs}),
        workers=read_lines(folder / "workers.jsonl"),
        faults=read_lines(folder / "faults.jsonl"),
    )


def histories(found: Iterable[Row], blobs: Mapping[str, str]) -> dict[str, list[Event]]:
    """The events of each stream, in order; long values are put back from where they lie beside the log."""
    streams: dict[str, list[Event]] = {}
    for stream, seq, kind, at, payload in found:
        instant = round(datetime.fromisoformat(at).timestamp() * 1_000)
        streams.setdefault(stream, []).append(Event(seq, kind, instant, _whole(json.loads(payload), blobs)))
    return streams


def _whole(payload: dict[str, Any], blobs: Mapping[str, str]) -> dict[str, Any]:
    return {name: _value(value, blobs) for name, value in payload.items()}


def _value(value: Any, blobs: Mapping[str, str]) -> Any:
    digest: Any = cast("dict[str, Any]", value).get("$blob") if isinstance(value, dict) else None
    return cast("Any", value) if digest is None else json.loads(blobs[digest])


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
