"""Facts about a workspace: which definitions are deployed, which schedules are paused, which changes are frozen,
who has which role, who decides for whom, whose an account of a machine is, what is stopped, which keys and secrets are
kept.

The one rule: a closed union of its own, in the workspace's own stream. What the store itself writes there (anchors,
prunings, erasures) is none of these, and is skipped by whoever folds them.
"""

from __future__ import annotations

from typing import ClassVar, get_args

from pydantic import ValidationError

from engine.core.errors import UnknownEvent
from engine.core.events.base import Actor, EventModel
from engine.core.key_events import KeyEvent
from engine.core.roles import Role


class WorkflowDeployed(EventModel):
    """From here on a start by name means the definition with this hash.

    ``changes`` say in words what is new since ``previous`` (None: the name is new), ``gates`` those of them that
    concern who decides. ``source`` says where it came from, such as ``folder``, ``cli`` or ``api``.
    """

    type: ClassVar[str] = "WORKFLOW_DEPLOYED"
    workflow: str
    definition: str
    previous: str | None = None
    by: Actor
    reason: str = ""
    source: str
    changes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()


class WorkflowRetired(EventModel):
    """The workflow cannot be started any more, and its schedules are off. Runs in progress go on."""

    type: ClassVar[str] = "WORKFLOW_RETIRED"
    workflow: str
    definition: str
    by: Actor
    reason: str = ""


class SchedulePaused(EventModel):
    """The workflow's schedule with this number (from 0) starts nothing, and what it misses is not made up for."""

    type: ClassVar[str] = "SCHEDULE_PAUSED"
    workflow: str
    schedule: int
    by: Actor
    reason: str = ""


class ScheduleResumed(EventModel):
    type: ClassVar[str] = "SCHEDULE_RESUMED"
    workflow: str
    schedule: int
    by: Actor
    reason: str = ""


class ScheduleSkipped(EventModel):
    """``count`` instants of a schedule, from ``first`` to ``last``, started nothing."""

    type: ClassVar[str] = "SCHEDULE_SKIPPED"
    workflow: str
    schedule: int
    first: int
    last: int
    count: int
    reason: str


class FreezeStarted(EventModel):
    """No run of these workflows (none named: of any) starts, and no gate of theirs changes, until it is lifted.

    It ends by itself at the instant ``until``, if it has one. Its name is the seq of this event.
    """

    type: ClassVar[str] = "FREEZE_STARTED"
    workflows: tuple[str, ...] = ()
    until: int | None = None
    by: Actor
    reason: str


class FreezeLifted(EventModel):
    """``freeze`` is the seq of its FREEZE_STARTED."""

    type: ClassVar[str] = "FREEZE_LIFTED"
    freeze: int
    by: Actor
    reason: str = ""


class RoleGranted(EventModel):
    """``to`` has the role from here on, for the whole workspace or for one ``workflow``.

    ``to`` is whom, in a form that does not change with names (``@U123``); ``name`` is how people wrote it (``@ana``).
    """

    type: ClassVar[str] = "ROLE_GRANTED"
    role: Role
    to: str
    name: str
    workflow: str | None = None
    by: Actor
    reason: str = ""


class RoleRevoked(EventModel):
    """Undoes the ROLE_GRANTED of the same role, ``to`` and workflow; or what held from the beginning."""

    type: ClassVar[str] = "ROLE_REVOKED"
    role: Role
    to: str
    workflow: str | None = None
    by: Actor
    reason: str = ""


class DelegationStarted(EventModel):
    """Until then ``to`` may decide for ``by`` at gates that do not forbid it. Its name is the seq of this event."""

    type: ClassVar[str] = "DELEGATION_STARTED"
    by: Actor
    to: Actor
    until: int
    reason: str = ""


class DelegationEnded(EventModel):
    """Undoes the DELEGATION_STARTED at ``delegation`` before its time."""

    type: ClassVar[str] = "DELEGATION_ENDED"
    delegation: int
    by: Actor
    reason: str = ""


class SwitchThrown(EventModel):
    """From here on no step starts, and no effect begins, that is under ``key`` (``engine.core.switches``).

    ``epoch`` is the number that this made of it, for all workspaces together. ``place``: where people are told of it,
    by an id of whoever tells them; nothing where it was not thrown in such a place.
    """

    type: ClassVar[str] = "SWITCH_THROWN"
    key: str
    by: Actor
    reason: str
    epoch: int
    place: str = ""


