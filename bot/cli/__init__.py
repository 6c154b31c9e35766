"""The command `vb`: its commands, their arguments, and the words of its help.

The one rule: nothing is done here. Each command hands what was typed to `bot.console`, which is imported only then, so
that `vb --help` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import typer

from bot.cli import (
    asking,
    budgeting,
    definitions,
    gates,
    granting,
    identity,
    keeping,
    pricing,
    starting,
    steering,
    storing,
    switching,
)

app = typer.Typer(
    name="vb",
    help="Workflows with approvals, in Slack and on the command line. Runs survive crashes, deploys and slow humans.",
    epilog="Exit codes: 0 done, 1 it failed or falls short, 2 wrong use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_DOING = (starting, asking, gates, steering, switching, budgeting, pricing)
_KEEPING = (definitions, granting, identity, keeping, storing)

for _part in (*_DOING, *_KEEPING):
    _part.add_to(app)


@cache
def command() -> Callable[[], None]:
    """All commands, as what runs the one that was typed. They take longer to make than most of them take to run."""
    return typer.main.get_command(app)


def main() -> None:
    """The console script."""
    command()()


__all__ = ["app", "command", "main"]
