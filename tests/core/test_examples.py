"""What the example workflows say, rendered without running them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.expressions import compile_mapping
from engine.core.loader import load_yaml

WORKFLOWS = Path(__file__).parents[2] / "workflows"


@pytest.mark.parametrize(
    ("expect", "said"),
    [
        (None, "https://x.example answered 200 with 12 characters."),
        ("", "https://x.example answered 200 with 12 characters."),
        ("hello", "https://x.example answered 200 with 12 characters and contains what was expected."),
        ("bye", "https://x.example answered 200 with 12 characters but lacks what was expected: bye."),
    ],
)
def test_a_check_of_a_site_speaks_of_what_was_expected_only_if_it_was_said(expect: str | None, said: str) -> None:
    workflow = load_yaml((WORKFLOWS / "check_site.yaml").read_text(encoding="utf-8")).workflow
    assert workflow is not None
    fetched = {"output": {"status": 200, "body": "hello, world"}}
    scope = {"input": {"url": "https://x.example", "expect": expect}, "steps": {"fetch": fetched}}
    verdict = compile_mapping(workflow.steps[1].with_).render(scope)
    report = compile_mapping(workflow.steps[2].with_).render(
        {**scope, "steps": {"verdict": {"output": verdict}, "fetch": fetched}}
    )
    assert report == {"text": said}
