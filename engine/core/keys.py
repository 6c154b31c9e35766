"""Keys of providers and secrets of steps: what they may be called, what is shown of them, and who may change them.

The one rule: a value is looked at here only to be refused, or to tell its last four characters; it goes into no
command, no state and no event.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from immutables import Map

from engine.core import key_events as k
from engine.core.events.base import Actor
from engine.core.words import did_you_mean

KEYS = "keys"
"""The permission to add, rotate and revoke keys, and to set and remove secrets."""
SECRETS = "secrets"
"""Stands for a provider where a secret of steps is meant; no provider is called so."""
DEFAULT = "default"
"""The name of the key that is used where no name is given."""

SHORTEST, LONGEST = 8, 8_192
_SHOWN_FROM = 16

_PROVIDER = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,23}")
_SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

_ISSUED = re.compile(
    r"sk-|A(?:KIA|SIA)[A-Z0-9]{16}|(?:[spr]k_|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|xapp-|eyJ|AIza|hf_|npm_|pypi-"
    r"|ya29\.|whsec_|shpat_|dop_v1_)(?=.*[0-9]).{16}"
)
"""How values begin that are issued by services which many use."""
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_TURN = re.compile(r"(?<=[A-Za-z])[0-9]|(?<=[0-9])[A-Za-z]")
_TURNS = 3
"""Where letters and digits take turns so often in one run of them, nobody has thought it up."""

VALUE_TYPED = (
    "this looks like the value itself; where it was typed it may have been seen, and is kept: have it replaced by "
    "whoever has issued it, and write a name here"
)


class Key(NamedTuple):
    """What is known of a key, or of a secret (``provider`` is then ``SECRETS``): all but its value.

    ``at`` and ``by``: since when this value, and from whom.
    """

    provider: str
    name: str
    id: str
    last_four: str
    fingerprint: str
    at: int
    by: Actor

    @property
    def place(self) -> KeyPlace:
        return self.provider, self.name

    @property
    def words(self) -> str:
        """What people call it: ``the key default of openai``, ``the secret DEPLOY_TOKEN``."""
        return named(self.provider, self.name)


KeyPlace = tuple[str, str]
"""Provider and name: there is one key of each."""
Keys = Mapping[KeyPlace, Key]


class Use(NamedTuple):
    """That a key was opened, and which one it was."""

    provider: str
    name: str
    id: str
    last_four: str
    fingerprint: str


class Chosen(NamedTuple):
    """The key that whoever asks now would be given; ``id`` is empty where nobody can tell."""

    name: str
    id: str = ""


class Entry(NamedTuple):
    """A value that was sealed, and is to be put under a name; ``id`` is the place that it is sealed for."""

    id: str
    last_four: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AddKey:
    provider: str
    name: str
    entry: Entry
    by: Actor
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class RotateKey:
    provider: str
    name: str
    entry: Entry
    by: Actor
    may: frozenset[str]


@dataclass(frozen=True, slots=True)
class RevokeKey:
    provider: str
    name: str
    by: Actor
    may: frozenset[str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class NoteCheck:
    """What a provider said of the key with this id, which may have been replaced meanwhile."""

    event: k.KeyChecked


@dataclass(frozen=True, slots=True)
class SetSecret:
    """``if_new``: only where there is none of that name."""

    name: str
    entry: Entry
    by: Actor
    may: frozenset[str]
    if_new: bool = False


@dataclass(frozen=True, slots=True)
class RemoveSecret:
    name: str
    by: Actor
    may: frozenset[str]
    reason: str = ""


KeyCommand = AddKey | RotateKey | RevokeKey | NoteCheck | SetSecret | RemoveSecret


def provider_named(word: str) -> str:
    """A provider's name as it is kept. Raises ``ValueError``, which does not repeat the word, as with keys."""
    name = word.strip().lower()
    if name == SECRETS:
        raise ValueError("no provider is called secrets; vb secrets set keeps secrets of steps")
    if not _PROVIDER.fullmatch(name) or name.startswith("sk-"):
        raise ValueError("this cannot name a provider; write lower-case letters and digits, such as openai")
    return name


def key_named(word: str) -> str:
    """A key's name as it is kept; nothing stands for ``default``. Raises ``ValueError``, which does not repeat the
    word: somebody may have written the key itself there.
    """
    name = word.strip().lower() or DEFAULT
    if not _NAME.fullmatch(name) or name.startswith("sk-"):
        raise ValueError("this cannot name a key; write up to 24 letters, digits and . _ -, such as batch-jobs")
    return name


def secret_named(word: str) -> str:
    """A secret's name as expressions write it. Raises ``ValueError``, which does not repeat the word, as with keys."""
    name = word.strip()
    if not _SECRET.fullmatch(name):
        raise ValueError("this cannot name a secret; write letters, digits and _, such as DEPLOY_TOKEN")
    return name


def looks_like_value(word: str) -> bool:
    """Whether ``word``, which was given as a name, is probably what somebody wanted to keep."""
    return _ISSUED.match(word) is not None or any(len(_TURN.findall(run)) >= _TURNS for run in _RUN.findall(word))


def checked_value(text: str) -> str:
    """The value without the line break at its end. Raises ``ValueError``, which never says what was given."""
    value = text.rstrip("\r\n")
    if value != value.strip() or "\0" in value:
        raise ValueError("it begins or ends with a space, or holds a NUL character; give it as the provider shows it")
    if len(value) < SHORTEST:
        raise ValueError(f"it has fewer than {SHORTEST} characters, too few to be told from other text; give all of it")
    if len(value) > LONGEST:
        raise ValueError(f"it has more than {LONGEST:,} characters; keep a file of that size elsewhere")
    return value


