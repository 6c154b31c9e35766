"""What a process that works says when it is told to stop.

The one rule: nobody is left to wonder what it still waits for, or how to end that.
"""

from __future__ import annotations

from bot.blocks.words import counted
from bot.console.output import note
from engine.worker import Worker


def say_stopping(worker: Worker) -> None:
    """Say what is waited for, before it is."""
    busy = f" when what is in hand ({counted(worker.busy, 'step')}) is finished or handed back" if worker.busy else ""
    note(f"Stopping{busy}; Ctrl-C again stops at once.")
