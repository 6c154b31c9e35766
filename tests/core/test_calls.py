"""Workflows that call each other: files in any order, all problems at their callers, and everything pinned."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.errors import InvalidDefinition
from engine.core.pinning import pin
from engine.core.stepspec import StepSpec, VersionSpec
from tests.core.checking import STEPS, TWO_VERSIONS, found

CHILD = "name: child\ninput: {n: {type: integer}, m: {type: string, required: false}}\nsteps: [{id: a, set: {x: 1}}]\n"


def calling(name: str, call: str) -> str:
    return f"name: {name}\ninput: {{t: {{type: string}}}}\nsteps:\n  - {{id: c, workflow: {call}}}\n"


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("chld", "4: steps.c.workflow: there is no workflow chld; did you mean child?"),
        ("child", "4: steps.c.workflow.input: child needs n, which is missing; add n to input"),
        (
            "{name: child, input: {n: x}}",
            "4: steps.c.workflow.input.n: n must be a whole number, such as 3; you gave x",
        ),
        ("{name: child, input: {n: 1, o: 1}}", "4: steps.c.workflow.input.o: child has no input o; there is: n, m"),
        (
            "{name: child, input: {n: '${{ input.t }}'}}",
            "4: steps.c.workflow.input.n: must be a whole number; this gives text; int(x) makes one",
        ),
        (
            "{name: child, input: {n: '${{ input.u }}'}}",
            "4: steps.c.workflow.input.n: there is no input u; there is: t",
        ),
        (
            "{name: child, input: {n: 1}, definition: '" + "0" * 64 + "'}",
            "4: steps.c.workflow.definition: is not the version of child that is there; leave it out; it is filled in",
        ),
    ],
)
def test_one_mistake_in_a_call_is_one_problem(call: str, problem: str) -> None:
    assert found(calling("w", call), CHILD) == [problem]


def test_a_child_that_gives_nothing_has_no_members() -> None:
    text = calling("w", "{name: child, input: {n: 1}}") + "output: '${{ steps.c.output.x }}'\n"
    assert found(text, CHILD) == ["5: output: steps.c.output is nothing (null), so it has no x"]
    assert found(text, CHILD + "output: {x: 1}\n") == []


def test_what_a_child_gives_has_its_type() -> None:
    text = calling("w", "{name: child, input: {n: 1}}") + "output: '${{ steps.c.output.x.y + 1 }}'\n"
    assert found(text, CHILD + "output: {x: {y: '${{ input.n }}'}}\n") == []
    assert [problem.split(";")[0] for problem in found(text, CHILD + "output: {x: {y: '${{ input.m }}'}}\n")] == [
        "5: output: steps.c.output.x.y (text or nothing (null)) and a whole number do not fit together by +"
    ]


class TestCatalog:
    def load(self, folder: Path, **files: str) -> tuple[Catalog, list[str]]:
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        catalog = Catalog(STEPS)
        return catalog, [str(problem).removeprefix(f"{folder}/") for problem in catalog.load([folder])]

    def test_files_are_loaded_in_any_order_and_calls_pinned(self, tmp_path: Path) -> None:
        catalog, problems = self.load(
            tmp_path,
            a=calling("top", "{name: middle, input: {t: x}}"),
            b=calling("middle", "{name: child, input: {n: 1}}"),
            c=CHILD,
        )
        assert problems == []
        top, middle, child = (catalog.get(name) for name in ("top", "middle", "child"))
        assert top.steps[0].workflow is not None
        assert top.steps[0].workflow.definition == middle.hash
        assert catalog.children(top) == {middle.hash: middle, child.hash: child}
        assert catalog.children(child) == {}
        assert catalog.workflow(child.hash) == child
        assert catalog.workflow("0" * 64) is None
        assert Workflow.model_validate_json(top.snapshot) == top

    def test_a_change_of_a_child_is_a_change_of_its_callers(self, tmp_path: Path) -> None:
        top = calling("top", "{name: child, input: {n: 1}}")
        one, _ = self.load(tmp_path, a=top, b=CHILD)
        other, _ = self.load(tmp_path, a=top, b=CHILD.replace("x: 1", "x: 2"))
        assert one.get("top").hash != other.get("top").hash

    def test_a_broken_callee_breaks_its_callers_which_say_so(self, tmp_path: Path) -> None:
        catalog, problems = self.load(
            tmp_path,
            a=calling("top", "{name: middle, input: {t: x}}"),
            b=calling("middle", "{name: child, input: {n: 1}}"),
            c=CHILD.replace("set: {x: 1}", "uses: nope"),
            d="name: other\nsteps: [{id: a, set: {x: 1}}]\n",
        )
        assert list(catalog.workflows) == ["other"]
        assert [problem.split("; there is")[0] for problem in problems] == [
            "a.yaml:4: steps.c.workflow.name: middle has problems of its own; mend it first",
            "b.yaml:4: steps.c.workflow.name: child has problems of its own; mend it first",
            "c.yaml:3: steps.a.uses: there is no step named nope",
        ]

    def test_calls_in_a_circle_are_reported_where_they_are_made(self, tmp_path: Path) -> None:
        catalog, problems = self.load(
            tmp_path,
            a=calling("one", "{name: two, input: {t: x}}"),
            b=calling("two", "{name: three, input: {t: x}}"),
            c=calling("three", "{name: one, input: {t: x}}"),
            d=calling("self", "{name: self, input: {t: x}}"),
            e=calling("into", "{name: one, input: {t: x}}"),
        )
        assert catalog.workflows == {}
        told = [problem.split("circle: ")[-1].split(";")[0] for problem in problems if "circle" in problem]
        assert told == [
            "one -> two -> three -> one",
            "two -> three -> one -> two",
            "three -> one -> two -> three",
            "self -> self",
        ]
        assert problems[-1] == "e.yaml:4: steps.c.workflow.name: one has problems of its own; mend it first"

    def test_a_file_that_is_no_workflow_at_all_does_not_disturb_the_others(self, tmp_path: Path) -> None:
        catalog, problems = self.load(tmp_path, a="- x", b="name: [", c=CHILD, d="name: 5\nsteps: 3")
        assert list(catalog.workflows) == ["child"]
        assert {problem.split(":")[0] for problem in problems} == {"a.yaml", "b.yaml", "d.yaml"}

    def test_of_two_files_with_one_name_callers_get_the_first(self, tmp_path: Path) -> None:
        catalog, problems = self.load(
            tmp_path, a=CHILD, b=CHILD.replace("x: 1", "x: 2"), c=calling("top", "{name: child, input: {n: 1}}")
        )
        assert len(problems) == 1
        assert "the name child is taken" in problems[0]
        assert catalog.get("child").steps[0].set_ == {"x": 1}
        assert set(catalog.workflows) == {"child", "top"}

    def test_what_lies_beside_can_be_called_and_no_more(self, tmp_path: Path) -> None:
        texts = {"a": calling("top", "{name: child, input: {n: 1}}"), "b": CHILD, "c": "name: [", "d": CHILD}
        for name, text in texts.items():
            (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
        catalog = Catalog(STEPS)
        assert catalog.load([tmp_path / "a.yaml"], beside=[tmp_path, tmp_path / "absent"]) == ()
        assert list(catalog.workflows) == ["top"]
        assert [child.name for child in catalog.children(catalog.get("top")).values()] == ["child"]

    def test_workflows_from_python_call_what_was_added_before(self) -> None:
        catalog = Catalog(STEPS)
        top = Workflow.model_validate({"name": "top", "steps": [{"id": "c", "workflow": "child"}]})
        with pytest.raises(InvalidDefinition, match="there is no workflow child"):
            catalog.add(top)
        child = catalog.add(Workflow.model_validate({"name": "child", "steps": [{"id": "a", "set": {"x": 1}}]}))
        pinned = catalog.add(top)
        assert catalog.children(pinned) == {child.hash: child}


class TestPin:
    def pinned(self, **words: object) -> Workflow:
        return pin(Workflow.model_validate({"name": "w", **words}), {"x": TWO_VERSIONS, "y": TWO_VERSIONS})

    def test_everything_that_names_code_gets_its_version(self) -> None:
        undo = {"id": "a", "uses": "x", "undo": {"uses": "y"}}
        loop = {"id": "b", "repeat": {"until": "true", "max": 1}, "steps": [undo]}
        each = {"id": "c", "for_each": {"items": [1], "max_items": 1}, "steps": [loop]}
        pinned = self.pinned(steps=[each], on_failure=[{"id": "d", "uses": "y@1"}], timeout="1h")
        (outer,) = pinned.steps
        assert outer.steps is not None
        assert outer.steps[0].steps is not None
        inner = outer.steps[0].steps[0]
        assert inner.undo is not None
        assert (inner.uses, inner.undo.uses, pinned.on_failure[0].uses) == ("x@2", "y@2", "y@1")
        assert pinned.timeout == 3_600_000
        assert Workflow.model_validate_json(pinned.snapshot) == pinned

    def test_pinning_twice_changes_nothing(self) -> None:
        pinned = self.pinned(steps=[{"id": "a", "uses": "x", "undo": {"uses": "y"}}])
        assert pin(pinned, {}) == pinned

    @pytest.mark.parametrize(
        ("words", "repeatable"),
        [
            ({"uses": "charge"}, False),
            ({"uses": "charge@1"}, None),
            ({"uses": "charge", "repeatable": True}, True),
            ({"uses": "charge@1", "repeatable": False}, False),
            ({"uses": "charge", "for_each": {"items": [1], "max_items": 1}}, False),
        ],
    )
    def test_code_says_whether_it_is_repeatable_unless_the_definition_does(
        self, words: dict[str, object], repeatable: bool | None
    ) -> None:
        catalog = {"charge": StepSpec({1: VersionSpec(), 2: VersionSpec(repeatable=False)})}
        workflow = Workflow.model_validate({"name": "w", "steps": [{"id": "a", **words}]})
        assert pin(workflow, catalog).steps[0].repeatable is repeatable
