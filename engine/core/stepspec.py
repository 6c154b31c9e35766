"""What a definition may know of a step before anything runs: its versions and the JSON schema of its arguments.

The one rule: data only. The functions themselves live in ``engine.steps``; checking a definition needs none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class StepSpec:
    """One step by name. ``versions`` ascend; ``schema`` is the JSON schema of the arguments of the latest version."""

    versions: tuple[int, ...]
    schema: Mapping[str, Any]
    older: Mapping[int, Mapping[str, Any]] = field(default_factory=dict[int, Mapping[str, Any]])
    """Schemas of the versions before the latest, for definitions that name one of them."""

    @property
    def latest(self) -> int:
        """The version that ``uses: name`` without a version is pinned to."""
        return self.versions[-1]

    def schema_of(self, version: int) -> Mapping[str, Any]:
        """The arguments' schema of ``version``. ``KeyError`` if there is no such version."""
        return self.schema if version == self.latest else self.older[version]
