"""Agents: turns and calls as steps, tools behind gates, limits, and what the model is told of each call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import JsonValue

from engine.core.checks import Callees
from engine.core.failures import FailureClass, StepError
from engine.core.loader import load_yaml
from engine.core.money import USD
from engine.core.spending import Spend
from engine.steps.agent import Answer, Ask, Call, Left, Question, Usage, agent_turn
from engine.steps.context import Paid, StepContext
from engine.steps.registry import Registry, StepFunction, step
from engine.testing import Called, Rehearsal, denied_by, edited_by, granted_by, lost, together

AGENT = """
name: look
input:
  site: {{type: url}}
steps:
  - id: research
    retry: {retry}
    agent:
      model: local:scripted
      prompt: Why is ${{{{ input.site }}}} slow?
      max_turns: 4
      max_tokens: 100
      {more}
      tools:
        - uses: t.fetch
          name: fetch
          description: Fetches a page.
          with: {{method: GET}}
        - uses: t.restart
          name: restart
          description: Restarts a server.
          approval: {{approvers: ["@oncall"]}}
        - workflow: child
          name: ask_child
          description: Asks the child.
output:
  text: ${{{{ steps.research.output.text }}}}
  turns: ${{{{ steps.research.output.turns }}}}
  tokens: ${{{{ steps.research.output.usage.input_tokens }}}}
"""
WORST = 12_000
REAL = ("agent.turn", "t.fetch", "t.restart")
CHILD = """
name: child
input:
  n: {type: integer, default: 7}
steps:
  - {id: add, set: {value: "${{ input.n + 1 }}"}}
