"""What a workflow is: the models that YAML and Python both become, and the snapshot that a run is pinned to.

The one rule: a definition is data. Everything here can be hashed, drawn and checked without running anything. What the
kinds of step are made of is in ``engine.core.kinds``.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, model_validator

from engine.core.agents import Agent
from engine.core.approval import Approval
from engine.core.corrections import Correct
from engine.core.durations import Duration
from engine.core.kinds import (
    Budget,
    Call,
    Concurrency,
    ForEach,
    InputField,
    Model,
    Name,
    Priority,
    Repeat,
    Retry,
    Schedule,
    Sleep,
    Undo,
    Uses,
    WaitFor,
    Who,
)
from engine.core.models import LLM, Llm

DEFAULT_TIMEOUT = 600_000
KINDS = ("uses", "llm", "agent", "approval", "set", "sleep", "wait_for", "workflow", "steps")


class Step(Model):
    """One node of the graph. What it does is said by exactly one of: ``uses``, ``llm``, ``agent``, ``approval``,
    ``set``, ``sleep``, ``wait_for``, ``workflow``, or ``steps`` with ``for_each`` or ``repeat``.

    Without ``needs`` it follows the step before it, whether that ran or was skipped. With ``needs`` it waits for those,
    and is skipped if all of them were skipped.
    """

    id: Name
    """Its name, unique in its group; expressions refer to it."""
    uses: Uses | None = None
    """The step's code, by name or by name and version; without one, the latest when the definition is loaded."""
    with_: dict[str, JsonValue] = Field(default={}, alias="with")
    """The arguments of ``uses``, with expressions anywhere in them."""
    llm: Llm | None = None
    """One question to a model."""
    agent: Agent | None = None
    """A model that calls tools until it has an answer."""
    approval: Approval | None = None
    """A gate: people decide."""
    set_: dict[Name, JsonValue] | None = Field(default=None, alias="set", min_length=1)
    """Values by expression; they are the step's output."""
    sleep: Sleep | None = None
    """A durable pause."""
    wait_for: WaitFor | None = None
    """Waits for a signal from outside."""
    workflow: Call | None = None
    """Runs another workflow as a child."""
    steps: tuple[Step, ...] | None = Field(default=None, min_length=1)
    """The group that ``for_each`` runs once for each item, or ``repeat`` again and again."""
    for_each: ForEach | None = None
    """Once for each item, with ``uses``, ``llm``, ``workflow`` or ``steps``."""
    repeat: Repeat | None = None
    """Again and again until a condition holds, with ``steps``."""
    needs: tuple[Name, ...] | None = None
    """The steps of the same group that it waits for; ``[]`` for none. Unset: the step before it."""
    if_: str | None = Field(default=None, alias="if")
    """The step is skipped unless this condition holds; of a loop it is asked once, before the first item or pass."""
    retry: Retry = Retry()
    """How often ``uses`` and ``llm`` are tried."""
    timeout: Duration = Field(default=DEFAULT_TIMEOUT, gt=0)
    """How long one attempt may take."""
    continue_on_error: bool = False
    """Whether the run goes on if this step fails; what follows sees its status as ``failed``."""
    repeatable: bool | None = None
    """Whether an attempt of unknown outcome may be made again; False asks a person first. Unset: as its code says."""
    check: str | None = None
    """A condition that its result must fulfil, such as ``size(steps.notes.output.text) < 500``; else it has failed."""
    correct: Correct | None = None
    """How a model may mend an attempt whose arguments were refused, or whose result did not fit or fulfil ``check``."""
    undo: Undo | None = None
    """What compensates this step, once it has completed, when the run fails or is cancelled later on."""

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        given = [kind for kind in KINDS if getattr(self, "set_" if kind == "set" else kind) is not None]
        if given == ["agent", "steps"] and self.repeat is not None:
            return self  # as it is pinned
        if given == ["uses", LLM] and str(self.uses).startswith(f"{LLM}@"):
            given = ["uses"]  # as it is pinned
        if len(given) != 1:
            raise ValueError(f"a step has exactly one of: {', '.join(KINDS)}")
        if self.steps is not None and (self.for_each is None) == (self.repeat is None):
            raise ValueError("steps inside a step go with for_each or with repeat; give one of the two")
        if self.repeat is not None and self.steps is None:
            raise ValueError("repeat goes with steps: the group that is repeated")
        if self.for_each is not None and given[0] not in ("uses", LLM, "workflow", "steps"):
            raise ValueError(
                f"for_each goes with uses, llm, workflow or steps, not with {given[0]}; put it into a group of steps"
            )
        if given[0] not in ("uses", LLM) and (self.check is not None or self.correct is not None):
            raise ValueError("check and correct belong to a step with uses or llm")
        if self.undo is not None and (given[0] not in ("uses", "workflow") or self.for_each is not None):
            raise ValueError(
                "undo belongs to a single step with uses or workflow; inside a group each step has its own"
            )
        return self


def _version_1_unless_given(value: object) -> object:
    return 1 if value is None else value


class Workflow(Model):
    """A whole definition, which a run keeps for as long as it lives."""

    name: Name
    """The name by which people start it."""
    description: str = ""
    """One sentence that people see when they choose."""
    input: dict[Name, InputField] = Field(default={})
    """What a run is started with, by name."""
    steps: tuple[Step, ...] = Field(min_length=1)
    """What it does."""
    on_failure: tuple[Step, ...] = ()
    """Steps that run after the run has failed, and after what is undone; they see ``failure``."""
    output: JsonValue = None
    """What the run gives, by expressions over its steps."""
    timeout: Duration | None = Field(default=None, gt=0)
    """How long the run may take in all, waits for people included."""
    labels: dict[Name, Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(default={})
    """What its runs can be found by; expressions see the input alone."""
    concurrency: Concurrency | None = None
    """How many runs go on at a time."""
    budget: Budget | None = None
    """What one run may spend."""
    priority: Priority = Priority.NORMAL
    """Whose turn it is where runs wait in line."""
    schedule: tuple[Schedule, ...] = ()
    """Starts by the clock."""
    who_can_run: tuple[Who, ...] | None = Field(default=None, min_length=1)
    """Only these people may start it, in place of all who have the role runner: groups, people, channels, roles."""
    language: Annotated[Literal[1], BeforeValidator(_version_1_unless_given)] = 1
    """Version of the definition language, kept in the snapshot so that later readers know what its words mean."""

    @cached_property
    def snapshot(self) -> str:
        """Canonical JSON: sorted keys, no spaces. Reading it back gives an equal workflow.

        Defaults are written out, so that a later release with other defaults does not change what a pinned run does.
        """
        data: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @cached_property
    def hash(self) -> str:
        """sha256 of the snapshot, in hex: the name under which the store keeps it."""
        return hashlib.sha256(self.snapshot.encode()).hexdigest()
