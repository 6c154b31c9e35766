"""One request to a provider, over the SDKs that pydantic-ai speaks with.

The one rule: one call here is one request on the wire, or none. Neither the SDKs nor pydantic-ai try again: the engine
does, and keeps count.
"""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from engine.core.failures import FailureClass, StepError
from engine.steps.agent import Question, Said, Usage
from engine.steps.models.config import Provider, Wire
from engine.steps.models.replies import RawCall, Reply
from engine.steps.models.trouble import trouble

if TYPE_CHECKING:
    from pydantic_ai.messages import ImageUrl, ModelMessage, ModelResponse, ModelResponseStreamEvent, UserContent
    from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
    from pydantic_ai.settings import ModelSettings

CONNECT_S = 10.0
ANSWER = "final_answer"
"""The tool by which a model gives a value that has to fit a schema."""
_NO_KEY = "none"
"""What a server of the operator's own is given that asks for no key: the SDKs insist on one."""

Progress = Callable[[int], Awaitable[None]]
"""Told how many characters the model has written so far."""


async def request(
    provider: Provider, question: Question, key: str | None, *, sent_as: str, idle: float, progress: Progress
) -> Reply:
    """Ask once, and read the answer as it comes; ``sent_as`` is its idempotency key.

    ``idle``: seconds that it may stand still. ``StepError`` or ``NotYet`` for what went wrong, without the key.
    """
    try:
        await asyncio.to_thread(load_sdks)
        # A model that takes no temperature is asked without; what else the library warns of, tests are to see.
        warnings.filterwarnings("ignore", message="Sampling parameters", category=UserWarning)
        async with AsyncExitStack() as stack:
            model = await stack.enter_async_context(_model(provider, question.model.partition(":")[2], key, idle))
            stream = await stack.enter_async_context(_opened(model, question, sent_as, idle))
            written, events = 0, aiter(stream)
            while (event := await _next(events, idle)) is not None:
                if (more := _characters(event)) > 0:
                    written += more
                    await progress(written)
            return _reply(question, stream.get())
    except StepError:
        raise
    except TimeoutError:
        words = f"{provider.name} stopped within its answer: nothing came for {idle:g} s"
        raise StepError(words, FailureClass.TIMEOUT) from None
    except Exception as error:  # noqa: BLE001 - the SDKs' errors are many; each becomes a failure in our words
        raise trouble(error, provider.name, question.model, key) from None


def load_sdks() -> None:
    """Import what takes seconds, in a thread: what else the process does goes on."""
    for module in ("pydantic_ai.direct", "pydantic_ai.models.anthropic", "pydantic_ai.models.openai"):
        import_module(module)


async def _next(events: Any, idle: float) -> ModelResponseStreamEvent | None:
    async with asyncio.timeout(idle):
        return await anext(events, None)


@asynccontextmanager
async def _opened(model: Model, question: Question, sent_as: str, idle: float) -> AsyncGenerator[StreamedResponse]:
    """The answer as it comes, once its first part is there."""
    from pydantic_ai.direct import model_request_stream

    settings, parameters = _settings(question, sent_as), _parameters(question)
    opening = model_request_stream(
        model, _messages(question), model_settings=settings, model_request_parameters=parameters
    )
    async with asyncio.timeout(idle) as within, opening as stream:
        within.reschedule(None)
        yield stream


@asynccontextmanager
async def _model(provider: Provider, name: str, key: str | None, idle: float) -> AsyncGenerator[Model]:
    """A client of its own for each request: the key lives as long as that."""
    import httpx2

    given = key or _NO_KEY
    timeout = httpx2.Timeout(idle, connect=CONNECT_S)
    if provider.wire is Wire.ANTHROPIC:
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        async with AsyncAnthropic(api_key=given, base_url=provider.url, max_retries=0, timeout=timeout) as client:
            yield AnthropicModel(name, provider=AnthropicProvider(anthropic_client=client))
        return
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with AsyncOpenAI(api_key=given, base_url=provider.url, max_retries=0, timeout=timeout) as client:
        yield OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client))


def _settings(question: Question, sent_as: str) -> ModelSettings:
    settings: ModelSettings = {"max_tokens": question.max_tokens, "extra_headers": {"Idempotency-Key": sent_as}}
    if question.temperature is not None:
        settings["temperature"] = question.temperature
    return settings


def _parameters(question: Question) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    tools = [
        ToolDefinition(
            name=tool.name, description=tool.description, parameters_json_schema=tool.parameters, strict=False
        )
        for tool in question.tools
    ]
    if question.output is None:
        return ModelRequestParameters(function_tools=tools)
    answer = ToolDefinition(
        name=ANSWER,
        description="Give the final answer.",
        parameters_json_schema=dict(question.output),
        kind="output",
        strict=False,
    )
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[answer], allow_text_output=False
    )


def _messages(question: Question) -> list[ModelMessage]:
    from pydantic_ai.messages import ModelRequest, ModelResponse, TextPart, ToolCallPart

    messages: list[ModelMessage] = []
    for said in question.messages:
        if said.role == "model":
            parts = [TextPart(said.text)] if said.text else []
            calls = [ToolCallPart(call.tool, call.arguments, tool_call_id=call.id) for call in said.calls]
            messages.append(ModelResponse([*parts, *calls]))
            continue
        last = messages[-1] if messages else None
        if isinstance(last, ModelRequest):
            messages[-1] = ModelRequest([*last.parts, _part(said)], instructions=question.system or None)
        else:
            messages.append(ModelRequest([_part(said)], instructions=question.system or None))
    return messages


def _part(said: Said) -> Any:
    from pydantic_ai.messages import ToolReturnPart, UserPromptPart

    if said.role == "tool":
        outcome = "failed" if said.failed else "success"
        return ToolReturnPart(said.tool, said.text, tool_call_id=said.id, outcome=outcome)
    shown: list[UserContent] = [_image(image) for image in said.images]
    return UserPromptPart([said.text, *shown] if shown else said.text)


def _image(image: str) -> ImageUrl | UserContent:
    """An address is given to the provider, which fetches it; nothing is fetched from here."""
    from pydantic_ai.messages import BinaryContent, ImageUrl

    if image.startswith("data:"):
        try:
            return BinaryContent.from_data_uri(image)
        except ValueError:
            raise StepError(
                "an image's data must be written as data:image/png;base64,…", FailureClass.INVALID_INPUT
            ) from None
    if not image.startswith("https://"):
        raise StepError("an image is an address with https, or its data", FailureClass.INVALID_INPUT)
    return ImageUrl(image)


def _characters(event: ModelResponseStreamEvent) -> int:
    from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta, ToolCallPartDelta

    match event:
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return len(text)
        case PartDeltaEvent(delta=ToolCallPartDelta(args_delta=str() as text)):
            return len(text)
        case _:
            return 0


def _reply(question: Question, response: ModelResponse) -> Reply:
    from pydantic_ai.messages import TextPart, ToolCallPart

    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    given = next(
        (_written(part.args) for part in calls if question.output is not None and part.tool_name == ANSWER), None
    )
    return Reply(
        model=question.model,
        text="".join(part.content for part in response.parts if isinstance(part, TextPart)),
        given=given,
        calls=[
            RawCall(id=part.tool_call_id, tool=part.tool_name, arguments=_written(part.args))
            for part in calls
            if given is None
        ],
        usage=Usage(
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            cached_tokens=response.usage.cache_read_tokens,
        ),
        finish=response.finish_reason or "",
    )


def _written(arguments: object) -> str:
    """As the model wrote them; one SDK reads them by itself."""
    return arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
