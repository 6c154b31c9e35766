"""What is known of a value before a run: which kinds it may be of, and what is inside.

The one rule: where nothing is known everything is allowed, so that only what is certain is ever refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue

from engine.core.draft import mapping

JSON_KINDS = ("string", "integer", "double", "boolean", "object", "array", "null")
EVERY_KIND = frozenset({*JSON_KINDS, "bytes", "time", "span", "unsigned", "type"})
"""Those of JSON, where whole numbers and others differ as they do in CEL, and what CEL has besides."""
DEPTH = 8
"""Levels of a schema that are looked at; below, anything goes."""

_WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "double": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "nothing (null)",
    "bytes": "bytes",
    "time": "an instant",
    "span": "a duration",
    "unsigned": "an unsigned number",
    "type": "a type",
}


@dataclass(frozen=True, slots=True)
class Type:
    """Everything that a value may be. ``members`` are those of an object, ``items`` the elements of a list.

    If ``closed``, an object has no other members; ``required`` are those that it surely has. ``values`` are the only
    constants that it may be, where they are known.
    """

    kinds: frozenset[str] = EVERY_KIND
    members: Mapping[str, Type] = field(default_factory=dict[str, "Type"])
    closed: bool = False
    required: frozenset[str] = frozenset()
    items: Type | None = None
    values: tuple[JsonValue, ...] = ()
    others: Type | None = None
    """What members are that are not among ``members``."""

    @property
    def is_known(self) -> bool:
        return self.kinds != EVERY_KIND

    def may_be(self, *kinds: str) -> bool:
        return not self.kinds.isdisjoint(kinds)

    def is_only(self, kind: str) -> bool:
        """Whether it surely is of that kind."""
        return self.kinds == frozenset((kind,))

    def member(self, name: str) -> Type | None:
        """The member's type; None if an object of this type surely has no such member."""
        if name in self.members:
            return self.members[name]
        return None if self.closed else self.others or ANY

    def element(self) -> Type:
        """The type of what a list of this type holds."""
        return self.items or ANY

    def or_else(self, other: Type, depth: int = DEPTH) -> Type:
        """Either of the two; what is more than ``depth`` levels inside may be anything."""
        if not self.is_known or not other.is_known or depth == 0:
            return ANY
        if not other.may_be("object", "array"):
            return _replace(self, self.kinds | other.kinds, _both(self, other))
        if not self.may_be("object", "array"):
            return _replace(other, self.kinds | other.kinds, _both(self, other))
        names = [*self.members, *(name for name in other.members if name not in self.members)]
        return Type(
            self.kinds | other.kinds,
            {name: (self.member(name) or _NEVER).or_else(other.member(name) or _NEVER, depth - 1) for name in names},
            closed=(self.closed or not self.may_be("object")) and (other.closed or not other.may_be("object")),
            items=self.element().or_else(other.element(), depth - 1),
        )

    def without(self, kind: str) -> Type:
        """The same where it surely is not of that kind."""
        return _replace(self, self.kinds - {kind}, tuple(value for value in self.values if value is not None))

    def say(self) -> str:
        """``text``, ``a whole number or nothing (null)``: what a person calls it."""
        kinds = self.kinds - {"integer"} if "double" in self.kinds else self.kinds
        ordered = [word for kind, word in _WORDS.items() if kind in kinds]
        return " or ".join(ordered)


ANY = Type()
_NEVER = Type(frozenset())


def of_kind(*kinds: str) -> Type:
    return Type(frozenset(kinds))


TEXT, WHOLE, NUMBER = of_kind("string"), of_kind("integer"), of_kind("integer", "double")
DOUBLE, TRUTH, NOTHING = of_kind("double"), of_kind("boolean"), of_kind("null")


def list_of(items: Type = ANY) -> Type:
    return Type(frozenset({"array"}), items=items)


