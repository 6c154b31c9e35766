"""What a step's place in loops and groups means for it.

The one rule: these are questions about a state; nothing here decides.
"""

from __future__ import annotations

from engine.core import paths
from engine.core.graph import CONTAINERS
from engine.core.kinds import OnItemFailure
from engine.core.state import AT_WORK, RunState, StepStatus
from engine.core.transitions import holders


def halted(state: RunState, path: str) -> bool:
    """Whether the group, item or loop around the step has failed already, so that nothing more starts there."""
    if paths.undone_by(path) is not None:
        return False  # what has failed is why it runs
    group = paths.group_of(path)
    if group and state.groups[group].failed is not None:
        return True
    for holder in holders(path):
        if holder in state.groups:
            if state.groups[holder].failed is not None:
                return True
            continue
        loop, each = state.step(holder).loop, state.plan.node(holder).step.for_each
        if loop is not None and loop.failures and each is not None and each.on_item_failure is OnItemFailure.FAIL:
            return True
    return False


def tolerated(state: RunState, path: str) -> bool:
    """Whether the run goes on although the step failed."""
    for one in (path, *holders(path)):
        node = state.plan.node(one)
        each = node.step.for_each
        is_loop = paths.loop_of(one) is None
        if is_loop and node.step.continue_on_error and (one == path or node.kind in CONTAINERS):
            return True
        if one != path and is_loop and each is not None and each.on_item_failure is OnItemFailure.CONTINUE:
            return True
    return False


def at_work_inside(state: RunState, path: str) -> bool:
    """Whether anything inside the loop, item or pass is with a worker or a child run."""
    return any(state.steps[one].status in AT_WORK for one in state.open if paths.is_inside(one, path))


def closed(state: RunState, path: str) -> str | None:
    """The step, or the item, pass or loop around it, that has completed or was skipped: what is inside stays as it is.

    What follows has seen its results, and no step completes twice.
    """
    over = (StepStatus.COMPLETED, StepStatus.SKIPPED)
    return next((one for one in (path, *holders(path)) if state.step(one).status in over), None)
