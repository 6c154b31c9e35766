"""Runs in every state that a person can see, made by the core itself: no store, no clock, no Slack."""

from __future__ import annotations

from typing import Any

from engine.core import commands as c
from engine.core.failures import FailureClass
from tests.core.driver import ANA, BEN, Run, workflow

MINUTE = 60_000

GATE: dict[str, Any] = {
    "id": "publish",
    "approval": {
        "title": "Publish ${{ input.version }}?",
        "show": {"notes": "${{ steps.notes.output }}", "changes": "${{ steps.changes.output }}"},
        "approvers": ["@release-managers"],
        "expires_in": "24h",
        "remind_every": "1h",
        "escalate": [{"after": "15m", "to": "@oncall"}, {"after": "2h", "to": "#eng-leads"}],
    },
}


def noop(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "uses": "noop", **more}


def release(gate: dict[str, Any] = GATE, version: str = "v1.4.2") -> Run:
    """A release that is about to start its first step."""
    steps = (noop("changes"), noop("notes"), gate, noop("tag", retry={"attempts": 5}), noop("verify"))
    return Run(workflow(*steps, input={"version": {}, "repo": {"default": "."}}), version=version, repo=".")


def asked(gate: dict[str, Any] = GATE, version: str = "v1.4.2", changes: str = "a1b2 Fix it\nc3d4 Add it") -> Run:
    """The release, waiting at its gate."""
    run = release(gate, version)
    run.look()
    run.now += 1_200
    run.succeed("changes", changes)
    run.now += 300
    run.succeed("notes", "Fixes it & adds it")
    return run


def crowded() -> Run:
    """A gate with more of everything than anybody needs."""
    approval = {
        "title": "Go?",
        "show": {f"value {number}": "${{ steps.changes.output }}" for number in range(20)},
        "approvers": [f"@group-{number}" for number in range(12)],
        "expires_in": "24h",
        "escalate": [{"after": f"{number}h", "to": f"#channel-{number}"} for number in range(1, 13)],
    }
    return asked({"id": "publish", "approval": approval})


def with_policy(policy: str) -> dict[str, Any]:
    return {**GATE, "approval": {**GATE["approval"], "on_expiry": policy}}


def _after(run: Run, ms: int, *commands: c.Command) -> Run:
    run.now += ms
    for command in commands:
        run.do(command)
    return run


def retrying() -> Run:
    run = asked()
    run.vote("publish")
    run.look()
    run.fail("tag", retry_after=30_000)
    return run


def exhausted() -> Run:
    run = retrying()
    for _ in range(4):
        run.look(after=10 * MINUTE)
        run.fail("tag")
    return run


def completed() -> Run:
    run = retrying()
    run.look(after=MINUTE)
    run.now += 2_000
    run.succeed("tag")
    run.succeed("verify")
    return run


def parallel() -> Run:
    steps = [noop(f"s{n}", needs=[]) for n in range(9)]
    run = Run(
        workflow(
            *steps,
            {**GATE, "needs": [], "approval": {**GATE["approval"], "title": "Go?", "show": {}}},
            input={"version": {}},
        )
    )
    run.look(slots=4)
    return run


def failed_beside_a_gate() -> Run:
    gate: dict[str, Any] = {"id": "ok", "needs": [], "approval": {"title": "Go?", "approvers": ["@ben"]}}
    run = Run(workflow(noop("build", needs=[]), gate, noop("after", needs=["ok"])))
    run.look()
    run.fail("build", FailureClass.PERMANENT)
    return run


def cancelling() -> Run:
    run = release()
    run.look()
    return _after(run, 2_000, c.Cancel(ANA, "wrong version"))


def lost() -> Run:
    run = release()
    run.look()
    run.now += 3_600_000
    run.look(worker="w2")
    return run


def awaited() -> Run:
    run = release()
    run.look(steps=frozenset())
    return run


def held() -> Run:
    """By a switch, while it was running; the other one was lifted."""
    run = release()
    run.look()
    run.throw("workspace", "workflow:wf", reason="the registry <!channel> burns")
    run.do(c.HandBack("changes", run.state.step("changes").token, "w1", held=True))
    run.throw("workspace", reason="the registry <!channel> burns")
    run.look()
    return run


def skipped() -> Run:
    run = Run(workflow(noop("a"), noop("b", **{"if": "input.go"}), input={"go": {"type": "boolean"}}), go=False)
    run.look()
    run.succeed("a")
    return run


def logged() -> Run:
    run = release()
    run.look()
    token = run.state.steps["changes"].token
    run.do(c.LogLine("changes", token, "half of it & more"))
    run.do(c.HandBack("changes", token, "w1"))
    return run


def reported() -> Run:
    run = release()
    run.look()
    token = run.state.steps["changes"].token
    run.do(c.ReportStatus("changes", token, "page 1 of 9"))
    run.do(c.ReportStatus("changes", token, "page 3 & <4> of 9."))
    return run


def postponed() -> Run:
    run = release()
    run.look()
    token = run.state.steps["changes"].token
    run.do(c.Postpone("changes", token, "w1", 12_000, "openai's <limit>"))
    return run


def late() -> Run:
    run = release()
    run.look()
    token = run.state.steps["changes"].token
    run.do(c.Cancel(ANA))
    run.do(c.HandBack("changes", token, "w1"))
    run.do(c.Succeed("changes", token, "w1", {"n": 1}))
    return run


def hostile() -> Run:
    """A run whose data tries to ping, to pose as markup, and to burst every limit."""
    bad = "<!channel> <@U1> *bold* `code` ```fence``` & <https://evil.example|click me> \n" * 400
    gate = {**GATE, "approval": {**GATE["approval"], "title": "Publish ${{ input.version }}?"}}
    return asked(gate, version="<!everyone>&" * 80, changes=bad)


def scenes() -> dict[str, Run]:
    """Every scene, by name."""
    return {
        "started": release(),
        "running": _after(release(), 0, c.Look(release().claim())),
        "awaited": awaited(),
        "held": held(),
        "lost": lost(),
        "logged": logged(),
        "reported": reported(),
        "postponed": postponed(),
        "late": late(),
        "skipped": skipped(),
        "asked": asked(),
        "presented": _after(asked(), 1_000, c.Present("publish", {"C0RELEASES/1.000100": "d" * 64})),
        "reminded": _after(asked(), 61 * MINUTE, c.Look()),
        "escalated": _after(asked(), 16 * MINUTE, c.Look()),
        "escalated_twice": _after(asked(), 121 * MINUTE, c.Look()),
        "granted": _after(asked(), MINUTE, c.Vote("publish", True, BEN, "in @release-managers")),
        "denied": _after(asked(), MINUTE, c.Vote("publish", False, BEN, "in @release-managers", "not on a Friday")),
        "expired_deny": _after(asked(), 25 * 60 * MINUTE, c.Look()),
        "expired_approve": _after(asked(with_policy("approve")), 25 * 60 * MINUTE, c.Look()),
        "expired_fail": _after(asked(with_policy("fail")), 25 * 60 * MINUTE, c.Look()),
        "cancelled_at_gate": _after(asked(), MINUTE, c.Cancel(ANA, "wrong version")),
        "cancelling": cancelling(),
        "retrying": retrying(),
        "exhausted": exhausted(),
        "completed": completed(),
        "parallel": parallel(),
        "crowded": crowded(),
        "crowded_late": _after(crowded(), 7 * 60 * MINUTE, c.Look()),
        "failed_beside_a_gate": failed_beside_a_gate(),
        "hostile": hostile(),
    }
