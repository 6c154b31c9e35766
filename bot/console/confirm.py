"""Asking before something happens that cannot be taken back, or that happens to many.

The one rule: the question says exactly what will happen; without a terminal to ask at, nothing happens without `--yes`.
"""

from __future__ import annotations

import sys

from bot.console.launch import Misuse
from bot.console.output import note
from engine.core.errors import EngineError


class Declined(EngineError):
    """The person did not say yes."""

    def __init__(self) -> None:
        super().__init__("Nothing was changed.")


def confirm(what: str, *, yes: bool) -> None:
    """Go on only with a yes. Raises ``Declined``, and ``Misuse`` where nobody can be asked."""
    if yes:
        return
    note(what)
    if not sys.stdin.isatty():
        raise Misuse("Nobody can be asked here; to do it all the same, add --yes.")
    sys.stderr.write("Do it? Type yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise Declined
