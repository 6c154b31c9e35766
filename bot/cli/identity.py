"""The commands about who types: whose this machine's account is in Slack."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, settings_of


def whoami(as_json: AsJson = False, folder: Dir = None) -> None:
    """Tell by which account you act here, and whose it is in Slack."""
    from bot.console.launch import launch
    from bot.console.linking import whoami

    settings = settings_of(folder)
    launch(lambda: whoami(settings, as_json=as_json), settings)


def link(
    code: Annotated[str, typer.Argument(metavar="CODE", help="What /vb link in Slack has given you.")],
    folder: Dir = None,
) -> None:
    """Say whose this account is in Slack: what is done as it is theirs then, in both places.

    For example: vb link K7QX-2MPA-Z4ND-6RTY
    """
    from bot.console.launch import launch
    from bot.console.linking import link

    settings = settings_of(folder)
    launch(lambda: link(settings, code), settings)


def unlink(reason: Reason = "", folder: Dir = None) -> None:
    """Let this account be nobody's in Slack again."""
    from bot.console.launch import launch
    from bot.console.linking import unlink

    settings = settings_of(folder)
    launch(lambda: unlink(settings, reason=reason), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (whoami, link, unlink):
        app.command(rich_help_panel="People")(command)
