"""The step ``set``: values by expression, under names that later steps can refer to.

The one rule: it returns what it was given. All the work was done when its arguments were rendered.
"""

from __future__ import annotations

from pydantic import JsonValue

from engine.steps.registry import step


@step("set")
async def set_values(**values: JsonValue) -> dict[str, JsonValue]:
    """The arguments, as they are."""
    return values
