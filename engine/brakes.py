"""What this process knows of the switches that are thrown, in all workspaces.

The one rule: what is known here may be old, and does no harm then: whatever starts something is recorded only at the
epoch that it was decided at, and whoever is refused reads anew.
"""

from __future__ import annotations

from immutables import Map

from engine.core import workspace_events as w
from engine.core.switches import NONE_THROWN, Switch, Switches
from engine.store import Log, StoredEvent, from_text


class Brakes:
    """``known`` is what was read last."""

    def __init__(self, store: Log) -> None:
        self._store = store
        self.known = NONE_THROWN

    async def refresh(self) -> Switches:
        """Everything as it is at some moment after the call."""
        epoch, thrown = await self._store.switches()
        if epoch > self.known.epoch:
            switches = ((one.stream, _switch(one)) for one in thrown)
            self.known = Switches(epoch, Map({(where, switch.key): switch for where, switch in switches}))
        return self.known


def _switch(stored: StoredEvent) -> Switch:
    event = w.decode(stored.type, stored.version, stored.payload)
    if not isinstance(event, w.SwitchThrown):
        raise ValueError(f"{stored.stream} has {stored.type} at {stored.seq}, which throws no switch")
    return Switch(event.key, event.by, event.reason, from_text(stored.at), event.epoch, event.place)
