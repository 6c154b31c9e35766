"""What a step may do while it runs: keys that outlive attempts, effects that happen once, a bounded timeline."""

import pytest

from engine.core.failures import FailureClass, StepError
from engine.core.spending import Spend
from engine.steps.context import Paid, StepContext, Unsent

from .conftest import Notebook


async def test_keys_do_not_know_the_attempt(notebook: Notebook) -> None:
    first, second = notebook.context(attempt=1), notebook.context(attempt=2)
    assert first.key_for("charge") == second.key_for("charge") == "run_1/publish/charge/1"
    assert first.idempotency_key == second.idempotency_key == "run_1/publish/-/1"
    assert StepContext("run_1", "publish", 3, notebook, generation=2).key_for("charge") == "run_1/publish/charge/2"


async def test_a_recorded_effect_is_not_made_again(notebook: Notebook) -> None:
    keys: list[str] = []

    async def charge(key: str) -> object:
        keys.append(key)
        return {"paid": (1, 2)}

    for attempt in (1, 2, 3):
        assert await notebook.context(attempt).effect("charge", charge) == {"paid": [1, 2]}
    assert keys == ["run_1/publish/charge/1"]
    assert notebook.events == [("started", "charge"), ("recorded", "charge")]


async def test_a_failed_effect_is_made_again_under_the_same_key(notebook: Notebook) -> None:
    keys: list[str] = []

    async def charge(key: str) -> str:
        keys.append(key)
        if len(keys) == 1:
            raise StepError("away", FailureClass.TRANSIENT)
        return "paid"

    with pytest.raises(StepError, match="away"):
        await notebook.context(1).effect("charge", charge)
    assert notebook.results == {}
    assert await notebook.context(2).effect("charge", charge) == "paid"
    assert keys == ["run_1/publish/charge/1"] * 2


async def test_the_start_is_recorded_before_the_effect_happens(notebook: Notebook, ctx: StepContext) -> None:
    async def look(_: str) -> None:
        assert notebook.events == [("started", "charge")]

    await ctx.effect("charge", look)


@pytest.mark.parametrize("name", ["", "a/b", "-", "a b", "x" * 101, "ä"])
async def test_names_that_would_spoil_a_key_are_refused(ctx: StepContext, notebook: Notebook, name: str) -> None:
    with pytest.raises(StepError, match="cannot name an effect"):
        await ctx.effect(name, _nothing)
    assert notebook.events == []


async def test_two_effects_of_one_name_are_refused(ctx: StepContext) -> None:
    await ctx.effect("charge", _nothing)
    with pytest.raises(StepError, match="two effects named 'charge'"):
        await ctx.effect("charge", _nothing)


async def test_a_result_that_is_not_json_is_refused_and_not_recorded(ctx: StepContext, notebook: Notebook) -> None:
    async def odd(_: str) -> float:
        return float("nan")

    with pytest.raises(StepError, match="the result of the effect 'charge' cannot be written") as caught:
        await ctx.effect("charge", odd)
    assert caught.value.cls is FailureClass.INVALID_OUTPUT
    assert notebook.results == {}


async def test_a_cancelled_attempt_starts_no_effect(ctx: StepContext, notebook: Notebook) -> None:
    ctx.check_cancelled()
    ctx.cancelled.set()
    with pytest.raises(StepError) as caught:
        await ctx.effect("charge", _nothing)
    assert caught.value.cls is FailureClass.CANCELLED
    assert notebook.events == []


async def test_a_log_line_is_one_line_of_at_most_300_characters(ctx: StepContext, notebook: Notebook) -> None:
    await ctx.log("two\n  lines\tof text")
    await ctx.log("x" * 301)
    assert notebook.events == [("log", "two lines of text"), ("log", "x" * 299 + "…")]


async def test_an_attempt_logs_at_most_50_lines_and_says_so(ctx: StepContext, notebook: Notebook) -> None:
    for number in range(60):
        await ctx.log(f"line {number}")
    assert len(notebook.events) == 50
    assert notebook.events[48] == ("log", "line 48")
    assert "left out" in notebook.events[49][1]


async def test_waiting_in_the_loop_is_refused_instead_of_hanging(ctx: StepContext, notebook: Notebook) -> None:
    with pytest.raises(StepError, match="awaits the call itself"):
        ctx.wait(ctx.log("never"))
    assert notebook.events == []


async def _nothing(_: str) -> None:
    return None


async def test_an_effect_that_may_cost_something_says_before_how_much_and_after_what_it_was(
    notebook: Notebook, ctx: StepContext
) -> None:
    async def ask(key: str) -> Paid:
        return Paid("42", 120_000)

    assert await ctx.effect("ask", ask, spend=Spend(500_000)) == "42"
    assert notebook.events == [
        ("started", "ask"),
        ("reserved", "500000"),
        ("recorded", "ask"),
        ("cost", "120000"),
    ]


class Away(ConnectionError):
    sent = False


@pytest.mark.parametrize(
    ("error", "unsent"), [(Unsent("no such host"), True), (Away(), True), (ConnectionError(), False)]
)
async def test_only_what_certainly_never_left_is_released(
    notebook: Notebook, ctx: StepContext, error: Exception, unsent: bool
) -> None:
    async def ask(key: str) -> Paid:
        raise error

    with pytest.raises(type(error)):
        await ctx.effect("ask", ask, spend=Spend(500_000))
    assert (("unsent", "ask") in notebook.events) is unsent


async def test_an_effect_that_may_cost_something_has_to_say_what_it_was(notebook: Notebook, ctx: StepContext) -> None:
    async def ask(key: str) -> str:
        return "42"

    with pytest.raises(StepError, match=r"return Paid\(result, cost\)"):
        await ctx.effect("ask", ask, spend=Spend(500_000))
    assert ("recorded", "ask") not in notebook.events
