"""What a workspace's stream says of runs, held against the runs.

The one rule: whatever was once said under the chain stays true: an anchored head is in its run, or the run was pruned
later with a head at least as far; a pruned run is gone and its last head is on record; an erased key is destroyed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import BigInteger, Connection, bindparam, select

from engine.store.anchors import ANCHORED, anchored_heads
from engine.store.chain import pruned_mac
from engine.store.finding import Finding
from engine.store.notes import RUNS_PRUNED, SUBJECT_ERASED, facts_of
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.prune import pruned_runs
from engine.store.schema import IDENTIFIER, data_keys, events, pruned
from engine.store.types import Head, StoredEvent

_PAGE = 500
_FACTS = (
    pruned.c.run,
    pruned.c.workspace,
    pruned.c.workflow,
    pruned.c.ended_at,
    pruned.c.pruned_at,
    pruned.c.last_seq,
    pruned.c.head_hash,
)

# Made once: they are asked for every claim, and take longer to make than to run.
_RUN = bindparam("run", type_=IDENTIFIER)
_PLACE: Final = select(events.c.hash).where(events.c.stream == _RUN, events.c.seq == bindparam("seq", type_=BigInteger))
_PRUNED: Final = select(*_FACTS, pruned.c.mac).where(pruned.c.run == _RUN)
_PRUNED_PAGE: Final = select(*_FACTS, pruned.c.mac).where(pruned.c.run > _RUN).order_by(pruned.c.run).limit(_PAGE)
_KEYS: Final = select(data_keys.c.id, data_keys.c.wrapped).order_by(data_keys.c.id)


@dataclass(frozen=True, slots=True)
class Claim:
    """The event `seq` of `workspace` says that `run` has this head, or had it last when it was pruned."""

    kind: Literal["anchored", "pruned"]
    workspace: str
    seq: int
    run: str
    head: Head


def claims_of(event: StoredEvent) -> list[Claim]:
    """What this event of a workspace's stream says of runs' heads."""
    if event.type == ANCHORED:
        return [Claim("anchored", event.stream, event.seq, *said) for said in anchored_heads(event.payload).items()]
    if event.type == RUNS_PRUNED:
        return [Claim("pruned", event.stream, event.seq, *said) for said in pruned_runs(event.payload).items()]
    return []


def erased_key(event: StoredEvent) -> str | None:
    """The data key that this event of a workspace's stream says was destroyed."""
    found = facts_of(event.payload).get("key") if event.type == SUBJECT_ERASED else None
    return found if isinstance(found, str) else None


def claim_findings(connection: Connection, key: bytes, claims: Sequence[Claim]) -> list[Finding]:
    """The claims that are not true."""
    findings: list[Finding] = []
    for claim in claims:
        digest = connection.scalar(_PLACE, {"run": claim.run, "seq": claim.head.seq})
        if claim.kind == "anchored" and digest == claim.head.hash:
            continue
        last = pruned_head(connection, key, claim.run) if digest is None else None
        if (what := _wrong(claim, digest, last)) is not None:
            findings.append(Finding(claim.run, claim.head.seq, what))
    return findings


def _wrong(claim: Claim, digest: str | None, last: Head | None) -> str | None:
    where = f"{claim.workspace} seq {claim.seq}"
    if claim.kind == "pruned":
        if digest is not None:
            return f"the event is there, but {where} says that its run was pruned"
        return None if last == claim.head else f"what is left of the pruned run is not what {where} says"
    if digest is not None:
        return f"the event has another hash, but {where} has anchored it"
    if last is None:
        return f"the event is missing, but {where} has anchored it"
    as_far = last.seq > claim.head.seq or last == claim.head
    return None if as_far else f"the run was pruned with a head that is behind the one that {where} has anchored"


def pruned_head(connection: Connection, key: bytes, run: str) -> Head | None:
    """The last head of a run that was pruned by us; None if it was not, or if somebody else says so."""
    row = connection.execute(_PRUNED, {"run": run}).one_or_none()
    return Head(row.last_seq, row.head_hash) if row is not None and _is_ours(key, row) else None


def pruned_findings(connection: Connection, key: bytes, after: str) -> tuple[str, int, list[Finding]]:
    """Check the seals of a page of `pruned`, past the run `after`: the last run, how many, and what is wrong."""
    rows = connection.execute(_PRUNED_PAGE, {"run": after}).all()
    forged = [row.run for row in rows if not _is_ours(key, row)]
    what = "the seal on what is left of the pruned run is not right: it was changed, or the run was removed by others"
    return rows[-1].run if rows else after, len(rows), [Finding(run, None, what) for run in forged]


def key_findings(connection: Connection, erased: set[str]) -> list[Finding]:
    """Keys that are destroyed without a word in any stream, or whole in spite of one. `erased`: those with one, but for
    the newest, which are looked for again."""
    findings: list[Finding] = []
    for key_id, wrapped in connection.execute(_KEYS).all():
        if wrapped is None and key_id not in erased and not _is_on_record(connection, key_id):
            findings.append(Finding(key_id, None, "this data key was destroyed, but nobody is on record for it"))
        elif wrapped is not None and key_id in erased:
            findings.append(Finding(key_id, None, "this data key was erased, but is back: erase its person again"))
    return findings


def _is_on_record(connection: Connection, key_id: str) -> bool:
    said = select(events.c.seq).where(
        events.c.stream.startswith(WORKSPACE_PREFIX, autoescape=True),
        events.c.type == SUBJECT_ERASED,
        events.c.payload.contains(f'"{key_id}"', autoescape=True),
    )
    return connection.execute(said.limit(1)).first() is not None


def _is_ours(key: bytes, row: Any) -> bool:
    return pruned_mac(key, tuple(row)[:-1]) == row.mac
