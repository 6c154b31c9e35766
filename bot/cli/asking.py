"""The commands that ask: which runs there are, how one stands and came there, what needs a person, who works."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.filtering import filtered
from bot.cli.options import AsJson, Dir, Gate, Limit, Run, settings_of
from bot.console.asked import Asked


@filtered
def runs(
    asked: Asked,
    limit: Limit = 20,
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """List runs, the newest first.

    For example: vb runs --status failed --since 3d --label team=web
    """
    from bot.console.launch import launch
    from bot.console.runs import list_runs

    settings = settings_of(folder)
    launch(lambda: list_runs(settings, asked, limit=limit, as_json=as_json), settings)


def show(
    ref: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as things happen, until the run ends.")] = False,
    as_json: AsJson = False,
    events: Annotated[bool, typer.Option("--events", help="Only the events, with full instants in UTC.")] = False,
    folder: Dir = None,
) -> None:
    """Show a run: how it stands, and its timeline."""
    from bot.console.launch import launch
    from bot.console.runs import follow_run, show_run

    if as_json and (events or follow):
        raise typer.BadParameter(f"--json and {'--events' if events else '--follow'} cannot go together; choose one.")
    settings = settings_of(folder)
    if follow:
        launch(lambda: follow_run(settings, ref, events_only=events), settings)
    launch(lambda: show_run(settings, ref, as_json=as_json, events_only=events), settings)


def audit(ref: Run, gate: Gate, as_json: AsJson = False, folder: Dir = None) -> None:
    """Print everything on record about a gate: who was asked, what they saw, who did what, and the chain's proof.

    For example: vb audit 01ks8q publish
    """
    from bot.console.audit import audit_gate
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: audit_gate(settings, ref, gate, as_json=as_json), settings)


def export(ref: Run, folder: Dir = None) -> None:
    """Print a run's whole history as JSON lines, each event with its hash."""
    from bot.console.launch import launch
    from bot.console.runs import export_run

    settings = settings_of(folder)
    launch(lambda: export_run(settings, ref), settings)


@filtered
def dead(
    asked: Asked,
    limit: Limit = 20,
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """List the dead letters: what failed for good, what was tried, and why it stopped."""
    from bot.console.dead import list_dead
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: list_dead(settings, asked, limit=limit, as_json=as_json), settings)


def workers(as_json: AsJson = False, folder: Dir = None) -> None:
    """List the workers that are alive, and how many steps each has in hand."""
    from bot.console.launch import launch
    from bot.console.workers import list_workers

    settings = settings_of(folder)
    launch(lambda: list_workers(settings, as_json=as_json), settings)


def workspaces(as_json: AsJson = False, folder: Dir = None) -> None:
    """List where the app is installed: by whom, since when, and what it was not granted there."""
    from bot.console.launch import launch
    from bot.console.workspaces import list_workspaces

    settings = settings_of(folder)
    launch(lambda: list_workspaces(settings, as_json=as_json), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (runs, show, audit, export, dead, workers, workspaces):
        app.command(rich_help_panel="Ask")(command)
