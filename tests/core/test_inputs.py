"""Inputs of a start: read by type, checked, and every problem told at once in words for who typed it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.definition import Workflow
from engine.core.inputs import example_of, parse_pairs, sample_of, validate_input
from engine.core.words import nearest


def workflow(**fields: dict[str, Any]) -> Workflow:
    return Workflow.model_validate({"name": "w", "input": fields, "steps": [{"id": "a", "uses": "set"}]})


VERSION = {"pattern": r"^v\d+\.\d+\.\d+$"}


def test_defaults_are_filled_in() -> None:
    given = workflow(
        a={"default": "x"}, b={"type": "integer", "required": False}, c={"type": "boolean", "default": False}
    )
    assert validate_input(given, {}) == ({"a": "x", "b": None, "c": False}, {})
    assert validate_input(given, {"a": "y", "b": 2, "c": True}) == ({"a": "y", "b": 2, "c": True}, {})


def test_every_field_that_is_wrong_is_told() -> None:
    asked = workflow(
        version=VERSION,
        count={"type": "integer", "min": 1, "max": 5},
        dry={"type": "boolean"},
        env={"type": "choice", "choices": ["prod", "staging"]},
        name={"description": "Who it is for."},
        note={"type": "text", "required": False},
    )
    given = {"version": "1.4.2", "count": "many", "dry": "maybe", "env": "prd", "versoin": "v1"}
    assert validate_input(asked, given, text=True)[1] == {
        "versoin": "w has no input versoin; did you mean version?",
        "version": "version must look like v1.4.2; you gave 1.4.2",
        "count": "count must be a whole number, such as 3; you gave many",
        "dry": "dry must be true or false; you gave maybe",
        "env": "env must be one of prod, staging; you gave prd; did you mean prod?",
        "name": "name is missing (Who it is for)",
    }


@pytest.mark.parametrize(
    ("field", "typed", "value"),
    [
        ({}, "x", "x"),
        ({"type": "text"}, "a\nb", "a\nb"),
        ({"type": "integer"}, "-3", -3),
        ({"type": "number"}, "2.50", 2.5),
        ({"type": "number"}, "2", 2),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "0", False),
        ({"type": "choice", "choices": ["a", "b"]}, "b", "b"),
        (VERSION, "v1.4.2", "v1.4.2"),
        ({"type": "date"}, " 2028-02-29 ", "2028-02-29"),
        ({"type": "time"}, "09:30", "09:30"),
        ({"type": "user"}, "@ana", "@ana"),
        ({"type": "user"}, "ana", "@ana"),
        ({"type": "channel"}, "ops", "#ops"),
        ({"type": "email"}, "ana@example.com", "ana@example.com"),
        ({"type": "url"}, "https://x.example/a?b=1", "https://x.example/a?b=1"),
    ],
)
def test_typed_texts_are_read_by_the_type(field: dict[str, Any], typed: str, value: object) -> None:
    values, problems = validate_input(workflow(x=field), {"x": typed}, text=True)
    assert problems == {}
    assert values == {"x": value}
    assert type(values["x"]) is type(value)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ({}, 3, "x must be text; you gave a number"),
        ({}, "a\nb", "x must be one line"),
        ({}, "a" * 1_001, "x has 1,001 characters; 1,000 are the most"),
        ({}, "a\0", "x holds characters that are no text"),
        ({}, "\ud800", "x holds characters that are no text"),
        (VERSION, "v1.4.2\n", "x must be one line"),
        ({"pattern": "^(a|b)$"}, "c", "x must look like the pattern ^(a|b)$; you gave c"),
        ({"type": "integer"}, "3", "x must be a whole number, such as 3; you gave 3"),
        ({"type": "integer"}, 2.5, "x must be a whole number, such as 3; you gave 2.5"),
        ({"type": "integer"}, True, "x must be a whole number, such as 3; you gave true"),
        ({"type": "integer", "min": 1}, 0, "x must be at least 1; you gave 0"),
        ({"type": "integer", "max": 5}, 9, "x must be at most 5; you gave 9"),
        ({"type": "number"}, float("nan"), "x must be a finite number"),
        ({"type": "boolean"}, 1, "x must be true or false; you gave 1"),
        ({"type": "choice", "choices": ["a"]}, "zzz", "x must be one of a; you gave zzz"),
        ({"type": "date"}, "2027-02-29", "x must be a date, such as 2030-01-31; you gave 2027-02-29"),
        ({"type": "date"}, "20300131", "x must be a date, such as 2030-01-31; you gave 20300131"),
        ({"type": "time"}, "24:00", "x must be a time, such as 09:30; you gave 24:00"),
        ({"type": "user"}, "ana", "x must be a person, such as @ana; you gave ana"),
        ({"type": "user"}, "@ana @ben", "x must be a person, such as @ana; you gave @ana @ben"),
        ({"type": "channel"}, "@ops", "x must be a channel, such as #ops; you gave @ops"),
        ({"type": "email"}, "ana", "x must be an e-mail address, such as ana@example.com; you gave ana"),
        ({"type": "url"}, "ftp://x", "x must be a web address, such as https://example.com; you gave ftp://x"),
        ({"type": "url"}, 3, "x must be a web address, such as https://example.com; you gave 3"),
        ({"type": "url", "pattern": "^https:"}, "http://x", "x must look like https:; you gave http://x"),
    ],
)
def test_values_that_do_not_fit(field: dict[str, Any], value: object, problem: str) -> None:
    assert validate_input(workflow(x=field), {"x": value}) == ({}, {"x": problem})


def test_a_missing_value_of_one_form_is_told_with_an_example() -> None:
    _, problems = validate_input(workflow(on={"type": "date"}), {})
    assert problems == {"on": "on is missing; it is a date, such as 2030-01-31"}


def test_what_is_left_empty_is_not_given() -> None:
    asked = workflow(a={"type": "integer"}, b={"default": "x"}, c={"type": "text", "default": "y"})
    values, problems = validate_input(asked, {"a": "", "b": "", "c": ""})
    assert problems == {"a": "a is missing"}
    assert values == {"b": "x", "c": ""}


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("", {}),
        ("version=v1.4.2", {"version": "v1.4.2"}),
        ('a=1  note="two words" b=2', {"a": "1", "note": "two words", "b": "2"}),
        ("note=“two words”", {"note": "two words"}),
        ("note=‘two words’", {"note": "two words"}),
        ("note=it’s", {"note": "it's"}),
        ("a='x \"y\" z'", {"a": 'x "y" z'}),
        (r'a="say \"hi\""', {"a": 'say "hi"'}),
        ("a=b=c", {"a": "b=c"}),
        ('a= b=""', {"a": "", "b": ""}),
        ("url=<https://x.io/a?b=1&amp;c=2|x.io/a>", {"url": "https://x.io/a?b=1&c=2"}),
        ("url=<https://x.io>", {"url": "https://x.io"}),
        ("to=<mailto:a@b.io|a@b.io>", {"to": "a@b.io"}),
        ("a=1&lt;2", {"a": "1<2"}),
        ("a=&amp;lt;", {"a": "&lt;"}),
    ],
)
def test_pairs_are_read_as_they_were_typed(text: str, pairs: dict[str, str]) -> None:
    assert parse_pairs(text) == (pairs, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("v1.4.2", "v1.4.2 is not understood; write name=value, with quotes around several words"),
        ("=x", "=x is not understood; write name=value, with quotes around several words"),
        ("a=1 a=2", "a is given twice"),
        ('a="x y', "the quote in a is not closed"),
    ],
)
def test_words_that_are_no_pairs(text: str, problem: str) -> None:
    assert parse_pairs(text)[1] == [problem]


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        (r"^v\d+\.\d+\.\d+$", "v1.4.2"),
        (r"^\d{4}-\d{2}$", "1421-42"),
        ("^[a-z]+$", "abc"),
        (r"^https?://\S+$", "https://abc"),
        ("^(a|b)$", None),
    ],
)
def test_an_example_is_given_only_if_it_fits(pattern: str, example: str | None) -> None:
    assert example_of(pattern) == example


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({}, "example"),
        ({"type": "text"}, "some text"),
        ({"type": "integer"}, "3"),
        ({"type": "integer", "min": 7}, "7"),
        ({"type": "number", "max": 0.5}, "0.5"),
        ({"type": "boolean"}, "true"),
        ({"type": "boolean", "default": False}, "false"),
        ({"type": "choice", "choices": ["a", "b"]}, "a"),
        ({"type": "date"}, "2030-01-31"),
        ({"type": "user"}, "@ana"),
        ({"type": "url", "pattern": "^https://(a|b)/"}, None),
        ({"default": "*.tmp", "description": "Which, such as *.log"}, "*.tmp"),
        ({"description": "Address, such as https://x.example.", "pattern": r"^https?://\S+$"}, "https://x.example"),
        ({"description": "Address, such as x.example", "pattern": r"^https?://\S+$"}, "https://abc"),
        ({"pattern": "^(a|b)$"}, None),
    ],
)
def test_a_sample_is_a_value_that_the_input_takes(field: dict[str, Any], value: str | None) -> None:
    asked = workflow(x=field)
    assert sample_of("x", asked.input["x"]) == value
    assert value is None or validate_input(asked, {"x": value}, text=True)[1] == {}


@pytest.mark.parametrize(
    ("word", "found"), [("publsh", "publish"), ("PUBLISH", "publish"), ("stauts", "status"), ("xyz", None)]
)
def test_nearest_word(word: str, found: str | None) -> None:
    assert nearest(word, ["publish", "status"]) == found
