"""The commands that decide for a run: whether it goes on, what became of its steps, what it follows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.filtering import filtered
from bot.cli.options import Dir, DryRun, From, Reason, Run, Step, Yes, settings_of
from bot.console.asked import Asked

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.console.steering import Deed

Json = Annotated[str | None, typer.Option("--result", metavar="JSON", help="The step's output.", show_default=False)]


def pause(ref: Run, reason: Reason = "", folder: Dir = None) -> None:
    """Start nothing more in a run until it is resumed; what runs is finished, and deadlines stand."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.pause(reason))


def resume(ref: Run, reason: Reason = "", folder: Dir = None) -> None:
    """Let a paused run go on."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.resume(reason))


def cancel(ref: Run, reason: Reason = "", folder: Dir = None) -> None:
    """Stop a run: nothing more starts, what runs is told to stop, and what can be undone is undone."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.cancel(reason))


def redrive(
    ref: Run,
    steps: Annotated[
        list[str] | None,
        typer.Argument(metavar="[STEP]...", help="Only these of its dead letters.", show_default=False),
    ] = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Try again what failed for good, with all its attempts; effects on record are not repeated.

    For example: vb redrive 01ks8q --reason "the registry is back"
    """
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.redrive(steps or (), reason))


def retry(ref: Run, step: From, reason: Reason = "", folder: Dir = None) -> None:
    """Do a step and all that follows from it anew, in the same run; their effects are made again.

    For example: vb retry 01ks8q --from build
    """
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.retry(step, reason))


def fork(
    ref: Run,
    step: From,
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="NAME|HASH", help="Follow this definition instead.", show_default=False),
    ] = None,
    folder: Dir = None,
) -> None:
    """Start a new run that takes over what a run did before a step, and does the rest itself.

    For example: vb fork 01ks8q --from tag
    """
    from bot.console.launch import launch
    from bot.console.steering import fork_run

    settings = settings_of(folder)
    launch(lambda: fork_run(settings, ref, step, to), settings)


def skip(ref: Run, step: Step, reason: Reason = "", folder: Dir = None) -> None:
    """Count a step that has failed or not begun as skipped."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.skip(step, reason))


def set_output(
    ref: Run,
    step: Step,
    output: Annotated[str, typer.Argument(metavar="JSON", help='The output, such as \'{"url": "…"}\' or null.')],
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Count a step that has failed or not begun as done, with this output."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.set_output(step, output, reason))


def settle(
    ref: Run,
    step: Step,
    answer: Annotated[
        str, typer.Argument(metavar="ANSWER", help="happened, did-not-happen (it runs again) or fail; retry or accept.")
    ],
    result: Json = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Say what became of a step whose outcome is unknown, or how one goes on that no correction has mended.

    For example: vb settle 01ks8q charge happened --result '{"id": "ch_1"}' --reason "seen in the bank's list"
    """
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.settle(step, answer, result, reason))


def move(
    ref: Run,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NAME|HASH", help="The definition.  [default: the current one of its workflow]",
            show_default=False,
        ),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="OLD=NEW", help="What a step is called there.", show_default=False),
    ] = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:  # fmt: skip
    """Let a run follow another definition from now on; what it has done stays done."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.move(to, renamed or (), reason))


def map_(
    ref: Run,
    codes: Annotated[list[str], typer.Argument(metavar="OLD=NEW...", help="Such as notify@1=notify@2.")],
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Let a run use other code where no worker has the code of its steps any more."""
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.recode(codes, reason))


def label(
    ref: Run,
    labels: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", help="Labels to set.", show_default=False)
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option("--remove", metavar="NAME", help="A label to take away.", show_default=False),
    ] = None,
    folder: Dir = None,
) -> None:
    """Set labels by which a run can be found, or take them away.

    For example: vb label 01ks8q team=web --remove old
    """
    from bot.console import steering as act

    _steer(ref, folder, lambda: act.label(labels or (), remove or ()))


def signal(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The signal's name.")],
    payload: Annotated[str, typer.Argument(metavar="[JSON]", help="What it brings.")] = "null",
    ref: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="The run it is for.", show_default=False)
    ] = None,
    correlation: Annotated[
        str | None,
        typer.Option("--for", metavar="TEXT", help="Or what sender and run both know.", show_default=False),
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="The same id again changes nothing.", show_default=False),
    ] = None,
    folder: Dir = None,
) -> None:
    """Send a signal to a run, or to whichever run waits for it, now or later.

    For example: vb signal paid '{"cents": 4200}' --for order-42
    """
    from bot.console.launch import launch
    from bot.console.steering import send_signal

    settings = settings_of(folder)
    launch(lambda: send_signal(settings, name, payload, ref=ref, correlation=correlation, id_=id_), settings)


@filtered
def bulk(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="pause, resume, cancel or redrive.")],
    asked: Asked,
    dry_run: DryRun = False,
    yes: Yes = False,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Pause, resume, cancel or redrive every run that fits.

    For example: vb bulk redrive --workflow publish_release --since 3h --dry-run
    """
    from bot.console.bulk import for_all
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: for_all(settings, action, asked, reason=reason, dry_run=dry_run, yes=yes), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (pause, resume, cancel, redrive, retry, fork, skip):
        app.command(rich_help_panel="Decide")(command)
    app.command("set-output", rich_help_panel="Decide")(set_output)
    for command in (settle, move):
        app.command(rich_help_panel="Decide")(command)
    app.command("map", rich_help_panel="Decide")(map_)
    for command in (label, signal, bulk):
        app.command(rich_help_panel="Decide")(command)


def _steer(ref: str, folder: Path | None, deed: Callable[[], Deed]) -> None:
    from bot.console.launch import launch
    from bot.console.steering import steer

    settings = settings_of(folder)
    launch(lambda: steer(settings, ref, deed()), settings)
