"""A run's events as lines: every type of event has one, with what matters in it, and nothing can steer the terminal."""

from __future__ import annotations

from datetime import UTC
from typing import get_args

import pytest

from bot.text.plain import clean, one_line
from bot.text.timeline import Timeline
from engine.core import events as e
from engine.core.definition import Workflow
from engine.core.failures import Failure, FailureClass
from engine.core.graph import Plan
from engine.core.state import Recorded

STANDING = e.Standing(account="workspace/day/2026-11-28", spent=850_000, reserved=100_000, limit=1_000_000)
PLAN = Plan.of(
    Workflow.model_validate(
        {
            "name": "release",
            "steps": [
                {"id": "deploy", "uses": "set", "retry": {"attempts": 5}},
                {"id": "publish", "approval": {"title": "Publish?", "approvers": ["@all"]}},
                {"id": "each", "uses": "set", "for_each": {"items": [1, 2], "max_items": 5}},
            ],
        }
    )
)
ANA = e.Actor(via="slack", id="U1", name="Ana")
BEN = e.Actor(via="slack", id="U2", name="Ben")
NOON = 1_795_348_800_000  # 2026-11-22T12:00:00Z

GATE: dict[str, object] = {
    "show": {},
    "approvers": ("@all",),
    "allow_self": True,
    "on_expiry": "deny",
    "remind_every": None,
}

