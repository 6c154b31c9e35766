"""Where a step does not go on by itself: the question in the thread, its forms, and who may answer it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import Field, JsonValue

from bot.blocks import question_forms, questions
from bot.blocks.questions import Asked, open_questions
from bot.blocks.steering import Deed
from bot.blocks.step_lines import missing_words
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from bot.simulator.values import PageValues
from engine.core.definition import Workflow
from engine.core.events import RunMoved
from engine.core.outlook import MISSING_AFTER
from engine.core.questions import OpenQuestion, outcome_question
from engine.core.state import Recorded
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step
from tests.bot.conftest import ACTOR, ORIGIN, Setup, until, workflow
from tests.bot.front import Front, serving
from tests.bot.scenes_flow import flow_scenes
from tests.record_histories import corrected

WRITE = workflow(
    {
        "id": "notes",
        "uses": "t.write",
        "with": {"prompt": "Write.", "words": 90},
        "check": "steps.notes.output == 'short'",
        "correct": {"model": "local:echo", "may_change": ["prompt", "words"], "attempts": 1},
    },
    name="write",
    output="${{ steps.notes.output }}",
)


@step("t.write")
async def write(prompt: str, words: Annotated[int, Field(le=90)]) -> str:
    return "short" if words < 10 else f"{words} words of {prompt}"


@step("llm.correct")
async def correct(model: str, may_change: list[str], max_tokens: int, **about: JsonValue) -> JsonValue:
    return {"changes": {"prompt": "Write less."}, "seen": "It is too long", "why": "Ask for less"}


PAY = workflow(
    {"id": "charge", "uses": "t.charge", "repeatable": False}, name="pay", output="${{ steps.charge.output }}"
)


@dataclass
class Paid:
    id: str
    cents: Annotated[int, Field(le=500)]
    note: str | None


def losing(calls: list[str]) -> StepFunction:
    """A step whose every attempt loses its connection with the effect half done."""

    @step("t.charge")
    async def charge(ctx: StepContext) -> Paid:
        async def send(key: str) -> None:
            calls.append(key)
            raise ConnectionResetError("by peer")

        await ctx.effect("pay", send)
        raise AssertionError("the effect has failed")

    return charge


def question_in(front: Front) -> list[Message]:
    """The messages in the thread that ask how a step goes on."""
    found = front.simulator.channel_messages("#releases")
    return [one for one in found if one.text.startswith(("How shall", "Did "))]


def buttons_of(message: Message) -> list[str]:
    found = (block["elements"] for block in message.blocks if block["type"] == "actions")
    return [element["action_id"] for elements in found for element in elements]


async def asked(front: Front, name: str = "write", count: int = 1) -> Message:
    """The newest question, once somebody's run asks it with its buttons; ``count`` questions were asked then."""
    if count == 1:
        assert await front.type("ben", f"run {name}") == ""
    await front.simulator.wait_for(
        lambda: len(question_in(front)) >= count and "question_fail" in str(question_in(front)[-1].blocks)
    )
    return question_in(front)[-1]


async def test_a_person_tries_it_with_a_change_checked_in_the_form_and_whoever_is_late_is_told(
    setup: Setup, simulator: Simulator
) -> None:
    setup.world.more = (write, correct)
    async with serving(setup, simulator, [WRITE]) as front:
        message = await asked(front)
        unfit = "invalid output: its result does not fulfil its check: steps.notes.output == 'short'"
        assert message.text.splitlines()[1:4] == [
            f"✗ Attempt 1 failed ({unfit}). It gave: 90 words of Write.",
            "✎ Then the model changed prompt to Write less.; it saw: It is too long; why: Ask for less",
            f"✗ Attempt 2 failed ({unfit}). It gave: 90 words of Write less.",
        ]
        await simulator.click("ana", "#releases", message.ts, questions.FAIL)
        assert "takes the role operator" in await front.told("ana", 1), "neither the starter nor an operator"

        await simulator.click("ben", "#releases", message.ts, questions.RETRY)
        await simulator.click("dana", "#releases", message.ts, questions.FAIL)
        form = await front.form("ben")
        held = {block["block_id"]: block["element"].get("initial_value") for block in form.blocks[1:]}
        assert held == {"input_prompt": "Write less.", "input_words": "90", "reason": None}
        same = await simulator.submit_view("ben", form.id, {})
        assert same.errors == {"input_prompt": "notes is not tried again so: it is the same attempt as one before"}
        wrong = await simulator.submit_view("ben", form.id, {"input_words": {"value": "91"}})
        assert wrong.errors == {"input_words": "words must be less than or equal to 90"}
        sent = await simulator.submit_view(
            "ben", form.id, {"input_words": {"value": "3"}, "reason": {"value": "Three will do."}}
        )
        assert sent.errors == {}
        state = await front.ended((await front.runs())[0])
        assert state.end is not None
        assert state.end.output == "short"

        late = await front.form("dana")
        await simulator.submit_view("dana", late.id, {"reason": {"value": "No use."}})
        shown = str((await front.form("dana")).body)
        assert "This was answered before. ✎ Ben Okafor let it be tried with words to 3" in shown
        await simulator.wait_for(lambda: "question_retry" not in str(question_in(front)[-1].blocks))
        assert "✎ Ben Okafor let it be tried with words to 3" in question_in(front)[-1].text
        assert question_in(front)[-1].text.endswith(": Three will do.")


