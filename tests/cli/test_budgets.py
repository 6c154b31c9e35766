"""Budgets from the command line: set, shown, and refused in words that say what would work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Vb

MORE = ("--alert-at", "90%", "--channel", "#ops", "--reason", "a big day")


def test_a_budget_is_set_raised_shown_and_taken_away(tmp_path: Path) -> None:
    vb = Vb(tmp_path / "state", {})
    done = vb("budget", "set", "workspace", "$10", "--per", "day")
    assert "workspace per day may spend $10.00 from now on" in done.out
    done = vb("budget", "set", "workspace", "12.50 USD", "--per", "day", *MORE)
    assert "workspace per day may spend $12.50" in done.out
    assert "its alerts are told in #ops as well" in done.out
    (day,) = [one for one in json.loads(vb("budget", "show", "--json").out) if one["budget"] == "workspace/day"]
    assert (day["limit"], day["spent"], day["alert_at"], day["reason"]) == (12_500_000, 0, [90], "a big day")
    assert (day["channel"], day["per_hour"], day["used_up"]) == ("#ops", 0, None)
    assert "workspace per day: $0.00 of $12.50 spent (0 %)" in vb("budget", "show").out
    picture = tmp_path / "spend.png"
    assert vb("budget", "chart", "--out", str(picture), "--days", "7").out.startswith("Nothing was spent from ")
    assert picture.read_bytes().startswith(b"\x89PNG")
    refused = vb("budget", "chart", "--out", str(tmp_path / "nowhere/spend.png"))
    assert "cannot be written: No such file or directory" in refused.err
    assert "has no budget any more" in vb("budget", "set", "workspace", "none", "--per", "day").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("workspace", "10", "--per", "day"), "'10' is no amount of money; write US dollars, such as 2.00 USD"),
        (("workspace", "$1", "--per", "day", "--channel", "ops"), "Ops is no channel; write its name, such as #ops"),
        (("workspace", "$10"), "A budget is counted per day or month; say which."),
        (
            ("team", "$10", "--per", "day"),
            "'team' has no budget; there is: workspace, workflow:NAME, person:NAME, run:ID",
        ),
        (("workflow:nothing", "$10", "--per", "day"), "nothing"),
    ],
)
def test_what_sets_no_budget_is_refused_in_words(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    refused = Vb(tmp_path / "state", {})("budget", "set", *words)
    assert refused.code in (1, 2)
    assert said in refused.err
