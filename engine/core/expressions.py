"""``${{ … }}`` in a definition: CEL, compiled once, rendered against a run's scope.

The one rule: whatever goes wrong in an expression is an ``ExpressionError`` in one sentence for a person; no exception
of the library gets out. A scope is ``{"input": {…}, "steps": {id: {"output": …, "status": "completed", "error": ""}},
"run": {"id", "workflow", "started_by", "started_at"}}``, and further roots where they mean something
(``engine.core.program.LOCAL_ROOTS``); ``steps`` may be a lazy mapping, only the steps named are looked up.

    ExpressionError             does not compile, or has no value in this scope
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from pydantic import JsonValue

from engine.core.errors import EngineError
from engine.core.functions import as_text
from engine.core.program import Invalid, Program, Scope, compiled
from engine.core.scanner import closing
from engine.core.words import kind, one_line

OPENING = "${{"
References = frozenset[tuple[str, str]]
"""Pairs of a root and a name: ``("steps", "changes")``, ``("input", "version")``; ``("item", "")`` for a root."""


class ExpressionError(EngineError, ValueError):
    """``expression`` as it was written, without its ``${{ }}``, and ``reason``, which reads alone."""

    def __init__(self, expression: str, reason: str) -> None:
        self.expression = expression
        self.reason = reason
        super().__init__(f"{reason} (in ${{{{ {one_line(expression)} }}}})")


@dataclass(frozen=True, slots=True)
class Template:
    """A text with expressions in it, compiled.

    A text that is exactly one ``${{ … }}`` renders to that expression's own value; otherwise the parts are joined to a
    text, values that are no text as compact JSON. ``$${{`` stands for a literal ``${{``.
    """

    text: str
    parts: tuple[str | Program, ...]
    references: References

    @classmethod
    def parse(cls, text: str) -> Template:
        """Raises ``ExpressionError`` for the first expression that does not compile."""
        return _parsed(text)

    @property
    def is_constant(self) -> bool:
        return all(isinstance(part, str) for part in self.parts)

    def render(self, scope: Scope) -> JsonValue:
        """The value in ``scope``. Raises ``ExpressionError``."""
        if len(self.parts) == 1:
            part = self.parts[0]
            return part if isinstance(part, str) else _evaluate(part, scope)
        return "".join(part if isinstance(part, str) else as_text(_evaluate(part, scope)) for part in self.parts)

    def render_text(self, scope: Scope) -> str:
        """The value as a text, also where it is a single expression."""
        return as_text(self.render(scope))


@dataclass(frozen=True, slots=True)
class Compiled:
    """A JSON value with templates anywhere in it. Parts without any are kept as they are and cost nothing."""

    node: _Node
    references: References

    def render(self, scope: Scope) -> JsonValue:
        """Raises ``ExpressionError``."""
        return _render(self.node, scope)


@dataclass(frozen=True, slots=True)
class CompiledMapping:
    """A mapping whose values are JSON with templates in it, such as a step's ``with``."""

    values: Mapping[str, Compiled]
    references: References

    def render(self, scope: Scope) -> dict[str, JsonValue]:
        """Raises ``ExpressionError``."""
        return {name: value.render(scope) for name, value in self.values.items()}


@dataclass(frozen=True, slots=True)
class Condition:
    """An ``if``: an expression that is true or false, with or without ``${{ }}`` around it."""

    program: Program

    @property
    def references(self) -> References:
        return self.program.references

    def holds(self, scope: Scope) -> bool:
        """Raises ``ExpressionError``, also for a value that is neither true nor false."""
        value = _evaluate(self.program, scope)
        if isinstance(value, bool):
            return value
        reason = f"a condition is true or false, this is {kind(value)}; compare it, such as … == 1 or … != null"
        raise ExpressionError(self.program.source, reason)


@dataclass(frozen=True, slots=True)
class _Constant:
    value: JsonValue


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Mapping:
    items: tuple[tuple[str, _Node], ...]


_Node = _Constant | Template | _List | _Mapping
_NONE: References = frozenset()


def compile_value(value: JsonValue) -> Compiled:
    """Raises ``ExpressionError`` for the first expression that does not compile."""
    node = _compile(value)
    if isinstance(node, _Constant):
        return Compiled(node, _NONE)
    if isinstance(node, Template):
        return Compiled(node, node.references)
    return Compiled(node, frozenset(pair for template in _templates(node) for pair in template.references))


def compile_mapping(values: Mapping[str, JsonValue]) -> CompiledMapping:
    """Raises ``ExpressionError`` for the first expression that does not compile."""
    parts = {name: compile_value(value) for name, value in values.items()}
    return CompiledMapping(parts, frozenset(pair for part in parts.values() for pair in part.references))


def condition(text: str) -> Condition:
    """The condition that ``text`` spells. Raises ``ExpressionError`` if it does not compile."""
    bare = text.strip()
    if not bare.startswith(OPENING):
        return Condition(_program(bare))
    parts = Template.parse(bare).parts
    if len(parts) == 1 and isinstance(parts[0], Program):
        return Condition(parts[0])
    raise ExpressionError(bare, "a condition is one expression; write it whole, without ${{ }} inside it")


@lru_cache(maxsize=8_192)
def _parsed(text: str) -> Template:
    """Templates hold no state, so that equal texts share one."""
    parts = tuple(_parts(text))
    pairs = (pair for part in parts if isinstance(part, Program) for pair in part.references)
    return Template(text, parts, frozenset(pairs))


def _parts(text: str) -> Iterator[str | Program]:
    literal = ""
    at = 0
    while (start := text.find(OPENING, at)) >= 0:
        if start > at and text[start - 1] == "$":
            literal += text[at : start - 1] + OPENING
            at = start + len(OPENING)
            continue
        literal += text[at:start]
        end = closing(text, start + len(OPENING))
        if end is None:
            raise ExpressionError(text[start + len(OPENING) :].strip()[:80], "this ${{ is not closed by }}")
        if literal:
            yield literal
            literal = ""
        yield _program(text[start + len(OPENING) : end].strip())
        at = end + 2
    literal += text[at:]
    if literal or not text:
        yield literal


def _program(source: str) -> Program:
    try:
        return compiled(source)
    except Invalid as error:
        raise ExpressionError(source, str(error)) from None


def _evaluate(program: Program, scope: Scope) -> JsonValue:
    try:
        return program.evaluate(scope)
    except Invalid as error:
        raise ExpressionError(program.source, str(error)) from None


def _compile(value: JsonValue) -> _Node:
    if isinstance(value, str):
        if OPENING not in value:
            return _Constant(value)
        template = Template.parse(value)
        return _Constant(template.render({})) if template.is_constant else template
    if isinstance(value, dict):
        pairs = [(name, _compile(part)) for name, part in value.items()]
        fixed = {name: node.value for name, node in pairs if isinstance(node, _Constant)}
        return _Constant(fixed) if len(fixed) == len(pairs) else _Mapping(tuple(pairs))
    if isinstance(value, list):
        nodes = [_compile(part) for part in value]
        constants = [node.value for node in nodes if isinstance(node, _Constant)]
        return _Constant(constants) if len(constants) == len(nodes) else _List(tuple(nodes))
    return _Constant(value)


def _render(node: _Node, scope: Scope) -> JsonValue:
    match node:
        case _Constant(value):
            return value
        case Template():
            return node.render(scope)
        case _List(items):
            return [_render(item, scope) for item in items]
        case _Mapping(pairs):
            return {name: _render(item, scope) for name, item in pairs}


def _templates(node: _Node) -> Iterator[Template]:
    match node:
        case _Constant():
            return
        case Template():
            yield node
        case _List(items):
            for item in items:
                yield from _templates(item)
        case _Mapping(pairs):
            for _, item in pairs:
                yield from _templates(item)
