"""What can be asked of a run, and what the asker is told. ``engine.core.decide`` turns the one into the other.

Commands carry everything that comes from outside: who asks, a worker's claim, the database's clock. Instants are epoch
milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import JsonValue

from engine.core.events import Actor, SettledAs
from engine.core.failures import Failure
from engine.core.gate_commands import AlreadyVoted as AlreadyVoted
from engine.core.gate_commands import AtGate as AtGate
from engine.core.gate_commands import Delegate as Delegate
from engine.core.gate_commands import EditGate as EditGate
from engine.core.gate_commands import GateRefusal as GateRefusal
from engine.core.gate_commands import InvalidFields as InvalidFields
from engine.core.gate_commands import NotAsked as NotAsked
from engine.core.gate_commands import Outdated as Outdated
from engine.core.gate_commands import ReasonNeeded as ReasonNeeded
from engine.core.gate_commands import RequestChanges as RequestChanges
from engine.core.gate_commands import Seat as Seat
from engine.core.gate_commands import Snooze as Snooze
from engine.core.gate_commands import Vote as Vote
from engine.core.gates import GateDecision
from engine.core.graph import Plan
from engine.core.keys import Use
from engine.core.spending import Cost, Reserving, Settling, Spend, Standing
from engine.core.state import RunStatus
from engine.core.switches import NONE_THROWN, Switches


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
class LostLease:
    """Condition of a decision: ``owner``'s lease has ended, or ``cap`` has passed, on the database's clock."""

    owner: str
    cap: int


@dataclass(frozen=True, slots=True)
class SlotFree:
    """Condition of a decision: fewer than ``limit`` runs hold ``key``, and nobody in line is ahead of this run."""

    key: str
    limit: int


@dataclass(frozen=True, slots=True)
class AtEpoch:
    """Condition of a decision: what holds steps is as it was at ``epoch`` (``engine.core.switches``)."""

    epoch: int


Condition = LostLease | SlotFree | AtEpoch | Reserving | Settling


class Around(NamedTuple):
    """What is known of the world around a run: the switches, and conditions that are known not to hold.

    Of money it is known how the accounts stand that are why, by (step, effect).
    """

    switches: Switches = NONE_THROWN
    refused: frozenset[Condition] = frozenset()
    money: Mapping[tuple[str, str], tuple[Standing, ...]] = {}


ALONE = Around()


@dataclass(frozen=True, slots=True)
class Look:
    """Do whatever is due. With a claim, start what is ready.

    ``letters_read``: what was sent to those who wait for a correlation has been handed over. Until then no such wait is
    given up, as what it waits for may have come in time.
    """

    claim: Claim | None = None
    letters_read: bool = True


@dataclass(frozen=True, slots=True)
class Succeed:
    """Attempt ``token`` of ``step`` returned ``output``; with a claim, what follows starts in the same append.

    ``attempt`` is its number, to be told should the result come too late (0: that of the attempt that counts then).
    """

    step: str
    token: int
    worker: str
    output: JsonValue
    claim: Claim | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Fail:
    step: str
    token: int
    worker: str
    failure: Failure
    claim: Claim | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class HandBack:
    """A stopping worker gives the attempt back; or, with ``held``, one that has ended it because of a switch."""

    step: str
    token: int
    worker: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Postpone:
    """The attempt has done nothing, and may start again in ``wait`` ms; ``words`` name what it waits for."""

    step: str
    token: int
    worker: str
    wait: int
    words: str


@dataclass(frozen=True, slots=True)
class NoteProgress:
    """How far a long step has come, for its next attempt."""

    step: str
    token: int
    cursor: JsonValue


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """What the attempt is doing now, in words."""

    step: str
    token: int
    text: str


@dataclass(frozen=True, slots=True)
class BeginEffect:
    """``spend`` is what it may cost at most; None: nothing. ``under``: the switches that stop it, beside those of its
    step and of whom it is paid to."""

    step: str
    token: int
    effect: str
    key: str
    spend: Spend | None = None
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordEffect:
    """``cost`` is what it has cost; None for one that was begun without a ``spend``."""

    step: str
    token: int
    effect: str
    result: JsonValue
    cost: Cost | None = None


@dataclass(frozen=True, slots=True)
class CancelEffect:
    """It is certain that the effect that was begun never left."""

    step: str
    token: int
    effect: str


@dataclass(frozen=True, slots=True)
class UseKey:
    """The attempt is about to be given a key."""

    step: str
    token: int
    use: Use


@dataclass(frozen=True, slots=True)
class LogLine:
    step: str
    token: int
    text: str


@dataclass(frozen=True, slots=True)
class Present:
    """The request of gate ``step`` was shown: where, and the sha256 of exactly what was shown there.

    ``zones``: the time zones of the people asked, where the gate's clock is theirs.
    """

    step: str
    copies: Mapping[str, str]
    zones: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    """``order`` is given by a parent that is stopping, and is the seq in its stream at which it was."""

    by: Actor
    reason: str = ""
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """``order`` is given by a parent that is paused, and is the seq of that in its stream: an older one is ignored."""

    by: Actor
    reason: str = ""
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """``order`` as with ``Pause``; a person cannot resume what its parent holds."""

    by: Actor
    reason: str = ""
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Redrive:
    """Try again what has failed for good: ``steps``, or everything of the run in the dead letters."""

    by: Actor
    reason: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetryFrom:
    """Do ``step``, one of the workflow's own, and all that follows from it, anew."""

    step: str
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkipStep:
    step: str
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SetOutput:
    """Count ``step`` as completed, with this output."""

    step: str
    output: JsonValue
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Settle:
    """What became of the uncertain attempt of ``step``, or what is to be done where its correction was given up.

    ``result`` is its output if it happened or is accepted, or the arguments to change if it is tried again. ``asked``
    is the seq of the question that is answered; 0: the one that is open, whichever that is.
    """

    step: str
    answer: SettledAs
    by: Actor
    result: JsonValue = None
    reason: str = ""
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """Let the run follow another definition, whose ``plan`` comes along. ``renamed``: old ids of steps to new ones.

    ``codes``: old code to new, if it is the same definition with other code.
    """

    definition: str
    plan: Plan
    by: Actor
    renamed: Mapping[str, str]
    reason: str = ""
    codes: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Label:
    """Set labels, or take them away (None)."""

    labels: Mapping[str, str | None]
    by: Actor


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal for the run. ``id`` is its sender's: the same one again changes nothing."""

    id: str
    signal: str
    payload: JsonValue
    by: Actor
    correlation: str | None = None


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """The child run ``run`` of ``step`` has ended: with an output, or with a reason why it has none.

    ``stopped_along``: it was cancelled for no other reason than that its parent was stopping. ``spent``: what it has
    cost, with the runs that it called.
    """

    step: str
    run: str
    status: RunStatus
    output: JsonValue = None
    reason: str = ""
    stopped_along: bool = False
    spent: int = 0


StepReport = Succeed | Fail | HandBack | Postpone
StepNote = BeginEffect | RecordEffect | CancelEffect | UseKey | LogLine | NoteProgress | ReportStatus
Steering = Cancel | Pause | Resume | Redrive | RetryFrom | SkipStep | SetOutput | Settle | Move | Label
"""What operators ask for."""
Command = Look | StepReport | StepNote | AtGate | Present | Steering | Signal | ChildEnded


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command changed the run; so had a report, a vote or a signal that is known already, when it came first."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """There was nothing to do: what was asked for is so already, and nothing was recorded for it."""


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
    """It cannot be done, whoever asks; ``reason`` says why, and what can be done."""

    reason: str


@dataclass(frozen=True, slots=True)
class NowHeld:
    """The step is held, and its attempt is over: nothing is to be begun."""


@dataclass(frozen=True, slots=True)
class EffectKnown:
    """The effect's outcome is on record: use it, do not repeat the effect."""

    result: JsonValue


Reply = Accepted | Nothing | Ended | Stale | AlreadyDecided | NotOpen | NotAllowed | GateRefusal | NowHeld | EffectKnown
