"""What a workspace keeps sealed: adding, rotating and revoking keys, setting and removing secrets, and the list of all.

The one rule: a value is sealed before anything is decided, and what tells of it and what holds it are one append; so
there is no key of which the log does not tell, and none is left that was revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from engine.core import key_events as k
from engine.core import keys as ks
from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.events.base import Actor
from engine.ids import key_id
from engine.store import DropKey, KeyChange, Log, PutKey, from_text
from engine.store.keyring import Keyring as Rows
from engine.store.keyring import Sealed
from engine.workspace import Workspace, WorkspaceRefused


class KeyInfo(NamedTuple):
    """A key or secret as people may see it; ``used_at`` to the minute, None: never used."""

    key: ks.Key
    used_at: int | None


class Lapsed(NamedTuple):
    """A value that was replaced or revoked at ``at``; ``there``: it can be opened all the same, which must not be."""

    provider: str
    name: str
    id: str
    at: int
    there: bool


class Audit(NamedTuple):
    """Whether what can be opened is what the log says: ``lost`` are keys that the log has and the table lacks."""

    lapsed: tuple[Lapsed, ...]
    lost: tuple[ks.Key, ...]
    unknown: tuple[ks.KeyPlace, ...]
    """Rows of which the log does not tell."""

    @property
    def is_whole(self) -> bool:
        return not self.lost and not self.unknown and not any(one.there for one in self.lapsed)


class Keyring:
    """The keys and secrets of one workspace. What changes them raises ``WorkspaceRefused``, or the store's errors.

    A name or value that cannot be one is a ``ValueError``, which never says the value.
    """

    def __init__(self, store: Log, workspace: Workspace) -> None:
        self._rows = Rows(store.database, store.vault, workspace.name)
        self._workspace = workspace

    @property
    def can_keep(self) -> bool:
        """Whether there is a master key."""
        return self._rows.can_seal

    async def list(self) -> list[KeyInfo]:
        """All of them, by provider and name; secrets too."""
        state = await self._workspace.state()
        used = {row.id: row.used_at for row in await self._rows.rows()}
        return [KeyInfo(key, used.get(key.id)) for _, key in sorted(state.keys.items())]

    async def add(self, provider: str, name: str, value: str, *, by: Actor, may: frozenset[str]) -> ks.Key:
        """Keep a key under a name that is free (nothing: ``default``)."""
        provider, name = ks.provider_named(provider), ks.key_named(name)
        return await self._put(provider, name, value, lambda entry: ks.AddKey(provider, name, entry, by, may))

    async def rotate(self, provider: str, name: str, value: str, *, by: Actor, may: frozenset[str]) -> ks.Key:
        """Put another value into the place of one that is there."""
        provider, name = ks.provider_named(provider), ks.key_named(name)
        return await self._put(provider, name, value, lambda entry: ks.RotateKey(provider, name, entry, by, may))

    async def set_secret(
        self, name: str, value: str, *, by: Actor, may: frozenset[str], if_new: bool = False
    ) -> ks.Key:
        """Keep a secret, in the place of what was there; ``if_new``: only where there is none of that name."""
        name = ks.secret_named(name)
        return await self._put(ks.SECRETS, name, value, lambda entry: ks.SetSecret(name, entry, by, may, if_new))

    async def revoke(self, provider: str, name: str, *, by: Actor, may: frozenset[str], reason: str = "") -> None:
        """Let nobody open the key any more, from the moment at which this returns."""
        command = ks.RevokeKey(ks.provider_named(provider), ks.key_named(name), by, may, reason)
        await self._workspace.submit(lambda _: command, _dropped)

    async def remove_secret(self, name: str, *, by: Actor, may: frozenset[str], reason: str = "") -> None:
        """Let nobody have the secret any more."""
        command = ks.RemoveSecret(ks.secret_named(name), by, may, reason)
        await self._workspace.submit(lambda _: command, _dropped)

    async def audit(self) -> Audit:
        """Compare the log with what lies there. Nothing is opened."""
        history = await self._workspace.history()
        known = (await self._workspace.state()).keys
        rows = {(row.provider, row.name): row.id for row in await self._rows.rows()}
        there = set(rows.values())
        lapsed = [
            Lapsed(provider, name, id_, from_text(stored.at), id_ in there)
            for stored, event in history
            for provider, name, id_ in _lapsed(event)
        ]
        return Audit(
            tuple(lapsed),
            tuple(key for place, key in sorted(known.items()) if rows.get(place) != key.id),
            tuple(sorted(place for place in rows if place not in known)),
        )

    async def _put(self, provider: str, name: str, text: str, make: Callable[[ks.Entry], ws.Command]) -> ks.Key:
        value = ks.checked_value(text)
        sealed = await self._rows.seal(provider, key_id(), value)
        command = make(ks.Entry(sealed.id, ks.last_four(value), sealed.fingerprint))
        await self._workspace.submit(lambda _: command, lambda events: _kept(events, provider, sealed))
        kept = self._workspace.known.keys.get((provider, name))
        if kept is None:
            raise WorkspaceRefused(f"{ks.named(provider, name)} was taken away by somebody else meanwhile")
        return kept


def _kept(events: Sequence[w.WorkspaceEvent], provider: str, sealed: Sealed) -> tuple[KeyChange, ...]:
    return tuple(
        PutKey(provider, event.name, sealed.id, event.last_four, sealed.fingerprint, sealed.text)
        for event in events
        if isinstance(event, k.KeyAdded | k.KeyRotated | k.SecretSet)
    )


def _dropped(events: Sequence[w.WorkspaceEvent]) -> tuple[KeyChange, ...]:
    return tuple(DropKey(provider, name) for event in events for provider, name, _ in _lapsed(event))


def _lapsed(event: w.WorkspaceEvent) -> tuple[tuple[str, str, str], ...]:
    """Provider, name and id of the value that this event ended."""
    match event:
        case k.KeyRotated(provider=provider, name=name, previous=id_):
            return ((provider, name, id_),)
        case k.KeyRevoked(provider=provider, name=name, key=id_):
            return ((provider, name, id_),)
        case k.SecretSet(name=name, previous=str(id_)) | k.SecretRemoved(name=name, key=id_):
            return ((ks.SECRETS, name, id_),)
        case _:
            return ()
