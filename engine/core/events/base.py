"""What all events share: that they are frozen, named and versioned; and who did something.

The one rule: an event says what happened, in the past tense, once. Instants are epoch milliseconds, durations
milliseconds. ``step`` is always a path (``engine.core.paths``).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class Actor(BaseModel):
    """Who did something: ``via`` the surface that vouches for them, their ``id`` there, and a ``name`` to show.

    ``terminal``: the machine at whose command line they did it, where their account on it is known to be theirs.
    """

    model_config = ConfigDict(frozen=True)

    via: Literal["slack", "cli", "api", "engine"]
    id: str
    name: str
    terminal: str = Field(default="", exclude_if=lambda terminal: not terminal)

    @property
    def key(self) -> str:
        """``slack:U…``: who they are, whatever they are called."""
        return f"{self.via}:{self.id}"


class EventModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    type: ClassVar[str]
    version: ClassVar[int] = 1
