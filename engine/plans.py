"""The plans of definitions by their hashes: read from the store once, and kept.

The one rule: a definition is believed only if its text has the hash under which runs refer to it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from functools import lru_cache

from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.errors import BrokenDefinition
from engine.core.graph import Plan, family_of, walk
from engine.store import Log

KNOWN_PLANS = 512


class PlanNeeded(KeyError):
    """Not an error: the plan of ``definition`` is to be loaded, and the call made again."""

    def __init__(self, definition: str) -> None:
        super().__init__(definition)
        self.definition = definition


class Known(Mapping[str, Plan]):
    """The plans that are at hand. Any other is a ``PlanNeeded``."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def __getitem__(self, definition: str) -> Plan:
        try:
            return self._plans[definition]
        except KeyError:
            raise PlanNeeded(definition) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._plans)

    def __len__(self) -> int:
        return len(self._plans)

    def keep(self, definition: str, plan: Plan) -> Plan:
        """Remember the plan; the oldest is forgotten, as definitions are edited for as long as the process lives."""
        self._plans[definition] = plan
        if len(self._plans) > KNOWN_PLANS:
            self._plans.popitem(last=False)
        return plan


class Plans:
    """The plans of one process."""

    def __init__(self, store: Log) -> None:
        self._store = store
        self.known = Known()
        self._learning = asyncio.Lock()
        self._parts: OrderedDict[tuple[str, str], Plan] = OrderedDict()

    async def of(self, definition: str, part: e.Part | None = None) -> Plan:
        """The plan of the definition, or of the part of it that a run has to do. Raises ``BrokenDefinition``."""
        plan = self.known.get(definition)
        if plan is None:
            async with self._learning:  # many runs that come together read a definition once
                plan = await self._read(definition)
        if part is None:
            return plan
        key = (definition, part.step)
        if key not in self._parts:
            self._parts[key] = plan.part(part.step)
            if len(self._parts) > KNOWN_PLANS:
                self._parts.popitem(last=False)
        return self._parts[key]

    async def pin(self, workflow: Workflow, called: Mapping[str, Workflow]) -> Plan:
        """The plan of a definition that is about to be run: it, and all that it calls, is stored before that."""
        if (plan := self.known.get(workflow.hash)) is not None:
            return plan
        async with self._learning:
            if (plan := self.known.get(workflow.hash)) is not None:
                return plan
            for each in (*called.values(), workflow):
                await self._store.put_definition(each.hash, each.name, each.snapshot)
            return self.known.keep(workflow.hash, read(workflow, {each.hash: each for each in called.values()}))

    async def _read(self, definition: str) -> Plan:
        if (plan := self.known.get(definition)) is not None:
            return plan
        workflow = believed(definition, await self._store.definition(definition))
        children = {called: await self._read(called) for called in calls(workflow)}
        return self.known.keep(definition, Plan.of(workflow, children))


def believed(definition: str, text: str | None) -> Workflow:
    """The workflow in a stored snapshot. Raises ``BrokenDefinition`` if the text is not the one that was stored."""
    if text is None:
        raise BrokenDefinition(definition, "is missing")
    if hashlib.sha256(text.encode()).hexdigest() != definition:
        raise BrokenDefinition(definition, "is not the text that it was")
    return _parsed(text)


@lru_cache(maxsize=KNOWN_PLANS)
def _parsed(text: str) -> Workflow:
    """Once for all who read the same text: the engines of one process, and whoever verifies their runs."""
    return Workflow.model_validate_json(text)


def read(workflow: Workflow, texts: Mapping[str, Workflow]) -> Plan:
    """The plan of a workflow, where all that it calls is at hand. Raises ``BrokenDefinition``."""
    return _planned(workflow, texts, {})


def _planned(workflow: Workflow, texts: Mapping[str, Workflow], known: dict[str, Plan]) -> Plan:
    """``known`` are those that were read before: many may call the same one."""
    for called in calls(workflow):
        if called not in texts:
            raise BrokenDefinition(called, "is missing")
        if called not in known:
            known[called] = _planned(texts[called], texts, known)
    return Plan.of(workflow, {called: known[called] for called in calls(workflow)})


def calls(workflow: Workflow) -> list[str]:
    """The hashes of the definitions that the workflow's steps call."""
    found = (step.workflow.definition for _, step in walk(workflow) if step.workflow is not None)
    return list(dict.fromkeys(definition for definition in found if definition is not None))


def called_by(plan: Plan) -> dict[str, Workflow]:
    """All that the workflow of the plan calls, and that these call in turn, by their hashes."""
    return {definition: child.workflow for definition, child in family_of(plan).items()}
