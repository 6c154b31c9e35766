"""The commands about definitions: whether they are right, and what may stand in them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import Dir, settings_of


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definitions, or folders of them.")],
    folder: Dir = None,
) -> None:
    """Check definitions; all problems at once, with their lines."""
    from bot.console.checks import check_files
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: check_files(settings, files), settings)


def schema(folder: Dir = None) -> None:
    """Print the JSON Schema of definitions, for editors."""
    from bot.console.checks import print_schema
    from bot.console.launch import launch

    launch(print_schema, settings_of(folder))


def reference(folder: Dir = None) -> None:
    """Print the reference of the definition language, in Markdown."""
    from bot.console.checks import print_reference
    from bot.console.launch import launch

    launch(print_reference, settings_of(folder))


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (check, schema, reference):
        app.command(rich_help_panel="Definitions")(command)