output: ${{ steps.add.output.value }}
"""


@step("t.fetch")
async def fetch(url: str, method: str, tries: int = 1) -> str:
    return f"{method} {url} {tries}"


@step("t.restart")
async def restart(name: str, force: bool = False) -> dict[str, JsonValue]:
    return {"restarted": name, "force": force}


class Model:
    """A model that gives these answers one after the other; ``asked`` are the questions to it.

    ``left`` is what each of them might cost. One that fails counts as ``WORST``.
    """

    def __init__(self, *answers: Answer | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Question] = []
        self.left: list[int | None] = []

    async def __call__(self, ctx: StepContext, question: Question, left: Left) -> Answer:
        self.left.append(left())
        self.asked.append(question)
        answer = self.answers[len(self.asked) - 1]

        async def give(key: str) -> Paid:
            await asyncio.sleep(0.002)
            if isinstance(answer, Exception):
                raise answer
            return Paid(answer, round(answer.cost * USD))

        return Answer.model_validate(await ctx.effect("ask", give, spend=Spend(WORST, question.model)))

    def told(self, turn: int) -> list[tuple[str, str]]:
        """What the tools gave before that question, with whether the call failed."""
        return [("failed" if one.failed else "", one.text) for one in self.asked[turn].messages if one.role == "tool"]


def calling(*calls: tuple[str, Mapping[str, JsonValue]], text: str = "") -> Answer:
    found = [Call(id=f"c{at}", tool=tool, arguments=dict(given)) for at, (tool, given) in enumerate(calls)]
    return Answer(text=text, calls=found, usage=Usage(input_tokens=10, output_tokens=5), cost=0.01)


DONE = Answer(text="It is the cache.", usage=Usage(input_tokens=10, output_tokens=5), cost=0.01)


def rehearse(
    folder: Path,
    ask: Ask,
    more: str = "",
    real: tuple[str, ...] = REAL,
    stubs: Mapping[str, Any] | None = None,
    retry: str = "{}",
) -> Rehearsal:
    (folder / "look.yaml").write_text(AGENT.format(more=more, retry=retry), encoding="utf-8")
    (folder / "child.yaml").write_text(CHILD, encoding="utf-8")
    functions: list[StepFunction] = [agent_turn(ask), fetch, restart]
    return Rehearsal(folder / "look.yaml", stubs or {}, registry=Registry(functions), real=real)


def test_it_is_asked_again_with_what_its_tools_gave_until_it_answers(tmp_path: Path) -> None:
    model = Model(calling(("fetch", {"url": "https://x"}), ("ask_child", {}), text="Let me see."), DONE)
    run = rehearse(tmp_path, model).run(site="https://x")
    assert run.completed, run.timeline()
    assert run.output == {"text": "It is the cache.", "turns": 2, "tokens": 20}
    assert [one.role for one in model.asked[1].messages] == ["user", "model", "tool", "tool"]
    assert model.told(1) == [("", "GET https://x 1"), ("", "8")]
    assert model.asked[0].messages[0].text == "Why is https://x slow?"
    shown = {tool.name: tool.parameters for tool in model.asked[0].tools}
    assert sorted(shown["fetch"]["properties"]) == ["tries", "url"], "the model is not told of fixed arguments"
    assert shown["ask_child"]["properties"] == {"n": {"type": "integer", "default": 7}}
    assert run.steps["research"] == "completed"


def test_a_call_waits_for_a_person_who_may_change_its_arguments(tmp_path: Path) -> None:
    model = Model(calling(("restart", {"name": "web-1"}), text="It hangs."), DONE)
    decided = together(
        edited_by("Ana", {"name": "web-2", "force": True}, under="@oncall"), granted_by("Ana", under="@oncall")
    )
    run = rehearse(tmp_path, model).run(site="https://x", decide={"research#1/calls[0]/approve_restart": decided})
    assert run.completed, run.timeline()
    assert model.told(1) == [("", '{"restarted": "web-2", "force": true}')]


def test_the_model_is_told_why_a_call_was_denied(tmp_path: Path) -> None:
    model = Model(calling(("restart", {"name": "web-1"})), DONE)
    decided = denied_by("Ana", reason="not at noon")
    run = rehearse(tmp_path, model).run(site="https://x", decide={"research#1/calls[0]/approve_restart": decided})
    assert run.completed, run.timeline()
    assert model.told(1) == [("failed", "denied by Ana: not at noon")]
    assert run.called("t.restart") == []


def test_the_model_is_told_of_what_failed_and_of_tools_that_are_not_there(tmp_path: Path) -> None:
    model = Model(calling(("fetch", {"url": 3}), ("dig", {}), ("fetch", {})), DONE)
    assert rehearse(tmp_path, model).run(site="https://x").completed
    wrong, unknown, missing = model.told(1)
    assert wrong[0] == "failed"
    assert "url must be a valid string" in wrong[1]
    assert unknown == ("failed", "There is no tool dig. The tools are: fetch, restart, ask_child.")
    assert missing[0] == "failed"
    assert "url" in missing[1]


def test_in_its_last_turn_it_has_no_tools_and_must_answer(tmp_path: Path) -> None:
    once_more = calling(("fetch", {"url": "https://x"}))
    model = Model(once_more, once_more, once_more, DONE)
    run = rehearse(tmp_path, model).run(site="https://x")
    assert run.completed
    assert run.output == {"text": "It is the cache.", "turns": 4, "tokens": 40}
    assert [len(question.tools) for question in model.asked] == [3, 3, 3, 0]
    assert "final answer" in model.asked[3].messages[-1].text


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("tokens: 15", "it has used 15 tokens of the 15 that it may use"),
        ("cost: 0.01 USD", "it has cost $0.01 of the $0.01 that it may cost"),
        ("time: 1ms", "the 1ms that it may take are over"),
    ],
)
def test_no_turn_begins_beyond_a_limit(tmp_path: Path, limit: str, words: str) -> None:
    model = Model(calling(("fetch", {"url": "https://x"})), DONE)
    run = rehearse(tmp_path, model, limit).run(site="https://x")
    assert run.failed
    assert len(model.asked) == 1
    assert f"the agent has no answer after 1 turn, and {words}" in run.reason


def test_a_turn_may_cost_what_is_left_of_what_all_may_cost(tmp_path: Path) -> None:
    model = Model(calling(("fetch", {"url": "https://x"})), DONE)
    assert rehearse(tmp_path, model, "cost: 0.025 USD").run(site="https://x").completed
    assert model.left == [25_000, 15_000]


def test_a_turn_that_failed_counts_as_what_it_may_have_cost(tmp_path: Path) -> None:
    lost_answer = StepError("no answer", FailureClass.TIMEOUT)
    model = Model(calling(("fetch", {"url": "https://x"})), lost_answer, DONE)
    run = rehearse(tmp_path, model, "cost: 0.05 USD", retry="{attempts: 2}").run(site="https://x")
    assert run.completed, run.timeline()
    assert model.left == [50_000, 40_000, 28_000]
    assert cast("dict[str, Any]", run.outputs["research"])["cost"] == 0.032
    assert run.state.spent == 32_000


def test_every_turn_is_asked_with_the_key_that_is_named(tmp_path: Path) -> None:
    model = Model(calling(("fetch", {"url": "https://x"})), DONE)
    assert rehearse(tmp_path, model, "key: operations").run(site="https://x").completed
    assert [question.key for question in model.asked] == ["operations", "operations"]


def test_a_turn_that_was_lost_with_its_worker_is_asked_anew_and_nothing_before_it(tmp_path: Path) -> None:
    turns: list[str] = []

    def turn(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
        turns.append(called.step)
        answer = calling(("fetch", {"url": "https://x"})) if len(turns) < 3 else DONE
        return {**answer.model_dump(), "total": {"turns": 1, "input_tokens": 1, "output_tokens": 1}}

    stubs = {"look:research#2/turn": [lost(), turn], "agent.turn": turn}
    run = rehearse(tmp_path, Model(), real=REAL[1:], stubs=stubs).run(site="https://x")
    assert run.completed, run.timeline()
    assert turns == ["research#1/turn", "research#2/turn", "research#3/turn"]
    assert len(run.called("t.fetch")) == 2


def test_what_a_model_says_that_is_unfit_fails_the_agent_in_words(tmp_path: Path) -> None:
    model = Model(StepError("the answer is no JSON", FailureClass.INVALID_OUTPUT))
    run = rehearse(tmp_path, model).run(site="https://x")
    assert run.failed
    assert "turn: the answer is no JSON" in run.reason


LINES = """name: look
steps:
  - id: research
    agent:
      model: scripted
      prompt: Look.
      max_turns: 2
      cost: 3 dollars
      tools:
        - {uses: t.fetsch, description: x}
        - {uses: t.fetch, name: turn, description: x}
        - {uses: t.fetch, workflow: other, description: x}
        - {uses: t.fetch, description: x, with: {methood: GET}}
        - {uses: t.fetch, name: two, description: x, with: {url: 3}, approval: {approvers: ["role:chief"]}}
        - {workflow: nowhere, description: x}
    with: {a: 1}
