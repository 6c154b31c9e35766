"""JSON Schemas that definitions write, and values that are to fit them.

The one rule: a schema stands by itself. What it refers to is inside of it: nothing is ever fetched to check one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from pydantic import JsonValue

from engine.core.problems import Finding, Path
from engine.core.words import one_line

MOST_MISFITS = 3
LONGEST_MISFIT = 300


def schema_findings(path: Path, schema: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with a schema, written at ``path``, that describes an object."""
    from jsonschema import Draft202012Validator  # not above: it takes long, and few definitions have schemas

    meta: Any = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    errors: Iterable[Any] = meta.iter_errors(schema)
    found = [Finding((*path, *error.absolute_path), f"is no JSON Schema: {_said(error)}") for error in errors]
    yield from dict.fromkeys(found[:MOST_MISFITS])
    if found:
        return
    if schema.get("type") != "object":
        yield Finding(path, "must describe an object", "write type: object, and its properties")
    for place, reference in _references(path, schema):
        if not reference.startswith("#"):
            message = f"refers to {one_line(reference)}, which is not in the schema"
            yield Finding(place, message, "write the schema itself, under $defs")


def misfit(value: JsonValue, schema: Mapping[str, Any]) -> str | None:
    """What keeps ``value`` from fitting, in words; None if it fits."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    validator: Any = Draft202012Validator(schema, registry=Registry())
    errors: list[Any] = sorted(validator.iter_errors(value), key=lambda error: [str(p) for p in error.absolute_path])
    if not errors:
        return None
    said = [f"{_place(error)}: {_said(error)}" for error in errors[:MOST_MISFITS]]
    more = f"; and {len(errors) - MOST_MISFITS} more" if len(errors) > MOST_MISFITS else ""
    return "; ".join(said) + more


def _said(error: Any) -> str:
    words = one_line(str(error.message))
    return words if len(words) <= LONGEST_MISFIT else f"{words[:LONGEST_MISFIT]}…"


def _place(error: Any) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path]
    return "".join(parts).removeprefix(".") or "the whole"


def _references(path: Path, schema: object) -> Iterator[tuple[Path, str]]:
    if isinstance(schema, Mapping):
        for name, part in cast("Mapping[str, Any]", schema).items():
            if name in ("$ref", "$dynamicRef") and isinstance(part, str):
                yield (*path, name), part
            elif name not in ("const", "enum", "default", "examples"):
                yield from _references((*path, name), part)
    elif isinstance(schema, list):
        for at, part in enumerate(cast("list[Any]", schema)):
            yield from _references((*path, at), part)


def size_in_tokens(*parts: object) -> int:
    """More tokens than any model counts for ``parts``, as JSON: a token is at least one byte."""
    return sum(len(json.dumps(part, ensure_ascii=False).encode()) for part in parts)
