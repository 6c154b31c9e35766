"""The options that choose runs, which several commands have.

The one rule: they are written once, and a command takes them as one value.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer

from bot.console.asked import Asked


def asked_for(
    status: Annotated[
        list[str] | None,
        typer.Option(metavar="WORD", help="In this state, such as waiting or failed; may be given again."),
    ] = None,
    workflow: Annotated[str | None, typer.Option(metavar="NAME", help="Of this workflow.")] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Started by this person; me: by you.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="AGE", help="Started within this time (3d, 12h), or since a day (2026-01-31).")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Started before this time, or before a day.")
    ] = None,
    text: Annotated[str, typer.Option(metavar="WORDS", help="With this in the inputs, the summary or the id.")] = "",
    label: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="With this label; may be given again.")
    ] = None,
    attention: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="In need of a person: any, approval, uncertain, given_up, missing_step, held, dead_letter, paused.",
        ),
    ] = None,
) -> Asked:
    """What was asked for."""
    return Asked(tuple(status or ()), workflow, by, since, older_than, text, tuple(label or ()), attention)


def filtered(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of ``asked_for`` in the place of its parameter ``asked``."""
    options = inspect.signature(asked_for, eval_str=True).parameters

    @functools.wraps(command)
    def filled(**given: Any) -> None:
        asked = asked_for(**{name: given.pop(name) for name in options})
        command(asked=asked, **given)

    def merged() -> Iterator[inspect.Parameter]:
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            for one in options.values() if parameter.name == "asked" else (parameter,):
                yield one.replace(kind=inspect.Parameter.KEYWORD_ONLY)

    vars(filled)["__signature__"] = inspect.Signature(list(merged()))
    return filled
