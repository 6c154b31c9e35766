"""Facts about what a workspace keeps sealed: keys of providers, and secrets of steps.

The one rule: no event holds what is sealed. ``key`` is the id under which it lies, a new one for each value;
``last_four`` are its last characters, empty where it is too short to show any; ``fingerprint`` is the same for the same
value in this workspace, and tells nobody without the workspace's data key what the value is.
"""

from __future__ import annotations

from typing import ClassVar

from engine.core.events.base import Actor, EventModel


class KeyAdded(EventModel):
    """From here on steps may use the key ``name`` of ``provider``."""

    type: ClassVar[str] = "KEY_ADDED"
    provider: str
    name: str
    key: str
    last_four: str = ""
    fingerprint: str
    by: Actor


class KeyRotated(EventModel):
    """The value under this name was replaced: ``previous`` cannot be opened any more."""

    type: ClassVar[str] = "KEY_ROTATED"
    provider: str
    name: str
    key: str
    previous: str
    last_four: str = ""
    fingerprint: str
    by: Actor


class KeyRevoked(EventModel):
    """Nobody can open the key any more; its name may be given to another one."""

    type: ClassVar[str] = "KEY_REVOKED"
    provider: str
    name: str
    key: str
    by: Actor
    reason: str = ""


class KeyChecked(EventModel):
    """The provider was asked, at somebody's request, whether it takes the key."""

    type: ClassVar[str] = "KEY_CHECKED"
    provider: str
    name: str
    key: str
    accepted: bool | None
    """None: it could not be found out."""
    words: str = ""
    by: Actor


class SecretSet(EventModel):
    """From here on ``${{ secrets.NAME }}`` is this value. ``previous`` is what it replaced, if there was one."""

    type: ClassVar[str] = "SECRET_SET"
    name: str
    key: str
    previous: str | None = None
    last_four: str = ""
    fingerprint: str
    by: Actor


class SecretRemoved(EventModel):
    type: ClassVar[str] = "SECRET_REMOVED"
    name: str
    key: str
    by: Actor
    reason: str = ""


KeyEvent = KeyAdded | KeyRotated | KeyRevoked | KeyChecked | SecretSet | SecretRemoved
