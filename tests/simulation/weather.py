"""What goes wrong in a simulation, and when: drawn from its seed alone.

The one rule: every fault is one that the real world has: a process dies, stands still, or is told to stop; a database
or Redis is slow, busy, away, or breaks the connection before or after it has done what it was asked for; Redis loses
what it had, or gives it twice; clocks differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from engine.store.database import Busy, Lost, Unreachable
from engine.streams import StreamsUnavailable
from tests.simulation.points import POINTS

EDGES = (
    *(
        f"{call}: {when}"
        for call in ("append", "write append_locked", "write take_due")
        for when in ("before", "after")
    ),
    *(f"{call}: {when}" for call in ("add", "read stream", "acknowledge", "reclaim") for when in ("before", "after")),
    "backlog: before",
)
"""Where a process waits for the answer of a transaction or of the stream: before it has happened, and after."""

PLACES = (*EDGES, *POINTS)
"""All the places at which processes are to be killed."""

_ON_THE_WAY = frozenset(EDGES)

STORM_MS = 7_000
"""After this time nothing but what was ordered before goes wrong any more."""


@dataclass
class Order:
    """A process is to die at the ``nth`` passing of ``place``."""

    place: str
    nth: int


@dataclass(frozen=True)
class Window:
    """From ``begin`` to ``end`` in ms."""

    begin: int
    end: int

    def holds(self, now: int) -> bool:
        return self.begin <= now < self.end


@dataclass
class Weather:
    """The plan of a simulation's faults; times in ms from its beginning."""

    random: Random
    orders: list[Order] = field(default_factory=list[Order])
    kills: list[int] = field(default_factory=list[int])
    pauses: list[Window] = field(default_factory=list[Window])
    stops: list[int] = field(default_factory=list[int])
    flushes: list[int] = field(default_factory=list[int])
    database_away: list[Window] = field(default_factory=list[Window])
    redis_away: list[Window] = field(default_factory=list[Window])
    still: float = 0.0
    slow: float = 0.0
    faulty: float = 0.0
    lossy: float = 0.0
    loses_at: str | None = None
    """Redis loses everything whenever a process asks this of it."""
    crowded: bool = False
    uneven: bool = False
    """Only one of the processes has the code of a step."""
    laden: bool = False
    """Appends wait for other work of the database, so that writers of one run meet."""
    garbled: float = 0.1
    rejecting: float = 0.05
    most_waiting: int = 64

    @property
    def width(self) -> float:
        """How likely a run is to be one whose steps all run beside each other."""
        return 0.9 if self.laden else 0.6 if self.crowded else 0.0

    @classmethod
    def drawn(cls, random: Random, number: int) -> Weather:
        """A day's weather: some faults on every day, all of them on hardly any. ``number`` says whose turn it is."""
        rough = random.random()
        weather = cls(
            random,
            orders=[_turn(random, number), *(_order(random) for _ in range(random.randint(0, 2)))],
            kills=[random.randint(0, STORM_MS) for _ in range(random.choice((0, 0, 1, 2)))],
            pauses=_windows(random, random.choice((0, 0, 0, 1, 2)), 8_000),
            stops=[random.randint(0, STORM_MS)] if random.random() < 0.15 else [],
            flushes=[random.randint(0, STORM_MS) for _ in range(random.choice((0, 0, 0, 1, 2)))],
            database_away=_windows(random, int(random.random() < 0.15), 6_500),
            redis_away=_windows(random, int(random.random() < 0.2), 5_000),
            still=random.choice((0.0, 0.0, 0.15, 0.5)),
            slow=0.2 if rough > 0.7 else 0.03,
            faulty=random.choice((0.0, 0.0, 0.02, 0.1)),
            lossy=random.choice((0.0, 0.0, 0.05, 0.3)),
            crowded=random.random() < 0.1,
            most_waiting=random.choice((1, 64, 64)),
        )
        for order in weather.orders:
            _favour(order.place).help(weather)
        return weather

    def watches(self) -> bool:
        """Whether somebody is to die at an await that is not on the way to the database or to the stream."""
        return any(order.place not in _ON_THE_WAY for order in self.orders)

    def meets_order(self, place: str) -> bool:
        """Whether whoever is at this place is to die now."""
        for order in self.orders:
            if order.place == place:
                order.nth -= 1
                if order.nth == 0:
                    self.orders.remove(order)
                    return True
        return False

    def delay(self, place: str) -> float:
        """How long the way to the database or to Redis takes that passes this place, in seconds."""
        drawn = self.random.random()
        if self.laden and place == "append: before":
            return 0.3 * drawn
        if drawn > self.slow:
            return 0.0 if drawn > self.slow + 0.1 else 0.001
        return self.random.choice((0.005, 0.02, 0.1, 0.4, 1.5))

    def database_fault(self, now: int, *, done: bool, reading: bool = False) -> Exception | None:
        """What the database's driver says instead of an answer; ``done``: although it has done what it was asked."""
        if now > STORM_MS:
            return None
        if any(window.holds(now) for window in self.database_away):
            return Lost("the connection broke") if done else Unreachable("no connection")
        if self.random.random() >= self.faulty:
            return None
        if done or reading:
            return Lost("the connection broke")
        return self.random.choice((Busy("locked"), Unreachable("no connection"), Lost("the connection broke")))

    def stream_fault(self, now: int) -> Exception | None:
        if now > STORM_MS:
            return None
        if any(window.holds(now) for window in self.redis_away) or self.random.random() < self.faulty / 2:
            return StreamsUnavailable("the simulation", "does not answer")
        return None

    def loses(self, now: int, place: str) -> bool:
        """Whether Redis loses all that it has, while it is asked this."""
        return place == self.loses_at and now <= STORM_MS

    def rejects(self, now: int) -> bool:
        """Whether the database rejects a batch of several appends, as it does if one of them cannot be written."""
        return now <= STORM_MS and self.random.random() < self.rejecting

    def copies(self, now: int) -> int:
        """How often an activation that is added once comes into the stream."""
        if now > STORM_MS or self.random.random() >= self.lossy:
            return 1
        return self.random.choice((0, 2, 3))


