"""Definitions: every mistake is reported at once, with its line, in words that say what to do."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.errors import InvalidDefinition, UnknownWorkflow
from engine.core.graph import Plan
from engine.core.loader import check, load_yaml
from engine.core.pinning import pin
from engine.core.problems import Problem
from engine.core.stepspec import StepSpec, VersionSpec
from engine.steps.builtin import builtin_steps
from engine.steps.http_policy import HttpPolicy
from engine.steps.registry import Registry
from engine.steps.shell import ShellPolicy
from tests.core.effort import calls_in

ROOT = Path(__file__).parents[2]
POST = StepSpec.of(
    {"properties": {"channel": {"type": "string"}, "text": {"type": "string"}}, "required": ["text"]},
)
TWO_VERSIONS = StepSpec({1: VersionSpec(), 2: VersionSpec()})
STEPS = {**Registry(builtin_steps(HttpPolicy(), ShellPolicy())).catalog(), "slack.post": POST}


def problems(text: str) -> list[str]:
    return [str(problem) for problem in load_yaml(text, "f.yaml", STEPS).problems]


def in_step(lines: str) -> str:
    """A definition whose second step, from line 6 on, is ``lines``."""
    return f"name: w\ninput: {{n: {{type: integer}}}}\nsteps:\n  - {{id: first, uses: set}}\n  - id: it\n{lines}"


def test_five_mistakes_are_five_problems_with_lines() -> None:
    text = """\
name: deploy
input:
  version: {type: string}
steps:
  - id: build
    uses: http.reqest
    with: {url: "https://example.com/${{ input.versoin }}"}
  - id: publish
    approval:
      title: Publish?
      approvers: [release-managers]
    needs: [bild]
  - id: tag
    uses: git.tag
    with: {repo: ".", name: v1}
    retry: {attempts: 0}
