"""Runs one command to its exit code: the loop, the signals, the logs, and errors as sentences.

The one rule: nobody who types a command ever sees a traceback; one that nobody foresaw goes to the log file.

    0  done
    1  it failed or falls short
    2  wrong use: a word, a file, an input, a run or a setting that cannot be meant
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import stat
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from bot.config.settings import Settings, WrongSetting
from bot.console.logs import to_file, to_terminal
from bot.console.output import note
from engine.core.errors import AmbiguousRun, EngineError, InvalidInput, Miswritten, UnknownRun, UnknownWorkflow

log = logging.getLogger(__name__)

DONE, FAILED, WRONG_USE = 0, 1, 2

_WRONG_USE = (AmbiguousRun, InvalidInput, Miswritten, UnknownRun, UnknownWorkflow, WrongSetting)

Main = Callable[[], Coroutine[Any, Any, int]]


class Misuse(Miswritten):
    """The command was used wrongly; the text says how to use it rightly."""


def launch(main: Main, settings: Settings, *, stays: bool = False) -> NoReturn:
    """Run ``main`` and exit with the code that it returns, or with that of what stopped it.

    ``stays``: the process is there to work, so it makes the folder, and its warnings are said on the terminal.
    """
    try:
        _look_at_folder(settings.folder, stays=stays)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        note(f"The folder {settings.folder} cannot be used ({why}); name another one with --dir.")
        sys.exit(FAILED)
    if stays:
        to_terminal()
    to_file(settings)
    sys.exit(_code(main, settings))


async def until_told_to_stop() -> None:
    """Return at the first SIGTERM or SIGINT; the next one is raised wherever the command then is."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        take_the_hint()


def take_the_hint() -> None:
    """The cancellation that a signal brought is obeyed by whoever calls this, so it is over."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()


def complain(error: EngineError) -> int:
    """Say what was wrong; the exit code for it."""
    from engine.store.errors import StoreError  # only now: with the store comes all of SQLAlchemy

    text = str(error)
    # The store's sentences begin small, since its logs quote them within others.
    note(text[:1].upper() + text[1:] if isinstance(error, StoreError) else text)
    return WRONG_USE if isinstance(error, _WRONG_USE) else FAILED


def _look_at_folder(folder: Path, *, stays: bool) -> None:
    """See that the folder is one, if it is there; a process that stays makes it, and must be able to write there."""
    if stays:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True, mode=0o700)
    try:
        is_folder = stat.S_ISDIR(folder.stat().st_mode)
    except FileNotFoundError:
        return
    if not is_folder:
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if stays and not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _code(main: Main, settings: Settings) -> int:
    try:
        return _run(main)
    except EngineError as error:
        return complain(error)
    except (KeyboardInterrupt, asyncio.CancelledError):
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:
        log.exception("A command failed in a way that nobody foresaw.")
        words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        note(f"This failed in a way that nobody foresaw ({words}); the details are in {settings.log_file}.")
        return FAILED


def _run(main: Main) -> int:
    with asyncio.Runner(loop_factory=_quicker_loop()) as runner:
        return runner.run(_interruptible(main))


def _quicker_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where there is one: Windows has none."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _interruptible(main: Main) -> int:
    """The first SIGTERM or SIGINT cancels ``main``, which then stops gracefully; the next one ends that as well."""
    task = asyncio.create_task(main())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    return await task
