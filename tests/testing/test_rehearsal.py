"""The author's test kit, used as an author would: a file or a workflow, stubs, and people who decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from engine.core.definition import Workflow
from engine.core.errors import InvalidDefinition, InvalidInput
from engine.core.failures import FailureClass, StepError
from engine.testing import (
    Called,
    Rehearsal,
    RehearsalError,
    cancelled_by,
    changes_by,
    delegated_by,
    denied_by,
    edited_by,
    gives,
    granted_by,
    lost,
    paused_by,
    redriven_by,
    resumed_by,
    settled_by,
    signal,
    takes,
    together,
)

ROOT = Path(__file__).parents[2]
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def workflow(*steps: dict[str, Any], name: str = "wf", **more: Any) -> Workflow:
    return Workflow.model_validate({"name": name, "steps": steps, **more})


def gate(**more: Any) -> dict[str, Any]:
    return {"id": "ok", "approval": {"title": "Go on?", "approvers": ["@leads"], **more}}


NOTHING = workflow({"id": "a", "uses": "x.a"})


def same(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
    return args["x"]


def two_ones(args: Mapping[str, JsonValue], called: Called) -> list[int]:
    return [1, 1]


def test_three_lines() -> None:
    rehearsal = Rehearsal(
        workflow({"id": "a", "uses": "x.a", "with": {"n": "${{ input.n }}"}}, gate(), input={"n": {"type": "integer"}}),
        stubs={"x.a": {"b": 1}},
    )
    run = rehearsal.run(n=3, decide={"ok": granted_by("Ana", after="20m")})
    assert run.completed
    assert run.outputs["a"] == {"b": 1}
    assert run.took == 20 * MINUTE
    assert run.called("x.a") == run.called("a") == [{"n": 3}]
    by = {"by": "Ana", "approved_by": ["Ana"], "reason": ""}
    assert run.outputs["ok"] == {"decision": "granted", **by, "fields": {}, "at": run.log[-1].at}


def test_the_output_of_a_run_is_read_also_where_it_is_long() -> None:
    long = "x" * 5_000
    definition = workflow({"id": "a", "uses": "x.a"}, output={"all": "${{ steps.a.output }}"})
    assert Rehearsal(definition, {"x.a": long}).run().output == {"all": long}


def test_each_run_begins_with_the_first_answer_of_a_list() -> None:
    again = workflow({"id": "a", "uses": "x.a", "retry": {"attempts": 3}})
    rehearsal = Rehearsal(again, stubs={"x.a": [ConnectionError("away"), StepError("busy", FailureClass.TRANSIENT), 7]})
    for _ in range(2):
        run = rehearsal.run()
        assert run.outputs == {"a": 7}
        assert [call.attempt for call in run.calls] == [1, 2, 3]
        assert len({call.idempotency_key for call in run.calls}) == 1


def test_pauses_between_attempts_take_virtual_time() -> None:
    retry = {"attempts": 2, "classes": {"rate_limited": {"attempts": 5, "max": "3h"}}}
    busy = StepError("busy", FailureClass.RATE_LIMITED, retry_after=HOUR)
    run = Rehearsal(workflow({"id": "a", "uses": "x.a", "retry": retry}), {"x.a": [busy, busy, busy, 1]}).run()
    assert run.completed
    assert run.took == 3 * HOUR


def test_a_stub_may_be_a_function_of_its_arguments() -> None:
    def double(args: Mapping[str, Any], called: Called) -> JsonValue:
        assert called.step == f"each[{args['x']}]"
        return args["x"] * 2

    loop = {"items": [0, 1, 2], "max_items": 3}
    definition = workflow({"id": "each", "for_each": loop, "uses": "x.a", "with": {"x": "${{ item }}"}})
    run = Rehearsal(definition, {"x.a": double}).run()
    assert [one["output"] for one in run.outputs["each"]] == [0, 2, 4]  # type: ignore[index, union-attr, call-overload]


def test_what_a_function_returns_is_the_output_also_if_it_is_a_list() -> None:
    assert Rehearsal(NOTHING, {"x.a": two_ones}).run().outputs["a"] == [1, 1]
    assert Rehearsal(NOTHING, {"x.a": gives([1, 2])}).run().outputs["a"] == [1, 2]


def test_what_a_function_raises_is_the_steps_failure() -> None:
    def refuse(args: Mapping[str, JsonValue], called: Called) -> JsonValue:
        raise PermissionError("not yours")

    run = Rehearsal(NOTHING, {"x.a": refuse}).run()
    assert run.failed
    assert run.reason == "a: not yours"


def test_a_missing_stub_is_an_error_that_names_it() -> None:
    with pytest.raises(RehearsalError, match=r'wf calls x\.a at the step a, .* add stubs=\{"x\.a": …\}, or "a"'):
        Rehearsal(NOTHING).run()


def test_answers_that_are_used_up_are_an_error() -> None:
    with pytest.raises(RehearsalError, match=r"the stub 'x\.a' has 1 answers, and is called once more"):
        Rehearsal(workflow({"id": "a", "uses": "x.a"}, {"id": "b", "uses": "x.a"}), {"x.a": [1]}).run()


def test_a_decision_on_a_step_that_is_not_there_is_an_error() -> None:
    with pytest.raises(RehearsalError, match="there is no step okk to decide on; did you mean ok"):
        Rehearsal(workflow(gate())).run(decide={"okk": granted_by("Ana")})


def test_a_wrong_definition_and_wrong_inputs_are_refused_as_in_earnest(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("name: wrong\nsteps:\n  - {id: a, uses: x.a, needs: [b]}\n", encoding="utf-8")
    with pytest.raises(InvalidDefinition, match=r"wrong\.yaml:3"):
        Rehearsal(file)
    with pytest.raises(InvalidInput, match="wf has no input n"):
        Rehearsal(NOTHING, {"x.a": 1}).run(n=1)


def test_the_file_beside_it_is_called_by_its_name_and_broken_ones_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: broken\n", encoding="utf-8")
    (tmp_path / "inner.yaml").write_text(
        "name: inner\ninput: {n: {type: integer}}\nsteps:\n  - {id: do, uses: x.do, with: {n: '${{ input.n }}'}}\n"
        "output: ${{ steps.do.output }}\n",
        encoding="utf-8",
    )
    outer = tmp_path / "outer.yaml"
    outer.write_text(
        "name: outer\nsteps:\n  - {id: call, workflow: {name: inner, input: {n: 4}}}\n"
        "output: ${{ steps.call.output }}\n",
        encoding="utf-8",
    )
    run = Rehearsal(outer, {"x.do": takes("5m", {"done": True})}).run()
    assert run.output == {"done": True}
    assert run.took == 5 * MINUTE
    assert run.children["call"].called("x.do") == [{"n": 4}]
    assert run.called("x.do") == [{"n": 4}]


def test_a_failed_child_fails_its_step() -> None:
    inner = workflow({"id": "do", "uses": "x.do"}, name="inner")
    outer = workflow({"id": "call", "workflow": "inner"}, name="outer")
    run = Rehearsal(outer, {"x.do": ValueError("no")}, others=[inner]).run()
    assert run.failed
    assert run.children["call"].reason == "do: value: no"


def test_a_run_that_is_cancelled_takes_its_child_along() -> None:
    inner = workflow({"id": "do", "uses": "x.do"}, name="inner")
    outer = workflow({"id": "call", "workflow": "inner"}, name="outer")
    run = Rehearsal(outer, {"x.do": takes("2m")}, others=[inner]).run(orders=[cancelled_by("Ana", after="1m")])
    assert run.cancelled
    assert run.children["call"].cancelled
    assert run.took == MINUTE


def test_many_items_run_in_parts() -> None:
    loop = {"items": list(range(120)), "max_items": 200, "max_parallel": 100}
    definition = workflow({"id": "each", "for_each": loop, "uses": "x.a", "with": {"x": "${{ item }}"}})
    run = Rehearsal(definition, {"x.a": same}).run()
    assert run.completed
    assert len(run.children) == 3
    assert [one["output"] for one in run.outputs["each"]] == list(range(120))  # type: ignore[index, union-attr, call-overload]


def test_a_gate_that_nobody_decides_reminds_escalates_and_expires() -> None:
    ladder = [{"after": "1h", "to": "@oncall"}, {"after": "3h", "to": "#leads"}]
    run = Rehearsal(workflow(gate(expires_in="1d", escalate=ladder, remind_every="10h"))).run()
    assert run.failed
    assert run.took == DAY
    assert [t for t in run.types if t.startswith("APPROVAL_")] == [
        "APPROVAL_REQUESTED",
        "APPROVAL_ESCALATED",
        "APPROVAL_ESCALATED",
        "APPROVAL_REMINDED",
        "APPROVAL_REMINDED",
        "APPROVAL_EXPIRED",
    ]


def test_a_decision_that_comes_too_late_changes_nothing() -> None:
    run = Rehearsal(workflow(gate(expires_in="1h"))).run(decide={"ok": granted_by("Ana", after="2h")})
    assert run.failed
    assert "APPROVAL_EXPIRED" in run.types


def test_a_denial_is_told_with_its_reason() -> None:
    run = Rehearsal(workflow(gate())).run(decide={"ok": denied_by("Ben", after="5m", reason="not on a Friday")})
    assert run.failed
    assert "not on a Friday" in run.reason


def test_whoever_started_the_run_cannot_decide_where_the_gate_says_so() -> None:
    with pytest.raises(RehearsalError, match="Ana cannot decide on ok: whoever started the run may not decide here"):
        Rehearsal(workflow(gate(allow_self=False))).run(by="Ana", decide={"ok": granted_by("Ana")})


@pytest.mark.parametrize(
    ("more", "acts", "words"),
    [
        ({"quorum": 2}, [granted_by("Ana"), granted_by("Ana")], "Ana cannot decide on ok: Ana has approved already"),
        ({}, [granted_by("Ana", under="@web")], "it asks @leads now"),
        ({"reason": "always"}, [granted_by("Ana")], "it wants a reason"),
        ({}, [edited_by("Ana", {"n": 1})], "there is no n to edit here; nothing is"),
        ({}, [changes_by("Ana", "more")], "the workflow does not say where changes would begin"),
        ({}, [granted_by("Ana", on_behalf_of="Ben")], "Ben has not let Ana decide"),
    ],
)
def test_what_nobody_could_do_is_a_mistake_of_the_rehearsal(more: Any, acts: Any, words: str) -> None:
    with pytest.raises(RehearsalError, match=words):
        Rehearsal(workflow(gate(**more))).run(decide={"ok": together(*acts)})


def test_everybody_is_who_is_named_where_everybody_has_to_approve() -> None:
    everybody = together(granted_by("Ana"), delegated_by("Ben", "Cat"), granted_by("Cat", "1h", on_behalf_of="Ben"))
    run = Rehearsal(workflow(gate(quorum="all"))).run(decide={"ok": everybody})
    assert run.completed
    assert run.took == 60 * MINUTE


def test_a_gate_in_a_loop_is_decided_each_time() -> None:
    loop = {"items": ["a", "b"], "max_items": 2, "max_parallel": 1}
    definition = workflow({"id": "each", "for_each": loop, "steps": [gate()]})
    decisions = [granted_by("Ana"), denied_by("Ben")]
    run = Rehearsal(definition).run(decide={"ok": decisions})
    assert run.steps["each[0]"] == "completed"
    assert run.failed
    assert Rehearsal(definition).run(decide={"each[]/ok": granted_by("Ana")}).completed


def test_what_was_done_is_undone_in_reverse_order() -> None:
    undo = {"undo": {"uses": "x.undo", "with": {"of": "${{ failure.step }}"}}}
    definition = workflow(
        {"id": "a", "uses": "x.do", **undo}, {"id": "b", "uses": "x.do", **undo}, {"id": "c", "uses": "x.c"}
    )
    run = Rehearsal(definition, {"x.do": 1, "x.c": ValueError("no"), "x.undo": None}).run()
    assert [call.step for call in run.calls] == ["a", "b", "c", "b!undo", "a!undo"]
    assert run.called("x.undo") == [{"of": "c"}, {"of": "c"}]


def test_an_outcome_that_nobody_knows_waits_for_a_person() -> None:
    once = workflow({"id": "a", "uses": "x.a", "repeatable": False})
    run = Rehearsal(once, {"x.a": lost()}).run()
    assert run.steps["a"] == "uncertain"
    assert not run.completed
    settled = settled_by("Ana", "happened", {"paid": True}, after="1h")
    assert Rehearsal(once, {"x.a": lost()}).run(decide={"a": settled}).outputs["a"] == {"paid": True}


def test_a_lost_worker_costs_one_lease_and_others_go_on() -> None:
    both = workflow({"id": "a", "uses": "x.a", "needs": []}, {"id": "b", "uses": "x.b", "needs": []})
    run = Rehearsal(both, {"x.a": [lost(), 1], "x.b": takes("5m", 2)}).run()
    assert run.outputs == {"a": 1, "b": 2}
    assert [call.attempt for call in run.calls if call.step == "b"] == [1]
    assert run.took == 5 * MINUTE


def test_a_step_that_takes_too_long_times_out() -> None:
    run = Rehearsal(workflow({"id": "a", "uses": "x.a", "timeout": "1m"}), {"x.a": takes("61s", 1)}).run()
    assert run.reason == "a: no result within 1 min"


def test_a_signal_is_kept_until_the_run_waits_for_it() -> None:
    wait = {"signal": "paid", "payload": {"n": {"type": "integer"}}}
    definition = workflow({"id": "nap", "sleep": "1h"}, {"id": "w", "wait_for": wait})
    run = Rehearsal(definition).run(signals=[signal("paid", {"n": 3}, after="1m")])
    assert run.outputs["w"] == {"n": 3}
    assert run.took == HOUR
    with pytest.raises(RehearsalError, match="the signal paid was refused"):
        Rehearsal(definition).run(signals=[signal("paid", {"n": "three"})])


def test_a_signal_with_a_correlation_finds_the_child_that_waits_for_it() -> None:
    wait = {"signal": "paid", "correlation": "${{ input.order }}"}
    inner = workflow({"id": "w", "wait_for": wait}, name="inner", input={"order": {"type": "string"}})
    outer = workflow({"id": "call", "workflow": {"name": "inner", "input": {"order": "7"}}}, name="outer")
    for after in ("0s", "3d"):
        run = Rehearsal(outer, others=[inner]).run(signals=[signal("paid", 9, correlation="7", after=after)])
        assert run.children["call"].outputs["w"] == 9


def test_a_run_that_waits_for_ever_is_given_back_as_it_is() -> None:
    run = Rehearsal(workflow({"id": "w", "wait_for": "paid"})).run()
    assert run.status == "waiting"
    assert run.took == 0


def test_timers_of_other_runs_are_waited_for_although_one_waits_for_ever() -> None:
    inner = workflow({"id": "nap", "sleep": "9d"}, name="inner")
    definition = workflow(
        {"id": "w", "wait_for": "paid", "needs": []}, {"id": "call", "workflow": "inner", "needs": []}, name="outer"
    )
    run = Rehearsal(definition, others=[inner]).run()
    assert run.children["call"].completed
    assert run.took == 9 * DAY


def test_a_paused_run_starts_nothing_until_it_is_resumed() -> None:
    definition = workflow({"id": "a", "uses": "x.a"}, {"id": "b", "uses": "x.b"})
    orders = [paused_by("Ana", after="1m"), resumed_by("Ben", after="1h")]
    run = Rehearsal(definition, {"x.a": takes("2m"), "x.b": 1}).run(orders=orders)
    assert run.completed
    assert run.calls[1].at == HOUR


def test_a_failed_run_can_be_redriven() -> None:
    run = Rehearsal(NOTHING, {"x.a": [ValueError("no"), 1]}).run(orders=[redriven_by("Ana", after="1d")])
    assert run.completed
    assert run.took == DAY


def test_a_run_may_time_out() -> None:
    slow = workflow({"id": "a", "wait_for": "paid"}, timeout="2h", on_failure=[{"id": "tell", "uses": "x.tell"}])
    run = Rehearsal(slow, {"x.tell": None}).run()
    assert run.failed
    assert run.took == 2 * HOUR
    assert run.steps["on_failure/tell"] == "completed"


def test_a_pause_until_an_instant_depends_on_the_virtual_now() -> None:
    definition = workflow({"id": "nap", "sleep": {"until": "2030-01-31T09:00:00+01:00"}})
    assert Rehearsal(definition, now="2030-01-31T07:00:00+00:00").run().took == HOUR


def test_a_run_has_its_labels_and_is_let_out_of_its_line() -> None:
    labelled = workflow(
        {"id": "a", "uses": "x.a"},
        input={"team": {"type": "string"}},
        labels={"team": "${{ input.team }}"},
        concurrency={"key": "deploy-${{ input.team }}"},
    )
    run = Rehearsal(labelled, {"x.a": None}).run(team="web")
    assert run.completed
    assert run.labels == {"team": "web"}
    assert run.types[:2] == ["RUN_STARTED", "RUN_ADMITTED"]
    with pytest.raises(InvalidInput, match="500 are the most"):
        Rehearsal(labelled, {"x.a": None}).run(team="w" * 500)


def test_set_needs_no_stub() -> None:
    assert Rehearsal(workflow({"id": "a", "uses": "set", "with": {"n": 3}})).run().outputs["a"] == {"n": 3}


def test_the_most_special_stub_is_taken() -> None:
    loop = {"id": "each", "for_each": {"items": [1, 2, 3], "max_items": 3}, "uses": "x.a"}
    stubs = {"x.a": "code", "each": "id", "each[1]": "item", "wf:each[2]": "item of that workflow"}
    run = Rehearsal(workflow(loop, {"id": "z", "uses": "x.a"}), stubs).run()
    told = [run.outputs[path] for path in ("each[0]", "each[1]", "each[2]", "z")]
    assert told == ["id", "item", "item of that workflow", "code"]


def test_the_timeline_tells_the_story() -> None:
    story = Rehearsal(workflow(gate())).run(decide={"ok": granted_by("Ana", after="20m", reason="fine")}).timeline()
    assert "       20m  APPROVAL_GRANTED       ok by=Ana authority=as the test says reason=fine" in story.splitlines()


def test_what_a_stub_gives_must_be_json() -> None:
    with pytest.raises(RehearsalError, match=r"what the stub 'x\.a' gives cannot be written as JSON"):
        Rehearsal(NOTHING, {"x.a": object()}).run()


def test_the_example_of_the_documentation() -> None:
    page = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    found: dict[str, Any] = {}
    exec(code.replace('"workflows/', f'"{ROOT}/workflows/'), found)  # noqa: S102 - it is our own page
    found["test_publish"]()
