"""What the commands of `vb` have in common: options that several have, and the settings that all begin with.

The one rule: nothing heavy is imported here, so that `vb --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.config.settings import Settings

Dir = Annotated[
    Path | None,
    typer.Option(
        "--dir",
        metavar="DIR",
        help="Folder of the embedded defaults: database, keys, Redis socket, logs.  [default: VB_DIR, else .vb]",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or as much of its beginning as is unique.")]
Gate = Annotated[str, typer.Argument(metavar="GATE", help="The id of the gate's step in the workflow.")]
Step = Annotated[str, typer.Argument(metavar="STEP", help="A step, as vb show names it: tag, each[3]/deploy.")]
From = Annotated[str, typer.Option("--from", metavar="STEP", help="A step of the workflow itself.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")]
Limit = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many.")]


def settings_of(folder: Path | None) -> Settings:
    """Read before anything else; a wrong one ends the command here."""
    from bot.config.settings import Settings, WrongSetting
    from bot.console.launch import complain

    try:
        return Settings.read(folder)
    except WrongSetting as error:
        raise typer.Exit(complain(error)) from None
