"""Keys and secrets with a known pattern go through everything that can happen, and are then found nowhere."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import secrets
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis.asyncio
from aiohttp import web
from pydantic import JsonValue

from bot.app import BotSettings
from bot.listeners.sharing import log_of
from bot.sending.steps import SlackSender
from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.simulator import Simulator
from engine.core.events import Actor
from engine.core.keys import KEYS, SECRETS
from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from tests.canary.search import Hit, search
from tests.canary.victim import Orders, live, open_engine
from tests.crash.killing import bring_up, stop, until
from tests.engine.conftest import ANA
from tests.httpd import listening
from tests.patience import PATIENT, PATIENT_SLACK
from tests.providers.script import Hang, Say
from tests.providers.server import Providers, providers
from tests.services import running_redis
from tests.store.build import query, tamper

pytestmark = [pytest.mark.crash]

MAY = frozenset({KEYS})
CHANNEL = "C0RELEASES"
STARTER = Actor(via="slack", id=BEN, name="Ben Okafor")
ORIGIN: Mapping[str, JsonValue] = {"team": "T0ACMEDEMO", "channel": CHANNEL, "user": BEN}


def canary(name: str) -> str:
    """A value that every way of writing it changes, and that is found in nothing else."""
    return f'sk-{name}/4711+{secrets.token_hex(8)}="&<9Z'


@pytest.fixture
def values() -> dict[str, str]:
    return {name: canary(name) for name in ("openai", "wrong", "rotated", "token")}


class Drill:
    """Victims, the world around them, and an engine without a worker that starts runs and looks at them."""

    def __init__(self, orders: Orders, engine: Engine, simulator: Simulator, server: Providers) -> None:
        self.orders = orders
        self.engine = engine
        self.simulator = simulator
        self.server = server
        self.runs: list[str] = []
        self._spawned: list[BaseProcess] = []

    def spawn(self) -> BaseProcess:
        self._spawned.append(bring_up(live, self.orders))
        return self._spawned[-1]

    def leave_nobody(self) -> None:
        for victim in self._spawned:
            victim.kill()

    async def begin(self, workflow: str, **given: object) -> str:
        begun = await self.engine.start(workflow, given, by=STARTER, origin=ORIGIN)
        self.runs.append(begun.run)
        return begun.run

    async def finish(self, workflow: str, **given: object) -> RunState:
        async with asyncio.timeout(180):
            return await self.engine.wait(await self.begin(workflow, **given))


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as serving:
        yield serving


@pytest.fixture
async def drill(simulator: Simulator, sqlite_url: str, tmp_path: Path, values: dict[str, str]) -> AsyncIterator[Drill]:
    """On SQLite: what goes to a database is the same on both, and in its file one sees what it has freed, too."""
    slack = BotSettings(
        simulator.bot_token, simulator.app_token, api_url=simulator.api_url, bounds=PATIENT, admins=("@dana",)
    )
    with running_redis(tmp_path / "redis") as server_of_redis:
        async with providers() as server:
            server.keys = {values["openai"], values["rotated"]}
            master, said = secrets.token_bytes(32), tmp_path / "said.log"
            orders = Orders(sqlite_url, server_of_redis.url, "c", slack, master, tuple(server.entries), said)
            async with open_engine(orders, SlackSender()) as engine:
                drill = Drill(orders, engine, simulator, server)
                try:
                    yield drill
                finally:
                    drill.leave_nobody()


@asynccontextmanager
async def echoing(status: int) -> AsyncGenerator[str]:
    """A server that repeats what it is told, in every form that it can think of."""

    async def answer(request: web.Request) -> web.Response:
        given = request.headers["Authorization"]
        raw = given.encode()
        body = {
            "given": given, "body": await request.json(), "hex": raw.hex(), "url": quote(given),
            "base64": [base64.b64encode(b"x" * n + raw).decode() for n in range(3)], "json": json.dumps({"t": given}),
        }  # fmt: skip
        return web.json_response(body, status=status, headers={"X-Given": given})

    app = web.Application()
    app.router.add_post("/", answer)
    async with listening(app) as port:
        yield f"http://127.0.0.1:{port}/"


async def test_no_canary_is_found_anywhere(drill: Drill, values: dict[str, str], tmp_path: Path) -> None:
    ring = drill.engine.keyring
    await ring.add("openai", "", values["openai"], by=ANA, may=MAY)
    await ring.add("anthropic", "", values["wrong"], by=ANA, may=MAY)
    victim = drill.spawn()
    await drill.simulator.wait_connected()
    await given_in_slack(drill, "TOKEN", values["token"])

    assert (await drill.finish("asking")).status is RunStatus.COMPLETED
    refused = await drill.finish("asking_other")
    assert refused.status is RunStatus.FAILED, "its provider does not know the key, and repeats it"
    assert drill.server.seen[-1].refused == "its key"
    for status, ends in ((200, RunStatus.COMPLETED), (401, RunStatus.FAILED)):
        async with echoing(status) as url:
            assert (await drill.finish("calling", url=url)).status is ends
    assert (await drill.finish("breaking")).status is RunStatus.FAILED
    processes = await watched_while_running(drill, tmp_path, victim)

    victim = await killed_in_a_call(drill, victim)
    await ring.rotate("openai", "", values["rotated"], by=ANA, may=MAY)
    assert (await drill.finish("asking")).status is RunStatus.COMPLETED
    assert drill.server.seen[-1].headers["authorization"] == f"Bearer {values['rotated']}"
    await covered(drill)

    await ring.revoke("openai", "", by=ANA, may=MAY)
    last = await drill.finish("asking")
    assert last.step("ask").failure is not None
    assert (await ring.audit()).is_whole
    await stop(victim)

    found = search(values, [*processes, *[place async for place in left_behind(drill, tmp_path)]])
    assert found == []
    assert "[secret TOKEN]" in drill.orders.said.read_text(), "the logs were listened to"
    assert b"Bearer" in await dump_of_runs(drill)
    await a_planted_leak_is_found(drill, values, tmp_path)


async def given_in_slack(drill: Drill, name: str, value: str) -> None:
    """The secret goes into a form, as an admin types it there."""
    await drill.simulator.type_command("dana", CHANNEL, f"/vb secrets add {name}")
    [form] = await drill.simulator.wait_for(lambda: drill.simulator.views("dana"))
    await drill.simulator.submit_view("dana", form.id, {"input_key": {"value": value}})
    assert [one.key.name for one in await drill.engine.keyring.list() if one.key.provider == SECRETS] == [name]


async def watched_while_running(drill: Drill, tmp_path: Path, victim: BaseProcess) -> list[tuple[str, bytes]]:
    """What every process of this machine shows of itself while a program has the secret, and is then ended badly."""
    until_there = tmp_path / "go on"
    run = await drill.begin("running", until=str(until_there), code="3")

    async def is_running() -> bool:
        return any(str(until_there).encode() in line for _, line in command_lines())

    await until(is_running)
    shown = [*command_lines(), environment_of(victim)]
    until_there.touch()
    async with asyncio.timeout(180):
        assert (await drill.engine.wait(run)).status is RunStatus.FAILED
    return shown


def command_lines() -> list[tuple[str, bytes]]:
    lines: list[tuple[str, bytes]] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            lines.append((f"command line of {folder.name}", (folder / "cmdline").read_bytes()))
        except OSError:
            continue
    return lines


def environment_of(victim: BaseProcess) -> tuple[str, bytes]:
    return f"the environment of {victim.pid}", Path(f"/proc/{victim.pid}/environ").read_bytes()


async def killed_in_a_call(drill: Drill, victim: BaseProcess) -> BaseProcess:
    """The worker dies while the key is open and its call is under way; another one makes it again."""
    asked = len(drill.server.seen)
    drill.server.next = [Hang()]
    run = await drill.begin("asking")

    async def is_asked() -> bool:
        return len(drill.server.seen) > asked

    await until(is_asked)
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    await asyncio.to_thread(victim.join, 20)
    drill.server.next = [Say("again")]
    following = drill.spawn()

    async def moves_on() -> bool:
        state = await drill.engine.state(run)
        return state.end is not None or state.step("ask").status is StepStatus.UNCERTAIN

    await until(moves_on)
    return following


async def covered(drill: Drill) -> None:
    """People are shown what they approve, but for the secret in it."""
    run = await drill.begin("covering")

    def asked() -> bool:
        return any("[secret TOKEN]" in str(one.blocks) for one in drill.simulator.channel_messages(CHANNEL))

    await drill.simulator.wait_for(asked)
    await drill.engine.cancel(run, by=ANA)


async def left_behind(drill: Drill, tmp_path: Path) -> AsyncIterator[tuple[str, bytes]]:
    """Everything that is left: the database, Redis, the logs, all histories, and all that Slack was told."""
    for place, data in database_in(tmp_path):
        yield place, data
    yield "Redis", await dump_of_redis(drill.orders.redis_url)
    yield "logs", drill.orders.said.read_bytes()
    yield "histories", await dump_of_runs(drill)
    for run in drill.runs:
        yield f"the log of {run} as a file", log_of(await drill.engine.state(run), await drill.engine.history(run))
    yield "the workspace's history", str(await drill.engine.workspace.history()).encode()
    calls = [{"method": one.method, "args": one.args, "answer": one.answer} for one in drill.simulator.calls()]
    yield "calls of Slack", json.dumps(calls, default=str).encode()
    for channel in drill.simulator.workspace.channels:
        yield f"messages in {channel}", str(drill.simulator.channel_messages(channel)).encode()


def database_in(folder: Path) -> list[tuple[str, bytes]]:
    return [(f"the file {file.name}", file.read_bytes()) for file in folder.glob("vb.db*")]


async def dump_of_redis(url: str) -> bytes:
    """Every key with its value."""
    client: Any = redis.asyncio.Redis(unix_socket_path=url.removeprefix("unix://"))
    found: list[object] = []
    try:
        async for key in client.scan_iter(count=1_000):
            read = {
                b"string": client.get, b"hash": client.hgetall, b"set": client.smembers, b"stream": client.xrange,
            }  # fmt: skip
            kind = await client.type(key)
            if kind == b"zset":
                value = await client.zrange(key, 0, -1)
            elif kind == b"list":
                value = await client.lrange(key, 0, -1)
            else:
                value = await read[kind](key)
            found.append((key, value))
    finally:
        await client.aclose()
    assert found
    return str(found).encode()


async def dump_of_runs(drill: Drill) -> bytes:
    """The histories as they are, not as they lie sealed in the database."""
    lines = [line for run in drill.runs async for line in drill.engine.export(run)]
    return "\n".join(lines).encode()


async def a_planted_leak_is_found(drill: Drill, values: dict[str, str], tmp_path: Path) -> None:
    """The search would have found each canary in each place: a test that cannot fail is none."""
    token, key = values["token"], values["openai"]
    await tamper(
        drill.engine.store,
        "INSERT INTO definitions (hash, workspace, name, text, created_at) VALUES ('h', 'w', 'n', :text, 0)",
        text=f"a {base64.b64encode(f'ab{token}'.encode()).decode()} b",
    )
    assert await query(drill.engine.store, "SELECT count(*) FROM definitions WHERE hash = 'h'") == [(1,)]
    client: Any = redis.asyncio.Redis(unix_socket_path=drill.orders.redis_url.removeprefix("unix://"))
    await client.hset("planted", "field", quote(token, safe=""))
    await client.aclose()
    with drill.orders.said.open("ab") as file:
        file.write(b"gz" + gzip.compress(json.dumps(json.dumps({"t": key})).encode()) + b"\n" + token[5:19].encode())
    places = [place async for place in left_behind(drill, tmp_path)]
    found = {(hit.name, hit.form, hit.where.split(",")[0].split(" ")[0]) for hit in search(values, places)}
    assert ("token", "base64 at 2", "the") in found, "in the database"
    assert ("token", "URL", "Redis") in found
    assert ("openai", "JSON within JSON", "logs") in found, "compressed"
    assert ("token", "a piece", "logs") in found
    assert Hit("token", "plain", "here") in search(values, [("here", token.encode())])
