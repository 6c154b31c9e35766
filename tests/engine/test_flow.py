"""Branches, loops and pauses through the whole engine: what runs, in which order, and what each step gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from engine.core import events as e
from engine.core.state import RunStatus, StepStatus
from engine.steps.registry import step
from tests.engine.conftest import Setup, World, ended, workflow
from tests.engine.flows import begin, finish, reaches, sound, step_is, told


def echo(id_: str, text: str, **more: object) -> Mapping[str, object]:
    return {"id": id_, "uses": "t.echo", "with": {"text": text}, **more}


async def test_a_join_goes_on_after_a_skipped_branch(setup: Setup, world: World) -> None:
    work = workflow(
        echo("a", "a"),
        echo("b", "b", needs=["a"], **{"if": "steps.a.output == 'b'"}),
        echo("b2", "b2", needs=["b"]),
        echo("c", "c", needs=["a"]),
        echo("z", "z", needs=["b2", "c"]),
    )
    async with setup.working(work) as engine:
        state = await finish(engine)
        assert state.status is RunStatus.COMPLETED
        assert {state.step(each).status for each in ("b", "b2")} == {StepStatus.SKIPPED}
        assert world.calls == ["echo a", "echo c", "echo z"]
        assert await sound(engine)


async def test_branches_run_at_the_same_time(setup: Setup, world: World) -> None:
    holds = [{"id": name, "uses": "t.hold", "needs": ["a"]} for name in ("b", "c", "d")]
    async with setup.working(workflow(echo("a", "a"), *holds, echo("z", "z", needs=["b", "c", "d"]))) as engine:
        run = await begin(engine)
        await reaches(engine, run, lambda state: len(list(state.opened(StepStatus.RUNNING))) == 3)
        world.open.set()
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert world.calls[-1] == "echo z"


def each(
    items: object, *, text: str = "${{ index }}=${{ item }}", uses: str = "t.odd", **more: object
) -> dict[str, object]:
    return {"id": "each", "for_each": {"items": items, "max_items": 200, **more}, "uses": uses, "with": {"text": text}}


def odd(setup: Setup, world: World) -> None:
    """Let the engine have a step that fails for a text that ends in ``bad``."""

    @step("t.odd")
    async def odd_(text: str) -> str:
        world.calls.append(text)
        if text.endswith("bad"):
            raise ValueError("it is bad")
        return text.upper()

    setup.more = (odd_,)


async def test_a_for_each_gives_a_result_for_each_item_in_their_order(setup: Setup, world: World) -> None:
    odd(setup, world)
    work = workflow({"id": "v", "set": {"xs": ["a", "b", "c"]}}, each("${{ steps.v.output.xs }}", max_parallel=2))
    async with setup.working(work) as engine:
        state = await finish(engine)
        results: Any = state.step("each").output
        assert [one["output"] for one in results] == ["0=A", "1=B", "2=C"]
        assert await sound(engine)


async def test_a_failed_item_fails_the_loop_or_is_told_in_its_result(setup: Setup, world: World) -> None:
    odd(setup, world)
    items = ["a", "bad", "c"]
    strict = workflow(each(items, max_parallel=1), name="strict")
    lenient = workflow(each(items, on_item_failure="continue"), echo("z", "z"), name="lenient")
    async with setup.working(strict, lenient) as engine:
        state = await finish(engine, "strict")
        assert state.end is not None
        assert (state.end.step, state.end.reason) == ("each", "each[1]: value: it is bad")
        assert world.calls == ["0=a", "1=bad"], "nothing more is begun"
        state = await finish(engine, "lenient")
        assert state.status is RunStatus.COMPLETED
        results: Any = state.step("each").output
        assert [one["status"] for one in results] == ["completed", "failed", "completed"]
        assert await sound(engine)


async def test_too_many_items_fail_the_step_before_any_of_them_begins(setup: Setup, world: World) -> None:
    odd(setup, world)
    many = {"id": "v", "set": {"xs": "${{ input.words.split(',') }}"}}
    work = workflow(many, each("${{ steps.v.output.xs }}", max_items=2), input={"words": {"type": "string"}})
    async with setup.working(work) as engine:
        state = await finish(engine, words="a,b,c")
        assert state.end is not None
        assert "max_items is 2" in state.end.reason
        assert world.calls == []


async def test_120_items_are_done_by_child_runs(setup: Setup, world: World) -> None:
    odd(setup, world)
    items = [f"i{number}" for number in range(120)]
    work = workflow(
        {"id": "v", "set": {"x": "y" * 2_000}},
        each(items, text="${{ item }}/${{ size(steps.v.output.x) }}", max_parallel=100),
        {"id": "z", "set": {"n": "${{ size(steps.each.output) }}"}},
        output={"n": "${{ steps.z.output.n }}", "last": "${{ steps.each.output[119] }}"},
    )
    async with setup.working(work) as engine:
        run = await begin(engine)
        state = await ended(engine, run)
        assert (await told(engine, run))["CHILD_STARTED"] == 3
        [end] = [one.event for one in await engine.history(run) if isinstance(one.event, e.RunCompleted)]
        last = {"index": 119, "status": "completed", "output": "I119/2000", "error": ""}
        assert end.output == {"n": 120, "last": last}
        assert sorted(world.calls) == sorted(f"{item}/2000" for item in items)
        assert state.status is RunStatus.COMPLETED
        assert len(await engine.runs(limit=10)) == 4
        assert await sound(engine)


async def test_a_failed_item_in_a_child_run_is_told_in_its_place(setup: Setup, world: World) -> None:
    odd(setup, world)
    items = ["bad" if number == 60 else f"i{number}" for number in range(120)]
    work = workflow(each(items, text="${{ item }}", max_parallel=100, on_item_failure="continue"), echo("z", "z"))
    async with setup.working(work) as engine:
        run = await begin(engine)
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        completed = [one.event for one in await engine.history(run) if isinstance(one.event, e.StepCompleted)]
        [results] = [cast("Any", event.output) for event in completed if event.step == "each"]
        assert [one["index"] for one in results if one["status"] == "failed"] == [60]
        assert await sound(engine)


async def test_a_repeat_goes_on_until_its_condition_holds_with_its_pauses(setup: Setup, world: World) -> None:
    work = workflow(
        {
            "id": "poll",
            "repeat": {"until": "steps.check.output == '3'", "max": 5, "every": "1h"},
            "steps": [echo("check", "${{ string(iteration) }}")],
        },
        echo("z", "${{ string(steps.poll.output.iterations) }}"),
    )
    async with setup.working(work) as engine:
        run = await begin(engine)
        for passed in (1, 2):
            state = await reaches(engine, run, lambda state: state.step("poll").wake_at > 0)
            assert world.calls == [f"echo {number}" for number in range(1, passed + 1)]
            setup.clock.advance(state.step("poll").wake_at - setup.clock.now())
            await reaches(engine, run, lambda _, seen=passed: len(world.calls) > seen)
        assert (await ended(engine, run)).step("z").output == "3"
        assert await sound(engine)


async def test_a_repeat_that_reaches_its_maximum_fails(setup: Setup, world: World) -> None:
    passes = {
        "id": "poll",
        "repeat": {"until": "steps.check.output == 'never'", "max": 2},
        "steps": [echo("check", "x")],
    }
    async with setup.working(workflow(passes)) as engine:
        state = await finish(engine)
        assert state.end is not None
        assert state.end.reason == "after 2 passes its condition is still not met: steps.check.output == 'never'"


async def test_a_run_sleeps_by_the_clock_also_without_a_worker(setup: Setup, world: World) -> None:
    work = workflow({"id": "s", "sleep": "3d"}, echo("z", "z"))
    async with setup.engine(work) as engine:
        run = await begin(engine)
        assert (await engine.state(run)).step("s").status is StepStatus.SLEEPING
    async with setup.working() as engine:
        setup.clock.advance(3 * 86_400_000 - 60_000)
        await step_is(engine, run, "s", StepStatus.SLEEPING)
        setup.clock.advance(60_000)
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert await sound(engine)
