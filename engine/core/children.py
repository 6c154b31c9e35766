"""Child runs: their ids, and what starting one takes.

The one rule: all of it follows from the parent's log, so that whoever starts the child, or starts it again after a
crash, starts the same run.
"""

from __future__ import annotations

import hashlib

from pydantic import JsonValue

from engine.core import events as e
from engine.core.state import RunState

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def child_run_id(parent: str, path: str, attempt: int, generation: int, at: int) -> str:
    """An id in the form of all runs' (a ULID, sortable by time), made of where and when the child was asked for."""
    digest = hashlib.sha256(f"{parent}/{path}/{attempt}/{generation}".encode()).digest()
    number = (at & (2**48 - 1)) << 80 | int.from_bytes(digest[:10], "big")
    return "run_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def child_start(parent: RunState, event: e.ChildStarted) -> e.RunStarted:
    """The first event of the child run that ``event`` asks for."""
    started = parent.started
    origin: dict[str, JsonValue] = {"parent": parent.run, "step": event.step}
    return e.RunStarted(
        workspace=started.workspace,
        workflow=event.workflow,
        definition=event.definition,
        input=event.input,
        by=started.by,
        origin=origin,
        priority=started.priority,
        parent=e.Parent(run=parent.run, step=event.step, attempt=event.attempt),
        part=event.part,
        outer=event.outer,
    )
