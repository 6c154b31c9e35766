"""Random definitions: every kind of step, nested loops, branches, conditions, compensation; small, and always valid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from engine.core.definition import Workflow
from engine.core.graph import Plan

CHILD = Workflow.model_validate({"name": "child", "steps": [{"id": "only", "uses": "noop"}]})
CHILD_PLAN = Plan.of(CHILD)
RETRIES = [
    {},
    {"attempts": 3},
    {"attempts": 2, "within": "10s"},
    {"attempts": 1, "classes": {"permanent": {"attempts": 2}}},
]


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    """A workflow of up to five steps of its own."""
    data: dict[str, Any] = {"name": "random", "steps": draw(_groups(prefix="s", depth=2, most=4))}
    if draw(st.booleans()):
        data["on_failure"] = draw(_groups(prefix="f", depth=0, most=2))
    if draw(st.integers(0, 5)) == 0:
        data["timeout"] = "2h"
    if draw(st.integers(0, 5)) == 0:
        data["concurrency"] = {"key": "k", "limit": 1, "on_limit": draw(st.sampled_from(["queue", "skip"]))}
    if draw(st.booleans()):
        data["output"] = f"${{{{ steps.{data['steps'][0]['id']}.status }}}}"
    return Workflow.model_validate(data)


@st.composite
def gated(draw: st.DrawFn) -> Workflow:
    """A step, a gate that covers the one after it and may send the run back, and a gate on its own."""
    first, second = draw(_gates()), draw(_gates())
    number = {"n": {"type": "integer", "min": 0, "value": 1}}
    first |= {"request_changes": "draft", "covers": ["ship"], "edit": number, "on_expiry": "wait"}
    steps: list[dict[str, Any]] = [
        {"id": "draft", "set": {"said": "${{ changes.comment }}"}},
        {"id": "gate", "approval": first},
        {"id": "ship", "uses": "noop", "with": {"n": "${{ steps.gate.output.fields.n }}"}},
        {"id": "alone", "approval": second, "needs": []},
    ]
    return Workflow.model_validate({"name": "gated", "steps": steps})


def plan_of(workflow: Workflow) -> Plan:
    return Plan.of(workflow, {CHILD.hash: CHILD_PLAN})


@st.composite
def _groups(draw: st.DrawFn, prefix: str, depth: int, most: int) -> list[dict[str, Any]]:
    count = draw(st.integers(1, most))
    ids = [f"{prefix}{number}" for number in range(count)]
    steps: list[dict[str, Any]] = [draw(_steps(id_, ids[:place], depth)) for place, id_ in enumerate(ids)]
    for one, two in pairwise(steps):
        if "approval" in two and prefix == "s" and draw(st.booleans()):
            two["needs"] = [one["id"]]
            two["approval"]["request_changes"] = one["id"]
        if "approval" in one and "uses" in two and "for_each" not in two and draw(st.booleans()):
            two["needs"] = [one["id"]]
            two["with"] = {"n": f"${{{{ steps.{one['id']}.output.fields.n }}}}"}
            one["approval"] |= {"covers": [two["id"]], "edit": {"n": {"type": "integer", "value": 1}}}
    return steps


@st.composite
def _steps(draw: st.DrawFn, id_: str, before: Sequence[str], depth: int) -> dict[str, Any]:
    kinds = ["uses", "uses", "approval", "set", "sleep", "wait_for", "workflow"] + ["each", "each_group", "repeat"] * (
        depth > 0
    )
    step: dict[str, Any] = {"id": id_, **draw(_of_kind(draw(st.sampled_from(kinds)), id_, depth))}
    if before and draw(st.booleans()):
        step["needs"] = draw(st.lists(st.sampled_from(before), unique=True, max_size=2))
    if before and draw(st.integers(0, 3)) == 0:
        # Of the step before, which has surely begun only if this one needs it.
        step["needs"] = [before[-1]]
        step["if"] = f"steps.{before[-1]}.status != 'failed'"
    if draw(st.integers(0, 4)) == 0:
        step["if"] = draw(st.sampled_from(["true", "false"]))
    if draw(st.integers(0, 4)) == 0:
        step["continue_on_error"] = True
    return step


@st.composite
def _gates(draw: st.DrawFn) -> dict[str, Any]:
    quorums = st.sampled_from(["any", 1, 2, "all"])
    gate: dict[str, Any] = {"title": "?", "expires_in": "1h", "allow_self": draw(st.booleans())}
    gate["on_expiry"] = draw(st.sampled_from(["deny", "approve", "fail", "wait"]))
    if draw(st.booleans()):
        gate |= {"approvers": ["@x"], "quorum": draw(quorums)}
    else:
        asked = [("a", "@x"), ("b", "@y")][: draw(st.integers(1, 2))]
        gate["stages"] = [{"name": name, "approvers": [who], "quorum": draw(quorums)} for name, who in asked]
    if draw(st.booleans()):
        gate["edit"] = {"n": {"type": "integer", "min": 0, "value": 1}}
    if draw(st.integers(0, 3)) == 0:
        gate |= {"remind_every": "10m", "hours": {"from": "00:00", "to": "12:00"}}
    if draw(st.integers(0, 4)) == 0:
        gate["delegation"] = "forbidden"
    return gate


@st.composite
def _of_kind(draw: st.DrawFn, kind: str, id_: str, depth: int) -> dict[str, Any]:
    match kind:
        case "uses":
            step: dict[str, Any] = {"uses": "noop", "retry": draw(st.sampled_from(RETRIES))}
            if draw(st.booleans()):
                step["undo"] = {"uses": "noop", "retry": {"attempts": 2}}
            if draw(st.integers(0, 4)) == 0:
                step["repeatable"] = False
            return step
        case "approval":
            return {"approval": draw(_gates())}
        case "set":
            value = draw(st.sampled_from(["1", "${{ run.id }}", "${{ input.nothing }}", "x" * 600]))
            return {"set": {"v": value}}
        case "sleep":
            return {"sleep": draw(st.sampled_from(["0s", "10s", "2h"]))}
        case "wait_for":
            wait: dict[str, Any] = {"signal": "go", "on_timeout": draw(st.sampled_from(["fail", "continue"]))}
            if draw(st.booleans()):
                wait["timeout"] = "30m"
            return {"wait_for": wait}
        case "workflow":
            return {"workflow": {"name": "child", "definition": CHILD.hash}, "retry": draw(st.sampled_from(RETRIES))}
        case "repeat":
            until = draw(st.sampled_from(["iteration == 2", "true", "false", "iteration > 1 || previous != null"]))
            repeat = {"until": until, "max": 3, "every": draw(st.sampled_from(["0s", "5s"]))}
            repeat["on_max"] = draw(st.sampled_from(["fail", "continue"]))
            return {"repeat": repeat, "steps": draw(_groups(prefix=f"{id_}_", depth=depth - 1, most=2))}
        case _:
            each = {
                "items": draw(st.lists(st.integers(0, 9), max_size=3)),
                "max_items": 3,
                "max_parallel": draw(st.integers(1, 3)),
                "on_item_failure": draw(st.sampled_from(["fail", "continue"])),
            }
            if kind == "each":
                return {"for_each": each, "uses": "noop", "with": {"item": "${{ item }}"}}
            return {"for_each": each, "steps": draw(_groups(prefix=f"{id_}_", depth=depth - 1, most=2))}
