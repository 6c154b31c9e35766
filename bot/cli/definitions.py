"""The commands about definitions: whether they are right, which ones hold, and what starts by the clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, DryRun, Reason, settings_of

Name = Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")]
Number = Annotated[
    int | None,
    typer.Option("--number", metavar="N", min=0, help="Which of its schedules.  [default: all]", show_default=False),
]

schedule = typer.Typer(help="What starts by the clock.", no_args_is_help=True)


def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definitions, or folders of them.")],
    folder: Dir = None,
) -> None:
    """Check definitions; all problems at once, with their lines."""
    from bot.console.checks import check_files
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: check_files(settings, files), settings)


def deploy(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]...", help="Files or folders.  [default: those of VB_WORKFLOWS]", show_default=False
        ),
    ] = None,
    dry_run: DryRun = False,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Make definitions what their names mean from now on, and say what is new in each; all of them, or none.

    Runs in progress stay with what they were started with. For example: vb deploy release.yaml --dry-run
    """
    from bot.console.deploying import deploy
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: deploy(settings, files or [], reason=reason, dry_run=dry_run), settings)


def deployments(name: Name, folder: Dir = None) -> None:
    """Say who deployed a workflow, when, and what was new."""
    from bot.console.deploying import list_deployments
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: list_deployments(settings, name), settings)


def retire(name: Name, reason: Reason = "", folder: Dir = None) -> None:
    """Take a workflow's name away; runs in progress go on."""
    from bot.console.deploying import retire
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: retire(settings, name, reason=reason), settings)


def freeze(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="These workflows.  [default: all]", show_default=False),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="For so long (3d), or until then (ISO).", show_default=False),
    ] = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Let no run start, and no gate change, until it is lifted; runs in progress go on.

    For example: vb freeze --until 3d --reason "the fair"
    """
    from bot.console.freezing import freeze
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: freeze(settings, names or [], reason=reason, until=until), settings)


def unfreeze(
    number: Annotated[
        int | None,
        typer.Argument(metavar="[ID]", help="Which one, as vb freezes names it.  [default: all]", show_default=False),
    ] = None,
    folder: Dir = None,
) -> None:
    """Lift a freeze."""
    from bot.console.freezing import unfreeze
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: unfreeze(settings, number), settings)


def freezes(folder: Dir = None) -> None:
    """List what is frozen now."""
    from bot.console.freezing import list_freezes
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: list_freezes(settings), settings)


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


@schedule.command("list")
def list_schedules(as_json: AsJson = False, folder: Dir = None) -> None:
    """List schedules: when each starts next, and what it started last."""
    from bot.console.launch import launch
    from bot.console.timetable import list_schedules

    settings = settings_of(folder)
    launch(lambda: list_schedules(settings, as_json=as_json), settings)


@schedule.command("pause")
def pause_schedule(name: Name, number: Number = None, reason: Reason = "", folder: Dir = None) -> None:
    """Let a workflow's schedules start nothing; what is missed is not made up for."""
    from bot.console.launch import launch
    from bot.console.timetable import pause

    settings = settings_of(folder)
    launch(lambda: pause(settings, name, number, reason=reason), settings)


@schedule.command("resume")
def resume_schedule(name: Name, number: Number = None, reason: Reason = "", folder: Dir = None) -> None:
    """Let a workflow's schedules go on from their next instant."""
    from bot.console.launch import launch
    from bot.console.timetable import resume

    settings = settings_of(folder)
    launch(lambda: resume(settings, name, number, reason=reason), settings)


@schedule.command("backfill")
def backfill_schedule(
    name: Name,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="From then: an age (3d), or a time (ISO).")],
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Until then.  [default: now]", show_default=False)
    ] = None,
    number: Annotated[int, typer.Option("--number", metavar="N", min=0, help="Which of its schedules.")] = 0,
    folder: Dir = None,
) -> None:
    """Start a run for each instant of a time that has passed; those that were started before are left out.

    For example: vb schedule backfill nightly_report --from 2026-01-01 --to 2026-01-07
    """
    from bot.console.launch import launch
    from bot.console.timetable import backfill

    settings = settings_of(folder)
    launch(lambda: backfill(settings, name, number, since=since, until=until), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (check, deploy, deployments, retire, freeze, unfreeze, freezes, schema, reference):
        app.command(rich_help_panel="Definitions")(command)
    app.add_typer(schedule, name="schedule", rich_help_panel="Definitions")
