"""What a model gave, as it is kept on record; and what of it fits.

The one rule: what came is recorded before it is judged, so that an answer that does not fit can be looked at, and is
paid for once.
"""

from __future__ import annotations

import json
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, JsonValue

from engine.core.failures import FailureClass, StepError
from engine.core.jsonschemas import misfit
from engine.steps.agent import Answer, Call, Question, Usage

CUT_OFF = "length"
"""The finish of an answer that reached ``max_tokens``."""
LONGEST_QUOTE = 200


class RawCall(BaseModel):
    """A call of a tool as the model wrote it: ``arguments`` ought to be JSON."""

    model_config = ConfigDict(frozen=True)

    id: str
    tool: str
    arguments: str


class Reply(BaseModel):
    """``given`` is what ought to be the value, as the model wrote it. ``cost`` is in millionths of a US dollar."""

    model_config = ConfigDict(frozen=True)

    model: str
    text: str = ""
    given: str | None = None
    calls: list[RawCall] = []
    usage: Usage = Usage()
    cost: int = 0
    finish: str = ""

    def answer(self, question: Question) -> Answer:
        """The answer to ``question``. ``StepError`` INVALID_OUTPUT, in words, where it does not fit."""
        calls = [Call(id=one.id, tool=one.tool, arguments=self._arguments(one)) for one in self.calls]
        wanted = question.output if not calls else None
        return Answer(
            text=self.text,
            value=None if wanted is None else self._value(wanted, question.max_tokens),
            calls=calls,
            usage=self.usage,
            cost=self.cost / 1_000_000,
            finish=self.finish if calls or self.given is None else "stop",
        )

    def _value(self, schema: dict[str, JsonValue], max_tokens: int) -> JsonValue:
        if self.finish == CUT_OFF:
            raise self._unfit(f"its answer was cut off at max_tokens ({max_tokens:,})")
        written = self.text if self.given is None else self.given
        try:
            value: JsonValue = json.loads(written)
        except ValueError as error:
            what = "wrote a text where JSON was asked for" if self.given is None else "wrote JSON that cannot be read"
            raise self._unfit(f"it {what} ({error}): {_quote(written)}") from None
        if (why := misfit(value, schema)) is not None:
            raise self._unfit(f"its answer does not fit the schema: {why}")
        return value

    def _arguments(self, call: RawCall) -> dict[str, Any]:
        try:
            value: object = json.loads(call.arguments or "{}")
        except ValueError as error:
            words = f"it called {call.tool} with arguments that are no JSON ({error}): {_quote(call.arguments)}"
            raise self._unfit(words) from None
        if not isinstance(value, dict):
            raise self._unfit(f"it called {call.tool} with arguments that have no names: {_quote(call.arguments)}")
        return cast("dict[str, Any]", value)

    def _unfit(self, words: str) -> StepError:
        return StepError(f"{self.model}: {words}", FailureClass.INVALID_OUTPUT)


def _quote(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
