"""The edges of a simulated process: where its calls go out to the database and to the stream.

The one rule: whatever goes wrong on the way goes wrong here, before a call has had its effect or after it.
"""

from __future__ import annotations

from typing import Protocol


class Edge(Protocol):
    """What is to happen on the way happens: time passes, errors are raised, the process dies."""

    async def before(self, call: str) -> None: ...

    async def after(self, call: str) -> None: ...


class Cable(Edge, Protocol):
    """Between a process and the database."""

    def rejects(self, appends: int) -> bool:
        """Whether a batch of that many appends is rejected as a whole."""
        ...


class Wire(Edge, Protocol):
    """Between a process and the stream."""

    def copies(self) -> int:
        """How often an activation arrives that is added once: 1, as far as Redis goes."""
        ...


class Quiet:
    """An edge at which nothing goes wrong."""

    async def before(self, call: str) -> None: ...

    async def after(self, call: str) -> None: ...

    def rejects(self, appends: int) -> bool:
        return False

    def copies(self) -> int:
        return 1
