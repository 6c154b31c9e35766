"""Encryption at rest: AES-256-GCM under one data key per person, each wrapped by a master key from outside.

The one rule: keys are in memory, wrapped in the database, and in no text that this package makes: no error, no repr.

A sealed text is a JSON object, so that whatever reads JSON can still read the row: the data key's id, a random nonce
and the ciphertext. What the text belongs to (its stream, place and type) is authenticated with it, so that no sealed
text can be moved to another place. Nonces are random; a data key is good for 2^32 texts, one person's.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from engine.store.errors import SealBroken, WrongMasterKey

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
# No event's payload begins like this: the names of their fields hold no dot.
MARK: Final = '{"vb.sealed":1,'

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

Place = tuple[str | int, ...]


def is_sealed(text: str) -> bool:
    """Whether the text is a sealed one."""
    return text.startswith(MARK)


def key_of(sealed: str) -> str:
    """The id of the data key that sealed this text; "" if it is broken."""
    try:
        found: Any = json.loads(sealed)["key"]
    except (ValueError, TypeError, LookupError):
        return ""
    return found if isinstance(found, str) else ""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A data key, ready for use; `id` is its row's."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls, id_: str) -> Self:
        """A random key under this id."""
        return cls(id_, os.urandom(KEY_BYTES))

    def seal(self, text: str, place: Place) -> str:
        """The text, readable only with this key and in this place."""
        nonce = os.urandom(_NONCE_BYTES)
        cipher = AESGCM(self.secret).encrypt(nonce, text.encode(), _bound(self.id, place))
        return f'{MARK}"key":{_encode(self.id)},"nonce":"{_to_text(nonce)}","text":"{_to_text(cipher)}"}}'

    def open(self, sealed: str, place: Place) -> str:
        """The text that was sealed for this place. SealBroken if it is not as it was, or from elsewhere."""
        try:
            envelope = json.loads(sealed)
            nonce, cipher = (base64.b64decode(envelope[name], validate=True) for name in ("nonce", "text"))
            return AESGCM(self.secret).decrypt(nonce, cipher, _bound(self.id, place)).decode()
        except (ValueError, TypeError, LookupError, InvalidTag):
            raise SealBroken(" ".join(map(str, place))) from None


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A data key as it lies in the database: whose it is, and which master key opens it."""

    id: str
    subject: str
    master: str
    text: str = field(repr=False)


class Sealer:
    """The master keys: the `current` one wraps new data keys, and `older` ones still open what they have wrapped.

    Each has 32 bytes; ValueError otherwise.
    """

    def __init__(self, current: bytes, older: Sequence[bytes] = ()) -> None:
        if any(len(key) != KEY_BYTES for key in (current, *older)):
            raise ValueError(f"a master key has {KEY_BYTES} bytes")
        self._keys = {fingerprint(key): key for key in (*older, current)}
        self.current = fingerprint(current)

    @classmethod
    def of(cls, current: str, older: Sequence[str] = ()) -> Self:
        """From keys in base64, as `vb` prints a new one. ValueError says what is wrong, and never what was given."""
        try:
            keys = [base64.b64decode(text.strip(), validate=True) for text in (current, *older)]
        except (ValueError, binascii.Error):
            raise ValueError("a master key is 32 random bytes in base64") from None
        return cls(keys[0], keys[1:])

    def __repr__(self) -> str:
        return f"Sealer(current={self.current!r}, {len(self._keys)} keys)"

    def knows(self, master: str) -> bool:
        """Whether the master key with this fingerprint is among ours."""
        return master in self._keys

    def wrap(self, key: DataKey, subject: str) -> Wrapped:
        """The data key, sealed by the current master key for this subject."""
        nonce = os.urandom(_NONCE_BYTES)
        secret = key.secret
        cipher = AESGCM(self._keys[self.current]).encrypt(nonce, secret, _bound(key.id, ("data key", subject)))
        return Wrapped(key.id, subject, self.current, _to_text(nonce + cipher))

    def unwrap(self, wrapped: Wrapped) -> DataKey:
        """The data key. WrongMasterKey if none of ours wrapped it, SealBroken if it was changed."""
        master = self._keys.get(wrapped.master)
        if master is None:
            raise WrongMasterKey(wrapped.master)
        try:
            raw = base64.b64decode(wrapped.text, validate=True)
            bound = _bound(wrapped.id, ("data key", wrapped.subject))
            return DataKey(wrapped.id, AESGCM(master).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound))
        except (ValueError, InvalidTag):
            raise SealBroken(f"data key {wrapped.id}") from None


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a log is opened with: the chain's, and the master keys if texts are sealed."""

    chain: bytes = field(repr=False)
    sealer: Sealer | None = None


def new_master_key() -> str:
    """A new master key in base64, for `Sealer.of`."""
    return _to_text(os.urandom(KEY_BYTES))


def fingerprint(master: bytes) -> str:
    """What a master key is called in the database; says nothing of the key. Hex."""
    return hashlib.sha256(b"vectorbea master key\0" + master).hexdigest()[:16]


def hidden(key: bytes, digest: str) -> str:
    """Under what a sealed blob lies: not the hash of its text, by which a guess at the text could be tried. Hex."""
    return hmac.new(key, b"blob\0" + digest.encode(), "sha256").hexdigest()


def _bound(key_id: str, place: Place) -> bytes:
    return _encode([key_id, *place]).encode()


def _to_text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
