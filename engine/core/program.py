"""One CEL expression: compiled, checked for the names it uses, and evaluated, by the library behind one door.

The one rule: nothing of the library gets past this file; its exceptions become ``Invalid`` in our words, its values
plain JSON. An expression that is nothing but a path (``steps.a.output``) is looked up without the library, so that
large values are not converted twice and mappings keep their order.
"""

from __future__ import annotations

import base64
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, cast

import cel
from pydantic import JsonValue

from engine.core.functions import BARE, FUNCTIONS, KNOWN, NAMESPACES, Function, Unfit
from engine.core.keys import SECRETS
from engine.core.scanner import Path, names, spell
from engine.core.words import did_you_mean, kind, listed


class Members(Protocol):
    """What a root of the scope offers; ``steps`` and ``secrets`` need be no whole mapping."""

    def __getitem__(self, name: str, /) -> Any: ...
    def __contains__(self, name: object, /) -> bool: ...


Scope = Mapping[str, Any]
"""Values by root: ``input`` and ``run`` are mappings, ``steps`` at least ``Members``; the others are there only where
they mean something."""

# The library logs each failing function with the exception's text, which may hold values of a run.
logging.getLogger("cel").setLevel(logging.CRITICAL)

LOCAL_ROOTS = {
    "item": "inside for_each",
    "index": "inside for_each",
    "iteration": "inside repeat",
    "previous": "inside repeat",
    "history": "inside an agent",
    "failure": "in on_failure and undo",
}
"""Roots that exist in some places only, and where."""
ROOTS = ("input", "steps", "run", "changes", *LOCAL_ROOTS, SECRETS)
MEMBERS = {
    "run": ("id", "workflow", "started_by", "started_at"),
    "changes": ("gate", "comment", "by", "count"),
    "failure": ("step", "kind", "reason", "class"),
}
OF_STEP = ("output", "status", "error")
_BY_NAME = ("steps", SECRETS)
"""Roots that need be no mapping: only what is named is looked up."""
LONGEST = 2_000
"""Characters of one expression. The library's parser recurses, and overflows its stack on very long ones."""

_TYPES = frozenset({"bool", "bytes", "double", "int", "list", "map", "null_type", "string", "type", "uint"})
_PARSE = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_CALL = re.compile(
    r"^Function '([^']+)' error: (?:Python function call failed: (\w+): )?(.*?)(?:\. Check function .*)?$", re.S
)


class Invalid(ValueError):
    """The expression does not compile, or has no value; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression; ``paths`` are the names that it uses, each below one of the roots."""

    source: str
    paths: tuple[Path, ...]
    plain: Path | None
    references: frozenset[tuple[str, str]]
    steps: tuple[str, ...]
    roots: frozenset[str]
    functions: Mapping[str, Function]
    program: cel.Program

    def evaluate(self, scope: Scope) -> JsonValue:
        """The value in ``scope``, as JSON. Raises ``Invalid``."""
        if self.plain is not None:
            return _look_up(self.plain, scope)
        try:
            return _json(self.program.execute(cel.Context(self._variables(scope), dict(self.functions))))
        except Invalid:
            raise
        except Exception as error:  # noqa: BLE001  the library raises several builtin types; all mean one thing
            raise Invalid(_explain(self, error, scope)) from None

    def _variables(self, scope: Scope) -> dict[str, Any]:
        """Only what is referenced: the library converts all that it is given."""
        variables: dict[str, Any] = {root: _root(root, scope) for root in self.roots if root != "steps"}
        if self.steps:
            known: Members = scope.get("steps", {})
            variables["steps"] = {step: known[step] for step in self.steps if step in known}
        return variables


@lru_cache(maxsize=8_192)
def compiled(source: str) -> Program:
    """The program of ``source``. Raises ``Invalid`` for bad syntax and for names that no run can have."""
    if not source:
        raise Invalid("the expression is empty")
    if len(source) > LONGEST:
        raise Invalid(f"the expression has {len(source):,} characters; {LONGEST:,} are the most")
    try:
        program = cel.compile(source)
        called = program.functions()
    except Exception as error:  # noqa: BLE001  whatever the parser raises, the expression is not one
        raise Invalid(_syntax(str(error))) from None
    used = names(source)
    paths = tuple(path for path in used.paths if path.parts[0] not in _TYPES and path.parts[0] not in NAMESPACES)
    for path in paths:
        _check_path(path)
        if path.parts[0] == SECRETS and not used.plain:
            raise Invalid("a secret is given as it is: write ${{ secrets.NAME }} alone, or with text around it")
    for name in called:
        if name[0].isalpha() and name not in KNOWN:
            raise Invalid(f"there is no function {name}; {did_you_mean(name, sorted(KNOWN))}")
    return Program(
        source=source,
        paths=paths,
        plain=paths[0] if used.plain and len(paths) == 1 else None,
        references=frozenset((path.parts[0], path.parts[1] if len(path.parts) > 1 else "") for path in paths),
        steps=tuple(dict.fromkeys(path.parts[1] for path in paths if path.parts[0] == "steps")),
        roots=frozenset(path.parts[0] for path in paths),
        functions={full: FUNCTIONS[full] for name in called for full in BARE.get(name, ())},
        program=program,
    )