HISTORY: list[tuple[int, e.Event, str]] = [
    (
        0,
        e.RunStarted(workspace="ws", workflow="release", definition="d", input={"version": "v1", "n": [1, 2]}, by=ANA),
        'RUN_STARTED release by="Ana (slack)" version=v1 n="[1, 2]"',
    ),
    (
        1,
        e.StepStarted(step="deploy", attempt=1, worker="wrk_1", lease_until=0, lease_cap=0),
        "STEP_STARTED deploy attempt=1/5 worker=wrk_1",
    ),
    (2, e.StepLogged(step="deploy", attempt=1, text="half\nway"), 'STEP_LOGGED deploy text="half way"'),
    (2, e.StepReported(step="deploy", attempt=1, text="row 3 of 9"), 'STEP_REPORTED deploy text="row 3 of 9"'),
    (
        2,
        e.KeyUsed(
            step="deploy", attempt=1, provider="openai", name="default", key="pk_1", last_four="WXYZ", fingerprint="f"
        ),
        "KEY_USED deploy attempt=1/5 key=openai/default ends_in=WXYZ",
    ),
    (3, e.EffectStarted(step="deploy", effect="push", key="k"), "EFFECT_STARTED deploy effect=push key=k"),
    (4, e.EffectRecorded(step="deploy", effect="push"), "EFFECT_RECORDED deploy effect=push"),
    (
        5,
        e.StepFailed(step="deploy", attempt=1, failure=Failure(cls=FailureClass.TRANSIENT, message="refused")),
        "STEP_FAILED deploy attempt=1/5 class=transient reason=refused",
    ),
    (5, e.StepRetried(step="deploy", attempt=2, of=5, at=NOON + 30_005), "STEP_RETRIED deploy attempt=2/5 in=30s"),
    (6, e.StepHandedBack(step="deploy", attempt=2, worker="w"), "STEP_HANDED_BACK deploy attempt=2/5 worker=w"),
    (
        7,
        e.StepPostponed(step="deploy", attempt=2, until=NOON + 12_007, words="openai's limit"),
        'STEP_POSTPONED deploy attempt=2/5 in=12s for="openai\'s limit"',
    ),
    (
        7,
        e.StepHeld(step="deploy", attempt=2, cause="switch", keys=("workspace",), words="Ana stopped all", epoch=1),
        'STEP_HELD deploy attempt=2/5 by=workspace reason="Ana stopped all"',
    ),
    (7, e.StepReleased(step="deploy"), "STEP_RELEASED deploy"),
    (7, e.StepAwaitedWorker(step="deploy", uses="set@1"), "STEP_AWAITED_WORKER deploy uses=set@1"),
    (
        8,
        e.LateResultRefused(step="deploy", attempt=1, worker="w", outcome="completed"),
        "LATE_RESULT_REFUSED deploy attempt=1/5 outcome=completed worker=w",
    ),
    (1_235, e.StepCompleted(step="deploy", attempt=2), "STEP_COMPLETED deploy attempt=2/5 took=1.23s"),
    (9, e.StepSkipped(step="deploy", reason="if is false"), 'STEP_SKIPPED deploy reason="if is false"'),
    (
        2_000,
        e.ApprovalRequested.model_validate(
            {"step": "publish", "title": "Publish?", "expires_at": NOON + 3_602_000, "escalate": (), **GATE}
        ),
        "APPROVAL_REQUESTED publish title=Publish? asks=@all expires_in=1h then=deny",
    ),
    (
        2_001,
        e.ApprovalPresented(step="publish", where="C1/2", digest="0" * 64),
        "APPROVAL_PRESENTED publish where=C1/2 digest=000000000000",
    ),
    (
        2_002,
        e.ApprovalPresented(
            step="publish", where="C1/2", digest="0" * 64, also=(e.Copy(where="D1/3", digest="1" * 64),)
        ),
        "APPROVAL_PRESENTED publish where=C1/2 digest=000000000000 also=1",
    ),
    (62_000, e.ApprovalReminded(step="publish", count=1), "APPROVAL_REMINDED publish count=1 waited=1m"),
    (
        62_000,
        e.ApprovalEscalated(step="publish", rung=1, to="@oncall"),
        "APPROVAL_ESCALATED publish to=@oncall rung=1 waited=1m",
    ),
    (
        62_000,
        e.ApprovalGranted(step="publish", by=ANA, authority="in @all"),
        'APPROVAL_GRANTED publish by="Ana (slack)" as="in @all" waited=1m',
    ),
    (
        62_000,
        e.ApprovalDenied(step="publish", by=ANA, reason="no"),
        'APPROVAL_DENIED publish by="Ana (slack)" waited=1m reason=no',
    ),
    (
        62_000,
        e.ApprovalVoted(step="publish", stage=0, by=ANA, authority="in @all", evidence="e", on_behalf_of=BEN),
        'APPROVAL_VOTED publish by="Ana (slack)" for="Ben (slack)" as="in @all" waited=1m',
    ),
    (
        62_000,
        e.ApprovalStageOpened(step="publish", stage=1, name="security", approvers=("@sec", "#sec")),
        "APPROVAL_STAGE_OPENED publish stage=security asks=@sec,#sec",
    ),
    (
        62_000,
        e.ApprovalEdited(step="publish", by=ANA, old={"n": 1}, new={"n": 2}, fields={"n": 2, "m": 3}, evidence="e"),
        'APPROVAL_EDITED publish by="Ana (slack)" n=2',
    ),
    (
        62_000,
        e.ApprovalChangesRequested(step="publish", by=ANA, comment="say why", to="notes", evidence="e"),
        'APPROVAL_CHANGES_REQUESTED publish by="Ana (slack)" back_to=notes comment="say why"',
    ),
    (
        62_000,
        e.ApprovalDelegated(step="publish", by=ANA, to=BEN, reason="away"),
        'APPROVAL_DELEGATED publish by="Ana (slack)" to="Ben (slack)" reason=away',
    ),
    (
        62_000,
        e.ApprovalSnoozed(step="publish", by=ANA, until=NOON + 122_000),
        'APPROVAL_SNOOZED publish by="Ana (slack)" for=1m',
    ),
    (62_000, e.ApprovalExpired(step="publish", policy="fail"), "APPROVAL_EXPIRED publish then=fail waited=1m"),
    (70_000, e.RunCancelRequested(by=ANA, reason="stop"), 'RUN_CANCEL_REQUESTED by="Ana (slack)" reason=stop'),
    (70_000, e.RunCancelled(by=ANA), 'RUN_CANCELLED by="Ana (slack)" took=1m10s'),
    (
        70_000,
        e.RunFailed(step="publish", kind="denied", reason="no"),
        "RUN_FAILED publish kind=denied took=1m10s reason=no",
    ),
    (70_000, e.RunCompleted(), "RUN_COMPLETED took=1m10s"),
    (70_000, e.RunAdmitted(key="prod"), "RUN_ADMITTED key=prod after=1m10s"),
    (70_000, e.RunPaused(by=ANA, reason="lunch"), 'RUN_PAUSED by="Ana (slack)" reason=lunch'),
    (70_000, e.RunResumed(by=ANA), 'RUN_RESUMED by="Ana (slack)"'),
    (70_000, e.RunTimedOut(), "RUN_TIMED_OUT took=1m10s"),
    (70_000, e.RunUndoing(steps=("b", "a")), "RUN_UNDOING steps=b,a"),
    (70_000, e.RunFailureHandling(), "RUN_FAILURE_HANDLING"),
    (70_000, e.RunReopened(by=ANA, reason="again"), 'RUN_REOPENED by="Ana (slack)" reason=again'),
    (
        70_000,
        e.RunMoved(definition="f" * 64, renamed={"a": "b"}, codes={"x@1": "x@2"}, by=ANA),
        'RUN_MOVED to=ffffffffffff by="Ana (slack)" a=→b x@1=→x@2',
    ),
    (
        70_000,
        e.RunLabelled(labels={"team": "web", "old": None}, by=ANA),
        'RUN_LABELLED by="Ana (slack)" team=web old="(taken away)"',
    ),
    (70_000, e.StepMissing(step="deploy", uses="x@2"), "STEP_MISSING deploy uses=x@2"),
    (
        70_000,
        e.StepProgressed(step="deploy", attempt=2, cursor={"page": 3}),
        r'STEP_PROGRESSED deploy attempt=2/5 cursor="{\"page\": 3}"',
    ),
    (
        70_000,
        e.CostRecorded(step="deploy", effect="ask", cost=120_000, reserved=500_000, model="gpt-x", usage={"tokens": 9}),
        "COST_RECORDED deploy effect=ask cost=$0.12 reserved=$0.50 model=gpt-x tokens=9",
    ),
    (
        70_000,
        e.EffectUnsent(step="deploy", effect="ask", reserved=5),
        "EFFECT_UNSENT deploy effect=ask released=$0.000005",
    ),
    (
        70_000,
        e.BudgetAlerted(step="deploy", effect="ask", budget=STANDING.model_copy(update={"passes": (50, 80)})),
        "BUDGET_ALERTED deploy budget=workspace/day/2026-11-28 passed=50%,80% spent=$0.85 reserved=$0.10 limit=$1.00",
    ),
    (
        70_000,
        e.BudgetExceeded(step="deploy", effect="ask", amount=500_000, accounts=(STANDING,)),
        "BUDGET_EXCEEDED deploy effect=ask needs=$0.50 budgets=workspace/day/2026-11-28",
    ),
    (
        70_000,
        e.StepDeadLettered(step="deploy", attempts=5, summary="Tried 5 times."),
        'STEP_DEAD_LETTERED deploy attempts=5 summary="Tried 5 times."',
    ),
    (
        70_000,
        e.StepUncertain(step="deploy", attempt=2, effects=("push",)),
        "STEP_UNCERTAIN deploy attempt=2 effects=push",
    ),
    (
        70_000,
        e.StepCorrecting(step="deploy", number=1, of=2, attempt="a" * 64),
        "STEP_CORRECTING deploy number=1 of=2",
    ),
    (
        70_000,
        e.StepCorrected(
            step="deploy", number=1, of=2, changes={"prompt": "Less."}, changed=("prompt",), seen="long", why="less"
        ),
        "STEP_CORRECTED deploy number=1 changed=prompt seen=long why=less",
    ),
    (
        70_000,
        e.StepGivenUp(step="deploy", summary="Corrected once."),
        'STEP_GIVEN_UP deploy summary="Corrected once."',
    ),
    (
        70_000,
        e.StepSettled(step="deploy", answer="happened", by=ANA, reason="seen"),
        'STEP_SETTLED deploy answer=happened by="Ana (slack)" reason=seen',
    ),
    (70_000, e.StepRedriven(step="deploy", by=ANA), 'STEP_REDRIVEN deploy by="Ana (slack)"'),
    (70_000, e.StepsReset(steps=("deploy", "each"), by=ANA), 'STEPS_RESET deploy,each by="Ana (slack)"'),
    (70_000, e.StepReused(step="deploy", status="completed"), "STEP_REUSED deploy status=completed"),
    (70_000, e.StepOutputSet(step="deploy", output=1, by=ANA), 'STEP_OUTPUT_SET deploy by="Ana (slack)"'),
    (70_000, e.ForEachStarted(step="each", count=2, items=[1, 2]), "FOR_EACH_STARTED each count=2"),
    (70_000, e.StepCompleted(step="each[1]", attempt=1), "STEP_COMPLETED each[1] attempt=1/1"),
    (70_000, e.IterationStarted(step="poll", iteration=2), "ITERATION_STARTED poll iteration=2"),
    (70_000, e.TimerSet(step="nap", at=NOON + 130_000), "TIMER_SET nap in=1m"),
    (70_000, e.TimerFired(step="nap"), "TIMER_FIRED nap"),
    (
        70_000,
        e.SignalAwaited(step="paid", signal="paid", correlation="42", expires_at=NOON + 130_000),
        "SIGNAL_AWAITED paid signal=paid correlation=42 expires_in=1m",
    ),
    (
        70_000,
        e.SignalReceived(id="s1", signal="paid", correlation="42", by=ANA),
        'SIGNAL_RECEIVED signal=paid correlation=42 by="Ana (slack)" id=s1',
    ),
    (70_000, e.SignalMatched(step="paid", seq=9), "SIGNAL_MATCHED paid seq=9"),
    (
        70_000,
        e.ChildStarted(step="ship", attempt=1, run="run_1", workflow="ship", definition="d", input={}),
        "CHILD_STARTED ship workflow=ship run=run_1",
    ),
]


