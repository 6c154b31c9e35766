"""The commands about prices: what models cost in this workspace."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli.options import AsJson, Dir, Reason, settings_of

prices = typer.Typer(help="What models cost in this workspace.", invoke_without_command=True)

Model = Annotated[str, typer.Argument(metavar="MODEL", help="PROVIDER:MODEL; or PROVIDER:* for all of its models.")]


@prices.callback()
def show(context: typer.Context, as_json: AsJson = False, folder: Dir = None) -> None:
    """Show what the models cost that workflows ask here, and where each price is from."""
    if context.invoked_subcommand is not None:
        return
    from bot.console.launch import launch
    from bot.console.prices import show

    settings = settings_of(folder)
    launch(lambda: show(settings, as_json=as_json), settings)


@prices.command("set")
def set_(
    model: Model,
    tokens_in: Annotated[str, typer.Option("--input", metavar="USD", help="US dollars for a million tokens in.")],
    tokens_out: Annotated[str, typer.Option("--output", metavar="USD", help="US dollars for a million tokens out.")],
    cached: Annotated[
        str | None,
        typer.Option("--cached", metavar="USD", help="For those in that the provider has kept; else as the others."),
    ] = None,
    reason: Reason = "",
    folder: Dir = None,
) -> None:
    """Set what a model costs: for estimates, budgets and bills of this workspace alone, from its next call on.

    For example: vb prices set openai:gpt-5-mini --input 0.20 --output 1.60
    """
    from bot.console.launch import launch
    from bot.console.prices import set_one

    settings = settings_of(folder)
    launch(lambda: set_one(settings, model, tokens_in, tokens_out, cached=cached, reason=reason), settings)


@prices.command("unset")
def unset(model: Model, reason: Reason = "", folder: Dir = None) -> None:
    """Take that price away: what the operator has set counts again, or the list."""
    from bot.console.launch import launch
    from bot.console.prices import unset

    settings = settings_of(folder)
    launch(lambda: unset(settings, model, reason=reason), settings)


def add_to(app: typer.Typer) -> None:
    """Make these commands of ``app``."""
    app.add_typer(prices, name="prices", rich_help_panel="Decide")
