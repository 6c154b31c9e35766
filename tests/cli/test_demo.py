"""`vb demo`: a release played by itself, and a demo that survives its own death."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from bot.demo.memory import remembered
from bot.demo.props import Repository, flaky_site
from bot.simulator.demo import demo_workspace
from bot.simulator.model import File, Message
from tests.cli.conftest import Vb, run_in

_JSON = {"Content-Type": "application/json"}


@pytest.fixture
def demo(vb: Vb) -> Vb:
    """`vb` with the example workflows, not with those of the other tests."""
    vb.environment.clear()
    return vb


def tags(demo: Vb) -> list[str]:
    repository = demo.folder / "demo" / "repo"
    said = subprocess.run(["git", "-C", repository, "tag", "--list"], capture_output=True, text=True, check=True).stdout
    return said.split()


def test_a_release_plays_by_itself_as_often_as_one_likes(demo: Vb) -> None:
    first = demo("demo", "--once")
    assert first.code == 0, first.said
    assert first.out.startswith("#releases\n")
    told = [
        r"publish_release · v1\.1\.0: ✓ Completed",
        r"    → Ben Okafor started publish_release: version v1\.1\.0$",
        r"    Publish v1\.1\.0\?",
        r"    │ - .* \([0-9a-f]{7}\)",
        r"    ↑ publish has waited 15 min( \d+ s)? for a decision: @oncall is asked too",
        r"    ✓ publish approved by Chen Wei \(in @oncall\)",
        r"    ✓ Completed in 15 min",
        r"The run completed, and git has the tag v1\.1\.0 at [0-9a-f]{10}",
    ]
    position = 0
    for line in told:
        found = re.compile(rf"^{line}", re.MULTILINE).search(first.out, position)
        assert found, f"{line} is not told in its turn:\n{first.out}"
        position = found.end()
    assert not re.search(r"<[!@#]", first.out)
    assert demo("demo", "--once").code == 0
    assert tags(demo) == ["v1.0.0", "v1.1.0", "v1.2.0"]
    assert demo("verify").code == 0


async def test_after_a_release_there_is_something_new_for_the_next_one(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo")
    repository.prepare()
    head = repository.commit_of("HEAD")
    developing = asyncio.create_task(repository.develop(look_s=0.01))
    await asyncio.sleep(0)  # it looks before it is released
    (repository.path / ".git" / "refs" / "tags" / "v1.1.0").write_text(f"{head}\n")
    while (written := repository.commit_of("HEAD")) == head:
        assert not developing.done()
        await asyncio.sleep(0.01)
    developing.cancel()
    assert repository.commit_of("v1.1.0") == head != written
    assert repository.next_version() == "v1.2.0"


def test_a_port_that_is_taken_is_said(demo: Vb) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = demo("demo", "--port", port)
    assert done.code == 2
    assert done.err == f"The port {port} is in use; choose another one, or leave --port out.\n"


@dataclass
class Page:
    """What the page does, by its own API."""

    address: str

    def ask(self, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with closing(HTTPConnection(self.address, timeout=60)) as connection:
            text = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", f"/_sim/{what}", text, _JSON)
            return json.load(connection.getresponse())

    def messages(self) -> list[dict[str, Any]]:
        state = self.ask("state?user=ana")
        return state["messages"][next(one["id"] for one in state["channels"] if one["name"] == "releases")]

    def until(self, seen: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message that is as wanted, once there is one."""
        deadline = time.monotonic() + 180
        while not (found := [message for message in self.messages() if seen(message)]):
            assert time.monotonic() < deadline, [message["text"] for message in self.messages()]
        return found[0]


def has_buttons(message: dict[str, Any]) -> bool:
    return any(block.get("block_id") == "gate" for block in message["blocks"])


def test_a_killed_demo_goes_on_where_it_was(demo: Vb) -> None:
    url = r"http://(127\.0\.0\.1:\d+)/"
    with demo.running("demo", "--port", "0") as first:
        page = Page(first.until(url)[1])
        first.until("/vb run cleanup")
        typed = {"user": "ben", "channel": "#releases", "text": "/vb run publish_release version=v3.0.0"}
        page.ask("command", typed)
        asked = page.until(has_buttons)
        other = demo("demo", "--once")
        assert other.code == 1
        assert other.err.startswith("Another demo is running in ")
        first.ended(signal.SIGKILL)
    with demo.running("demo", "--port", "0") as second:
        page = Page(second.until(url)[1])
        second.until("/vb run cleanup")
        again = page.until(has_buttons)
        assert (again["ts"], again["text"]) == (asked["ts"], asked["text"])
        click = {"user": "ana", "channel": again["channel"], "ts": again["ts"], "action_id": "gate_approve"}
        page.ask("click", click)
        page.until(lambda message: "v3.0.0: ✓ Completed" in message["text"])
        assert second.ended(signal.SIGTERM) == 0
    assert "v3.0.0" in tags(demo)
    assert demo("verify", run_in(demo("runs").out)).code == 0


async def test_a_file_that_was_shared_is_remembered_with_its_bytes(tmp_path: Path) -> None:
    said = demo_workspace()
    async with remembered(said, tmp_path / "slack.jsonl"):
        picture = File("F0SPENDXXX", "spend.png", 4, said.app.bot_user_id, 1_700_000_000, "Spend")
        said.uploads.contents[picture.id] = b"\x89PNG"
        said.post(Message("C0RELEASES", said.next_ts(), said.app.bot_user_id, "4 USD", files=[picture]))
    again = demo_workspace()
    async with remembered(again, tmp_path / "slack.jsonl"):
        (message,) = again.messages("C0RELEASES")
        assert (message.files, again.uploads.contents) == ([picture], {picture.id: b"\x89PNG"})


async def test_the_site_of_a_second_demo_is_at_another_port() -> None:
    async with flaky_site(0) as first:
        taken = int(first.rstrip("/").rpartition(":")[2])
        async with flaky_site(taken) as second, ClientSession() as session:
            assert second != first
            async with session.get(second) as answer:
                assert answer.status == 503
