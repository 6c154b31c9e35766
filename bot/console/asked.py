"""The options that choose runs, as they were typed; `bot.console.filters` reads them.

The one rule: words only, and nothing heavy to import, so that the command line can be laid out with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """``since`` and ``older_than`` are ages (``3d``) or instants (ISO 8601), ``labels`` are ``NAME=VALUE`` words."""

    status: Sequence[str] = ()
    workflow: str | None = None
    by: str | None = None
    since: str | None = None
    older_than: str | None = None
    text: str = ""
    labels: Sequence[str] = ()
    attention: str | None = None

    @property
    def says_anything(self) -> bool:
        """Whether it asks for less than all runs."""
        return self != Asked()
