"""`vb verify`: whether the log is whole, unchanged, and what its caches say it is.

The one rule: verifying only reads, in small snapshots, so that it may run beside a busy engine and in little memory.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Select, bindparam, select, union

from engine.store.accounts import Spending, wrong_accounts
from engine.store.anchors import ANCHORED
from engine.store.belongings import Page, Place, lost_blobs, orphans, wrong_blobs
from engine.store.caches import Against, Fold, Refold
from engine.store.check import Checked, check_stream
from engine.store.claims import Claim, claim_findings, claims_of, key_findings, pruned_findings
from engine.store.finding import Finding
from engine.store.log import Log
from engine.store.notes import RUNS_PRUNED
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.schema import BELONGINGS, IDENTIFIER, events, open_work, runs, workspaces
from engine.store.sealing import Keys
from engine.store.streams import COLUMNS
from engine.store.types import StoredEvent

# Streams in one snapshot, and findings that a report holds.
_PAGE: Final = 50
_MOST_FINDINGS: Final = 1000


@dataclass(slots=True)
class Report:
    """What was checked, in how many seconds, and what is wrong. `left_out`: findings beyond the first thousand.

    `folded` runs had their caches compared, `pruned` and `erased` ones were only seen to be so; `anchors` are the heads
    that workspaces' streams vouch for, `rows` those of tables beside the log; `accounts` are budgets
    in their periods.
    """

    streams: int = 0
    events: int = 0
    anchors: int = 0
    folded: int = 0
    checkpoints: int = 0
    blobs: int = 0
    rows: int = 0
    accounts: int = 0
    pruned: int = 0
    erased: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list[Finding])
    left_out: int = 0

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    @property
    def events_per_second(self) -> int:
        """How fast it went."""
        return round(self.events / self.seconds) if self.seconds else 0

    def add(self, findings: Sequence[Finding]) -> None:
        """Keep these findings, as many as there is room for."""
        room = _MOST_FINDINGS - len(self.findings)
        self.findings.extend(findings[:room])
        self.left_out += max(0, len(findings) - room)


async def verify(
    log: Log,
    streams: Sequence[str] | None = None,
    fold: Fold | None = None,
    refold: Refold | None = None,
    spending: Spending | None = None,
) -> Report:
    """Check these streams, or all and what lies beside them: hashes, heads, seals, anchors, what was pruned or erased.

    With a `fold` also the caches of runs, with a `refold` also what their checkpoints hold, and with `spending` what
    the ledger says of them.
    """
    started = time.perf_counter()
    report = Report()
    work = _Work(log, Against(Keys(log.hmac_key, log.vault.sealer), fold, refold, spending), report)
    if streams is None:
        await work.everything()
    else:
        for start in range(0, len(streams), _PAGE):
            await work.page(streams[start : start + _PAGE])
        for run in streams:
            if not run.startswith(WORKSPACE_PREFIX):
                await work.claims(await log.database.snapshot(_claims_on, run))
    report.seconds = time.perf_counter() - started
    return report


@dataclass(frozen=True, slots=True)
class _Work:
    log: Log
    against: Against
    report: Report
    erased_keys: set[str] = field(default_factory=set[str])

    async def everything(self) -> None:
        after = ""
        while names := await self.log.database.snapshot(_stream_page, after):
            await self.page(names)
            after = names[-1]
        await self.pruned()
        self.report.add(await self.log.database.snapshot(key_findings, self.erased_keys))
        for column in BELONGINGS:
            self.report.rows += await self.through(partial(orphans, column))
        self.report.accounts += await self.through(wrong_accounts)
        await self.through(lost_blobs)
        self.report.blobs += await self.through(partial(wrong_blobs, self.against.keys))

    async def page(self, names: Sequence[str]) -> None:
        report = self.report
        found = await self.log.database.snapshot(_check_all, self.against, names)
        for stream, checked in zip(names, found, strict=True):
            if not checked.events and not checked.findings and not checked.is_pruned:
                checked.findings.append(Finding(stream, None, "there is no such stream"))
            report.streams += 1
            report.events += checked.events
            report.folded += checked.folded
            report.checkpoints += checked.checkpoints
            report.erased += checked.is_erased
            report.add(checked.findings)
            self.erased_keys.update(checked.erased_keys)
            await self.claims(checked.claims)

    async def claims(self, claims: Sequence[Claim]) -> None:
        """Each head that is vouched for must be the event that its run has there."""
        self.report.anchors += sum(claim.kind == "anchored" for claim in claims)
        for start in range(0, len(claims), _PAGE):
            these = claims[start : start + _PAGE]
            self.report.add(await self.log.database.snapshot(claim_findings, self.against.keys.chain, these))

    async def pruned(self) -> None:
        after, count = "", 1
        while count:
            page = await self.log.database.snapshot(pruned_findings, self.against.keys.chain, after)
            after, count, findings = page
            self.report.pruned += count
            self.report.add(findings)

    async def through(self, look: Callable[[Connection, Place], Page]) -> int:
        """Look at a table page by page; how many rows it has."""
        after: Place = ()
        total, count = 0, 1
        while count:
            after, count, findings = await self.log.database.snapshot(look, after)
            total += count
            self.report.add(findings)
        return total


def _check_all(connection: Connection, against: Against, page: Sequence[str]) -> list[Checked]:
    if connection.dialect.name == "postgresql":
        # Folding a long run takes longer than a transaction may be idle. This one only reads, so it is in nobody's way.
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    return [check_stream(connection, against, stream) for stream in page]


def _stream_page(connection: Connection, after: str) -> list[str]:
    """The next streams by name that anything at all knows of: a head, an event, or open work."""
    return list(connection.scalars(_STREAMS, {"after": after}))


def _streams() -> Select[str]:
    columns = (runs.c.id, workspaces.c.id, events.c.stream, open_work.c.run)
    after = bindparam("after", type_=IDENTIFIER)
    parts: list[Select[*tuple[Any, ...]]] = []
    for column in columns:
        part = select(column.label("stream")).where(column > after).distinct().order_by(column).limit(_PAGE).subquery()
        parts.append(select(part.c.stream))
    found = union(*parts).subquery()
    return select(found.c.stream).order_by(found.c.stream).limit(_PAGE)


_STREAMS: Final = _streams()


def _claims_on(connection: Connection, run: str) -> list[Claim]:
    """What the workspaces' streams say of this run."""
    query = select(*COLUMNS).where(
        events.c.stream.startswith(WORKSPACE_PREFIX, autoescape=True),
        events.c.type.in_((ANCHORED, RUNS_PRUNED)),
        events.c.payload.contains(f'"{run}"', autoescape=True),
    )
    said = (claims_of(StoredEvent(*row)) for row in connection.execute(query))
    return [claim for claims in said for claim in claims if claim.run == run]
