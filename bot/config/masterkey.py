"""The master keys, from a file, the environment or a function of the operator's: by them everything sealed is sealed.

The one rule: no key is ever in a text of ours; what is wrong with one is said by its place.

A function is the way to a key management system: ``VB_MASTER_KEY_FROM=acme.kms:master_keys`` names one without
arguments, which is called once when a process starts, and gives the keys in base64 as a ``MasterKeys`` does.
"""

from __future__ import annotations

import importlib
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bot.config.settings import Settings
from engine.core.errors import EngineError
from engine.store import Sealer

MasterKeys = Callable[[], Iterable[str]]
"""What an operator's function is: the current master key first, then older ones that still have to open something."""


class NoMasterKey(EngineError):
    """The master key cannot be had, or cannot be trusted."""


def sealer(settings: Settings) -> Sealer | None:
    """What seals new data by the first master key and opens what older ones have sealed; None if none is set.

    Raises ``NoMasterKey``.
    """
    file, given, hook = settings.master_key_file, settings.master_key, settings.master_key_from
    named = {"VB_MASTER_KEY_FILE": file, "VB_MASTER_KEY_FROM": hook, "VB_MASTER_KEY": given}
    if len(names := [name for name, value in named.items() if value is not None]) > 1:
        raise NoMasterKey(f"{' and '.join(names)} are set together; leave one.")
    if file is not None:
        return _sealer(_read(file), f"the file {file}")
    if hook is not None:
        return _sealer(_called(hook), f"what {hook} gives")
    return None if given is None else _sealer(given.get_secret_value(), "VB_MASTER_KEY")


def _sealer(text: str, where: str) -> Sealer:
    keys = text.split()
    if not keys:
        raise NoMasterKey(f"There is no master key in {where}; vb keys new makes one.")
    try:
        return Sealer.of(keys[0], keys[1:])
    except ValueError as error:
        raise NoMasterKey(f"A master key in {where} cannot be used: {error}; vb keys new makes one.") from None


def _read(path: Path) -> str:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise NoMasterKey(
                f"The master key file {path} can be read by others; take that away first: chmod 600 {path}"
            )
        return path.read_text(encoding="ascii")
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise NoMasterKey(f"The master key file {path} cannot be used: {why}.") from None
    except UnicodeDecodeError:
        raise NoMasterKey(
            f"The master key file {path} cannot be used: it holds no text; vb keys new makes one."
        ) from None


def _called(hook: str) -> str:
    module, _, name = hook.partition(":")
    try:
        function: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        words = "write module:function, of a module that Python can import"
        raise NoMasterKey(f"VB_MASTER_KEY_FROM names no function ({hook!r:.80}); {words}.") from None
    try:
        return " ".join(function())
    except Exception as error:  # noqa: BLE001 - whatever it raises; its words may hold a key, so its name has to do
        raise NoMasterKey(f"The master key cannot be had: {hook} failed ({type(error).__name__}).") from None
