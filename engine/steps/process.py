"""Programs as children: an argument list, a clean environment, bounded output, and nothing left running.

The one rule: whatever happens (an end, a timeout, a cancellation), the child's whole process group is gone afterwards.
"""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from engine.core.failures import FailureClass, StepError
from engine.steps.arguments import say_limit

OUTPUT_LIMIT = 65_536
"""Bytes kept of each output stream, unless a ``Command`` says otherwise. The rest is read and thrown away."""

TERM_GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""

_DRAIN = 1.0
"""Seconds for the output to end when the group is gone; only a process that has left the group exceeds them."""

_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Command:
    """What to run. ``program`` is an absolute path; ``name`` is what errors call it; ``timeout`` is in milliseconds.

    The child's environment is PATH, LANG, a HOME that is empty and temporary, and ``environment``; nothing of ours.
    """

    name: str
    program: str
    args: Sequence[str]
    cwd: str = "."
    stdin: str = ""
    timeout: int = 60_000
    output_limit: int = OUTPUT_LIMIT
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Output:
    """The beginning of a stream as text, in whole lines if it was cut, and how many bytes were cut off.

    Undecodable bytes become U+FFFD.
    """

    text: str
    cut: int

    def __str__(self) -> str:
        if not self.cut:
            return self.text
        separator = "" if self.text.endswith("\n") else "\n"
        return f"{self.text}{separator}[{self.cut} more bytes cut off]"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended; ``exit_code`` is the negative signal number if a signal ended it."""

    exit_code: int
    stdout: Output
    stderr: Output

    @property
    def last_words(self) -> str:
        """The last line on stderr that says something, at most 300 characters of it."""
        lines = [line.strip() for line in self.stderr.text.splitlines()]
        return next((line[:300] for line in reversed(lines) if line), "")

    def say_exit(self) -> str:
        """``exited with 1``, or ``was ended by SIGKILL``."""
        if self.exit_code >= 0:
            return f"exited with {self.exit_code}"
        try:
            return f"was ended by {signal.Signals(-self.exit_code).name}"
        except ValueError:
            return f"was ended by signal {-self.exit_code}"


async def run(command: Command) -> Finished:
    """Runs ``command`` to its end.

    ``StepError``: INVALID_INPUT for arguments or a folder that cannot be, TIMEOUT, and PERMANENT for a program that
    cannot be started. An exit code other than 0 is no error here.

    Cancelled, it returns once the program is gone, which has some time to end in; cancelled again, none.
    """
    over, hurry = asyncio.Event(), asyncio.Event()
    work = asyncio.create_task(_supervise(command, over, hurry))
    try:
        return await asyncio.shield(work)
    finally:
        over.set()
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            hurry.set()
            await asyncio.wait({work})
            raise


async def _supervise(command: Command, over: asyncio.Event, hurry: asyncio.Event) -> Finished:
    """Runs ``command`` until it ends, or until ``over`` is set from outside.

    It is a task that nobody cancels: asyncio, cancelled while it starts a process, would forget all but its leader.
    """
    with tempfile.TemporaryDirectory(prefix="vectorbea-", ignore_cleanup_errors=True) as home:
        transport, child = await _start(command, home, over)
        try:
            async with asyncio.timeout(command.timeout / 1_000):
                await over.wait()
        except TimeoutError:
            raise StepError(
                f"{command.name} was still running after {say_limit(command.timeout)} and was stopped",
                FailureClass.TIMEOUT,
            ) from None
        finally:
            await _end(transport, child, hurry)
    return Finished(transport.get_returncode() or 0, child.stdout.output(), child.stderr.output())


class _Kept:
    """The beginning of a stream, and how long it was."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._bytes = bytearray()
        self._total = 0
        self.ended = asyncio.Event()

    def add(self, data: bytes) -> None:
        self._total += len(data)
        self._bytes += data[: self._limit - len(self._bytes)]

    def output(self) -> Output:
        kept = bytes(self._bytes)
        if self._total > len(kept):  # no half line, which may look like a whole one: half a path is another path
            kept = kept[: kept.rfind(b"\n") + 1] or kept
        cut = self._total - len(kept)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # nor half a character
        return Output(decoder.decode(kept, final=not cut), cut)


class _Child(asyncio.SubprocessProtocol):
    """Hears of the exit when it happens. (``Process.wait`` also waits for whoever still holds the child's pipes.)"""

    def __init__(self, output_limit: int, over: asyncio.Event) -> None:
        self._over = over
        self.stdout = _Kept(output_limit)
        self.stderr = _Kept(output_limit)
        self.exited = asyncio.Event()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.stdout if fd == 1 else self.stderr).add(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self.stdout.ended.set()
        elif fd == 2:
            self.stderr.ended.set()

    def process_exited(self) -> None:
        self.exited.set()
        self._over.set()


async def _start(command: Command, home: str, over: asyncio.Event) -> tuple[asyncio.SubprocessTransport, _Child]:
    if not _is_folder(command.cwd):
        raise StepError(f"there is no folder {command.cwd!r} to run {command.name} in", FailureClass.INVALID_INPUT)
    try:
        transport, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Child(command.output_limit, over),
            command.program,
            *command.args,
            cwd=command.cwd,
            env={"PATH": _PATH, "LANG": "C.UTF-8", "HOME": home} | dict(command.environment),
            start_new_session=True,
        )
    except ValueError:
        raise StepError(f"an argument of {command.name} holds a NUL character", FailureClass.INVALID_INPUT) from None
    except BlockingIOError:
        raise StepError("the machine has no room for another process", FailureClass.TRANSIENT) from None
    except OSError as error:
        reason = (error.strerror or "it cannot be run").lower()
        raise StepError(f"{command.name} could not be started: {reason}") from None
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))  # uvloop's is none by its class
    if not stdin.is_closing():  # uvloop closes it by itself when the program has ended already
        stdin.write(command.stdin.encode())
    stdin.close()  # when all is written; a program that does not read its input is no error
    return transport, child


def _is_folder(path: str) -> bool:
    return "\0" not in path and Path(path).is_dir()


async def _end(transport: asyncio.SubprocessTransport, child: _Child, hurry: asyncio.Event) -> None:
    """If it still runs: SIGTERM and a grace, until ``hurry``. Then SIGKILL for its group, and the end of the output.

    If the loop itself comes to its end meanwhile, SIGKILL comes at once.
    """
    group = transport.get_pid()
    try:
        if not child.exited.is_set():
            _signal_group(group, signal.SIGTERM)
            await _first(TERM_GRACE, child.exited, hurry)
        _signal_group(group, signal.SIGKILL)
        await _within(_DRAIN, child.exited, child.stdout.ended, child.stderr.ended)
    except asyncio.CancelledError:
        _signal_group(group, signal.SIGKILL)
        raise
    finally:
        transport.close()


async def _within(seconds: float, *events: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for event in events:
                await event.wait()


async def _first(seconds: float, *events: asyncio.Event) -> None:
    """Wait for one of them, not longer than that."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or (on macOS) only its zombies are left
        os.killpg(group, number)
