"""Shapes of answers: pydantic models that definitions name in ``output``, where they would write a JSON Schema.

The one rule: a run is held to the schema that its definition was pinned with. What a model checks beyond its schema
counts as long as the schema is still the model's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError

from engine.core.agents import SHAPE_NAME
from engine.steps.signature import in_words


@dataclass(frozen=True, slots=True)
class Shape:
    """``model`` under the name by which definitions ask for it: ``INVOICE = Shape("billing.invoice", Invoice)``.

    ``ValueError`` for a name that is none, and for a model of anything but an object.
    """

    name: str
    model: type[BaseModel]
    schema: dict[str, JsonValue] = field(init=False)

    def __post_init__(self) -> None:
        if not re.match(SHAPE_NAME, self.name):
            words = "write lower-case words joined by dots, such as billing.invoice"
            raise ValueError(f"{self.name!r} cannot name a shape; {words}")
        schema: dict[str, Any] = self.model.model_json_schema()
        if schema.get("type") != "object":
            raise ValueError(f"{self.name} must be a model with fields; a model's answer is an object")
        object.__setattr__(self, "schema", schema)

    def misfit(self, value: JsonValue) -> str | None:
        """What keeps ``value`` from being one, in words; None if it is one."""
        try:
            self.model.model_validate(value)
        except ValidationError as error:
            return in_words(error, "the whole")
        return None


def by_name(shapes: Iterable[Shape]) -> dict[str, Shape]:
    """``ValueError`` for two of one name."""
    found: dict[str, Shape] = {}
    for shape in shapes:
        if found.setdefault(shape.name, shape) is not shape:
            raise ValueError(f"two shapes are called {shape.name}; rename one")
    return found
