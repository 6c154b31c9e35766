"""A value is found in whatever form software passes it on, and at the end of what was cut off."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
from pydantic import JsonValue

from engine.redaction import Redactor

VALUE = 'sk-é "q"/a+b&c=4711?\\end'
MASK = "[secret KEY]"


@pytest.fixture
def redactor() -> Iterator[Redactor]:
    made = Redactor()
    made.add("KEY", VALUE)
    yield made
    made.forget()


@pytest.mark.parametrize(
    "form",
    [
        VALUE,
        json.dumps(VALUE)[1:-1],
        json.dumps(VALUE, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(VALUE))[3:-3],
        repr(VALUE)[1:-1],
        html.escape(VALUE),
        quote(VALUE),
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        quote(VALUE, safe="").lower(),
        VALUE.encode().hex(),
        VALUE.encode().hex().upper(),
    ],
)
def test_every_form_is_replaced(redactor: Redactor, form: str) -> None:
    assert redactor.text(f"before {form} after") == f"before {MASK} after"


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_found_wherever_in_a_longer_text_the_value_begins(
    redactor: Redactor, before: str, encode: Callable[[bytes], bytes]
) -> None:
    text = redactor.text(f"Basic {encode(f'{before}{VALUE}:x'.encode()).decode()}")
    assert MASK in text
    left = text.removeprefix("Basic ").replace(MASK, "")
    assert len(left) <= 16, "what is left is of the text around it"


@pytest.mark.parametrize("tail", ["", "…", "\n[12 more bytes cut off]"])
def test_a_text_that_was_cut_off_in_the_middle_of_a_value_keeps_no_part_of_it(redactor: Redactor, tail: str) -> None:
    for length in range(6, len(VALUE)):
        assert redactor.text(f"key: {VALUE[:length]}{tail}") == f"key: {MASK}{tail}"


def test_json_is_gone_through_with_its_names_and_numbers() -> None:
    redactor = Redactor()
    redactor.add("PIN", "1234567890")
    given: JsonValue = {"a": ["x1234567890", 1234567890, 7, True, None], "1234567890": {"b": 0.5}}
    masked = {"a": ["x[secret PIN]", "[secret PIN]", 7, True, None], "[secret PIN]": {"b": 0.5}}
    assert redactor.value(given) == masked
    redactor.forget()
    assert redactor.value(given) == given


def test_each_line_of_a_long_value_is_found_by_itself() -> None:
    redactor = Redactor()
    redactor.add("PEM", "-----BEGIN KEY-----\nMIIBVgIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----")
    assert redactor.text("at kqhkiG9w0BAQEF in -----END KEY-----") == "at [secret PEM] in -----END KEY-----"
    redactor.forget()


def test_log_records_are_redacted_for_every_handler_as_long_as_the_value_is_open(
    redactor: Redactor, caplog: pytest.LogCaptureFixture
) -> None:
    log = logging.getLogger("some.library")
    with caplog.at_level(logging.DEBUG):
        log.debug("headers: %s", {"Authorization": f"Bearer {VALUE}"})
        log.debug("not a number: %d", VALUE, stack_info=True)
        try:
            raise ValueError(VALUE) from OSError(f"caused by {VALUE}")
        except ValueError:
            log.exception("failed")
    assert caplog.text.count(MASK) >= 4
    assert VALUE not in caplog.text
    assert repr(VALUE)[1:-1] not in caplog.text
    redactor.forget()
    with caplog.at_level(logging.DEBUG):
        log.debug("plain %s", VALUE)
    assert VALUE in caplog.text, "what is not open is nobody's secret"
