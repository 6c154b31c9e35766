"""Loops, undo and what runs after a failure: order within a group, and what is seen from where."""

from __future__ import annotations

import pytest

from tests.core.checking import found, steps

BUILD = "{id: build, set: {a: 1}}"
EACH = "{id: each, for_each: {items: [1], max_items: 9}, steps: [%s]}"
POLL = "{id: poll, repeat: {until: '%s', max: 9}, steps: [{id: look, set: {ok: true}}]}"


def inside(*lines: str) -> str:
    return EACH % ", ".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        steps(BUILD, inside("{id: a, set: {x: '${{ steps.build.output.a + item + index }}'}}")),
        steps(inside("{id: a, set: {x: 1}}"), inside("{id: a, set: {x: 1}}").replace("id: each", "id: other")),
        steps(BUILD, POLL % "steps.look.output.ok && iteration > 1 && previous != null && steps.build.output.a == 1"),
        steps(inside(POLL % "steps.look.output.ok && item == 1", "{id: b, set: {x: '${{ steps.poll.output.met }}'}}")),
        steps(
            "{id: a, uses: git.tag, with: {repo: ., name: x}, undo: {uses: git.tag, with: "
            "{repo: ., name: '${{ steps.a.output.tag + failure.reason }}'}}}",
        ),
        steps("{id: a, uses: set, for_each: {items: [1], max_items: 1}, with: {x: '${{ item + index }}'}}"),
        steps("{id: a, for_each: {items: [1], max_items: 1}, workflow: {name: w3, input: {n: '${{ item }}'}}}"),
        steps(BUILD, output="'${{ steps.build.output.a }}'"),
        steps(
            BUILD, on_failure="[{id: a, set: {x: '${{ failure.step + steps.build.status }}'}}, {id: b, set: {x: 1}}]"
        ),
        steps(
            BUILD, input="{n: {type: string}}", labels="{n: '${{ input.n }}'}", concurrency="{key: '${{ input.n }}'}"
        ),
    ],
)
def test_what_is_there_may_be_used(text: str) -> None:
    assert found(text, "name: w3\ninput: {n: {type: integer}}\nsteps: [{id: a, set: {x: 1}}]") == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            steps(inside("{id: a, set: {x: 1}}", "{id: a, set: {x: 1}}")),
            "3: steps.each.steps.a.id: a is the id of step 1 already; ids are unique",
        ),
        (
            steps(BUILD, inside("{id: build, set: {x: 1}}")),
            (
                "4: steps.each.steps.build.id: build is the id of a step around each already; "
                "another id keeps it clear what steps.build is"
            ),
        ),
        (
            steps(BUILD, on_failure="[{id: build, set: {x: 1}}]"),
            (
                "4: on_failure.build.id: build is one of the workflow's steps; "
                "another id keeps it clear what steps.build is"
            ),
        ),
        (
            steps(BUILD, inside("{id: a, needs: [build], set: {x: 1}}")),
            (
                "4: steps.each.steps.a.needs[1]: build is outside of each; needs name steps of the same group; "
                "put build into the needs of each"
            ),
        ),
        (
            steps(inside("{id: a, needs: [each], set: {x: 1}}")),
            "3: steps.each.steps.a.needs[1]: each is the loop that this step is in; take it away",
        ),
        (
            steps(inside("{id: a, set: {x: 1}}"), "{id: b, needs: [a], set: {x: 1}}"),
            "4: steps.b.needs[1]: a is inside of each; need each, which ends when all inside of it have ended",
        ),
        (
            steps(BUILD, on_failure="[{id: a, needs: [build], set: {x: 1}}]"),
            (
                "4: on_failure.a.needs[1]: build is no step of on_failure; "
                "those begin when all others have ended; take it away"
            ),
        ),
        (
            steps(inside("{id: a, needs: [b], set: {x: 1}}", "{id: b, needs: [a], set: {x: 1}}")),
            "3: steps.each.steps.a.needs: these steps wait for each other: a -> b -> a; take one of these needs away",
        ),
        (
            steps("{id: a, if: '1 > 2', set: {x: 1}}", "{id: b, set: {x: 1}}"),
            (
                "3: steps.a.if: is always false, so that this step can never run; "
                "take the step away, or let its if depend on something"
            ),
        ),
        (
            steps(inside("{id: a, set: {x: 1}}"), "{id: b, set: {x: '${{ steps.a.output.x }}'}}"),
            "4: steps.b.set.x: a is inside of each; from outside use steps.each.output",
        ),
        (
            steps(POLL % "true", "{id: b, set: {x: '${{ steps.look.output.ok }}'}}"),
            "4: steps.b.set.x: look is inside of poll; from outside use steps.poll.output.outputs.look",
        ),
        (
            steps(inside("{id: a, set: {x: '${{ steps.last.output }}'}}"), "{id: last, set: {x: 1}}"),
            "3: steps.each.steps.a.set.x: step last may not have ended when each runs; add last to the needs of each",
        ),
        (
            steps(inside("{id: a, set: {x: '${{ steps.each.output }}'}}")),
            "3: steps.each.steps.a.set.x: each is the loop that this is inside of; it has no output yet",
        ),
        (
            steps(POLL % "steps.poll.output.met"),
            "3: steps.poll.repeat.until: poll has no output before its last pass; use the steps inside of it",
        ),
        (
            steps("{id: a, set: {x: '${{ item }}'}}"),
            "3: steps.a.set.x: there is no item here; it exists inside for_each; write such a loop around it",
        ),
        (
            steps("{id: a, uses: set, for_each: {items: '${{ [item] }}', max_items: 1}}"),
            "3: steps.a.for_each.items: there is no item here; it exists inside for_each; write such a loop around it",
        ),
        (
            steps("{id: a, uses: set, if: 'item == 1', for_each: {items: [1], max_items: 1}}"),
            "3: steps.a.if: there is no item here; it exists inside for_each; write such a loop around it",
        ),
        (
            steps(inside("{id: a, set: {x: '${{ previous.a }}'}}")),
            (
                "3: steps.each.steps.a.set.x: there is no previous here; it exists inside repeat; "
                "write such a loop around it"
            ),
        ),
        (
            steps("{id: a, set: {x: '${{ failure.step }}'}}"),
            "3: steps.a.set.x: there is no failure here; it exists in on_failure and undo",
        ),
        (
            steps(BUILD, on_failure="[{id: tell, set: {x: 1}}]", output="'${{ steps.tell.output.x }}'"),
            "5: output: tell runs after a failure only",
        ),
        (
            steps(BUILD, labels="{a: '${{ run.id }}'}"),
            (
                "4: labels.a: there is no run.id yet; "
                "labels and the key of concurrency are known before any step runs, and see the input alone"
            ),
        ),
        (
            steps(BUILD, concurrency="{key: '${{ steps.build.output.a }}'}"),
            (
                "4: concurrency.key: there is no steps.build yet; "
                "labels and the key of concurrency are known before any step runs, and see the input alone"
            ),
        ),
    ],
)
def test_one_mistake_about_groups_is_one_problem(text: str, problem: str) -> None:
    assert found(text) == [problem]


def test_what_needs_only_what_never_runs_never_runs() -> None:
    text = steps(
        "{id: a, if: 'false', set: {x: 1}}",
        "{id: b, needs: [a], set: {x: 1}}",
        "{id: c, needs: [a, b], set: {x: 1}}",
        "{id: d, needs: [], set: {x: 1}}",
        "{id: e, needs: [c, d], set: {x: 1}}",
    )
    assert [problem.split("; ")[0] for problem in found(text)] == [
        "3: steps.a.if: is always false, so that this step can never run",
        "4: steps.b.needs: this step can never run, since a can never run",
        "5: steps.c.needs: this step can never run, since a, b can never run",
    ]


def test_loops_within_loops_see_all_that_is_around_them() -> None:
    nested = inside("{id: before, set: {n: 1}}", POLL % "steps.look.output.ok && steps.before.output.n == item && x")
    assert found(steps(BUILD, nested)) == [
        (
            "4: steps.each.steps.poll.repeat.until: there is no name x; "
            "there is: input, steps, run, changes, item, index, iteration, previous and 3 more "
            "(in ${{ steps.look.output.ok && steps.before.output.n == item && x }})"
        )
    ]
