"""What can be wrong with a definition, as data: where it is, what is wrong, and what to do.

The one rule: a problem is one sentence that can be acted on without reading any code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from engine.core.words import one_line

Path = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file, both numbers counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem before it is located: ``path`` leads to it in the definition's data.

    ``mark`` is given where the path alone does not tell the place, as for a key that is written twice.
    """

    path: Path
    message: str
    hint: str = ""
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A located problem; ``str`` gives ``file.yaml:12: steps.publish.retry.attempts: must be at least 1``.

    A definition built in Python has no file and no lines.
    """

    file: str | None
    line: int | None
    column: int | None
    path: str
    message: str
    hint: str = ""

    @property
    def beside(self) -> str:
        """The same for those who know files by their names alone, such as in a chat."""
        return str(self if self.file is None else replace(self, file=self.file.rpartition("/")[2]))

    def __str__(self) -> str:
        place = "" if self.file is None else f"{self.file}:{self.line}: " if self.line else f"{self.file}: "
        where = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{place}{where}{self.message}{hint}"


def locate(finding: Finding, data: object, file: str | None, marks: Mapping[Path, Mark]) -> Problem:
    """The problem that ``finding`` is in ``data``, at the innermost part of its path that has a mark."""
    path = finding.path
    while path and path not in marks:
        path = path[:-1]
    line, column = finding.mark or marks.get(path) or (None, None)
    words = (spell_path(finding.path, data), finding.message, finding.hint)
    return Problem(file, line, column, *map(one_line, words))


def spell_path(path: Path, data: object) -> str:
    """``steps.publish.retry.attempts``: steps by id where they have one, other list items by number from 1."""
    spelled = ""
    of_steps = True
    for at, part in enumerate(path):
        data = _member(data, part)
        of_steps = of_steps and (isinstance(part, int) if at % 2 else part in ("steps", "on_failure"))
        if isinstance(part, str):
            spelled += f".{part}" if spelled else part
        elif of_steps and isinstance(id_ := _member(data, "id"), str):
            spelled += f".{id_}"
        else:
            spelled += f"[{part + 1}]"
    return spelled


def _member(data: object, part: str | int) -> object:
    if isinstance(part, str):
        return cast("Mapping[str, Any]", data).get(part) if isinstance(data, Mapping) else None
    if isinstance(data, list | tuple):
        items = cast("list[Any]", data)
        return items[part] if part < len(items) else None
    return None
