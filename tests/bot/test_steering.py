"""The buttons of a run's card, through the front door: what they do, for whom, and what a second click does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.blocks.steering import Clicked, Deed, buttons, mark, possible
from bot.simulator.model import Json, Message, View
from bot.simulator.simulator import Simulator
from engine.core import commands as c
from engine.core import events as e
from engine.core.decide import decide
from engine.core.state import RunState, RunStatus
from tests.bot.conftest import Setup, until, workflow
from tests.bot.front import HOLD, Front, serving
from tests.bot.scenes import scenes
from tests.bot.scenes_flow import dead, flow_scenes, steered
from tests.core.driver import BEN
from tests.engine.test_budgets import asking, asks

LONG = workflow({"id": "one", "uses": "t.lines", "with": {"count": 45}}, name="long")
BROKEN = workflow({"id": "one", "uses": "t.flaky", "with": {"name": "one"}}, name="broken")

KNOWN = scenes() | flow_scenes()


def labels(state: RunState) -> list[str]:
    return [element["text"]["text"] for element in buttons(state)["elements"]]


def asked(state: RunState, label: str) -> str:
    """What is said before the click on this button counts."""
    (found,) = (one["confirm"]["text"]["text"] for one in buttons(state)["elements"] if one["text"]["text"] == label)
    return found


@pytest.mark.parametrize(
    ("scene", "shown"),
    [
        ("running", ["Pause", "Details", "Cancel"]),
        ("paused", ["Resume", "Details", "Cancel"]),
        ("asked", ["Pause", "Details", "Cancel"]),
        ("cancelling", ["Details"]),
        ("completed", ["Details"]),
        ("denied", ["Details"]),
        ("exhausted", ["Retry", "Details"]),
        ("timed_out", ["Details", "Cancel"]),
        ("undoing", ["Details"]),
        ("undone", ["Details"]),
        ("used_up", ["Pause", "Raise budget", "Details", "Cancel"]),
        ("set_aside", ["Pause", "Details", "Cancel"]),
    ],
)
def test_a_card_offers_what_can_be_done_now_what_is_safe_first(scene: str, shown: list[str]) -> None:
    assert labels(KNOWN[scene].state) == shown


@pytest.mark.parametrize("name", KNOWN)
def test_the_engine_does_whatever_a_card_offers_and_nothing_that_it_does_not(name: str) -> None:
    commands = {Deed.PAUSE: c.Pause, Deed.RESUME: c.Resume, Deed.RETRY: c.Redrive, Deed.CANCEL: c.Cancel}
    run = KNOWN[name]
    values = {one.seq: e.value_of(one.event) for one in run.log}
    does = {deed for deed in commands if decide(run.state, commands[deed](BEN), run.now, values).events}
    assert set(possible(run.state)) - {Deed.RAISE} == does, "a budget is the workspace's to raise"


def test_what_does_harm_says_exactly_what_will_happen_to_what() -> None:
    assert asked(KNOWN["running"].state, "Cancel") == (
        "wf · v1.4.2 ends for good: changes is told to stop, and nothing more starts. Nothing has been done so far."
    )
    assert asked(KNOWN["asked"].state, "Cancel") == (
        "wf · v1.4.2 ends for good: nothing more starts, and nobody needs to decide any more. What is done stays done: "
        "changes, notes."
    )
    assert asked(KNOWN["exhausted"].state, "Retry") == (
        "tag of wf · v1.4.2 is run again with all its attempts, and the run goes on from there."
    )


def test_raising_says_by_how_much_of_what() -> None:
    assert asked(KNOWN["used_up"].state, "Raise budget") == (
        "$0.50 more may be spent, which what comes next may cost, of the workspace's budget for the day, the run's "
        "budget. Then wf goes on."
    )


def test_a_button_is_for_the_state_that_it_was_shown_for() -> None:
    run = dead()
    first = mark(run.state, Deed.RETRY)
    steered(run, c.Redrive(BEN))
    run.look()
    run.fail("tag")
    assert mark(run.state, Deed.RETRY) > first
    paused = steered(run, c.Redrive(BEN)).state
    assert mark(steered(run, c.Pause(BEN)).state, Deed.PAUSE) > mark(paused, Deed.PAUSE)
    with pytest.raises(ValueError, match="not a button of a run"):
        Clicked.read("C0RELEASES:1")


# Through the front door


def card_of(front: Front) -> Message:
    return front.simulator.channel_messages("#releases")[0]


async def card_with(front: Front, action: str) -> Message:
    """The card, once it has this button."""
    await front.simulator.wait_for(
        lambda: action in str([m.blocks for m in front.simulator.channel_messages("#releases")])
    )
    return card_of(front)


async def press(front: Front, who: str, action: str) -> None:
    card = await card_with(front, action)
    await front.simulator.click(who, "#releases", card.ts, action)


async def held(front: Front, who: str = "ben") -> str:
    """A run that is at work until the test lets it go on."""
    assert await front.type(who, "run hold") == ""
    await card_with(front, "run_pause")
    return (await front.runs())[0]


async def test_who_started_a_run_pauses_resumes_and_cancels_it_by_its_card(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await held(front)
        await press(front, "ben", "run_pause")
        assert (await front.engine.state(run)).own_pause is not None  # recorded before it was acknowledged
        await press(front, "ben", "run_resume")
        assert (await front.engine.state(run)).own_pause is None
        await press(front, "ben", "run_cancel")
        state = await front.ended(run)
        assert state.status is RunStatus.CANCELLED
        assert state.cancel is not None
        assert (state.cancel.by.via, state.cancel.by.name) == ("slack", "Ben Okafor")
        await simulator.wait_for(lambda: "run_cancel" not in str(card_of(front).blocks))
        assert front.whispers("ben") == []


@pytest.mark.parametrize("action", ["run_pause", "run_cancel"])
async def test_whoever_has_no_role_for_it_is_told_so_and_nothing_changes(
    setup: Setup, simulator: Simulator, action: str
) -> None:
    async with serving(setup, simulator) as front:
        run = await held(front)
        before = (await front.engine.state(run)).seq
        await press(front, "chen", action)
        assert (await front.told("chen", 1)).endswith("Nothing was changed.")
        await press(front, "dana", action)  # an admin
        assert (await front.engine.state(run)).seq > before
        assert front.whispers("dana") == []


async def test_of_two_clicks_at_once_one_counts(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await held(front)
        card = await card_with(front, "run_pause")
        simulator.duplicate_next("interactive")
        clicks = [simulator.click("ben", "#releases", card.ts, "run_pause") for _ in range(2)]
        await asyncio.gather(*clicks)
        events = [recorded.event.type for recorded in await front.engine.history(run)]
        assert events.count("RUN_PAUSED") == 1


async def test_a_late_click_on_a_button_from_before_does_nothing_and_says_so(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator) as front:
        run = await held(front)
        old = [element for block in card_of(front).blocks for element in _elements(block)]
        await front.engine.operations.pause(run, by=BEN)
        await front.engine.operations.resume(run, by=BEN)
        seq = (await front.engine.state(run)).seq
        card = card_of(front)
        card.blocks = [{"type": "actions", "block_id": "run", "elements": old}]
        await simulator.click("ben", "#releases", card.ts, "run_pause")
        assert "is not any more as it was when this button was shown" in await front.told("ben", 1)
        assert (await front.engine.state(run)).seq == seq


def _elements(block: Json) -> list[Any]:
    return block["elements"] if block.get("block_id") == "run" else []


async def test_a_failed_run_is_tried_again_by_its_card(setup: Setup, simulator: Simulator) -> None:
    setup.world.failures["one"] = 1
    async with serving(setup, simulator, [BROKEN]) as front:
        assert await front.type("ben", "run broken") == ""
        await press(front, "ben", "run_retry")

        async def completed() -> bool:
            return (await front.engine.state((await front.runs())[0])).status is RunStatus.COMPLETED

        await until(completed)


# Details


def page_of(view: View) -> str:
    """Which lines it shows."""
    (place,) = (
        element["text"]
        for block in view.body["blocks"]
        if block["type"] == "context"
        for element in block["elements"]
        if " page " in element["text"]
    )
    return place


async def test_details_show_the_timeline_page_by_page(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [LONG]) as front:
        assert await front.type("ben", "run long") == ""
        run = (await front.runs())[0]
        await front.ended(run)
        await press(front, "chen", "run_details")
        view = await front.form("chen")
        assert page_of(view) == "41 to 48 of 48 lines, page 3 of 3"
        assert f"`vb show {run[:14]}`" in str(view.body)
        assert "Completed" in str(view.body)
        await simulator.click_in_view("chen", view.id, "details_earlier")
        await simulator.wait_for(lambda: page_of(view).startswith("21 to 40"))
        await simulator.click_in_view("chen", view.id, "details_earlier")
        await simulator.wait_for(lambda: page_of(view).startswith("1 to 20"))
        assert "Ben Okafor started long" in str(view.body)
        assert "details_earlier" not in str(view.body)
        await simulator.click_in_view("chen", view.id, "details_latest")
        await simulator.wait_for(lambda: page_of(view).startswith("41 to 48"))


async def test_a_page_is_not_replaced_by_an_older_click(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [LONG]) as front:
        assert await front.type("ben", "run long") == ""
        await front.ended((await front.runs())[0])
        await press(front, "ben", "run_details")
        view = await front.form("ben")
        simulator.duplicate_next("interactive")
        await simulator.click_in_view("ben", view.id, "details_earlier")
        await simulator.wait_for(lambda: page_of(view).startswith("21 to 40"))
        hashes = [call.args["hash"] for call in simulator.calls("views.update")]
        assert len(set(hashes)) == 1


async def test_a_page_of_a_run_of_another_workspace_is_not_shown(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD]) as front:
        run = await held(front)
        card = card_of(front)
        card.blocks = [
            {**block, "elements": [{**one, "value": "run_01zzzzzzzzzz:0"} for one in block["elements"]]}
            if block.get("block_id") == "run"
            else block
            for block in card.blocks
        ]
        await simulator.click("ben", "#releases", card.ts, "run_details")
        assert "run_01zzzzzzzzzz" in await front.told("ben", 1)
        assert simulator.views("ben") == []
        assert run not in await front.told("ben", 1)


async def test_a_budget_is_raised_by_the_card_of_the_run_that_it_holds(setup: Setup, simulator: Simulator) -> None:
    setup.world.more = (asking([]),)
    async with serving(setup, simulator, [asks(budget={"limit": "0.10 USD"})]) as front:
        assert await front.type("ben", "run wf worst=50 cost=40") == ""
        await card_with(front, "run_raise")
        (run,) = await front.runs()
        await press(front, "ben", "run_raise")
        assert "role operator" in await front.told("ben", 1)
        await press(front, "dana", "run_raise")
        assert (await front.ended(run)).status is RunStatus.COMPLETED
        (info,) = await front.engine.budgets.of([f"run:{run}"])
        assert (info.spent, info.limit) == (400_000, 600_000)
        assert info.budget is not None
        assert info.budget.by.name == "Dana Levy"
