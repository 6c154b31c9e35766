"""Whose turn it is when all slots of a worker are taken: a run goes on from step to step, and others must not starve.

The one rule: a workspace that waits is let in, up to its equal share of the slots from one look to the next, each time
in the place of a run of another workspace that is between two steps. That run loses nothing but its turn.
"""

from __future__ import annotations

from collections.abc import Mapping


class Others:
    """What waited in the stream, by workspace, when it was last looked at."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._waiting: dict[str, int] = {}

    def see(self, backlog: Mapping[str, int]) -> None:
        """So many activations wait now. With few turns at a time, most runs still go on without a detour."""
        share = max(1, self._slots // max(1, len(backlog)))
        self._waiting = {workspace: min(count, share) for workspace, count in backlog.items() if count > 0}

    def forget(self) -> None:
        """There are free slots: nobody waits."""
        if self._waiting:
            self._waiting = {}

    def turn(self, workspace: str) -> bool:
        """Whether a run of ``workspace`` is to give its slot to another workspace; that one's turn is taken then."""
        for other, count in self._waiting.items():
            if other != workspace and count > 0:
                self._waiting[other] = count - 1
                return True
        return False
