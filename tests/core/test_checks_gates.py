"""What is wrong with a gate by what else the definition says, each with its line and what to do."""

from __future__ import annotations

import pytest

from tests.core.checking import found, steps

WHO = "${{ steps.before.output.who }}"
NUMBER = "${{ steps.before.output.n }}"
BEFORE = "{id: before, set: {n: 1, who: ['@ana']}}"
AFTER = "{id: after, uses: set, with: {values: {n: '${{ steps.gate.output.fields.n }}'}}}"


def gate(words: str, approvers: str = "approvers: ['@a'], ") -> str:
    return f"{{id: gate, approval: {{title: x, {approvers}{words}}}}}"


@pytest.mark.parametrize(
    "step",
    [
        gate("quorum: 2, reason: always, delegation: forbidden, on_expiry: wait"),
        gate("stages: [{name: a, approvers: ['@a'], quorum: all}, {name: b, approvers: ['role:approver']}]", ""),
        gate(f"escalate: [{{after: 1h, to: '{WHO}'}}]", f"approvers: ['{WHO}'], "),
        gate(f"covers: [after], request_changes: before, edit: {{n: {{type: integer, value: '{NUMBER}'}}}}"),
        gate("hours: {zone: Europe/Paris, from: '08:00', to: '24:00', days: [sat], holidays: ['2030-12-25']}"),
    ],
)  # fmt: skip
def test_what_is_right_is_no_problem(step: str) -> None:
    after = AFTER if "edit" in step else "{id: after, sleep: 1s}"
    assert found(steps(BEFORE, step, after)) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("quorum: most", "quorum: must be a number of people such as 2, any or all (you wrote most)"),
        ("quorum: 0", "quorum: must be a number of people such as 2, any or all (you wrote 0)"),
        ("stages: [{name: a, approvers: ['@b']}]", ": give approvers, or stages that have approvers each"),
        ("reason: sometimes", "reason: must be one of on_deny, always, never (you wrote sometimes)"),
        ("delegation: no", "delegation: must be one of allowed, forbidden (you wrote no)"),
        ("covers: [aftr]", "covers[1]: there is no step aftr beside the gate; did you mean after?"),
        ("covers: [before]", "covers[1]: before does not come after the gate; cover steps that need the gate"),
        ("covers: [gate]", "covers[1]: gate does not come after the gate; cover steps that need the gate"),
        ("covers: [nap]", "covers[1]: nap has no arguments of its own; cover steps with uses or workflow"),
        ("covers: [last]", "covers[1]: last needs after, which has not run when people decide; let the gate need afte"),
        ("covers: [named]", "covers[1]: named needs steps.gate.output.by, which is not known before the decision; of"),
        ("request_changes: befor", "request_changes: there is no step befor; did you mean before?"),
        ("request_changes: after", "request_changes: after does not come before the gate; before it there is: before"),
        ("edit: {n: {type: integer}}", "edit.n.value: is missing; say what it is unless somebody changes it"),
        ("edit: {n: {type: integer, value: x}}", "edit.n.value: n must be a whole number, such as 3; you gave x"),
        ("edit: {n: {type: integer, value: 1, min: 3, max: 2}}", "edit.n.min: is greater than max (3 and 2); swap the"),
        ("edit: {n: {value: x, defualt: 1}}", "edit.n.defualt: is not a word that belongs here"),
        ("hours: {zone: Europe/Pariss}", "hours.zone: there is no time zone Europe/Pariss; did you mean Europe/Paris?"),
        ("hours: {from: 9}", "hours.from: must be text (you wrote 9); put it in quotes"),
        ("hours: {from: '17:00', to: '09:00'}", "hours: from 17:00 to 09:00 is no working day; to must be at least an"),
        ("hours: {days: []}", "hours.days: must be a list that is not empty"),
        ("hours: {days: [monday]}", "hours.days[1]: must be one of mon, tue, wed, thu, fri, sat, sun (you wrote monda"),
        ("hours: {holidays: ['2030-02-30']}", "hours: 2030-02-30 is no date; write holidays such as 2030-12-25"),
        ("hours: {}, expires_in: 100d", ": with hours, expires_in counts working time alone and may be 90d at most"),
        ("escalate: [{after: 1h, to: ana}]", 'escalate[1].to: must be "@group", "@person", "#channel" or "role:name"'),
        ("escalate: [{after: 1h, to: '${{ steps.before.output.n }}'}]", "escalate[1].to: must be a name or a list of"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_problem(words: str, problem: str) -> None:
    lines = (
        BEFORE,
        gate(words),
        "{id: after, uses: set, with: {values: {n: 1}}}",
        "{id: nap, sleep: 1s}",
        "{id: last, uses: set, with: {values: {n: '${{ steps.after.output.n }}'}}}",
        "{id: named, uses: set, with: {values: {by: '${{ steps.gate.output.by }}'}}}",
    )
    problems = found(steps(*lines))
    assert len(problems) == 1, problems
    separator = "" if problem.startswith(":") else "."
    assert problems[0].startswith(f"4: steps.gate.approval{separator}{problem}")


@pytest.mark.parametrize(
    ("approvers", "problem"),
    [
        ("approvers: [], ", ": give approvers, or stages that have approvers each"),
        ("approvers: ['@U0123456', '@U0123456'], quorum: 2, ", ".quorum: 2 people have to approve, and one person is"),
        ("approvers: ['role:Approver'], ", '.approvers[1]: must be "@group", "@person", "#channel" or "role:name"'),
        ("stages: [{approvers: ['@a']}], ", ".stages[1].name: is missing; say what people call the stage"),
        ("stages: [{name: a}], ", ".stages[1].approvers: is missing; say who decides in this stage"),
        ("stages: [{name: a, approvers: []}], ", ".stages[1].approvers: must be a list that is not empty"),
        ("quorum: 2, stages: [{name: a, approvers: ['@a']}], ", ": quorum belongs to the stages; give it to each of t"),
        ("stages: [{name: a, approvers: ['@a']}, {name: a, approvers: ['@b']}], ", ": two stages are called a; give e"),
        ("approvers: ['${{ steps.before.output.n }}'], ", ".approvers[1]: must be a name or a list of names; this giv"),
        ("approvers: ['@${{ input.who }}'], ", ".approvers[1]: whoever starts the run would choose who decides; take"),
        ("approvers: ['@${{ run.started_by }}'], ", ".approvers[1]: whoever starts the run would choose who decides"),
    ],
)  # fmt: skip
def test_one_mistake_in_who_is_asked_is_one_problem(approvers: str, problem: str) -> None:
    problems = found(steps(BEFORE, gate("expires_in: 1h", approvers), input="{who: {}}"))
    assert len(problems) == 1, problems
    assert problems[0].startswith(f"4: steps.gate.approval{problem}")


def test_a_run_is_not_done_anew_from_within_a_loop() -> None:
    group = (
        f"{{id: each, for_each: {{items: [1], max_items: 1}}, steps: [{BEFORE}, {gate('request_changes: before')}]}}"
    )
    (problem,) = found(steps(group))
    assert "a run cannot be done anew from inside of a loop; put the gate among the workflow's own steps" in problem


def test_fields_have_their_types() -> None:
    edit = gate("edit: {n: {type: integer, value: 3}, to: {type: choice, choices: [a, b], value: a}}")
    assert found(steps(edit, "{id: after, set: {x: '${{ steps.gate.output.fields.n + 1 }}'}}")) == []
    (problem,) = found(steps(edit, "{id: after, set: {x: '${{ steps.gate.output.fields.m }}'}}"))
    assert "m" in problem
    assert "n, to" in problem
