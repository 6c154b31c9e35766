"""The key that signs the history: a file beside the database, or wherever the operator keeps it.

The one rule: a key is made only for a history that does not exist yet. Where there is a history and no key, making one
would sign what follows with another, and nothing could be verified ever again.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

from engine.core.errors import EngineError

BYTES = 32


class NoChainKey(EngineError):
    """The key cannot be had, or cannot be trusted."""


class WrongChainKey(NoChainKey):
    """The key signs no history but another one; what is written with it could never be verified."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"The key in {path} is not the one that signed this history, so nothing was done: bring the right one "
            "back, or name its file in VB_CHAIN_KEY_FILE. What does not fit is told by vb verify."
        )


async def chain_key(path: Path, has_history: Callable[[], Awaitable[bool]]) -> bytes:
    """The key in the file ``path``; made there, for this user only, if neither it nor a history exists.

    Processes that start together come to the same key. Raises ``NoChainKey``.
    """
    try:
        if not _is_there(path):
            if await has_history():
                raise NoChainKey(
                    f"The key of this history is missing: there is no {path}. Bring it back from a backup or from the "
                    "machine that made it, or name its file in VB_CHAIN_KEY_FILE."
                )
            _make(path)
        return _read(path)
    except OSError as error:
        raise NoChainKey(
            f"The key file {path} cannot be used: {(error.strerror or 'unknown reason').lower()}."
        ) from error


def _is_there(path: Path) -> bool:
    return path.exists()


def _read(path: Path) -> bytes:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise NoChainKey(f"The key file {path} can be read by others; take that away first: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) < BYTES:
        raise NoChainKey(f"The key file {path} is too short: it must hold at least {BYTES} bytes.")
    return key


def _make(path: Path) -> None:
    """Write a new key; whoever links it into place first has made it, and it is never seen half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        _sync(path.parent)
    finally:
        draft.unlink()


def _sync(folder: Path) -> None:
    """Make the new name as durable as what will be signed with the key."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
