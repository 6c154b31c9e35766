"""What a workspace is at one moment, as a fold of its events, and what can be asked of it.

The one rule: it is decided here, by ``decide``, from the state, a command and the time; nobody else says what is
deployed, paused or frozen, who has which role, whose an account is, and which keys are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, assert_never

from immutables import Map

from engine.core import budgets as bg
from engine.core import delegations as dg
from engine.core import freezes as fz
from engine.core import identities as idn
from engine.core import keys as ks
from engine.core import prices as pr
from engine.core import switches as sw
from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.key_events import KeyEvent
from engine.core.roles import FOUNDING, Grant, GrantKey, Role, giving
from engine.core.workspace_commands import AboutMoney, AboutStopping
from engine.core.workspace_commands import Change as Change
from engine.core.workspace_commands import Command as Command
from engine.core.workspace_commands import Deploy as Deploy
from engine.core.workspace_commands import GrantRole as GrantRole
from engine.core.workspace_commands import PauseSchedule as PauseSchedule
from engine.core.workspace_commands import Refused as Refused
from engine.core.workspace_commands import ResumeSchedule as ResumeSchedule
from engine.core.workspace_commands import Retire as Retire
from engine.core.workspace_commands import RevokeRole as RevokeRole
from engine.core.workspace_commands import Skip as Skip
from engine.core.workspace_commands import Stale as Stale
from engine.core.workspace_commands import Verdict as Verdict

DEPLOY = "deploy"
DEPLOY_GATES = "deploy.gates"
"""Permissions: to change definitions at all, and to change who starts and decides in them."""
ROLES = "roles"
"""The permission to grant and revoke roles."""


class Deployed(NamedTuple):
    """The definition that a name means. ``retired`` says by whom it was taken away, if it was."""

    definition: str
    at: int
    by: Actor
    retired: w.WorkflowRetired | None = None


class Paused(NamedTuple):
    at: int
    event: w.SchedulePaused


class WorkspaceState(NamedTuple):
    """A workspace up to its event ``seq``; ``sources`` has what was last deployed from each (source, workflow).

    ``skipped`` has the last instant that each schedule left out.
    """

    seq: int = 0
    workflows: Map[str, Deployed] = Map()
    sources: Map[tuple[str, str], str] = Map()
    paused: Map[tuple[str, int], Paused] = Map()
    skipped: Map[tuple[str, int], int] = Map()
    freezes: Map[int, fz.Freeze] = Map()
    roles: Map[GrantKey, Grant] = Map({grant.key: grant for grant in FOUNDING})
    delegations: Map[int, dg.Delegation] = Map()
    switches: Map[str, sw.Switch] = Map()
    budgets: Map[str, bg.Budget] = Map()
    prices: pr.OwnPrices = Map()
    timezone: str = "UTC"
    keys: Map[ks.KeyPlace, ks.Key] = Map()
    identities: idn.Identities = idn.Identities()

    @property
    def grants(self) -> tuple[Grant, ...]:
        """Who has which role: those of the whole workspace first, by role and name."""
        order = list(Role)
        held = self.roles.values()
        return tuple(sorted(held, key=lambda one: (one.workflow or "", order.index(one.role), one.name.lower())))

    def current(self, workflow: str) -> Deployed | None:
        """What is deployed under the name, unless it was retired."""
        found = self.workflows.get(workflow)
        return None if found is None or found.retired is not None else found

    def freeze(self, workflow: str, now: int) -> fz.Freeze | None:
        """The freeze that keeps runs of ``workflow`` from starting now, if there is one."""
        return next((one for one in self.holding(now) if one.covers(workflow, now)), None)

    def holding(self, now: int) -> Iterator[fz.Freeze]:
        """The freezes that hold now, the oldest first."""
        return fz.holding(self.freezes, now)


EMPTY = WorkspaceState()


def evolve(state: WorkspaceState, seq: int, at: int, event: w.WorkspaceEvent) -> WorkspaceState:
    """The state after one event. Every event has its arm; an omission fails type checking."""
    state = state._replace(seq=seq)
    if isinstance(event, KeyEvent):
        return state._replace(keys=ks.evolve(state.keys, at, event))
    if isinstance(event, w.IdentityEvent):
        return state._replace(identities=idn.evolve(state.identities, at, event))
    return _evolve(state, seq, at, event)


def _evolve(state: WorkspaceState, seq: int, at: int, event: w.GeneralEvent) -> WorkspaceState:
    match event:
        case w.WorkflowDeployed():
            deployed = Deployed(event.definition, at, event.by)
            return state._replace(
                workflows=state.workflows.set(event.workflow, deployed),
                sources=state.sources.set((event.source, event.workflow), event.definition),
            )
        case w.WorkflowRetired():
            gone = state.workflows[event.workflow]._replace(retired=event, at=at)
            return state._replace(workflows=state.workflows.set(event.workflow, gone))
        case w.SchedulePaused():
            paused = state.paused.set((event.workflow, event.schedule), Paused(at, event))
            return state._replace(paused=paused)
        case w.ScheduleResumed():
            return state._replace(paused=state.paused.delete((event.workflow, event.schedule)))
        case w.ScheduleSkipped():
            return state._replace(skipped=state.skipped.set((event.workflow, event.schedule), event.last))
        case w.FreezeStarted():
            return state._replace(freezes=state.freezes.set(seq, fz.Freeze(seq, at, event)))
        case w.FreezeLifted():
            return state._replace(freezes=state.freezes.delete(event.freeze))
        case w.SwitchThrown() | w.SwitchLifted():
            return state._replace(switches=sw.evolve(state.switches, at, event))
        case _:
            return _evolve_rights(state, seq, at, event)


_OfPeople = w.RoleGranted | w.RoleRevoked | w.DelegationStarted | w.DelegationEnded
_OfMoney = w.BudgetSet | w.TimezoneSet | w.PriceEvent


def _evolve_rights(state: WorkspaceState, seq: int, at: int, event: _OfPeople | _OfMoney) -> WorkspaceState:
    match event:
        case w.RoleGranted():
            grant = Grant(event.role, event.to, event.name, event.workflow, at, event.by, event.reason)
            return state._replace(roles=state.roles.set(grant.key, grant))
        case w.RoleRevoked():
            return state._replace(roles=state.roles.delete((event.role, event.to, event.workflow or "")))
        case w.DelegationStarted():
            return state._replace(delegations=state.delegations.set(seq, dg.Delegation(seq, at, event)))
        case w.DelegationEnded():
            return state._replace(delegations=state.delegations.delete(event.delegation))
        case w.BudgetSet():
            budget = bg.budget_after(at, event)
            budgets = state.budgets
            changed = budgets.delete(event.budget) if budget is None else budgets.set(event.budget, budget)
            return state._replace(budgets=changed)
        case w.TimezoneSet():
            return state._replace(timezone=event.zone)
        case w.PriceSet() | w.PriceUnset():
            return state._replace(prices=pr.evolve(state.prices, at, event))
        case _:
            assert_never(event)


def decide(state: WorkspaceState, command: Command, now: int) -> Verdict:
    """What ``command`` leads to at ``now``."""
    match command:
        case Deploy():
            return _deploy(state, command, now)
        case Retire():
            return _retire(state, command)
        case PauseSchedule():
            return _pause(state, command)
        case ResumeSchedule(workflow=workflow, schedule=schedule, by=by, reason=reason):
            if (workflow, schedule) not in state.paused:
                return ()
            return (w.ScheduleResumed(workflow=workflow, schedule=schedule, by=by, reason=reason),)
        case Skip(event=event):
            known = state.skipped.get((event.workflow, event.schedule))
            return () if known is not None and known >= event.last else (event,)
        case GrantRole():
            return _grant(state, command)
        case RevokeRole():
            return _revoke(state, command)
        case dg.StartDelegation() | dg.EndDelegation():
            return _unless_words(dg.decide(state.delegations, command, now))
        case fz.StartFreeze() | fz.LiftFreeze():
            return _unless_words(fz.decide(state.freezes, command, now))
        case idn.OfferLink() | idn.TakeLink() | idn.EndLinks():
            return _unless_words(idn.decide(state.identities, command, now))
        case _:
            return _unless_words(_decide_guards(state, command))


def _decide_guards(
    state: WorkspaceState, command: AboutStopping | AboutMoney | ks.KeyCommand
) -> tuple[w.WorkspaceEvent, ...] | str:
    """What holds steps, and what opens doors to them."""
    match command:
        case sw.ThrowSwitch() | sw.LiftSwitch():
            return sw.decide(state.switches, command)
        case bg.SetBudget() | bg.SetTimezone():
            return bg.decide(state.budgets, state.timezone, command)
        case pr.SetPrice() | pr.UnsetPrice():
            return pr.decide(state.prices, command)
        case _:
            return ks.decide(state.keys, command)


def _unless_words(verdict: tuple[w.WorkspaceEvent, ...] | str) -> Verdict:
    return Refused(verdict) if isinstance(verdict, str) else verdict


def _deploy(state: WorkspaceState, command: Deploy, now: int) -> Verdict:
    if DEPLOY not in command.may:
        return Refused(f"{command.by.name} may not deploy; that takes the permission {DEPLOY}")
    events: list[w.WorkspaceEvent] = []
    for change in command.changes:
        known = state.workflows.get(change.workflow)
        if command.if_new and state.sources.get((command.source, change.workflow)) == change.definition:
            continue
        if known is not None and known.retired is None and known.definition == change.definition:
            continue
        if (None if known is None else known.definition) != change.previous:
            return Stale(change.workflow)
        if change.gates and (refused := _gates(state, command, change, now)) is not None:
            return refused
        events.append(
            w.WorkflowDeployed(
                workflow=change.workflow,
                definition=change.definition,
                previous=change.previous,
                by=command.by,
                reason=command.reason,
                source=command.source,
                changes=change.changes,
                gates=change.gates,
            )
        )
    return tuple(events)


def _gates(state: WorkspaceState, command: Deploy, change: Change, now: int) -> Refused | None:
    """Why a definition that changes who decides is not taken, if it is not."""
    said = "; ".join(change.gates)
    if DEPLOY_GATES not in command.may:
        return Refused(
            f"{command.by.name} may not change who decides in {change.workflow}, which takes the permission "
            f"{DEPLOY_GATES}: {said}"
        )
    freeze = state.freeze(change.workflow, now)
    if freeze is not None:
        return Refused(f"{fz.frozen(freeze, change.workflow)}; no gate changes meanwhile: {said}")
    return None


def _retire(state: WorkspaceState, command: Retire) -> Verdict:
    known = state.current(command.workflow)
    if DEPLOY not in command.may:
        return Refused(f"{command.by.name} may not retire workflows; that takes the permission {DEPLOY}")
    if known is None:
        gone = command.workflow in state.workflows
        return () if gone else Refused(f"there is no workflow {command.workflow} to retire")
    retired = w.WorkflowRetired(
        workflow=command.workflow, definition=known.definition, by=command.by, reason=command.reason
    )
    return (retired,)


def _pause(state: WorkspaceState, command: PauseSchedule) -> Verdict:
    if (command.workflow, command.schedule) in state.paused:
        return ()
    paused = w.SchedulePaused(
        workflow=command.workflow, schedule=command.schedule, by=command.by, reason=command.reason
    )
    return (paused,)


def _grant(state: WorkspaceState, command: GrantRole) -> Verdict:
    if ROLES not in command.may:
        return Refused(f"{command.by.name} may not grant roles; that takes the role {Role.ADMIN}")
    if command.if_no_admin and giving(state.grants, Role.ADMIN):
        return ()
    if (command.role, command.to, command.workflow or "") in state.roles:
        return ()
    granted = w.RoleGranted(
        role=command.role,
        to=command.to,
        name=command.name,
        workflow=command.workflow,
        by=command.by,
        reason=command.reason,
    )
    return (granted,)


def _revoke(state: WorkspaceState, command: RevokeRole) -> Verdict:
    if ROLES not in command.may:
        return Refused(f"{command.by.name} may not revoke roles; that takes the role {Role.ADMIN}")
    known = state.roles.get((command.role, command.to, command.workflow or ""))
    if known is None:
        return ()
    if giving(state.grants, Role.ADMIN) == (known,) and not command.admins_besides:
        return Refused(
            f"{known.name} is the only {Role.ADMIN}, and nobody could grant roles then; make somebody else one first"
        )
    revoked = w.RoleRevoked(
        role=command.role, to=command.to, workflow=command.workflow, by=command.by, reason=command.reason
    )
    return (revoked,)
