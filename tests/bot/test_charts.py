"""The picture of what was spent, and that its words say the same."""

from __future__ import annotations

import sys
from datetime import date, timedelta

from bot.charts import SERIES, by_model, by_workflow, draw, in_words
from engine.budgets import SpentByDay
from engine.store import Spent

DAYS = tuple(f"{date(2026, 10, 30) + timedelta(days=number)}" for number in range(30))
CENT = 10_000


def test_what_was_spent_is_stacked_by_day_the_largest_first_and_few_are_told_apart() -> None:
    spent = [Spent(DAYS[number % 3], f"wf_{number}", "m" * (number % 2), number * CENT) for number in range(1, 11)]
    found = SpentByDay(DAYS, (*spent, Spent("2026-01-01", "wf_1", "m", 900 * CENT)))
    flows = by_workflow(found)
    assert list(flows.series) == ["wf_10", "wf_9", "wf_8", "wf_7", "wf_6", "wf_5", "4 others"]
    assert len(flows.series) == SERIES + 1
    assert flows.series["wf_10"][:3] == [0, 10 * CENT, 0]
    assert flows.series["4 others"][:3] == [3 * CENT, 5 * CENT, 2 * CENT]
    assert by_model(found).totals() == [("no model", 30 * CENT), ("m", 25 * CENT)]


def test_the_words_say_what_the_picture_shows() -> None:
    spent = (Spent(DAYS[3], "release", "gpt-x", 250 * CENT), Spent(DAYS[4], "", "gpt-x", 50 * CENT))
    assert in_words(SpentByDay(DAYS, spent)) == (
        "Spent from 2026-10-30 to 2026-11-28: $3.00, most on 2026-11-02: $2.50. "
        "By workflow: release $2.50, runs that are gone $0.50. By model: gpt-x $3.00."
    )
    assert in_words(SpentByDay(DAYS, ())) == "Nothing was spent from 2026-10-30 to 2026-11-28."


def test_a_picture_is_drawn_whatever_names_there_are_and_whatever_was_spent() -> None:
    assert "matplotlib.pyplot" not in sys.modules, "which would hold what was drawn for ever"
    odd = Spent(DAYS[1], "$a$ and $\\frac{", "m" * 200, 120)
    for spent in ((), (odd,), tuple(Spent(day, "wf", "m", 3_000 * CENT) for day in DAYS)):
        drawn = draw(SpentByDay(DAYS, spent))
        assert drawn.startswith(b"\x89PNG")
        assert (int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])) == (1_200, 900)
