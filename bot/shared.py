"""What the narrators of one process have in common: the engine, the ways to Slack, and how fast they go.

The one rule: a run is read here as the log has it, from its first event, by the definition that it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.agenda import Place
from bot.directory import Directory
from bot.places import Places
from bot.postings import Postings
from bot.story import Story
from engine.core import events as e
from engine.core.errors import UnknownRun
from engine.core.graph import Kind, Plan
from engine.core.state import Recorded
from engine.engine import Engine
from engine.plans import Plans
from engine.store import Deliveries


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds. ``lease``: of a run's cursor; a post must end within it, and after a kill the run waits for it.

    ``card``, ``turn``: between two updates of a card, and before one that means something else. ``read``: between two
    looks at the log. ``linger``: how long quiet runs stay.
    """

    lease: float = 10.0
    card: float = 3.0
    turn: float = 1.0
    read: float = 0.1
    linger: float = 2.0


@dataclass(frozen=True, slots=True)
class Shared:
    """What all narrators of a process share."""

    engine: Engine
    postings: Postings
    places: Places
    directory: Directory
    owner: str
    plans: Plans
    pace: Pace = field(default_factory=Pace)

    @property
    def cursors(self) -> Deliveries:
        return self.postings.deliveries

    async def load(self, run: str) -> Story:
        """The run from its beginning. Raises ``UnknownRun`` and ``UnknownEvent``."""
        history = await self.engine.history(run)
        first = history[0].event
        if not isinstance(first, e.RunStarted):
            raise UnknownRun(run)
        story = Story(run, await self.plans.of(first.definition, first.part), history[0])
        await self.read(story, history[1:])
        return story

    async def read(self, story: Story, events: Sequence[Recorded]) -> None:
        """Take in what the log has after the story's last event."""
        for one in events:
            if isinstance(one.event, e.RunMoved):
                await self.plans.of(one.event.definition)
        story.read(events, self.plans.known)

    async def place(self, story: Story) -> Place | None:
        """Where the run is to be told; None where it is not.

        A child run is told where the run was started that it is a part of. One that does some items of a loop is told
        only if people are asked in it: the loop sums it up.
        """
        if story.state.started.part is not None and not _asks_people(story.state.plan):
            return None
        started = story.state.started
        while started.parent is not None:
            started = (await self.engine.state(started.parent.run)).started
        channel, thread = (str(started.origin.get(name) or "") for name in ("channel", "thread"))
        return await self.places.find(story, channel, self.engine.clock.now(), thread)


def _asks_people(plan: Plan) -> bool:
    return any(node.kind is Kind.GATE for node in plan.nodes.values())
