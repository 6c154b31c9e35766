"""The errors that the engine raises, and what to do about each.

    EngineError
    ├── UnknownWorkflow     no workflow of that name is loaded
    │   └── UnloadedWorkflow  its file is there, and has problems
    ├── UnknownRun          no run has that id or prefix
    ├── AmbiguousRun        several runs start with that prefix
    ├── InvalidInput        the inputs of a start do not fit the workflow
    ├── InvalidDefinition   a definition has problems, all listed
    ├── BrokenDefinition    a run's pinned definition is missing, or is not the text it was
    └── UnknownEvent        a stored event is of a type or version newer than this release

Each message is one sentence for a person, ending in what to do. Unavailable services raise the store's and the
streams' own errors, which derive from ``EngineError`` too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.core.problems import Problem


class EngineError(Exception):
    """Root of all: whoever catches it may show its text to a person."""


class Miswritten(EngineError):
    """What a person wrote cannot be meant; the text says how to write it."""


class UnknownWorkflow(EngineError, LookupError):
    def __init__(self, name: str, known: Sequence[str], nearest: str | None = None) -> None:
        self.name = name
        self.nearest = nearest
        if nearest:
            tail = f"did you mean {nearest}?"
        elif known:
            tail = f"there are: {', '.join(sorted(known))}."
        else:
            tail = "no workflow is loaded; put a definition into the workflows folder."
        super().__init__(f"There is no workflow named {name}; {tail}")


class UnloadedWorkflow(UnknownWorkflow):
    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__(name, [])
        self.problems = tuple(problems)
        more = f" (there are {len(problems)} problems; vb check lists them)" if len(problems) > 1 else ""
        self.args = (f"{name} cannot be started, as its file has a problem: {problems[0].beside}{more}.",)


class UnknownRun(EngineError, LookupError):
    def __init__(self, ref: str) -> None:
        self.ref = ref
        super().__init__(f"There is no run {_cut(ref)}; list the runs to find its id.")


class AmbiguousRun(EngineError, LookupError):
    def __init__(self, ref: str, runs: Sequence[str]) -> None:
        self.ref = ref
        self.runs = tuple(runs)
        super().__init__(f"Several runs start with {_cut(ref)}: {', '.join(runs[:3])}; give more of the id.")


class InvalidInput(EngineError, ValueError):
    """``problems`` maps an input's name to one sentence about it."""

    def __init__(self, workflow: str, problems: Mapping[str, str]) -> None:
        self.workflow = workflow
        self.problems = dict(problems)
        said = "; ".join(self.problems.values())
        super().__init__(f"{workflow} was not started: {said}" + ("" if said.endswith("?") else "."))


class InvalidDefinition(EngineError, ValueError):
    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{count}, and nothing was stored:", *self.problems]))


class BrokenDefinition(EngineError):
    def __init__(self, definition: str, what: str) -> None:
        self.definition = definition
        super().__init__(f"The definition {definition[:12]} {what} in the database; restore the table from a backup.")


class UnknownEvent(EngineError):
    def __init__(self, type_: str, version: int) -> None:
        self.type = type_
        self.version = version
        super().__init__(f"This release does not know {type_} version {version}; a newer worker has to take this run.")


def _cut(ref: str) -> str:
    """What was given for a run's id, as long as an id may be; quotes where there is nothing to see."""
    return f"{ref[:30]}…" if len(ref) > 30 else ref or '""'
