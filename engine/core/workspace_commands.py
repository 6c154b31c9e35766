"""What can be asked of a workspace, and what comes of it. Part of ``engine.core.workspace``, which decides it.

The one rule: who asks and what they may, as far as it is not on record, was established by the caller and comes along.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core import budgets as bg
from engine.core import delegations as dg
from engine.core import freezes as fz
from engine.core import identities as idn
from engine.core import keys as ks
from engine.core import prices as pr
from engine.core import switches as sw
from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.roles import Role


@dataclass(frozen=True, slots=True)
class Change:
    """A definition to deploy: what is new in it since ``previous``, and which of that concerns gates."""

    workflow: str
    definition: str
    previous: str | None
    changes: tuple[str, ...]
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deploy:
    """Make these the definitions of their names. ``may`` are the permissions of whoever asks.

    With ``if_new`` a definition is left out that came from the same source the last time: somebody may have deployed
    another one by hand since.
    """

    changes: tuple[Change, ...]
    by: Actor
    reason: str
    source: str
    may: frozenset[str]
    if_new: bool = False


@dataclass(frozen=True, slots=True)
class Retire:
    workflow: str
    by: Actor
    reason: str
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class PauseSchedule:
    workflow: str
    schedule: int
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ResumeSchedule:
    workflow: str
    schedule: int
    by: Actor
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Instants of a schedule that started nothing; those that are on record already are not noted again."""

    event: w.ScheduleSkipped


@dataclass(frozen=True, slots=True)
class GrantRole:
    """Give somebody a role. ``if_no_admin``: only while nobody is an admin, for the first one of a workspace."""

    role: Role
    to: str
    name: str
    workflow: str | None
    by: Actor
    reason: str
    may: frozenset[str]
    if_no_admin: bool = False


@dataclass(frozen=True, slots=True)
class RevokeRole:
    """Take a role away. ``admins_besides``: there are admins that no grant tells of, such as those of a setting."""

    role: Role
    to: str
    workflow: str | None
    by: Actor
    reason: str
    may: frozenset[str]
    admins_besides: bool = False


AboutPeople = GrantRole | RevokeRole | dg.StartDelegation | dg.EndDelegation | idn.IdentityCommand
AboutTime = PauseSchedule | ResumeSchedule | Skip | fz.StartFreeze | fz.LiftFreeze
AboutStopping = sw.ThrowSwitch | sw.LiftSwitch
AboutMoney = bg.SetBudget | bg.SetTimezone | pr.PriceCommand
Command = Deploy | Retire | AboutTime | AboutPeople | AboutStopping | AboutMoney | ks.KeyCommand


@dataclass(frozen=True, slots=True)
class Refused:
    """It was not done; ``reason`` is one sentence that says why, and what can be done."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The definition of ``workflow`` has changed meanwhile: compare again, and ask again."""

    workflow: str


Verdict = tuple[w.WorkspaceEvent, ...] | Refused | Stale
"""The events to append, none if it is so already; or why nothing is."""
