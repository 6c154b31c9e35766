"""What a fleet may leave behind: histories that are right, for tests that make them wrong in one place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.fleet.checker import check
from tests.fleet.evidence import Event, Evidence, Run
from tests.fleet.recorder import Payment
from tests.fleet.stories import Expected, Story, Votes

RUN = "run_1"
GIVEN = {"tag": "t", "n": 1}
STORY = Story(
    number=7,
    workflow={"name": "story-7", "steps": []},
    given=GIVEN,
    steps={
        "note": Expected(path="note", ends="completed", output={"value": "aa"}, failures=("transient",)),
        "pay": Expected(path="pay", ends="completed", output={"value": "bb"}, needs=("note",), effects=("pay0",)),
        "gate": Expected(
            path="gate",
            ends="completed",
            needs=("pay",),
            votes=Votes(verdict="granted", passes=True, starter_may=False),
        ),
        "rest": Expected(path="rest", ends="skipped", needs=("gate",)),
    },
)
FAILING = replace(STORY, steps={"note": replace(STORY.steps["note"], ends="failed", output=None)})


@dataclass
class Scene:
    """What a fleet left behind of one run, as events without numbers, so that they can be moved about."""

    events: list[tuple[str, dict[str, Any]]]
    story: Story = STORY
    status: str = "completed"
    ended_at: int | None = 1
    last_seq: int | None = None
    key: str = "fleet/7"
    open_work: tuple[int, str] | None = None
    payments: list[Payment] = field(default_factory=list[Payment])
    people: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    strays: list[str] = field(default_factory=list[str])
    shift: dict[int, int] = field(default_factory=dict[int, int])
    """How much later (ms) than one per ms the event at a place is."""

    def at(self, kind: str, nth: int = 0) -> int:
        """The place of the nth event of a kind; from the end if negative."""
        return [place for place, (each, _) in enumerate(self.events) if each == kind][nth]

    def insert(self, place: int, kind: str, **data: Any) -> None:
        self.events.insert(place, (kind, data))

    def findings(self) -> list[str]:
        events = [
            Event(place + 1, kind, 1_000 + place + self.shift.get(place, 0), data)
            for place, (kind, data) in enumerate(self.events)
        ]
        run = Run(
            id=RUN,
            key=self.key,
            status=self.status,
            ended_at=self.ended_at,
            last_seq=len(events) if self.last_seq is None else self.last_seq,
            events=events,
            open_work=self.open_work,
        )
        found = Evidence(runs=[run], payments=self.payments, people=self.people, strays=self.strays)
        return [str(each) for each in check(found, lambda _: self.story)]


def started(step: str, worker: str = "w1") -> tuple[str, dict[str, Any]]:
    return "STEP_STARTED", {"step": step, "worker": worker, "attempt": 1}


def failed(step: str, kind: str) -> tuple[str, dict[str, Any]]:
    return "STEP_FAILED", {"step": step, "failure": {"cls": kind, "message": ""}}


def payment(worker: str, began: int, receipt: int = 1) -> Payment:
    return Payment(receipt=receipt, key=f"{RUN}/pay/pay0/1", worker=worker, began=began, at=began)


def vote(**more: Any) -> dict[str, Any]:
    said = {"step": "gate", "by": "ana", "granted": True, "asked_seq": 14, "reply": "Accepted"}
    return {"fact": "voted", "run": RUN, **said, **more}


def right() -> Scene:
    """A run in which a step failed once, a worker was lost after its effect, and people decided."""
    return Scene(
        events=[
            ("RUN_STARTED", {"input": GIVEN}),
            started("note"),
            failed("note", "transient"),
            ("STEP_RETRIED", {"step": "note", "at": 1_004}),
            started("note"),
            ("STEP_COMPLETED", {"step": "note", "output": {"value": "aa", "by": "w1"}}),
            started("pay"),
            ("EFFECT_STARTED", {"step": "pay", "effect": "pay0", "key": f"{RUN}/pay/pay0/1"}),
            ("EFFECT_RECORDED", {"step": "pay", "effect": "pay0", "result": {"receipt": 1}}),
            failed("pay", "worker_lost"),
            ("STEP_RETRIED", {"step": "pay", "at": 1_010}),
            started("pay", "w2"),
            ("STEP_COMPLETED", {"step": "pay", "output": {"value": "bb", "by": "w2", "receipts": [{"receipt": 1}]}}),
            ("APPROVAL_REQUESTED", {"step": "gate"}),
            ("APPROVAL_GRANTED", {"step": "gate", "by": {"id": "ana"}}),
            ("STEP_SKIPPED", {"step": "rest"}),
            ("RUN_COMPLETED", {}),
            ("LATE_RESULT_REFUSED", {"step": "pay", "worker": "w1"}),
        ],
        payments=[payment("w1", 1_006)],
        people=[
            {"fact": "started", "number": 7, "runs": [RUN]},
            vote(by="starter", reply="NotAllowed"),
            vote(),
            vote(reply="AlreadyDecided"),
        ],
    )


LIVELY = Story(
    number=7,
    workflow={"name": "story-7", "steps": []},
    given=GIVEN,
    steps={
        "make": Expected(
            path="make",
            ends="completed",
            output={"value": "aa"},
            undo=Expected(path="make!undo", ends="completed", output={"value": "xx"}),
        ),
        "more": Expected(
            path="more",
            ends="completed",
            output={"value": "bb"},
            needs=("make",),
            undo=Expected(path="more!undo", ends="completed", output={"value": "yy"}),
        ),
        "nap": Expected(path="nap", ends="completed", kind="sleep"),
        "word": Expected(path="word", ends="completed", kind="signal", output={"value": "go"}),
        "each": Expected(path="each", ends="completed", kind="loop", output=[1], parallel=1),
        "each[0]": Expected(path="each[0]", ends="completed", output={"value": "cc"}),
        "each[1]": Expected(path="each[1]", ends="completed", output={"value": "dd"}),
        "once": Expected(path="once", ends="completed", output={"value": "ee"}, effects=("pay0",), once=True),
        "last": Expected(path="last", ends="failed", failures=("permanent",), needs=("each",)),
    },
    handling=(Expected(path="on_failure/tell", ends="completed", output={"value": "zz"}),),
)


def done(step: str, value: str) -> tuple[str, dict[str, Any]]:
    return "STEP_COMPLETED", {"step": step, "output": {"value": value, "by": "w1"}}


def lively() -> Scene:
    """A run that slept, waited, looped, was held, redriven and settled, and failed: then it was undone."""
    return Scene(
        story=LIVELY,
        status="failed",
        events=[
            ("RUN_STARTED", {"input": GIVEN}),
            started("make"),
            done("make", "aa"),
            started("more"),
            done("more", "bb"),
            ("TIMER_SET", {"step": "nap", "at": 1_007}),
            ("SIGNAL_AWAITED", {"step": "word", "expires_at": None}),
            ("TIMER_FIRED", {"step": "nap"}),
            ("SIGNAL_RECEIVED", {"id": "m1", "signal": "go", "payload": {"value": "go"}}),
            ("SIGNAL_MATCHED", {"step": "word", "seq": 9}),
            ("FOR_EACH_STARTED", {"step": "each", "count": 2, "items": []}),
            started("each[0]"),
            ("RUN_PAUSED", {}),
            done("each[0]", "cc"),
            ("RUN_RESUMED", {}),
            started("each[1]"),
            done("each[1]", "dd"),
            ("STEP_COMPLETED", {"step": "each", "output": [1]}),
            started("once"),
            ("EFFECT_STARTED", {"step": "once", "effect": "pay0", "key": f"{RUN}/once/pay0/1"}),
            failed("once", "worker_lost"),
            ("STEP_UNCERTAIN", {"step": "once"}),
            ("STEP_SETTLED", {"step": "once", "answer": "happened", "result": {"value": "ee"}}),
            started("last"),
            failed("last", "worker_lost"),
            ("RUN_FAILED", {"step": "last", "reason": "lost"}),
            ("RUN_REOPENED", {}),
            ("STEP_REDRIVEN", {"step": "last"}),
            started("last"),
            failed("last", "permanent"),
            ("RUN_UNDOING", {"steps": ["more", "make"]}),
            started("more!undo"),
            done("more!undo", "yy"),
            started("make!undo"),
            done("make!undo", "xx"),
            ("RUN_FAILURE_HANDLING", {}),
            started("on_failure/tell"),
            done("on_failure/tell", "zz"),
            ("RUN_FAILED", {"step": "last", "reason": "told to"}),
        ],
        payments=[Payment(receipt=9, key=f"{RUN}/once/pay0/1", worker="w1", began=1_018, at=1_019)],
        people=[{"fact": "started", "number": 7, "runs": [RUN]}],
    )


def given_up(losses: int) -> Scene:
    """A run that failed because the workers of its first step were lost so often."""
    lost = [started("note"), failed("note", "worker_lost"), ("STEP_RETRIED", {"step": "note", "at": 0})] * losses
    end = ("RUN_FAILED", {"step": "note", "reason": "lost"})
    return Scene(events=[("RUN_STARTED", {"input": GIVEN}), *lost[:-1], end], status="failed")
