"""Forms made from definitions: every kind of input, at Slack's limits, and back again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks import forms, gate_forms
from bot.blocks.forms import Place
from bot.simulator.blockkit import check_view
from bot.simulator.values import form_state
from engine.core.definition import Workflow
from engine.core.inputs import validate_input
from tests.bot.conftest import workflow
from tests.bot.scenes import asked

PLACE = Place("C1", "wf", "1.2")


def taking(**fields: dict[str, Any]) -> Workflow:
    return workflow({"id": "one", "uses": "t.echo", "with": {"text": "x"}}, name="wf", input=fields)


def fields_of(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}


def form(known: Workflow, given: dict[str, str] | None = None, **problems: str) -> dict[str, Any]:
    """A form that Slack accepts."""
    view = forms.start_form(known, PLACE, given or {}, problems)
    check_view(view, "modal")
    return view


EVERY_KIND = taking(
    name={"type": "string", "default": "x"},
    note={"type": "text", "required": False},
    count={"type": "integer", "default": 2},
    share={"type": "number", "default": -0.5},
    dry={"type": "boolean", "default": False},
    ring={"type": "choice", "choices": ["a", "b"], "default": "b"},
)


def test_every_kind_has_its_element_and_its_default() -> None:
    elements = {name: block["element"] for name, block in fields_of(form(EVERY_KIND)).items()}
    assert {name: element["type"] for name, element in elements.items()} == {
        "input_name": "plain_text_input",
        "input_note": "plain_text_input",
        "input_count": "number_input",
        "input_share": "number_input",
        "input_dry": "radio_buttons",
        "input_ring": "static_select",
    }
    assert elements["input_note"]["multiline"]
    assert elements["input_count"]["is_decimal_allowed"] is False
    assert elements["input_share"]["initial_value"] == "-0.5"
    assert elements["input_dry"]["initial_option"]["value"] == "false"
    assert elements["input_ring"]["initial_option"]["value"] == "b"
    assert all(block["optional"] for block in fields_of(form(EVERY_KIND)).values())


def test_an_untouched_form_gives_the_defaults_back() -> None:
    state = form_state(form(EVERY_KIND)["blocks"], {}, {})
    values, problems = validate_input(EVERY_KIND, forms.read_fields(state), text=True)
    assert problems == {}
    assert values == {"name": "x", "note": None, "count": 2, "share": -0.5, "dry": False, "ring": "b"}


def test_what_was_given_goes_before_the_default_and_its_problem_is_above_the_fields() -> None:
    view = form(EVERY_KIND, {"name": "y", "dry": "TRUE", "count": "many"}, count="count must be a whole number")
    fields = fields_of(view)
    assert fields["input_name"]["element"]["initial_value"] == "y"
    assert fields["input_dry"]["element"]["initial_option"]["value"] == "true"
    assert "initial_value" not in fields["input_count"]["element"]
    assert view["blocks"][0]["text"]["text"] == "✗ count must be a whole number."
    assert "hint" not in fields["input_count"]


@pytest.mark.parametrize("given", ["", "1.5", "+3", "1e5", "٣", "-", "."])
def test_slack_is_never_given_a_number_that_it_refuses(given: str) -> None:
    form(taking(n={"type": "integer"}, m={"type": "number"}), {"n": given, "m": given})


def test_a_required_input_is_required_and_shows_an_example() -> None:
    field = fields_of(form(taking(v={"pattern": r"^v\d+\.\d+$", "description": "The version."})))["input_v"]
    assert field["optional"] is False
    assert field["element"]["placeholder"]["text"] == "such as v1.4"
    assert field["hint"]["text"] == "The version"


def test_long_values_and_many_choices_stay_within_slacks_limits() -> None:
    known = taking(
        long={"type": "string", "description": "d" * 5_000},
        text={"type": "text", "default": "t" * 19_000},
        many={"type": "choice", "choices": [f"choice {n}" for n in range(150)]},
        wide={"type": "choice", "choices": ["w" * 151, "x"]},
        edge={"type": "choice", "choices": ["e" * 150, "x" * 76]},
    )
    elements = {name: block["element"] for name, block in fields_of(form(known, {"long": "y" * 9_000})).items()}
    assert elements["input_many"]["type"] == elements["input_wide"]["type"] == "plain_text_input"
    assert elements["input_edge"]["type"] == "static_select"


def test_as_many_inputs_as_fit_are_shown() -> None:
    none: dict[str, Any] = {}
    many = taking(**{f"i{n}": none for n in range(forms.MOST_FIELDS)})
    assert forms.can_be_shown(many)
    assert len(fields_of(forms.start_form(many, PLACE, {}, {}, ["a note"]))) == forms.MOST_FIELDS
    check_view(forms.start_form(many, PLACE, {}, {}, ["a note"]), "modal")
    assert not forms.can_be_shown(taking(**{f"i{n}": none for n in range(forms.MOST_FIELDS + 1)}))


def test_data_in_a_form_is_no_markup() -> None:
    known = workflow({"id": "one", "uses": "t.echo"}, name="w" * 60, description="<!channel> & *x*", input={"a": {}})
    view = forms.start_form(known, PLACE, {"a": "<!here>"}, {"a": "<@U1>"}, ["<!everyone> is unknown"])
    check_view(view, "modal")
    shown = [block["text"]["text"] for block in view["blocks"] if block["type"] == "section"]
    assert not any("<!" in text or "<@" in text for text in shown)


def test_a_workflow_without_inputs_says_so() -> None:
    assert form(taking())["blocks"][0]["text"]["text"] == "It takes no inputs."


def test_a_name_that_the_title_has_no_room_for_is_said_below_it() -> None:
    step = {"id": "one", "uses": "t.echo"}
    short = form(workflow(step, name="short", description="Does it.", input={"a": {}}))
    assert [block["text"]["text"] for block in short["blocks"] if block["type"] == "section"] == ["Does it."]
    long = form(workflow(step, name="publish_the_release", description="Does it.", input={"a": {}}))
    assert long["blocks"][0]["text"]["text"] == "*publish_the_release*\nDoes it."


def test_a_field_says_what_it_takes_whatever_was_wrong_at_first() -> None:
    known = taking(v={"description": "The tag to make.", "pattern": r"^v\d+$"}, w={"description": "Where."})
    given = {"v": "1", "w": "x"}
    _, problems = validate_input(known, given, text=True)
    view = forms.start_form(known, PLACE, given, problems, ["wf has no input x"])
    check_view(view, "modal")
    sections = [block["text"]["text"] for block in view["blocks"] if block["type"] == "section"]
    assert sections == ["✗ wf has no input x.\n✗ v must look like v1; you gave 1."]
    hints = {name: block["hint"]["text"] for name, block in fields_of(view).items()}
    assert hints == {"input_v": "The tag to make", "input_w": "Where"}


def test_a_place_survives_its_form() -> None:
    assert Place.unpacked(form(EVERY_KIND)["private_metadata"]) == PLACE


@pytest.mark.parametrize("text", ["", "null", "[]", '{"channel": "C1", "more": 1}', "{}"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Place.unpacked(text)


def test_the_picker_offers_every_workflow_within_the_limit() -> None:
    many = [taking().model_copy(update={"name": f"wf{n}", "description": "d" * 200}) for n in range(120)]
    view = forms.picker(many, Place("C1"))
    check_view(view, "modal")
    assert len(view["blocks"][0]["element"]["options"]) == 100
    assert "the first 100 of 120" in view["blocks"][1]["text"]["text"]
    few = forms.picker(many[:2], Place("C1"))
    check_view(few, "modal")
    state = form_state(few["blocks"], {"workflow": {"value": "wf1"}}, {})
    assert forms.read_picker(state) == "wf1"


def test_the_denial_says_what_it_will_do_and_reads_the_reason_back() -> None:
    state = asked().state
    gate = state.step("publish").gate
    assert gate is not None
    view = gate_forms.deny_form(state, gate, PLACE)
    check_view(view, "modal")
    assert view["blocks"][0]["text"]["text"].startswith("*Publish v1.4.2?*\nDenying ends the run ")
    entered = form_state(view["blocks"], {"reason": {"value": "  not today \n"}}, {})
    assert gate_forms.read_reason(entered) == "not today"
    assert json.loads(view["private_metadata"])["thread"] == "1.2"


def test_a_notice_is_a_form_without_a_way_to_send_it() -> None:
    view = forms.notice("A title that is longer than Slack takes", "text")
    check_view(view, "modal")
    assert "submit" not in view
