"""Kill switches: what a person has stopped, and which steps that holds.

The one rule: a switch is named by its key, and a step by the keys that it is under; what is thrown under any of them
holds it. The ``epoch`` grows with whatever changes what holds steps, in any workspace: a decision that starts
something is recorded only if it is still the one that was looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from immutables import Map

from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.core.words import did_you_mean, listed

EVERYTHING = "everything"
WORKSPACE = "workspace"
NAMED = {
    "workflow": "NAME",
    "step": "NAME",
    "run": "ID",
    "provider": "NAME",
    "model": "PROVIDER:MODEL",
    "key": "PROVIDER/NAME",
}
"""What a key can name, and how: ``workflow:deploy``, ``step:shell.run``, ``run:run_01…``, ``provider:openai``,
``model:openai:gpt-5-mini``, ``key:openai/production``."""
_PARTED = {"model": ":", "key": "/"}
"""Between the provider and what is stopped of it."""

LONGEST_KEY = 200


class Switch(NamedTuple):
    """A switch that is thrown. ``place``: where people were told of it, if it was thrown in such a place."""

    key: str
    by: Actor
    reason: str
    at: int
    epoch: int
    place: str = ""


class Switches(NamedTuple):
    """All that is thrown at ``epoch``, by (workspace, key). That of everything holds in all workspaces."""

    epoch: int = 0
    thrown: Map[tuple[str, str], Switch] = Map()

    def under(self, workspace: str, keys: Iterable[str]) -> Iterator[Switch]:
        """Those of ``keys`` that are thrown for this workspace."""
        if not self.thrown:
            return
        wanted = frozenset(keys)
        for (where, key), switch in self.thrown.items():
            if key == EVERYTHING or (where == workspace and key in wanted):
                yield switch


NONE_THROWN = Switches()


@dataclass(frozen=True, slots=True)
class ThrowSwitch:
    """Let nothing start under ``key`` any more. ``epoch`` is the one that it makes an end to; ``place`` as recorded."""

    key: str
    by: Actor
    reason: str
    epoch: int = 0
    place: str = ""


@dataclass(frozen=True, slots=True)
class LiftSwitch:
    """Let what the switch of ``key`` has stopped go on. ``epoch`` as with a throw."""

    key: str
    by: Actor
    reason: str = ""
    epoch: int = 0


def evolve(known: Map[str, Switch], at: int, event: w.SwitchThrown | w.SwitchLifted) -> Map[str, Switch]:
    """What is thrown in the workspace after the event, by key."""
    if isinstance(event, w.SwitchLifted):
        return known.delete(event.key)
    return known.set(event.key, Switch(event.key, event.by, event.reason, at, event.epoch, event.place))


def key_of(text: str) -> str:
    """The key that a person wrote. Raises ``ValueError``, which says what there is."""
    kind, colon, name = text.strip().partition(":")
    kind, name = kind.lower(), name.strip()
    if kind in (EVERYTHING, WORKSPACE) and not colon:
        return kind
    if kind not in NAMED:
        known = [WORKSPACE, EVERYTHING, *(f"{one}:{named}" for one, named in NAMED.items())]
        raise ValueError(f"{text.strip()!r:.60} names nothing that can be stopped; {did_you_mean(text, known)}")
    if not name or len(name) > LONGEST_KEY or any(character.isspace() for character in name):
        raise ValueError(f"{kind}: needs one name after it, as {kind}:{NAMED[kind]}")
    if kind in _PARTED and not all(name.partition(_PARTED[kind])):
        # Taken as it is, it would stop nothing, and say that it has.
        raise ValueError(f"{kind}: needs the provider as well, as {kind}:{NAMED[kind]}; provider:NAME stops all of one")
    return f"{kind}:{name}"


def decide(
    known: Mapping[str, Switch], command: ThrowSwitch | LiftSwitch
) -> tuple[w.SwitchThrown | w.SwitchLifted, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    thrown, reason = known.get(command.key), command.reason.strip()
    if isinstance(command, LiftSwitch):
        if thrown is None:
            there = f"there is: {listed(sorted(known))}" if known else "nothing is stopped"
            return f"no switch {command.key} is thrown; {there}"
        lifted = w.SwitchLifted(
            key=command.key, by=command.by, reason=reason, epoch=command.epoch + 1, place=thrown.place
        )
        return (lifted,)
    if thrown is not None:
        return f"{thrown.by.name} has stopped {scope_words(command.key)} already: {thrown.reason}"
    if not reason:
        return "stopping something needs a reason; everybody whose steps it holds is told it"
    new = w.SwitchThrown(key=command.key, by=command.by, reason=reason, epoch=command.epoch + 1, place=command.place)
    return (new,)


def words_of(switches: Iterable[Switch]) -> str:
    """Who stopped what, and why, without a full stop."""
    return "; ".join(f"{one.by.name} stopped {scope_words(one.key)}: {one.reason}" for one in switches)


def scope_words(key: str) -> str:
    """What a switch of this key stops, in words."""
    kind, _, name = key.partition(":")
    match kind:
        case "everything":
            return "everything"
        case "workspace":
            return "all runs of this workspace"
        case "workflow":
            return f"all runs of {name}"
        case "step":
            return f"all steps that use {name}"
        case "run":
            return "this run"
        case _:
            return f"all calls with the {kind} {name}"
