"""What it costs to look for what is to be told, however many workspaces a process serves."""

from __future__ import annotations

from contextlib import ExitStack

from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import Connection, select

from bot.people.directory import Directory
from bot.sending.outbox import Outbox
from bot.telling.follower import Follower
from bot.telling.threads import Threads
from engine.engine import Engine
from engine.store import Deliveries
from engine.store.schema import cursors
from tests.bot.conftest import ACTOR, ORIGIN, Setup
from tests.bot.telling import CHAIN
from tests.statements import counted

SERVED = 1_000


def owner_of(connection: Connection, run: str) -> str | None:
    return connection.scalar(select(cursors.c.owner).where(cursors.c.stream == run))


async def begun(elsewhere: Engine, workspace: str) -> str:
    """A run there that another process has started, which is found by asking alone."""
    return (await elsewhere.within(workspace).start("chain", {"word": "x"}, by=ACTOR, origin=ORIGIN)).run


async def test_a_thousand_idle_workspaces_cost_one_statement(
    setup: Setup, client: AsyncWebClient, directory: Directory
) -> None:
    async with setup.engine(CHAIN) as engine, setup.engine(CHAIN) as elsewhere:
        follower = Follower(Deliveries(engine.store), engine.home)
        served = {f"ws_{number}": engine.within(f"ws_{number}") for number in range(SERVED)}
        outbox = Outbox(client)
        with ExitStack() as stack:
            for name, each in served.items():
                threads = Threads(each, outbox, directory, owner=follower.owner)
                stack.enter_context(follower.following(name, threads))
            await follower.look()  # this process is known as a reader from here on
            async with counted(engine.store) as statements:
                await follower.look()
            assert len(statements) == 1

            for name in ("ws_7", "ws_70"):
                await begun(elsewhere, name)
            async with counted(engine.store) as statements:
                await follower.look()
            leased = [one for one in statements if one.startswith("UPDATE cursors")]
            # Whoever begins to tell a run meanwhile takes its lease anew.
            assert 2 <= len(leased) < 10, "only where something is new"


async def test_the_runs_of_a_workspace_are_left_to_whoever_serves_it(
    setup: Setup, client: AsyncWebClient, directory: Directory
) -> None:
    async with setup.engine(CHAIN) as engine, setup.engine(CHAIN) as elsewhere:
        follower = Follower(Deliveries(engine.store), engine.home)
        threads = Threads(engine.within("ws_ours"), Outbox(client), directory, owner=follower.owner)
        with follower.following("ws_ours", threads):
            runs = [await begun(elsewhere, name) for name in ("ws_theirs", "ws_ours")]
            await follower.look()
        owners = [await engine.store.database.read(owner_of, run) for run in runs]
        assert owners == [None, follower.owner]
