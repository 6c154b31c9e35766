"""The commands about the history as it is stored: whether it is whole and what is removed from it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import Dir, DryRun, Yes, settings_of


def verify(
    ref: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run only.", show_default=False)] = None,
    restored: Annotated[
        list[Path] | None,
        typer.Option(
            "--restored", metavar="FILE", show_default=False,
            help="After a restore: hold it against what was seen outside, as vb witness wrote it; may be given again.",
        ),
    ] = None,
    pause: Annotated[bool, typer.Option("--pause", help="With --restored: pause the runs that must wait.")] = False,
    folder: Dir = None,
) -> None:  # fmt: skip
    """Prove that the history is whole and unchanged, and that every cache equals it."""
    from bot.console.launch import launch
    from bot.console.restored import verify_restored
    from bot.console.verifying import verify_log

    if restored is None and pause:
        raise typer.BadParameter("--pause goes with --restored FILE.")
    settings = settings_of(folder)
    if restored is not None:
        launch(lambda: verify_restored(settings, restored, pause=pause), settings)
    launch(lambda: verify_log(settings, ref), settings)


def witness(folder: Dir = None) -> None:
    """Print what this history can bear witness to, as JSON lines: keep them elsewhere, for vb verify --restored."""
    from bot.console.launch import launch
    from bot.console.restored import print_witness

    settings = settings_of(folder)
    launch(lambda: print_witness(settings), settings)


def migrate(folder: Dir = None) -> None:
    """Bring the database's tables up to date."""
    from bot.console.launch import launch
    from bot.console.verifying import migrate_database

    settings = settings_of(folder)
    launch(lambda: migrate_database(settings), settings)


def prune(
    older_than: Annotated[str, typer.Option("--older-than", metavar="AGE", help="How long ago they ended, as 90d.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    folder: Dir = None,
) -> None:
    """Remove runs that ended long ago; the last hash of each stays on record.

    It may be broken off and given again. For example: vb prune --older-than 90d --dry-run
    """
    from bot.console.launch import launch
    from bot.console.retention import prune

    settings = settings_of(folder)
    launch(lambda: prune(settings, older_than, dry_run=dry_run, yes=yes), settings)


def erase(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="Whose: slack:U123ABC, or cli:1000 by user id.")],
    yes: Yes = False,
    folder: Dir = None,
) -> None:
    """Make all that a person's runs hold unreadable for ever, by destroying its key; the chain stays whole."""
    from bot.console.launch import launch
    from bot.console.retention import erase

    settings = settings_of(folder)
    launch(lambda: erase(settings, person, yes=yes), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (verify, witness, migrate, prune, erase):
        app.command(rich_help_panel="Storage")(command)
