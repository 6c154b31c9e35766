"""Child runs: their ids, and what starting one takes.

The one rule: all of it follows from the parent's log, so that whoever starts the child, or starts it again after a
crash, starts the same run.
"""

from __future__ import annotations

import hashlib

from pydantic import JsonValue

from engine.core import events as e
from engine.core.spending import scopes
from engine.core.starting import Terms, terms
from engine.core.state import RunState

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def child_run_id(parent: str, path: str, attempt: int, generation: int, at: int) -> str:
    """An id in the form of all runs' (a ULID, sortable by time), made of where and when the child was asked for."""
    digest = hashlib.sha256(f"{parent}/{path}/{attempt}/{generation}".encode()).digest()
    number = (at & (2**48 - 1)) << 80 | int.from_bytes(digest[:10], "big")
    return "run_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def child_start(parent: RunState, event: e.ChildStarted) -> e.RunStarted:
    """The first event of the child run that ``event`` asks for.

    It is as urgent as its parent. For a key that one of the runs around it is in line for, it goes on in that run's
    place: otherwise each would wait for the other.
    """
    started = parent.started
    called = parent.plan.children.get(event.definition) if event.part is None else None
    labels, _, line = terms(called.workflow, event.input) if called is not None else Terms({}, 1, None)
    around = started.keys_around + (() if started.concurrency is None else (started.concurrency.key,))
    origin: dict[str, JsonValue] = {"parent": parent.run, "step": event.step}
    return e.RunStarted(
        workspace=started.workspace,
        workflow=event.workflow,
        definition=event.definition,
        input=event.input,
        by=started.by,
        origin=origin,
        labels=labels,
        priority=started.priority,
        concurrency=None if line is not None and line.key in around else line,
        parent=e.Parent(run=parent.run, step=event.step, attempt=event.attempt),
        part=event.part,
        outer=event.outer,
        keys_around=around,
        charged_around=scopes(parent.run, started),
        timezone=started.timezone,
    )


def is_stopped_along(child: RunState) -> bool:
    """Whether the child was cancelled for no other reason than that its parent was stopping."""
    return child.cancel is not None and child.cancel.order is not None
