"""`vb verify`: whether the log is whole, unchanged, and what its caches say it is.

The one rule: verifying only reads, in small snapshots, so that it may run beside a busy engine and in little memory.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Select, select, union

from engine.store.anchors import ANCHORED, anchored_heads
from engine.store.check import Checked, Finding, Fold, check_stream
from engine.store.log import Log
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.schema import events, open_work, runs, workspaces
from engine.store.types import Head

# Streams in one snapshot, and findings that a report holds.
_PAGE: Final = 50
_MOST_FINDINGS: Final = 1000

_Anchor = tuple[str, int, str, Head]


@dataclass(slots=True)
class Report:
    """What was checked, in how many seconds, and what is wrong. `left_out`: findings beyond the first thousand."""

    streams: int = 0
    events: int = 0
    anchors: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list[Finding])
    left_out: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def add(self, findings: Sequence[Finding]) -> None:
        """Keep these findings, as many as there is room for."""
        room = _MOST_FINDINGS - len(self.findings)
        self.findings.extend(findings[:room])
        self.left_out += max(0, len(findings) - room)


async def verify(log: Log, streams: Sequence[str] | None = None, fold: Fold | None = None) -> Report:
    """Check these streams, or all: every hash, head, seal and anchor, and with a `fold` the caches of runs."""
    started = time.perf_counter()
    report = Report()
    if streams is None:
        after = ""
        while page := await log.database.snapshot(_stream_page, after):
            await _check_page(log, page, fold, report)
            after = page[-1]
    else:
        for start in range(0, len(streams), _PAGE):
            await _check_page(log, streams[start : start + _PAGE], fold, report)
        await _check_anchors_of(log, [run for run in streams if not run.startswith(WORKSPACE_PREFIX)], report)
    report.seconds = time.perf_counter() - started
    return report


async def _check_page(log: Log, page: Sequence[str], fold: Fold | None, report: Report) -> None:
    for stream, checked in zip(page, await log.database.snapshot(_check_all, log.hmac_key, page, fold), strict=True):
        if not checked.events and not checked.findings:
            checked.findings.append(Finding(stream, None, "there is no such stream"))
        report.streams += 1
        report.events += checked.events
        report.add(checked.findings)
        await _check_anchors(log, [(stream, *anchor) for anchor in checked.anchors], report)


def _check_all(connection: Connection, key: bytes, page: Sequence[str], fold: Fold | None) -> list[Checked]:
    return [check_stream(connection, key, stream, fold) for stream in page]


def _stream_page(connection: Connection, after: str) -> list[str]:
    """The next streams by name that anything at all knows of: a head, an event, or open work."""
    columns = (runs.c.id, workspaces.c.id, events.c.stream, open_work.c.run)
    parts: list[Select[*tuple[Any, ...]]] = []
    for column in columns:
        part = select(column.label("stream")).where(column > after).distinct().order_by(column).limit(_PAGE).subquery()
        parts.append(select(part.c.stream))
    found = union(*parts).subquery()
    return list(connection.scalars(select(found.c.stream).order_by(found.c.stream).limit(_PAGE)))


async def _check_anchors_of(log: Log, wanted: Sequence[str], report: Report) -> None:
    """Check what the workspaces' streams say of these runs."""
    for run in wanted:
        await _check_anchors(log, await log.database.snapshot(_anchors_of, run), report)


def _anchors_of(connection: Connection, run: str) -> list[_Anchor]:
    query = select(events.c.stream, events.c.seq, events.c.payload).where(
        events.c.stream.startswith(WORKSPACE_PREFIX, autoescape=True),
        events.c.type == ANCHORED,
        events.c.payload.contains(f'"{run}"', autoescape=True),
    )
    found = ((stream, seq, anchored_heads(payload).get(run)) for stream, seq, payload in connection.execute(query))
    return [(stream, seq, run, head) for stream, seq, head in found if head is not None]


async def _check_anchors(log: Log, anchors: Sequence[_Anchor], report: Report) -> None:
    """Each anchored head must be the event that its run has there."""
    report.anchors += len(anchors)
    for start in range(0, len(anchors), _PAGE):
        report.add(await log.database.snapshot(_anchor_findings, anchors[start : start + _PAGE]))


def _anchor_findings(connection: Connection, anchors: Sequence[_Anchor]) -> list[Finding]:
    findings: list[Finding] = []
    for workspace, seq, run, head in anchors:
        query = select(events.c.hash).where(events.c.stream == run, events.c.seq == head.seq)
        digest = connection.scalar(query)
        if digest != head.hash:
            what = "is missing" if digest is None else "has another hash"
            findings.append(Finding(run, head.seq, f"the event {what}, but {workspace} seq {seq} has anchored it"))
    return findings
