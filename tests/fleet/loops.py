"""Loops in stories: a step or a group for each item, items in child runs, and passes until a condition holds.

The one rule: what is inside is expected path by path, as if it were a step of the workflow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.fleet.constructs import PATIENT, troubles
from tests.fleet.stories import Drawn, Expected, Pen, Story, answer

RETRY = {"attempts": 5, "initial": "50ms", "max": "300ms", "classes": PATIENT}
PART = 50
"""More items than this are done by child runs, so many each."""

Items = list[dict[str, Any]]


def each(pen: Pen) -> Drawn:
    """One call for each item. A loop that must fail fails by one of its items; another goes on without it."""
    items = _items(pen, pen.rng.randint(1 if pen.fails else 0, 8))
    goes_on = not pen.fails and pen.chance(0.3)
    if items and (pen.fails or goes_on):
        pen.rng.choice(items)["troubles"] = ["permanent"]
    spec = _loop(pen, items, "continue" if goes_on else "fail")
    spec |= {"uses": "fleet.work", "with": {"value": "${{ item.value }}", "troubles": "${{ item.troubles }}"}}
    inner = [_item(f"{pen.path}[{index}]", item, goes_on) for index, item in enumerate(items)]
    if pen.fails:
        expected = Expected(path=pen.path, ends="failed", kind="loop", failures=("permanent",))
    else:
        expected = Expected(path=pen.path, ends="completed", kind="loop", output=_results(inner))
    expected = replace(expected, parallel=spec["for_each"]["max_parallel"])
    drawn = Drawn(spec={**spec, "retry": RETRY}, expected=expected, inner=inner)
    done = [index for index, one in enumerate(inner) if one.ends == "completed"]
    if done and not pen.fails:
        index = pen.rng.choice(done)
        drawn.known = (f"steps.{pen.path}.output[{index}].output.value", inner[index].output["value"])
    return drawn


def each_group(pen: Pen) -> Drawn:
    """A group of steps for each item, one of them left out for every other item."""
    if pen.fails:
        return each(pen)
    items = _items(pen, pen.rng.randint(1, 5))
    first: dict[str, Any] = {"id": "a", "uses": "fleet.work", "retry": RETRY}
    first["with"] = {"value": "${{ item.value }}", "troubles": "${{ item.troubles }}"}
    second: dict[str, Any] = {"id": "b", "uses": "fleet.pay", "if": "index % 2 == 0", "retry": RETRY}
    second["with"] = {"value": "${{ steps.a.output.value }}-${{ string(index) }}", "troubles": [], "effects": 1}
    spec: dict[str, Any] = {**_loop(pen, items, "fail"), "steps": [first, second]}
    inner: list[Expected] = []
    groups: list[Expected] = []
    for index, item in enumerate(items):
        path = f"{pen.path}[{index}]"
        a = replace(_item(f"{path}/a", item, goes_on=False))
        b = Expected(path=f"{path}/b", ends="skipped", needs=(f"{path}/a",))
        if index % 2 == 0:
            output = {"value": answer(f"{a.output['value']}-{index}")}
            b = replace(b, ends="completed", output=output, effects=("pay0",))
        groups.append(Expected(path=path, ends="completed", kind="group", output={"a": a.output, "b": b.output}))
        inner += [a, b]
    parallel = spec["for_each"]["max_parallel"]
    expected = Expected(path=pen.path, ends="completed", kind="loop", output=_results(groups), parallel=parallel)
    known = (f"steps.{pen.path}.output[0].output.a.value", groups[0].output["a"]["value"])
    return Drawn(spec=spec, expected=expected, inner=[*inner, *groups], known=known)


def each_part(pen: Pen) -> Drawn:
    """So many items that child runs do them."""
    if pen.fails:
        return each(pen)
    items = _items(pen, pen.rng.randint(PART + 1, PART + 20))
    spec = _loop(pen, items, "fail")
    spec["for_each"]["max_parallel"] = 20
    spec |= {"uses": "fleet.work", "with": {"value": "${{ item.value }}", "troubles": "${{ item.troubles }}"}}
    whole = [_item(f"{pen.path}[{index}]", item, goes_on=False) for index, item in enumerate(items)]
    inner = [_part(pen, whole, start) for start in range(0, len(items), PART)]
    expected = Expected(path=pen.path, ends="completed", kind="loop", output=_results(whole))
    known = (f"steps.{pen.path}.output[{PART}].output.value", whole[PART].output["value"])
    return Drawn(spec={**spec, "retry": RETRY}, expected=expected, inner=inner, known=known)


def _part(pen: Pen, whole: list[Expected], start: int) -> Expected:
    """The child run that does the items from ``start`` on."""
    own = whole[start : start + PART]
    output = _results(whole)[start : start + PART]
    loop = Expected(path=pen.path, ends="completed", kind="loop", output=output)
    steps = {pen.path: loop, **{one.path: one for one in own}}
    told = Story(number=pen.number, workflow={}, given=dict(pen.given), steps=steps, output=output)
    path = f"{pen.path}[{start}:{start + len(own)}]"
    return Expected(path=path, ends="completed", kind="child", output=output, child=told)


def passes(pen: Pen) -> Drawn:
    """Passes of a group until a condition holds, or one too few."""
    count, salt = pen.rng.randint(1, 4), f"salt{pen.rng.randrange(10**6)}"
    last = {"value": answer(f"{count}-{salt}")}
    until = f"steps.check.output.value == '{'never' if pen.fails else last['value']}'"
    check: dict[str, Any] = {"id": "check", "uses": "fleet.work", "retry": RETRY}
    check["with"] = {"value": f"${{{{ string(iteration) }}}}-{salt}", "troubles": []}
    repeat: dict[str, Any] = {"until": until, "max": count if pen.fails else count + pen.rng.randint(0, 2)}
    if pen.chance(0.5):
        repeat["every"] = f"{pen.rng.randint(20, 300)}ms"
    inner: list[Expected] = []
    for number in range(1, count + 1):
        path, output = f"{pen.path}#{number}", {"value": answer(f"{number}-{salt}")}
        before = (f"{pen.path}#{number - 1}",) if number > 1 else ()
        inner.append(Expected(path=f"{path}/check", ends="completed", needs=before, output=output))
        inner.append(Expected(path=path, ends="completed", kind="group", output={"check": output}))
    if pen.fails:
        expected = Expected(path=pen.path, ends="failed", kind="loop", failures=("permanent",))
        return Drawn(spec={"repeat": repeat, "steps": [check]}, expected=expected, inner=inner)
    output = {"iterations": count, "met": True, "outputs": {"check": last}}
    expected = Expected(path=pen.path, ends="completed", kind="loop", output=output)
    known = (f"steps.{pen.path}.output.outputs.check.value", last["value"])
    return Drawn(spec={"repeat": repeat, "steps": [check]}, expected=expected, inner=inner, known=known)


def _items(pen: Pen, count: int) -> Items:
    plain = pen.at(pen.path)
    return [
        {
            "value": f"item{pen.rng.randrange(10**6)}",
            "troubles": [kind for kind in troubles(plain) if kind != "timeout"],
        }
        for _ in range(count)
    ]


def _loop(pen: Pen, items: Items, policy: str) -> dict[str, Any]:
    parallel = pen.rng.randint(1, 4)
    return {"for_each": {"items": items, "max_items": 100, "max_parallel": parallel, "on_item_failure": policy}}


def _item(path: str, item: dict[str, Any], goes_on: bool) -> Expected:
    failures = tuple(item["troubles"])
    if "permanent" in failures:
        return Expected(path=path, ends="failed", failures=failures, tolerated=goes_on)
    return Expected(path=path, ends="completed", output={"value": answer(item["value"])}, failures=failures)


def _results(units: list[Expected]) -> list[dict[str, Any]]:
    """What a loop gives: one entry for each item."""
    return [
        {
            "index": index,
            "status": one.ends,
            "output": one.output,
            "error": f"told to fail ({one.failures[-1]})" if one.ends == "failed" else "",
        }
        for index, one in enumerate(units)
    ]


LOOPS: dict[Callable[[Pen], Drawn], int] = {each: 8, each_group: 5, each_part: 1, passes: 6}
