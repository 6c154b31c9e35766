"""The step ``llm``: one question to a model, as ``engine.core.models`` has it written.

The one rule: it says nothing to a model that the definition does not say.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.checks.models import PROVIDERS
from engine.core.models import LLM, SHAPES, Llm
from engine.steps.agent import Ask, Question, Said, Usage, unlimited
from engine.steps.context import StepContext
from engine.steps.models.config import Models
from engine.steps.registry import StepFunction, step


class LlmArguments(Llm):
    """The same words, once their expressions have values."""


class LlmAnswer(BaseModel):
    """``value`` is there where a schema was asked for. ``cost`` is in US dollars."""

    model_config = ConfigDict(frozen=True)

    text: str
    value: JsonValue = None
    model: str
    usage: Usage
    cost: float = Field(ge=0)
    finish: str
    """Why the answer ended: ``stop``, or ``length`` where max_tokens was reached."""


def llm_step(ask: Ask, models: Models) -> StepFunction:
    """The step, over what asks models. For whoever checks definitions its schema has the providers and the shapes."""

    @step(LLM, opens_keys=True)
    async def llm(ctx: StepContext, args: LlmArguments, /) -> LlmAnswer:
        question = Question(
            model=args.model,
            system=args.system,
            messages=[Said(role="user", text=args.prompt, images=args.images)],
            max_tokens=args.max_tokens,
            temperature=args.temperature,
            output=models.schema_of(args.output),
            key=args.key,
        )
        answer = await ask(ctx, question, unlimited)
        return LlmAnswer(
            text=answer.text,
            value=answer.value,
            model=args.model,
            usage=answer.usage,
            cost=answer.cost,
            finish=answer.finish,
        )

    llm.schema["properties"]["model"][PROVIDERS] = sorted(models.providers)
    llm.schema["properties"]["output"][SHAPES] = {name: shape.schema for name, shape in models.shapes.items()}
    return llm
