"""Model steps over the real SDKs, against providers that speak their wires: each case the same on both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import JsonValue

from engine.core.corrections import Correct
from engine.core.events import PricedAt
from engine.core.failures import FailureClass, NotYet, StepError
from engine.core.models import Llm
from engine.core.prices import Price
from engine.core.spending import Cost, Spend
from engine.steps.agent import Answer, Call, Left, Question, Said, ToolSpec, unlimited
from engine.steps.context import StepContext, Unsent
from engine.steps.correct import llm_correct
from engine.steps.models.asking import asker, most_tokens
from engine.steps.models.config import Asker, Models, Unhurried, Wait
from engine.steps.models.llm import llm_step
from tests.providers.script import Answer as Scripted
from tests.providers.script import Hang, Refuse, Say
from tests.providers.server import KEY, Providers, providers
from tests.steps.conftest import Notebook, eventually

OPENAI, ANTHROPIC = "openai:gpt-5-mini", "anthropic:claude-haiku-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}},
    "required": ["n"],
}
LOOK = ToolSpec(
    name="look", description="Looks.", parameters={"type": "object", "properties": {"q": {"type": "string"}}}
)


@pytest.fixture
async def server() -> AsyncIterator[Providers]:
    async with providers() as found:
        yield found


class Pacer(Unhurried):
    """A pace that a test sets; it keeps what it is asked."""

    def __init__(self) -> None:
        self.wait: Wait | None = None
        self.asked: list[tuple[Asker, str, int]] = []
        self.held: list[tuple[Asker, int]] = []

    async def admit(self, asker: Asker, model: str, tokens: int) -> Wait | None:
        self.asked.append((asker, model, tokens))
        return self.wait

    async def hold(self, asker: Asker, ms: int) -> None:
        self.held.append((asker, ms))


class Bench:
    """Asks the server's models as steps do; ``notebook`` is what is on record."""

    def __init__(self, server: Providers, notebook: Notebook) -> None:
        self.server = server
        self.notebook = notebook
        self.pace = Pacer()
        notebook.secret = KEY
        prices = ("mine:*=1.00/2.00",)
        own = Models.of([*server.entries, f"mine={server.openai}"], (), prices)
        self.models = Models(own.providers, {}, own.prices, idle=60.0)
        self.ask = asker(self.models, self.pace)

    def lose_patience(self) -> None:
        self.ask = asker(replace(self.models, idle=0.4), self.pace)

    async def answer(self, model: str, *script: Scripted, left: Left = unlimited, **question: Any) -> Answer:
        self.server.next = list(script)
        asked = {"model": model, "messages": [Said(role="user", text="How many?")], "max_tokens": 200, **question}
        return await self.ask(self.notebook.context(), Question.model_validate(asked), left)

    async def failure(self, model: str, *script: Scripted, **question: Any) -> StepError:
        with pytest.raises(StepError) as caught:
            await self.answer(model, *script, **question)
        return caught.value


@pytest.fixture
def bench(server: Providers, notebook: Notebook) -> Bench:
    return Bench(server, notebook)


@BOTH
async def test_a_text_is_given_with_what_it_took_and_cost(bench: Bench, model: str) -> None:
    answer = await bench.answer(model, Say("There are three.", usage=(1_000, 100)), system="Count.", temperature=0.3)
    assert (answer.text, answer.finish, answer.value) == ("There are three.", "stop", None)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (1_000, 100)
    dollars = {OPENAI: 0.00045, ANTHROPIC: 0.0015}[model]
    assert answer.cost == dollars
    cost = bench.notebook.costs["request"]
    assert cost.micros == round(dollars * 1_000_000)
    assert cost.usage["input_tokens"] == 1_000
    assert str(cost.usage["prices"]).startswith("genai-prices ")
    assert bench.notebook.spends["request"].worst >= cost.micros
    [seen] = bench.server.seen
    assert seen.sent_as == "run_1/publish/request/1"
    assert "Count." in json.dumps(seen.body)
    assert bench.server.refused == []


@BOTH
async def test_a_recorded_answer_is_not_asked_for_again(bench: Bench, model: str) -> None:
    first = await bench.answer(model, Say("three"))
    assert await bench.answer(model, Say("four")) == first
    assert len(bench.server.seen) == 1


