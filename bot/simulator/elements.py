"""Block Kit's composition objects and elements: what each may hold, and its limits.

Limits: docs.slack.dev/reference/block-kit, as also enforced by slack_sdk's models; lengths are in characters.
"""

import re
from typing import Any

from bot.simulator.schema import (
    Check,
    Json,
    Report,
    also,
    anything,
    array,
    boolean,
    by_type,
    enum,
    integer,
    is_array,
    is_object,
    pattern,
    record,
    rule,
    string,
    typed,
)

_date = pattern(re.compile(r"\d{4}-\d{2}-\d{2}").fullmatch, "must be a date as YYYY-MM-DD")
_time = pattern(re.compile(r"([01]\d|2[0-3]):[0-5]\d").fullmatch, "must be a time as HH:mm")
_number = pattern(re.compile(r"-?\d+(\.\d+)?").fullmatch, "must be a number in a string")
identifier = string(255)
url = string(3000, 1)


def text(maximum: int, *kinds: str) -> Check:
    """A text object; `kinds` default to plain_text alone."""
    fields: dict[str, dict[str, Check]] = {
        "plain_text": {"text": string(maximum, 1), "emoji": boolean},
        "mrkdwn": {"text": string(maximum, 1), "verbatim": boolean},
    }
    known = {kind: typed(fields[kind], ["text"]) for kind in kinds or ("plain_text",)}

    def check(value: Any, pointer: str, report: Report) -> None:
        if not is_object(value) or value.get("type") not in known:
            report.add("failed to match all allowed schemas", pointer)
        else:
            known[value["type"]](value, pointer, report)

    return check


def any_text(maximum: int) -> Check:
    return text(maximum, "plain_text", "mrkdwn")


