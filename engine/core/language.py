"""The JSON Schema of the definition language, for editors: generated from the models, so that it cannot lag behind.

The one rule: it accepts whatever ``vb check`` accepts, a word without any value aside. What a schema cannot say (ids,
the graph, types) only ``vb check`` finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from engine.core.agents import REQUIRED
from engine.core.definition import KINDS, Workflow
from engine.core.durations import format_duration, parse_duration
from engine.core.examples import EXAMPLES
from engine.core.kinds import Call, Sleep, WaitFor
from engine.core.yamltree import read

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_SHORT: Mapping[type[BaseModel], str] = {Sleep: "for", WaitFor: "signal", Call: "name"}
"""Models that may also be written as the value of one of their members."""


def language_schema() -> Schema:
    """A JSON Schema (2020-12) of a workflow's file, with the models' docstrings as descriptions, and examples."""
    made = Workflow.model_json_schema(by_alias=True, schema_generator=_Plain)
    definitions = cast("dict[str, Schema]", made["$defs"])
    for model in models():
        _complete(model, made if model is Workflow else definitions[model.__name__])
    for schema in (made, *definitions.values()):
        schema.pop("title", None)
    for model, member in _SHORT.items():
        definitions[model.__name__] = _with_short_form(definitions[model.__name__], member)
    required = {"const": REQUIRED, "description": "Those with the role approver decide."}
    definitions["ToolApproval"] = {"anyOf": [required, definitions["ToolApproval"]]}
    definitions["Tool"]["oneOf"] = [{"required": ["uses"]}, {"required": ["workflow"]}]
    definitions["Sleep"]["anyOf"][1]["oneOf"] = [{"required": ["for"]}, {"required": ["until"]}]
    definitions["Step"]["oneOf"] = [{"required": [kind]} for kind in KINDS]
    definitions["Step"]["dependentRequired"] = {"repeat": ["steps"]}
    return {"$schema": DIALECT, "title": "Vectorbea workflow", **made}


def models() -> tuple[type[BaseModel], ...]:
    """The models that a workflow is made of, itself first, then as they are named."""
    found: dict[type[BaseModel], None] = {Workflow: None}
    waiting: list[type[BaseModel]] = [Workflow]
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            new = [model for model in _named(field.annotation) if model not in found]
            found |= dict.fromkeys(new)
            waiting += new
    return tuple(found)


class _Plain(GenerateJsonSchema):
    """Without titles that repeat names, without null where leaving a word out says the same, names strictly."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> Schema:
        return self.generate_inner(schema["schema"])

    def dict_schema(self, schema: Any) -> Schema:
        made = super().dict_schema(schema)
        return {**made, "additionalProperties": False} if "patternProperties" in made else made


def plain(docstring: str) -> str:
    """A docstring's text for people: paragraphs as lines, code between single backquotes."""
    paragraphs = (" ".join(part.split()) for part in docstring.split("\n\n"))
    return "\n\n".join(paragraphs).replace("``", "`")


def _named(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _named(part)


def _complete(model: type[BaseModel], schema: Schema) -> None:
    """Texts for people, defaults as they would be written, and an example for each word."""
    schema["description"] = plain(schema["description"])
    for name, field in model.model_fields.items():
        word = field.alias or name
        described = schema["properties"][word]
        described["description"] = plain(described["description"])
        described.pop("default", None)
        if (written := default_of(field)) is not None:
            described["default"] = written
        if described.get("type") == "string":  # limits of milliseconds, which nobody writes
            for limit in ("exclusiveMinimum", "minimum", "gt", "ge"):
                described.pop(limit, None)
        described["examples"] = [read(EXAMPLES[model][word]).data]


def default_of(field: FieldInfo) -> Any:
    """The default as a file would have it; None if the word is required, or if leaving it out says nothing."""
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if value is None or value in ("", (), {}):
        return None
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True) or None
    if is_duration(field):
        return format_duration(value)
    return value if isinstance(value, bool | int | float) else str(value)


def is_duration(field: FieldInfo) -> bool:
    """Whether the field holds milliseconds that are written as ``30s``."""
    marks = [*field.metadata, *_metadata(field.annotation)]
    return any(getattr(mark, "func", None) is parse_duration for mark in marks)


def _metadata(annotation: object) -> Iterator[object]:
    yield from getattr(annotation, "__metadata__", ())
    for part in get_args(annotation):
        yield from _metadata(part)


def _with_short_form(schema: Schema, member: str) -> Schema:
    short = schema["properties"][member]
    bare = {name: value for name, value in short.items() if name not in ("description", "default")}
    return {"description": schema["description"], "anyOf": [bare, schema]}
