"""Everything that the bot can show: for each function of ``bot.blocks`` that makes a message or a view, how it is made.

The one rule: a new message or view gets its entry in ``of_runs`` or ``of_data``, in the way that the bot makes it; the
test fails without one. Those about a run take a ``Situation``; those about anything else take a text that stands for
all their data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bot.blocks import forms
from bot.blocks.kit import Message
from bot.blocks.words import Asked
from tests.bot.rendering.situations import Situation

Made = Message | forms.View
OfRun = Callable[[Situation], Iterator[Made]]
OfData = Callable[[str], Iterator[Made]]

OF_RUNS: dict[str, OfRun] = {}
OF_DATA: dict[str, OfData] = {}
PINGS: set[str] = set()
"""Those that may notify people: whoever has to act now."""

PLACE = forms.Place("C0RELEASES", "run_0123456789abcdef:12:publish", "1700000000.000100")
LINK = "<https://acme.example/archives/c1/p2|open it>"
SOMEBODY = (
    Asked("", "group", "S0RELEASES"),
    Asked("", "person", "U0ANAXXXXX"),
    Asked("", "channel", "C0LEADS"),
    Asked("", "missing"),
    Asked("", "unread"),
    Asked("", "closed"),
)
"""Everything that a name in a definition can turn out to be."""


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def about_runs(function: Callable[..., Any], *, pings: bool = False) -> Callable[[OfRun], OfRun]:
    """The entry of ``function``, which shows runs."""

    def add(entry: OfRun) -> OfRun:
        OF_RUNS[name_of(function)] = entry
        PINGS.update({name_of(function)} if pings else ())
        return entry

    return add


def about_data(function: Callable[..., Any]) -> Callable[[OfData], OfData]:
    """The entry of ``function``, which shows anything else."""

    def add(entry: OfData) -> OfData:
        OF_DATA[name_of(function)] = entry
        return entry

    return add
