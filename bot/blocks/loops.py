"""Loops in words: how far one is, and which of its events are worth a line.

The one rule: a loop of many items is summed up. What is inside of it gets a line of its own only if a person is needed
there, or if it is one of the first few that failed; the rest is counted.
"""

from __future__ import annotations

from bot.blocks.words import counted
from engine.core import paths
from engine.core.kinds import OnItemFailure
from engine.core.state import ENDED_STEP, Loop, RunState, StepStatus
from engine.core.transitions import holders, unit_path

FEW = 5
"""Items that are told one by one."""

FIRST_FAILURES = 3
"""Failed items that are named in a loop of many."""

_PARTS_TOLD = 4
"""A loop of many items is told of at each quarter."""

_FIRST_PASSES = 3


def how_far(state: RunState, path: str) -> str:
    """``37 of 200 done, 3 held, 2 retrying``, or ``pass 3 of at most 60``; empty where ``path`` is no open loop."""
    loop = state.step(path).loop
    if loop is None:
        return ""
    settings = state.plan.node(path).step.repeat
    if settings is not None:
        word = "pass" if state.plan.node(path).step.agent is None else "turn"
        return f"{word} {loop.launched} of at most {settings.max:,}"
    parts = [f"{done(state, path, loop):,} of {loop.total:,} done"]
    held = sum(1 for one, _ in state.opened(StepStatus.HELD) if paths.is_inside(one, path))
    parts += [f"{held} held"] if held else []
    retrying = sum(
        1 for one, step in state.opened(StepStatus.RETRYING) if not step.postponed and paths.is_inside(one, path)
    )
    parts += [f"{retrying} retrying"] if retrying else []
    parts += [_failed(loop)] if loop.failures else []
    return ", ".join(parts)


def done(state: RunState, path: str, loop: Loop) -> int:
    """How many items of the for_each have ended, whether well or not."""
    ended = loop.launched - loop.active
    if loop.unit == 1 or ended == 0:
        return ended
    sizes = (
        min(loop.unit, loop.total - number * loop.unit)
        for number in range(loop.launched)
        if state.step(unit_path(path, loop, number)).status in ENDED_STEP
    )
    return sum(sizes)


def items_words(loop: Loop) -> str:
    """``200 items``, with those that failed."""
    return counted(loop.total, "item") + (f", {_failed(loop)}" if loop.failures else "")


def in_crowd(state: RunState, path: str) -> bool:
    """Whether the step is inside of a loop that is summed up: one of many items, or one that repeats."""
    return any(_is_crowd(state, holder) for holder in holders(path))


def first_of_its_kind(state: RunState, path: str, flag: str) -> bool:
    """Whether no other step of the same place in the definition has ``flag`` set already."""
    place = paths.template_of(path)
    others = (one for one in state.open if one != path and paths.template_of(one) == place)
    return not any(getattr(state.steps[one], flag) for one in others)


def is_milestone(before: RunState, after: RunState, path: str) -> bool:
    """Whether the loop at ``path`` has come one quarter further, and is not over yet."""
    was, now = before.step(path).loop, after.step(path).loop
    if was is None or now is None or now.total <= FEW:
        return False
    reached = done(after, path, now)
    return reached < now.total and _quarter(done(before, path, was), was) < _quarter(reached, now)


def is_told_pass(number: int) -> bool:
    """The passes of a repeat that get a line: the second and third, then the tenth, twentieth, fiftieth and so on."""
    if number <= _FIRST_PASSES:
        return number > 1
    digits = str(number)
    return digits[0] in "125" and set(digits[1:]) == {"0"}


def is_counted_failure(before: RunState, unit: str) -> bool:
    """Whether the failed item is only counted: the first few have had their lines."""
    loop = before.step(paths.loop_of(unit) or "").loop
    return loop is not None and loop.total > FEW and loop.failures >= FIRST_FAILURES


def goes_on_after_failures(state: RunState, loop: str) -> bool:
    """Whether failed items do not fail the for_each."""
    settings = state.plan.node(loop).step.for_each
    return settings is not None and settings.on_item_failure is OnItemFailure.CONTINUE


def _is_crowd(state: RunState, holder: str) -> bool:
    loop = state.step(holder).loop
    if loop is None:
        return False
    return state.plan.node(holder).step.repeat is not None or loop.total > FEW


def _quarter(ended: int, loop: Loop) -> int:
    return ended * _PARTS_TOLD // loop.total


def _failed(loop: Loop) -> str:
    return f"{loop.failures} failed" if loop.unit == 1 else f"{counted(loop.failures, 'part')} failed"
