"""What a stream of activations promises, whatever it is made of.

The one rule: users of a stream know this module's names and nothing else; one suite of tests holds every
implementation to it.

An **activation** is permission to look at a run. It carries no other meaning, so a duplicate costs a look and no more.
Activations stand in **lanes**, one for each workspace and priority. Workspaces take turns, each with a small share,
and within a workspace the higher priority goes first; so a workspace that has ten thousand activations delays another's
one by a few reads at most. Within a lane the order is that of adding.

Errors (their text is one sentence for a person):

    StreamsError
    ├── StreamsUnavailable   it cannot be reached, refuses, or is too old; the next call tries again by itself
    └── GroupLost            the stream has been emptied; it works again
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from engine.core.errors import EngineError


class StreamsError(EngineError):
    """Root of what a stream raises."""


class StreamsUnavailable(StreamsError):
    """Redis did not do what was asked. Whether a command took effect is unknown; asking again is harmless."""

    def __init__(self, place: str, problem: str) -> None:
        self.place, self.problem = place, problem
        super().__init__(f"Redis at {place} {problem}.")


class GroupLost(StreamsError):
    """Redis has lost the activations. The group is there again; the caller makes all ready work due now."""

    def __init__(self) -> None:
        super().__init__("Redis was emptied and its activations were lost: all ready work must be made due again.")


class Lane(NamedTuple):
    """Where an activation stands: whose it is, and how urgent (0 low, 1 normal, 2 high)."""

    workspace: str = ""
    priority: int = 1


COMMON: Final = Lane()


@dataclass(frozen=True, slots=True)
class Activation:
    """Permission to look at `run`. `id` is the lane's; `deliveries` counts how often it was handed to a worker.

    What is passed on has another id, and is counted on.
    """

    id: str
    run: str
    deliveries: int = 1
    lane: Lane = COMMON


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An activation that was given up for `reason` after `deliveries`, `at` epoch ms by the clock of Redis."""

    id: str
    run: str
    deliveries: int
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class Depth:
    """How many activations exist, how many of these workers hold, and how many dead letters are kept."""

    activations: int
    pending: int
    dead: int


class ActivationStream(Protocol):
    """The activations that some processes share. All methods may be called concurrently.

    A call that cannot be done soon (2 s; `read`: plus its wait) raises StreamsUnavailable, and the next one tries anew.
    """

    async def add(self, runs: Iterable[str], lane: Lane = COMMON) -> None:
        """Put one activation for each run at the end of the lane, in order."""
        ...

    async def read(self, consumer: str, count: int, block_ms: int) -> list[Activation]:
        """Give the consumer at most `count` new activations; wait `block_ms` for the first, then return none.

        The wait may be cancelled: what is delivered meanwhile is left to `reclaim`. Raises GroupLost.
        """
        ...

    async def acknowledge(self, activations: Iterable[Activation]) -> None:
        """Remove the activations for good: their work is in other hands, or done. Unknown ones are passed over."""
        ...

    async def pass_on(self, activation: Activation) -> None:
        """Whoever has the activation cannot use it: put it at the end of its lane again, and remove the old one."""
        ...

    async def keep_alive(self, consumer: str, activations: Iterable[Activation]) -> None:
        """Say that the consumer still has the activations, so that they do not become idle. Raises GroupLost."""
        ...

    async def reclaim(self, consumer: str, min_idle_ms: int, count: int) -> list[Activation]:
        """Give the consumer at most `count` activations whose holders were silent for `min_idle_ms`. Raises GroupLost.

        Their `deliveries` count this one.
        """
        ...

    async def dead_letter(self, activation: Activation, reason: str) -> None:
        """Give the activation up: keep it among the dead letters, and acknowledge it, in one step."""
        ...

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The latest dead letters, newest first; of old ones only some are kept."""
        ...

    async def forget_idle_consumers(self, idle_ms: int) -> list[str]:
        """Delete the consumers that were silent for `idle_ms` and hold nothing; their names. Raises GroupLost.

        A consumer that reads again in that very moment could lose what it got to the database's sweep, so `idle_ms`
        should be many times the longest wait of a `read`.
        """
        ...

    async def depth(self) -> Depth:
        """The figures for a status, taken together."""
        ...

    async def backlog(self) -> Mapping[str, int]:
        """How many activations each workspace has; those that have none may be left out."""
        ...

    async def close(self) -> None:
        """Hang up. What was being asked fails with StreamsUnavailable; what was read stays with its reader."""
        ...