"""
    loaded = load_yaml(text, "deploy.yaml", STEPS)
    assert loaded.workflow is None
    advice = ', in quotes, such as "@oncall"'
    who = "@group, @person, #channel or role:name, or an expression in ${{ }}"
    assert [str(problem).replace(advice, "").replace('"', "") for problem in loaded.problems] == [
        "deploy.yaml:6: steps.build.uses: there is no step named http.reqest; did you mean http.request?",
        "deploy.yaml:7: steps.build.with.url: there is no input versoin; did you mean version?",
        f"deploy.yaml:11: steps.publish.approval.approvers[1]: must be {who} (you wrote release-managers)",
        "deploy.yaml:12: steps.publish.needs[1]: there is no step bild; did you mean build?",
        "deploy.yaml:16: steps.tag.retry.attempts: must be at least 1 (you wrote 0)",
    ]
    assert loaded.problems[2].column == 19


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.yaml: the file is empty; a workflow has a name and steps"),
        ("# nothing\n", "f.yaml: the file is empty; a workflow has a name and steps"),
        ("hello", "f.yaml:1: the file is text, not a workflow; a workflow has a name and steps"),
        ("- a", "f.yaml:1: the file is a list, not a workflow; a workflow has a name and steps"),
        ("name: w", "f.yaml:1: steps: is missing"),
        ("name: w\nsteps: []", "f.yaml:2: steps: must be a list that is not empty (it is empty)"),
        ("name: w\nsteps: [x]", "f.yaml:2: steps[1]: must be a mapping (you wrote x)"),
        (
            "a: b: c",
            "f.yaml:1: this is not YAML: a colon is not expected here; quote the text, or check the indentation",
        ),
        ("a: 1\n\tb: 2", "f.yaml:2: this is not YAML: a tab is used for indentation; use spaces"),
        ("a: @oncall", "f.yaml:1: this is not YAML: a tab, @ or ` starts something here"),
        (
            "a: {b: ${{ c }}}",
            "f.yaml:1: this is not YAML: a bracket is not closed here; quote values that contain ${{ }}",
        ),
        ('a: "b', "f.yaml:1: this is not YAML: a quote is not closed"),
        ("a: &x 1\nb: *x", "f.yaml:1: anchors and aliases (& and *) are not supported"),
        (
            "a: !!python/object:os.system x",
            "f.yaml:1: tags (tag:yaml.org,2002:python/object:os.system) are not supported",
        ),
        ("name: w\n---\nname: v", "f.yaml:2: a second document starts here"),
        ("? [a]\n: b", "f.yaml:1: a key has to be a plain word"),
        ("a: " + "[" * 2_000, "f.yaml:1: it is nested more than 30 levels deep"),
        ("a: " + "b" * 300_000, "f.yaml:1: the file is larger than 256 KiB"),
        ("a: \0", "f.yaml:1: this is not YAML: it has characters that no text file has; save it as UTF-8"),
        ("a: \ud800", "f.yaml:1: this is not YAML: it has characters that no text file has; save it as UTF-8"),
    ],
)
def test_what_is_no_definition_at_all(text: str, problem: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("lines", "line", "problem"),
    [
        ("    uses: set\n    id: other", 7, ".id: is written twice, first on line 5"),
        ("    uses: set\n    nedes: [first]", 7, ".nedes: is not a word that belongs here; did you mean needs?"),
        ("    env: {model: x}", 6, ".env: is not supported by this version"),
        ("    needs: [first]", 5, ": a step has exactly one of: uses, llm, agent, approval"),
        ("    uses: set\n    needs: first", 7, ".needs: must be a list (you wrote first); write [first]"),
        ("    uses: set\n    needs: [it]", 7, ".needs[1]: a step cannot need itself"),
        ("    uses: set\n    timeout: 30", 7, ".timeout: 30 is not a duration; write a number with its unit"),
        ("    uses: set\n    timeout: 0s", 7, ".timeout: must be more than 0"),
        ("    uses: set\n    if: yes please", 7, ".if: this is not an expression"),
        ("    uses: set\n    if: true", 7, ".if: must be text (you wrote true); put it in quotes"),
        ("    uses: Set", 6, ".uses: must be the name of a step, such as http.request or http.request@1"),
        ("    uses: set@2", 6, ".uses: set has no version 2; there is: 1"),
        ("    uses: set\n    with: {a: '${{ 1 + }}'}", 7, ".with.a: this is not an expression: it ends too"),
        (
            "    uses: set\n    with:\n      a: [1, '${{ steps.frist.output }}']",
            8,
            ".with.a[2]: there is no step frist; did you mean first?",
        ),
        ("    uses: set\n    if: steps.it.output", 7, ".if: step it cannot use its own output"),
        (
            "    uses: set\n    needs: []\n    if: steps.first.output",
            8,
            ".if: step first may not have ended when this runs; add first to needs",
        ),
        ("    uses: git.tag\n    with: {repo: .}", 7, ".with: git.tag needs name, which is missing"),
        (
            "    uses: git.log\n    with: {repository: .}",
            7,
            ".with.repository: git.log takes no repository; did you mean repo?",
        ),
        ("    uses: git.log\n    with: {limit: many}", 7, ".with.limit: must be a whole number; it is text"),
        (
            "    approval: {title: x, approvers: ['@a'], on_expiry: denny}",
            6,
            ".approval.on_expiry: must be one of deny, approve, fail, wait (you wrote denny); did you mean deny?",
        ),
        (
            "    approval: {title: x, approvers: ['@a'], expires_in: 1h, escalate: [{after: 2h, to: '@b'}]}",
            6,
            ".approval: the rung to @b comes after the gate expires",
        ),
        ("    approval: {title: x, approvers: ['@a']}\n    with: {a: 1}", 7, ".with: a gate takes no with"),
        ("    uses: set\n  - {id: it, uses: set}", 7, ".id: it is the id of step 2 already; ids are unique"),
    ],
)
def test_one_mistake_in_a_step_is_one_problem(lines: str, line: int, problem: str) -> None:
    found = problems(in_step(lines))
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:{line}: steps.it{problem}")


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        (
            "{type: strin}",
            ".type: must be one of string, text, integer, number, boolean, choice, date, time, user, channel, email",
        ),
        (
            "{type: integer, default: x}",
            ".default: does not fit its own input: n must be a whole number, such as 3; you gave x",
        ),
        ("{type: integer, min: 3, max: 2}", ".min: is greater than max (3 and 2)"),
        ("{pattern: '('}", ": pattern is not a regular expression"),
        ("{type: choice}", ": choices and type: choice go together; give both or neither"),
        ("{enum: [a]}", ".enum: is not a word that belongs here; write choices, with type: choice"),
        ("{requierd: true}", ".requierd: is not a word that belongs here; did you mean required?"),
    ],
)
def test_one_mistake_in_an_input_is_one_problem(field: str, problem: str) -> None:
    found = problems(f"name: w\ninput: {{n: {field}}}\nsteps: [{{id: a, uses: set}}]")
    assert len(found) == 1
    assert found[0].startswith(f"f.yaml:2: input.n{problem}")


@pytest.mark.parametrize(
    ("needs", "names"),
    [
        ({"a": "b", "b": "a"}, ["a -> b -> a"]),
        ({"a": "", "b": "d", "c": "b", "d": "c"}, ["b -> d -> c -> b"]),
        ({"a": "b", "b": "a", "c": "d", "d": "c", "e": "d"}, ["a -> b -> a", "c -> d -> c"]),
        ({"a": "b", "b": "c", "c": ""}, []),
    ],
)
def test_cycles_are_named_once_each(needs: dict[str, str], names: list[str]) -> None:
    steps = "".join(f"\n  - {{id: {id_}, uses: set, needs: [{needed}]}}" for id_, needed in needs.items())
    found = problems(f"name: w\nsteps:{steps}")
    assert [problem.split("each other: ")[1].split(";")[0] for problem in found] == names


def test_a_hyphen_in_an_id_gets_its_own_advice() -> None:
    text = """\
