"""Where a step is in a run: its path, and the place in the definition that the path is an instance of.

    tag                 a step of the workflow
    each[3]             item 3 (from 0) of the for_each step ``each``
    each[0:50]          the items 0 to 49 of it, run by a child run of their own
    each[3]/deploy      a step of that item's group
    poll#2/check        a step of pass 2 (from 1) of the repeat step ``poll``
    on_failure/notify   a step that runs after the run has failed
    tag!undo            the compensation of ``tag``
    tag!correct         the question to a model how ``tag`` could be tried otherwise

The one rule: a path is made and taken apart here alone. The **template** of a path is the path without its numbers:
``each[]/deploy``, ``poll#/check``.
"""

from __future__ import annotations

import re
from functools import lru_cache

ON_FAILURE = "on_failure"
UNDO = "!undo"
CORRECT = "!correct"

_NUMBERS = re.compile(r"(?<=[\[#:])\d+|\d+(?=:)")
_EMPTY = re.compile(r"(?:\[:?\]|#)$")
_INSTANCE = re.compile(r"(?:\[\d+(?::\d+)?\]|#\d+)$")


@lru_cache(maxsize=16_384)
def template_of(path: str) -> str:
    """The place in the definition: ``each[3]/deploy`` is an instance of ``each[]/deploy``."""
    return _NUMBERS.sub("", path)


@lru_cache(maxsize=16_384)
def group_of(path: str) -> str:
    """The path of the group that the step is in: ``each[3]`` for ``each[3]/deploy``, empty for the workflow's own."""
    return path.rpartition("/")[0]


def in_group(group: str, id_: str) -> str:
    """The path of step ``id_`` of that group."""
    return f"{group}/{id_}" if group else id_


@lru_cache(maxsize=16_384)
def loop_of(path: str) -> str | None:
    """The loop that this path is an item or a pass of: ``each`` for ``each[3]``; None for any other path."""
    bare = _INSTANCE.sub("", path)
    return None if bare == path else bare


def item(loop: str, index: int) -> str:
    return f"{loop}[{index}]"


def part(loop: str, start: int, end: int) -> str:
    """The path of the child run that has the items from ``start`` to before ``end``."""
    return f"{loop}[{start}:{end}]"


def iteration(loop: str, number: int) -> str:
    return f"{loop}#{number}"


@lru_cache(maxsize=16_384)
def number_of(path: str) -> int:
    """The item's index, the part's first index or the pass's number. ``ValueError`` for any other path."""
    found = re.search(r"[\[#](\d+)(?::\d+)?\]?$", path)
    if found is None:
        raise ValueError(f"{path} is no item and no pass of a loop")
    return int(found[1])


def around_template(template: str) -> list[str]:
    """The templates of the loops around, the outermost first: ``each``, ``each[]/poll`` for ``each[]/poll#/check``."""
    found = [_EMPTY.sub("", template[: at.end()]) for at in re.finditer(r"(?:\[:?\]|#)(?=/|$)", template)]
    return [one for one in found if one != template]


def undo(path: str) -> str:
    return path + UNDO


def undone_by(path: str) -> str | None:
    """The step that this path compensates, if it is a compensation."""
    return path.removesuffix(UNDO) if path.endswith(UNDO) else None


def correction(path: str) -> str:
    return path + CORRECT


def corrected_by(path: str) -> str | None:
    """The step that this path corrects, if it is a correction."""
    return path.removesuffix(CORRECT) if path.endswith(CORRECT) else None


def is_aside(path: str) -> bool:
    """Whether the step is no part of the workflow's own way: a compensation, or one that runs after a failure."""
    return path.endswith(UNDO) or path.startswith(f"{ON_FAILURE}/")


def is_inside(path: str, step: str) -> bool:
    """Whether ``path`` belongs to ``step``: an item or a pass of it, anything within these, or its compensation."""
    return path.startswith(step) and path[len(step) : len(step) + 1] in ("[", "#", "!", "/")
