"""Data that tries to ping, to break and to pose; and runs that are full of it.

The one rule: every free text of every event is poisoned, also of those that are added later; what is no free text (ids,
names with a pattern, references between events) is listed here.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Union, cast, get_args, get_origin

from pydantic import BaseModel

from engine.core.state import Recorded

FORGERY = "✓ Approved by Mallory"

_TRICKS = (
    "<!channel> <!here> <!everyone> <@U0ANAXXXXX> <!subteam^S0RELEASES> <#C0RELEASES|ops> <!date^1^{date}|now> @here ",
    "&lt;!channel&gt; &amp; <https://evil.example|your bank> <mailto:a@evil.example> <javascript:x> ",
    "*bold _it_ ~no~ `code ```fence > quoted __init__ ",
    f"\n{FORGERY}\r\n> {FORGERY}\u2028{FORGERY}\x0b{FORGERY}\n\n",
    "a\u202egnp.exe\u2066x\u200b\u2060\ufeff\u200d\u00ad\U000e0041\x00\x1b[31m ",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \U0001f469\u200d\U0001f4bb ",
)
TEXTS: Mapping[str, str] = {
    "all tricks at once": "".join(_TRICKS),
    "10,000 characters of tricks": ("".join(_TRICKS) * 100)[:10_000],
    "10,000 characters that need five each": "&" * 10_000,
    "10,000 line breaks": "x\n" * 5_000,
    "a word of 10,000 letters": "w" * 10_000,
    "nothing to be seen": " \u200b\n\t",
    "spaces alone": " \n\t ",
}

NOT_FREE = frozenset(
    {
        "answer",
        "cls",
        "days",
        "definition",
        "dedupe_key",
        "digest",
        "effect",
        "effects",
        "everyone",
        "evidence",
        "holidays",
        "id",
        "kind",
        "on_expiry",
        "on_limit",
        "outcome",
        "policy",
        "request_changes",
        "run",
        "signal",
        "status",
        "step",
        "steps",
        "uses",
        "via",
        "where",
        "worker",
        "workflow",
        "workspace",
        "zone",
    }
)
"""Fields that are no free text: they have a pattern, a list of values, or are the place of something else."""


NOT_FREE_IN = {"ApprovalChangesRequested": frozenset({"to"})}
"""The same, where the name means something else in another event."""


def poisoned(log: Sequence[Recorded], text: str) -> list[Recorded]:
    """The same history, with ``text`` for every free text."""
    return [recorded._replace(event=_model(recorded.event, text)) for recorded in log]


Model = TypeVar("Model", bound=BaseModel)


def _model(model: Model, text: str) -> Model:
    fields = type(model).model_fields
    free = fields.keys() - NOT_FREE - NOT_FREE_IN.get(type(model).__name__, frozenset[str]())
    return model.model_copy(update={name: _value(getattr(model, name), fields[name].annotation, text) for name in free})


def _value(value: Any, annotation: Any, text: str) -> Any:
    if isinstance(value, BaseModel):
        return _model(value, text)
    if isinstance(value, str):
        return text if _is_free(annotation) else value
    if isinstance(value, tuple):
        return tuple(_value(each, str, text) for each in cast("tuple[Any, ...]", value))
    if isinstance(value, list):
        return [_value(each, str, text) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _value(each, str, text) for name, each in cast("dict[str, Any]", value).items()}
    return value


def _is_free(annotation: Any) -> bool:
    """Whether a field may hold any text: not one of a list of literals."""
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is_free(each) for each in get_args(annotation))
    return annotation is str or "JsonValue" in str(annotation)
