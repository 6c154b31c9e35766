"""The master keys, from a file or the environment: by them what people's runs hold is sealed.

The one rule: no key is ever in a text of ours; what is wrong with one is said by its place.
"""

from __future__ import annotations

import stat
from pathlib import Path

from bot.config.settings import Settings
from engine.core.errors import EngineError
from engine.store import Sealer


class NoMasterKey(EngineError):
    """The master key cannot be had, or cannot be trusted."""


def sealer(settings: Settings) -> Sealer | None:
    """What seals new data by the first master key and opens what older ones have sealed; None if none is set.

    Raises ``NoMasterKey``.
    """
    file, given = settings.master_key_file, settings.master_key
    if file is not None and given is not None:
        raise NoMasterKey("VB_MASTER_KEY_FILE and VB_MASTER_KEY are both set; leave one of them out.")
    if file is not None:
        return _sealer(_read(file), f"the file {file}")
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
