"""`vb check`: every mistake in a file is a line of its own, with its place and what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from engine.core.language import language_schema
from tests.cli.conftest import Vb

FILE = Path(__file__).parents[1] / "core" / "data" / "ten_mistakes.yaml"
COOKBOOK = Path(__file__).parents[2] / "docs" / "cookbook"


def test_a_file_with_many_kinds_of_mistakes(vb: Vb) -> None:
    done = vb("check", str(FILE))
    assert done.code == 1
    lines = done.out.splitlines()
    assert [int(line.removeprefix(f"{FILE}:").split(":")[0]) for line in lines] == [
        *(4, 6, 9, 13, 14, 16, 17, 20, 23, 23, 28, 29, 32, 36, 36, 37, 39),
    ]
    hints = ("; ", "did you mean", "must be")
    assert all(any(hint in line for hint in hints) for line in lines)
    assert done.err.splitlines()[-1] == "17 problems."


def test_the_cookbook_has_no_problems(vb: Vb) -> None:
    done = vb("check", str(COOKBOOK))
    assert done.out == ""
    assert done.code == 0
    assert done.err.startswith("No problems: announce_window, await_healthy, ")


def test_one_file_may_call_what_lies_beside_it(vb: Vb) -> None:
    done = vb("check", str(COOKBOOK / "release_train.yaml"))
    assert (done.code, done.out, done.err) == (0, "", "No problems: release_train.\n")


def test_the_schema_is_printed_for_editors(vb: Vb) -> None:
    done = vb("schema")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == language_schema()
    assert not vb.folder.exists()


def test_it_answers_without_what_only_runs_need() -> None:
    heavy = {"sqlalchemy", "redis", "slack_sdk", "slack_bolt"}
    code = f"import sys, bot.console.checks; print(sorted({heavy!r} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_model_without_a_price_is_a_problem_with_what_to_set(vb: Vb, tmp_path: Path) -> None:
    file = tmp_path / "ask.yaml"
    file.write_text(
        "name: ask\nsteps:\n"
        "  - {id: known, llm: {model: 'openai:gpt-5-mini', prompt: Say this, max_tokens: 10}}\n"
        "  - id: strange\n"
        "    llm: {model: 'openai:nobody-knows', prompt: And that, max_tokens: 10}\n"
        "    correct: {model: 'openai:neither', may_change: [prompt]}\n",
        encoding="utf-8",
    )
    done = vb("check", str(file))
    assert done.code == 1
    assert done.out.splitlines() == [
        f"ask: steps.strange: no price is known for openai:{model}, so that no run could ask it; set one in dollars "
        f"for a million tokens: vb prices set openai:{model} --input 0.25 --output 2.00"
        for model in ("nobody-knows", "neither")
    ]
    priced = vb("check", str(file), VB_MODEL_PRICES="openai:nobody-knows=1/2,openai:neither=1/2")
    assert priced.code == 0, priced.out
