"""Forms made from definitions: every kind of input, at Slack's limits, and back again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.blocks import decided, forms, gate_forms, start_forms
from bot.blocks.approval import click_value
from bot.blocks.forms import Place
from bot.blocks.vocabulary import WORDS, Word
from bot.simulator.blockkit import check_view
from bot.simulator.values import form_state
from engine.core.definition import Workflow
from engine.core.inputs import validate_input
from tests.bot.conftest import gate, workflow
from tests.bot.scenes import asked, hostile
from tests.core.driver import Run

PLACE = Place("C1", "wf", "1.2")


def taking(**fields: dict[str, Any]) -> Workflow:
    return workflow({"id": "one", "uses": "t.echo", "with": {"text": "x"}}, name="wf", input=fields)


def fields_of(view: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {block["block_id"]: block for block in view["blocks"] if block["type"] == "input"}


def form(known: Workflow, given: dict[str, str] | None = None, **problems: str) -> dict[str, Any]:
    """A form that Slack accepts."""
    view = start_forms.start_form(known, PLACE, given or {}, problems)
    check_view(view, "modal")
    return view


EVERY_KIND = taking(
    name={"type": "string", "default": "x"},
    note={"type": "text", "required": False},
    count={"type": "integer", "default": 2},
    share={"type": "number", "default": -0.5},
    dry={"type": "boolean", "default": False},
    ring={"type": "choice", "choices": ["a", "b"], "default": "b"},
    zone={"type": "choice", "choices": ["a", "b"], "required": False},
    day={"type": "date", "default": "2030-01-31"},
    at={"type": "time", "default": "09:30"},
    who={"type": "user", "default": "@U0ANAXXXXX"},
    where={"type": "channel", "default": "#C0OPSXXXXX"},
    mail={"type": "email", "default": "ana@example.com"},
    page={"type": "url", "default": "https://example.com"},
)


def test_every_kind_has_its_element_and_its_default() -> None:
    elements = {name: block["element"] for name, block in fields_of(form(EVERY_KIND)).items()}
    assert {name: element["type"] for name, element in elements.items()} == {
        "input_name": "plain_text_input",
        "input_note": "plain_text_input",
        "input_count": "number_input",
        "input_share": "number_input",
        "input_dry": "radio_buttons",
        "input_ring": "radio_buttons",
        "input_zone": "static_select",
        "input_day": "datepicker",
        "input_at": "timepicker",
        "input_who": "users_select",
        "input_where": "conversations_select",
        "input_mail": "email_text_input",
        "input_page": "url_text_input",
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
    assert values == {
        "name": "x",
        "note": None,
        "count": 2,
        "share": -0.5,
        "dry": False,
        "ring": "b",
        "zone": None,
        "day": "2030-01-31",
        "at": "09:30",
        "who": "@U0ANAXXXXX",
        "where": "#C0OPSXXXXX",
        "mail": "ana@example.com",
        "page": "https://example.com",
    }


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
    fields = fields_of(form(taking(n={"type": "integer"}, m={"type": "number"}), {"n": given, "m": given}))
    filled = {name: fields[f"input_{name}"]["element"].get("initial_value") for name in ("n", "m")}
    assert filled == {"n": None, "m": given if given == "1.5" else None}


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
    assert start_forms.can_be_shown(many)
    assert len(fields_of(start_forms.start_form(many, PLACE, {}, {}, ["a note"]))) == forms.MOST_FIELDS
    check_view(start_forms.start_form(many, PLACE, {}, {}, ["a note"]), "modal")
    assert not start_forms.can_be_shown(taking(**{f"i{n}": none for n in range(forms.MOST_FIELDS + 1)}))


def test_data_in_a_form_is_no_markup() -> None:
    known = workflow({"id": "one", "uses": "t.echo"}, name="w" * 60, description="<!channel> & *x*", input={"a": {}})
    view = start_forms.start_form(known, PLACE, {"a": "<!here>"}, {"a": "<@U1>"}, ["<!everyone> is unknown"])
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
    view = start_forms.start_form(known, PLACE, given, problems, ["wf has no input x"])
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


@pytest.mark.parametrize(
    ("field", "given", "initial"),
    [
        ("day", "2030-02-30", "initial_date"),
        ("at", "noon", "initial_time"),
        ("who", "@ana", "initial_user"),
        ("who", "@<!channel>", "initial_user"),
        ("where", "#ops", "initial_conversation"),
    ],
)
def test_what_a_list_or_a_calendar_does_not_take_is_left_for_the_person(field: str, given: str, initial: str) -> None:
    assert initial not in fields_of(form(EVERY_KIND, {field: given}))[f"input_{field}"]["element"]


def test_a_choice_that_may_be_left_out_is_no_radio_button_and_many_are_none_either() -> None:
    many = [f"c{n}" for n in range(5)]
    asked_for = taking(
        few={"type": "choice", "choices": many[:4]},
        many={"type": "choice", "choices": many},
        open={"type": "choice", "choices": many[:2], "required": False},
        wide={"type": "choice", "choices": ["w" * 76, "x"]},
    )
    kinds = {name: block["element"]["type"] for name, block in fields_of(form(asked_for)).items()}
    assert kinds == {
        "input_few": "radio_buttons",
        "input_many": "static_select",
        "input_open": "static_select",
        "input_wide": "static_select",
    }


def test_a_form_says_what_will_run_and_who_will_be_asked() -> None:
    known = workflow(
        {"id": "notes", "uses": "t.echo@1", "with": {"text": "x"}, "if": "true"},
        gate(approvers=["@release-managers", "#leads"]),
        {"id": "rest", "sleep": "1h"},
        {"id": "each", "uses": "t.echo", "for_each": {"items": [1], "max_items": 2}},
        {"id": "paid", "wait_for": "payment"},
        {"id": "sub", "workflow": "child"},
        {"id": "sum", "set": {"a": 1}},
    )
    assert start_forms.preview(known) == (
        "Will run: *notes* (`t.echo`, perhaps) → *publish* (asks @release-managers or #leads) → "
        "*rest* (pauses for 1 h) → *each* (`t.echo` for each item) → "
        "*paid* (waits for payment) → *sub* (runs child) → *sum* (values)."
    )
    long = workflow(*({"id": f"s{n}", "uses": "t.echo"} for n in range(40)))
    assert start_forms.preview(long).endswith("→ and 25 more.")
    check_view(form(long), "modal")


def test_a_form_that_was_opened_from_nowhere_asks_where_to_tell_of_the_run() -> None:
    view = start_forms.start_form(taking(a={}), Place(""), {}, {})
    check_view(view, "modal")
    assert fields_of(view)["tell_in"]["element"]["default_to_current_conversation"]
    assert "tell_in" not in fields_of(form(taking(a={})))
    state = form_state(view["blocks"], {"tell_in": {"value": "C0OPSXXXXX"}, "input_a": {"value": "x"}}, {})
    assert start_forms.read_channel(state) == "C0OPSXXXXX"
    assert start_forms.read_channel(form_state(form(taking())["blocks"], {}, {})) == ""
    assert forms.read_fields(state) == {"a": "x"}


def test_workflows_are_suggested_by_name_first_and_within_the_limit() -> None:
    named = {"deploy": "Ships it.", "release": "Deploys a version.", "redeploy": "", "clean": "d" * 200}
    known = [taking().model_copy(update={"name": name, "description": about}) for name, about in named.items()]

    def suggested(typed: str) -> list[str]:
        return [option["value"] for option in start_forms.workflow_options(known, typed)]

    assert suggested(" Deploy ") == ["deploy", "redeploy", "release"]
    assert suggested("") == ["clean", "deploy", "redeploy", "release"]
    assert suggested("xyz") == []
    many = [taking().model_copy(update={"name": f"wf{n}"}) for n in range(120)]
    assert len(start_forms.workflow_options(many, "wf")) == 100
    check_view(start_forms.picker(Place("C1")), "modal")


@pytest.mark.parametrize("word", [word for word in WORDS.values() if word.needs_run_alone], ids=lambda word: word.name)
def test_a_word_that_lacks_its_run_says_what_it_will_do_with_the_chosen_one(word: Word) -> None:
    view = start_forms.run_picker(word, Place("C1", word.name))
    check_view(view, "modal")
    assert view["submit"]["text"] == word.name.capitalize()
    assert word.usages[0].does[1:] in view["blocks"][-1]["elements"][0]["text"]
    assert (len(view["blocks"]) == 3) is ("why" in word.usages[0].typed)


def test_a_message_is_given_to_the_input_of_its_name_else_to_one_that_fits() -> None:
    place = Place("C1", message="It <b>broke</b>", link="https://acme.example/p1")
    by_name = taking(message={}, other={"type": "text"}, message_url={}, page={"type": "url"})
    by_type = taking(count={"type": "integer", "default": 1}, note={"type": "text"}, page={"type": "url"})
    neither = taking(count={"type": "integer"}, name={})
    assert start_forms.from_message(by_name, place) == {"message": place.message, "message_url": place.link}
    assert start_forms.from_message(by_type, place) == {"note": place.message, "page": place.link}
    assert start_forms.from_message(by_type, Place("C1")) == {}
    assert start_forms.from_message(neither, place) == {}
    assert start_forms.takes_message(by_name)
    assert start_forms.takes_message(by_type)
    assert not start_forms.takes_message(neither)


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


@pytest.mark.parametrize("run", [asked(), hostile()], ids=["asked", "hostile"])
def test_a_typed_approval_shows_its_evidence_within_slacks_limits(run: Run) -> None:
    gate = run.state.step("publish").gate
    assert gate is not None
    view = decided.approve_form(run.state, "publish", gate, PLACE, "y" * 4_000)
    check_view(view, "modal")
    assert "<!" not in "".join(block["text"]["text"] for block in view["blocks"] if block["type"] == "section")
    assert len(view["blocks"]) > 3
    assert Place.unpacked(view["private_metadata"]).about == click_value(run.state, "publish", gate)


def test_a_notice_is_a_form_without_a_way_to_send_it() -> None:
    view = forms.notice("A title that is longer than Slack takes", "text")
    check_view(view, "modal")
    assert "submit" not in view
