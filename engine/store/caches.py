"""Whether what is kept beside a run's events is what follows from them: its rows in lists, and its checkpoints.

The one rule: the caller knows what events mean; it is asked to fold them again, and the results are compared as texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, bindparam, select

from engine.store.accounts import Spending
from engine.store.chain import checkpoint_mac
from engine.store.erase import BLANK
from engine.store.errors import StoreError
from engine.store.finding import Finding
from engine.store.opening import checkpoint_place, open_text
from engine.store.prepare import cache_values, fixed_values
from engine.store.schema import IDENTIFIER, checkpoints
from engine.store.sealing import Keys
from engine.store.types import DueKind, RunRow, StoredEvent

# The caches that follow from a run's events: its row, and its open work as (due, kind), due None for none.
Fold: TypeAlias = Callable[[str, list[StoredEvent]], tuple[RunRow, int | None, DueKind]]

# The text that a checkpoint of this fold version has after these events; None for a version of another release.
Refold: TypeAlias = Callable[[str, list[StoredEvent], int], str | None]

# Made once: it is asked for every run, and takes longer to make than to run.
_CHECKPOINTS: Final = (
    select(checkpoints).where(checkpoints.c.stream == bindparam("stream", type_=IDENTIFIER)).order_by(checkpoints.c.seq)
)


@dataclass(frozen=True, slots=True)
class Against:
    """What a log is held against: the keys, and what the caller says follows from events (None: not compared)."""

    keys: Keys
    fold: Fold | None = None
    refold: Refold | None = None
    spending: Spending | None = None

    @property
    def reads(self) -> bool:
        """Whether events must be kept in memory for it."""
        return self.fold is not None or self.refold is not None or self.spending is not None


def cache_findings(fold: Fold, stream: str, events: list[StoredEvent], row: Any, work: Any) -> list[Finding]:
    """Where the rows in `runs` and `open_work` (None: there is none) differ from what the fold says."""
    try:
        expected, due, kind = fold(stream, events)
    except Exception as error:  # noqa: BLE001 - whatever the fold stumbles over is what this looks for
        return [Finding(stream, None, f"the events cannot be folded ({type(error).__name__}: {error})")]
    findings = [
        Finding(stream, None, f"`runs.{name}` is {was!r}, but the events say {should!r}")
        for name, should in (fixed_values(expected) | cache_values(expected)).items()
        if (was := getattr(row, name)) != should
    ]
    if (work is None) != (due is None):
        there, should = ("no open work", "some") if work is None else ("open work", "none")
        findings.append(Finding(stream, None, f"there is {there}, but the events say {should}"))
    elif work is not None and work.kind != kind:
        findings.append(Finding(stream, None, f"`open_work.kind` is {work.kind!r}, but the events say {kind!r}"))
    elif work is not None and kind == "timer" and due is not None and work.due < due:
        # Later is right: the sweep pushes what it takes. Runs that are ready or running may also be pulled forward.
        findings.append(Finding(stream, None, f"`open_work.due` is {work.due}, but the events say {due}"))
    return findings


def erased_findings(row: Any) -> list[Finding]:
    """What the caches still tell of a run whose data was erased."""
    told = [name for name, blank in BLANK.items() if getattr(row, name) != blank]
    return [Finding(row.id, None, f"the run's data was erased, but `runs.{name}` still has some") for name in told]


def checkpoint_findings(
    connection: Connection, against: Against, stream: str, events: list[StoredEvent]
) -> tuple[int, list[Finding]]:
    """How many checkpoints the run has, and which are not the state that its events, in order and whole, lead to."""
    rows = connection.execute(_CHECKPOINTS, {"stream": stream}).all()
    wrong = [(row.seq, _wrong(connection, against, row, events)) for row in rows]
    return len(rows), [Finding(stream, seq, f"the checkpoint {what}") for seq, what in wrong if what is not None]


def _wrong(connection: Connection, against: Against, row: Any, events: list[StoredEvent]) -> str | None:
    facts = (row.stream, row.seq, row.version, row.hash, row.text)
    if checkpoint_mac(against.keys.chain, *facts) != row.mac:
        return "was changed after it was made"
    if not against.reads:
        return None
    seq: int = row.seq
    if seq > len(events) or events[seq - 1].hash != row.hash:
        return "was made after another event than the one that is there"
    if against.refold is None:
        return None
    try:
        place = checkpoint_place(row.stream, row.seq, row.version)
        text = open_text(connection, against.keys.sealer, row.text, place, row.stream)
        expected = against.refold(row.stream, events[:seq], row.version)
    except StoreError as error:
        return f"cannot be read ({error})"
    except Exception as error:  # noqa: BLE001 - whatever the fold stumbles over is what this looks for
        return f"cannot be made again ({type(error).__name__}: {error})"
    return None if expected in {None, text} else "is not the state that the events before it lead to"
