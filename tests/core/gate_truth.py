"""What must be true of every gate, told from the events alone: neither the fold nor the deciding is believed.

The one rule: an approval counts for what it was given for. Whatever voids it (an edit, a request for changes, a new
asking) begins the count again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.core import events as e
from engine.core.state import Recorded


@dataclass
class Asking:
    """One asking of a gate, as far as it has come."""

    request: e.ApprovalRequested
    evidence: str
    stage: int = 0
    voters: dict[int, list[tuple[str, str]]] = field(default_factory=dict[int, list[tuple[str, str]]])
    over: bool = False

    @property
    def stages(self) -> Sequence[e.AskedStage]:
        return self.request.stages or (e.AskedStage(approvers=self.request.approvers),)

    def void(self) -> None:
        self.stage, self.voters = 0, {}

    def count(self, event: e.ApprovalVoted | e.ApprovalGranted) -> None:
        seat = (event.on_behalf_of or event.by).id
        self.voters.setdefault(event.stage, []).append((event.by.id, seat))

    def is_fulfilled(self, stage: int, everyone: frozenset[str], delegated: dict[str, str]) -> bool:
        """Whether the stage has its quorum of different people, of whom none counts in a stage before as well."""
        given, quorum = self.voters.get(stage, []), self.stages[stage].quorum
        voters, seats = {by for by, _ in given}, {seat for _, seat in given}
        assert len(voters) == len(seats) == len(given), "somebody counts twice"
        if quorum == "all":
            done = voters | seats
            return everyone <= done | {by for by, to in delegated.items() if to in done}
        before = {one for at in range(stage) for pair in self.voters.get(at, []) for one in pair}
        assert before.isdisjoint(voters | seats), "somebody counts in two stages"
        return len(given) >= quorum


def gates_decide_as_they_may(log: Sequence[Recorded]) -> None:
    """Each gate is decided once, by its quorum, on what was before people then, and never by whoever began the run."""
    started = log[0].event
    assert isinstance(started, e.RunStarted)
    open_: dict[str, Asking] = {}
    delegated: dict[str, dict[str, str]] = {}
    for one in log:
        event = one.event
        if isinstance(event, e.ApprovalRequested):
            open_[event.step], delegated[event.step] = Asking(event, event.evidence), {}
        elif isinstance(event, e.ApprovalEvent) and not isinstance(event, e.ApprovalPresented):
            _follow(open_[event.step], event, started.by, delegated[event.step])


def _follow(asking: Asking, event: e.ApprovalEvent, starter: e.Actor, delegated: dict[str, str]) -> None:
    assert not asking.over, f"{event.type} after the gate was decided"
    match event:
        case e.ApprovalVoted() | e.ApprovalGranted() | e.ApprovalDenied():
            _may_count(asking, event, starter)
            if not isinstance(event, e.ApprovalDenied):
                asking.count(event)
                everyone = frozenset(event.everyone)
                decides = asking.is_fulfilled(event.stage, everyone, delegated)
                last = event.stage + 1 == len(asking.stages)
                assert isinstance(event, e.ApprovalGranted) == (decides and last), "granted exactly with its quorum"
            asking.over = not isinstance(event, e.ApprovalVoted)
        case e.ApprovalStageOpened():
            assert event.stage == asking.stage + 1, "stages come one after the other"
            asking.stage = event.stage
        case e.ApprovalEdited():
            assert event.by != starter or asking.request.allow_self
            asking.void()
            asking.evidence = event.evidence
        case e.ApprovalChangesRequested():
            asking.over = True
        case e.ApprovalDelegated():
            assert starter not in (event.by, event.to) or asking.request.allow_self
            delegated[event.by.id] = event.to.id
        case e.ApprovalExpired():
            asking.over = event.policy != "wait"
        case _:
            pass


def _may_count(asking: Asking, event: e.ApprovalVoted | e.ApprovalGranted | e.ApprovalDenied, starter: e.Actor) -> None:
    assert event.stage == asking.stage, "a vote in a stage that is not open"
    assert event.evidence == asking.evidence, "a vote on what is no longer asked"
    assert asking.request.allow_self or starter not in (event.by, event.on_behalf_of), "the starter decides"
    assert event.on_behalf_of is None or asking.request.delegation == "allowed"
