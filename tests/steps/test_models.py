"""Model steps over the real SDKs, against providers that speak their wires: each case the same on both."""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import pytest
from pydantic import BaseModel, JsonValue, field_validator

from engine.core.corrections import Correct
from engine.core.events import PricedAt
from engine.core.failures import FailureClass, StepError
from engine.core.models import Llm
from engine.core.prices import Price
from engine.core.spending import Cost, Spend
from engine.steps.agent import Answer, Call, Left, Question, Said, ToolSpec
from engine.steps.context import StepContext
from engine.steps.correct import llm_correct
from engine.steps.models.asking import asker, most_tokens
from engine.steps.models.config import Models, Wait
from engine.steps.models.llm import llm_step
from engine.steps.models.shapes import Shape
from tests.providers.script import Say
from tests.providers.server import Providers
from tests.steps.asking import ANTHROPIC, BOTH, OPENAI, Bench
from tests.steps.conftest import Notebook

SCHEMA: dict[str, JsonValue] = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1}},
    "required": ["n"],
}
LOOK = ToolSpec(
    name="look", description="Looks.", parameters={"type": "object", "properties": {"q": {"type": "string"}}}
)


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


class Count(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError(f"{value} is odd")
        return value


async def test_a_value_is_one_of_the_pydantic_model_whose_schema_it_fits(bench: Bench) -> None:
    shape = Shape("birds.count", Count)
    bench.ask = asker(replace(bench.models, shapes={shape.name: shape}), bench.pace)
    three, four = (Say(calls=(("final_answer", f'{{"n": {n}}}'),)) for n in (3, 4))
    error = await bench.failure(OPENAI, three, output=shape.schema)
    assert error.cls is FailureClass.INVALID_OUTPUT
    assert str(error) == f"{OPENAI}: its answer does not fit its shape: n: 3 is odd"
    assert (await bench.answer(OPENAI, four, output=shape.schema)).value == {"n": 4}
    assert (await bench.answer(OPENAI, three, output={**shape.schema, "title": "As it was"})).value == {"n": 3}


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


@BOTH
async def test_the_card_says_how_far_a_long_answer_is(
    bench: Bench, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.steps.models.asking.TELL_EVERY_S", 0.0)
    await bench.answer(model, Say("x" * 36))
    told = [(kind, text) for kind, text in bench.notebook.events if kind in ("log", "status")]
    assert told == [("status", f"{count} characters are written") for count in (12, 24, 36)]


@BOTH
async def test_an_answer_without_a_count_is_counted_as_the_most(bench: Bench, model: str) -> None:
    await bench.answer(model, Say("three", counted=False))
    cost = bench.notebook.costs["request"]
    assert cost.micros == bench.notebook.spends["request"].worst


async def test_a_server_of_ones_own_is_asked_at_ones_own_price_and_without_a_key(bench: Bench) -> None:
    bench.server.keys = {"none"}
    answer = await bench.answer("mine:llama", Say("three", usage=(1_000_000, 500_000)))
    assert (answer.text, answer.cost) == ("three", 2.0)
    assert bench.notebook.costs["request"].usage["prices"] == "settings"
    assert bench.notebook.opened == []


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
