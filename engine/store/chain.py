"""The chain of hashes that lets nobody rewrite history unseen: HMAC-SHA256 under a key that is not in the database.

The one rule: what is hashed is defined here and nowhere else; writers and verifiers call these functions.
The text under each HMAC is a canonical JSON array, so that no two different facts share a text.
"""

import hashlib
import hmac
import json
from functools import lru_cache

_canonical = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event_hash(key: bytes, previous: str, event: tuple[str, int, str, int, str, str]) -> str:
    """The hash of an event `(stream, seq, type, version, at, payload)` that follows the one with the hash `previous`.

    `previous` is "" for the first event. Hex. UnicodeEncodeError if a text holds half of a surrogate pair.
    """
    *facts, payload = event
    digest = hashlib.sha256(payload.encode()).hexdigest()
    return _seal(key, [previous, *facts, digest])


def head_mac(key: bytes, stream: str, seq: int, hash_: str) -> str:
    """The seal on a stream's head: without the key nobody can make a shorter stream look complete. Hex."""
    return _seal(key, ["head", stream, seq, hash_])


def checkpoint_mac(key: bytes, stream: str, seq: int, version: int, hash_: str, text: str) -> str:
    """The seal on a checkpoint `text` of the fold `version`, made after the event with this `seq` and hash. Hex."""
    digest = hashlib.sha256(text.encode()).hexdigest()
    return _seal(key, ["checkpoint", stream, seq, version, hash_, digest])


def pruned_mac(key: bytes, facts: tuple[str | int, ...]) -> str:
    """The seal on what is left of a pruned run: its row in `pruned` without this column. Hex."""
    return _seal(key, ["pruned", *facts])


def _seal(key: bytes, facts: list[object]) -> str:
    """Not by ``hmac.digest``, which gives the interpreter's lock away for each short text: that costs far more."""
    seal = _keyed(key).copy()
    seal.update(_canonical(facts).encode())
    return seal.hexdigest()


@lru_cache(maxsize=8)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")
