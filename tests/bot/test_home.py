"""The App Home, through the front door: what it shows to whom, that it keeps up, and that it stays within bounds."""

from __future__ import annotations

import asyncio

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.home import RUNS_SHOWN
from bot.blocks.kit import Block
from bot.blocks.words import short_id
from bot.people.directory import Directory
from bot.people.roles import Roles
from bot.sending.outbox import Outbox
from bot.simulator import demo
from bot.simulator.model import View
from bot.simulator.simulator import Simulator
from bot.telling.homes import HomePace, Homes
from engine.core.events import Actor
from engine.core.money import USD
from tests.bot.conftest import ACTOR, Setup, workflow
from tests.bot.front import ADMINS, SIMPLE, Front, serving
from tests.engine.test_budgets import asking, asks

DANA, BEN, EVE = "dana", "ben", "eve"
NIGHTLY = workflow(
    {"id": "one", "uses": "t.echo", "with": {"text": "hi"}},
    name="nightly",
    schedule=[{"cron": "0 3 * * *"}],
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.telling.homes.USUAL", HomePace(pause=0.1, look=0.5))


async def tab(front: Front, who: str) -> View:
    """The person's tab, once it has been shown."""
    front.simulator.open_home(who)
    await front.simulator.wait_for(lambda: front.simulator.home(who) is not None)
    view = front.simulator.home(who)
    assert view is not None
    return view


def said(view: View) -> str:
    """All that it shows, in order."""
    texts: list[str] = []
    for block in view.body["blocks"]:
        texts += [block["text"]["text"]] if "text" in block else []
        texts += [each["text"] for each in block.get("elements", []) if block["type"] == "context"]
    return "\n".join(texts)


def labels(view: View) -> list[str]:
    return [
        element["text"]["text"]
        for block in view.body["blocks"]
        for element in (*block.get("elements", []), *([block["accessory"]] if "accessory" in block else []))
        if element["type"] == "button"
    ]


async def shows(front: Front, who: str, *parts: str) -> View:
    view = front.simulator.home(who)
    assert view is not None
    await front.simulator.wait_for(lambda: all(part in said(view) for part in parts))
    return view


async def test_an_empty_tab_says_what_to_do(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        told = said(await tab(front, BEN))
        for part in ("Nothing waits for you.", "You have started no runs yet.", "Nobody has started a run here yet."):
            assert part in told
        assert "Nothing starts by the clock." in told


async def test_it_shows_what_waits_ones_runs_all_runs_and_the_schedules(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.engine.deploy([NIGHTLY], by=ACTOR, may=frozenset({"deploy", "deploy.gates"}))
        run = await front.release()
        assert await front.type("dana", "run simple") == ""
        view = await tab(front, DANA)
        waits, own, everybodys, clock = (
            said(view).split(heading)[-1] for heading in ("Waits for you", "Your runs", "All runs", "Schedules")
        )
        assert "Publish?" in waits.split("Your runs")[0]
        assert "simple" in own.split("All runs")[0]
        assert "release" not in own.split("All runs")[0]
        assert run[:14] in everybodys
        assert "*nightly*" in clock
        assert "`0 3 * * *`" in clock
        assert {"Run a workflow", "Approve", "Deny", "Details"} <= set(labels(view))


async def test_ones_runs_are_ones_own_whatever_somebody_is_called(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        before_a_new_name = Actor(via="slack", id=demo.DANA, name="Dana Cohen")
        namesake = Actor(via="slack", id="U0NAMESAKE", name="Dana Levy")
        mine = (await front.engine.start("simple", {}, by=before_a_new_name)).run
        theirs = (await front.engine.start("simple", {}, by=namesake)).run
        own = said(await tab(front, DANA)).split("Your runs")[1].split("All runs")[0]
        assert short_id(mine) in own
        assert short_id(theirs) not in own


async def test_a_decision_in_the_tab_is_one_everywhere_and_the_tab_keeps_up(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        view = await tab(front, "ana")
        await simulator.click_in_view("ana", view.id, "gate_approve")
        made = (await front.gate(run)).decision
        assert made is not None
        assert made.by is not None
        assert made.by.name == "Ana Ruiz"
        await shows(front, "ana", "Nothing waits for you.", "✓ completed")


async def test_it_keeps_up_with_what_happens(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await tab(front, "ana")
        await front.release()
        await shows(front, "ana", "Publish?", "release")


async def test_all_runs_are_leafed_through(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        for _ in range(RUNS_SHOWN + 2):
            assert await front.type(BEN, "run simple") == ""
        newest = await front.runs()
        view = await tab(front, "ana")
        assert newest[0][:14] in said(view)
        assert newest[-1][:14] not in said(view)
        await simulator.click_in_view("ana", view.id, "home_page")
        await shows(front, "ana", newest[-1][:14])
        assert newest[0][:14] not in said(view)
        await simulator.click_in_view("ana", view.id, "home_newest")
        await shows(front, "ana", newest[0][:14])


async def test_a_run_is_started_and_looked_into_from_the_tab(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        view = await tab(front, BEN)
        await simulator.click_in_view(BEN, view.id, "home_start")
        assert (await front.form(BEN)).body["title"]["text"] == "Start a workflow"
        assert await front.type("ana", "run simple") == ""
        await shows(front, BEN, "simple")
        await simulator.click_in_view(BEN, view.id, "run_details")
        await simulator.wait_for(lambda: "Details" in [v.body["title"]["text"] for v in simulator.views(BEN)])


async def test_a_guest_sees_no_runs(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.release()
        told = said(await tab(front, EVE))
        assert told.startswith("Guests of this workspace cannot do this")
        assert "release" not in told


async def test_however_much_happens_a_tab_is_published_once_in_a_while(
    setup: Setup, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.telling.homes.USUAL", HomePace(pause=3.0, look=600))
    async with serving(setup, simulator, [SIMPLE]) as front:
        begun = setup.clock.now()
        await tab(front, BEN)
        for _ in range(5):
            assert await front.type("ana", "run simple") == ""
        for run in await front.runs():
            await front.ended(run)
        await shows(front, BEN, *(run[:14] for run in await front.runs()))
        _, *more = simulator.calls("views.publish")
        # A call may be late, but none is early: so many pauses have gone by at least.
        assert more[-1].at - begun >= 2_950 * len(more)


async def test_what_is_shown_already_is_not_published_again(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    looks = 0

    async def waiting(_user: str) -> list[Block]:
        nonlocal looks
        looks += 1
        return []

    async with setup.engine(SIMPLE) as engine:
        pace = HomePace(pause=0, look=0.01)
        homes = Homes(engine, Outbox(client), Roles(engine, directory, ADMINS), waiting, pace=pace)
        await homes.open(demo.BEN)
        keeping = asyncio.create_task(homes.run())
        await simulator.wait_for(lambda: looks >= 4)
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert len(simulator.calls("views.publish")) == 1


async def test_a_fault_that_nobody_foresaw_spoils_one_look_of_one_tab(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> None:
    looks = {demo.BEN: 0, demo.DANA: 0}

    async def waiting(user: str) -> list[Block]:
        looks[user] += 1
        if looks[demo.BEN] == 2 and user == demo.BEN:
            raise RuntimeError("unforeseen")
        return []

    async with setup.engine(SIMPLE) as engine:
        pace = HomePace(pause=0, look=0.01)
        homes = Homes(engine, Outbox(client), Roles(engine, directory, ADMINS), waiting, pace=pace)
        for user in looks:
            await homes.open(user)
        keeping = asyncio.create_task(homes.run())
        await simulator.wait_for(lambda: keeping.done() or min(looks.values()) >= 4)
        assert not keeping.done()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_it_shows_what_is_spent_by_which_workflows_and_what_a_budget_holds(
    setup: Setup, simulator: Simulator
) -> None:
    setup.world.more = (asking([]),)
    async with serving(setup, simulator, [asks()]) as front:
        assert "workspace per day: $0.00 spent, no limit" in said(await tab(front, BEN))
        await front.engine.budgets.set("workspace/day", USD, by=ACTOR, channel="#ops")
        for _ in range(2):
            assert await front.type("ben", "run wf worst=60 cost=60") == ""
        view = await shows(
            front, BEN, "workspace per day: $0.60 of $1.00 spent (60 %), alerts also in #ops", "is held:"
        )
        spend = said(view).split("Spend")[1].split("Schedules")[0]
        assert "Most this month, each workflow with the runs that it calls: wf $0.60" in spend
        assert "the workspace's budget for the day ($1.00) has no room left" in spend
        await front.engine.budgets.set("workspace/day", 2 * USD, by=ACTOR)
        await shows(front, BEN, "workspace per day: $1.20 of $2.00 spent (60 %)", "wf $1.20")
        assert "is held:" not in said(view)
