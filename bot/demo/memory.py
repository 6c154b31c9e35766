"""What was said in the simulated Slack, in a file: so that a demo that was killed goes on where its runs go on.

The one rule: a message is in the file before the bot can have recorded that it posted it. Each line is the latest state
of one message, or the distance of the clock; the last line about a thing counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
from base64 import b64decode, b64encode
from collections.abc import AsyncGenerator, Generator, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from bot.simulator.changes import Change, Subscription
from bot.simulator.model import File, Message
from bot.simulator.workspace import Workspace
from engine.core.errors import EngineError

log = logging.getLogger(__name__)

KEPT = 5_000
"""Messages that are restored, the newest."""

Json = dict[str, Any]


class AnotherDemo(EngineError):
    """The folder is in use."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"Another demo is running in {folder}; stop it first, or name another folder with --dir.")


@asynccontextmanager
async def remembered(workspace: Workspace, file: Path) -> AsyncGenerator[None]:
    """Restore what ``file`` has, and write to it what is said until the block ends. Raises ``AnotherDemo``."""
    with _locked(file) as journal:
        kept = _restore(workspace, journal)
        _rewrite(journal, workspace, kept)
        with workspace.changes.subscribe(workspace.app.bot_user_id) as subscription:
            writing = asyncio.create_task(_write_changes(workspace, subscription, journal))
            try:
                yield
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
                _write_waiting(workspace, subscription, journal)


@contextlib.contextmanager
def _locked(file: Path) -> Generator[IO[str]]:
    """The file, held by this process alone; the lock goes with the process, however that ends."""
    with file.open("a+", encoding="utf-8") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AnotherDemo(file.parent.parent) from None
        yield journal


def _restore(workspace: Workspace, journal: IO[str]) -> list[Message]:
    """Post again what was there, and move the clock to where it was."""
    found: dict[tuple[str, str], Message | None] = {}
    shift = 0
    journal.seek(0)
    for entry in _entries(journal):
        if "shift" in entry:
            shift = int(entry["shift"])
        elif "message" in entry:
            message = Message(**entry["message"])
            message.files = [File(**fields) for fields in entry["message"].get("files", ())]
            found[message.channel, message.ts] = message
        elif "contents" in entry:
            workspace.uploads.contents[entry["contents"][0]] = b64decode(entry["contents"][1])
        elif "deleted" in entry:
            found[entry["deleted"][0], entry["deleted"][1]] = None
    workspace.clock.advance(max(0, shift - workspace.clock.shift))
    there = [message for message in found.values() if message and message.channel in workspace.channels]
    kept = sorted(there, key=lambda message: float(message.ts))[-KEPT:]
    for message in kept:
        workspace.post(message)
    return kept


def _entries(journal: IO[str]) -> Iterator[Json]:
    for line in journal:
        try:
            yield json.loads(line)
        except ValueError:
            # The process was killed in the middle of this line, so nobody has been told of what it says.
            log.warning("A line of the demo's memory is broken, and was left out.")


def _rewrite(journal: IO[str], workspace: Workspace, kept: list[Message]) -> None:
    """Begin the file anew with the latest state of everything."""
    journal.seek(0)
    journal.truncate()
    _write(journal, {"shift": workspace.clock.shift}, *(entry for one in kept for entry in _said(workspace, one)))


async def _write_changes(workspace: Workspace, subscription: Subscription, journal: IO[str]) -> None:
    while True:
        change = await subscription.queue.get()
        _write(journal, *_entry(workspace, change))
        _write_waiting(workspace, subscription, journal)


def _write_waiting(workspace: Workspace, subscription: Subscription, journal: IO[str]) -> None:
    while not subscription.queue.empty():
        _write(journal, *_entry(workspace, subscription.queue.get_nowait()))


def _entry(workspace: Workspace, change: Change) -> list[Json]:
    """What is to be remembered of a change."""
    match change.type:
        case "message.posted" | "message.updated":
            message = workspace.message(change.body["channel"], change.body["message"]["ts"])
            return _said(workspace, message) if message is not None else []
        case "message.deleted":
            return [{"deleted": [change.body["channel"], change.body["ts"]]}]
        case "clock.moved":
            return [{"shift": workspace.clock.shift}]
        case _:
            return []


def _said(workspace: Workspace, message: Message) -> list[Json]:
    """The message, after the bytes of its files."""
    contents = workspace.uploads.contents
    kept = [[file.id, b64encode(contents[file.id]).decode()] for file in message.files if file.id in contents]
    return [*({"contents": one} for one in kept), {"message": asdict(message)}]


def _write(journal: IO[str], *entries: Json) -> None:
    if entries:
        journal.write("".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries))
        # To the system, which keeps it when we are killed; what was said in a demo need not survive a power cut.
        journal.flush()