async def test_an_answer_on_record_is_used_whatever_has_become_of_what_it_took(bench: Bench) -> None:
    first = await bench.answer(OPENAI, Say("three"))
    bench.notebook.prices["openai:*"] = Price(10**12, 10**12)
    bench.pace.wait = Wait("openai's limit", 1_000)
    bench.notebook.secret = None

    def spent() -> int:
        raise StepError("nothing is left for it", FailureClass.PERMANENT)

    assert await bench.answer(OPENAI, left=spent) == first
    bench.ask = asker(Models(providers={}), bench.pace)
    assert await bench.answer(OPENAI, left=spent) == first, "also where that provider is no longer known"
    assert len(bench.server.seen) == 1


@BOTH
async def test_an_answer_that_is_cut_off_says_so(bench: Bench, model: str) -> None:
    answer = await bench.answer(model, Say("many words " * 40), max_tokens=5)
    assert (answer.finish, len(answer.text)) == ("length", 20)


@BOTH
async def test_a_value_fits_its_schema(bench: Bench, model: str) -> None:
    answer = await bench.answer(model, Say(calls=(("final_answer", '{"n": 3}'),)), output=SCHEMA)
    assert answer.value == {"n": 3}
    assert answer.calls == []


@BOTH
@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Say(calls=(("final_answer", '{"n": 0}'),)), "does not fit the schema: n: 0 is less than the minimum of 1"),
        (Say(calls=(("final_answer", "{}"),)), "'n' is a required property"),
        (Say(calls=(("final_answer", '{"n": 3'),)), "wrote JSON that cannot be read"),
        (Say("It is three."), "wrote a text where JSON was asked for"),
    ],
)
async def test_a_value_that_does_not_fit_fails_in_words_and_is_asked_for_anew(
    bench: Bench, model: str, said: Say, words: str
) -> None:
    error = await bench.failure(model, said, output=SCHEMA)
    assert error.cls is FailureClass.INVALID_OUTPUT
    assert words in str(error)
    assert list(bench.notebook.results) == ["request"], "what it said is on record, and paid for"
    again = await bench.answer(model, Say(calls=(("final_answer", '{"n": 4}'),)), output=SCHEMA)
    assert again.value == {"n": 4}
    assert [seen.sent_as for seen in bench.server.seen] == ["run_1/publish/request/1", "run_1/publish/request-2/1"]


@BOTH
async def test_a_text_that_is_the_value_is_taken_for_it(bench: Bench, model: str) -> None:
    assert (await bench.answer(model, Say('{"n": 3}'), output=SCHEMA)).value == {"n": 3}


@BOTH
async def test_tools_are_called_and_their_results_told(bench: Bench, model: str) -> None:
    answer = await bench.answer(model, Say.calling("look", "I look.", q="there"), tools=[LOOK])
    [call] = answer.calls
    assert (answer.text, call.tool, call.arguments) == ("I look.", "look", {"q": "there"})
    bench.notebook.results.clear()
    told = [
        Said(role="user", text="How many?"),
        Said(role="model", text="I look.", calls=[call, Call(id="c2", tool="look")]),
        Said(role="tool", text="three", id=call.id, tool="look"),
        Said(role="tool", text="denied by Ben", id="c2", tool="look", failed=True),
        Said(role="user", text="Answer now."),
    ]
    assert (await bench.answer(model, Say("three"), messages=told, tools=[LOOK])).text == "three"
    assert bench.server.refused == []
    assert "denied by Ben" in json.dumps(bench.server.seen[-1].body)


@BOTH
async def test_arguments_of_a_call_that_are_no_json_fail_in_words(bench: Bench, model: str) -> None:
    error = await bench.failure(model, Say(calls=(("look", '{"q": '),)), tools=[LOOK])
    assert error.cls is FailureClass.INVALID_OUTPUT
    assert "it called look with arguments that are no JSON" in str(error)