class SwitchLifted(EventModel):
    """Undoes the SWITCH_THROWN of the same key: what it held goes on. ``place``: that of the throw."""

    type: ClassVar[str] = "SWITCH_LIFTED"
    key: str
    by: Actor
    reason: str = ""
    epoch: int
    place: str = ""


class BudgetSet(EventModel):
    """From here on so much may be spent of the budget in each of its periods (None: as much as anybody likes).

    ``was`` is the limit before, ``alert_at`` the percents at which people are told, and ``channel`` where they are
    told beside the threads of the runs that spent it. ``epoch`` is the number that this made of what holds steps, as
    with switches: steps that a budget holds look again.
    """

    type: ClassVar[str] = "BUDGET_SET"
    budget: str
    limit: int | None
    was: int | None = None
    alert_at: tuple[int, ...]
    channel: str = ""
    by: Actor
    reason: str = ""
    epoch: int


class TimezoneSet(EventModel):
    """The days and months of runs that start from here on are counted in this zone."""

    type: ClassVar[str] = "TIMEZONE_SET"
    zone: str
    by: Actor
    reason: str = ""


class PriceSet(EventModel):
    """Calls of ``provider:model`` that begin from here on cost so much, in millionths of a dollar for a million tokens.

    ``model`` ``provider:*`` is each of a provider's that has no price of its own. ``cached`` is that of tokens in which
    the provider had kept; None: they cost what the others do.
    """

    type: ClassVar[str] = "PRICE_SET"
    model: str
    input: int
    output: int
    cached: int | None = None
    by: Actor
    reason: str = ""


class PriceUnset(EventModel):
    """Undoes the PRICE_SET of the same model: from here on the operator's price counts, or that of the list."""

    type: ClassVar[str] = "PRICE_UNSET"
    model: str
    by: Actor
    reason: str = ""


class LinkOffered(EventModel):
    """Until then, the account that tells the code of this digest is ``by``'s. An earlier offer of theirs is over."""

    type: ClassVar[str] = "LINK_OFFERED"
    by: Actor
    code: str
    until: int


class LinkWithdrawn(EventModel):
    """Nobody takes up what ``person`` has offered any more."""

    type: ClassVar[str] = "LINK_WITHDRAWN"
    person: Actor
    by: Actor


class AccountLinked(EventModel):
    """From here on it is ``person`` who acts as ``account`` on ``machine``; the offer with this code is used up."""

    type: ClassVar[str] = "ACCOUNT_LINKED"
    account: Actor
    machine: str
    person: Actor
    code: str


class AccountUnlinked(EventModel):
    """Undoes the ACCOUNT_LINKED of the same account and machine."""

    type: ClassVar[str] = "ACCOUNT_UNLINKED"
    account: Actor
    machine: str
    person: Actor
    by: Actor
    reason: str = ""


PriceEvent = PriceSet | PriceUnset
IdentityEvent = LinkOffered | LinkWithdrawn | AccountLinked | AccountUnlinked
GeneralEvent = (
    WorkflowDeployed
    | WorkflowRetired
    | SchedulePaused
    | ScheduleResumed
    | ScheduleSkipped
    | FreezeStarted
    | FreezeLifted
    | RoleGranted
    | RoleRevoked
    | DelegationStarted
    | DelegationEnded
    | SwitchThrown
    | SwitchLifted
    | BudgetSet
    | TimezoneSet
    | PriceEvent
)
WorkspaceEvent = GeneralEvent | IdentityEvent | KeyEvent

WORKSPACE_EVENTS: dict[str, type[WorkspaceEvent]] = {cls.type: cls for cls in get_args(WorkspaceEvent)}


def encode(event: WorkspaceEvent) -> str:
    """The payload's JSON text, as it is stored and hashed."""
    return event.model_dump_json()


def decode(type_: str, version: int, payload: str) -> WorkspaceEvent:
    """The event that was stored. Raises ``UnknownEvent`` for a type or version that this release does not know."""
    cls = WORKSPACE_EVENTS.get(type_)
    if cls is None or version != cls.version:
        raise UnknownEvent(type_, version)
    try:
        return cls.model_validate_json(payload)
    except ValidationError as error:
        raise UnknownEvent(type_, version) from error
