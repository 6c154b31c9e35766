"""Starting a run by the name of its workflow: what the name means now, whether it may start, and on what terms.

The one rule: everybody who starts a run by name, a person or the clock, comes through here; so nobody gets past a
freeze.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from engine.clock import Clock
from engine.core import events as e
from engine.core.errors import InvalidInput
from engine.core.inputs import validate_input
from engine.core.starting import estimated, started_of
from engine.definitions import Definitions
from engine.forecasts import Forecasts
from engine.handle import Begun
from engine.ids import Ids
from engine.own_runs import OwnRuns
from engine.plans import Plans


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """Starts runs of one workspace."""

    definitions: Definitions
    forecasts: Forecasts
    runs: OwnRuns
    plans: Plans
    clock: Clock
    ids: Ids
    workspace: str

    async def start(
        self,
        workflow: str,
        given: Mapping[str, object],
        *,
        by: e.Actor,
        origin: Mapping[str, JsonValue] | None = None,
        dedupe_key: str | None = None,
        text: bool = False,
        labels: Mapping[str, str] | None = None,
        line: e.InLine | None = None,
    ) -> Begun:
        """Start a run of the workflow of that name, as it is deployed now. Durable on return.

        ``text``: the inputs are words from a command line. ``labels`` come to those of the definition; ``line`` is the
        one to wait in if the definition names none. Raises ``UnknownWorkflow``, ``InvalidInput`` and ``Frozen``.
        """
        await self.definitions.allowed(workflow, self.clock.now())
        definition = self.definitions.get(workflow)
        values, problems = validate_input(definition, given, text=text)
        if problems:
            raise InvalidInput(workflow, problems)
        forecast = await self.forecasts.of(definition, values)
        plan = await self.plans.pin(definition, self.definitions.children(definition))
        event = started_of(self.workspace, definition, values, by)
        more = {
            "origin": dict(origin or {}),
            "dedupe_key": dedupe_key,
            "labels": {**event.labels, **(labels or {})},
            "concurrency": event.concurrency or line,
            "timezone": self.definitions.timezone,
            "estimate": None if forecast is None else estimated(forecast),
        }
        return await self.runs.start(self.ids.run(), plan, event.model_copy(update=more))
