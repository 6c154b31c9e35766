"""Records the histories of this release into ``tests/histories``: ``python -m tests.record_histories``.

Run it once before a release; what an earlier release has recorded is never written again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.graph import Plan
from engine.core.keys import Use
from engine.core.spending import Cost, Spend
from engine.core.state import RunStatus
from tests.core.definitions import CHILD
from tests.core.driver import ANA, BEN, CAT, DAN, EVE, Run, workflow
from tests.core.test_histories import HISTORIES, as_expected

RELEASE = "0.2"
FOLDER = Path(__file__).parent / "histories"
GATE = {"approvers": ["@x"], "title": "Go?", "expires_in": "2h", "remind_every": "20m"}
MOVED = "f" * 64


def noop(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": id_, "uses": "noop", **more}


def gates() -> Run:
    ladder = [{"after": "15m", "to": "@oncall"}]
    run = Run(workflow(noop("a"), {"id": "g", "approval": {**GATE, "escalate": ladder}}, noop("b")))
    run.look()
    run.succeed("a", {"n": 1})
    run.do(c.Present("g", {"slack:C1/1.2": "d" * 64}))
    run.look(after=30 * 60_000)
    run.vote("g", reason="fine")
    run.look()
    run.do(c.LogLine("b", run.state.step("b").token, "half done"))
    run.do(c.NoteProgress("b", run.state.step("b").token, {"page": 3}))
    run.succeed("b")
    return run


def reports() -> Run:
    """A step that says what it is doing; its second attempt has not said it yet."""
    run = Run(workflow(noop("a"), noop("b")))
    run.look()
    for page in (1, 3):
        run.do(c.ReportStatus("a", run.state.step("a").token, f"page {page} of 9"), after=5_000)
    run.do(c.HandBack("a", run.state.step("a").token, "w1"))
    run.look()
    return run


def copies() -> Run:
    """A request that is shown in several places, and approved."""
    run = Run(workflow({"id": "g", "approval": {**GATE, "direct_messages": True}}))
    run.look()
    run.do(c.Present("g", {"slack:C1/1.2": "d" * 64}))
    run.do(c.Present("g", {"slack:D2/1.3": "e" * 64, "slack:D3/1.4": "f" * 64}), after=2_000)
    run.vote("g")
    return run


def in_their_zones() -> Run:
    """A request whose clock is that of the people asked, and climbs and expires by where they are."""
    approval = {**GATE, "escalate": [{"after": "1h", "to": "@oncall"}], "hours": {"zone": "approver"}}
    run = Run(workflow({"id": "g", "approval": approval}))
    run.look()
    run.do(c.Present("g", {"slack:C1/1.2": "d" * 64}, ["America/New_York", "Asia/Tokyo"]), after=1_000)
    for _ in range(24):
        run.look(after=3_600_000)
    return run


def stages_and_quorum() -> Run:
    """Two stages, an edit that voids a vote, a delegation; and the step that the gate covers, as it was approved."""
    approval = {
        "title": "Roll out to ${{ input.percent }} %?",
        "stages": [
            {"name": "team", "approvers": ["@web", "role:lead"], "quorum": 2},
            {"name": "security", "approvers": ["#sec"], "quorum": "all"},
        ],
        "edit": {"percent": {"type": "integer", "min": 1, "max": 100, "value": "${{ input.percent }}"}},
        "covers": ["ship"],
        "hours": {"zone": "Europe/Paris", "from": "08:00", "to": "18:00", "holidays": ["1970-01-02"]},
        "expires_in": "8h",
        "remind_every": "1h",
        "on_expiry": "wait",
        "reason": "always",
        "direct_messages": True,
    }
    ship = noop("ship", **{"with": {"percent": "${{ steps.gate.output.fields.percent }}"}})
    run = Run(workflow({"id": "gate", "approval": approval}, ship, input={"percent": {"type": "integer"}}), percent=50)
    run.look(after=4 * 3_600_000)
    run.vote("gate", by=BEN, reason="fine")
    run.do(c.EditGate("gate", {"percent": 10}, CAT, "in @web", "less at first"))
    run.do(c.Delegate("gate", BEN, DAN, "in @web", "away"))
    run.do(c.Snooze("gate", CAT, run.now + 3_600_000))
    run.vote("gate", by=CAT, authority="in @web", reason="fine")
    run.vote("gate", by=DAN, reason="fine", seat=c.Seat(("@web",), on_behalf_of=BEN))
    run.look(after=30 * 3_600_000)
    run.vote("gate", by=EVE, reason="fine", seat=c.Seat(("#sec",), everyone=frozenset({"U1", EVE.id})))
    run.look()
    run.succeed("ship")
    return run


def changes_requested() -> Run:
    approval = {**GATE, "request_changes": "draft"}
    draft = {"id": "draft", "set": {"text": "notes ${{ changes.comment }}"}}
    run = Run(workflow(draft, {"id": "g", "approval": approval}))
    run.do(c.RequestChanges("g", BEN, "say who wrote it", "in @x"))
    run.vote("g", False, reason="still not")
    return run


def expiry_and_denial() -> Run:
    run = Run(workflow({"id": "g", "approval": {**GATE, "on_expiry": "approve"}}, {"id": "h", "approval": GATE}))
    run.look(after=3 * 3_600_000)
    run.vote("h", False, reason="not today")
    return run


def attempts() -> Run:
    run = Run(workflow(noop("a", retry={"attempts": 3}), noop("gone", uses="gone")))
    run.look()
    token = run.state.step("a").token
    run.do(c.BeginEffect("a", token, "pay", "run_t/a/pay/1"))
    run.do(c.RecordEffect("a", token, "pay", {"receipt": 7}))
    run.fail("a")
    run.look(after=60_000)
    first = run.state.step("a").token
    run.look(after=20_000, worker="w2")
    run.do(c.Succeed("a", first, "w1", "late", None))
    run.do(c.HandBack("a", run.state.step("a").token, "w2"))
    run.look(worker="w3")
    run.succeed("a", "y" * 900)
    run.look()
    run.look(after=400_000)
    return run


def loops() -> Run:
    each = {"items": ["x", "y"], "max_items": 5}
    until = {"until": "iteration == 2", "max": 3, "every": "10s"}
    run = Run(
        workflow(
            {"id": "each", "for_each": each, "steps": [noop("a"), {"id": "b", "set": {"v": "${{ item }}"}}]},
            {"id": "poll", "repeat": until, "steps": [noop("c")]},
            {"id": "rest", "sleep": "1h"},
            {"id": "paid", "wait_for": {"signal": "paid", "timeout": "1d"}},
            output={"all": "${{ steps.each.output }}"},
        )
    )
    run.look()
    run.succeed("each[0]/a")
    run.succeed("each[1]/a")
    run.succeed("poll#1/c")
    run.look(after=10_000)
    run.succeed("poll#2/c")
    run.do(c.Signal("s1", "paid", {"amount": 3}, BEN))
    run.look(after=3_600_000)
    return run


def undoing() -> Run:
    undo = {"uses": "noop"}
    run = Run(workflow(noop("a", undo=undo), noop("b", undo=undo), noop("c"), on_failure=[noop("tell")], timeout="1h"))
    run.look()
    run.succeed("a", 1)
    run.succeed("b", 2)
    run.fail("c", FailureClass.PERMANENT)
    run.look()
    for path in ("b!undo", "a!undo", "on_failure/tell"):
        run.succeed(path)
    return run


def timeout() -> Run:
    run = Run(workflow({"id": "s", "sleep": "2h"}, timeout="1h"))
    run.look(after=3_600_000)
    return run


def operators() -> Run:
    run = Run(
        workflow(noop("a"), noop("b", repeatable=False), noop("d"), noop("z")), started={"labels": {"team": "web"}}
    )
    run.look()
    run.do(c.Pause(BEN, "freeze"))
    run.succeed("a")
    run.do(c.Resume(BEN))
    run.do(c.Label({"team": None, "env": "prod"}, BEN))
    run.look()
    run.look(after=100_000, worker="w2")
    run.do(c.Settle("b", "happened", BEN, result="seen"))
    run.look()
    run.fail("d", FailureClass.PERMANENT)
    run.do(c.Redrive(BEN, "mended"))
    run.look()
    run.fail("d", FailureClass.PERMANENT)
    run.do(c.RetryFrom("a", BEN))
    run.look()
    run.do(c.Move(MOVED, run.plan, BEN, {}, "new release"))
    run.succeed("a")
    run.do(c.SetOutput("z", {"by": "hand"}, BEN))
    run.fail("b", FailureClass.PERMANENT)
    run.do(c.SkipStep("b", BEN))
    run.look()
    run.succeed("d")
    return run


def children() -> Run:
    call = {
        "id": "call",
        "workflow": {"name": "child", "definition": CHILD.hash},
        "retry": {"classes": {"permanent": {"attempts": 2}}},
    }
    run = Run(workflow(call), children={CHILD.hash: Plan.of(CHILD)})
    run.do(c.ChildEnded("call", run.state.step("call").child, RunStatus.FAILED, None, "it broke"))
    run.look(after=60_000)
    run.do(c.ChildEnded("call", run.state.step("call").child, RunStatus.COMPLETED, {"done": True}))
    return run


def in_line_and_cancelled() -> Run:
    line = e.InLine(key="prod", limit=1)
    run = Run(workflow(noop("a", **{"if": "false"}), noop("b")), started={"concurrency": line})
    run.look()
    run.do(c.Cancel(ANA, "enough"))
    run.fail("b", FailureClass.CANCELLED)
    return run


def forked() -> Run:
    reused = [e.StepReused(step="a", status="completed", output="kept")]
    fork = e.Fork(run="run_0", step="b", seq=9)
    run = Run(workflow(noop("a"), noop("b")), started={"forked_from": fork}, reused=reused)
    run.look()
    return run


def put_off() -> Run:
    run = Run(workflow(noop("a")))
    run.look()
    run.do(c.Postpone("a", run.state.step("a").token, "w1", 12_000, "openai's limit"))
    run.look(after=12_000)
    run.succeed("a")
    return run


def spending() -> Run:
    """A cost that was told, one that nobody knows, and an effect that never left."""
    run = Run(workflow(noop("a", retry={"attempts": 3})))
    run.look()
    spend, token = Spend(500_000, "gpt-x", "openai"), run.state.step("a").token
    run.do(c.BeginEffect("a", token, "first", "run_t/a/first/1", spend))
    run.do(c.RecordEffect("a", token, "first", "42", Cost(120_000, {"output_tokens": 9})))
    run.do(c.BeginEffect("a", token, "second", "run_t/a/second/1", spend))
    run.do(c.CancelEffect("a", token, "second"))
    run.do(c.BeginEffect("a", token, "third", "run_t/a/third/1", spend))
    run.look(after=100_000, worker="w2")
    short = e.Standing(account="run:run_t", spent=620_000, reserved=0, limit=1_000_000)
    begins = c.BeginEffect("a", run.state.step("a").token, "fourth", "run_t/a/fourth/1", spend)
    run.do(begins, money={("a", "fourth"): (short,)})
    run.look()
    token = run.state.step("a").token
    run.do(c.BeginEffect("a", token, "fourth", "run_t/a/fourth/1", spend))
    passing = e.Standing(account="run:run_t", spent=1_000_000, reserved=0, limit=2_000_000, passes=(50,))
    run.do(c.RecordEffect("a", token, "fourth", "42", Cost(380_000)), money={("a", "fourth"): (passing,)})
    run.succeed("a")
    return run


def corrected() -> Run:
    """One change that helped not, one that could not be made, and a person who gave another one."""
    rules = {"model": "local:echo", "may_change": ["prompt"]}
    run = Run(
        workflow(noop("a", **{"with": {"prompt": "Write."}, "check": "steps.a.output == 'ok'", "correct": rules}))
    )
    run.look()
    run.succeed("a", "far too long")
    run.look()
    run.succeed("a!correct", {"changes": {"prompt": "Write less."}, "seen": "too long", "why": "less", "cost": 3})
    run.look()
    run.succeed("a", "too long")
    run.look()
    run.succeed("a!correct", {"changes": {"prompt": "Write."}})
    run.do(c.Settle("a", "retry", BEN, {"prompt": "Write ok."}, "the format matters"))
    run.look()
    run.succeed("a", "ok")
    return run


def held() -> Run:
    """By a switch before it starts, while it runs, and when it begins an effect; lifted each time."""
    run = Run(workflow(noop("a")))
    run.throw("workspace")
    run.look()
    run.throw()
    run.look()
    run.throw("step:noop")
    run.do(c.HandBack("a", run.state.step("a").token, "w1", held=True))
    run.throw()
    run.look()
    run.do(c.BeginEffect("a", run.state.step("a").token, "ask", "k1", under=("provider:local",)))
    run.throw("provider:local")
    run.do(c.BeginEffect("a", run.state.step("a").token, "tell", "k2", under=("provider:local",)))
    return run


def keys() -> Run:
    run = Run(workflow(noop("a")))
    run.look()
    run.do(c.UseKey("a", run.state.step("a").token, Use("openai", "default", "pk_1", "WXYZ", "0123456789ab")))
    run.succeed("a")
    return run


SCENES: tuple[Callable[[], Run], ...] = (
    *(
        gates,
        reports,
        copies,
        in_their_zones,
        stages_and_quorum,
        changes_requested,
        expiry_and_denial,
        attempts,
        loops,
        undoing,
        timeout,
        operators,
        children,
        in_line_and_cancelled,
        forked,
        put_off,
        spending,
        held,
        corrected,
        keys,
    ),
)


def main() -> None:
    kept = {file.name for file in HISTORIES}
    for scene in SCENES:
        name = f"{RELEASE}_{scene.__name__}.json"
        if name in kept:
            continue
        run = scene()
        data = {
            "release": RELEASE,
            "what": scene.__name__.replace("_", " "),
            "definition": json.loads(run.plan.workflow.snapshot),
            "moved_to": [one.event.definition for one in run.log if isinstance(one.event, e.RunMoved)],
            "events": [
                {
                    "type": one.event.type,
                    "version": one.event.version,
                    "at": one.at,
                    "payload": json.loads(e.encode(one.event)),
                }
                for one in run.log
            ],
            "expect": as_expected(run.state, run.log),
        }
        (FOLDER / name).write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        print(f"{name}: {len(run.log)} events")


if __name__ == "__main__":
    main()
