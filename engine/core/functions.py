"""The functions that expressions can call besides CEL's own, as ``f(x, …)`` or ``x.f(…)``.

The one rule: every function is pure and total over what it accepts, and its result is no larger than a few times its
arguments. So the library's generators (``lists.range``) are left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

from cel.stdlib import EXTENSIONS

Function = Callable[..., Any]

_MACROS = frozenset({"all", "exists", "exists_one", "filter", "has", "map"})
_CONVERSIONS = frozenset({"bytes", "double", "duration", "dyn", "int", "string", "timestamp", "type", "uint"})
_ON_TEXTS = frozenset({"contains", "endsWith", "matches", "size", "startsWith"})
_ON_TIMES = frozenset(
    f"get{part}"
    for part in (
        *("Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "FullYear"),
        *("Hours", "Milliseconds", "Minutes", "Month", "Seconds"),
    )
)
BUILT_IN = _MACROS | _CONVERSIONS | _ON_TEXTS | _ON_TIMES
"""What the library itself evaluates, macros included."""


class Unfit(ValueError):
    """A function cannot take these values; the text says why, in a clause that follows the function's name."""


def as_json(value: Any) -> str:
    """Compact JSON, its keys sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def as_text(value: Any) -> str:
    """A text as it is; anything else as compact JSON."""
    return value if isinstance(value, str) else as_json(value)


def _join(items: Any, separator: str = "") -> str:
    if not isinstance(items, list):
        raise Unfit("needs a list")
    return separator.join(as_text(part) for part in cast("list[Any]", items))


def _lines(items: Any) -> str:
    return _join(items, "\n")


def _default(value: Any, fallback: Any) -> Any:
    return fallback if value is None else value


def _of_text(method: Callable[[str], Any]) -> Function:
    def call(value: Any) -> Any:
        if not isinstance(value, str):
            raise Unfit("needs a text; string(x) or json(x) makes one")
        return method(value)

    return call


def _limited(name: str, function: Function, limit: int = 1_000_000) -> Function:
    """A replacement can multiply its text, again and again; what exceeds any use is refused."""

    def call(text: str, old: str, new: str, *rest: Any) -> Any:
        if len(text) + text.count(old) * len(new) > limit:
            raise Unfit(f"would make a text of more than {limit:,} characters")
        return function(text, old, new, *rest)

    call.__name__ = name
    return call


def _chosen() -> dict[str, Function]:
    strings = EXTENSIONS["strings"]
    lists = EXTENSIONS["lists"]
    return {
        **EXTENSIONS["core"],
        **{name: function for name, function in strings.items() if name != "strings.quote"},
        **EXTENSIONS["math"],
        **{name: lists[name] for name in ("contains", "distinct", "flatten", "slice", "sort")},
        "replace": _limited("replace", strings["replace"]),
        "join": _join,
        "lines": _lines,
        "json": as_json,
        "default": _default,
        "lower": _of_text(str.lower),
        "upper": _of_text(str.upper),
        "trim": _of_text(str.strip),
    }


FUNCTIONS: dict[str, Function] = _chosen()
NAMESPACES = frozenset(name.split(".")[0] for name in FUNCTIONS if "." in name)
BARE: dict[str, tuple[str, ...]] = {}
"""The last part of a function's name -> its full names, since the library reports ``math.abs`` as ``abs``."""
for _name in FUNCTIONS:
    _last = _name.rsplit(".", 1)[-1]
    BARE[_last] = (*BARE.get(_last, ()), _name)
KNOWN = BUILT_IN | BARE.keys()
