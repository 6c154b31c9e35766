"""Asking a model, as a step does: within the limits, with a key, on the budgets, once, and on record.

The one rule: one attempt asks at most once. What an earlier attempt was given is used again if it fits, whatever has
become of its price, budget, pace or key since; if it does not, it is asked for anew, under another name.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count

from pydantic import JsonValue

from engine.core.failures import FailureClass, NotYet, StepError
from engine.core.jsonschemas import size_in_tokens
from engine.core.keys import switch_of
from engine.core.models import image_tokens
from engine.core.money import Micros, say_money
from engine.core.spending import Spend
from engine.core.words import did_you_mean
from engine.prices import UnknownPrice, advice
from engine.steps.agent import Answer, Ask, Left, Question, Usage
from engine.steps.context import Paid, StepContext, Unsent
from engine.steps.models import local
from engine.steps.models.config import Asker, Models, Pace, Provider, Wire
from engine.steps.models.replies import Reply
from engine.steps.models.trouble import LimitReached

EFFECT = "request"
TELL_EVERY_S = 5.0
PER_MESSAGE = 50
"""Tokens that a provider may count for a message or a tool besides what is in it."""
PER_REQUEST = 1_000
_LIKELY_BYTES_PER_TOKEN = 3


def asker(models: Models, pace: Pace) -> Ask:
    """What asks the models that there are here."""

    async def ask(ctx: StepContext, question: Question, left: Left) -> Answer:
        for number in count(1):
            effect = EFFECT if number == 1 else f"{EFFECT}-{number}"
            known = await ctx.recorded(effect)
            if known is None:
                request = _Request(models, pace, provider_of(question.model, models), question, ctx)
                return _answer(await request.made(effect, left()), question, models)
            with suppress(StepError):
                return _answer(known.result, question, models)
        raise AssertionError("never reached")

    return ask


def _answer(made: JsonValue, question: Question, models: Models) -> Answer:
    """What is on record, as the answer. ``StepError`` INVALID_OUTPUT where it does not fit."""
    answer = Reply.model_validate(made).answer(question)
    if question.output is None or answer.calls:
        return answer
    if (why := models.unfit(answer.value, question.output)) is not None:
        words = f"{question.model}: its answer does not fit its shape: {why}"
        raise StepError(words, FailureClass.INVALID_OUTPUT)
    return answer


def provider_of(model: str, models: Models) -> Provider:
    """Who has the model. ``StepError`` INVALID_INPUT for one that is not known here."""
    name, _, rest = model.partition(":")
    provider = models.providers.get(name)
    if provider is None:
        advice = did_you_mean(name, sorted(models.providers))
        raise StepError(f"there is no provider {name} here; {advice}", FailureClass.INVALID_INPUT)
    if provider.wire is Wire.LOCAL and rest not in local.MODELS:
        raise StepError(
            f"there is no local model {rest}; {did_you_mean(rest, sorted(local.MODELS))}", FailureClass.INVALID_INPUT
        )
    return provider


def most_tokens(question: Question) -> int:
    """More than any provider counts for what is asked: a token is a byte at least, an image as many as it may be."""
    said = [message.model_dump(mode="json", exclude={"images"}) for message in question.messages]
    tools = [tool.model_dump(mode="json") for tool in question.tools]
    images = sum(len(message.images) for message in question.messages)
    written = size_in_tokens(question.system, said, tools, question.output)
    shown = image_tokens(question.model) * images
    return written + shown + PER_MESSAGE * (len(said) + len(tools)) + PER_REQUEST


class _Request:
    """One question of one attempt."""

    def __init__(self, models: Models, pace: Pace, provider: Provider, question: Question, ctx: StepContext) -> None:
        self._models = models
        self._pace = pace
        self._provider = provider
        self._question = question
        self._ctx = ctx
        self._bound = most_tokens(question)
        self._prices = models.prices
        self._asker = Asker(ctx.workspace, provider.name)
        self._told_at = time.monotonic()

    async def made(self, effect: str, left: Micros | None) -> JsonValue:
        """The reply as it is on record. The question is not asked if it may cost more than is ``left`` for it."""
        self._prices = self._models.prices.within(await self._ctx.own_prices())
        spend = self._spend(left)
        provider = self._provider.name
        key = await self._ctx.chosen_key(provider, self._question.key) if self._opens_key else None
        self._asker = Asker(self._ctx.workspace, provider, "" if key is None else key.id)
        await self._wait_for_turn()
        under = () if key is None else (switch_of(provider, key.name),)
        return await self._ctx.effect(effect, self._send, spend=spend, under=under)

    def _spend(self, left: Micros | None) -> Spend:
        """The most that it can cost. The answer is reckoned at the same prices, whatever is set meanwhile."""
        model = self._question.model
        try:
            worst = self._prices.cost(model, self._bound, self._question.max_tokens)
            spend = Spend(worst, model, self._provider.name, self._prices.at(model))
        except UnknownPrice as error:
            raise StepError(f"{error}; {advice(model)}", FailureClass.INVALID_INPUT) from None
        if left is not None and worst > left:
            words = f"the question may cost {say_money(worst)}, and {say_money(left)} is left for it"
            raise StepError(words, FailureClass.PERMANENT)
        return spend

    async def _wait_for_turn(self) -> None:
        likely = self._bound // _LIKELY_BYTES_PER_TOKEN + self._question.max_tokens
        name = self._question.model.partition(":")[2]
        wait = await self._pace.admit(self._asker, name, likely)
        if wait is not None:
            raise NotYet(wait.words, wait.ms)

    async def _send(self, sent_as: str) -> Paid:
        if self._provider.wire is Wire.LOCAL:
            await self._ctx.log(f"asks {self._question.model}, which is a local model: no provider is asked")
            return self._paid(local.MODELS[self._question.model.partition(":")[2]](self._question))
        from engine.steps.models.wire import request  # not above: the SDKs take long to import

        try:
            async with self._key() as key:
                reply = await request(
                    self._provider,
                    self._question,
                    key,
                    sent_as=sent_as,
                    idle=self._models.idle,
                    progress=self._progress,
                )
        except LimitReached as limit:
            await self._pace.hold(self._asker, limit.wait)
            raise
        return self._paid(reply)

    @property
    def _opens_key(self) -> bool:
        return self._provider.needs_key or self._question.key is not None

    @asynccontextmanager
    async def _key(self) -> AsyncGenerator[str | None]:
        """The key, for as long as the call takes; None where the provider needs none."""
        if not self._opens_key:
            yield None
            return
        async with AsyncExitStack() as stack:
            try:
                key = await stack.enter_async_context(self._ctx.key(self._provider.name, self._question.key))
            except StepError as error:
                raise Unsent(str(error), error.cls, retry_after=error.retry_after) from None
            yield key

    def _paid(self, reply: Reply) -> Paid:
        """A provider that does not say what it counted is taken to have counted the most."""
        counted = reply.usage
        if not counted.input_tokens and not counted.output_tokens:
            counted = Usage(input_tokens=self._bound, output_tokens=self._question.max_tokens)
        tokens = (counted.input_tokens, counted.output_tokens, counted.cached_tokens)
        cost = self._prices.cost(self._question.model, *tokens)
        usage: dict[str, JsonValue] = {**counted.model_dump(), "prices": self._prices.source(self._question.model)}
        return Paid(reply.model_copy(update={"cost": cost}), cost, usage)

    async def _progress(self, characters: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_EVERY_S:
            self._told_at = now
            await self._ctx.status(f"{characters:,} characters are written")
