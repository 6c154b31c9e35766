"""What a definition may know of a step before anything runs: its versions, and what each takes, gives and bears.

The one rule: data only. The functions themselves live in ``engine.steps``; checking a definition needs none of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]

SEEN = "x-seen"
"""In the schema of an argument that others can see: why it takes no secret."""


@dataclass(frozen=True, slots=True)
class VersionSpec:
    """One version of a step, by JSON schemas; an empty one allows anything."""

    arguments: Schema = field(default_factory=dict[str, Any])
    result: Schema = field(default_factory=dict[str, Any])
    repeatable: bool = True
    """Whether an attempt of unknown outcome may be made again without asking a person."""

    def strange(self, given: Collection[str]) -> list[str]:
        """Those of the arguments ``given`` that it does not take."""
        if self.arguments.get("additionalProperties", True) is not False:
            return []
        return [name for name in given if name not in self.arguments.get("properties", {})]

    def lacking(self, given: Collection[str]) -> list[str]:
        """The arguments that it needs beside those ``given``."""
        return [name for name in self.arguments.get("required", ()) if name not in given]


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step by name: its versions, of which there is at least one, by number in ascending order."""

    by_version: Mapping[int, VersionSpec]

    @classmethod
    def of(cls, arguments: Schema, result: Schema | None = None, *, repeatable: bool = True) -> StepSpec:
        """A step that has one version, 1."""
        return cls({1: VersionSpec(arguments, result or {}, repeatable)})

    @property
    def versions(self) -> tuple[int, ...]:
        return tuple(self.by_version)

    @property
    def latest(self) -> int:
        """The version that ``uses: name`` without a version is pinned to."""
        return self.versions[-1]

    def version(self, version: int | None = None) -> VersionSpec:
        """That version, or the latest. ``KeyError`` if there is no such version."""
        return self.by_version[self.latest if version is None else version]

    def is_repeatable(self, version: int) -> bool:
        """Whether the code says so; a version that is not known here counts as repeatable."""
        known = self.by_version.get(version)
        return known is None or known.repeatable


Catalog = Mapping[str, StepSpec]
"""Steps by name."""
