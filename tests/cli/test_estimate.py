"""`vb estimate`: what a run may cost, before anything is started."""

from __future__ import annotations

from tests.cli.conftest import Vb

ASKS = """
name: ask
input:
  text: {type: text, description: What it is about}
budget: {limit: 0.50 USD}
steps:
  - {id: first, llm: {model: "openai:gpt-5-mini", prompt: "Say this: ${{ input.text }}", max_tokens: 1000}}
  - {id: second, llm: {model: "nobody:knows", prompt: "And that", max_tokens: 10}}
"""
OTHERS = {"VB_MODEL_PROVIDERS": "nobody=http://127.0.0.1:1/v1"}


def test_what_a_run_may_cost_is_told_with_reasons(vb: Vb) -> None:
    (vb.folder.parent / "ask.yaml").write_text(ASKS, encoding="utf-8")
    told = vb("estimate", "ask", "text=a long story", VB_WORKFLOWS=str(vb.folder.parent), **OTHERS)
    assert "Estimate for one run of ask: about $" in told.out
    assert "first: a prompt of about 6 tokens; at most 1,000 tokens out each time" in told.out
    assert "second is not in it: no price is known for nobody:knows; set one" in told.err
    assert "held once it has spent $0.50" in told.err
