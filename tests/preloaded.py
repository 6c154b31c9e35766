"""What forked processes need (`tests.forks`): imported once, and not looked at for garbage by any of them."""

from __future__ import annotations

import gc
import sys
from importlib import import_module

from bot.cli import command

gc.disable()
command()
for name in (
    "alembic.command",
    "bot.config.wiring",
    "rich.console",
    "tests.brakes.worker",
    "tests.crash.bot_victim",
    "tests.crash.victim",
    "tests.engine.stray",
    "tests.fleet.people",
    "tests.fleet.worker",
    "tests.patience",
    "tests.spending.worker",
):
    import_module(name)
assert "bot.console.output" not in sys.modules, "it looks at the terminal as it is imported"
gc.freeze()
gc.enable()
