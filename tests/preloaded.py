"""What forked processes need (`tests.forks`): imported once, and not looked at for garbage by any of them."""

from __future__ import annotations

import gc
from importlib import import_module

gc.disable()
for name in (
    "alembic.command",
    "bot.config.wiring",
    "rich.console",
    "typer",
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
gc.freeze()
gc.enable()