async def test_accepting_takes_what_there_is_and_an_operator(setup: Setup, simulator: Simulator) -> None:
    setup.world.more = (write, correct)
    async with serving(setup, simulator, [WRITE]) as front:
        message = await asked(front)
        await simulator.click("ben", "#releases", message.ts, questions.ACCEPT)
        assert "takes the role operator" in await front.told("ben", 1), "who started it cannot leave out the check"
        card = front.simulator.channel_messages("#releases")[0]
        await simulator.wait_for(lambda: "question_accept" in str(card.blocks))
        await simulator.click("dana", "#releases", card.ts, questions.ACCEPT)
        form = await front.form("dana")
        await simulator.submit_view("dana", form.id, {"reason": {"value": "Good enough."}})
        state = await front.ended((await front.runs())[0])
        assert state.end is not None
        assert state.end.output == "90 words of Write less."
        await simulator.wait_for(lambda: "✓ Dana" in question_in(front)[-1].text)


async def test_whoever_looked_says_that_it_did_not_happen_and_then_what_it_gave(
    setup: Setup, simulator: Simulator
) -> None:
    calls: list[str] = []
    setup.world.more = (losing(calls),)
    async with serving(setup, simulator, [PAY]) as front:
        first = await asked(front, "pay")
        run = (await front.runs())[0]
        assert first.text.splitlines()[:2] == [
            "Did charge happen?",
            "? Attempt 1 ended without an answer (by peer)",
        ]
        assert f"at what has the key `{run}/charge/pay/1`" in first.text, "so that one can look for it"
        await simulator.click("ben", "#releases", first.ts, questions.AGAIN)
        assert "To say whether a step happened takes the role operator" in await front.told("ben", 1)

        await simulator.click("ben", "#releases", first.ts, questions.FAIL)
        stale = await front.form("ben")
        card = front.simulator.channel_messages("#releases")[0]
        await simulator.click("dana", "#releases", card.ts, questions.AGAIN)
        form = await front.form("dana")
        await simulator.submit_view("dana", form.id, {"reason": {"value": "The bank has nothing."}})
        second = await asked(front, "pay", 2)
        assert calls == [f"{run}/charge/pay/1", f"{run}/charge/pay/2"], "under a new key, as the first did not arrive"
        told = "↻ Dana Levy said that it did not happen, and it was run again"
        await simulator.wait_for(lambda: told in question_in(front)[0].text)
        await simulator.submit_view("ben", stale.id, {"reason": {"value": "No use."}})
        assert "This was answered before. ↻ Dana Levy" in str((await front.form("ben")).body), (
            "it asked about the first"
        )

        await simulator.click("dana", "#releases", second.ts, questions.HAPPENED)
        form = await front.form("dana")
        typed = {"input_id": "ch_1", "input_cents": "900", "reason": "Seen in the list."}
        values: PageValues = {name: {"value": value} for name, value in typed.items()}
        wrong = await simulator.submit_view("dana", form.id, values)
        assert wrong.errors == {"input_cents": "cents must be less than or equal to 500"}
        await simulator.submit_view("dana", form.id, {**values, "input_cents": {"value": "90"}})
        state = await front.ended(run)
        assert state.end is not None
        assert state.end.output == {"id": "ch_1", "cents": 90, "note": None}
        assert len(calls) == 2
        await simulator.wait_for(lambda: "✓ Dana Levy said that it happened" in question_in(front)[1].text)


