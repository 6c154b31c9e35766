"""Self-correction: a model proposes a changed attempt for one that failed in a way that a change can mend.

The one rule: a correction changes the arguments that the definition names, and nothing else; it is never the attempt
that failed before, and when it helps no more a person is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, NamedTuple, cast

from pydantic import Field, JsonValue, StringConstraints

from engine.core.agents import ModelName
from engine.core.failures import Failure, FailureClass
from engine.core.kinds import Model, Name
from engine.core.money import Money
from engine.core.values import Held
from engine.core.words import listed

CORRECTING_CODE = "llm.correct@1"
CORRECTED = frozenset({FailureClass.INVALID_OUTPUT, FailureClass.INVALID_INPUT})
"""Failures that another attempt with other arguments can mend; all others never reach a model."""
Argument = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class Correct(Model):
    """How a model may mend an attempt whose arguments were refused, or whose result did not fit or failed its check.

    It is told the error, the attempt and what was changed before, and proposes other arguments. When its attempts are
    used up, or it has no other idea, a person decides: retry with their own change, accept, or fail.
    """

    model: ModelName
    """Which model proposes, as ``provider:name``."""
    may_change: tuple[Argument, ...] = Field(min_length=1)
    """The arguments that it may change: of ``llm`` the prompt, the system text, images and the temperature."""
    attempts: int = Field(default=2, ge=1, le=10)
    """How many corrections there may be."""
    max_tokens: int = Field(default=1_000, ge=1, le=100_000)
    """How long one proposal may be, in tokens."""
    cost: Money | None = None
    """What all proposals may cost together; none is asked for that may cost more than is left of it."""
    hint: str = ""
    """What it should know besides."""
    key: Name | None = None
    """Which of the workspace's keys for the provider; unset: the default one."""


class Correction(NamedTuple):
    """How far the correction of a step has come: proposals so far, the arguments that they changed, what was tried.

    ``tried`` are the digests of the attempts; ``told`` is what was seen, changed and why, in words, one for each.
    ``output`` is the last that an attempt gave. ``asked`` is the seq of the question to a person, once one is asked.
    """

    number: int = 0
    changes: Held = None
    tried: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    cost: int = 0
    output: Held = None
    summary: str = ""
    asked: int = 0


class Proposal(NamedTuple):
    """What a model proposes: other arguments, what it has seen, and why; with what asking it cost."""

    changes: dict[str, JsonValue]
    seen: str
    why: str
    cost: int


def proposal_of(output: JsonValue) -> Proposal:
    """Raises ``ValueError`` if it is none, in words."""
    given: Mapping[str, Any] = cast("dict[str, Any]", output) if isinstance(output, dict) else {}
    changes = given.get("changes")
    if not isinstance(changes, dict):
        raise ValueError("the model proposed no change")
    told = [str(given.get(word) or "").strip() for word in ("seen", "why")]
    return Proposal(cast("dict[str, JsonValue]", changes), told[0], told[1], int(given.get("cost") or 0))


def refusal(
    rules: Correct, before: Mapping[str, JsonValue], changes: Mapping[str, JsonValue], tried: Iterable[str]
) -> str | None:
    """Why the changed attempt may not be made; None if it may."""
    strange = sorted(changes.keys() - set(rules.may_change))
    if strange:
        return f"it would change {listed(strange)}; only {listed(rules.may_change)} may be changed"
    if digest_of({**before, **changes}) in tried:
        return "it is the same attempt as one before"
    return None


def digest_of(arguments: Mapping[str, JsonValue]) -> str:
    """What tells one attempt from another."""
    text = json.dumps(dict(arguments), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def is_correctable(failure: Failure) -> bool:
    return failure.cls in CORRECTED