def _crowd_at_a_laden_database(weather: Weather) -> None:
    weather.crowded, weather.laden, weather.slow = True, True, 0.1


def _crowd_with_faults(weather: Weather) -> None:
    weather.crowded, weather.laden, weather.slow, weather.most_waiting = True, True, 0.3, 64
    weather.rejecting = 0.9


def _garble(weather: Weather) -> None:
    weather.crowded, weather.laden, weather.garbled = True, True, 0.6


def _stop_without_database(weather: Weather) -> None:
    begin = weather.random.randint(500, 3_000)
    weather.crowded, weather.laden = True, True
    weather.database_away = [Window(begin, begin + 8_000)]
    weather.stops = [begin + 100 * number for number in range(-3, 5)]


def _crowd_the_door(weather: Weather) -> None:
    weather.crowded, weather.slow, weather.most_waiting = True, 0.3, 1


def _leave_to_others(weather: Weather) -> None:
    weather.uneven = True


def _lose_what_is_reclaimed(weather: Weather) -> None:
    weather.loses_at = "reclaim: before"


def _lose_sight_of_redis(weather: Weather) -> None:
    begin = weather.random.randint(500, 3_000)
    weather.redis_away = [Window(begin, begin + 3_000)]


def _nothing(_weather: Weather) -> None:
    """It comes to pass without help, only seldom."""


class Favour(NamedTuple):
    """``turns`` that a place has to be crashed, in each round of them; ``help`` makes it likelier to be reached."""

    turns: int
    help: Callable[[Weather], None]


_COMMON = Favour(1, _nothing)
_FAVOURS: dict[str, Favour] = {
    "await self._settle([waiting]": Favour(6, _crowd_with_faults),
    "await self._settle_all(run, [submitted])": Favour(4, _garble),
    "Committer.close": Favour(6, _stop_without_database),
    "_pass_on": Favour(4, _leave_to_others),
    "write append_locked: after": Favour(7, _crowd_at_a_laden_database),
    "write append_locked: before": Favour(6, _crowd_at_a_laden_database),
    "_reclaim: await self._make_all_due": Favour(5, _lose_what_is_reclaimed),
    "reclaim: before": Favour(5, _nothing),
    "reclaim: after": Favour(3, _nothing),
    "_read: await asyncio.sleep": Favour(2, _lose_sight_of_redis),
    "_room.acquire": Favour(2, _crowd_the_door),
    "take_due: ": Favour(4, _nothing),
    "_fresh(run)": Favour(2, _nothing),
}
"""Of the places at which a process is to die and hardly ever comes to.

Whoever dies at the edge of a call dies at all the awaits through which it was made, so that those need no favour.
"""


def _favour(place: str) -> Favour:
    return next((favour for words, favour in _FAVOURS.items() if words in place), _COMMON)


TURNS = tuple(place for place in PLACES for _ in range(_favour(place).turns))
"""Whose turn it is to be crashed, in the schedules one after another."""


def _turn(random: Random, number: int) -> Order:
    place = TURNS[number % len(TURNS)]
    return Order(place, _nth(random) if _favour(place) is _COMMON else 1)


def _order(random: Random) -> Order:
    return Order(random.choice(PLACES), _nth(random))


def _nth(random: Random) -> int:
    return 1 + int(random.expovariate(0.6))


def _windows(random: Random, count: int, longest: int) -> list[Window]:
    begins = [random.randint(0, STORM_MS) for _ in range(count)]
    return [Window(begin, begin + random.randint(50, longest)) for begin in begins]
