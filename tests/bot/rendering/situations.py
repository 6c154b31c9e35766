"""Runs at every moment at which people may look at them, as they were and with all their data poisoned.

The one rule: the moments are those between two appends, from histories that the core itself has made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.core import events as e
from engine.core.fold import begin, evolve
from engine.core.graph import Plan
from engine.core.state import Recorded, RunState
from tests.bot.rendering.poison import poisoned
from tests.bot.scenes import scenes
from tests.bot.scenes_flow import flow_scenes
from tests.core.driver import Run
from tests.record_histories import SCENES


@dataclass(frozen=True)
class Situation:
    """A run at a moment: the definition that it began with, its history until then, and what that says."""

    name: str
    plan: Plan
    log: Sequence[Recorded]
    state: RunState
    plans: Mapping[str, Plan]


RUNS: Mapping[str, Run] = {**scenes(), **flow_scenes(), **{made.__name__: made() for made in SCENES}}
"""Every scene that there is, those of the recorded histories as well; between them they have every type of event."""


def moments(name: str, text: str | None = None) -> Iterator[Situation]:
    """Those of the scene ``name``, with ``text`` in place of all its data if one is given."""
    run = RUNS[name]
    plans = {run.state.definition: run.state.plan}
    return of_history(name, run.plan, run.log if text is None else poisoned(run.log, text), plans)


def of_history(name: str, plan: Plan, log: Sequence[Recorded], plans: Mapping[str, Plan]) -> Iterator[Situation]:
    """The moments of any history: what happened at one instant was appended together."""
    first = log[0].event
    assert isinstance(first, e.RunStarted)
    state = begin("run_0123456789abcdef", plan, first, log[0].at)
    for place, recorded in enumerate(log):
        state = evolve(state, recorded, plans) if place else state
        if place + 1 == len(log) or log[place + 1].at > recorded.at:
            yield Situation(f"{name}@{recorded.seq}", plan, log[: place + 1], state, plans)
