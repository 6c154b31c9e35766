"""Deployments, pauses and freezes as decisions over the workspace's own facts."""

from __future__ import annotations

import pytest

from engine.core import freezes as fz
from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.errors import UnknownEvent
from engine.core.events import Actor

ANA = Actor(via="cli", id="ana", name="Ana")
MAY = frozenset({ws.DEPLOY})
ALL = MAY | {ws.DEPLOY_GATES}
NOON = 1_893_499_200_000  # 2030-01-01T12:00Z


class Facts:
    """A workspace whose decisions are taken at once."""

    def __init__(self) -> None:
        self.state = ws.EMPTY
        self.now = NOON

    def do(self, command: ws.Command) -> ws.Verdict:
        verdict = ws.decide(self.state, command, self.now)
        if isinstance(verdict, tuple):
            for event in verdict:
                stored = w.decode(event.type, event.version, w.encode(event))
                self.state = ws.evolve(self.state, self.state.seq + 1, self.now, stored)
        return verdict

    def deploy(
        self, definition: str, previous: str | None = None, *, gates: tuple[str, ...] = (),
        may: frozenset[str] = MAY, source: str = "cli", if_new: bool = False,
    ) -> ws.Verdict:  # fmt: skip
        change = ws.Change("release", definition, previous, ("words",), gates)
        return self.do(ws.Deploy((change,), ANA, "because", source, may, if_new))

    def refusal(self, verdict: ws.Verdict) -> str:
        assert isinstance(verdict, ws.Refused)
        return verdict.reason


@pytest.fixture
def facts() -> Facts:
    return Facts()


def test_a_deployment_says_who_why_and_what(facts: Facts) -> None:
    verdict = facts.deploy("a" * 64)
    assert verdict == (
        w.WorkflowDeployed(
            workflow="release", definition="a" * 64, by=ANA, reason="because", source="cli", changes=("words",)
        ),
    )
    assert facts.deploy("a" * 64) == ()
    current = facts.state.current("release")
    assert current is not None
    assert current.definition == "a" * 64


def test_a_deployment_takes_its_permission(facts: Facts) -> None:
    assert "Ana may not deploy" in facts.refusal(facts.deploy("a", may=frozenset({ws.DEPLOY_GATES})))


def test_a_gate_takes_a_permission_of_its_own(facts: Facts) -> None:
    facts.deploy("a")
    words = facts.refusal(facts.deploy("b", "a", gates=("the gate ok is gone",)))
    assert words.endswith("which takes the permission deploy.gates: the gate ok is gone")
    assert isinstance(facts.deploy("b", "a", gates=("the gate ok is gone",), may=ALL), tuple)


def test_what_was_compared_with_another_definition_is_not_taken(facts: Facts) -> None:
    facts.deploy("a")
    facts.deploy("b", "a")
    assert facts.deploy("c", "a") == ws.Stale("release")


def test_a_gate_does_not_go_with_a_name_that_was_retired(facts: Facts) -> None:
    facts.deploy("a")
    assert isinstance(facts.do(ws.Retire("release", ANA, "old", MAY)), tuple)
    assert facts.state.current("release") is None
    assert facts.do(ws.Retire("release", ANA, "old", MAY)) == ()
    assert facts.deploy("b") == ws.Stale("release")
    assert "deploy.gates" in facts.refusal(facts.deploy("b", "a", gates=("the gate ok is gone",)))
    assert isinstance(facts.deploy("a", "a"), tuple)
    assert facts.state.current("release") is not None


def test_a_source_does_not_overrule_what_was_deployed_by_hand_since(facts: Facts) -> None:
    facts.deploy("a", source="folder", if_new=True)
    facts.deploy("b", "a")
    assert facts.deploy("a", "b", source="folder", if_new=True) == ()
    assert isinstance(facts.deploy("c", "b", source="folder", if_new=True), tuple)


def test_a_freeze_says_who_until_when_and_why(facts: Facts) -> None:
    assert "needs a reason" in facts.refusal(facts.do(fz.StartFreeze((), None, ANA, " ")))
    assert "over already" in facts.refusal(facts.do(fz.StartFreeze((), NOON, ANA, "launch")))
    facts.do(fz.StartFreeze(("release",), NOON + 3_600_000, ANA, "the launch"))
    freeze = facts.state.freeze("release", NOON)
    assert freeze is not None
    assert fz.frozen(freeze, "release") == "release is frozen by Ana until 2030-01-01T13:00Z: the launch"
    assert facts.state.freeze("other", NOON) is None
    assert facts.state.freeze("release", NOON + 3_600_000) is None


def test_no_gate_changes_while_a_freeze_holds(facts: Facts) -> None:
    facts.deploy("a")
    facts.do(fz.StartFreeze((), None, ANA, "the launch"))
    assert isinstance(facts.deploy("b", "a", may=ALL), tuple)
    assert "is frozen by Ana until it is lifted: the launch; no gate changes" in facts.refusal(
        facts.deploy("c", "b", gates=("the gate ok is gone",), may=ALL)
    )


def test_freezes_are_lifted_one_by_one_or_all(facts: Facts) -> None:
    assert "nothing is frozen" in facts.refusal(facts.do(fz.LiftFreeze(7, ANA)))
    for _ in range(3):
        facts.do(fz.StartFreeze((), None, ANA, "the launch"))
    facts.do(fz.LiftFreeze(2, ANA))
    assert [freeze.id for freeze in facts.state.holding(NOON)] == [1, 3]
    facts.do(fz.LiftFreeze(None, ANA))
    assert list(facts.state.holding(NOON)) == []


def test_a_schedule_is_paused_once_and_resumed_once(facts: Facts) -> None:
    assert facts.do(ws.ResumeSchedule("release", 0, ANA)) == ()
    assert len(facts.do(ws.PauseSchedule("release", 0, ANA, "holidays"))) == 1  # type: ignore[arg-type]
    assert facts.do(ws.PauseSchedule("release", 0, ANA)) == ()
    assert facts.state.paused["release", 0].event.reason == "holidays"
    facts.do(ws.ResumeSchedule("release", 0, ANA))
    assert not facts.state.paused


def test_instants_are_noted_as_skipped_once(facts: Facts) -> None:
    skipped = w.ScheduleSkipped(workflow="release", schedule=0, first=1, last=5, count=3, reason="busy")
    assert facts.do(ws.Skip(skipped)) == (skipped,)
    assert facts.do(ws.Skip(skipped)) == ()


def test_events_that_nobody_knows_are_not_guessed_at() -> None:
    with pytest.raises(UnknownEvent):
        w.decode("WORKFLOW_DEPLOYED", 2, "{}")
    with pytest.raises(UnknownEvent):
        w.decode("WORKFLOW_DEPLOYED", 1, "{}")
