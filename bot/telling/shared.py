"""What the narrators of one process have in common: the engine, the ways to Slack, and how fast they go.

The one rule: a run is read here as the log has it, from its first event, by the definition that it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.blocks.alerts import answer_to
from bot.people.directory import Directory
from bot.sending.postings import Postings
from bot.telling.agenda import Place
from bot.telling.places import LONG_OVER_MS, Places
from bot.telling.story import Story
from engine.core import events as e
from engine.core.errors import UnknownRun
from engine.core.graph import Kind, Plan
from engine.core.spending import of_run
from engine.core.state import Recorded, RunState
from engine.engine import Engine
from engine.plans import Plans
from engine.store import Deliveries

PAUSES_S = (1.0, 5.0, 15.0, 30.0)
"""After so many failures in a row, the last one also where only a newer release can go on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds. ``lease``: of a run's cursor; a post must end within it, and after a kill the run waits for it.

    ``card``, ``turn``: between two updates of a card, and before one that means something else. ``read``: between two
    looks at the log. ``linger``: how long quiet runs stay. ``record``: between two notes of which copies of a request
    are shown, while more of them are on their way.
    """

    lease: float = 10.0
    card: float = 3.0
    turn: float = 1.0
    read: float = 0.1
    linger: float = 2.0
    record: float = 2.0


RUN = of_run("")
"""How the name of a single run's budget begins."""


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
        plan, events = await read_history(self.engine, self.plans, run)
        story = Story(run, plan, events[0])
        await self._take_in(story, events[1:])
        return story

    async def read(self, story: Story, events: Sequence[Recorded]) -> None:
        """Take in what the log has after the story's last event."""
        await _know_moves(self.plans, events)
        await self._take_in(story, events)

    async def _take_in(self, story: Story, events: Sequence[Recorded]) -> None:
        story.read(events, self.plans.known)
        alerts = story.alerts
        if any(isinstance(one.event, e.BudgetAlerted) for one in events):
            alerts.forget(self.engine.clock.now() - LONG_OVER_MS)
            alerts.channels |= await self._channels(story.state, {alert.name for alert in alerts.all.values()})
        if alerts.all:
            known = await self.engine.workspace.state()
            alerts.answers = {one.seq: answer_to(one, story.state.run, known) for one in alerts.all.values()}

    async def _channels(self, state: RunState, budgets: set[str]) -> dict[str, str]:
        """Where their alerts are told as well: as it was set, else as the definition of the run says that they hold."""
        found = await self.engine.budgets.channels(budgets)
        for name in (name for name, channel in found.items() if not channel and name.startswith(RUN)):
            run = name.removeprefix(RUN)
            own = state if run == state.run else await self.engine.state(run)
            budget = own.plan.workflow.budget
            found[name] = (budget.channel if budget is not None else None) or ""
        return found

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


async def read_history(engine: Engine, plans: Plans, run: str) -> tuple[Plan, list[Recorded]]:
    """The definition that the run began with, and all its events; ``plans`` then knows those it was moved to.

    Raises ``UnknownRun`` and ``UnknownEvent``.
    """
    events = await engine.history(run)
    first = events[0].event
    if not isinstance(first, e.RunStarted):
        raise UnknownRun(run)
    plan = await plans.of(first.definition, first.part)
    await _know_moves(plans, events)
    return plan, events


async def _know_moves(plans: Plans, events: Sequence[Recorded]) -> None:
    for one in events:
        if isinstance(one.event, e.RunMoved):
            await plans.of(one.event.definition)


def _asks_people(plan: Plan) -> bool:
    return any(
        node.kind is Kind.GATE or node.step.correct is not None or node.step.repeatable is False
        for node in plan.nodes.values()
    )
