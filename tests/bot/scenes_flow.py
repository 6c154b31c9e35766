"""Runs with loops, pauses, signals, child runs, compensation, and people who step in; made as those in `scenes`."""

from __future__ import annotations

from typing import Any, Literal

from engine.core import commands as c
from engine.core import events as e
from engine.core.failures import FailureClass
from engine.core.graph import Plan
from engine.core.spending import Cost, Spend
from engine.core.state import RunStatus
from tests.core.driver import ANA, BEN, Run, workflow

MINUTE = 60_000


def noop(step: str, **more: Any) -> dict[str, Any]:
    return {"id": step, "uses": "noop"} | more


def fan_out(count: int, on_failure: str = "continue", **more: Any) -> Run:
    """A run that has begun to do so many items, ten at a time."""
    loop = {"items": list(range(count)), "max_items": 50, "max_parallel": 10, "on_item_failure": on_failure}
    run = Run(workflow(noop("each", for_each=loop, **more), noop("after")))
    run.look(slots=10)
    return run


def crowd() -> Run:
    """Forty items: fifteen are done, four have failed, and one of the others is tried again."""
    run = fan_out(40, retry={"attempts": 2})
    for index in range(15):
        run.now += 100
        run.succeed(f"each[{index}]")
    for index in range(15, 19):
        run.fail(f"each[{index}]", FailureClass.PERMANENT)
    run.fail("each[19]")
    return run


def crowd_done() -> Run:
    run = crowd()
    run.look(after=MINUTE)
    for index in range(19, 40):
        run.succeed(f"each[{index}]")
    return run


def crowd_held() -> Run:
    """Forty items, of which ten were under way when a switch was thrown."""
    run = fan_out(40)
    run.throw("workflow:wf", reason="the shop is slow")
    for index in range(10):
        run.do(c.HandBack(f"each[{index}]", run.state.step(f"each[{index}]").token, "w1", held=True))
    return run


def few() -> Run:
    """Three items, each with its own line."""
    run = fan_out(3, on_failure="fail")
    run.succeed("each[0]")
    run.fail("each[1]", FailureClass.PERMANENT)
    run.succeed("each[2]")
    return run


def parts() -> Run:
    """So many items that child runs do them."""
    loop = {"items": list(range(120)), "max_items": 200, "max_parallel": 100}
    run = Run(workflow(noop("each", for_each=loop), noop("after")))
    run.do(c.ChildEnded("each[0:50]", run.state.step("each[0:50]").child, RunStatus.COMPLETED, []))
    return run


def polling(**more: Any) -> Run:
    """A repeat whose first pass is done."""
    repeat = {"until": "steps.check.output == 3", "max": 60, **more}
    run = Run(workflow({"id": "poll", "repeat": repeat, "steps": [noop("check")]}))
    run.look()
    run.succeed("poll#1/check", 1)
    return run


def third_pass() -> Run:
    run = polling()
    run.succeed("poll#2/check", 2)
    return run


def slept() -> Run:
    run = sleeping()
    run.look(after=61 * MINUTE)
    return run


def sleeping() -> Run:
    return Run(workflow({"id": "nap", "sleep": "1h"}, noop("after")))


def listening(on_timeout: str = "fail") -> Run:
    wait = {"signal": "paid", "correlation": "42", "timeout": "1h", "on_timeout": on_timeout}
    return Run(workflow({"id": "pay", "wait_for": wait}, noop("after")))


def signalled() -> Run:
    run = listening()
    run.do(c.Signal("s1", "paid", {"cents": 100}, BEN, "42"))
    return run


def signalled_early() -> Run:
    run = Run(workflow(noop("before"), {"id": "pay", "wait_for": "paid"}))
    run.look()
    run.do(c.Signal("s1", "paid", None, BEN))
    run.succeed("before")
    return run


def unsignalled() -> Run:
    run = listening("continue")
    run.do(c.Look(), after=61 * MINUTE)
    return run


def calling() -> Run:
    """A step that a child run does."""
    child = workflow(noop("inner")).model_copy(update={"name": "ship"})
    parent = workflow({"id": "send", "workflow": {"name": "ship", "definition": child.hash}})
    return Run(parent, children={child.hash: Plan.of(child)})


