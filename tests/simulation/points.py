"""The awaits at which a process must be able to die: found in the source, so that a new one is not forgotten.

The one rule: a point is counted as crashed if a process died while a task of its waited exactly there.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

from engine import announcer, handle, scheduler, worker
from engine.store import committer, database, locked, log

SCOPE: dict[ModuleType, tuple[str, ...]] = {
    committer: (),
    locked: (),
    database: ("Database.write", "Database.patiently"),
    log: ("Log.append", "Log.append_locked"),
    handle: (
        "Handle.start",
        "Handle.submit",
        "Handle._drain",
        "Handle._settle_all",
        "Handle._settle",
        "Handle._try",
        "Handle._append_locked",
    ),
    announcer: ("Announcer._send", "Announcer._add", "Announcer.backlog"),
    scheduler: ("Scheduler.sweep",),
    worker: ("Worker._read", "Worker._look", "Worker._reclaim", "Worker._make_all_due"),
}
"""The functions through which an append or a call of the stream goes, by module; all of a module if none is named."""

ASIDE = ("self.recall.", "self._plans.", "self.vault.", "self.append(", "self.brakes.", "self._learn(")
"""What is awaited in between: reads, and what only sealed runs need, whose keys come from the machine's randomness."""


def _functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.AsyncFunctionDef):
            yield prefix + node.name, node


def _find() -> dict[tuple[str, int], str]:
    found: dict[tuple[str, int], str] = {}
    taken: set[str] = set()
    for module, functions in SCOPE.items():
        source = inspect.getsource(module)
        for function, node in _functions(ast.parse(source)):
            if functions and function not in functions:
                continue
            for each in ast.walk(node):
                if isinstance(each, ast.Await) and not ast.unparse(each.value).startswith(ASIDE):
                    name = f"{module.__name__}.{function}: {ast.unparse(each)}"
                    while name in taken:
                        name += "'"
                    taken.add(name)
                    found[module.__file__ or "", each.lineno] = name
    return found


_BY_PLACE = _find()
_FOUND: dict[tuple[int, int], tuple[CodeType, str | None]] = {}
"""What is at a place of a function's code, by the code's identity; the line of a place takes long to work out."""

POINTS: tuple[str, ...] = tuple(_BY_PLACE.values())
"""All of them, by module, function and the awaited expression."""


def suspended_at(task: asyncio.Task[Any]) -> Iterator[str]:
    """The points at which the task waits: one for each function of the chain that is awaited, outermost first."""
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        if (point := _point_of(frame)) is not None:
            yield point
        coroutine = coroutine.cr_await


def called_through(frame: FrameType | None) -> Iterator[str]:
    """The points at which those wait who have called, one another, what runs in this frame now; innermost first."""
    while frame is not None:
        if (point := _point_of(frame)) is not None:
            yield point
        frame = frame.f_back


def _point_of(frame: FrameType) -> str | None:
    place = id(frame.f_code), frame.f_lasti
    if place not in _FOUND:
        code = frame.f_code
        _FOUND[place] = code, _BY_PLACE.get((code.co_filename, frame.f_lineno))
    return _FOUND[place][1]
