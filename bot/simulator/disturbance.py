"""Chaos as it is switched on and off: at a program's wish, or by a person in the page.

The one rule: what happened stays counted when it is switched off, and on again it goes on from there.
"""

import asyncio
from collections.abc import Callable

from bot.simulator.calls import CallLog
from bot.simulator.chaos import WARNING_MS, Chaos
from bot.simulator.courier import Courier
from bot.simulator.model import Json
from bot.simulator.rates import RateLimits
from bot.simulator.socket_mode import SocketMode


class Disturbance:
    """`chaos` is what goes wrong, or last did; None if nothing ever has. `tell` is called when there is news of it."""

    def __init__(
        self, courier: Courier, log: CallLog, socket: SocketMode, rates: RateLimits, tell: Callable[[], None]
    ) -> None:
        self.chaos: Chaos | None = None
        self._courier = courier
        self._log = log
        self._socket = socket
        self._rates = rates
        self._tell = tell
        self._offered: Chaos | None = None
        self._connections: asyncio.Task[None] | None = None

    @property
    def is_on(self) -> bool:
        return self._courier.chaos is not None

    def unleash(self, chaos: Chaos) -> None:
        """Let things go wrong from now on; while serving."""
        self.chaos = self._courier.chaos = chaos
        self._log.chance = chaos.fault
        chaos.told = self._tell
        if chaos.weather.incident_ms and self._connections is None:
            self._connections = asyncio.create_task(self._disturb_connections(chaos))

    async def calm(self) -> None:
        """Let nothing go wrong any more."""
        self._courier.chaos = self._log.chance = None
        if self._connections is not None:
            self._connections.cancel()
            await asyncio.gather(self._connections, return_exceptions=True)
            self._connections = None

    async def _disturb_connections(self, chaos: Chaos) -> None:
        while True:
            await asyncio.sleep(chaos.until_incident_s())
            if not self._socket.connections:
                continue
            which, kind = chaos.incident(self._socket.connections)
            if kind == "cut":
                self._socket.drop(which)
            else:
                await self._socket.refresh_one(which, WARNING_MS if kind == "warning" else 0)

    # ── in the page ──────────────────────────────────────────────────────────────────────────────────────────────

    def offer(self, chaos: Chaos) -> None:
        """Let people switch it on and off; limits are enforced while it is on."""
        self._offered = chaos

    async def switch(self, *, on: bool) -> None:
        """What was offered. Raises LookupError if nothing was."""
        if self._offered is None:
            raise LookupError("no chaos is offered")
        self._rates.strict = on
        if on:
            self.unleash(self._offered)
        else:
            await self.calm()
        self._tell()

    def seen(self) -> Json | None:
        """What the page shows of it; None where nothing is offered."""
        chaos = self._offered
        if chaos is None:
            return None
        return {"on": self.is_on, "seed": chaos.seed, "happened": dict(chaos.happened), "last": chaos.last}
