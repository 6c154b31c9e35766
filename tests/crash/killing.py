"""How victims are started, and how their deaths are seen and counted; the same for workers and for bots."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from tests.forks import FORKS
from tests.waiting import until as until

KILLS = int(os.environ.get("VB_KILLS", "2"))
"""At each boundary, so that one death follows another. ``VB_KILLS=100`` looks for what is rare."""


def times(passings: int = 1) -> range:
    """The kills at a boundary that a run passes so often: once at each of its passings at least."""
    return range(max(KILLS, passings))


def bring_up(life: Callable[[Any], None], orders: object) -> BaseProcess:
    """A process that lives by its orders; one that a failed test leaves is ended with the tests."""
    victim = FORKS.Process(target=life, args=(orders,), daemon=True)
    victim.start()
    return victim


async def death_at(boundary: str, victim: BaseProcess, marker: Path) -> None:
    """Wait for the victim's death, and see that it was by SIGKILL at its boundary."""

    async def dead() -> bool:
        return not victim.is_alive()

    await until(dead)
    assert victim.exitcode == -signal.SIGKILL
    assert _taken(marker) == boundary


def _taken(marker: Path) -> str:
    """What the victim noted before it died; it is taken away, for the next one."""
    noted = marker.read_text()
    marker.unlink()
    return noted


async def stop(victim: BaseProcess) -> None:
    victim.terminate()
    await asyncio.to_thread(victim.join, 180)
    assert victim.exitcode == 0, "a process that is told to stop ends by itself, without error"
