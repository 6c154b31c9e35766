"""What is said in a workspace itself is told once, to whom it concerns, whichever way it came by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, select, update

from bot.people.directory import Directory
from bot.people.roles import asked_by_role
from bot.sending.outbox import Outbox
from bot.sending.postings import NOTICES
from bot.simulator.demo import BEN
from bot.simulator.simulator import Simulator
from bot.telling.follower import Follower
from bot.telling.notices import Notices
from bot.telling.places import LONG_OVER_MS
from bot.telling.shared import Pace
from engine.core.errors import UnknownEvent
from engine.core.events import Actor
from engine.engine import Engine
from engine.store import Deliveries
from engine.store.schema import cursors, events
from tests.bot.conftest import Setup
from tests.bot.front import ADMINS, unanswered
from tests.statements import counted
from tests.waiting import until

SHELL = Actor(via="cli", id="1000", name="ops")
PERSON = Actor(via="slack", id=BEN, name="Ben Okafor")


class Bench:
    def __init__(self, engine: Engine, simulator: Simulator, client: AsyncWebClient, directory: Directory) -> None:
        self.engine, self.simulator, self.client, self.directory = engine, simulator, client, directory

    def notices(self, owner: str = "wrk_a", default_channel: str | None = None, lease: float = 10.0) -> Notices:
        return Notices(
            self.engine,
            Outbox(self.client),
            self.directory,
            owner=owner,
            default_channel=default_channel,
            settle_ms=50,
            pace=Pace(lease=lease),
        )

    def within(self, workspace: str) -> Bench:
        """The same in another workspace, which is shown in the same Slack."""
        return Bench(self.engine.within(workspace), self.simulator, self.client, self.directory)

    async def behind(self) -> list[str]:
        """The workspaces of which something is to be told."""
        return await Deliveries(self.engine.store).unread_said(NOTICES, "wrk_a", self.engine.home)

    def texts(self, channel: str = "releases") -> list[str]:
        return [one.text for one in self.simulator.channel_messages(channel)]

    async def link(self) -> None:
        code = await self.engine.identities.offer(PERSON)
        await self.engine.identities.take(code, SHELL, "build-host")


class Idle:
    async def find(self) -> None:
        raise AssertionError("there is no run")


def forget(connection: Connection, workspace: str) -> None:
    """What is left of a process that died between a post and its note."""
    connection.execute(update(cursors).where(cursors.c.stream == workspace).values(seq=0, owner=None, until=0))


def leased_until(connection: Connection, stream: str) -> int:
    return connection.scalar(select(cursors.c.until).where(cursors.c.stream == stream)) or 0


def make_unknown(connection: Connection) -> None:
    """The same of a kind that it does not know."""
    connection.execute(update(events).where(events.c.type == "SWITCH_THROWN").values(type="SWITCH_HALVED"))


def make_newer(connection: Connection) -> None:
    """All that was said is of a version that this release does not know."""
    connection.execute(update(events).where(events.c.type == "SWITCH_THROWN").values(version=99))


@pytest.fixture
async def bench(
    setup: Setup, simulator: Simulator, client: AsyncWebClient, directory: Directory
) -> AsyncGenerator[Bench]:
    async with setup.engine() as engine:
        yield Bench(engine, simulator, client, directory)


async def test_whoever_was_told_of_a_kill_is_told_of_its_end_once(bench: Bench) -> None:
    await bench.engine.switches.throw("workspace", by=PERSON, reason="the registry burns", told="C0RELEASES")
    await bench.notices().tell()
    await bench.engine.switches.lift("workspace", by=SHELL, reason="it is out")
    await bench.notices().tell()
    await bench.notices().tell()
    assert len(bench.texts()) == 2
    killed, lifted = bench.texts()
    assert killed.startswith("■ Ben Okafor stopped all runs of this workspace")
    assert killed.endswith(": the registry burns. To let it go on: `/vb lift workspace`")
    assert lifted.startswith("→ ops (command line) let all runs of this workspace go on")
    assert lifted.endswith(": it is out. What was held goes on.")


async def test_where_a_kill_cannot_be_told_the_default_channel_is(bench: Bench) -> None:
    await bench.engine.switches.throw("step:t.echo", by=SHELL, reason="slow", told="C0NOWHERE")
    await bench.engine.switches.throw("step:t.hold", by=SHELL, reason="slower")
    await bench.notices(default_channel="C0RELEASES").tell()
    assert [text.split("stopped ")[1].split(" <")[0] for text in bench.texts()] == [
        "all steps that use t.echo",
        "all steps that use t.hold",
    ]


async def test_whoever_was_told_of_a_kill_in_a_direct_message_is_told_of_its_end_there(bench: Bench) -> None:
    await bench.engine.switches.throw("workspace", by=PERSON, reason="the registry burns", told="C0NOWHERE")
    await bench.notices(default_channel="C0RELEASES").tell()
    await bench.engine.switches.lift("workspace", by=SHELL)
    await bench.notices(default_channel="C0RELEASES").tell()
    assert [one.text[0] for one in bench.simulator.direct_messages("ben")] == ["■", "→"]
    assert bench.texts() == []


async def test_where_no_channel_takes_it_an_admin_is_told(bench: Bench) -> None:
    bench.directory = Directory(
        bench.client, bench.simulator.workspace.team_id, roles=asked_by_role(bench.engine, ADMINS)
    )
    await bench.engine.switches.throw("workspace", by=SHELL, reason="the registry burns")
    await bench.notices().tell()
    await bench.directory.close()
    (told,) = [one.text for one in bench.simulator.direct_messages("dana")]
    assert "stopped all runs of this workspace" in told


async def test_who_stops_everything_is_told_in_every_workspace_and_so_is_the_end_of_it(bench: Bench) -> None:
    other, later = bench.within("ws_other"), bench.within("ws_later")
    assert await bench.behind() == []
    await other.link()
    await other.notices().tell()
    assert await bench.behind() == []
    await bench.engine.switches.throw("everything", by=PERSON, reason="the registry burns", told="C0RELEASES")
    assert await bench.behind() == sorted([bench.engine.home, "ws_other"])
    for end in ("let everything go on", ""):
        for _ in range(2):
            await bench.notices().tell()
            await other.notices(default_channel="C0OPSXXXXX").tell()
        assert await bench.behind() == []
        if end:
            await bench.engine.switches.lift("everything", by=PERSON, reason="it is out")
    here, there = bench.texts(), bench.texts("ops")
    assert [len(here), len(there)] == [2, 2]
    assert here[0].endswith("To let it go on: `/vb lift everything`")
    assert there[0].endswith("Whoever runs Vectorbea lets it go on: `vb lift everything`"), "who may not is not told to"
    assert "→ Ben Okafor let everything go on" in there[1]

    await later.link()
    await later.notices(default_channel="C0OPSXXXXX").tell()
    assert len(bench.texts("ops")) == 2, "what was over before it was there is no news"


async def test_while_slack_does_not_answer_nobody_else_takes_over(bench: Bench) -> None:
    await bench.engine.switches.throw("workspace", by=PERSON, reason="the registry burns", told="C0RELEASES")
    stream = bench.engine.home
    with unanswered(bench.simulator, "chat.postMessage"):
        telling = bench.notices(lease=0.3)
        telling.begin()
        seen = set[int]()

        async def is_prolonged() -> bool:
            seen.add(await bench.engine.store.database.read(leased_until, stream))
            return len(seen) > 5  # more than a claim and what is made sure of before a call

        await until(is_prolonged, within=60)
    await until(bench.texts)
    await telling.close()


async def test_whose_an_account_has_become_is_told_which_where_and_how_to_end_it(bench: Bench) -> None:
    await bench.link()
    await bench.notices().tell()
    (told,) = [one.text for one in bench.simulator.direct_messages("ben")]
    assert told.startswith("ops (cli:1000) on build-host is yours since ")
    assert "If that was not you, end it now: `/vb unlink`" in told
    assert bench.texts() == [], "nobody else is told"


async def test_a_process_that_ends_before_it_has_noted_a_notice_leaves_no_double(bench: Bench, setup: Setup) -> None:
    await bench.link()
    async with setup.engine() as elsewhere:
        other = Bench(elsewhere, bench.simulator, bench.client, bench.directory).notices("wrk_b")
        await bench.notices().tell()
        (cursor,) = [await Deliveries(elsewhere.store).claim_cursor(NOTICES, elsewhere.workspace.name, "wrk_a", 1)]
        assert cursor is not None
        await bench.engine.store.database.write(forget, elsewhere.workspace.name)
        await other.tell()
    assert len(bench.simulator.direct_messages("ben")) == 1


async def test_what_only_a_newer_release_knows_is_left_to_it_at_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await bench.engine.switches.throw("workspace", by=PERSON, reason="the registry burns", told="C0RELEASES")
    await bench.engine.store.database.write(make_newer)
    older = bench.notices()
    older.begin()
    await until(lambda: "will be told later" in caplog.text)
    stream = bench.engine.settings.workspace

    async def is_free() -> bool:
        return await Deliveries(bench.engine.store).claim_cursor(NOTICES, stream, "wrk_newer", 60_000) is not None

    await until(is_free)
    before = asyncio.all_tasks()
    older.begin()
    assert asyncio.all_tasks() == before, "it rests before it looks again"


async def test_a_fact_of_a_kind_that_only_a_newer_release_knows_is_left_to_it_and_holds_nothing_up_for_ever(
    bench: Bench, setup: Setup
) -> None:
    await bench.engine.switches.throw("workspace", by=PERSON, reason="the registry burns", told="C0RELEASES")
    await bench.engine.store.database.write(make_unknown)
    with pytest.raises(ExceptionGroup) as caught:
        await bench.notices().tell()
    assert caught.group_contains(UnknownEvent)
    assert await bench.behind() == [bench.engine.home]

    setup.clock.advance(LONG_OVER_MS + 1)
    await bench.engine.switches.throw("run:run_1", by=PERSON, reason="too dear", told="C0RELEASES")
    await bench.notices().tell()
    (told,) = bench.texts()
    assert "too dear" in told


async def test_what_is_found_a_day_later_is_no_news(bench: Bench, setup: Setup) -> None:
    await bench.link()
    setup.clock.advance(LONG_OVER_MS + 1)
    await bench.notices().tell()
    assert bench.simulator.direct_messages("ben") == []


async def test_a_hundred_workspaces_in_which_nothing_is_said_cost_one_statement_more(bench: Bench) -> None:
    engine = bench.engine
    follower = Follower(Deliveries(engine.store), engine.home)
    with ExitStack() as stack:
        for number in range(100):
            there = bench.within(f"ws_{number}")
            stack.enter_context(follower.following(f"ws_{number}", Idle(), there.notices(follower.owner)))
        await follower.look()
        async with counted(engine.store) as statements:
            await follower.look()
    assert len(statements) == 2