def test_every_event_has_its_line() -> None:
    events = [Recorded(seq, NOON + after, event) for seq, (after, event, _) in enumerate(HISTORY, 1)]
    lines = [line.text(UTC).plain.split(" ", 1)[1] for line in Timeline(PLAN).lines(events)]
    assert lines == [line for _, _, line in HISTORY]
    assert {type(event) for _, event, _ in HISTORY} == set(get_args(e.Event))


def test_a_line_begins_with_the_time_and_on_demand_with_the_day() -> None:
    [line] = Timeline(PLAN).lines([Recorded(1, NOON + 402, e.RunCompleted())])
    assert line.text(UTC).plain.startswith("12:00:00.402 RUN_COMPLETED")
    assert line.text(UTC, with_date=True).plain.startswith("2026-11-22T12:00:00.402Z RUN_COMPLETED")


@pytest.mark.parametrize("steering", ["\x1b[2J", "\x07", "\u202e", "\x9b31m", "\r"], ids=ascii)
def test_no_data_steers_the_terminal(steering: str) -> None:
    event = e.StepLogged(step="deploy", attempt=1, text=f"a{steering}b")
    [line] = Timeline(PLAN).lines([Recorded(1, NOON, event)])
    assert steering not in line.text(UTC).plain
    assert steering not in clean(f"a{steering}b")


def test_long_data_is_cut() -> None:
    assert one_line("x" * 400) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "word=x"),
        ("two words", 'word="two words"'),
        ('x" by="Ana (slack)', r'word="x\" by=\"Ana (slack)"'),
        ("x=1", "word=x=1"),
        ('say "hi"', r'word="say \"hi\""'),
    ],
)
def test_no_value_can_pass_for_another_one(given: str, told: str) -> None:
    started = e.RunStarted(workspace="ws", workflow="release", definition="d", input={"word": given}, by=ANA)
    [line] = Timeline(PLAN).lines([Recorded(1, NOON, started)])
    assert line.detail == f'by="Ana (slack)" {told}'
