"""Words in wrong places, missing caps, limits of loops, times."""

from __future__ import annotations

import pytest

from tests.core.checking import found, steps

GATE = "approval: {title: x, approvers: ['@a']}"
DEPLOY = "{id: deploy, uses: set, undo: {uses: set}}"


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (f"{{id: a, {GATE}, retry: {{attempts: 3}}}}", "retry: a gate takes no retry; a gate is asked once;"),
        (f"{{id: a, {GATE}, timeout: 1h}}", "timeout: a gate takes no timeout; how long it stays open is approval"),
        (f"{{id: a, {GATE}, repeatable: true}}", "repeatable: a gate takes no repeatable; it is about steps with uses"),
        ("{id: a, set: {x: 1}, with: {y: 1}}", "with: set takes no with; the values go under set itself"),
        ("{id: a, sleep: 1s, timeout: 1h}", "timeout: a pause takes no timeout; it takes as long as it says"),
        ("{id: a, wait_for: x, timeout: 1h}", "timeout: a wait for a signal takes no timeout; how long it waits is"),
        (
            "{id: a, workflow: w2, with: {n: 1}}",
            "with: a child run takes no with; what it is given goes under workflow",
        ),
        (
            "{id: a, for_each: {items: [1], max_items: 1}, steps: [{id: b, set: {x: 1}}], retry: {attempts: 2}}",
            "retry: a group of steps takes no retry; write it at the steps inside",
        ),
        ("{id: a, for_each: {items: [1]}, uses: set}", "for_each.max_items: is missing; say how many items there may"),
        ("{id: a, for_each: {max_items: 1}, uses: set}", "for_each.items: is missing; give a list, or an expression"),
        (
            "{id: a, repeat: {until: 'iteration == 2'}, steps: [{id: b, set: {x: 1}}]}",
            "repeat.max: is missing; say how many passes there may be",
        ),
        ("{id: a, repeat: {max: 2}, steps: [{id: b, set: {x: 1}}]}", "repeat.until: is missing; give the condition"),
        (
            "{id: a, repeat: {until: 'false', max: 2}, steps: [{id: b, set: {x: 1}}]}",
            "repeat.until: is always false, so that the step fails after its last pass; give it a condition, or",
        ),
        ("{id: a, for_each: {items: [1, 2], max_items: 1}, uses: set}", "for_each.items: has 2 items, and max_items"),
        ("{id: a, for_each: {items: 5, max_items: 1}, uses: set}", "for_each.items: must be a list, or an expression"),
        (
            "{id: a, for_each: '${{ input.x }}', uses: set}",
            "for_each: must be a mapping (you wrote ${{ input.x }}); write {items: …, max_items: 50}",
        ),
        ("{id: a, retry: 3, uses: set}", "retry: must be a mapping (you wrote 3); write {attempts: 3}"),
        ("{id: a, for_each: {items: a, max_items: 1}, uses: set}", "for_each.items: must be a list, or an expression"),
        ("{id: a, sleep: soon}", "sleep.for: must be a duration such as 30s, 15m or 3d, or an expression in ${{ }}"),
        (
            "{id: a, uses: set, timeout: '${{ run.id }}'}",
            "timeout: cannot hold an expression (you wrote ${{ run.id }});",
        ),
        ("{id: a, uses: set, timeout: [1]}", "timeout: a list is not a duration; write a number with its unit"),
        ("{id: a, uses: set, timeout: true}", "timeout: true or false is not a duration; write a number with its unit"),
        ("{id: a, sleep: []}", "sleep: must be a duration such as 30s or 3d, or a mapping with for or until"),
        ("{id: a, sleep: {}}", "sleep: give either for (such as 3d) or until"),
        ("{id: a, sleep: {until: tomorrow}}", "sleep.until: tomorrow is no date and time; write it such as 2030-01-31"),
        ("{id: a, sleep: {until: '2030-01-31T09:00:00'}}", "sleep.until: 2030-01-31T09:00:00 does not say which time"),
        ("{id: a, wait_for: 3}", "wait_for: must be the name of a signal, or a mapping with signal (you wrote 3)"),
        ("{id: a, wait_for: {payload: {x: {}}}}", "wait_for.signal: is missing; give the name of the signal"),
        ("{id: a, wait_for: {signal: s, payload: {x: {type: t}}}}", "wait_for.payload.x.type: must be one of string,"),
        (
            "{id: a, wait_for: {signal: s, payload: {x: {min: 2, max: 1, type: number}}}}",
            "wait_for.payload.x.min: is greater than max (2 and 1); swap them",
        ),
        ("{id: a, workflow: [w2]}", "workflow: must be the name of a workflow, or a mapping with name and input"),
        ("{id: a, workflow: {name: W2}}", "workflow.name: must be lower-case letters, digits"),
        ("{id: a, uses: set, undo: {with: {}}}", "undo.uses: is missing; name the step that undoes it"),
        ("{id: a, uses: set, undo: {uses: sett}}", "undo.uses: there is no step named sett; did you mean set?"),
        ("{id: a, uses: set, undo: {uses: set, needs: []}}", "undo.needs: is not a word that belongs here"),
        ("{id: a, uses: set, retry: {classes: {flaky: {}}}}", "retry.classes.flaky: must be one of transient,"),
        ("{id: a, uses: set, retry: {classes: {timeout: {attempt: 2}}}}", "retry.classes.timeout.attempt: is not a"),
        ("{id: a, uses: set, foreach: [1]}", "foreach: is not a word that belongs here; write for_each"),
        ("{id: a, uses: set, env: {}}", "env: is not supported by this version"),
        (
            "{id: a, approval: {title: x, approvers: ['${{ run.started_by }}']}}",
            "approval.approvers[1]: whoever starts the run would choose who decides",
        ),
    ],
)
def test_one_mistake_is_one_problem(step: str, problem: str) -> None:
    problems = found(steps(step), "name: w2\nsteps: [{id: a, set: {x: 1}}]")
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"3: steps.a.{problem}")


