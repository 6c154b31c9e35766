"""What each expression can see: inputs, steps that surely have ended, and the names that exist in some places only.

The one rule: only what is certain is refused. Whether a step has an output in a run is for the run to tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.core.checks.reach import Reach
from engine.core.draft import Draft, DraftGroup, DraftStep, GroupKind, Sight, Spot
from engine.core.expressions import ExpressionError, References
from engine.core.keys import SECRETS
from engine.core.problems import Finding, Path
from engine.core.program import LOCAL_ROOTS
from engine.core.scanner import spell
from engine.core.words import did_you_mean, listed

_OF_LOOP = {
    "item": GroupKind.EACH,
    "index": GroupKind.EACH,
    "iteration": GroupKind.REPEAT,
    "previous": GroupKind.REPEAT,
}
_ONLY_GIVEN = "a secret is given to a step's code alone: write it in the with of a step"
_ONLY_INPUT = "labels and the key of concurrency are known before any step runs, and see the input alone"


class Scopes:
    """The scopes of a draft; asked about one expression at a time."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._reach = [Reach(group) for group in draft.groups]
        self._places = {id(group): at for at, group in enumerate(draft.groups)}
        self._inside = {group.holder.path: group for group in draft.groups if group.holder is not None}

    def inside(self, step: DraftStep) -> DraftGroup | None:
        """The group that the loop ``step`` runs, if it runs one."""
        return self._inside.get(step.path)

    def is_before(self, group: DraftGroup, step: DraftStep, other: str) -> bool:
        """Whether the step ``other`` of ``group`` has surely ended when its neighbour ``step`` starts."""
        return self._reach[self._places[id(group)]].comes_before(step, other)

    def find(self, name: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> DraftGroup | None:
        """The group of the step that ``steps.<name>`` is at this spot, also where it may not have ended yet."""
        inside = self.inside(step) if spot.sight is Sight.PASS and step is not None else None
        if inside is not None and name in inside.places:
            return inside
        return next((at for at in (group, *group.around()) if name in at.places), None)

    def check(self, spot: Spot, references: References, group: DraftGroup, step: DraftStep | None) -> Iterator[Finding]:
        """What an expression at ``spot`` refers to and cannot have there."""
        for root, name in sorted(references):
            if root == SECRETS:
                if not _is_argument(spot, step):
                    yield Finding(spot.path, f"secrets.{name} cannot be used here", _ONLY_GIVEN)
            elif spot.sight is Sight.START and root != "input":
                yield Finding(spot.path, f"there is no {spell((root, name) if name else (root,))} yet", _ONLY_INPUT)
            elif root == "input" and name and name not in self.draft.inputs:
                advice = did_you_mean(name, sorted(self.draft.inputs)) or "declare it under input"
                yield Finding(spot.path, f"there is no input {name}", advice)
            elif root == "steps":
                yield from self._step(name, spot, group, step)
            elif root in LOCAL_ROOTS and not self.has_root(root, spot, group, step):
                advice = "write such a loop around it" if root in _OF_LOOP else ""
                yield Finding(spot.path, f"there is no {root} here; it exists {LOCAL_ROOTS[root]}", advice)

    def has_root(self, root: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> bool:
        """Whether one of the names that exist in some places only means anything at this spot."""
        kinds = {at.kind for at in (group, *group.around())} if step is not None else set[GroupKind]()
        if root == "history":
            return any(at.holder is not None and "agent" in at.holder.data for at in (group, *group.around()))
        if root == "failure":
            return spot.sight is Sight.UNDO or GroupKind.ON_FAILURE in kinds
        if spot.sight is Sight.PASS:
            kinds.add(GroupKind.REPEAT)
        if spot.sight is Sight.ITEM:
            kinds.add(GroupKind.EACH)
        return _OF_LOOP[root] in kinds

    def _step(self, name: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> Iterator[Finding]:
        home = self.find(name, spot, group, step)
        if home is None:
            yield Finding(spot.path, *self._no_such_step(name, spot, group, step))
        elif step is None or (home.holder is not None and home.holder.path == step.path):
            return
        elif home is group:
            yield from self._neighbour(name, spot, group, step)
        else:
            yield from self._outside(name, spot, home, group)

    def _neighbour(self, name: str, spot: Spot, group: DraftGroup, step: DraftStep) -> Iterator[Finding]:
        if name == step.id:
            if spot.sight is Sight.PASS:
                yield Finding(spot.path, f"{name} has no output before its last pass", "use the steps inside of it")
            elif spot.sight not in (Sight.UNDO, Sight.CHECK):
                yield Finding(spot.path, f"step {name} cannot use its own output")
        elif not self.is_before(group, step, name):
            yield Finding(spot.path, f"step {name} may not have ended when this runs", f"add {name} to needs")

    def _outside(self, name: str, spot: Spot, home: DraftGroup, group: DraftGroup) -> Iterator[Finding]:
        """The step is in a group around: has it ended when the loop in which we are starts?"""
        inner = group
        for outer in group.around():
            if outer is home:
                break
            inner = outer
        loop = inner.holder
        if loop is None:
            return
        if loop.id == name:
            yield Finding(spot.path, f"{name} is the loop that this is inside of; it has no output yet")
        elif not self.is_before(home, loop, name):
            message = f"step {name} may not have ended when {loop.name} runs"
            yield Finding(spot.path, message, f"add {name} to the needs of {loop.name}")

    def _no_such_step(self, name: str, spot: Spot, group: DraftGroup, step: DraftStep | None) -> tuple[str, str]:
        for other in self.draft.groups:
            if name in other.places and other.holder is not None:
                loop = other.holder
                below = f"output.outputs{spell(('', name))}" if other.kind is GroupKind.REPEAT else "output"
                return f"{name} is inside of {loop.name}", f"from outside use {spell(('steps', loop.name))}.{below}"
            if name in other.places and other.kind is GroupKind.ON_FAILURE:
                return f"{name} runs after a failure only", ""
        groups = [group, *group.around()]
        inside = self.inside(step) if spot.sight is Sight.PASS and step is not None else None
        known = [id_ for at in ([inside] if inside else []) + groups for id_ in at.places]
        return f"there is no step {name}", _meant(name, known)


def _is_argument(spot: Spot, step: DraftStep | None) -> bool:
    """Whether the spot is in what a step's code is given, or that of its compensation."""
    within = () if step is None else spot.path[len(step.path) :]
    return within[:1] == ("with",) or within[:2] == ("undo", "with")


def not_compiled(path: Path, error: ExpressionError, draft: Draft) -> Finding:
    """``steps.check-site`` reads as a subtraction in CEL; that slip gets its own advice."""
    for step in draft.steps:
        if step.id is not None and "-" in step.id and f"steps.{step.id}" in error.expression:
            return Finding(path, f"{step.id} has a - in it", f'write steps["{step.id}"] in expressions')
    return Finding(path, str(error))


def _meant(name: str, known: Sequence[str]) -> str:
    for id_ in known:
        if id_.startswith(f"{name}-"):
            return f'write steps["{id_}"], since - is a minus sign in expressions'
    return did_you_mean(name, known) if known else f"there is: {listed(known)}"
