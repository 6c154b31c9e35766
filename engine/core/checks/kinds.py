"""Words that a step's kind gives no meaning, and limits that the engine keeps.

The one rule: a word that would be silently ignored is a problem.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from engine.core.checks.constants import is_always_false
from engine.core.definition import KINDS
from engine.core.draft import Draft, DraftGroup, DraftStep, GroupKind, mapping, text
from engine.core.problems import Finding

ITEMS_IN_ONE_RUN = 50
"""A for_each of more items runs them in child runs."""

_NOUNS = {
    "llm": "a question to a model",
    "agent": "an agent",
    "approval": "a gate",
    "set": "set",
    "sleep": "a pause",
    "wait_for": "a wait for a signal",
    "workflow": "a child run",
    "steps": "a group of steps",
}
_MEANINGLESS = {
    ("llm", "with"): "what it is asked goes under llm itself",
    ("agent", "with"): "what it is told goes under agent, what a tool is given under its with",
    ("approval", "with"): "what people are to see goes under approval.show",
    ("set", "with"): "the values go under set itself",
    ("sleep", "with"): "",
    ("wait_for", "with"): "",
    ("workflow", "with"): "what it is given goes under workflow.input",
    ("steps", "with"): "give it to the steps inside",
    ("approval", "retry"): "a gate is asked once; escalate and remind_every ask again",
    ("set", "retry"): "the same expressions would fail again",
    ("sleep", "retry"): "",
    ("wait_for", "retry"): "it waits until its timeout",
    ("steps", "retry"): "write it at the steps inside",
    ("approval", "timeout"): "how long it stays open is approval.expires_in",
    ("set", "timeout"): "it takes no time",
    ("sleep", "timeout"): "it takes as long as it says",
    ("wait_for", "timeout"): "how long it waits is wait_for.timeout",
    ("steps", "timeout"): "write it at the steps inside, or at the workflow",
    **{(kind, "repeatable"): "it is about steps with uses" for kind in _NOUNS if kind != "llm"},
}


def check_kinds(draft: Draft) -> Iterator[Finding]:
    """Words that belong to another kind of step or to another place, and loops beyond what they can do."""
    for group in draft.groups:
        for step in group.steps:
            yield from _words(step)
            yield from _undo(step, group)
            yield from _loop(step)


def _words(step: DraftStep) -> Iterator[Finding]:
    given = [kind for kind in KINDS if kind in step.data]
    if len(given) != 1:
        return
    for (kind, word), advice in _MEANINGLESS.items():
        if kind == given[0] and step.data.get(word) not in (None, {}):
            yield Finding((*step.path, word), f"{_NOUNS[kind]} takes no {word}", advice)


def _undo(step: DraftStep, group: DraftGroup) -> Iterator[Finding]:
    if "undo" not in step.data:
        return
    path = (*step.path, "undo")
    around = (group, *group.around())
    if any(at.kind is GroupKind.ON_FAILURE for at in around):
        yield Finding(path, "what runs after a failure is not undone", "undo belongs to the workflow's own steps")
        return
    for at in around:
        items = _max_items(at)
        if at.holder is not None and items > ITEMS_IN_ONE_RUN:
            message = f"is inside of {at.holder.name}, which may have {items:,} items; items above {ITEMS_IN_ONE_RUN}"
            advice = f"lower max_items to {ITEMS_IN_ONE_RUN}, or put the group into a workflow of its own"
            yield Finding(path, f"{message} run in child runs, which are not undone", advice)


def _max_items(group: DraftGroup) -> int:
    loop = mapping(group.holder.data.get("for_each")) if group.holder is not None else None
    most = (loop or {}).get("max_items")
    return most if isinstance(most, int) else 0


def _loop(step: DraftStep) -> Iterator[Finding]:
    loop = mapping(step.data.get("for_each")) or {}
    items, most = loop.get("items"), loop.get("max_items")
    if isinstance(items, list) and isinstance(most, int) and len(cast("list[Any]", items)) > most:
        count = len(cast("list[Any]", items))
        path = (*step.path, "for_each", "items")
        yield Finding(path, f"has {count} items, and max_items lets {most} pass", f"raise max_items to {count}")
    again = mapping(step.data.get("repeat")) or {}
    until = text(again.get("until"))
    if until is not None and again.get("on_max", "fail") == "fail" and is_always_false(until):
        message = "is always false, so that the step fails after its last pass"
        yield Finding((*step.path, "repeat", "until"), message, "give it a condition, or write on_max: continue")
