"""The inputs of a start: checked against the workflow's fields, in words for the person who typed them.

The one rule: every field is looked at, and each gets at most one sentence, so that a form can show all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial

from pydantic import JsonValue

from engine.core.definition import Workflow
from engine.core.functions import as_text
from engine.core.kinds import InputField, InputType, TypedField
from engine.core.words import did_you_mean, kind, listed, nearest

LONGEST = {InputType.STRING: 1_000, InputType.TEXT: 20_000}
_YES = frozenset({"true", "yes", "y", "on", "1"})
_NO = frozenset({"false", "no", "n", "off", "0"})
_SMART = str.maketrans({"“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'"})
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_EMAIL = re.compile(r"[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+")
_URL = re.compile(r"https?://[^\s/?#]\S*")
_SIGNS = {InputType.USER: "@", InputType.CHANNEL: "#"}
_SHAPED: Mapping[InputType, tuple[str, str]] = {
    InputType.DATE: ("a date", "2030-01-31"),
    InputType.TIME: ("a time", "09:30"),
    InputType.USER: ("a person", "@ana"),
    InputType.CHANNEL: ("a channel", "#ops"),
    InputType.EMAIL: ("an e-mail address", "ana@example.com"),
    InputType.URL: ("a web address", "https://example.com"),
}
"""What the texts of one form are, in words, and an example of each."""
_LINK = re.compile(r"<((?:https?://|mailto:)[^|>\s]+)(?:\|([^>]*))?>")
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_PAIR = re.compile(
    r"""(?P<key>[^\s=]+)=(?:"(?P<double>(?:\\.|[^"\\])*)"(?=\s|$)|'(?P<single>[^']*)'(?=\s|$)|(?P<open>".*)|(?P<plain>\S*))
      | (?P<other>\S+)""",
    re.VERBOSE | re.DOTALL,
)


def validate_input(
    workflow: Workflow, given: Mapping[str, object], *, text: bool = False
) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """The values that a run starts with, defaults filled in, and one sentence per field that is wrong.

    With ``text``, values are texts as typed (``count=3``, ``dry=true``) and are read by the field's type. An empty text
    counts as not given, unless the field is a text field. The values are complete only if there are no problems.
    """
    return validate_fields(workflow.input, given, workflow.name, text=text)


def validate_fields(
    fields: Mapping[str, InputField], given: Mapping[str, object], owner: str, *, text: bool = False
) -> tuple[dict[str, JsonValue], dict[str, str]]:
    """The same for any fields; ``owner`` is what they belong to, in words."""
    values: dict[str, JsonValue] = {}
    problems: dict[str, str] = {}
    for name in given:
        if name not in fields:
            problems[name] = _unknown(name, fields, owner)
    for name, field in fields.items():
        value = given.get(name)
        if value is None or (value == "" and (text or field.type is not InputType.TEXT)):
            if field.is_required:
                problems[name] = f"{name} is missing{_like(field)}"
            else:
                values[name] = field.default
            continue
        try:
            values[name] = read_value(name, field, value, text=text)
        except ValueError as error:
            problems[name] = str(error)
    return values, problems


def read_value(name: str, field: TypedField, value: object, *, text: bool = False) -> JsonValue:
    """``value`` as the field's type, within its limits. Raises ``ValueError`` with a sentence that names the field."""
    typed = _READERS[field.type](name, value, text)
    if isinstance(typed, str):
        _check_text(name, field, typed)
    elif not isinstance(typed, bool):
        _check_number(name, field, typed)
    return typed


def parse_pairs(text: str) -> tuple[dict[str, str], list[str]]:
    """The ``key=value`` pairs of a typed command, and a sentence for each word that is none.

    Values may be quoted (``note="two words"``), also with the smart quotes that phones put in; links and the characters
    that Slack escapes (``<https://x|x>``, ``&amp;``) become what was typed.
    """
    pairs: dict[str, str] = {}
    problems: list[str] = []
    for match in _PAIR.finditer(_as_typed(text)):
        key = match["key"]
        if match["other"] is not None:
            problems.append(f"{match['other']} is not understood; write name=value, with quotes around several words")
        elif match["open"] is not None:
            problems.append(f"the quote in {key} is not closed")
        elif key in pairs:
            problems.append(f"{key} is given twice")
        else:
            pairs[key] = _value_of(match)
    return pairs, problems


def _as_typed(text: str) -> str:
    text = _LINK.sub(lambda link: link[2] if link[1].startswith("mailto:") and link[2] else link[1], text)
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    return text.translate(_SMART)


def _value_of(pair: re.Match[str]) -> str:
    if pair["double"] is not None:
        return re.sub(r"\\(.)", r"\1", pair["double"])
    return pair["single"] if pair["single"] is not None else pair["plain"]


def _unknown(name: str, fields: Mapping[str, InputField], owner: str) -> str:
    known = list(fields)
    advice = did_you_mean(name, known) if known else "it takes none"
    return f"{owner} has no input {name}; {advice}"


def _like(field: InputField) -> str:
    """What to write, for a field that was left out."""
    if field.choices:
        return f"; it is one of {listed(field.choices)}"
    if field.description:
        return f" ({field.description.rstrip('.')})"
    if field.type in _SHAPED:
        what, example = _SHAPED[field.type]
        return f"; it is {what}, such as {example}"
    return f"; it must look like {_shape(field.pattern)}" if field.pattern else ""


def _shape(pattern: str) -> str:
    """What to show of a pattern: an example, or the pattern itself if none is found."""
    return example_of(pattern) or f"the pattern {pattern}"


