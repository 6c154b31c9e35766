"""What can be asked of a run, and what the asker is told. ``engine.core.decide`` turns the one into the other.

Commands carry everything that comes from outside: who asks, a worker's claim, the database's clock. Instants are epoch
milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from engine.core.events import Actor
from engine.core.failures import Failure
from engine.core.state import GateDecision, RunStatus


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's offer to run steps: the code it has (``name@version``), its free slots, the lease it would hold.

    ``now`` and ``until`` are instants of the database's clock.
    """

    worker: str
    steps: frozenset[str]
    slots: int
    now: int
    until: int


@dataclass(frozen=True, slots=True)
class Look:
    """Do whatever is due. With a claim, start what is ready; ``alive`` are workers whose leases are known to hold."""

    claim: Claim | None = None
    alive: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Succeed:
    """Attempt ``token`` of ``step`` returned ``output``; with a claim, what follows starts in the same append."""

    step: str
    token: int
    worker: str
    output: JsonValue
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Fail:
    step: str
    token: int
    worker: str
    failure: Failure
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class HandBack:
    """A stopping worker gives the attempt back."""

    step: str
    token: int
    worker: str


@dataclass(frozen=True, slots=True)
class BeginEffect:
    step: str
    token: int
    effect: str
    key: str


@dataclass(frozen=True, slots=True)
class RecordEffect:
    step: str
    token: int
    effect: str
    result: JsonValue


@dataclass(frozen=True, slots=True)
class LogLine:
    step: str
    token: int
    text: str


@dataclass(frozen=True, slots=True)
class Vote:
    """A person's decision on a gate. That they may decide was established by the caller, who says how in ``authority``.

    ``asked_seq``, if given, must be that of the request that the person saw.
    """

    step: str
    granted: bool
    by: Actor
    authority: str = ""
    reason: str = ""
    asked_seq: int | None = None


@dataclass(frozen=True, slots=True)
class Present:
    """The request of gate ``step`` was shown at ``where``; ``digest`` is the sha256 of exactly what was shown."""

    step: str
    where: str
    digest: str


@dataclass(frozen=True, slots=True)
class Cancel:
    by: Actor
    reason: str = ""


Command = Look | Succeed | Fail | HandBack | BeginEffect | RecordEffect | LogLine | Vote | Present | Cancel


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command changed the run, or had done so before."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There was nothing to do."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The run has ended; nothing was changed."""

    status: RunStatus


@dataclass(frozen=True, slots=True)
class Stale:
    """The attempt no longer counts; nothing was changed by its report."""


@dataclass(frozen=True, slots=True)
class AlreadyDecided:
    decision: GateDecision


@dataclass(frozen=True, slots=True)
class NotOpen:
    """No gate of that name is waiting (or not the asking that the person saw)."""

    step: str


@dataclass(frozen=True, slots=True)
class NotAllowed:
    """The definition forbids it, whoever the caller thinks may decide."""

    reason: str


@dataclass(frozen=True, slots=True)
class EffectKnown:
    """The effect's outcome is on record: use it, do not repeat the effect."""

    result: JsonValue


Reply = Accepted | Nothing | Ended | Stale | AlreadyDecided | NotOpen | NotAllowed | EffectKnown