def _check_path(path: Path) -> None:
    root, *rest = path.parts
    if root not in ROOTS:
        raise Invalid(f"there is no name {root}; {did_you_mean(root, ROOTS)}")
    if root == "steps":
        if not rest:
            raise Invalid("steps needs the id of a step, such as steps.build.output")
        if len(rest) > 1 and rest[1] not in OF_STEP:
            raise Invalid(f"a step has no {rest[1]}; {did_you_mean(rest[1], OF_STEP)}")
    elif root == SECRETS:
        if len(rest) != 1:
            raise Invalid("secrets needs the name of one, such as secrets.DEPLOY_TOKEN, and a secret has no members")
    elif root in MEMBERS and rest and rest[0] not in MEMBERS[root]:
        raise Invalid(f"{root} has no {rest[0]}; {did_you_mean(rest[0], MEMBERS[root])}")


def _syntax(text: str) -> str:
    match = _PARSE.search(text)
    if match is None:
        return "this is not an expression"
    column = int(match[2])
    said = match[3].split(" expecting ")[0].replace("'<EOF>'", "end").strip()
    for theirs, ours in (("mismatched input end", "it ends too early"), ("extraneous input", "did not expect")):
        said = said.replace(theirs, ours)
    return f"this is not an expression: {said}, at character {column}"


def _look_up(path: Path, scope: Scope) -> JsonValue:
    root = path.parts[0]
    value: Any = scope.get(root, {}) if root in _BY_NAME else _root(root, scope)
    for at, part in enumerate(path.parts[1:], start=1):
        if not (isinstance(value, Mapping) or (at == 1 and root in _BY_NAME)) or part not in cast("Members", value):
            raise Invalid(_missing(path.parts, at, value))
        value = cast("Members", value)[part]
    return cast("JsonValue", value)


def _root(root: str, scope: Scope) -> Any:
    if root in LOCAL_ROOTS and root not in scope:
        raise Invalid(f"there is no {root} here; it exists {LOCAL_ROOTS[root]}")
    value = scope.get(root, {})
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


def _missing(parts: tuple[str, ...], at: int, value: Any) -> str:
    """Why ``parts[at]`` cannot be selected from ``value``, which is what the parts before it lead to."""
    owner, part = spell(parts[:at]), parts[at]
    if parts[0] == "steps" and at == 1:
        return f"step {part} has no output, since it has not run yet"
    if not isinstance(value, Mapping):
        return f"{owner} is {kind(value)}, so it has no {part}"
    known = sorted(str(name) for name in cast("Mapping[Any, Any]", value))
    return f"{owner} has no {part}; it has {listed(known) if known else 'nothing'}"


_FAULTS: tuple[tuple[type[Exception], str], ...] = (
    (KeyError, "a member is selected that is not there"),
    (ZeroDivisionError, "it divides by zero"),
    (IndexError, "a list is shorter than the index asks for"),
    (OverflowError, "a number grows beyond 64 bits"),
)


def _explain(program: Program, error: Exception, scope: Scope) -> str:
    """One sentence for an exception of the library."""
    if isinstance(error, KeyError | TypeError):
        for path in program.paths:
            if (reason := _broken(path, scope)) is not None:
                return reason
    for raised, sentence in _FAULTS:
        if isinstance(error, raised):
            return sentence
    return _unfit_types(program, scope) if isinstance(error, TypeError) else _unfit_call(str(error), program, scope)


def _broken(path: Path, scope: Scope) -> str | None:
    parts = path.parts[:-1] if path.guarded else path.parts
    try:
        _look_up(Path(parts), scope)
    except Invalid as reason:
        return str(reason)
    return None


def _types_used(program: Program, scope: Scope) -> str:
    found: dict[str, str] = {}
    for path in program.paths:
        try:
            found[str(path)] = kind(_look_up(path, scope))
        except Invalid:
            continue
    return "; " + ", ".join(f"{name} is {what}" for name, what in found.items()) if found else ""


def _unfit_types(program: Program, scope: Scope) -> str:
    advice = "nothing is converted by itself, use string(x), int(x) or double(x)"
    return f"its types do not fit together{_types_used(program, scope)}; {advice}"


def _unfit_call(text: str, program: Program, scope: Scope) -> str:
    match = _CALL.match(text)
    if match is None:
        # The library says "undefined" of a function that exists but not for these types.
        return _unfit_types(program, scope)
    name, raised, detail = match[1], match[2], match[3].strip()
    if raised == Unfit.__name__:
        return f"{name}() {detail}"
    return f"{name}() cannot take what it is given{_types_used(program, scope)}"


def _json(value: Any) -> JsonValue:
    """A value of the library as JSON; keys are sorted, since the library does not keep their order."""
    if isinstance(value, list):
        return [_json(part) for part in cast("list[Any]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[Any, Any]", value)
        return {str(key): _json(pairs[key]) for key in sorted(pairs, key=str)}
    return _scalar(value)


def _scalar(value: Any) -> JsonValue:
    if isinstance(value, float) and not math.isfinite(value):
        raise Invalid("the result is not a finite number")
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise Invalid("the result is not a value that JSON can hold")
