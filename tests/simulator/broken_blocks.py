"""Blocks and views with one thing broken each, and the problem that Slack tells; with builders of what is right."""

from typing import Any

Json = dict[str, Any]


def plain(length: int = 5) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def mrkdwn(length: int = 5) -> Json:
    return {"type": "mrkdwn", "text": "x" * length}


def button(**changes: Any) -> Json:
    return {"type": "button", "text": plain(), "action_id": "go", **changes}


def option(value: str = "a", **changes: Any) -> Json:
    return {"text": plain(), "value": value, **changes}


def options(count: int) -> list[Json]:
    return [option(str(number)) for number in range(count)]


def section(**changes: Any) -> Json:
    return {"type": "section", "text": mrkdwn(), **changes}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def many(block: Json, count: int) -> list[Json]:
    return [dict(block) for _ in range(count)]


def field(element: Json, **changes: Any) -> Json:
    return {"type": "input", "label": plain(), "element": {"action_id": "value", **element}, **changes}


def confirm(**changes: Any) -> Json:
    return {"title": plain(), "text": plain(), "confirm": plain(), "deny": plain(), **changes}


def select(**changes: Any) -> Json:
    return {"type": "static_select", "action_id": "pick", "options": options(2), **changes}


def modal(*blocks: Json, **changes: Any) -> Json:
    return {"type": "modal", "title": plain(), "submit": plain(), "blocks": list(blocks), **changes}


