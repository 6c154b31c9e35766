"""The picture of what was spent and the log of a run, as people ask for them in Slack."""

from __future__ import annotations

from sqlalchemy import Connection, text

from bot.blocks.files import NOT_GRANTED
from bot.blocks.replies import UNEXPECTED
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup
from tests.bot.front import SIMPLE, Front, serving
from tests.bot.test_alerts import asking, asks
from tests.bot.test_steering import press

PNG = b"\x89PNG\r\n\x1a\n"


def with_files(messages: list[Message]) -> list[Message]:
    return [one for one in messages if one.files]


def contents(front: Front, message: Message) -> bytes:
    return front.simulator.workspace.uploads.contents[message.files[0].id]


def lose_what_was_posted(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))


async def spent(front: Front) -> None:
    assert await front.type("ben", "run wf worst=50 cost=50") == ""
    await front.ended((await front.runs())[0])


async def test_what_was_spent_is_shown_where_it_is_asked_for_with_the_same_in_words(
    setup: Setup, simulator: Simulator
) -> None:
    setup.world.more = (asking([]),)
    async with serving(setup, simulator, [asks()], admins=("@dana",)) as front:
        assert "Nothing was spent" in await front.type("ben", "budget chart 7")
        assert "2 to 366 days" in await front.type("ben", "budget chart 1")
        await spent(front)
        assert await front.type("ben", "budget chart 7") == ""
        (picture,) = await simulator.wait_for(lambda: with_files(front.simulator.channel_messages("#releases")))
        assert contents(front, picture).startswith(PNG)
        assert picture.files[0].title.startswith("Spend per day, ")
        assert "$0.50" in picture.text
        assert "By workflow: wf $0.50" in picture.text
        assert picture.thread_ts is None
        simulator.workspace.app.scopes = tuple(one for one in simulator.workspace.app.scopes if one != "files:write")
        assert await front.type("ben", "budget chart") == ""
        told = await front.told("ben", 3)
        assert NOT_GRANTED in told
        assert "By workflow: wf $0.50" in told, "nothing is lost but the picture"
        simulator.workspace.app.scopes += ("files:write",)
        await front.engine.store.database.write(lose_what_was_posted)
        assert await front.type("ben", "budget chart") == ""
        told = await front.told("ben", 4)
        assert told.startswith(UNEXPECTED)
        assert "By workflow: wf $0.50" in told


async def test_the_log_of_a_run_is_brought_to_who_asks_once_and_linked_in_the_details(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        assert await front.type("ben", "run simple") == ""
        run = (await front.runs())[0]
        await front.ended(run)
        await press(front, "chen", "run_details")
        view = await front.form("chen")
        await simulator.click_in_view("chen", view.id, "details_log")
        await simulator.wait_for(lambda: "The log is in your messages with me" in str(view.body))
        (log,) = with_files(simulator.direct_messages("chen"))
        assert log.files[0].path in str(view.body)
        lines = contents(front, log).decode().splitlines()
        history = await front.engine.history(run)
        assert [line.split()[1] for line in lines] == [one.event.type for one in history]
        assert "details_log" not in str(view.body)
        await press(front, "chen", "run_details")
        await simulator.wait_for(lambda: simulator.views("chen")[-1].id != view.id)
        again = simulator.views("chen")[-1]
        assert log.files[0].path in str(again.body), "what is there already is linked at once"
        assert simulator.violations.total == 0
