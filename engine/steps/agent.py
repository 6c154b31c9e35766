"""The step ``agent.turn``: one question of an agent to its model, with all that was said and done before.

The one rule: what a model may still spend is reckoned from what is on record, before it is asked again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.agent_parts import MOST_CALLS
from engine.core.agents import GATE
from engine.core.durations import Duration, format_duration
from engine.core.failures import FailureClass, StepError
from engine.core.money import Money, say_money
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step

LONGEST_RESULT = 40_000
"""Characters of a tool's result that the model is shown."""


class Call(BaseModel):
    """What the model wants done; ``id`` is the provider's."""

    model_config = ConfigDict(frozen=True)

    id: str
    tool: str
    arguments: dict[str, JsonValue] = {}


class Usage(BaseModel):
    """``cached_tokens`` are those of the ``input_tokens`` that the provider had kept from an earlier question."""

    model_config = ConfigDict(frozen=True)

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0


class Answer(BaseModel):
    """What the model gave: a text, a ``value`` where a schema was asked for, calls of tools, and what it took.

    ``cost`` is in US dollars.
    """

    model_config = ConfigDict(frozen=True)

    text: str = ""
    value: JsonValue = None
    calls: list[Call] = []
    usage: Usage = Usage()
    cost: float = 0.0
    finish: str = ""


class Total(BaseModel):
    """Over all turns that were answered; ``since`` is the instant of the first, in epoch milliseconds."""

    model_config = ConfigDict(frozen=True)

    turns: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    since: int = 0


class Turn(Answer):
    """An answer, and what the agent has taken so far."""

    total: Total = Total()


class ToolSpec(BaseModel):
    """What the model is told of a tool: ``parameters`` is a JSON Schema."""

    model_config = ConfigDict(frozen=True)

    name: str
    description: str
    parameters: dict[str, Any]


class Said(BaseModel):
    """One message. The model's has its ``calls``; a tool's has the ``id`` of the call, and whether it ``failed``.

    ``images`` are addresses or data, of a user's.
    """

    model_config = ConfigDict(frozen=True)

    role: Literal["user", "model", "tool"]
    text: str
    calls: list[Call] = []
    id: str = ""
    tool: str = ""
    failed: bool = False
    images: tuple[str, ...] = ()


class Question(BaseModel):
    """One question to a model: ``model`` is ``provider:name``; without ``tools`` it can only answer.

    ``key`` names one of the workspace's keys for the provider; None: the default one.
    """

    model_config = ConfigDict(frozen=True)

    model: str
    system: str = ""
    messages: list[Said]
    tools: list[ToolSpec] = []
    max_tokens: int
    temperature: float | None = None
    output: dict[str, JsonValue] | None = None
    key: str | None = None


class _Pass(BaseModel):
    """What a pass of the agent gave: the answer, and a result for each call."""

    turn: Turn
    calls: list[dict[str, JsonValue]] | None = None


class TurnArguments(BaseModel):
    """As ``engine.core.agent_parts`` pins them, with what all turns have ``spent``, in millionths of a US dollar."""

    model_config = ConfigDict(extra="forbid")

    model: str
    prompt: str
    system: str = ""
    tools: list[ToolSpec] = []
    max_turns: int
    max_tokens: int
    tokens: int | None = None
    time: Duration | None = None
    cost: Money | None = None
    temperature: float | None = None
    output: dict[str, JsonValue] | None = None
    key: str | None = None
    turn: int = Field(ge=1)
    history: list[_Pass] = []
    spent: int = 0


Left = Callable[[], int | None]
"""What a question may cost, in millionths of a US dollar; None: as much as it takes. ``StepError`` if it must not be
asked at all."""
Ask = Callable[[StepContext, Question, Left], Awaitable[Answer]]
"""Asks the model once, as one recorded effect. ``StepError`` for what went wrong.

What is left for it is asked only if there is no answer on record.
"""


