"""Whether a value that a definition writes, constants and expressions alike, can be what is wanted in its place.

The one rule: an expression is judged by its type, and only if no value of that type would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.core.checks.types import Type
from engine.core.draft import mapping, sequence
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean, kind, listed

TypeOf = Callable[[str], Type]
"""The type of a text with expressions, where it stands."""

_OTHERS = {"time": "string", "span": "string", "bytes": "string", "unsigned": "integer", "type": "string"}
"""What the kinds become that JSON does not have."""

_READS = {"integer": "int(x)", "double": "double(x)"}


def as_json(type_: Type) -> frozenset[str]:
    """The kinds that values of the type have once they are JSON."""
    return frozenset(_OTHERS.get(kind_, kind_) for kind_ in type_.kinds)


def check_value(path: Path, value: object, wanted: Type, type_of: TypeOf) -> Iterator[Finding]:
    """What in ``value`` surely is not as ``wanted``, each at its own place."""
    if not wanted.is_known:
        return
    members, items = mapping(value), sequence(value)
    if isinstance(value, str) and "${{" in value:
        yield from _expression(path, type_of(value), wanted)
    elif members is not None and wanted.may_be("object"):
        yield from _members(path, members, wanted, type_of)
    elif items is not None and wanted.may_be("array"):
        for at, item in enumerate(items):
            yield from check_value((*path, at), item, wanted.element(), type_of)
    elif _kind_of(value) not in wanted.kinds and not _is_whole(value, wanted):
        advice = "put it in quotes" if wanted.may_be("string") and isinstance(value, bool | int | float) else ""
        yield Finding(path, f"must be {_wanted(wanted)}; it is {kind(value)}", advice)
    elif wanted.values and value not in wanted.values:
        known = [str(each) for each in wanted.values if each is not None]
        hint = did_you_mean(str(value), known)
        guess = hint if hint.startswith("did you mean") else ""
        yield Finding(path, f"must be one of {listed(known)} (you wrote {value})", guess)


def _expression(path: Path, found: Type, wanted: Type) -> Iterator[Finding]:
    kinds = as_json(found)
    if "double" in kinds or "integer" in kinds:  # 2.0 is taken for a whole number, and 2 for any other
        kinds |= {"integer", "double"}
    if kinds.isdisjoint(wanted.kinds):
        yield Finding(path, f"must be {_wanted(wanted)}; this gives {found.say()}", _conversion(found, wanted))


def _members(path: Path, value: Mapping[str, Any], wanted: Type, type_of: TypeOf) -> Iterator[Finding]:
    for name, part in value.items():
        member = wanted.member(name)
        if member is None:
            yield Finding((*path, name), "is not known here", did_you_mean(name, sorted(wanted.members)))
        else:
            yield from check_value((*path, name), part, member, type_of)
    for name in sorted(wanted.required - value.keys()) if wanted.is_only("object") else ():
        yield Finding(path, f"needs {name}, which is missing")


def _kind_of(value: object) -> str:
    if mapping(value) is not None:
        return "object"
    if sequence(value) is not None:
        return "array"
    kinds = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "double"))
    return next((name for known, name in kinds if isinstance(value, known)), "null")


def _is_whole(value: object, wanted: Type) -> bool:
    return isinstance(value, float) and value.is_integer() and wanted.may_be("integer")


def _wanted(wanted: Type) -> str:
    return wanted.without("null").say() or wanted.say()


def _conversion(found: Type, wanted: Type) -> str:
    """The call that makes what is wanted of what is there, if there is one."""
    if wanted.may_be("string"):
        return "json(x) makes one" if found.may_be("object", "array") else "string(x) makes one"
    if found.is_only("string"):
        return next((f"{call} makes one" for kind_, call in _READS.items() if wanted.may_be(kind_)), "")
    return ""
