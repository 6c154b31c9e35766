"""The type of an expression, and what is surely wrong with how it uses its values.

The one rule: after a problem nothing more is known of that part, so that one slip is told once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.core.checks import syntax as s
from engine.core.checks.types import (
    ANY,
    DOUBLE,
    NOTHING,
    TEXT,
    TRUTH,
    WHOLE,
    Type,
    list_of,
    of_kind,
    of_value,
    record,
)
from engine.core.scanner import spell
from engine.core.words import did_you_mean, listed

Roots = Callable[[str], Type]
"""The type of a root such as ``input``; ``ANY`` for one that is not there, which is reported by itself."""

_CONVERT = "nothing is converted by itself, use string(x), int(x) or double(x)"
_SUMS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "+": (
        *((kind, kind, kind) for kind in ("string", "integer", "double", "array", "bytes", "unsigned", "span")),
        ("time", "span", "time"),
    ),
    "-": (
        *((kind, kind, kind) for kind in ("integer", "double", "unsigned", "span")),
        ("time", "span", "time"),
        ("time", "time", "span"),
    ),
    "*": tuple((kind, kind, kind) for kind in ("integer", "double", "unsigned")),
    "/": tuple((kind, kind, kind) for kind in ("integer", "double", "unsigned")),
    "%": tuple((kind, kind, kind) for kind in ("integer", "unsigned")),
}
"""Which kinds an operator takes on its left and right, and what it gives."""
_NUMBERS = frozenset({"integer", "double", "unsigned"})
_ORDERED = frozenset({"string", "boolean", "bytes", "time", "span"})
_MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
_GIVES: Mapping[str, Type] = {
    **dict.fromkeys(("string", "json", "join", "lines", "lower", "upper", "trim", "replace", "substring"), TEXT),
    **dict.fromkeys(("size", "int", "indexOf", "lastIndexOf"), WHOLE),
    **dict.fromkeys(("startsWith", "endsWith", "matches", "contains", "bool"), TRUTH),
    "double": DOUBLE,
    "split": list_of(TEXT),
    "timestamp": of_kind("time"),
    "duration": of_kind("span"),
    "type": of_kind("type"),
    "bytes": of_kind("bytes"),
}
_TAKES: Mapping[str, Type] = {
    **dict.fromkeys(("lower", "upper", "trim", "startsWith", "endsWith", "matches", "split", "replace"), TEXT),
    **dict.fromkeys(("join", "lines"), list_of()),
    "size": of_kind("string", "array", "object", "bytes"),
    "contains": of_kind("string", "array"),
}
"""What the first argument, or what a method is called on, has to be."""


@dataclass(slots=True)
class Inference:
    """Infers one expression; ``problems`` are sentences with a hint each."""

    roots: Roots
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def infer(self, node: s.Node, bound: Mapping[str, Type] | None = None) -> Type:
        """The type of ``node``, with the types of the variables that macros around it bind."""
        known = bound or {}
        match node:
            case s.Constant(kind, value):
                return NOTHING if kind == "null" else of_value(value) if value is not None else of_kind(kind)
            case s.Name(name):
                return known[name] if name in known else self.roots(name)
            case s.Member(of, name):
                return self._member(of, name, known)
            case s.Index(of, key):
                return self._index(of, key, known)
            case s.Listed(items):
                return self._listed(items, known)
            case s.Mapped(pairs):
                return self._mapped(pairs, known)
            case s.Unary(operator, of):
                return self._unary(operator, of, known)
            case s.Binary():
                return self._binary(node, known)
            case s.Choice(condition, then, other):
                self._truth(condition, known, "what stands before ?")
                return self.infer(then, known).or_else(self.infer(other, known))
            case s.Call():
                return self._call(node, known)

    def _problem(self, message: str, hint: str = "") -> Type:
        self.problems.append((message, hint))
        return ANY

    def _member(self, of: s.Node, name: str, bound: Mapping[str, Type], *, guarded: bool = False) -> Type:
        owner = self.infer(of, bound)
        if not owner.may_be("object"):
            if _is_plain(of):
                return self._problem(f"{_spelled(of)} is {owner.say()}, so it has no {name}")
            return self._problem(f"this is {owner.say()}, so it has no {name}")
        found = owner.member(name)
        if found is None and not guarded:
            known = sorted(owner.members)
            hint = did_you_mean(name, known) if known else ""
            return self._problem(f"{_spelled(of)} has no {name}", hint or "it has no members")
        return found or ANY

    def _index(self, of: s.Node, key: s.Node, bound: Mapping[str, Type]) -> Type:
        if isinstance(key, s.Constant) and isinstance(key.value, str):
            return self._member(of, key.value, bound)
        owner, place = self.infer(of, bound), self.infer(key, bound)
        if not owner.may_be("object", "array"):
            return self._problem(f"{_spelled(of)} is {owner.say()}, so that nothing can be selected from it")
        if owner.is_only("array"):
            if not place.may_be("integer", "unsigned"):
                return self._problem(f"the place in a list is a whole number, this is {place.say()}")
            return owner.element()
        return ANY

    def _listed(self, items: tuple[s.Node, ...], bound: Mapping[str, Type]) -> Type:
        types = [self.infer(item, bound) for item in items]
        whole = types[0] if types else ANY
        for type_ in types[1:]:
            whole = whole.or_else(type_)
        return list_of(whole)

    def _mapped(self, pairs: tuple[tuple[s.Node, s.Node], ...], bound: Mapping[str, Type]) -> Type:
        types = [(key, self.infer(key, bound), self.infer(value, bound)) for key, value in pairs]
        named = {str(key.value): value for key, _, value in types if isinstance(key, s.Constant)}
        return record(named, closed=len(named) == len(pairs))

    def _unary(self, operator: str, of: s.Node, bound: Mapping[str, Type]) -> Type:
        if operator == "!":
            return self._truth(of, bound, "what stands behind !")
        type_ = self.infer(of, bound)
        if not type_.may_be("integer", "double", "span"):
            return self._problem(f"- turns a number around, this is {type_.say()}", _CONVERT)
        return type_ if not type_.values else Type(type_.kinds)

    def _truth(self, node: s.Node, bound: Mapping[str, Type], where: str) -> Type:
        type_ = self.infer(node, bound)
        if not type_.may_be("boolean"):
            self._problem(f"{where} is true or false, this is {type_.say()}", "compare it, such as … == 1 or … != null")
        return TRUTH

    def _binary(self, node: s.Binary, bound: Mapping[str, Type]) -> Type:
        operator = node.operator
        if operator in ("&&", "||"):
            self._truth(node.left, bound, f"what stands before {operator}")
            return self._truth(node.right, bound, f"what stands behind {operator}")
        left, right = self.infer(node.left, bound), self.infer(node.right, bound)
        if operator in ("==", "!="):
            self._equality(node, left, right)
            return TRUTH
        if operator == "in":
            if not right.may_be("array", "object"):
                self._problem(f"in looks into a list or a mapping, this is {right.say()}")
            return TRUTH
        if operator in _SUMS:
            return self._sum(node, left, right)
        if not _comparable(left, right):
            self._problem(f"{_both(node, left, right)} cannot be compared by {operator}", _CONVERT)
        return TRUTH

    def _sum(self, node: s.Binary, left: Type, right: Type) -> Type:
        kinds = {out for one, two, out in _SUMS[node.operator] if left.may_be(one) and right.may_be(two)}
        if not kinds:
            return self._problem(f"{_both(node, left, right)} do not fit together by {node.operator}", _CONVERT)
        return ANY if not left.is_known and not right.is_known else Type(frozenset(kinds))

    def _equality(self, node: s.Binary, left: Type, right: Type) -> None:
        """Values of different kinds are never equal, nor is one of a few texts equal to another text.

        To compare with null is careful, and never wrong.
        """
        if left.is_only("null") or right.is_only("null"):
            return
        if left.kinds.isdisjoint(right.kinds) and not (left.kinds <= _NUMBERS and right.kinds <= _NUMBERS):
            self._problem(f"{_both(node, left, right)} are never equal", _CONVERT)
            return
        for few, one, of in ((left, right, node.left), (right, left, node.right)):
            if len(one.values) == 1 and few.values and isinstance(one.values[0], str) and not _among(one, few):
                known = [str(value) for value in few.values if value is not None]
                hint = did_you_mean(one.values[0], known)
                name = _spelled(of)
                if name != "this":
                    self._problem(f"{name} is never {one.values[0]}; it is one of {listed(known)}", _only_guess(hint))
                return

    def _call(self, node: s.Call, bound: Mapping[str, Type]) -> Type:
        if node.name == "has" and node.of is None and len(node.arguments) == 1:
            inside = node.arguments[0]
            if isinstance(inside, s.Member):
                self._member(inside.of, inside.name, bound, guarded=True)
            return TRUTH
        if node.name in _MACROS and node.of is not None and len(node.arguments) >= 2:
            return self._macro(node, node.of, bound)
        if isinstance(node.of, s.Name) and node.of.name in ("math", "strings", "lists", "sets"):
            for argument in node.arguments:
                self.infer(argument, bound)
            return ANY
        given = [self.infer(argument, bound) for argument in ((node.of,) if node.of is not None else ())]
        given += [self.infer(argument, bound) for argument in node.arguments]
        return self._function(node.name, given)

    def _function(self, name: str, given: list[Type]) -> Type:
        wanted = _TAKES.get(name)
        if wanted is not None and given and not given[0].may_be(*wanted.kinds):
            self._problem(f"{name}() needs {wanted.say()}, this is {given[0].say()}", _CONVERT)
        if name == "default" and len(given) == 2:
            return given[0].without("null").or_else(given[1])
        return _GIVES.get(name, ANY)

    def _macro(self, node: s.Call, of: s.Node, bound: Mapping[str, Type]) -> Type:
        owner = self.infer(of, bound)
        if not owner.may_be("array", "object"):
            return self._problem(f"{node.name}() needs a list, this is {owner.say()}")
        variable, *rest = node.arguments
        element = owner.element() if owner.is_only("array") else TEXT if owner.is_only("object") else ANY
        inner = {**bound, variable.name: element} if isinstance(variable, s.Name) else bound
        if node.name == "map":
            for condition in rest[:-1]:
                self._truth(condition, inner, "the condition of map()")
            return list_of(self.infer(rest[-1], inner))
        self._truth(rest[-1], inner, f"the condition of {node.name}()")
        return list_of(element) if node.name == "filter" else TRUTH


def _comparable(left: Type, right: Type) -> bool:
    if left.may_be(*_NUMBERS) and right.may_be(*_NUMBERS):
        return True
    return bool(left.kinds & right.kinds & _ORDERED)


def _among(one: Type, few: Type) -> bool:
    return one.values[0] in few.values


def _only_guess(hint: str) -> str:
    return hint if hint.startswith("did you mean") else ""


def _both(node: s.Binary, left: Type, right: Type) -> str:
    return f"{_said(node.left, left)} and {_said(node.right, right)}"


def _said(node: s.Node, type_: Type) -> str:
    return f"{_spelled(node)} ({type_.say()})" if _is_plain(node) else type_.say()


def _is_plain(node: s.Node) -> bool:
    return (
        isinstance(node, s.Name)
        or (isinstance(node, s.Member) and _is_plain(node.of))
        or (isinstance(node, s.Index) and _is_plain(node.of) and isinstance(node.key, s.Constant))
    )


def _spelled(node: s.Node) -> str:
    """The node as it was written, if it is a path; ``this`` for anything else."""
    match node:
        case s.Name(name):
            return name
        case s.Member(of, name) if _is_plain(node):
            return f"{_spelled(of)}{spell(('', name))}"
        case s.Index(of, s.Constant(_, value)) if _is_plain(node):
            inside = f'"{value}"' if isinstance(value, str) else value
            return f"{_spelled(of)}[{inside}]"
        case _:
            return "this"