def unlimited() -> None:
    """A question may cost as much as it takes: only budgets hold it."""


def agent_turn(ask: Ask) -> StepFunction:
    """The step, over what asks models."""

    @step("agent.turn", opens_keys=True)
    async def turn(ctx: StepContext, args: TurnArguments, /) -> Turn:
        now = round(time.time() * 1_000)
        so_far = args.history[-1].turn.total if args.history else Total(since=now)
        is_last = so_far.turns + 1 >= args.max_turns
        question = Question(
            model=args.model,
            system=args.system,
            messages=messages_of(args, is_last=is_last),
            tools=[] if is_last else args.tools,
            max_tokens=args.max_tokens,
            temperature=args.temperature,
            output=args.output,
            key=args.key,
        )
        answer = await ask(ctx, question, lambda: _check_limits(args, so_far, now))
        if len(answer.calls) > MOST_CALLS:
            words = f"the model asked for {len(answer.calls)} calls at once; {MOST_CALLS} are the most"
            raise StepError(words, FailureClass.INVALID_OUTPUT)
        return Turn(**answer.model_dump(), total=_plus(so_far, answer))

    return turn


def messages_of(args: TurnArguments, *, is_last: bool) -> list[Said]:
    """The whole conversation so far, tools' results and what was denied included."""
    messages = [Said(role="user", text=args.prompt)]
    for past in args.history:
        messages.append(Said(role="model", text=past.turn.text, calls=past.turn.calls))
        messages += _results(past, [tool.name for tool in args.tools])
    if is_last and args.tools and args.history:
        messages.append(Said(role="user", text="No more tools can be called. Give your final answer now."))
    return messages


def _results(past: _Pass, known: list[str]) -> Iterable[Said]:
    for call, result in zip(past.turn.calls, past.calls or [], strict=False):
        text, failed = _result(call, result, known)
        yield Said(role="tool", id=call.id, tool=call.tool, text=text, failed=failed)


def _result(call: Call, result: dict[str, JsonValue], known: list[str]) -> tuple[str, bool]:
    """What the model is told of one call."""
    if call.tool not in known:
        return f"There is no tool {call.tool}. The tools are: {', '.join(known)}.", True
    if result.get("status") != "completed":
        return str(result.get("error") or "it failed").removeprefix(f"{GATE}{call.tool}: "), True
    output = cast("dict[str, JsonValue]", result.get("output") or {}).get(call.tool)
    text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)
    if len(text) > LONGEST_RESULT:
        text = f"{text[:LONGEST_RESULT]} … ({len(text) - LONGEST_RESULT:,} more characters are left out)"
    return text, False


def _check_limits(args: TurnArguments, so_far: Total, now: int) -> int | None:
    """What the next turn may cost, in millionths of a US dollar; None: as much as it takes.

    Raises ``StepError`` if the agent has taken all that it may.
    """
    used = so_far.input_tokens + so_far.output_tokens
    if args.tokens is not None and used >= args.tokens:
        raise _spent(f"it has used {used:,} tokens of the {args.tokens:,} that it may use", so_far)
    if args.time is not None and now - so_far.since >= args.time:
        raise _spent(f"the {format_duration(args.time)} that it may take are over", so_far)
    if args.cost is None:
        return None
    if args.spent >= args.cost:
        raise _spent(f"it has cost {say_money(args.spent)} of the {say_money(args.cost)} that it may cost", so_far)
    return args.cost - args.spent


def _spent(words: str, so_far: Total) -> StepError:
    turns = "1 turn" if so_far.turns == 1 else f"{so_far.turns} turns"
    return StepError(f"the agent has no answer after {turns}, and {words}", FailureClass.PERMANENT)


def _plus(total: Total, answer: Answer) -> Total:
    return Total(
        turns=total.turns + 1,
        input_tokens=total.input_tokens + answer.usage.input_tokens,
        output_tokens=total.output_tokens + answer.usage.output_tokens,
        since=total.since,
    )
