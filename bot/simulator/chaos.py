"""What goes wrong between Slack and an app, by chance: calls that are refused, broken, cut off, slow or never answered;
payloads that come twice, late, or in another order; connections that end.

The one rule: all chance comes from one seed, and only what Slack could do is done. An answer that is lost leaves the
work done; a call that is cut off before leaves it undone.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bot.simulator.calls import Fault

Incident = Literal["cut", "refresh", "warning"]
WARNING_MS = 1_000


@dataclass(frozen=True, slots=True)
class Weather:
    """How often what goes wrong: shares of calls and payloads, from 0 to 1, and the usual time between incidents.

    `lost` calls are done, but their answer never comes; `hanging` ones are answered after `hang_ms`, too late for most.
    Times are in ms of real time; Retry-After is in seconds of the workspace's clock.
    """

    limited: float = 0.02
    broken: float = 0.02
    cut: float = 0.01
    lost: float = 0.02
    hanging: float = 0.002
    slow: float = 0.05
    duplicated: float = 0.05
    delayed: float = 0.1
    retry_after_s: int = 3
    hang_ms: int = 12_000
    slow_ms: int = 500
    delay_ms: int = 300
    incident_ms: int = 60_000


STORMY = Weather()
CALM = Weather(limited=0, broken=0, cut=0, lost=0, hanging=0, slow=0, duplicated=0, delayed=0, incident_ms=0)


class Chaos:
    """Decides what happens to each call, payload and connection; `happened` counts it, `last` is what did last.

    `told` is called after each.
    """

    def __init__(self, seed: int, weather: Weather = STORMY) -> None:
        self.seed = seed
        self.weather = weather
        self.happened: Counter[str] = Counter()
        self.last: str | None = None
        self.told: Callable[[], None] = lambda: None
        self._chance = random.Random(seed)  # noqa: S311 - chance that can be repeated is what is meant

    def _count(self, what: str) -> None:
        self.happened[what] += 1
        self.last = what
        self.told()

    def fault(self, method: str) -> Fault:
        """What befalls this call; mostly nothing."""
        weather, drawn = self.weather, self._chance.random()
        shares = {
            "limited": weather.limited,
            "broken": weather.broken,
            "cut": weather.cut,
            "lost": weather.lost,
            "hanging": weather.hanging,
            "slow": weather.slow,
        }
        for name, share in shares.items():
            if drawn < share:
                self._count(f"calls {name}")
                return self._fault(name)
            drawn -= share
        return Fault()

    def _fault(self, name: str) -> Fault:
        weather = self.weather
        match name:
            case "limited":
                return Fault(retry_after_s=self._chance.randint(1, weather.retry_after_s))
            case "broken":
                return Fault(status=self._chance.choice((500, 502, 503)))
            case "cut":
                return Fault(drop="before")
            case "lost":
                return Fault(drop="after")
            case "hanging":
                return Fault(hang_ms=weather.hang_ms)
            case _:
                return Fault(delay_ms=self._chance.randint(1, weather.slow_ms))

    def delay_ms(self) -> int:
        """For how long a payload is kept back, so that another one may come before it."""
        if self._chance.random() >= self.weather.delayed:
            return 0
        self._count("payloads delayed")
        return self._chance.randint(1, self.weather.delay_ms)

    def again_after_ms(self) -> int | None:
        """After what time a payload comes a second time; None: it does not."""
        if self._chance.random() >= self.weather.duplicated:
            return None
        self._count("payloads duplicated")
        return self._chance.randint(0, self.weather.delay_ms)

    def until_incident_s(self) -> float:
        """Until the next connection has an incident."""
        return self._chance.expovariate(1_000 / self.weather.incident_ms)

    def incident(self, connections: int) -> tuple[int, Incident]:
        """Which connection, and what happens to it."""
        kinds: tuple[Incident, ...] = ("cut", "refresh", "warning")
        kind = self._chance.choice(kinds)
        self._count(f"connections: {kind}")
        return self._chance.randrange(connections), kind