confirm = record(
    {
        "title": text(100),
        "text": any_text(300),
        "confirm": text(30),
        "deny": text(30),
        "style": enum("primary", "danger"),
    },
    ["title", "text", "confirm", "deny"],
)
dispatch_config = record(
    {"trigger_actions_on": array(enum("on_enter_pressed", "on_character_entered"), 2)}, ["trigger_actions_on"]
)
conversation_filter = record(
    {
        "include": array(enum("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    }
)
slack_file = also(
    record({"id": string(255, 1), "url": url}),
    rule(lambda file: bool(file.get("id")) == bool(file.get("url")), "must have exactly one of: id, url"),
)


def option(label: Check, *, with_url: bool = False) -> Check:
    fields: dict[str, Check] = {"text": label, "value": string(150), "description": any_text(75)}
    return record(fields | ({"url": url} if with_url else {}), ["text", "value"])


_plain_option = option(text(75))
_rich_option = option(any_text(75))
options = array(_plain_option, 100)
option_groups = array(record({"label": text(75), "options": options}, ["label", "options"]), 100)


def _element(fields: dict[str, Check], required: tuple[str, ...] = ()) -> Check:
    return typed({"action_id": identifier, **fields}, required)


def _select(initial: dict[str, Check], **more: Check) -> Check:
    return _element({"placeholder": text(150), "confirm": confirm, "focus_on_load": boolean, **initial, **more})


def _choices_of(element: Json) -> list[Json]:
    """All options of a static select, its groups' included."""
    groups = element.get("option_groups")
    lists: list[Any] = [element.get("options")]
    lists += [group.get("options") for group in groups if is_object(group)] if is_array(groups) else []
    return [each for some in lists if is_array(some) for each in some if is_object(each)]


def _initial_not_offered(element: Json) -> bool:
    initial: Any = element.get("initial_options") or element.get("initial_option") or []
    wanted: list[Any] = initial if is_array(initial) else [initial]
    offered = [choice.get("value") for choice in _choices_of(element)]
    return any(is_object(each) and each.get("value") not in offered for each in wanted)


_one_source = rule(
    lambda element: (element.get("options") is None) == (element.get("option_groups") is None),
    "must have exactly one of: options, option_groups",
)
_initial_offered = rule(_initial_not_offered, "initial option must be one of the options")


def _multi_initial(item: Check) -> Check:
    return array(item, 100, 0)


_several = {"max_selected_items": integer(1, 100)}
_response = {"response_url_enabled": boolean}
_choices = {"options": options, "option_groups": option_groups}
_typed_text = {"placeholder": text(150), "dispatch_action_config": dispatch_config, "focus_on_load": boolean}
_conversation = {"default_to_current_conversation": boolean, "filter": conversation_filter}
_box = {"confirm": confirm, "focus_on_load": boolean}
_some_id = string(64, 1)

_button = _element(
    {
        "text": text(75),
        "url": url,
        "value": string(2000),
        "style": enum("primary", "danger"),
        "confirm": confirm,
        "accessibility_label": string(75),
        "agent_prompt": anything,
        "agent_prompt_display": anything,
        "visible_to_user_ids": array(_some_id, 100),
    },
    ("text",),
)
_workflow_button = _element(
    {"text": text(75), "workflow": anything, "style": enum("primary", "danger"), "accessibility_label": string(75)},
    ("text", "workflow"),
)
_feedback_button = record(
    {"text": text(75), "value": string(2000), "accessibility_label": string(75)}, ["text", "value"]
)
_feedback = _element(
    {"positive_button": _feedback_button, "negative_button": _feedback_button}, ("positive_button", "negative_button")
)
_icon_button = _element(
    {
        "icon": enum("trash"),
        "text": text(75),
        "value": string(2000),
        "confirm": confirm,
        "accessibility_label": string(75),
        "visible_to_user_ids": array(_some_id, 100),
    },
    ("icon", "text"),
)
_plain_text_input = also(
    _element(
        {
            **_typed_text,
            "initial_value": string(3000),
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
        }
    ),
    rule(
        lambda e: isinstance(e.get("min_length"), int) and e["min_length"] > (e.get("max_length") or 3000),
        "min_length must not be greater than max_length",
    ),
)
_number_input = _element(
    {
        **_typed_text,
        "initial_value": _number,
        "is_decimal_allowed": boolean,
        "min_value": _number,
        "max_value": _number,
    },
    ("is_decimal_allowed",),
)
_rich_text_input = _element(
    {**_typed_text, "initial_value": anything, "min_lines": integer(1, 100), "max_lines": integer(1, 100)}
)
image = also(
    typed({"image_url": url, "slack_file": slack_file, "alt_text": string(2000)}, ["alt_text"]),
    rule(
        lambda e: bool(e.get("image_url")) == bool(e.get("slack_file")),
        "must have exactly one of: image_url, slack_file",
    ),
)

ELEMENTS: dict[str, Check] = {
    "button": _button,
    "workflow_button": _workflow_button,
    "feedback_buttons": _feedback,
    "icon_button": _icon_button,
    "image": image,
    "overflow": _element({"options": array(option(text(75), with_url=True), 5), "confirm": confirm}, ("options",)),
    "checkboxes": also(
        _element(
            {"options": array(_rich_option, 10), "initial_options": array(_rich_option, 10), **_box}, ("options",)
        ),
        _initial_offered,
    ),
    "radio_buttons": also(
        _element({"options": array(_rich_option, 10), "initial_option": _rich_option, **_box}, ("options",)),
        _initial_offered,
    ),
    "static_select": also(_select({"initial_option": _plain_option}, **_choices), _one_source, _initial_offered),
    "multi_static_select": also(
        _select({"initial_options": _multi_initial(_plain_option)}, **_choices, **_several),
        _one_source,
        _initial_offered,
    ),
    "external_select": _select({"initial_option": _plain_option, "min_query_length": integer(0, 100)}),
    "multi_external_select": _select(
        {"initial_options": _multi_initial(_plain_option), "min_query_length": integer(0, 100)}, **_several
    ),
    "users_select": _select({"initial_user": _some_id}),
    "multi_users_select": _select({"initial_users": _multi_initial(_some_id)}, **_several),
    "channels_select": _select({"initial_channel": _some_id}, **_response),
    "multi_channels_select": _select({"initial_channels": _multi_initial(_some_id)}, **_several),
    "conversations_select": _select({"initial_conversation": _some_id}, **_response, **_conversation),
    "multi_conversations_select": _select(
        {"initial_conversations": _multi_initial(_some_id)}, **_several, **_conversation
    ),
    "datepicker": _select({"initial_date": _date}),
    "timepicker": _select({"initial_time": _time, "timezone": string(255)}),
    "datetimepicker": _element({"initial_date_time": integer(1_000_000_000, 9_999_999_999), **_box}),
    "plain_text_input": _plain_text_input,
    "email_text_input": _element({**_typed_text, "initial_value": string(3000)}),
    "url_text_input": _element({**_typed_text, "initial_value": string(3000)}),
    "number_input": _number_input,
    "rich_text_input": _rich_text_input,
    "file_input": _element({"filetypes": array(string(64, 1), 100, 0), "max_files": integer(1, 10)}),
}

_MENUS = frozenset(
    f"{many}{kind}_select"
    for many in ("", "multi_")
    for kind in ("static", "external", "users", "channels", "conversations")
)
_PICKERS = frozenset({"checkboxes", "radio_buttons", "datepicker", "timepicker", "datetimepicker"})
_TYPED = frozenset({"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"})
IN_ACTIONS = _MENUS | _PICKERS | {"button", "overflow", "workflow_button", "rich_text_input"}
IN_SECTION = _MENUS | _PICKERS | {"button", "overflow", "workflow_button", "image", "feedback_buttons"}
IN_INPUT = _MENUS | _PICKERS | _TYPED | {"file_input"}
MODAL_ONLY = frozenset({"file_input"})


def element_of(types: frozenset[str]) -> Check:
    return by_type({name: check for name, check in ELEMENTS.items() if name in types})
