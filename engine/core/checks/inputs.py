"""The inputs of a workflow, and the payloads of its signals, each against itself.

The one rule: a default is read by the very code that reads a start's values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from engine.core.approval import EditField
from engine.core.draft import Draft, mapping
from engine.core.inputs import read_value
from engine.core.kinds import InputField, TypedField
from engine.core.problems import Finding, Path


def check_inputs(draft: Draft) -> Iterator[Finding]:
    """Limits that exclude each other, and defaults that the input itself would refuse."""
    yield from _fields(("input",), draft.inputs)
    for step in draft.steps:
        payload = mapping((mapping(step.data.get("wait_for")) or {}).get("payload")) or {}
        yield from _fields((*step.path, "wait_for", "payload"), payload)


def field_of(raw: object) -> InputField | None:
    """The field that ``raw`` describes, or None if its shape is wrong, which is reported by itself."""
    try:
        return InputField.model_validate(raw)
    except ValidationError:
        return None


def edit_field_of(raw: object) -> EditField | None:
    """The same for a value that may be edited at a gate."""
    try:
        return EditField.model_validate(raw)
    except ValidationError:
        return None


def check_limits(path: Path, field: TypedField) -> Iterator[Finding]:
    """Limits between which nothing is."""
    if field.min is not None and field.max is not None and field.min > field.max:
        yield Finding((*path, "min"), f"is greater than max ({field.min:g} and {field.max:g})", "swap them")


def _fields(path: Path, fields: Mapping[str, Any]) -> Iterator[Finding]:
    for name, raw in fields.items():
        field = field_of(raw)
        if field is None:
            continue
        wrong = list(check_limits((*path, name), field))
        yield from wrong
        if not wrong and field.default is not None:
            try:
                read_value(name, field, field.default)
            except ValueError as error:
                yield Finding(
                    (*path, name, "default"), f"does not fit its own input: {error}", "change the default or the input"
                )
