"""What happened at a gate, asking by asking, out of a run's events.

The one rule: nothing is left out. Whatever an event says of the gate is in the asking that it belongs to, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from engine.core import events as e
from engine.core import paths
from engine.core.evidence import digest
from engine.core.state import Recorded


@dataclass(frozen=True, slots=True)
class Version:
    """What people decided on from ``seq`` on. ``holds``: the digest on record is that of what was shown."""

    seq: int
    at: int
    fields: Mapping[str, JsonValue]
    inputs: e.Inputs
    evidence: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Asking:
    """One asking: its request, what happened at it, and the event that ended it (None: it waits).

    ``path`` is where the gate was last, ``first`` where it was when it asked.
    """

    path: str
    first: str
    seq: int
    at: int
    request: e.ApprovalRequested
    facts: tuple[Recorded, ...] = ()
    ended: Recorded | None = None
    versions: tuple[Version, ...] = field(default=())

    def version_of(self, evidence: str) -> Version | None:
        """The version that a decision with this digest was about."""
        return next((one for one in self.versions[::-1] if one.evidence == evidence), None)


def askings(log: Iterable[Recorded], gate: str) -> list[Asking]:
    """Every asking of the gate at the path ``gate``; or of that id, or place in the definition, wherever it has asked.

    A gate inside of a loop asks in each item and pass.
    """
    closed: list[Asking] = []
    open_: dict[str, Asking] = {}
    for one in log:
        if isinstance(one.event, e.RunMoved):
            open_ = dict(_renamed(open_, one.event.renamed))
        elif isinstance(one.event, e.ApprovalRequested):
            open_[one.event.step] = _asked(one, one.event)
        else:
            for path in [path for path in open_ if _is_about(one.event, path)]:
                asking = _with(open_[path], one)
                if _ends(one.event):
                    closed.append(replace(asking, ended=one))
                    del open_[path]
                else:
                    open_[path] = asking
    found = [*closed, *open_.values()]
    wanted = (one for one in found if gate in {*_names(one.path), *_names(one.first)})
    return sorted(wanted, key=lambda asking: asking.seq)


def _asked(one: Recorded, event: e.ApprovalRequested) -> Asking:
    asking = Asking(event.step, event.step, one.seq, one.at, event)
    return replace(asking, versions=(_version(one, event, event.fields, event.inputs, event.evidence),))


def _version(
    one: Recorded, request: e.ApprovalRequested, fields: Mapping[str, JsonValue], inputs: e.Inputs, evidence: str
) -> Version:
    told = digest(request.title, request.show, fields, inputs)
    return Version(one.seq, one.at, fields, inputs, evidence, told == evidence or not evidence)


def _with(asking: Asking, one: Recorded) -> Asking:
    facts = (*asking.facts, one)
    if not isinstance(one.event, e.ApprovalEdited):
        return replace(asking, facts=facts)
    event = one.event
    version = _version(one, asking.request, event.fields, event.inputs, event.evidence)
    return replace(asking, facts=facts, versions=(*asking.versions, version))


def _is_about(event: e.Event, path: str) -> bool:
    if isinstance(event, e.StepsReset):
        top = path.partition("/")[0].partition("[")[0].partition("#")[0]
        return top in event.steps
    if isinstance(event, e.ApprovalEvent | e.StepSkipped | e.StepOutputSet | e.StepFailed):
        return event.step == path
    return isinstance(event, e.RunCancelRequested | e.RunTimedOut | e.RunFailed | e.RunCancelled)


def _ends(event: e.Event) -> bool:
    if isinstance(event, e.ApprovalExpired):
        return event.policy != "wait"
    going_on = (
        e.ApprovalPresented
        | e.ApprovalReminded
        | e.ApprovalEscalated
        | e.ApprovalVoted
        | e.ApprovalStageOpened
        | e.ApprovalEdited
        | e.ApprovalDelegated
        | e.ApprovalSnoozed
    )
    return not isinstance(event, going_on)


def _names(path: str) -> tuple[str, str, str]:
    return path, paths.template_of(path), path.rpartition("/")[2]


def _renamed(open_: Mapping[str, Asking], names: Mapping[str, str]) -> Iterator[tuple[str, Asking]]:
    for path, asking in open_.items():
        new = names.get(path, path)
        yield new, replace(asking, path=new)
