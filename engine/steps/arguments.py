"""Types of arguments that several built-in steps share.

The one rule: an argument's JSON schema says what a definition writes (``30s``), not what the function gets (30000).
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from engine.core.durations import Duration, say_duration
from engine.core.stepspec import SEEN

Timeout = Annotated[
    Duration,
    Field(gt=0, le=86_400_000),
    WithJsonSchema({"type": "string", "description": "a duration such as 30s or 5m, at most 1d"}),
]
"""Read from ``30s``, held in milliseconds."""


def say_limit(ms: int) -> str:
    """A limit as one says it: exact below a second, where ``say_duration`` would only say that it is below."""
    return say_duration(ms) if ms >= 1_000 else f"{ms} ms"


def no_secret(why: str) -> Any:
    """For an argument that others can see: ``Annotated[str, no_secret("it is shown in the channel")]``.

    ``${{ secrets.NAME }}`` is then refused there; ``why`` ends the sentence that says so.
    """
    return Field(json_schema_extra={SEEN: why})
