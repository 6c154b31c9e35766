"""What a workspace has spent, as a picture: by day, stacked by workflow and by model; and the same figures in words.

The one rule: the words say all that the picture shows. Colours are told apart by those who see fewer of them, and no
series has its colour alone: the legend is in the order of the stacks. Matplotlib is imported where a picture is drawn,
and nowhere else, since that takes a while.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any

from engine.budgets import SpentByDay
from engine.core.money import USD, Micros, say_money
from engine.store import Spent

SERIES = 6
"""Workflows, or models, with a colour of their own; the others are one more together."""

OTHERS = "others"
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
"""Okabe and Ito's, without those that are faint on white; the last is that of the others."""
_SIZE, _DPI = (10.0, 7.5), 120
_LONGEST = 26
_TICKS = 6


@dataclass(frozen=True, slots=True)
class Stacks:
    """What was spent ``by`` each of its series on each day, the largest series first."""

    by: str
    series: Mapping[str, Sequence[Micros]]

    def totals(self) -> list[tuple[str, Micros]]:
        return [(name, sum(amounts)) for name, amounts in self.series.items()]


def stacks(by: str, found: SpentByDay, name_of: Callable[[Spent], str]) -> Stacks:
    """By whatever ``name_of`` says of what was spent."""
    place = {day: number for number, day in enumerate(found.days)}
    series: defaultdict[str, list[Micros]] = defaultdict(lambda: [0] * len(found.days))
    for one in found.spent:
        if one.day in place:
            series[name_of(one)][place[one.day]] += one.amount
    ordered = sorted(series.items(), key=lambda item: (-sum(item[1]), item[0]))
    kept = dict(ordered[:SERIES] if len(ordered) > SERIES + 1 else ordered)
    if left := [amounts for _, amounts in ordered[len(kept) :]]:
        kept[f"{len(left)} {OTHERS}"] = [sum(amounts) for amounts in zip(*left, strict=True)]
    return Stacks(by, kept)


def by_workflow(found: SpentByDay) -> Stacks:
    return stacks("workflow", found, lambda one: one.workflow or "runs that are gone")


def by_model(found: SpentByDay) -> Stacks:
    return stacks("model", found, lambda one: one.model or "no model")


def in_words(found: SpentByDay) -> str:
    """All that the picture shows, for those who do not see it; not escaped."""
    daily = [sum(one.amount for one in found.spent if one.day == day) for day in found.days]
    since = f"from {found.days[0]} to {found.days[-1]}"
    if not any(daily):
        return f"Nothing was spent {since}."
    most = max(range(len(daily)), key=lambda number: daily[number])
    parts = [
        f"Spent {since}: {say_money(sum(daily))}, most on {found.days[most]}: {say_money(daily[most])}.",
        _told(by_workflow(found).totals(), "workflow"),
        _told(by_model(found).totals(), "model"),
    ]
    return " ".join(parts)


def _told(totals: Iterable[tuple[str, Micros]], by: str) -> str:
    return f"By {by}: {', '.join(f'{name} {say_money(amount)}' for name, amount in totals)}."


def draw(found: SpentByDay) -> bytes:
    """The picture, as PNG. It takes about a second of the processor."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=_SIZE, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    total = say_money(sum(one.amount for one in found.spent)).replace("$", r"\$")
    figure.suptitle(f"Spend per day, {found.days[0]} to {found.days[-1]}: {total}", fontsize=15)
    upper, lower = figure.subplots(2, 1, sharex=True)
    _panel(upper, found.days, by_workflow(found))
    _panel(lower, found.days, by_model(found))
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    return drawn.getvalue()


def _panel(axes: Any, days: Sequence[str], shown: Stacks) -> None:
    """Bars for the days, one series on the other."""
    base = [0.0] * len(days)
    for number, (name, amounts) in enumerate(shown.series.items()):
        dollars = [amount / USD for amount in amounts]
        colour = _COLOURS[min(number, SERIES)]
        axes.bar(range(len(days)), dollars, bottom=base, color=colour, width=0.8, label=_label(name, sum(amounts)))
        base = [below + above for below, above in zip(base, dollars, strict=True)]
    axes.set_ylabel(f"US dollars, by {shown.by}")
    axes.yaxis.set_major_formatter(rf"\${{x:,.{_digits(max(base) or 1)}f}}")
    axes.set_ylim(0, max(base) * 1.08 or 1)
    step = -(-len(days) // _TICKS)
    ticks = range((len(days) - 1) % step, len(days), step)
    axes.set_xticks(list(ticks), [f"{date.fromisoformat(days[tick]):%d %b}" for tick in ticks])
    axes.set_xlim(-0.7, len(days) - 0.3)
    axes.tick_params(labelbottom=True)
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if shown.series:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False, reverse=True)


def _digits(most: float) -> int:
    """Decimals that tell the ticks below ``most`` apart."""
    return 0 if most >= 20 else 2 if most >= 0.2 else 4


def _label(name: str, total: Micros) -> str:
    short = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    return f"{short}  {say_money(total)}".replace("$", r"\$")