def called() -> Run:
    run = calling()
    run.do(c.ChildEnded("send", run.state.step("send").child, RunStatus.COMPLETED), after=5_000)
    return run


def uncertain() -> Run:
    """An attempt was lost that must not be made twice."""
    run = Run(workflow(noop("charge", repeatable=False), noop("after")))
    run.look()
    run.do(c.BeginEffect("charge", run.state.step("charge").token, "pay", "k"))
    run.look(after=60 * MINUTE, worker="w2")
    return run


def paying() -> Run:
    """What one effect has cost is known, what another one did is not, and a third never left."""
    run = Run(workflow(noop("ask", retry={"attempts": 3}), noop("after")))
    run.look()
    token = run.state.step("ask").token
    run.do(c.BeginEffect("ask", token, "first", "k1", Spend(500_000, "gpt-x", "openai")))
    run.do(c.RecordEffect("ask", token, "first", "42", Cost(120_000)))
    run.do(c.BeginEffect("ask", token, "second", "k2", Spend(500_000, "gpt-x", "openai")))
    run.do(c.CancelEffect("ask", token, "second"))
    run.do(c.BeginEffect("ask", token, "third", "k3", Spend(500_000, "gpt-x", "openai")))
    run.look(after=60 * MINUTE, worker="w2")
    return run


def standing(spent: int, reserved: int, *passes: int, account: str = "workspace/day/1970-01-01") -> e.Standing:
    return e.Standing(account=account, spent=spent, reserved=reserved, limit=1_000_000, passes=passes)


def used_up(*short: e.Standing) -> Run:
    """A step would spend half a dollar, which some budgets have no room for."""
    run = Run(workflow(noop("ask"), noop("after")))
    run.look()
    token, spend = run.state.step("ask").token, Spend(500_000, "gpt-x", "openai")
    run.do(c.BeginEffect("ask", token, "call", "k", spend), money={("ask", "call"): short})
    return run


def alerted() -> Run:
    """What a call has cost makes two budgets pass what people wanted to be told."""
    run = Run(workflow(noop("ask"), noop("after"), budget={"limit": "1.00 USD"}))
    run.look()
    token, spend = run.state.step("ask").token, Spend(500_000, "gpt-x", "openai")
    run.do(c.BeginEffect("ask", token, "call", "k", spend))
    passing = (standing(850_000, 100_000, 50, 80), standing(500_000, 0, 50, account="run:run_t"))
    run.do(c.RecordEffect("ask", token, "call", "42", Cost(500_000)), money={("ask", "call"): passing})
    return run


def settled(answer: Literal["happened", "did_not_happen", "fail"]) -> Run:
    run = uncertain()
    run.do(c.Settle("charge", answer, ANA, None, "I looked"))
    return run


def missing() -> Run:
    run = Run(workflow(noop("changes"), noop("after")))
    run.look(steps=frozenset())
    run.do(c.Look(), after=6 * MINUTE)
    return run


def missing_again() -> Run:
    """Code that was there for the first attempt."""
    run = Run(workflow(noop("changes", retry={"attempts": 2}), noop("after")))
    run.look()
    run.fail("changes")
    run.look(after=MINUTE, steps=frozenset())
    run.do(c.Look(), after=6 * MINUTE)
    return run


def missing_crowd() -> Run:
    """Several items, all of which wait for the same code."""
    loop = {"items": [1, 2, 3], "max_items": 3, "max_parallel": 3}
    run = Run(workflow(noop("each", for_each=loop)))
    run.look(slots=10, steps=frozenset())
    run.do(c.Look(), after=6 * MINUTE)
    return run


def recoded() -> Run:
    """A run that uses other code in place of some that nobody has."""
    run = missing()
    to = Plan.of(workflow(noop("changes", uses="noop2"), noop("after", uses="noop2")))
    run.do(c.Move(to.workflow.hash, to, BEN, {}, "it is the same", {"noop": "noop2"}))
    return run


def dead(**more: Any) -> Run:
    """A run that failed for good at its second step."""
    run = Run(workflow(noop("build"), noop("tag"), **more))
    run.look()
    run.succeed("build")
    run.fail("tag", FailureClass.PERMANENT)
    return run


def steered(run: Run, command: c.Command) -> Run:
    """The run, after somebody stepped in."""
    run.do(command)
    return run


def handled() -> Run:
    run = dead(on_failure=[noop("notify")])
    run.look()
    return run