def test_undo_inside_of_more_items_than_one_run_has_is_refused() -> None:
    loop = "{{id: each, for_each: {{items: [1], max_items: {0}}}, steps: [{1}]}}"
    assert found(steps(loop.format(50, DEPLOY))) == []
    assert found(steps(loop.format(51, DEPLOY))) == [
        (
            "3: steps.each.steps.deploy.undo: is inside of each, which may have 51 items; items above 50 run in child "
            "runs, which are not undone; lower max_items to 50, or put the group into a workflow of its own"
        )
    ]
    deeper = f"{{id: poll, repeat: {{until: iteration == 2, max: 3}}, steps: [{DEPLOY}]}}"
    assert len(found(steps(loop.format(51, deeper)))) == 1


def test_what_runs_after_a_failure_is_not_undone() -> None:
    (problem,) = found(steps("{id: a, set: {x: 1}}", on_failure=f"[{DEPLOY}]"))
    assert problem.startswith("4: on_failure.deploy.undo: what runs after a failure is not undone")


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("{cron: '60 * * * *'}", "cron: 60 is no minute; the fields are minute, hour, day of the month, month, day of"),
        ("{cron: '0 9 * * 9'}", "cron: 9 is no day of the week"),
        ("{cron: '0 9 31 2 *'}", "cron: no day fits these fields"),
        ("{cron: '0 9 * *'}", "cron: must be five fields: minute, hour, day of the month, month, day of the week"),
        ("{}", "cron: is missing; give the five fields, such as 30 9 * * 1-5"),
        ("{cron: '0 9 * * *', timezone: Europe/Pari}", "timezone: there is no time zone Europe/Pari; did you mean"),
        ("{cron: '0 9 * * *', timezone: ../etc}", "timezone: there is no time zone ../etc; write an IANA name"),
        ("{cron: '0 9 * * *', overlap: wait}", "overlap: must be one of skip, queue, cancel_running (you wrote wait)"),
        ("{cron: '0 9 * * *', input: {m: 1}}", "input.m: there is no input m; there is: n"),
        ("{cron: '0 9 * * *', input: {n: x}}", "input.n: n must be a whole number, such as 3; you gave x"),
        ("{cron: '0 9 * * *', input: {n: '${{ 1 }}'}}", "input.n: expressions have nothing to refer to here"),
    ],
)
def test_one_mistake_in_a_schedule_is_one_problem(schedule: str, problem: str) -> None:
    text = steps("{id: a, set: {x: 1}}", input="{n: {type: integer, default: 1}}", schedule=f"[{schedule}]")
    problems = found(text)
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"5: schedule[1].{problem}")


def test_a_schedule_gives_all_that_a_run_needs() -> None:
    text = steps("{id: a, set: {x: 1}}", input="{n: {type: integer}}", schedule="[{cron: '0 9 * * *'}]")
    assert found(text) == [
        "5: schedule[1].input: n has no value when the clock starts the workflow; give n here, or a default"
    ]


@pytest.mark.parametrize("cron", ["*/5 * * * *", "0 9 29 2 *", "0 0 L * *", "0 9 * * MON-FRI", "30 18 1,15 * *"])
def test_crons_that_people_write_are_taken(cron: str) -> None:
    assert found(steps("{id: a, set: {x: 1}}", schedule=f"[{{cron: '{cron}', timezone: Asia/Tokyo}}]")) == []
