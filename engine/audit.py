"""Checks the log against itself and against the fold, as ``vb verify`` does; reads pinned definitions with suspicion.

The one rule: a definition is believed only if its text has the hash under which runs refer to it.
"""

from __future__ import annotations

import hashlib

from engine.core.definition import Workflow
from engine.core.errors import BrokenDefinition
from engine.core.events import RunStarted
from engine.core.fold import fold
from engine.core.graph import Plan
from engine.records import cache_of, recorded
from engine.store import DueKind, Finding, Log, Report, RunRow, StoredEvent, verify


def read_plan(definition: str, text: str) -> Plan:
    """The plan of a stored snapshot. Raises ``BrokenDefinition`` if the text is not the one that was stored."""
    if hashlib.sha256(text.encode()).hexdigest() != definition:
        raise BrokenDefinition(definition, "is not the text that it was")
    return Plan.of(Workflow.model_validate_json(text))


async def audit(store: Log, run: str | None = None) -> Report:
    """Check one run, or every stream: hashes, heads, anchors, definitions, and the caches against the fold."""
    plans: dict[str, Plan] = {}
    broken: dict[str, BrokenDefinition] = {}
    for definition, text in (await store.definitions()).items():
        try:
            plans[definition] = read_plan(definition, text)
        except BrokenDefinition as error:
            broken[definition] = error

    def caches(stream: str, events: list[StoredEvent]) -> tuple[RunRow, int | None, DueKind]:
        history = [recorded(event) for event in events]
        first = history[0].event
        if not isinstance(first, RunStarted):
            raise TypeError(f"the first event is {first.type}")
        if first.definition not in plans:
            raise broken.get(first.definition) or BrokenDefinition(first.definition, "is missing")
        row, due = cache_of(fold(stream, plans[first.definition], history))
        return row, due.at if due else None, due.kind.value if due else "ready"

    report = await verify(store, None if run is None else [run], caches)
    report.add([Finding(definition, None, str(error)) for definition, error in broken.items()])
    return report
