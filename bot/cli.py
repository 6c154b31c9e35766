"""The command `vb`: its commands, their arguments, and the words of its help.

The one rule: nothing is done here. Each command hands what was typed to `bot.console`, which is imported only then, so
that `vb --help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bot.settings import Settings

app = typer.Typer(
    name="vb",
    help="Workflows with approvals, in Slack and on the command line. Runs survive crashes, deploys and slow humans.",
    epilog="Exit codes: 0 done, 1 it failed or falls short, 2 wrong use.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the history.")]


@app.command()
def demo(
    folder: Dir = None,
    once: Annotated[bool, typer.Option("--once", help="Play one release from command to tag, then exit.")] = False,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65_535, help="Port of the page.  [default: 8765, or a free one]"
        ),
    ] = None,
) -> None:
    """Everything in one process, with a Slack of its own on this machine."""
    from bot.console.launch import launch
    from bot.demo.play import play
    from bot.demo.stage import demo_settings

    settings = demo_settings(_settings(folder))
    launch(lambda: play(settings, once=once, port=port), settings, stays=True)


@app.command()
def serve(folder: Dir = None) -> None:
    """The bot and the engine, for your own Slack."""
    from bot.console.launch import launch
    from bot.console.serve import serve

    settings = _settings(folder)
    launch(lambda: serve(settings), settings, stays=True)


@app.command()
def worker(folder: Dir = None) -> None:
    """The engine alone; as many of these as you want."""
    from bot.console.launch import launch
    from bot.console.serve import work

    settings = _settings(folder)
    launch(lambda: work(settings), settings, stays=True)


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workflow's name.")],
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="The workflow's inputs.", show_default=False)
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Work on it here, and tell what happens until it ends.")] = False,
    as_json: AsJson = False,
    folder: Dir = None,
) -> None:
    """Start a run."""
    from bot.console.launch import launch
    from bot.console.start import start_run

    settings = _settings(folder)
    launch(lambda: start_run(settings, name, inputs or [], wait=wait, as_json=as_json), settings, stays=wait)


@app.command()
def runs(
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="How many.")] = 20,
    folder: Dir = None,
) -> None:
    """List runs, the newest first."""
    from bot.console.launch import launch
    from bot.console.runs import list_runs

    settings = _settings(folder)
    launch(lambda: list_runs(settings, limit=limit, as_json=as_json), settings)


@app.command()
def show(
    ref: Run,
    as_json: AsJson = False,
    events: Annotated[bool, typer.Option("--events", help="Only the events, with full instants in UTC.")] = False,
    folder: Dir = None,
) -> None:
    """Show a run: how it stands, and its timeline."""
    from bot.console.launch import launch
    from bot.console.runs import show_run

    if as_json and events:
        raise typer.BadParameter("--json and --events cannot go together; choose one.")
    settings = _settings(folder)
    launch(lambda: show_run(settings, ref, as_json=as_json, events_only=events), settings)


@app.command()
def approve(ref: Run, gate: Gate, reason: Reason = "", folder: Dir = None) -> None:
    """Approve at a gate as this machine's user, where the settings allow it."""
    _decide(ref, gate, folder, reason, granted=True)


@app.command()
def deny(ref: Run, gate: Gate, reason: Reason = "", folder: Dir = None) -> None:
    """Deny at a gate as this machine's user, where the settings allow it."""
    _decide(ref, gate, folder, reason, granted=False)


@app.command()
def cancel(ref: Run, reason: Reason = "", folder: Dir = None) -> None:
    """Stop a run: nothing more starts, and what runs is told to stop."""
    from bot.console.decide import cancel
    from bot.console.launch import launch

    settings = _settings(folder)
    launch(lambda: cancel(settings, ref, reason=reason), settings)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Definitions, or folders of them.")],
    folder: Dir = None,
) -> None:
    """Check definitions; all problems at once, with their lines."""
    from bot.console.checks import check_files
    from bot.console.launch import launch

    settings = _settings(folder)
    launch(lambda: check_files(settings, files), settings)


@app.command()
def schema(folder: Dir = None) -> None:
    """Print the JSON Schema of definitions, for editors."""
    from bot.console.checks import print_schema
    from bot.console.launch import launch

    launch(print_schema, _settings(folder))


@app.command()
def verify(
    ref: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run only.", show_default=False)] = None,
    folder: Dir = None,
) -> None:
    """Prove that the history is whole and unchanged, and that every cache equals it."""
    from bot.console.checks import verify_log
    from bot.console.launch import launch

    settings = _settings(folder)
    launch(lambda: verify_log(settings, ref), settings)


@app.command()
def migrate(folder: Dir = None) -> None:
    """Bring the database's tables up to date."""
    from bot.console.checks import migrate_database
    from bot.console.launch import launch

    settings = _settings(folder)
    launch(lambda: migrate_database(settings), settings)


def main() -> None:
    """The console script."""
    app()


def _decide(ref: str, gate: str, folder: Path | None, reason: str, *, granted: bool) -> None:
    from bot.console.decide import decide
    from bot.console.launch import launch

    settings = _settings(folder)
    launch(lambda: decide(settings, ref, gate, granted=granted, reason=reason), settings)


def _settings(folder: Path | None) -> Settings:
    """Read before anything else; a wrong one ends the command here."""
    from bot.console.launch import complain
    from bot.settings import Settings, WrongSetting

    try:
        return Settings.read(folder)
    except WrongSetting as error:
        raise typer.Exit(complain(error)) from None
