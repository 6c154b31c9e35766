"""Kill switches through the front door: who may, what is asked before, what people are told, and how all goes on."""

from __future__ import annotations

from bot.simulator.model import Message, View
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus, StepStatus
from tests.bot.conftest import Setup, until
from tests.bot.front import HOLD, Front, serving


async def held(front: Front, run: str) -> None:
    async def is_held() -> bool:
        return (await front.engine.state(run)).step("one").status is StepStatus.HELD

    await until(is_held)


async def running(front: Front) -> str:
    """A run whose step runs, and whose card is there."""
    assert await front.type("ben", "run hold") == ""
    (run,) = await front.runs()

    async def runs() -> bool:
        return (await front.engine.state(run)).step("one").status is StepStatus.RUNNING

    await until(runs)
    return run


def said_in(view: View) -> str:
    return str(view.blocks)


def told_held(front: Front, root: str) -> list[str]:
    known = front.simulator.channel_messages("#releases")
    return [one.text for one in known if one.thread_ts == root and "is held" in one.text]


def channel_texts(front: Front) -> list[str]:
    return [one.text for one in front.simulator.channel_messages("#releases")]


def stops_told(front: Front) -> list[str]:
    """What the channel was told of switches that were thrown."""
    return [text for text in channel_texts(front) if "To let it go on" in text]


async def card(front: Front) -> Message:
    """The card, once it has the button."""

    def found() -> list[Message]:
        return [one for one in front.simulator.channel_messages("#releases") if "run_lift" in str(one.blocks)]

    return (await front.simulator.wait_for(found))[0]


async def kill(front: Front, text: str, why: str) -> None:
    await front.type("dana", text)
    view = await front.form("dana")
    await front.simulator.submit_view("dana", view.id, {"reason": {"value": why}})


async def test_a_kill_is_asked_told_in_the_thread_and_lifted_from_the_card(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD]) as front:
        run = await running(front)
        await front.type("dana", "kill workspace the registry burns")
        view = await front.form("dana")
        asked = said_in(view)
        assert "This stops all runs of this workspace: 1 open run, in which 1 step runs now." in asked
        assert "the registry burns" in asked, "what was typed is in the form"
        assert (await front.engine.state(run)).step("one").status is StepStatus.RUNNING, "nothing happens before"

        await simulator.submit_view("dana", view.id, {"reason": {"value": "the registry burns"}})
        await held(front, run)
        message = await card(front)
        (said,) = await simulator.wait_for(lambda: stops_told(front))
        assert "Dana Levy stopped all runs of this workspace" in said
        assert said.endswith("the registry burns. To let it go on: `/vb lift workspace`")
        thread = await simulator.wait_for(lambda: told_held(front, message.ts))
        assert "Dana" in thread[0]
        assert "stopped all runs of this workspace: the registry burns" in thread[0]
        assert "/vb lift workspace" in thread[0]
        assert "Held" in str(message.blocks)

        await simulator.click("ben", "#releases", message.ts, "run_lift")
        assert "operator" in await front.told("ben", 1)
        assert (await front.engine.state(run)).step("one").status is StepStatus.HELD
        setup.world.open.set()
        await simulator.click("dana", "#releases", message.ts, "run_lift")
        assert (await front.ended(run)).status is RunStatus.COMPLETED
        assert await front.engine.switches.thrown() == []
        said = await simulator.wait_for(lambda: [one for one in channel_texts(front) if "let all runs" in one])
        assert said[0].startswith("→ Dana Levy let all runs of this workspace go on"), "to whom the stop was told"


async def test_only_operators_kill_and_only_where_there_is_something(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD]) as front:
        assert "operator" in await front.type("ben", "kill workspace why not")
        assert simulator.views("ben") == []
        assert "names nothing that can be stopped" in await front.type("dana", "kill holds why")
        assert "no workflow" in (await front.type("dana", "kill workflow:nothing why")).lower()
        assert "Nothing is stopped" in await front.type("ben", "kill")
        await kill(front, "kill workflow:hold", "too many")
        listed = await front.type("ben", "kill")
        assert "stopped all runs of hold" in listed
        assert "too many" in listed
        assert "operator" in await front.type("ben", "lift workflow:hold")
        assert "what was held goes on" in await front.type("dana", "lift workflow:hold")
        assert "o switch workflow:hold is thrown" in await front.type("dana", "lift workflow:hold")