name: w
steps:
  - {id: check-site, uses: set}
  - {id: b, uses: set, with: {x: "${{ steps.check-site.output }}", y: "${{ steps.check.output }}"}}
"""
    assert [problem.split("; ")[1] for problem in problems(text)] == [
        'write steps["check-site"] in expressions',
        'write steps["check-site"], since - is a minus sign in expressions',
    ]


def test_scalars_mean_what_json_means() -> None:
    text = """\
name: w
description: on
steps:
  - id: a
    uses: set
    with: {on: on, yes: yes, n: 012, i: 12, f: 1.5, e: 1e3, t: true, z: ~, v: 1.2.3, q: "1", big: 12345678901234567890}
"""
    workflow = load_yaml(text, "f.yaml", STEPS).workflow
    assert workflow is not None
    assert workflow.description == "on"
    assert workflow.steps[0].with_ == {
        "on": "on",
        "yes": "yes",
        "n": "012",
        "i": 12,
        "f": 1.5,
        "e": 1000.0,
        "t": True,
        "z": None,
        "v": "1.2.3",
        "q": "1",
        "big": "12345678901234567890",
    }


def test_a_later_step_and_its_ancestors_may_be_used() -> None:
    text = """\
name: w
steps:
  - {id: last, uses: set, needs: [b], with: {x: "${{ steps.a.output }}", y: "${{ steps.b.output }}"}}
  - {id: a, uses: set, needs: []}
  - {id: b, uses: set}
