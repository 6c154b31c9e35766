"""A definition's ``uses`` and ``with`` against what the registered steps offer.

The one rule: only what is certain before a run is reported; values that hold expressions are known only in a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

from engine.core.draft import Draft, DraftStep
from engine.core.problems import Finding
from engine.core.stepspec import Catalog
from engine.core.words import did_you_mean, kind, listed

_IS: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "object": lambda value: isinstance(value, Mapping),
    "array": lambda value: isinstance(value, list | tuple),
    "null": lambda value: value is None,
}
_WORDS: Mapping[str, str] = {
    "string": "text",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing (null)",
}


def check_uses(draft: Draft, catalog: Catalog) -> Iterator[Finding]:
    """Unknown steps and versions; unknown, missing and mistyped arguments."""
    for step in draft.runnable():
        if step.uses is None:
            continue
        name, _, version = step.uses.partition("@")
        spec = catalog.get(name)
        path = (*step.path, "uses")
        if spec is None:
            yield Finding(path, f"there is no step named {name}", did_you_mean(name, sorted(catalog)))
        elif version and (not version.isdigit() or int(version) not in spec.versions):
            versions = listed([str(known) for known in spec.versions])
            yield Finding(path, f"{name} has no version {version}", f"there is: {versions}")
        else:
            yield from _check_arguments(step, name, spec.version(int(version) if version else None).arguments)


def _check_arguments(step: DraftStep, name: str, schema: Mapping[str, Any]) -> Iterator[Finding]:
    arguments = step.arguments
    if arguments is None:
        return
    properties: Mapping[str, Any] = schema.get("properties", {})
    if schema.get("additionalProperties", True) is False:
        for argument in arguments:
            if argument not in properties:
                path = (*step.path, "with", argument)
                yield Finding(path, f"{name} takes no {argument}", did_you_mean(argument, list(properties)))
    for argument in cast("list[str]", schema.get("required", [])):
        if argument not in arguments:
            yield Finding((*step.path, "with"), f"{name} needs {argument}, which is missing")
    for argument, value in arguments.items():
        wanted = _types(cast("Mapping[str, Any]", properties.get(argument, {})))
        if wanted and not _templated(value) and not any(_IS[type_](value) for type_ in wanted if type_ in _IS):
            words = " or ".join(_WORDS.get(type_, type_) for type_ in wanted if type_ != "null")
            yield Finding((*step.path, "with", argument), f"must be {words}; it is {kind(value)}")


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The JSON types that ``schema`` allows, or none if it does not say so in so many words."""
    options: Any = schema.get("anyOf")
    if isinstance(options, list):
        found = [_types(option) for option in cast("list[Mapping[str, Any]]", options)]
        return tuple(dict.fromkeys(type_ for types in found for type_ in types)) if all(found) else ()
    type_: Any = schema.get("type")
    if isinstance(type_, str):
        return (type_,)
    return tuple(cast("list[str]", type_)) if isinstance(type_, list) else ()


def _templated(value: object) -> bool:
    return isinstance(value, str) and "${{" in value