MOVED = RunMoved(definition="f" * 64, codes={"noop": "noop2"}, by=ACTOR)
STEPS: tuple[dict[str, Any], ...] = (
    {"id": "first", "uses": "t.echo", "with": {"text": "hi"}},
    {"id": "send", "needs": ["first"], "uses": "t.send@1", "with": {"text": "for all"}},
)
NAMED: dict[str, Any] = {"name": "gone", "output": "${{ steps.send.output }}"}
GONE = workflow(*STEPS, **NAMED)


def sending(version: int) -> StepFunction:
    @step("t.send", version=version)
    async def send(text: str) -> str:
        return f"{text} by {version}"

    return send


@asynccontextmanager
async def without_code(setup: Setup, simulator: Simulator, *now: Workflow) -> AsyncGenerator[tuple[Front, str]]:
    """A bot whose worker has t.send@2 alone, and a run that asks what to use in place of t.send@1."""
    setup.world.more = (sending(1),)
    async with setup.engine(GONE) as engine:
        run = (await engine.start("gone", {}, by=ACTOR, origin=ORIGIN)).run
    setup.world.more = (sending(2),)
    async with serving(setup, simulator, now) as front:

        async def waits() -> bool:
            return (await front.engine.state(run)).step("send").awaited

        await until(waits)
        setup.clock.advance(MISSING_AFTER)
        await simulator.wait_for(lambda: question_in(front))
        yield front, run


async def test_where_no_worker_has_the_code_the_thread_offers_other_code_to_those_who_may(
    setup: Setup, simulator: Simulator
) -> None:
    async with without_code(setup, simulator) as (front, run):
        (asking,) = question_in(front)
        assert asking.text.splitlines()[:2] == [
            "How shall send go on without t.send@1?",
            f"{missing_words('send', 't.send@1')}.",
        ]
        assert {questions.USE, questions.FORK, Deed.CANCEL.value} == set(buttons_of(asking))
        await simulator.click("ben", "#releases", asking.ts, questions.USE)
        assert "To say which code a run uses takes the role operator" in await front.told("ben", 1)

        await simulator.click("dana", "#releases", asking.ts, questions.USE)
        form = await front.form("dana")
        element = form.blocks[1]["element"]
        offered = [option["value"] for option in element["options"]]
        assert offered[0] == element["initial_option"]["value"] == "t.send@2"
        assert "t.lines@1" not in offered, "it takes other arguments"
        await front.type("dana", "roles grant operator @ben")
        await simulator.click("ben", "#releases", asking.ts, questions.USE)
        late = await front.form("ben")
        values: PageValues = {"input_code": {"value": "t.send@2"}, "reason": {"value": "It is the same."}}
        assert (await simulator.submit_view("dana", form.id, values)).errors == {}
        state = await front.ended(run)
        assert state.end is not None
        assert state.end.output == "for all by 2"
        told = "✎ Dana Levy let the run use t.send@2 in place of t.send@1"
        await simulator.wait_for(lambda: told in question_in(front)[0].text and not buttons_of(question_in(front)[0]))
        await simulator.submit_view("ben", late.id, values)
        assert "is not any more as it was" in str((await front.form("ben")).body)


async def test_where_no_worker_has_the_code_a_new_run_can_do_the_rest_by_what_is_deployed_now(
    setup: Setup, simulator: Simulator
) -> None:
    mended = workflow(*({**one, "uses": one["uses"].replace("send@1", "send@2")} for one in STEPS), **NAMED)
    async with without_code(setup, simulator, mended) as (front, run):
        (asking,) = question_in(front)
        await simulator.click("dana", "#releases", asking.ts, questions.FORK)
        form = await front.form("dana")
        assert "It follows gone as it is deployed now. This run is left as it is" in str(form.body)
        assert form.blocks[1]["element"]["initial_option"]["value"] == "send"
        await simulator.submit_view("dana", form.id, {})
        assert "which takes over what" in str((await front.form("dana")).body)
        (new,) = [one for one in await front.runs() if one != run]
        state = await front.ended(new)
        assert state.end is not None
        assert state.end.output == "for all by 2"

        await simulator.click("dana", "#releases", asking.ts, Deed.CANCEL)
        assert (await front.ended(run)).cancel is not None
        await simulator.wait_for(lambda: "Dana Levy stopped the run" in question_in(front)[0].text)


