"""What people are asked where a step does not go on by itself: its outcome is unknown, or a correction was given up.

The one rule: a question is named by a seq of its run that no other has, so that an answer to it never counts for a
later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import JsonValue

from engine.core.state import StepState, StepStatus

WHOLE = "result"
"""The name of the one field in which a result is given that has no fields of its own."""

MOST_FIELDS = 40
"""Fields of a result that are asked for one by one."""


class OpenQuestion(NamedTuple):
    """A step that waits for an answer.

    Where corrections were given up, ``names`` may be changed, and ``may_change`` has what the last attempt had of them;
    ``has_result``: an attempt gave something that can be accepted. Where the outcome ``is_unknown``, ``names`` are the
    fields of its result, or ``WHOLE`` alone if it ``is_whole``. ``schemas`` are theirs, as far as the step's code is
    known.
    """

    step: str
    names: tuple[str, ...]
    may_change: Mapping[str, JsonValue]
    schemas: Mapping[str, Mapping[str, Any]]
    has_result: bool = False
    is_unknown: bool = False
    is_whole: bool = False


def asked(step: StepState) -> int:
    """The seq that names the step's open question; 0 if it asks nothing.

    An attempt of unknown outcome is asked about once, so the seq of its start names that question. What ``missing``
    code is asked about is named by that, and is no question that is settled.
    """
    if step.status is StepStatus.UNCERTAIN:
        return step.token
    if step.status is StepStatus.GIVEN_UP and step.correction is not None:
        return step.correction.asked
    return 0


def outcome_question(step: str, schema: Mapping[str, Any]) -> OpenQuestion:
    """The question what came of an attempt whose result is as ``schema`` says; an empty one says nothing."""
    if schema.get("type") == "null":
        return OpenQuestion(step, (), {}, {}, is_unknown=True)
    fields: Mapping[str, Any] = schema.get("properties", {})
    if 0 < len(fields) <= MOST_FIELDS:
        return OpenQuestion(step, tuple(fields), {}, fields, is_unknown=True)
    return OpenQuestion(step, (WHOLE,), {}, {WHOLE: schema}, is_unknown=True, is_whole=True)
