"""What stands in for a step's code in a rehearsal.

The one rule: a stub is found by the step's path first, then by its id, then by its code's name; one that is not there
is an error that says what to add, never a step that does nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import JsonValue

from engine.core import paths
from engine.core.durations import format_duration, parse_duration
from engine.core.graph import PlannedStep
from engine.steps.context import effect_key
from engine.steps.jsonvalue import to_json_value
from engine.testing.script import RehearsalError

_WHOLE_STEP = "-"


@dataclass(frozen=True, slots=True)
class Called:
    """One call of a step's code: ``at`` is the virtual time since the start of the rehearsal in ms."""

    run: str
    workflow: str
    step: str
    uses: str
    args: Mapping[str, JsonValue]
    attempt: int
    generation: int
    at: int

    @property
    def idempotency_key(self) -> str:
        """What the step would hand to systems outside, the same for every attempt."""
        return effect_key(self.run, self.step, _WHOLE_STEP, self.generation)

    def __str__(self) -> str:
        return f"{self.workflow}, step {self.step}, attempt {self.attempt}, {format_duration(self.at)} after the start"


@dataclass(frozen=True, slots=True)
class Gives:
    """The output itself, also if it is a list."""

    output: JsonValue


@dataclass(frozen=True, slots=True)
class Takes:
    """``after`` ms of virtual time, then ``then``."""

    after: int
    then: Stub


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker dies inside of the step: it never reports."""


Stub = Any
"""An output; an exception to raise; a function of (arguments, ``Called``) that returns or raises; ``gives``, ``takes``
or ``lost``; or a list of these, one for each call."""


def gives(output: JsonValue) -> Gives:
    """The output itself; needed for an output that is a list, since a list of answers has one for each call."""
    return Gives(output)


def takes(duration: str, then: Stub = None) -> Takes:
    """The step takes that long, such as ``90s``; then comes ``then``. Longer than its timeout, and it times out."""
    return Takes(parse_duration(duration), then)


def lost() -> Lost:
    """The worker dies inside of the step, once the step has begun: whether its effect happened nobody knows."""
    return Lost()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to: an output or an error, ``after`` ms; or ``lost``."""

    after: int = 0
    output: JsonValue = None
    error: Exception | None = None
    lost: bool = False


class Stubs:
    """The stubs of one run of a rehearsal; a list of answers is used up from its beginning in each."""

    def __init__(self, given: Mapping[str, Stub]) -> None:
        self._given = given
        self._used: dict[str, int] = {}

    def find(self, called: Called, node: PlannedStep) -> str | None:
        """The name of the stub for this call, if there is one."""
        return next((name for name in names_of(called, node) if name in self._given), None)

    def answer(self, name: str, called: Called) -> Outcome:
        """What the stub of that name says to this call. Raises ``RehearsalError`` if its answers are used up."""
        stub = self._given[name]
        if isinstance(stub, list):
            answers = cast("list[Stub]", stub)
            number = self._used[name] = self._used.get(name, 0) + 1
            if number > len(answers):
                raise RehearsalError(
                    f"the stub {name!r} has {len(answers)} answers, and is called once more by {called}; "
                    f"add an answer, or write gives([…]) if the list is the output"
                )
            stub = answers[number - 1]
        return _outcome(stub, name, called, 0)


def names_of(called: Called, node: PlannedStep) -> list[str]:
    """Where a stub for this call may be found, the most special name first."""
    template = paths.template_of(called.step)
    places = [called.step, template]
    if paths.undone_by(called.step) is None:
        places.append(node.id)
    names = [f"{called.workflow}:{place}" for place in places] + places
    return list(dict.fromkeys([*names, called.uses, called.uses.partition("@")[0]]))


def missing(called: Called, node: PlannedStep) -> RehearsalError:
    """Nobody says what the step gives."""
    code, place = called.uses.partition("@")[0], node.id if paths.undone_by(called.step) is None else called.step
    return RehearsalError(
        f"{called.workflow} calls {code} at the step {called.step}, and no stub says what it gives; "
        f'add stubs={{"{code}": …}}, or "{place}" for this step alone'
    )


def _outcome(stub: object, name: str, called: Called, after: int) -> Outcome:
    if isinstance(stub, Takes):
        return _outcome(stub.then, name, called, after + stub.after)
    if isinstance(stub, Lost):
        return Outcome(after, lost=True)
    if isinstance(stub, Exception):
        return Outcome(after, error=stub)
    if inspect.isclass(stub) and issubclass(stub, Exception):
        return Outcome(after, error=stub())
    if callable(stub):
        return _called(cast("Callable[[Mapping[str, JsonValue], Called], Stub]", stub), name, called, after)
    output = stub.output if isinstance(stub, Gives) else stub
    try:
        return Outcome(after, output=to_json_value(output))
    except ValueError as error:
        raise RehearsalError(f"what the stub {name!r} gives {error}") from None


def _called(
    function: Callable[[Mapping[str, JsonValue], Called], Stub], name: str, called: Called, after: int
) -> Outcome:
    try:
        answer = function(called.args, called)
    except RehearsalError:
        raise
    except Exception as error:  # noqa: BLE001 - what a stub raises is what its step raises
        return Outcome(after, error=error)
    if isinstance(answer, list):
        answer = Gives(cast("list[JsonValue]", answer))
    return _outcome(answer, name, called, after)
