"""Agents: a model that calls tools until it has an answer, as a loop of steps that the engine runs.

The one rule: an agent is nothing that the engine does not know already. When its definition is pinned it becomes a
``repeat`` of two steps: ``turn``, which asks the model once, and ``calls``, a for_each over what the model asked for,
in which each tool is a step of its own, behind a gate if it takes one. So every turn and every call is on record,
retried, approved and gone on with as any other step is.

    research#3/turn                     the third question to the model
    research#3/calls[0]/approve_tag     a person decides on the first call of its answer
    research#3/calls[0]/tag             the call itself
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, cast

from pydantic import BeforeValidator, Field, JsonValue, StringConstraints, model_validator

from engine.core.approval import Asked, OnExpiry, Quorum, Rung
from engine.core.durations import Duration
from engine.core.kinds import Model, Name, Retry, Uses
from engine.core.money import Money

REQUIRED = "required"
"""The short form of a tool's ``approval``."""
TURN, CALLS, GATE = "turn", "calls", "approve_"
ModelName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*:\S{1,200}$")]
"""``provider:model``."""
SHAPE_NAME = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
ShapeName = Annotated[str, StringConstraints(pattern=SHAPE_NAME, max_length=100)]


def _is_output(value: object) -> object:
    """Said here, in one sentence: a union tells what is wrong with each of its sides."""
    if isinstance(value, dict) or (isinstance(value, str) and re.match(SHAPE_NAME, value)):
        return cast("object", value)
    raise ValueError("must be a JSON Schema, or the name of a shape such as billing.invoice")


Output = Annotated[dict[str, JsonValue] | ShapeName, BeforeValidator(_is_output)]
"""What an answer must fit: a JSON Schema, or the name of a pydantic model in Python of the operator's own."""


class ToolApproval(Model):
    """The gate before each call of a tool. It shows the arguments, which whoever may approve can change before that.

    The model is told why a call was denied.
    """

    approvers: tuple[Asked, ...] = Field(default=("role:approver",), min_length=1)
    """Who may decide, as for any gate."""
    quorum: Quorum = "any"
    """How many of them must approve."""
    allow_self: bool = False
    """Whether the person who started the run may decide."""
    expires_in: Duration = Field(default=86_400_000, gt=0)
    """How long it stays open."""
    on_expiry: Literal[OnExpiry.DENY, OnExpiry.WAIT] = OnExpiry.DENY
    """What happens if nobody has decided by then."""
    escalate: tuple[Rung, ...] = ()
    """Who else is asked, and after how long."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        return {} if value == REQUIRED else value


class Tool(Model):
    """Something that the model may call: the code of a step, or another workflow as a child run."""

    uses: Uses | None = None
    """The step's code."""
    workflow: Name | None = None
    """The workflow's name."""
    name: Name | None = None
    """What the model calls it; unset: the name of the code or the workflow, with _ for dots."""
    description: str = Field(min_length=1, max_length=1_000)
    """What it does and when to use it, for the model."""
    with_: dict[str, JsonValue] = Field(default={}, alias="with")
    """Arguments that the model cannot choose, and is not told of."""
    approval: ToolApproval | None = None
    """Whether a person decides on each call: ``required`` for those with the role approver, or who and how."""
    retry: Retry = Retry()
    """How often a call is tried; the model is told of what fails in the end."""

    @property
    def called(self) -> str:
        """The name by which the model calls it."""
        return self.name or self.workflow or (self.uses or "").partition("@")[0].replace(".", "_")

    @model_validator(mode="after")
    def _one_of(self) -> Tool:
        if (self.uses is None) == (self.workflow is None):
            raise ValueError("a tool has either uses or workflow")
        if self.called in (TURN, CALLS) or self.called.startswith(GATE):
            raise ValueError(f"a tool cannot be called {self.called}; give it another name")
        return self


class Agent(Model):
    """A model that is asked again and again, with the results of the tools that it called, until it answers.

    The output is ``{"text", "value", "turns", "usage", "cost"}``; ``value`` is there with ``output``, and ``cost`` is
    in US dollars. Every turn is a step that is tried as the step's ``retry`` says, each within its ``timeout``.
    """

    model: ModelName
    """Which model, as ``provider:name``."""
    prompt: Annotated[str, StringConstraints(min_length=1)]
    """What it is to do, with expressions."""
    system: str = ""
    """What it is told before."""
    tools: tuple[Tool, ...] = Field(default=(), max_length=64)
    """What it may call."""
    max_turns: int = Field(ge=1, le=100)
    """How often it is asked; in the last turn it has no tools, and must answer."""
    max_tokens: int = Field(ge=1, le=1_000_000)
    """How long one answer may be, in tokens."""
    tokens: int | None = Field(default=None, ge=1)
    """How many tokens all turns that are answered may take together; no turn begins after that."""
    time: Duration | None = Field(default=None, gt=0)
    """How long it may take, from its first turn on, waits for people included; no turn begins after that."""
    cost: Money | None = None
    """What all turns may cost together, such as ``0.50 USD``; no turn begins that may cost more than is left of it.

    One without an answer counts as well, as what it may have cost.
    """
    temperature: float | None = Field(default=None, ge=0, le=2)
    """How free it is."""
    output: Output | None = None
    """A JSON Schema that its answer must fit, or the name of a shape."""
    key: Name | None = None
    """Which of the workspace's keys for the provider; unset: the default one."""

    @model_validator(mode="after")
    def _names(self) -> Agent:
        names = [tool.called for tool in self.tools]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tools are called {name}; give one of them another name")
        return self
