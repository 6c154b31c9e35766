"""The author's test kit: a workflow's definition, run in a test on virtual time, with stubs in place of its steps.

    rehearsal = Rehearsal("workflows/publish.yaml", stubs={"git.tag": {"tag": "v1"}})
    run = rehearsal.run(version="v1", decide={"publish": granted_by("Ana", after="20m")})
    assert run.completed and run.outputs["tag"] == {"tag": "v1"}

The one rule: what happens next is decided by the engine's own core; the kit gives it a clock, people and steps.
"""

from engine.testing.rehearsal import Rehearsal
from engine.testing.result import Rehearsed
from engine.testing.script import (
    RehearsalError,
    cancelled_by,
    changes_by,
    delegated_by,
    denied_by,
    edited_by,
    granted_by,
    paused_by,
    redriven_by,
    resumed_by,
    settled_by,
    signal,
    together,
)
from engine.testing.stubs import Called, gives, lost, takes

__all__ = [
    "Called",
    "Rehearsal",
    "RehearsalError",
    "Rehearsed",
    "cancelled_by",
    "changes_by",
    "delegated_by",
    "denied_by",
    "edited_by",
    "gives",
    "granted_by",
    "lost",
    "paused_by",
    "redriven_by",
    "resumed_by",
    "settled_by",
    "signal",
    "takes",
    "together",
]