def undoing() -> Run:
    """Two steps are undone since the third failed; the first to be undone is under way."""
    undo = {"uses": "noop"}
    run = Run(workflow(noop("book", undo=undo), noop("pay", undo=undo), noop("ship")))
    run.look()
    run.succeed("book")
    run.succeed("pay")
    run.fail("ship", FailureClass.PERMANENT)
    run.look()
    return run


def undone() -> Run:
    run = undoing()
    run.now += 2_000
    run.succeed("pay!undo")
    run.fail("book!undo", FailureClass.PERMANENT)
    return run


def paused() -> Run:
    return steered(Run(workflow(noop("build"), noop("tag"))), c.Pause(BEN, "the network is down"))


def timed_out() -> Run:
    run = Run(workflow(noop("build"), timeout="1h"))
    run.look()
    run.do(c.Look(), after=61 * MINUTE)
    return run


def queued() -> Run:
    """In line, two minutes by now."""
    run = Run(workflow(noop("build")), started={"concurrency": e.InLine(key="prod", limit=1)})
    run.now += 2 * MINUTE
    return run


def admitted() -> Run:
    run = queued()
    run.look()
    return run


def labelled() -> Run:
    run = steered(paused(), c.Label({"team": "web"}, BEN))
    return steered(run, c.Label({"team": None, "prio": "1"}, BEN))


def moved() -> Run:
    run = Run(workflow(noop("build"), noop("tag")))
    run.do(c.Pause(BEN))
    to = Plan.of(workflow(noop("compile"), noop("tag")))
    run.do(c.Move(to.workflow.hash, to, BEN, {"build": "compile"}, "it was renamed"))
    return run


def forked() -> Run:
    """A run that goes on from another one."""
    reused = [e.StepReused(step="build", status="completed", output="kept")]
    fork = e.Fork(run="run_0123456789abcdef", step="tag", seq=9)
    run = Run(workflow(noop("build"), noop("tag")), started={"forked_from": fork}, reused=reused)
    run.look()
    return run


def with_notes() -> Run:
    """A step that has told how far it is, and what it did outside."""
    run = Run(workflow(noop("charge"), noop("after")))
    run.look()
    token = run.state.step("charge").token
    run.do(c.NoteProgress("charge", token, {"page": 3}))
    run.do(c.BeginEffect("charge", token, "pay", "k"))
    run.do(c.RecordEffect("charge", token, "pay", "receipt"))
    return run


def flow_scenes() -> dict[str, Run]:
    """Every scene, by name."""
    return {
        "crowd": crowd(),
        "crowd_done": crowd_done(),
        "crowd_held": crowd_held(),
        "few": few(),
        "parts": parts(),
        "third_pass": third_pass(),
        "resting": polling(every="5m"),
        "sleeping": sleeping(),
        "slept": slept(),
        "listening": listening(),
        "signalled": signalled(),
        "signalled_early": signalled_early(),
        "unsignalled": unsignalled(),
        "calling": calling(),
        "called": called(),
        "uncertain": uncertain(),
        "paying": paying(),
        "used_up": used_up(standing(900_000, 0), standing(700_000, 0, account="run:run_t")),
        "set_aside": used_up(standing(200_000, 600_000)),
        "alerted": alerted(),
        "happened": settled("happened"),
        "did_not_happen": settled("did_not_happen"),
        "let_fail": settled("fail"),
        "missing": missing(),
        "missing_again": missing_again(),
        "missing_crowd": missing_crowd(),
        "recoded": recoded(),
        "dead": dead(),
        "redriven": steered(dead(), c.Redrive(BEN, "it is back")),
        "skipped_by_hand": steered(dead(), c.SkipStep("tag", BEN, "done by hand")),
        "set_by_hand": steered(dead(), c.SetOutput("tag", "v1", BEN)),
        "retried_from": steered(dead(), c.RetryFrom("build", BEN)),
        "handled": handled(),
        "undoing": undoing(),
        "undone": undone(),
        "paused": paused(),
        "resumed": steered(paused(), c.Resume(BEN)),
        "timed_out": timed_out(),
        "queued": queued(),
        "admitted": admitted(),
        "labelled": labelled(),
        "moved": moved(),
        "forked": forked(),
        "with_notes": with_notes(),
    }
