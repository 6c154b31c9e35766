"""The commands about budgets: what may be spent, and what is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, settings_of

budget = typer.Typer(help="What may be spent, and what is.", no_args_is_help=True)


@budget.command("show")
def show(as_json: AsJson = False, folder: Dir = None) -> None:
    """Show how all budgets stand: limit, spent, set aside, and what it comes to at this rate."""
    from bot.console.budgets import show
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: show(settings, as_json=as_json), settings)


@budget.command("set")
def set_(
    whose: Annotated[
        str, typer.Argument(metavar="WHOSE", help="workspace, workflow:NAME, person:slack:ID, person:cli:NAME, run:ID.")
    ],
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help='Such as "10.00 USD" or $10; none for no limit.')],
    per: Annotated[str, typer.Option("--per", metavar="PERIOD", help="day or month; a run has no period.")] = "",
    alert_at: Annotated[
        str | None,
        typer.Option("--alert-at", metavar="SHARES", help="When people are told, such as 50%,80%,100%."),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", metavar="CHANNEL", help='Where people are told as well, such as "#ops"; or none.'),
    ] = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Set or raise a budget. What it has held goes on at once if there is room for it now.

    For example: vb budget set workspace "10.00 USD" --per day
    """
    from bot.console.budgets import set_one
    from bot.console.launch import launch

    settings = settings_of(folder)
    more = {"alert_at": alert_at, "channel": channel}
    launch(lambda: set_one(settings, whose, amount, per=per, reason=reason, **more), settings)


@budget.command("timezone")
def timezone(
    zone: Annotated[str, typer.Argument(metavar="ZONE", help="An IANA name, such as Europe/Paris.")], folder: Dir = None
) -> None:
    """Say in which time zone the workspace's days and months are counted."""
    from bot.console.budgets import timezone
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: timezone(settings, zone), settings)


@budget.command("chart")
def chart(
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="Where the picture is written (PNG).", show_default=False)
    ],
    days: Annotated[int, typer.Option("--days", metavar="N", min=2, max=366, help="How many, with today.")] = 30,
    folder: Dir = None,
) -> None:
    """Draw what was spent on each day, by workflow and by model, and say it in words.

    For example: vb budget chart --out spend.png
    """
    from bot.console.budgets import chart
    from bot.console.launch import launch

    settings = settings_of(folder)
    launch(lambda: chart(settings, out, days), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    app.add_typer(budget, name="budget", rich_help_panel="Decide")
