"""The step ``llm.correct``: what could be done otherwise in an attempt that has failed (``engine.core.corrections``).

The one rule: the model is told what failed and what was tried before, and can answer with other arguments alone.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.failures import FailureClass, StepError
from engine.core.money import micros_of
from engine.steps.agent import Ask, Question, Said
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step

_SYSTEM = """\
A step of a workflow has failed. Propose other arguments with which it may succeed. You are given the arguments of the \
attempt, the error, what the step gave if anything, and what was changed before. You may change only the arguments \
that are named. Do not propose an attempt that was made already. Answer with: seen (what you saw went wrong, one \
sentence), changes (the arguments to change, each with its whole new value), why (why this should help, one sentence).\
"""
LONGEST = 20_000
"""Characters of what the step gave that the model is shown."""


class CorrectArguments(BaseModel):
    """The words of ``correct``, and what they are about (``engine.core.given``)."""

    model_config = ConfigDict(extra="forbid")

    model: str
    may_change: list[str]
    max_tokens: int
    cost: str | None = None
    hint: str = ""
    key: str | None = None
    step: str
    attempt: dict[str, JsonValue]
    failure: dict[str, JsonValue]
    output: JsonValue = None
    before: list[str] = []
    left: int | None = None
    """What is left of ``cost``, in millionths of a US dollar."""


class Proposed(BaseModel):
    """``cost`` of the question in millionths of a US dollar."""

    changes: dict[str, JsonValue]
    seen: str = ""
    why: str = ""
    cost: int = Field(default=0, ge=0)


def llm_correct(ask: Ask) -> StepFunction:
    """The step, over what asks models."""

    @step("llm.correct", opens_keys=True)
    async def correct(ctx: StepContext, args: CorrectArguments, /) -> Proposed:
        question = Question(
            model=args.model,
            system=_SYSTEM + (f"\nThe author says: {args.hint}" if args.hint else ""),
            messages=[Said(role="user", text=_told(args))],
            max_tokens=args.max_tokens,
            output=_schema(args.may_change),
            key=args.key,
        )
        answer = await ask(ctx, question, lambda: args.left)
        if not isinstance(answer.value, dict):
            raise StepError("the model proposed nothing that can be read", FailureClass.INVALID_OUTPUT)
        value = cast("dict[str, Any]", answer.value)
        return Proposed(
            changes=value.get("changes") or {},
            seen=str(value.get("seen") or ""),
            why=str(value.get("why") or ""),
            cost=micros_of(Decimal(str(answer.cost))),
        )

    return correct


def _told(args: CorrectArguments) -> str:
    parts = {
        "step": args.step,
        "may_change": args.may_change,
        "attempt": args.attempt,
        "error": args.failure,
        "gave": _shown(args.output),
        "changed_before": args.before,
    }
    return json.dumps({name: value for name, value in parts.items() if value is not None}, ensure_ascii=False, indent=1)


def _shown(output: JsonValue) -> str | None:
    if output is None:
        return None
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … ({len(text) - LONGEST:,} more characters)"


def _schema(may_change: list[str]) -> dict[str, JsonValue]:
    words: dict[str, JsonValue] = {"type": "string"}
    changes: dict[str, JsonValue] = {
        "type": "object",
        "properties": {name: {} for name in may_change},
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"seen": words, "changes": changes, "why": words},
        "required": ["seen", "changes", "why"],
        "additionalProperties": False,
    }