"""


def test_every_mistake_in_an_agent_is_a_problem_with_its_line() -> None:
    catalog = Registry([fetch, restart]).catalog()
    found = [str(one) for one in load_yaml(LINES, "f.yaml", catalog, Callees({})).problems]
    assert [one.removeprefix("f.yaml:").replace("steps.research.agent", "~") for one in found] == [
        "4: ~.max_tokens: is missing; say how long one answer may be, such as max_tokens: 1000",
        "4: ~: no model can be asked here; add the step agent.turn",
        "5: ~.model: must be a provider and its model, such as openai:gpt-5-mini (you wrote scripted)",
        "8: ~.cost: '3 dollars' is no amount of money; write US dollars, such as 2.00 USD or 0.05 USD",
        "10: ~.tools[1].uses: there is no step named t.fetsch; did you mean t.fetch?",
        "11: ~.tools[2]: a tool cannot be called turn; give it another name",
        "12: ~.tools[3]: a tool has either uses or workflow",
        "12: ~.tools[3].workflow: there is no workflow other",
        "13: ~.tools[4].with.methood: t.fetch takes no methood; did you mean method?",
        "14: ~.tools[5].with.url: must be text; it is a number; put it in quotes",
        (
            "14: ~.tools[5].approval.approvers[1]: there is no role chief; "
            "there is: viewer, runner, approver, operator, admin"
        ),
        "15: ~.tools[6].workflow: there is no workflow nowhere",
        (
            "16: steps.research.with: an agent takes no with; "
            "what it is told goes under agent, what a tool is given under its with"
        ),
    ]
