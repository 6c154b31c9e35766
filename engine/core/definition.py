"""What a workflow is: the models that YAML and Python both become, and the snapshot that a run is pinned to.

The one rule: a definition is data. Everything here can be hashed, drawn and checked without running anything.
"""

from __future__ import annotations

import hashlib
import json
import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from engine.core.durations import Duration

NAME = r"[a-z][a-z0-9_-]{0,62}"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
Uses = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(@[1-9][0-9]*)?$")]
Who = Annotated[str, StringConstraints(pattern=r"^[@#][^\s@#]{1,80}$")]

DEFAULT_TIMEOUT = 600_000


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class InputType(StrEnum):
    STRING = "string"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"


class InputField(_Model):
    """One input of a workflow. Without a ``default`` it is required, unless ``required: false``."""

    type: InputType = InputType.STRING
    description: str = ""
    default: JsonValue = None
    required: bool | None = None
    pattern: str | None = None
    choices: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None

    @property
    def is_required(self) -> bool:
        return self.default is None if self.required is None else self.required

    @model_validator(mode="after")
    def _consistent(self) -> InputField:
        if self.pattern is not None:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(f"pattern is not a regular expression: {error}") from None
        if (self.type is InputType.CHOICE) != bool(self.choices):
            raise ValueError("choices and type: choice go together; give both or neither")
        return self


class Retry(_Model):
    """How often a step is tried in all, and how the pauses between the tries grow (exponentially, with full jitter)."""

    attempts: int = Field(default=1, ge=1, le=100)
    initial: Duration = 1_000
    max: Duration = 30_000
    factor: float = Field(default=2.0, ge=1.0, le=10.0)


class Rung(_Model):
    """One rung of an escalation ladder: ``after`` this long since the request, ``to`` is asked too."""

    after: Duration = Field(gt=0)
    to: Who


class OnExpiry(StrEnum):
    DENY = "deny"
    APPROVE = "approve"
    FAIL = "fail"


class Approval(_Model):
    """A gate: the run waits until one of ``approvers`` (or of those it has escalated to) decides, or it expires."""

    title: str = Field(min_length=1, max_length=200)
    show: dict[str, JsonValue] = {}
    approvers: tuple[Who, ...] = Field(min_length=1)
    expires_in: Duration = Field(default=86_400_000, gt=0)
    on_expiry: OnExpiry = OnExpiry.DENY
    remind_every: Duration | None = None
    escalate: tuple[Rung, ...] = ()
    allow_self: bool = True
    """Whether the person who started the run may decide."""

    @model_validator(mode="after")
    def _ladder_fits(self) -> Approval:
        late = [rung for rung in self.escalate if rung.after >= self.expires_in]
        if late:
            raise ValueError(f"the rung to {late[0].to} comes after the gate expires; raise expires_in or lower after")
        if list(self.escalate) != sorted(self.escalate, key=lambda rung: rung.after):
            raise ValueError("escalate must be in order of time, the earliest rung first")
        if self.remind_every is not None and self.remind_every < 10_000:
            raise ValueError("remind_every must be at least 10s")
        return self


class Step(_Model):
    """One node of the graph: a call of a registered step (``uses``) or a gate (``approval``).

    Without ``needs`` it follows the step before it, whether that ran or was skipped. With ``needs`` it waits for those,
    and is skipped if all of them were skipped.
    """

    id: Name
    uses: Uses | None = None
    with_: dict[str, JsonValue] = Field(default={}, alias="with")
    approval: Approval | None = None
    needs: tuple[Name, ...] | None = None
    if_: str | None = Field(default=None, alias="if")
    retry: Retry = Retry()
    timeout: Duration = Field(default=DEFAULT_TIMEOUT, gt=0)

    @model_validator(mode="after")
    def _one_kind(self) -> Step:
        if (self.uses is None) == (self.approval is None):
            raise ValueError("a step has exactly one of: uses, approval")
        return self


def _version_1_unless_given(value: object) -> object:
    return 1 if value is None else value


class Workflow(_Model):
    """A whole definition. ``snapshot`` is its canonical JSON; ``hash`` names that content for ever."""

    name: Name
    description: str = ""
    input: dict[Name, InputField] = {}
    steps: tuple[Step, ...] = Field(min_length=1)
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