@BOTH
async def test_images_are_shown(bench: Bench, model: str) -> None:
    images = ("https://example.com/a.png", "data:image/png;base64,aGVsbG8=")
    await bench.answer(model, Say("a cat"), messages=[Said(role="user", text="What is it?", images=images)])
    body = json.dumps(bench.server.seen[0].body)
    assert "https://example.com/a.png" in body
    assert "aGVsbG8=" in body


@pytest.mark.parametrize("image", ["http://169.254.169.254/x.png", "file:///etc/passwd", "data:image/png,plain"])
async def test_an_image_from_anywhere_else_is_refused(bench: Bench, image: str) -> None:
    error = await bench.failure(OPENAI, messages=[Said(role="user", text="?", images=(image,))])
    assert error.cls is FailureClass.INVALID_INPUT
    assert bench.server.seen == []


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


@BOTH
async def test_the_card_says_how_far_a_long_answer_is(
    bench: Bench, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.steps.models.asking.TELL_EVERY_S", 0.0)
    await bench.answer(model, Say("x" * 36))
    told = [(kind, text) for kind, text in bench.notebook.events if kind in ("log", "status")]
    assert told == [("status", f"{count} characters are written") for count in (12, 24, 36)]


async def test_an_account_without_credit_does_not_wait(bench: Bench) -> None:
    refusal = Refuse(429, "You exceeded your current quota", "insufficient_quota", "insufficient_quota")
    error = await bench.failure(OPENAI, refusal)
    assert error.cls is FailureClass.PERMISSION
    assert "credit or quota is used up" in str(error)


@BOTH
async def test_an_answer_without_a_count_is_counted_as_the_most(bench: Bench, model: str) -> None:
    await bench.answer(model, Say("three", counted=False))
    cost = bench.notebook.costs["request"]
    assert cost.micros == bench.notebook.spends["request"].worst


async def test_a_model_without_a_price_is_not_asked(bench: Bench) -> None:
    error = await bench.failure("openai:my-own-tune")
    assert error.cls is FailureClass.INVALID_INPUT
    assert "vb prices set openai:my-own-tune --input 0.25 --output 2.00" in str(error)
    assert bench.server.seen == []


async def test_a_server_of_ones_own_is_asked_at_ones_own_price_and_without_a_key(bench: Bench) -> None:
    bench.server.keys = {"none"}
    answer = await bench.answer("mine:llama", Say("three", usage=(1_000_000, 500_000)))
    assert (answer.text, answer.cost) == ("three", 2.0)
    assert bench.notebook.costs["request"].usage["prices"] == "settings"
    assert bench.notebook.opened == []


async def test_a_provider_that_is_not_there_is_named_with_the_nearest(bench: Bench) -> None:
    assert "did you mean openai?" in str(await bench.failure("opnai:gpt-5-mini"))
    assert "there is no local model parrot" in str(await bench.failure("local:parrot"))


def test_the_bound_of_a_request_is_never_below_its_bytes() -> None:
    text = "日本" * 1_000
    question = Question(model=OPENAI, messages=[Said(role="user", text=text)], max_tokens=1, tools=[LOOK], system=text)
    assert most_tokens(question) > 2 * len(text.encode())


@pytest.mark.parametrize(
    ("model", "largest"),
    [("openai:gpt-4o-mini-2024-07-18", 2_833 + 8 * 5_667), ("openai:gpt-5-mini", 10_000), (ANTHROPIC, 4_784)],
)
def test_the_bound_of_a_request_is_never_below_what_its_images_count(model: str, largest: int) -> None:
    shown = Said(role="user", text="x", images=("https://example.org/1.png", "https://example.org/2.png"))
    assert most_tokens(Question(model=model, messages=[shown], max_tokens=1)) > 2 * largest


@pytest.mark.parametrize("schema", [None, SCHEMA])
async def test_the_local_model_says_what_it_is_needs_no_key_and_costs_nothing(
    bench: Bench, schema: dict[str, JsonValue] | None
) -> None:
    answer = await bench.answer("local:echo", output=schema)
    assert answer.cost == 0
    assert answer.value == (None if schema is None else {"n": 1})
    assert schema is not None or answer.text == "(local model) How many?"
    assert bench.notebook.opened == []
    assert bench.server.seen == []
    assert ("log", "asks local:echo, which is a local model: no provider is asked") in bench.notebook.events


async def test_the_local_model_calls_each_tool_once_and_then_answers(bench: Bench) -> None:
    answer = await bench.answer("local:echo", tools=[LOOK])
    [call] = answer.calls
    assert call.arguments == {"q": "How many?"}
    bench.notebook.results.clear()
    told = [
        Said(role="user", text="How many?"),
        Said(role="model", text=answer.text, calls=answer.calls),
        Said(role="tool", text="three", id=call.id, tool="look"),
    ]
    answer = await bench.answer("local:echo", tools=[LOOK], messages=told)
    assert (answer.text, answer.calls) == ("(local model) look said: three", [])


async def test_the_step_gives_what_the_model_gave(bench: Bench) -> None:
    bench.server.next = [Say(calls=(("final_answer", '{"n": 3}'),), usage=(1_000, 0))]
    llm = llm_step(bench.ask, bench.models)
    block = Llm(model=OPENAI, prompt="How many?", max_tokens=100, output=SCHEMA)
    result = await llm.invoke(bench.notebook.context(), block.arguments)
    assert result == {
        "text": "",
        "value": {"n": 3},
        "model": OPENAI,
        "usage": {"input_tokens": 1_000, "output_tokens": 0, "cached_tokens": 0},
        "cost": 0.00025,
        "finish": "stop",
    }
    spend = bench.notebook.spends["request"]
    assert spend == Spend(spend.worst, OPENAI, "openai", bench.models.prices.at(OPENAI))
    assert isinstance(bench.notebook.costs["request"], Cost)


class Dearer(Notebook):
    """On it the price rises while a model is being asked."""

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        self.prices["openai:*"] = Price(9_000_000, 9_000_000)
        return super().key(provider, name)


async def test_an_answer_is_reckoned_at_the_price_that_it_was_asked_at(server: Providers) -> None:
    bench = Bench(server, Dearer(prices={"openai:*": Price(1_000_000, 2_000_000, 100_000)}))
    answer = await bench.answer(OPENAI, Say("three", usage=(1_000, 100), cached=400))
    assert (answer.usage.cached_tokens, answer.cost) == (400, 0.00084)
    then = PricedAt(source="workspace", input=1_000_000, output=2_000_000, cached=100_000)
    assert bench.notebook.spends["request"].price == then


async def test_what_anthropic_had_kept_is_counted_as_such(bench: Bench) -> None:
    answer = await bench.answer(ANTHROPIC, Say("three", usage=(1_000, 100), cached=400))
    assert (answer.usage.input_tokens, answer.usage.cached_tokens) == (1_000, 400)


async def test_a_question_that_may_cost_more_than_is_left_for_it_is_not_asked(bench: Bench) -> None:
    error = await bench.failure(OPENAI, left=lambda: 10)
    assert error.cls is FailureClass.PERMANENT
    assert "and $0.00001 is left for it" in str(error)
    assert (bench.server.seen, bench.notebook.spends) == ([], {})
    await bench.answer(OPENAI, Say("three"), left=lambda: 1_000_000)


async def test_a_correction_is_asked_for_with_its_key_and_may_cost_what_is_left(notebook: Notebook) -> None:
    asked: list[tuple[str | None, int | None]] = []

    async def ask(ctx: StepContext, question: Question, left: Left) -> Answer:
        asked.append((question.key, left()))
        return Answer(value={"seen": "long", "changes": {"prompt": "Less."}, "why": "ask for less"}, cost=0.01)

    words = {"model": OPENAI, "may_change": ["prompt"], "cost": "0.10 USD", "key": "marketing"}
    rules = Correct.model_validate(words).model_dump(mode="json", exclude_none=True, exclude={"attempts"})
    about: dict[str, JsonValue] = {"step": "notes", "attempt": {"prompt": "More."}, "failure": {}, "left": 90_000}
    given = await llm_correct(ask).invoke(notebook.context(), {**rules, **about})
    assert given == {"changes": {"prompt": "Less."}, "seen": "long", "why": "ask for less", "cost": 10_000}
    assert asked == [("marketing", 90_000)]
