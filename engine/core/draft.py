"""A definition as it was written, right or wrong, read as far as it makes sense.

The one rule: reading never fails. So a definition whose shape is wrong in one place still has its graph and expressions
checked in all others, and a person gets every problem at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from engine.core.problems import Path


@dataclass(frozen=True, slots=True)
class DraftStep:
    """One step; what is missing or of another type than it should be is None or empty."""

    index: int
    id: str | None
    uses: str | None
    needs: tuple[tuple[int, str], ...] | None
    """The ids with their place in the list."""
    data: Mapping[str, Any]

    @property
    def path(self) -> Path:
        return ("steps", self.index)

    @property
    def arguments(self) -> Mapping[str, Any] | None:
        """``with``, an empty one if it is not written; None if it is written but is no mapping."""
        return _mapping(self.data.get("with", {}))

    def texts(self) -> Iterator[tuple[Path, str]]:
        """Every text that may hold expressions, with its path; the condition is not among them."""
        gate = _mapping(self.data.get("approval")) or {}
        yield from _texts((*self.path, "with"), self.data.get("with"))
        yield from _texts((*self.path, "approval", "title"), gate.get("title"))
        yield from _texts((*self.path, "approval", "show"), gate.get("show"))

    @property
    def condition(self) -> str | None:
        return _text(self.data.get("if"))


@dataclass(frozen=True, slots=True)
class Draft:
    inputs: Mapping[str, Any]
    steps: tuple[DraftStep, ...]

    @classmethod
    def of(cls, data: object) -> Draft:
        """The draft of a definition's data, such as a YAML file's or a workflow's dump by alias."""
        root = _mapping(data) or {}
        written = root.get("steps")
        steps = cast("list[Any]", written) if isinstance(written, list) else []
        inputs = _mapping(root.get("input")) or {}
        return cls(inputs, tuple(_step(index, raw) for index, raw in enumerate(steps)))

    def resolved_needs(self) -> list[tuple[int, ...]]:
        """For each step the places of those that it waits for; unknown ids are left out."""
        places = {step.id: step.index for step in reversed(self.steps) if step.id is not None}
        return [
            ((step.index - 1,) if step.index else ())
            if step.needs is None
            else tuple(dict.fromkeys(places[id_] for _, id_ in step.needs if id_ in places))
            for step in self.steps
        ]


def _step(index: int, raw: object) -> DraftStep:
    data = _mapping(raw) or {}
    written = data.get("needs")
    needs = None
    if isinstance(written, list | tuple):
        items = enumerate(cast("list[Any]", written))
        needs = tuple((at, id_) for at, id_ in items if isinstance(id_, str))
    return DraftStep(index, _text(data.get("id")), _text(data.get("uses")), needs, data)


def _texts(path: Path, value: object) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if "${{" in value:
            yield path, value
    elif isinstance(value, Mapping):
        for name, part in cast("Mapping[str, Any]", value).items():
            yield from _texts((*path, name), part)
    elif isinstance(value, list):
        for at, part in enumerate(cast("list[Any]", value)):
            yield from _texts((*path, at), part)


def _mapping(value: object) -> Mapping[str, Any] | None:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