BROKEN_MESSAGES: dict[str, tuple[list[Any], str]] = {
    "not an object": (["text"], "must be an object [json-pointer:/blocks/0]"),
    "no type": ([{}], "missing required field: type [json-pointer:/blocks/0]"),
    "unknown type": ([{"type": "sectoin"}], "unsupported type: sectoin [json-pointer:/blocks/0/type]"),
    "51 blocks": (many({"type": "divider"}, 51), "no more than 50 items allowed [json-pointer:/blocks]"),
    "unknown field": ([section(colour="red")], "invalid additional property: colour [json-pointer:/blocks/0]"),
    "long block_id": (
        [section(block_id="x" * 256)],
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    "same block_id": (
        [section(block_id="a"), section(block_id="a")],
        "duplicate block_id: a [json-pointer:/blocks/1/block_id]",
    ),
    "same action_id": ([actions(button(), button())], "duplicate action_id: go [json-pointer:/blocks/0]"),
    "long section": (
        [section(text=mrkdwn(3001))],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    "empty text": ([section(text=mrkdwn(0))], "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    "text of no kind": (
        [section(text={"type": "html", "text": "x"})],
        "failed to match all allowed schemas [json-pointer:/blocks/0/text]",
    ),
    "text as a string": ([section(text="x")], "failed to match all allowed schemas [json-pointer:/blocks/0/text]"),
    "empty section": ([{"type": "section"}], "must have one of: text, fields [json-pointer:/blocks/0]"),
    "11 fields": (
        [section(fields=many(mrkdwn(), 11))],
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    "long field": (
        [section(fields=[mrkdwn(2001)])],
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    "accessory of a wrong kind": (
        [section(accessory={"type": "plain_text_input", "action_id": "a"})],
        "unsupported type: plain_text_input [json-pointer:/blocks/0/accessory/type]",
    ),
    "header without text": ([{"type": "header"}], "missing required field: text [json-pointer:/blocks/0]"),
    "header in mrkdwn": (
        [{"type": "header", "text": mrkdwn()}],
        "failed to match all allowed schemas [json-pointer:/blocks/0/text]",
    ),
    "long header": (
        [{"type": "header", "text": plain(151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    "11 in context": (
        [{"type": "context", "elements": many(mrkdwn(), 11)}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "empty context": (
        [{"type": "context", "elements": []}],
        "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "button in context": (
        [{"type": "context", "elements": [button()]}],
        "unsupported type: button [json-pointer:/blocks/0/elements/0/type]",
    ),
    "6 context actions": (
        [{"type": "context_actions", "elements": many({"type": "icon_button"}, 6)}],
        "no more than 5 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "26 actions": (
        [actions(*(button(action_id=str(number)) for number in range(26)))],
        "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "no actions": ([actions()], "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
    "image in actions": (
        [actions({"type": "image", "image_url": "https://x.example", "alt_text": "x"})],
        "unsupported type: image [json-pointer:/blocks/0/elements/0/type]",
    ),
    "button without text": (
        [actions({"type": "button"})],
        "missing required field: text [json-pointer:/blocks/0/elements/0]",
    ),
    "long button": (
        [actions(button(text=plain(76)))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    "long value": (
        [actions(button(value="x" * 2001))],
        "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
    ),
    "long url": (
        [actions(button(url="x" * 3001))],
        "must be less than 3001 characters [json-pointer:/blocks/0/elements/0/url]",
    ),
    "long action_id": (
        [actions(button(action_id="x" * 256))],
        "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
    ),
    "long accessibility_label": (
        [actions(button(accessibility_label="x" * 76))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/accessibility_label]",
    ),
    "style": (
        [actions(button(style="warning"))],
        "must be one of: primary, danger [json-pointer:/blocks/0/elements/0/style]",
    ),
    "confirm without deny": (
        [actions(button(confirm={"title": plain(), "text": plain(), "confirm": plain()}))],
        "missing required field: deny [json-pointer:/blocks/0/elements/0/confirm]",
    ),
    "long confirm title": (
        [actions(button(confirm=confirm(title=plain(101))))],
        "must be less than 101 characters [json-pointer:/blocks/0/elements/0/confirm/title/text]",
    ),
    "long confirm text": (
        [actions(button(confirm=confirm(text=plain(301))))],
        "must be less than 301 characters [json-pointer:/blocks/0/elements/0/confirm/text/text]",
    ),
    "long confirm button": (
        [actions(button(confirm=confirm(confirm=plain(31))))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/confirm/text]",
    ),
    "long deny button": (
        [actions(button(confirm=confirm(deny=plain(31))))],
        "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
    ),
    "long option text": (
        [actions(select(options=[option(text=plain(76))]))],
        "must be less than 76 characters [json-pointer:/blocks/0/elements/0/options/0/text/text]",
    ),
    "long option value": (
        [actions(select(options=[option("x" * 151)]))],
        "must be less than 151 characters [json-pointer:/blocks/0/elements/0/options/0/value]",
    ),
    "option without value": (
        [actions(select(options=[{"text": plain()}]))],
        "missing required field: value [json-pointer:/blocks/0/elements/0/options/0]",
    ),
    "101 options": (
        [actions(select(options=options(101)))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "no options": (
        [actions(select(options=[]))],
        "no fewer than 1 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "101 groups": (
        [actions(select(options=None, option_groups=many({"label": plain(), "options": options(1)}, 101)))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/option_groups]",
    ),
    "101 options in a group": (
        [actions(select(options=None, option_groups=[{"label": plain(), "options": options(101)}]))],
        "no more than 100 items allowed [json-pointer:/blocks/0/elements/0/option_groups/0/options]",
    ),
    "options and groups": (
        [actions(select(option_groups=[{"label": plain(), "options": options(1)}]))],
        "must have exactly one of: options, option_groups [json-pointer:/blocks/0/elements/0]",
    ),
    "initial option not offered": (
        [actions(select(initial_option=option("other")))],
        "initial option must be one of the options [json-pointer:/blocks/0/elements/0]",
    ),
    "long placeholder": (
        [actions(select(placeholder=plain(151)))],
        "must be less than 151 characters [json-pointer:/blocks/0/elements/0/placeholder/text]",
    ),
    "no overflow options": (
        [actions({"type": "overflow", "action_id": "a", "options": []})],
        "no fewer than 1 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "6 overflow options": (
        [actions({"type": "overflow", "action_id": "a", "options": options(6)})],
        "no more than 5 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "11 checkboxes": (
        [actions({"type": "checkboxes", "action_id": "a", "options": options(11)})],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "11 radio buttons": (
        [actions({"type": "radio_buttons", "action_id": "a", "options": options(11)})],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements/0/options]",
    ),
    "date": (
        [actions({"type": "datepicker", "action_id": "a", "initial_date": "tomorrow"})],
        "must be a date as YYYY-MM-DD [json-pointer:/blocks/0/elements/0/initial_date]",
    ),
    "time": (
        [actions({"type": "timepicker", "action_id": "a", "initial_time": "25:00"})],
        "must be a time as HH:mm [json-pointer:/blocks/0/elements/0/initial_time]",
    ),
    "long image url": (
        [{"type": "image", "image_url": "x" * 3001, "alt_text": "x"}],
        "must be less than 3001 characters [json-pointer:/blocks/0/image_url]",
    ),
    "long alt text": (
        [{"type": "image", "image_url": "https://x.example", "alt_text": "x" * 2001}],
        "must be less than 2001 characters [json-pointer:/blocks/0/alt_text]",
    ),
    "long image title": (
        [{"type": "image", "image_url": "https://x.example", "alt_text": "x", "title": plain(2001)}],
        "must be less than 2001 characters [json-pointer:/blocks/0/title/text]",
    ),
    "image of nothing": (
        [{"type": "image", "alt_text": "x"}],
        "must have exactly one of: image_url, slack_file [json-pointer:/blocks/0]",
    ),
    "long markdown": (
        [{"type": "markdown", "text": "x" * 12_001}],
        "must be less than 12001 characters [json-pointer:/blocks/0/text]",
    ),
    "101 rows": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}],
        "no more than 100 items allowed [json-pointer:/blocks/0/rows]",
    ),
    "21 cells": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
        "no more than 20 items allowed [json-pointer:/blocks/0/rows/0]",
    ),
    "21 column settings": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]], "column_settings": [{}] * 21}],
        "no more than 20 items allowed [json-pointer:/blocks/0/column_settings]",
    ),
    "empty card": (
        [{"type": "card", "subtitle": mrkdwn()}],
        "must have one of: hero_image, title, actions, body [json-pointer:/blocks/0]",
    ),
    "long card title": (
        [{"type": "card", "title": mrkdwn(151)}],
        "must be less than 151 characters [json-pointer:/blocks/0/title/text]",
    ),
    "long card body": (
        [{"type": "card", "body": mrkdwn(201)}],
        "must be less than 201 characters [json-pointer:/blocks/0/body/text]",
    ),
    "11 cards": (
        [{"type": "carousel", "elements": many({"type": "card", "title": mrkdwn()}, 11)}],
        "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
    ),
    "an alert in a message": (
        [{"type": "alert", "text": mrkdwn()}],
        "unsupported type: alert [json-pointer:/blocks/0/type]",
    ),
    "two plans": (
        [{"type": "plan", "title": "x"}] * 2,
        "only one plan allowed [json-pointer:/blocks]",
    ),
    "two tables": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}] * 2,
        "only one table allowed [json-pointer:/blocks]",
    ),
    "much markdown": (
        [{"type": "markdown", "text": "x" * 7_000}] * 2,
        "must be less than 12001 characters in all markdown blocks [json-pointer:/blocks]",
    ),
    "4 buttons in a card": (
        [{"type": "card", "title": mrkdwn(), "actions": [button(action_id=str(n)) for n in range(4)]}],
        "no more than 3 items allowed [json-pointer:/blocks/0/actions]",
    ),
    "task status": (
        [{"type": "task_card", "task_id": "a", "title": "x", "status": "done"}],
        "must be one of: pending, in_progress, complete, error [json-pointer:/blocks/0/status]",
    ),
    "file_input in a message": (
        [actions({"type": "file_input", "action_id": "a"})],
        "unsupported type: file_input [json-pointer:/blocks/0/elements/0/type]",
    ),
}

BROKEN_VIEWS: dict[str, tuple[Any, str]] = {
    "long alert": (
        modal({"type": "alert", "text": mrkdwn(201)}),
        "must be less than 201 characters [json-pointer:/view/blocks/0/text/text]",
    ),
    "alert level": (
        modal({"type": "alert", "text": mrkdwn(), "level": "loud"}),
        "must be one of: default, info, warning, error, success [json-pointer:/view/blocks/0/level]",
    ),
    "a table in a modal": (
        modal({"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]]}),
        "unsupported type: table [json-pointer:/view/blocks/0/type]",
    ),
    "a plan in a modal": (
        modal({"type": "plan", "title": "x"}),
        "unsupported type: plan [json-pointer:/view/blocks/0/type]",
    ),
    "no title": (modal(title=None), "missing required field: title [json-pointer:/view]"),
    "long title": (modal(title=plain(25)), "must be less than 25 characters [json-pointer:/view/title/text]"),
    "long submit": (modal(submit=plain(25)), "must be less than 25 characters [json-pointer:/view/submit/text]"),
    "long close": (modal(close=plain(25)), "must be less than 25 characters [json-pointer:/view/close/text]"),
    "no blocks": ({"type": "modal", "title": plain()}, "missing required field: blocks [json-pointer:/view]"),
    "101 blocks": (
        modal(*many({"type": "divider"}, 101)),
        "no more than 100 items allowed [json-pointer:/view/blocks]",
    ),
    "long private_metadata": (
        modal(private_metadata="x" * 3001),
        "must be less than 3001 characters [json-pointer:/view/private_metadata]",
    ),
    "long callback_id": (
        modal(callback_id="x" * 256),
        "must be less than 256 characters [json-pointer:/view/callback_id]",
    ),
    "input without submit": (
        modal(field({"type": "plain_text_input"}), submit=None),
        "missing required field: submit (a modal with an input block needs it) [json-pointer:/view]",
    ),
    "input without label": (
        modal({"type": "input", "element": {"type": "plain_text_input"}}),
        "missing required field: label [json-pointer:/view/blocks/0]",
    ),
    "long label": (
        modal(field({"type": "plain_text_input"}, label=plain(2001))),
        "must be less than 2001 characters [json-pointer:/view/blocks/0/label/text]",
    ),
    "long hint": (
        modal(field({"type": "plain_text_input"}, hint=plain(2001))),
        "must be less than 2001 characters [json-pointer:/view/blocks/0/hint/text]",
    ),
    "button as input": (modal(field(button())), "unsupported type: button [json-pointer:/view/blocks/0/element/type]"),
    "max_length": (
        modal(field({"type": "plain_text_input", "max_length": 3001})),
        "must be between 1 and 3000 [json-pointer:/view/blocks/0/element/max_length]",
    ),
    "min over max": (
        modal(field({"type": "plain_text_input", "min_length": 9, "max_length": 8})),
        "min_length must not be greater than max_length [json-pointer:/view/blocks/0/element]",
    ),
    "number without decimals said": (
        modal(field({"type": "number_input"})),
        "missing required field: is_decimal_allowed [json-pointer:/view/blocks/0/element]",
    ),
    "min_value as a number": (
        modal(field({"type": "number_input", "is_decimal_allowed": False, "min_value": 1})),
        "must be a number in a string [json-pointer:/view/blocks/0/element/min_value]",
    ),
    "markdown in a modal": (
        modal({"type": "markdown", "text": "x"}),
        "unsupported type: markdown [json-pointer:/view/blocks/0/type]",
    ),
    "same block_id": (
        modal(section(block_id="a"), section(block_id="a")),
        "duplicate block_id: a [json-pointer:/view/blocks/1/block_id]",
    ),
    "a home where a modal belongs": ({"type": "home", "blocks": []}, "must be one of: modal [json-pointer:/view/type]"),
    "not an object": ("modal", "must provide an object [json-pointer:/view]"),
}