"""
    assert problems(text) == []


def calls_to_check(count: int) -> int:
    """Each step of so many uses the output of the one before it; the first uses its own."""
    names = [f"s{i}_of_{count}" for i in range(count)]  # no other check has compiled these expressions
    steps = [
        {"id": name, "uses": "set", "with": {"x": f"${{{{ steps.{before}.output }}}}"}}
        for name, before in zip(names, names[:1] + names, strict=False)
    ]
    workflow = Workflow.model_validate({"name": "w", "steps": steps})
    found: list[Problem] = []
    calls = calls_in(lambda: found.extend(check(workflow, STEPS)))
    assert [str(one) for one in found] == [f"steps.{names[0]}.with.x: step {names[0]} cannot use its own output"]
    return calls


def test_work_grows_with_the_number_of_steps_only() -> None:
    """A square would make it a hundred times; and nothing recurses from step to step."""
    assert calls_to_check(1_000) < 11 * calls_to_check(100)


def test_a_workflow_built_in_python_is_checked_too() -> None:
    steps = [{"id": "a", "uses": "git.lgo"}, {"id": "b", "uses": "set", "needs": ["c"]}]
    found = check(Workflow.model_validate({"name": "w", "steps": steps}), STEPS)
    assert [str(problem) for problem in found] == [
        "steps.b.needs[1]: there is no step c; there is: a, b",
        "steps.a.uses: there is no step named git.lgo; did you mean git.log?",
    ]


def test_pinned_definitions_name_versions_and_hash_anew() -> None:
    steps = [{"id": "a", "uses": "set"}, {"id": "b", "uses": "x.y@1"}]
    workflow = Workflow.model_validate({"name": "w", "steps": steps})
    before = workflow.hash
    pinned = pin(workflow, {"set": TWO_VERSIONS, "x.y": TWO_VERSIONS})
    assert [step.uses for step in pinned.steps] == ["set@2", "x.y@1"]
    assert pinned.hash != before
    assert Workflow.model_validate_json(pinned.snapshot) == pinned


@pytest.mark.parametrize("file", sorted((ROOT / "workflows").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_are_right(file: Path) -> None:
    loaded = load_yaml(file.read_text(encoding="utf-8"), file.name, STEPS)
    assert [str(problem) for problem in loaded.problems] == []
    assert loaded.workflow is not None
    assert loaded.workflow.name == file.stem


def test_whatever_is_written_is_loaded_or_explained() -> None:
    chance = random.Random(7)
    texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "workflows").glob("*.yaml"))]
    bits = ["${{", "}}", '"', "'", "[", "]", "{", "}", ":", "-", "\n", "&a", "*a", "!x", "null", "1e999", "\\", "0s"]
    for _ in range(400):
        text = chance.choice(texts)
        for _ in range(chance.randint(1, 5)):
            at = chance.randrange(len(text))
            cut = chance.choice([0, 0, 3, 20])
            text = text[:at] + chance.choice(bits) + text[at + cut :]
        loaded = load_yaml(text, "f.yaml", STEPS)
        assert (loaded.workflow is None) == bool(loaded.problems)
        assert all("\n" not in str(problem) for problem in loaded.problems)
        if loaded.workflow is not None:
            Plan.of(loaded.workflow)


class TestCatalog:
    def test_reads_folders_and_keeps_what_is_right(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("name: a\nsteps: [{id: x, uses: set}]")
        (tmp_path / "b.yml").write_text("name: b\nsteps: [{id: x, uses: nope}]")
        (tmp_path / "c.txt").write_text("not read")
        catalog = Catalog(STEPS)
        found = catalog.load([tmp_path])
        assert list(catalog.workflows) == ["a"]
        assert catalog.get("a").steps[0].uses == "set@1"
        assert [str(problem) for problem in found] == [
            (
                f"{tmp_path}/b.yml:2: steps.x.uses: there is no step named nope; there is: "
                "agent.turn, git.log, git.tag, http.request, llm, llm.correct, set, shell.run, slack.post"
            )
        ]
        assert catalog.problems == found

    def test_two_files_with_one_name_are_a_problem_that_names_both(self, tmp_path: Path) -> None:
        for name in ("one.yaml", "two.yaml"):
            (tmp_path / name).write_text("name: same\nsteps: [{id: x, uses: set}]")
        (problem,) = Catalog(STEPS).load([tmp_path])
        assert str(problem).startswith(f"{tmp_path}/two.yaml: the name same is taken by {tmp_path}/one.yaml")

    def test_what_cannot_be_read_is_a_problem(self, tmp_path: Path) -> None:
        (tmp_path / "latin.yaml").write_bytes(b"name: \xe9")
        (tmp_path / "large.yaml").write_bytes(b"# \xc3" + b"x" * 300_000)
        found = Catalog(STEPS).load([tmp_path, tmp_path / "absent"])
        assert sorted(str(problem).split(": ", 1)[1] for problem in found) == [
            "the file is larger than 256 KiB; split the workflow",
            "the file is not UTF-8 text; save it as UTF-8",
            "there is no such file or folder",
        ]

    def test_workflows_from_python(self) -> None:
        catalog = Catalog(STEPS)
        workflow = Workflow.model_validate({"name": "w", "steps": [{"id": "a", "uses": "set"}]})
        assert catalog.add(workflow).steps[0].uses == "set@1"
        with pytest.raises(InvalidDefinition, match="the name w is taken"):
            catalog.add(workflow)
        with pytest.raises(InvalidDefinition, match=r"v: steps\.a\.uses: there is no step named nope"):
            catalog.add(Workflow.model_validate({"name": "v", "steps": [{"id": "a", "uses": "nope"}]}))
        with pytest.raises(UnknownWorkflow, match="did you mean w"):
            catalog.get("ww")
