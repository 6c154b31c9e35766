"""Model steps: one question to a language model.

The one rule: what a question may cost is bounded before it is asked, so that ``max_tokens`` is always given. When a
definition is pinned, ``llm`` becomes the step of that name, with these words as its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, JsonValue, StringConstraints

from engine.core.agents import ModelName, Output
from engine.core.kinds import Model, Name
from engine.core.stepspec import Catalog

LLM = "llm"
"""The step's code."""
LOCAL = "local"
"""The provider that is this machine: it answers by rule, without a key, and says so."""
SHAPES = "shapes"
"""In the schema of the step's ``output``: those that definitions may name, as JSON Schemas."""


IMAGE_TOKENS = 20_000
"""More than providers count an image as, whatever its size: they shrink it to some thousand patches before."""
DEAR_IMAGE_TOKENS = 50_000
"""Of gpt-4o-mini an image is 2,833 tokens, and 5,667 for each of its tiles, of which there are eight at most (OpenAI's
guide "Images and vision")."""


def image_tokens(model: str) -> int:
    """The most that an image may count as; ``model`` is ``provider:name``."""
    name = model.partition(":")[2].rpartition("/")[2]
    return DEAR_IMAGE_TOKENS if name.startswith("gpt-4o-mini") else IMAGE_TOKENS


class Llm(Model):
    """One question to a model. The output is ``{"text", "value", "model", "usage", "cost", "finish"}``: ``value`` is
    there with ``output``, ``usage`` has ``input_tokens`` and ``output_tokens``, and ``cost`` is in US dollars.

    An answer that does not fit ``output`` fails the attempt (``invalid_output``).
    """

    model: ModelName
    """Which model, as ``provider:name``; ``local:echo`` needs no key, and is on this machine."""
    prompt: Annotated[str, StringConstraints(min_length=1)]
    """What it is asked, with expressions."""
    system: str = ""
    """What it is told before."""
    output: Output | None = None
    """A JSON Schema of an object, which its answer must fit, or the name of a shape; without one it answers a text."""
    max_tokens: int = Field(ge=1, le=1_000_000)
    """How long the answer may be, in tokens."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """How free it is; a model that takes none is asked without."""
    images: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = Field(default=(), max_length=20)
    """Images that it is shown: addresses (``https://…``) or data (``data:image/png;base64,…``)."""
    key: Name | None = None
    """Which of the workspace's keys for the provider; unset: the default one."""

    @property
    def arguments(self) -> dict[str, JsonValue]:
        """What the step is given when it is pinned: the same words, without expressions where none are looked for."""
        given: dict[str, JsonValue] = self.model_dump(mode="json", exclude_none=True)
        return {**given, "output": literal(self.output)} if self.output is not None else given


def shapes_of(catalog: Catalog | None) -> Mapping[str, Any] | None:
    """The schemas of the shapes that models can be asked for, by name; None if nothing is known of them."""
    spec = None if catalog is None else catalog.get(LLM)
    return None if spec is None else spec.version().arguments.get("properties", {}).get("output", {}).get(SHAPES)


def schema_of(output: Output | None, catalog: Catalog) -> dict[str, JsonValue] | None:
    """The JSON Schema that it stands for. A name of which nothing is known stands for any object."""
    if not isinstance(output, str):
        return output
    return dict((shapes_of(catalog) or {}).get(output, {"type": "object"}))


def literal(value: JsonValue) -> JsonValue:
    """The same value where expressions are looked for."""
    if isinstance(value, str):
        return value.replace("${{", "$${{")
    if isinstance(value, dict):
        return {name: literal(part) for name, part in value.items()}
    return [literal(part) for part in value] if isinstance(value, list) else value