@pytest.mark.parametrize(
    ("scene", "asking"), [("missing", "changes"), ("missing_again", "changes"), ("missing_crowd", "each[0]")]
)
def test_code_is_asked_about_once_and_no_more_once_the_run_uses_other(scene: str, asking: str) -> None:
    run = flow_scenes()[scene]
    ((path, seq),) = open_questions(run.state)
    assert path == asking
    told = Asked()
    for recorded in [*run.log, Recorded(run.state.seq + 1, run.now, MOVED)]:
        told.read(recorded)
    answer = told.known[seq].answer
    assert answer is not None
    assert answer.event == MOVED
    assert open_questions(flow_scenes()["recoded"].state) == []


def test_a_question_tells_every_attempt_and_asks_anew_after_a_change_that_did_not_help() -> None:
    run = corrected()
    told = Asked()
    for recorded in run.log:
        told.read(recorded)
    (first,) = told.known.values()
    assert first.answer is not None
    assert first.answer.changed == {"prompt": "Write ok."}
    assert len(first.tried) == 3
    assert open_questions(run.state) == []


@pytest.mark.parametrize(
    ("schema", "value", "typed", "read"),
    [
        ({"type": "string"}, "a", "b", "b"),
        ({"type": "string"}, "a", "", ""),
        ({"type": "integer"}, 3, "4", 4),
        ({"anyOf": [{"type": "number"}, {"type": "null"}]}, 0.5, "", None),
        ({"type": "boolean"}, True, "false", False),
        ({"type": "array"}, [1], "[1, 2]", [1, 2]),
        ({}, {"a": 1}, '{"a": 2}', {"a": 2}),
        ({"enum": ["dry", "wet"], "type": "string"}, "dry", "wet", "wet"),
    ],
)
def test_what_is_typed_is_read_as_the_step_takes_it(
    schema: dict[str, JsonValue], value: JsonValue, typed: str, read: JsonValue
) -> None:
    asking = OpenQuestion("a", ("it",), {"it": value}, {"it": schema} if schema else {}, has_result=False)
    element = {"selected_option": {"value": typed}} if "enum" in schema or value is True else {"value": typed or None}
    changes, problems = question_forms.read_changes(asking, {"input_it": {"value": element}})
    assert (changes, problems) == ({"it": read}, {})


NUMBER, TEXT, NOTHING = {"type": "integer"}, {"type": "string"}, {"type": "null"}
EITHER = {"type": "object", "properties": {"id": TEXT, "cents": NUMBER, "note": {"anyOf": [TEXT, NOTHING]}}}


@pytest.mark.parametrize(
    ("schema", "typed", "read"),
    [
        (EITHER, {"id": "ch_1", "cents": "3"}, {"id": "ch_1", "cents": 3, "note": None}),
        (TEXT, {"result": "[1]"}, "[1]"),
        ({"type": "array"}, {"result": "[1]"}, [1]),
        (NOTHING, {}, None),
        ({}, {"result": '{"id": 1}'}, {"id": 1}),
        ({}, {"result": "{id"}, "{id"),
        ({}, {}, None),
    ],
)
def test_a_result_is_asked_for_as_the_step_gives_it_and_as_json_where_that_is_not_known(
    schema: dict[str, JsonValue], typed: dict[str, str], read: JsonValue
) -> None:
    values = {f"input_{name}": {"value": {"value": text}} for name, text in typed.items()}
    assert question_forms.read_result(outcome_question("a", schema), values) == (read, {})


def test_a_result_that_cannot_be_read_is_said_at_its_field() -> None:
    asking = outcome_question("a", {"properties": {"cents": NUMBER, "lines": {"type": "array"}}})
    typed = {"input_cents": {"value": {"value": "few"}}, "input_lines": {"value": {"value": "[NaN]"}}}
    _, problems = question_forms.read_result(asking, typed)
    assert set(problems) == {"cents", "lines"}
    assert problems["lines"] == "NaN is no JSON; write null"


def test_what_is_too_long_for_a_field_stays_as_it_was_and_what_is_no_json_is_said() -> None:
    long = OpenQuestion("a", ("it",), {"it": "x" * 3_001}, {"it": {"type": "string"}}, has_result=False)
    assert question_forms.read_changes(long, {"input_it": {"value": {"value": None}}}) == ({}, {})
    listed = OpenQuestion("a", ("it",), {"it": [1]}, {"it": {"type": "array"}}, has_result=False)
    _, problems = question_forms.read_changes(listed, {"input_it": {"value": {"value": "[1"}}})
    assert problems == {"it": "it is no JSON (Expecting ',' delimiter at character 3)"}
