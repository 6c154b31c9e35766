"""Prices from the command line: set, shown with where they are from, taken away, and refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Vb

ASK = "name: ask\nsteps:\n  - {id: ask, llm: {model: 'openai:gpt-5-mini', prompt: Say this, max_tokens: 1000}}\n"
STRANGE = ASK.replace("gpt-5-mini", "nobody-knows")
MINI = "openai:gpt-5-mini"


def test_a_price_is_set_used_shown_and_taken_away(tmp_path: Path) -> None:
    (tmp_path / "ask.yaml").write_text(ASK, encoding="utf-8")
    vb = Vb(tmp_path / "state", {"VB_WORKFLOWS": str(tmp_path), "VB_MODEL_PRICES": "mine:*=1/2"})
    prices = {one["model"]: one for one in json.loads(vb("prices", "--json").out)}
    assert prices[MINI]["source"].startswith("genai-prices ")
    assert (prices["mine:*"]["source"], prices["mine:*"]["price"]["output"]) == ("settings", 2_000_000)
    set_ = vb("prices", "set", MINI, "--input", "0", "--output", "$500", "--cached", "0", "--reason", "a test")
    assert set_.out == (
        f"{MINI} costs $0.00 in, $0.00 where the provider has kept them, $500.00 out, for a million tokens here, "
        "from its next call on.\n"
    )
    assert "between $0.05 and $0.50" in vb("estimate", "ask").out
    shown = vb("prices")
    assert "workspace, by " in shown.out
    assert ": a test" in shown.out
    unset = vb("prices", "unset", MINI)
    assert unset.out.startswith(f"{MINI} costs $0.25 in, ")
    assert "(genai-prices " in unset.out
    assert "could be taken away" in vb("prices", "unset", MINI).err


def test_a_price_of_the_workspace_satisfies_the_check(tmp_path: Path) -> None:
    (tmp_path / "ask.yaml").write_text(STRANGE, encoding="utf-8")
    vb = Vb(tmp_path / "state", {"VB_WORKFLOWS": str(tmp_path)})
    refused = vb("check", str(tmp_path / "ask.yaml"))
    assert refused.code == 1
    advice = refused.out.strip().partition("vb ")[2]
    assert advice == "prices set openai:nobody-knows --input 0.25 --output 2.00"
    assert vb(*advice.split()).code == 0
    assert vb("check", str(tmp_path / "ask.yaml")).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("set", MINI, "--input", "cheap", "--output", "1"),
            "--input: 'cheap' is no price; write dollars for a",
        ),
        (("set", "opnai:x", "--input", "1", "--output", "1"), "There is no provider opnai here; did you mean openai?"),
        (("set", "openai", "--input", "1", "--output", "1"), "Openai names no model; write PROVIDER:MODEL, such as"),
        (("set", MINI, "--input", "1", "--output", "1", "--cached", "2"), "give less for --cached."),
        (("set", MINI, "--input", "1"), "--output"),
    ],
)
def test_what_sets_no_price_is_refused_in_words(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    refused = Vb(tmp_path / "state", {})("prices", *words)
    assert refused.code in (1, 2)
    assert said in refused.err
