"""The commands that stop what is under way at once, and let it go on."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, Yes, settings_of

What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="workspace, everything, workflow:NAME, step:NAME, run:ID, provider:NAME, model:PROVIDER:MODEL or "
        "key:PROVIDER/NAME.",
    ),
]


def kill(what: What, reason: Reason = "", yes: Yes = False, folder: Dir = None) -> None:
    """Stop what is under way at once: no step starts any more, and what runs is ended and held, until it is lifted.

    For example: vb kill workflow:deploy --reason "wrong image"
    """
    from bot.console.launch import launch
    from bot.console.switching import kill

    settings = settings_of(folder)
    launch(lambda: kill(settings, what, reason=reason, yes=yes), settings)


def lift(what: What, reason: Reason = "", folder: Dir = None) -> None:
    """Let go on what vb kill has stopped."""
    from bot.console.launch import launch
    from bot.console.switching import lift

    settings = settings_of(folder)
    launch(lambda: lift(settings, what, reason=reason), settings)


def switches(as_json: AsJson = False, folder: Dir = None) -> None:
    """List what is stopped now: by whom, why and since when."""
    from bot.console.launch import launch
    from bot.console.switching import list_switches

    settings = settings_of(folder)
    launch(lambda: list_switches(settings, as_json=as_json), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (kill, lift, switches):
        app.command(rich_help_panel="Decide")(command)
