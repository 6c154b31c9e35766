"""Model steps where something is in the way: refusals, outages, keys, limits and names, the same on both wires."""

from __future__ import annotations

import asyncio

import pytest

from engine.core.failures import FailureClass, NotYet
from engine.steps.agent import Question, Said, unlimited
from engine.steps.context import Unsent
from engine.steps.models.config import Wait
from tests.providers.script import Answer as Scripted
from tests.providers.script import Hang, Refuse, Say
from tests.steps.asking import BOTH, OPENAI, Bench
from tests.steps.conftest import eventually

REFUSED = [
    (Refuse(400, "messages: too odd"), FailureClass.INVALID_INPUT, "messages: too odd"),
    (Refuse(403, "not yours"), FailureClass.PERMISSION, "does not accept the key"),
    (Refuse(413, "too large"), FailureClass.INVALID_INPUT, "too large"),
    (Refuse(529, "Overloaded", "overloaded_error"), FailureClass.TRANSIENT, "is overloaded"),
]
FAILED = [
    (Refuse(500, "oops"), FailureClass.TRANSIENT, "failed (500): oops"),
    (Refuse(502, raw="<html>bad gateway"), FailureClass.TRANSIENT, "failed (502)"),
    (Say("breaks off in the middle", break_after=3), FailureClass.TRANSIENT, "broke off"),
    (Say("overloaded in the middle", overloaded=True), FailureClass.TRANSIENT, "overloaded"),
    (Say("hangs in the middle", hang_after=3), FailureClass.TIMEOUT, "nothing came for 0.4 s"),
    (Hang(), FailureClass.TIMEOUT, "nothing came for 0.4 s"),
]


@BOTH
@pytest.mark.parametrize(("answer", "cls", "words"), REFUSED)
async def test_a_request_that_is_refused_is_told_as_what_it_is_and_costs_nothing(
    bench: Bench, model: str, answer: Scripted, cls: FailureClass, words: str
) -> None:
    error = await bench.failure(model, answer)
    assert (error.cls, isinstance(error, Unsent)) == (cls, True)
    assert words in str(error)
    assert ("unsent", "request") in bench.notebook.events
    assert len(bench.server.seen) == 1, "nobody but the engine tries again"


@BOTH
@pytest.mark.parametrize(("answer", "cls", "words"), FAILED)
async def test_a_request_whose_outcome_is_unknown_counts_as_what_it_may_have_cost(
    bench: Bench, model: str, answer: Scripted, cls: FailureClass, words: str
) -> None:
    if cls is FailureClass.TIMEOUT:
        bench.lose_patience()
    error = await bench.failure(model, answer)
    assert error.cls is cls
    assert words in str(error)
    assert ("unsent", "request") not in bench.notebook.events
    assert len(bench.server.seen) <= 1, "nobody but the engine tries again"


@BOTH
async def test_a_model_that_is_not_there_is_named(bench: Bench, model: str) -> None:
    bench.server.keys.add("none")
    error = await bench.failure("mine:llama-nope" if model == OPENAI else f"{model}-nope")
    assert error.cls is FailureClass.INVALID_INPUT
    assert "has no model" in str(error)


@BOTH
async def test_a_key_that_is_not_accepted_is_not_echoed(bench: Bench, model: str) -> None:
    bench.notebook.secret = "sk-wrong-0123456789abcdef"
    error = await bench.failure(model)
    assert error.cls is FailureClass.PERMISSION
    assert "does not accept the key" in str(error)
    error = await bench.failure(model, key="marketing")
    assert bench.notebook.opened[-1] == (model.partition(":")[0], "marketing")
    for text in (str(error), repr(error), str(bench.notebook.events)):
        assert "0123456789abcdef" not in text


async def test_without_a_key_nothing_is_asked_and_nothing_is_spent(bench: Bench) -> None:
    bench.notebook.secret = None
    error = await bench.failure(OPENAI)
    assert (error.cls, str(error)) == (FailureClass.PERMISSION, "there is no key for openai")
    assert ("unsent", "request") in bench.notebook.events
    assert bench.server.seen == []


@BOTH
async def test_a_key_that_a_provider_says_is_left_out(bench: Bench, model: str) -> None:
    bench.notebook.secret = own = "of.no.known.form.4711"
    bench.server.keys.add(own)
    error = await bench.failure(model, Refuse(400, f"header x-api-key: {own} and sk-other-123456789 are odd"))
    assert own not in str(error)
    assert "123456789" not in str(error)
    assert "are odd" in str(error)


@BOTH
@pytest.mark.parametrize(("said", "wait"), [("12", 12_000), (None, 10_000), ("999999", 3_600_000)])
async def test_a_providers_limit_puts_the_step_off_and_holds_everybody(
    bench: Bench, model: str, said: str | None, wait: int
) -> None:
    provider = model.partition(":")[0]
    with pytest.raises(NotYet) as caught:
        await bench.answer(model, Refuse(429, "slow down", retry_after=said))
    assert (caught.value.words, caught.value.wait) == (f"{provider}'s limit", wait)
    assert bench.pace.held == [(("ws_t", provider, "key_1"), wait)]
    assert ("unsent", "request") in bench.notebook.events


@BOTH
async def test_a_limit_of_ones_own_puts_the_step_off_before_anything_is_begun(bench: Bench, model: str) -> None:
    bench.pace.wait = Wait("the limit for it", 3_000)
    with pytest.raises(NotYet):
        await bench.answer(model, Say("three"))
    assert (bench.server.seen, bench.notebook.events) == ([], [])
    [(asked_by, name, tokens)] = bench.pace.asked
    assert asked_by == ("ws_t", model.partition(":")[0], "key_1")
    assert name == model.partition(":")[2]
    assert tokens > 200


@BOTH
async def test_a_request_that_is_cancelled_is_let_go_at_once(bench: Bench, model: str) -> None:
    bench.server.next = [Say("a long answer that hangs", hang_after=4)]
    question = Question(model=model, messages=[Said(role="user", text="How many?")], max_tokens=200)
    asking = asyncio.ensure_future(bench.ask(bench.notebook.context(), question, unlimited))
    await eventually(lambda: bool(bench.server.seen))
    asking.cancel()
    async with asyncio.timeout(30):  # and not once the answer has stood still for too long
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_an_account_without_credit_does_not_wait(bench: Bench) -> None:
    refusal = Refuse(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota")
    error = await bench.failure(OPENAI, refusal)
    assert error.cls is FailureClass.PERMISSION
    assert "credit or quota is used up" in str(error)


async def test_a_model_without_a_price_is_not_asked(bench: Bench) -> None:
    error = await bench.failure("openai:my-own-tune")
    assert error.cls is FailureClass.INVALID_INPUT
    assert "vb prices set openai:my-own-tune --input 0.25 --output 2.00" in str(error)
    assert bench.server.seen == []


async def test_a_provider_that_is_not_there_is_named_with_the_nearest(bench: Bench) -> None:
    assert "did you mean openai?" in str(await bench.failure("opnai:gpt-5-mini"))
    assert "there is no local model parrot" in str(await bench.failure("local:parrot"))