def record(members: Mapping[str, Type], *, closed: bool = True) -> Type:
    """A mapping that surely has these members."""
    return Type(frozenset({"object"}), members, closed=closed, required=frozenset(members))


def one_of(values: Iterable[str]) -> Type:
    return Type(frozenset({"string"}), values=tuple(values))


def of_value(value: object) -> Type:
    """The type of a constant."""
    if isinstance(value, Mapping):
        return record({name: of_value(part) for name, part in cast("Mapping[str, Any]", value).items()})
    if isinstance(value, list | tuple):
        parts = [of_value(part) for part in cast("list[Any]", value)]
        items = parts[0] if parts else ANY
        for part in parts[1:]:
            items = items.or_else(part)
        return list_of(items)
    kinds = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "double"))
    kind = next((name for known, name in kinds if isinstance(value, known)), "null")
    return Type(frozenset({kind}), values=(cast("JsonValue", value),))


def of_schema(schema: Mapping[str, Any]) -> Type:
    """The type that a JSON schema allows, as far as it says so in so many words."""
    return _Reader(mapping(schema.get("$defs")) or {}).read(schema, DEPTH)


class _Reader:
    """Reads one schema; each of its definitions once for each depth, so that those that refer to themselves end."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._known: dict[tuple[str, int], Type] = {}

    def read(self, schema: Mapping[str, Any], depth: int) -> Type:
        if depth == 0:
            return ANY
        if isinstance(reference := schema.get("$ref"), str):
            return self._referred(reference, depth)
        options = schema.get("anyOf", schema.get("oneOf"))
        if isinstance(options, list) and options:
            return self._options(cast("list[Any]", options), depth)
        if "const" in schema:
            return of_value(schema["const"])
        if isinstance(values := schema.get("enum"), list):
            found = [of_value(value) for value in cast("list[Any]", values)]
            kinds = frozenset[str]().union(*(one.kinds for one in found))
            return Type(kinds, values=tuple(cast("list[JsonValue]", values)))
        return self._typed(schema, depth)

    def _referred(self, reference: str, depth: int) -> Type:
        name = reference.rpartition("/")[2]
        key = (name, depth)
        if key not in self._known:
            target = mapping(self._definitions.get(name))
            self._known[key] = ANY if target is None else self.read(target, depth - 1)
        return self._known[key]

    def _options(self, options: list[Any], depth: int) -> Type:
        read = [self.read(mapping(option) or {}, depth - 1) for option in options]
        found = read[0]
        for option in read[1:]:
            found = found.or_else(option)
        return found

    def _typed(self, schema: Mapping[str, Any], depth: int) -> Type:
        written: Any = schema.get("type")
        names = [written] if isinstance(written, str) else cast("list[str]", written or [])
        kinds = frozenset(kind for name in names for kind in _kinds_of(name))
        if not kinds:
            return ANY
        properties = mapping(schema.get("properties")) or {}
        more: Any = schema.get("additionalProperties", True)
        items = mapping(schema.get("items"))
        return Type(
            kinds,
            {name: self.read(mapping(part) or {}, depth - 1) for name, part in properties.items()},
            closed=more is False,
            required=frozenset(cast("list[str]", schema.get("required", []))),
            items=self.read(items, depth - 1) if items is not None else None,
            others=self.read(mapping(more) or {}, depth - 1) if mapping(more) is not None else None,
        )


def _kinds_of(name: str) -> tuple[str, ...]:
    return ("integer", "double") if name == "number" else (name,) if name in JSON_KINDS else ()


def _replace(type_: Type, kinds: frozenset[str], values: tuple[JsonValue, ...]) -> Type:
    return Type(kinds, type_.members, type_.closed, type_.required, type_.items, values, type_.others)


def _both(one: Type, other: Type) -> tuple[JsonValue, ...]:
    """The constants of both, if both have nothing but constants."""
    return (*one.values, *other.values) if one.values and other.values else ()
