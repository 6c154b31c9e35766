"""Checks the log against itself and against the fold, as ``vb verify`` does.

The one rule: nothing that is kept beside the events is believed; it is made again from them, and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from engine.core import checkpoint
from engine.core import workspace_events as w
from engine.core.definition import Workflow
from engine.core.errors import BrokenDefinition
from engine.core.events import CostRecorded, EffectStarted, PricedAt, RunMoved, RunStarted
from engine.core.fold import evolve, fold
from engine.core.graph import Plan
from engine.core.spending import of_run
from engine.core.state import RunState
from engine.plans import believed, read
from engine.prices import cost_at
from engine.records import cache_of, recorded
from engine.store import DueKind, Finding, Log, Report, RunRow, StoredEvent, verify


async def audit(store: Log, run: str | None = None) -> Report:
    """Check one run, or every stream: hashes, heads, anchors, definitions, caches and checkpoints against the fold."""
    folder = _Folder(await store.definitions())

    def caches(stream: str, events: list[StoredEvent]) -> tuple[RunRow, int | None, DueKind]:
        row, due = cache_of(folder.fold(stream, events))
        return row, due.at if due else None, due.kind.value if due else "ready"

    def saved(stream: str, events: list[StoredEvent], version: int) -> str | None:
        return checkpoint.to_text(folder.fold(stream, events)) if version == checkpoint.VERSION else None

    wrong: dict[str, list[Finding]] = {}

    def spending(stream: str, events: list[StoredEvent]) -> tuple[str, int, int]:
        wrong[stream] = list(_wrong_costs(stream, events))  # a stream may be asked about again
        state = folder.fold(stream, events)
        return f"{state.started.workspace}/{of_run(stream)}", state.spent, state.reserved

    report = await verify(store, None if run is None else [run], caches, saved, spending)
    report.add([finding for findings in wrong.values() for finding in findings])
    report.add([Finding(definition, None, str(error)) for definition, error in folder.broken.items()])
    if run is None:
        report.add(await _wrong_switches(store))
    return report


def _wrong_costs(run: str, events: Iterable[StoredEvent]) -> Iterator[Finding]:
    """Calls of models that are not told to have cost what their price comes to. A list's cannot be told from here."""
    begun: dict[tuple[str, str], PricedAt | None] = {}
    for one in events:
        if one.type not in (EffectStarted.type, CostRecorded.type):
            continue
        event = recorded(one).event
        if isinstance(event, EffectStarted):
            begun[event.step, event.effect] = event.price
        elif isinstance(event, CostRecorded) and not event.assumed:
            price = begun.get((event.step, event.effect))
            should = None if price is None else cost_at(price, event.usage)
            if should is not None and should != event.cost:
                words = f"{event.effect} of {event.step} is told to have cost {event.cost}, but comes to {should}"
                yield Finding(run, one.seq, words)


async def _wrong_switches(store: Log) -> list[Finding]:
    """Where the switches that hold steps are not those that the workspaces' streams say are thrown."""
    while True:
        epoch, thrown = await store.switches()
        said, newest = await _said_of_switches(store)
        if (await store.switches())[0] == epoch:  # else somebody has thrown or lifted one meanwhile
            break
    there = {(one.stream, one.seq) for one in thrown}
    expected = {(workspace, seq): key for (workspace, key), seq in said.items()}
    findings = [
        *(Finding(*place, "a switch holds steps that is not thrown") for place in sorted(there - set(expected))),
        *(
            Finding(*place, f"the switch {expected[place]} is thrown, but holds nothing")
            for place in sorted(set(expected) - there)
        ),
    ]
    if epoch < newest:
        findings.append(Finding("switches", None, f"the epoch is {epoch}, but the events say {newest} at least"))
    return findings


async def _said_of_switches(store: Log) -> tuple[dict[tuple[str, str], int], int]:
    """What is thrown by the streams: (workspace, key) and the seq of its event; and the newest epoch that they name."""
    said: dict[tuple[str, str], int] = {}
    newest = 0
    for workspace in await store.workspaces():
        for one in (await store.load_said(workspace))[0]:
            if one.type not in (w.SwitchThrown.type, w.SwitchLifted.type):
                continue
            event = w.decode(one.type, one.version, one.payload)
            if isinstance(event, w.SwitchThrown):
                said[workspace, event.key] = one.seq
            elif isinstance(event, w.SwitchLifted):
                said.pop((workspace, event.key), None)
            else:
                continue
            newest = max(newest, event.epoch)
    return said, newest


class _Folder:
    """Folds streams on the definitions that the store has."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.broken: dict[str, BrokenDefinition] = {}
        self._workflows: dict[str, Workflow] = {}
        self._plans: dict[str, Plan] = {}
        self._last: RunState | None = None
        for definition, text in texts.items():
            try:
                self._workflows[definition] = believed(definition, text)
            except BrokenDefinition as error:
                self.broken[definition] = error

    def fold(self, stream: str, events: list[StoredEvent]) -> RunState:
        """The state after these events; asked again for the same run at once, it is not made again."""
        if self._last is not None and (self._last.run, self._last.seq) == (stream, len(events)):
            return self._last
        self._last = self._folded(stream, events)
        return self._last

    def _folded(self, stream: str, events: list[StoredEvent]) -> RunState:
        history = [recorded(event) for event in events]
        first = history[0].event
        if not isinstance(first, RunStarted):
            raise TypeError(f"the first event is {first.type}")
        plan = self._plan(first.definition)
        state = fold(stream, plan if first.part is None else plan.part(first.part.step), history[:1])
        for one in history[1:]:
            if isinstance(one.event, RunMoved):
                self._plan(one.event.definition)
            state = evolve(state, one, self._plans)
        return state

    def _plan(self, definition: str) -> Plan:
        if definition not in self._plans:
            if definition not in self._workflows:
                raise self.broken.get(definition) or BrokenDefinition(definition, "is missing")
            self._plans[definition] = read(self._workflows[definition], self._workflows)
        return self._plans[definition]
