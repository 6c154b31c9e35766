"""A definition as it was written, right or wrong, read as far as it makes sense.

The one rule: reading never fails. So a definition whose shape is wrong in one place still has its graph and expressions
checked in all others, and a person gets every problem at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, cast

from engine.core.problems import Path


class Sight(Enum):
    """From where an expression looks at a run, which decides what it can see."""

    START = auto()
    """Before any step: the input alone."""
    STEP = auto()
    """Before the step: what surely has ended by then."""
    ITEM = auto()
    """In one item of a for_each over a single step: that, and ``item`` and ``index``."""
    PASS = auto()
    """After a pass of a repeat: all steps of its group as well."""
    UNDO = auto()
    """After the step has completed and the run has not: its own output and ``failure`` as well."""
    CHECK = auto()
    """After the step has given a result, which may not count yet: its own output as well."""
    END = auto()
    """After all steps of the workflow."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A text that may hold expressions; a condition is one expression, with or without ``${{ }}``."""

    path: Path
    text: str
    sight: Sight
    is_condition: bool = False


@dataclass(frozen=True, slots=True)
class DraftStep:
    """One step; what is missing or of another type than it should be is None or empty."""

    path: Path
    index: int
    id: str | None
    uses: str | None
    needs: tuple[tuple[int, str], ...] | None
    """The ids with their place in the list."""
    data: Mapping[str, Any]

    @property
    def arguments(self) -> Mapping[str, Any] | None:
        """``with``, an empty one if it is not written; None if it is written but is no mapping."""
        return mapping(self.data.get("with", {}))

    @property
    def undo(self) -> DraftStep | None:
        """The compensation, as a step that has no id and no needs."""
        data = mapping(self.data.get("undo"))
        return None if data is None else _step((*self.path, "undo"), self.index, data)

    @property
    def called(self) -> tuple[Path, str] | None:
        """The name of the workflow that the step calls, and where it is written."""
        written = self.data.get("workflow")
        call = mapping(written)
        path = (*self.path, "workflow")
        name = written if call is None else call.get("name")
        return None if not isinstance(name, str) else (path if call is None else (*path, "name"), name)

    @property
    def calls(self) -> Iterator[tuple[Path, str]]:
        """The workflows that it may call: its own, and those that are tools of its agent."""
        if self.called is not None:
            yield self.called
        for path, tool in self.tools:
            name = text(tool.get("workflow"))
            if name is not None:
                yield (*path, "workflow"), name

    @property
    def tools(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """Those of its agent, each with its place."""
        agent = mapping(self.data.get("agent")) or {}
        for at, tool in enumerate(sequence(agent.get("tools")) or ()):
            yield (*self.path, "agent", "tools", at), mapping(tool) or {}

    @property
    def gates(self) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        """What says whom it asks: its own gate, and those before its agent's tools."""
        for path, owner in ((self.path, self.data), *self.tools):
            gate = mapping(owner.get("approval"))
            if gate is not None:
                yield (*path, "approval"), gate

    @property
    def call_input(self) -> Mapping[str, Any] | None:
        """What the called workflow is given; None if it is written but is no mapping."""
        return mapping((mapping(self.data.get("workflow")) or {}).get("input", {}))

    @property
    def condition(self) -> str | None:
        return text(self.data.get("if"))

    @property
    def name(self) -> str:
        """Its id, or which step it is."""
        return self.id or f"step {self.index + 1}"

    def spots(self) -> Iterator[Spot]:
        """Every text of the step that may hold expressions; those of steps inside it are their own."""
        loop = mapping(self.data.get("for_each")) or {}
        single = Sight.ITEM if loop else Sight.STEP
        gate = self.data.get("approval")
        yield from _spots((*self.path, "for_each", "items"), loop.get("items"), Sight.STEP)
        yield from _spots((*self.path, "with"), self.data.get("with"), single)
        yield from _spots((*self.path, "set"), self.data.get("set"), Sight.STEP)
        yield from _spots((*self.path, "workflow"), self.data.get("workflow"), single, "input")
        yield from _spots((*self.path, "approval"), gate, Sight.STEP, "title", "show", "approvers", "stages", "edit")
        yield from _spots((*self.path, "approval"), gate, Sight.STEP, "escalate")
        yield from _spots((*self.path, "llm"), self.data.get("llm"), single, "prompt", "system", "images")
        yield from self._agent_spots()
        yield from _spots((*self.path, "wait_for"), self.data.get("wait_for"), Sight.STEP, "correlation")
        yield from _spots((*self.path, "sleep"), self.data.get("sleep"), Sight.STEP)
        yield from _spots((*self.path, "undo"), self.data.get("undo"), Sight.UNDO, "with")
        if (check := text(self.data.get("check"))) is not None:
            yield Spot((*self.path, "check"), check, Sight.CHECK, is_condition=True)
        if self.condition is not None:
            yield Spot((*self.path, "if"), self.condition, Sight.STEP, is_condition=True)
        until = text((mapping(self.data.get("repeat")) or {}).get("until"))
        if until is not None:
            yield Spot((*self.path, "repeat", "until"), until, Sight.PASS, is_condition=True)

    def _agent_spots(self) -> Iterator[Spot]:
        """What its model is told, and what tools are given and whom their gates ask."""
        path, agent = (*self.path, "agent"), mapping(self.data.get("agent")) or {}
        yield from _spots(path, agent, Sight.STEP, "prompt", "system")
        for place, tool in self.tools:
            yield from _spots(place, tool, Sight.STEP, "with")
            yield from _spots((*place, "approval"), tool.get("approval"), Sight.STEP, "approvers", "escalate")


class GroupKind(Enum):
    WORKFLOW = auto()
    ON_FAILURE = auto()
    EACH = auto()
    REPEAT = auto()


@dataclass(frozen=True, slots=True)
class DraftGroup:
    """Steps that are ordered among themselves: the workflow's own, those of a loop, those that follow a failure.

    ``outer`` is the group around it, and ``holder`` the step there whose loop it is. ``on_failure`` counts as inside
    of the workflow's own group, all of whose steps it can see.
    """

    kind: GroupKind
    path: Path
    steps: tuple[DraftStep, ...]
    outer: DraftGroup | None = None
    holder: DraftStep | None = None
    places: Mapping[str, int] = field(default_factory=dict[str, int])
    """The first step of each id."""

    def around(self) -> Iterator[DraftGroup]:
        """The groups around this one, from the inside out."""
        group = self.outer
        while group is not None:
            yield group
            group = group.outer

    def resolved_needs(self) -> list[tuple[int, ...]]:
        """For each step the places of those that it waits for; unknown ids are left out."""
        return [
            ((step.index - 1,) if step.index else ())
            if step.needs is None
            else tuple(dict.fromkeys(self.places[id_] for _, id_ in step.needs if id_ in self.places))
            for step in self.steps
        ]


@dataclass(frozen=True, slots=True)
class Draft:
    """``groups`` begin with the workflow's own; each comes before those inside of it."""

    data: Mapping[str, Any]
    groups: tuple[DraftGroup, ...]

    @classmethod
    def of(cls, data: object) -> Draft:
        """The draft of a definition's data, such as a YAML file's or a workflow's dump by alias."""
        root = mapping(data) or {}
        groups: list[DraftGroup] = []
        _read_group(GroupKind.WORKFLOW, ("steps",), root.get("steps"), groups, None, None)
        if root.get("on_failure"):
            _read_group(GroupKind.ON_FAILURE, ("on_failure",), root["on_failure"], groups, groups[0], None)
        return cls(root, tuple(groups))

    @property
    def name(self) -> str | None:
        return text(self.data.get("name"))

    @property
    def inputs(self) -> Mapping[str, Any]:
        return mapping(self.data.get("input")) or {}

    @property
    def schedules(self) -> tuple[Mapping[str, Any], ...]:
        """In their order; one that is no mapping is an empty one here."""
        written = self.data.get("schedule")
        return tuple(mapping(one) or {} for one in cast("list[Any]", written)) if isinstance(written, list) else ()

    @property
    def steps(self) -> Iterator[DraftStep]:
        """All of them, those inside of loops and of ``on_failure`` too."""
        for group in self.groups:
            yield from group.steps

    def runnable(self) -> Iterator[DraftStep]:
        """Whatever names a step's code: all steps, and their compensations."""
        for step in self.steps:
            yield step
            if (undo := step.undo) is not None:
                yield undo

    def spots(self) -> Iterator[Spot]:
        """What the workflow itself says by expressions; the steps have their own."""
        yield from _spots(("output",), self.data.get("output"), Sight.END)
        yield from _spots(("labels",), self.data.get("labels"), Sight.START)
        yield from _spots(("concurrency",), self.data.get("concurrency"), Sight.START, "key")


def mapping(value: object) -> Mapping[str, Any] | None:
    """``value`` if it is a mapping."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def sequence(value: object) -> list[Any] | None:
    """``value`` if it is a list."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def text(value: object) -> str | None:
    """``value`` if it is a text."""
    return value if isinstance(value, str) else None


def texts(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    """Every text within ``value`` that holds ``${{``, with its path."""
    return ((place, found) for place, found in strings(path, value) if "${{" in found)


def strings(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    """Every text within ``value``, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for name, part in cast("Mapping[str, Any]", value).items():
            yield from strings((*path, name), part)
    elif isinstance(value, list):
        for at, part in enumerate(cast("list[Any]", value)):
            yield from strings((*path, at), part)


def _spots(path: Path, value: object, sight: Sight, *members: str) -> Iterator[Spot]:
    """The texts in ``value``, or in these ``members`` of it."""
    if not members:
        yield from (Spot(place, found, sight) for place, found in texts(path, value))
    written = mapping(value)
    for name in members if written is not None else ():
        yield from _spots((*path, name), (written or {}).get(name), sight)


def _read_group(
    kind: GroupKind,
    path: Path,
    written: object,
    groups: list[DraftGroup],
    outer: DraftGroup | None,
    holder: DraftStep | None,
) -> None:
    raw = cast("list[Any]", written) if isinstance(written, list) else []
    steps = tuple(_step((*path, index), index, mapping(one) or {}) for index, one in enumerate(raw))
    places: dict[str, int] = {}
    for step in steps:
        if step.id is not None:
            places.setdefault(step.id, step.index)
    group = DraftGroup(kind, path, steps, outer, holder, places)
    groups.append(group)
    for step in steps:
        if "steps" in step.data:
            inside = GroupKind.REPEAT if "repeat" in step.data else GroupKind.EACH
            _read_group(inside, (*step.path, "steps"), step.data["steps"], groups, group, step)


def _step(path: Path, index: int, data: Mapping[str, Any]) -> DraftStep:
    written = data.get("needs")
    needs = None
    if isinstance(written, list | tuple):
        items = enumerate(cast("list[Any]", written))
        needs = tuple((at, id_) for at, id_ in items if isinstance(id_, str))
    return DraftStep(path, index, text(data.get("id")), text(data.get("uses")), needs, data)