def last_four(value: str) -> str:
    """The last four characters, of a value that is long enough to show them."""
    shown = value[-4:]
    return shown if len(value) >= _SHOWN_FROM and shown.isprintable() and " " not in shown else ""


def named(provider: str, name: str) -> str:
    """What people call it."""
    return f"the secret {name}" if provider == SECRETS else f"the key {name} of {provider}"


def mask(label: str) -> str:
    """What stands where a secret would."""
    return f"[secret {label}]"


def chosen(names: Sequence[str], name: str | None) -> str | None:
    """Which of a provider's keys ``name`` means (None: the only one, or the default one); None if it means none."""
    if name is not None:
        return name if name in names else None
    return names[0] if len(names) == 1 else DEFAULT if DEFAULT in names else None


def switch_of(provider: str, name: str) -> str:
    """The key of the switch that stops whatever opens this key, or this secret."""
    return f"key:{provider}/{name}"


def missing(provider: str, name: str | None, known: Mapping[KeyPlace, object]) -> str:
    """Why there is nothing under this name (None: the default one), and what can be done; without a full stop."""
    names = sorted(one for of, one in known if of == provider)
    if looks_like_value(provider) or (name is not None and looks_like_value(name)):
        return VALUE_TYPED
    if provider == SECRETS:
        advice = did_you_mean(name or "", names) if names else ""
        return f"there is no secret {name}; {advice or f'vb secrets set {name} makes one'}"
    if not names:
        return f"there is no key of {provider}; vb keys add {provider} makes one"
    if name is None:
        return f"{provider} has several keys, and none is called {DEFAULT}: name one of {', '.join(names)}"
    return f"{provider} has no key {name}; {did_you_mean(name, names)}"


def evolve(keys: Map[KeyPlace, Key], at: int, event: k.KeyEvent) -> Map[KeyPlace, Key]:
    """The keys after one event."""
    match event:
        case k.KeyAdded() | k.KeyRotated():
            place = (event.provider, event.name)
            return keys.set(place, Key(*place, event.key, event.last_four, event.fingerprint, at, event.by))
        case k.SecretSet():
            place = (SECRETS, event.name)
            return keys.set(place, Key(*place, event.key, event.last_four, event.fingerprint, at, event.by))
        case k.KeyRevoked():
            return keys.delete((event.provider, event.name))
        case k.SecretRemoved():
            return keys.delete((SECRETS, event.name))
        case k.KeyChecked():
            return keys
        case _:
            assert_never(event)


def decide(keys: Keys, command: KeyCommand) -> tuple[k.KeyEvent, ...] | str:
    """The events that the command leads to, none if it is so already; or why nothing is done."""
    if isinstance(command, NoteCheck):
        return (command.event,)
    if KEYS not in command.may:
        return f"{command.by.name} may not change keys and secrets; that takes the role admin"
    match command:
        case AddKey():
            return _added(keys, command)
        case RotateKey():
            return _rotated(keys, command)
        case SetSecret():
            return _set(keys, command)
        case RevokeKey():
            return _revoked(keys, command)
        case RemoveSecret():
            return _removed(keys, command)
        case _:
            assert_never(command)


def _added(keys: Keys, command: AddKey) -> tuple[k.KeyEvent, ...] | str:
    provider, name, entry = command.provider, command.name, command.entry
    if (provider, name) in keys:
        rotate = f"vb keys rotate {provider}" + ("" if name == DEFAULT else f" --name {name}")
        return f"{named(provider, name)} is there already; {rotate} replaces it, another name keeps both"
    if looks_like_value(provider) or looks_like_value(name):
        return VALUE_TYPED
    for known in keys.values():
        if known.provider == provider and known.fingerprint == entry.fingerprint:
            return f"this is the key {known.name} of {provider} already"
    return (k.KeyAdded(provider=provider, name=name, by=command.by, **_of(entry)),)


def _rotated(keys: Keys, command: RotateKey) -> tuple[k.KeyEvent, ...] | str:
    provider, name, entry = command.provider, command.name, command.entry
    known = keys.get((provider, name))
    if known is None:
        return missing(provider, name, keys)
    if known.fingerprint == entry.fingerprint:
        return f"{known.words} has this value already; ask {provider} for a new one"
    return (k.KeyRotated(provider=provider, name=name, previous=known.id, by=command.by, **_of(entry)),)


def _revoked(keys: Keys, command: RevokeKey) -> tuple[k.KeyEvent, ...] | str:
    known = keys.get((command.provider, command.name))
    if known is None:
        return missing(command.provider, command.name, keys)
    revoked = k.KeyRevoked(provider=known.provider, name=known.name, key=known.id, by=command.by, reason=command.reason)
    return (revoked,)


def _set(keys: Keys, command: SetSecret) -> tuple[k.KeyEvent, ...] | str:
    known, entry = keys.get((SECRETS, command.name)), command.entry
    if known is not None and known.fingerprint == entry.fingerprint and not command.if_new:
        return ()
    if known is not None and command.if_new:
        return f"{known.words} is there already; rotate it to put another value in its place"
    if known is None and looks_like_value(command.name):
        return VALUE_TYPED
    previous = None if known is None else known.id
    return (k.SecretSet(name=command.name, previous=previous, by=command.by, **_of(entry)),)


def _removed(keys: Keys, command: RemoveSecret) -> tuple[k.KeyEvent, ...] | str:
    known = keys.get((SECRETS, command.name))
    if known is None:
        return missing(SECRETS, command.name, keys)
    return (k.SecretRemoved(name=known.name, key=known.id, by=command.by, reason=command.reason),)


def _of(entry: Entry) -> dict[str, str]:
    return {"key": entry.id, "last_four": entry.last_four, "fingerprint": entry.fingerprint}