def sample_of(name: str, field: InputField) -> str | None:
    """A text that the field takes if it is typed, the likeliest first: its default, the example that its description
    gives, one that fits its pattern or its type. None where none is easily found.
    """
    described = re.search(r"""\bsuch as ([^\s"'`]+)""", field.description)
    typed = {
        InputType.INTEGER: "3",
        InputType.NUMBER: "2.5",
        InputType.BOOLEAN: "true",
        InputType.TEXT: "some text",
        **{type_: example for type_, (_, example) in _SHAPED.items()},
    }
    candidates = (
        None if field.default is None else as_text(field.default),
        described and described[1].rstrip(".,;:"),
        field.pattern and example_of(field.pattern),
        *field.choices,
        typed.get(field.type, "example"),
        *(f"{limit:.15g}" for limit in (field.min, field.max) if limit is not None),
    )
    return next((each for each in candidates if each and _is_taken(name, field, each)), None)


def _is_taken(name: str, field: InputField, typed: str) -> bool:
    try:
        read_value(name, field, typed, text=True)
    except ValueError:
        return False
    return True


def example_of(pattern: str) -> str | None:
    """A text that ``pattern`` accepts, or None where none is easily found."""
    digits = iter("142" * 20)
    text = re.sub(
        r"\\d(?:\{(\d+)[^}]*\}|[+*?])?", lambda m: "".join(next(digits) for _ in range(int(m[1] or 1))), pattern
    )
    text = re.sub(r"\\[wS][+*]?|\[a-z[^\]]*\][+*]?", "abc", text)
    text = re.sub(r"([a-zA-Z])\?", r"\1", text)
    text = re.sub(r"\\([^a-zA-Z])", r"\1", text.removeprefix("^").removesuffix("$"))
    return text if re.search(pattern, text) and "\\" not in text else None


def _read_text(name: str, value: object, text: bool) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"{name} must be text; you gave {kind(value)}")


def _read_integer(name: str, value: object, text: bool) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,18}\s*", value) and text:
        return int(value)
    raise ValueError(f"{name} must be a whole number, such as 3; you gave {_said(value)}")


def _read_number(name: str, value: object, text: bool) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and text and re.fullmatch(r"\s*[-+]?\d{1,18}(\.\d{1,18})?\s*", value):
        return float(value) if "." in value else int(value)
    raise ValueError(f"{name} must be a number, such as 2.5; you gave {_said(value)}")


def _read_boolean(name: str, value: object, text: bool) -> bool:
    if isinstance(value, bool):
        return value
    if text and isinstance(value, str):
        word = value.strip().lower()
        if word in _YES | _NO:
            return word in _YES
    raise ValueError(f"{name} must be true or false; you gave {_said(value)}")


def _read_shaped(type_: InputType, name: str, value: object, text: bool) -> str:
    """A text of one form. What was typed may lack the sign that makes a name a person or a channel."""
    what, example = _SHAPED[type_]
    if isinstance(value, str):
        found = value.strip() if text else value
        sign = _SIGNS.get(type_, "")
        found = sign + found if text and sign and not found.startswith(sign) else found
        if _has_shape(type_, found):
            return found
    raise ValueError(f"{name} must be {what}, such as {example}; you gave {_said(value)}")


def _has_shape(type_: InputType, value: str) -> bool:
    match type_:
        case InputType.DATE:
            return _is_date(value)
        case InputType.TIME:
            return _TIME.fullmatch(value) is not None
        case InputType.EMAIL:
            return _EMAIL.fullmatch(value) is not None
        case InputType.URL:
            return _URL.fullmatch(value) is not None
        case _:
            return re.fullmatch(rf"{_SIGNS[type_]}[^\s@#]{{1,80}}", value) is not None


def _is_date(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


_READERS: dict[InputType, Callable[[str, object, bool], str | int | float | bool]] = {
    InputType.STRING: _read_text,
    InputType.TEXT: _read_text,
    InputType.CHOICE: _read_text,
    InputType.INTEGER: _read_integer,
    InputType.NUMBER: _read_number,
    InputType.BOOLEAN: _read_boolean,
    **{type_: partial(_read_shaped, type_) for type_ in _SHAPED},
}


def _check_text(name: str, field: TypedField, value: str) -> None:
    if field.type is InputType.CHOICE:
        if value not in field.choices:
            match = nearest(value, field.choices)
            advice = f"; did you mean {match}?" if match else ""
            raise ValueError(f"{name} must be one of {listed(field.choices)}; you gave {_said(value)}{advice}")
        return
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise ValueError(f"{name} holds characters that are no text")
    limit = LONGEST.get(field.type, LONGEST[InputType.STRING])
    if len(value) > limit:
        raise ValueError(f"{name} has {len(value):,} characters; {limit:,} are the most")
    if field.type is not InputType.TEXT and "\n" in value:
        raise ValueError(f"{name} must be one line")
    if field.pattern is not None and not re.search(field.pattern, value):
        raise ValueError(f"{name} must look like {_shape(field.pattern)}; you gave {_said(value)}")


def _check_number(name: str, field: TypedField, value: float) -> None:
    if not abs(value) < 1e308:
        raise ValueError(f"{name} must be a finite number")
    if field.min is not None and value < field.min:
        raise ValueError(f"{name} must be at least {field.min:g}; you gave {value:g}")
    if field.max is not None and value > field.max:
        raise ValueError(f"{name} must be at most {field.max:g}; you gave {value:g}")


def _said(value: object) -> str:
    if isinstance(value, str):
        return value if len(value) <= 40 else f"{value[:40]}…"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else kind(value)
