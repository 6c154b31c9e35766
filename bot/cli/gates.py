"""The commands about gates: what people can do there in Slack, at a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import Dir, Gate, Reason, Run, Yes, settings_of

Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="Change this value before that.", show_default=False),
]
Seen = Annotated[
    str,
    typer.Option("--seen", metavar="EVIDENCE", help="Only if this is what is decided on, as the request shows it."),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="WHO", help="A full member: @ben, or an id.", show_default=False)
]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="Such as 90m or 3d.", show_default=False)]


def approve(
    ref: Run,
    gate: Gate,
    changes: Set = None,
    reason: Reason = "",
    seen: Seen = "",
    yes: Yes = False,
    folder: Dir = None,
) -> None:
    """Show what a gate asks, and approve it, where the settings allow it; with --set, change values before that.

    For example: vb approve 01ks8q agree --set percent=10 --reason "not so many at first"
    """
    from bot.console.decide import approve, approve_changed
    from bot.console.launch import launch

    settings = settings_of(folder)
    if changes:
        launch(lambda: approve_changed(settings, ref, gate, changes, reason=reason, yes=yes), settings)
    launch(lambda: approve(settings, ref, gate, reason=reason, seen=seen, yes=yes), settings)


def deny(ref: Run, gate: Gate, reason: Reason = "", folder: Dir = None) -> None:
    """Deny at a gate, where the settings allow it."""
    from bot.console.decide import deny
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: deny(settings, ref, gate, reason=reason), settings)


def request_changes(
    ref: Run,
    gate: Gate,
    comment: Annotated[str, typer.Argument(metavar="COMMENT", help="What has to change; the steps can read it.")],
    folder: Dir = None,
) -> None:
    """Send a run back from a gate, to be done anew in the light of a comment; then it is asked again.

    For example: vb request-changes 01ks8q agree "name the migration in the notes"
    """
    from bot.console.handing import request_changes
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: request_changes(settings, ref, gate, comment), settings)


def delegate(
    ref: Annotated[str | None, typer.Argument(metavar="RUN", help="The run, for one gate.", show_default=False)] = None,
    gate: Annotated[str | None, typer.Argument(metavar="GATE", help="The gate.", show_default=False)] = None,
    to: To = None,
    for_: For = None,
    stop: Annotated[bool, typer.Option("--stop", help="End what you have delegated for a while.")] = False,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Let somebody else decide for you: at one gate, or everywhere for a while; alone, tell who decides for whom.

    For example: vb delegate 01ks8q agree --to @ben, or vb delegate --to @ben --for 3d --reason holidays
    """
    from bot.console import handing
    from bot.console.launch import launch

    settings = settings_of(folder)
    match ref, gate, to, for_, stop:
        case str(), str(), str(), None, False:
            launch(lambda: handing.delegate(settings, ref, gate, to, reason=reason), settings)
        case None, None, str(), str(), False:
            launch(lambda: handing.delegate_for(settings, to, for_, reason=reason), settings)
        case None, None, None, None, True:
            launch(lambda: handing.take_back(settings), settings)
        case None, None, None, None, False:
            launch(lambda: handing.list_delegations(settings), settings)
        case _:
            raise typer.BadParameter(
                "write vb delegate RUN GATE --to WHO for one gate, vb delegate --to WHO --for TIME for a while, or "
                "vb delegate --stop"
            )


def snooze(ref: Run, gate: Gate, for_: Annotated[str, typer.Option("--for", metavar="TIME", help="Such as 90m or 3d.")],
           folder: Dir = None) -> None:  # fmt: skip
    """Keep a gate's reminders from you for a while; it stays open, and others are asked as planned.

    For example: vb snooze 01ks8q agree --for 2h
    """
    from bot.console.handing import snooze
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: snooze(settings, ref, gate, for_), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    for command in (approve, deny):
        app.command(rich_help_panel="Decide")(command)
    app.command("request-changes", rich_help_panel="Decide")(request_changes)
    for command in (delegate, snooze):
        app.command(rich_help_panel="Decide")(command)
