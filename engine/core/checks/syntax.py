"""The syntax tree of a CEL expression, which the library keeps to itself; as much of it as types can be told of.

The one rule: what is not understood here is not wrong. The library has compiled the expression before, and what this
parser does not know (messages, optional values) makes the whole expression one of unknown type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from engine.core.scanner import Token, tokens


@dataclass(frozen=True, slots=True)
class Constant:
    """``value`` is there for texts without escapes, numbers and words; ``kind`` always."""

    kind: str
    value: str | float | bool | None = None


@dataclass(frozen=True, slots=True)
class Name:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    of: Node
    name: str


@dataclass(frozen=True, slots=True)
class Index:
    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Call:
    """``of`` is what a method is called on."""

    of: Node | None
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapped:
    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    of: Node


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Choice:
    condition: Node
    then: Node
    other: Node


Node = Constant | Name | Member | Index | Call | Listed | Mapped | Unary | Binary | Choice

_LEVELS = (("||",), ("&&",), ("<=", ">=", "==", "!=", "<", ">", "in"), ("+", "-"), ("*", "/", "%"))
"""Operators, the loosest first."""
_PAIRS = frozenset({"||", "&&", "<=", ">=", "==", "!="})
_WORDS = {"true": Constant("boolean", value=True), "false": Constant("boolean", value=False), "null": Constant("null")}


class _Unknown(Exception):
    """Not of the syntax that is understood here."""


@lru_cache(maxsize=1_024)
def parse(source: str) -> Node | None:
    """The tree of an expression that has been compiled; None where it is beyond this parser."""
    parser = _Parser(_joined(source))
    try:
        node = parser.choice()
    except (_Unknown, RecursionError):
        return None
    return node if parser.is_done else None


def _joined(source: str) -> list[Token]:
    """The tokens, operators of two characters as one."""
    found: list[Token] = []
    for token in tokens(source):
        if found and token.kind == "sign" == found[-1].kind and found[-1].text + token.text in _PAIRS:
            found[-1] = Token("sign", found[-1].text + token.text, token.end)
        else:
            found.append(token)
    return found


class _Parser:
    """Recursive descent, one method for each level; ``compiled`` has limited the length."""

    def __init__(self, stream: list[Token]) -> None:
        self._stream = stream
        self._at = 0

    @property
    def is_done(self) -> bool:
        return self._at == len(self._stream)

    def choice(self) -> Node:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        then = self._binary(0)
        self._need(":")
        return Choice(condition, then, self.choice())

    def _binary(self, level: int) -> Node:
        if level == len(_LEVELS):
            return self._unary()
        node = self._binary(level + 1)
        while self._next() in _LEVELS[level] and self._kind() in ("sign", "name"):
            operator = self._advance().text
            node = Binary(operator, node, self._binary(level + 1))
        return node

    def _unary(self) -> Node:
        for operator in ("!", "-"):
            if self._take(operator):
                return Unary(operator, self._unary())
        return self._postfix(self._primary())

    def _postfix(self, node: Node) -> Node:
        while True:
            if self._take("."):
                name = self._name()
                node = Call(node, name, self._list_until(")")) if self._take("(") else Member(node, name)
            elif self._take("["):
                key = self.choice()
                self._need("]")
                node = Index(node, key)
            else:
                return node

    def _primary(self) -> Node:
        token = self._advance()
        if token.kind in ("string", "raw", "quoted", "number"):
            return _literal(token)
        if token.kind == "name":
            if self._take("("):
                return Call(None, token.text, self._list_until(")"))
            return _WORDS.get(token.text) or Name(token.text)
        if token.text == ".":
            return Name(self._name())
        if token.text == "(":
            node = self.choice()
            self._need(")")
            return node
        if token.text == "[":
            return Listed(self._list_until("]"))
        if token.text == "{":
            return self._mapped()
        raise _Unknown

    def _mapped(self) -> Node:
        pairs: list[tuple[Node, Node]] = []
        while not self._take("}"):
            key = self.choice()
            self._need(":")
            pairs.append((key, self.choice()))
            if not self._take(","):
                self._need("}")
                break
        return Mapped(tuple(pairs))

    def _list_until(self, end: str) -> tuple[Node, ...]:
        items: list[Node] = []
        while not self._take(end):
            items.append(self.choice())
            if not self._take(","):
                self._need(end)
                break
        return tuple(items)

    def _next(self) -> str:
        return "" if self.is_done else self._stream[self._at].text

    def _kind(self) -> str:
        return "" if self.is_done else self._stream[self._at].kind

    def _advance(self) -> Token:
        if self.is_done:
            raise _Unknown
        self._at += 1
        return self._stream[self._at - 1]

    def _take(self, sign: str) -> bool:
        found = self._next() == sign and self._kind() == "sign"
        self._at += found
        return found

    def _need(self, sign: str) -> None:
        if not self._take(sign):
            raise _Unknown

    def _name(self) -> str:
        token = self._advance()
        if token.kind != "name":
            raise _Unknown
        return token.text


def _literal(token: Token) -> Constant:
    text = token.text
    if token.kind == "number":
        return _number(text)
    if "b" in re.split("[\"']", text, maxsplit=1)[0].lower():
        return Constant("bytes")
    plain = token.kind == "quoted" and "\\" not in text
    return Constant("string", text[1:-1] if plain else None)


def _number(text: str) -> Constant:
    if text[-1] in "uU":
        return Constant("unsigned")
    if re.fullmatch(r"\d+", text):
        return Constant("integer", int(text))
    return Constant("integer") if text[:2].lower() == "0x" else Constant("double", float(text))
