"""What a person enters: from plain page values to Slack's state values, and the checks that Slack's own client makes.

A page value is a string, a number, a list or None, as the page's API documents it; an element left untouched has its
initial value. Facts: docs.slack.dev/reference/interaction-payloads/view-interactions-payload.
"""

import re
from typing import Any

from bot.simulator.blockkit import interactive_elements
from bot.simulator.errors import PersonError
from bot.simulator.model import Json
from bot.simulator.schema import is_array

PageValues = dict[str, dict[str, Any]]

_PLAIN = {
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "users_select": ("selected_user", "initial_user"),
    "channels_select": ("selected_channel", "initial_channel"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
}
_ONE_OPTION = frozenset({"static_select", "external_select", "radio_buttons"})
_MANY_OPTIONS = frozenset({"multi_static_select", "multi_external_select", "checkboxes"})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL = re.compile(r"https?://\S+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def keeps_state(element: Json) -> bool:
    """Buttons and overflow menus act; everything else holds a value."""
    kind = element["type"]
    return kind in _PLAIN or kind in _ONE_OPTION or kind in _MANY_OPTIONS


def state_value(element: Json, value: Any, suggested: dict[str, Json]) -> Json:
    """The StateValue for a page value. `suggested` are the options that the app offered to an external select."""
    kind: str = element["type"]
    if kind in _PLAIN:
        empty: Any = [] if kind.startswith("multi_") else None
        return {"type": kind, _PLAIN[kind][0]: empty if value in ("", None) else value}
    if kind in _ONE_OPTION:
        return {"type": kind, "selected_option": _option(element, value, suggested) if value is not None else None}
    chosen: list[str] = value or []
    return {"type": kind, "selected_options": [_option(element, each, suggested) for each in chosen]}


def initial_value(element: Json) -> Any:
    """The page value of an element that nobody has touched."""
    kind = element["type"]
    if kind in _PLAIN:
        return element.get(_PLAIN[kind][1])
    if kind in _ONE_OPTION:
        one = _initial_options(element)
        return one[0]["value"] if one else None
    return [option["value"] for option in _initial_options(element)]


def _option(element: Json, value: str, suggested: dict[str, Json]) -> Json:
    for each in offered_options(element):
        if each.get("value") == value:
            return {"text": each["text"], "value": each["value"]}
    if element["type"].endswith("external_select"):
        known = {**suggested, **{each["value"]: each for each in _initial_options(element)}}
        if value in known:
            return {"text": known[value]["text"], "value": value}
    raise PersonError("bad_request", f"{value} is not one of the options.")


def offered_options(element: Json) -> list[Json]:
    groups: list[Json] = element.get("option_groups") or []
    return [*(element.get("options") or []), *(option for group in groups for option in group["options"])]


def _initial_options(element: Json) -> list[Json]:
    one: Json | None = element.get("initial_option")
    many: list[Json] = element.get("initial_options") or []
    return [*([one] if one else []), *many]


def form_state(blocks: list[Json], values: PageValues, suggested: dict[str, Json]) -> Json:
    """`state.values` of a whole form or message."""
    state: Json = {}
    for block in blocks:
        for element in interactive_elements(block):
            if keeps_state(element):
                entered = values.get(block["block_id"], {})
                value = entered.get(element["action_id"], initial_value(element))
                state.setdefault(block["block_id"], {})[element["action_id"]] = state_value(element, value, suggested)
    return state


def client_errors(blocks: list[Json], values: PageValues) -> dict[str, str]:
    """What Slack's client would refuse to submit: one sentence by block id."""
    errors: dict[str, str] = {}
    for block in blocks:
        if block["type"] != "input":
            continue
        element: Json = block["element"]
        value = values.get(block["block_id"], {}).get(element["action_id"], initial_value(element))
        problem = _empty(block, value) if value in (None, "", []) else _wrong(element, value)
        if problem:
            errors[block["block_id"]] = problem
    return errors


def _empty(block: Json, _value: Any) -> str:
    return "" if block.get("optional") else "Please complete this required field."


def _wrong(element: Json, value: Any) -> str:
    kind = element["type"]
    if kind == "plain_text_input":
        return _wrong_length(element, str(value))
    if kind == "number_input":
        return _wrong_number(element, str(value))
    if kind == "email_text_input" and not _EMAIL.fullmatch(str(value)):
        return "Please enter a valid email address."
    if kind == "url_text_input" and not _URL.fullmatch(str(value)):
        return "Please enter a valid URL."
    most = element.get("max_selected_items")
    if most and is_array(value) and len(value) > most:
        return f"Please choose at most {most}."
    return ""


def _wrong_length(element: Json, value: str) -> str:
    least, most = element.get("min_length") or 0, element.get("max_length") or 3000
    if len(value) < least:
        return f"Please enter at least {least} characters."
    return f"Please enter at most {most} characters." if len(value) > most else ""


def _wrong_number(element: Json, value: str) -> str:
    if not _NUMBER.fullmatch(value) or ("." in value and not element.get("is_decimal_allowed")):
        return "Please enter a number." if element.get("is_decimal_allowed") else "Please enter a whole number."
    if element.get("min_value") is not None and float(value) < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if element.get("max_value") is not None and float(value) > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return ""


def action_of(block: Json, element: Json, value: Any, suggested: dict[str, Json], action_ts: str) -> Json:
    """The one element of `actions` in a block_actions payload."""
    kind = element["type"]
    action: Json = {"type": kind, "action_id": element["action_id"], "block_id": block["block_id"]}
    if kind == "overflow":
        action["selected_option"] = _option(element, value, suggested)
    elif keeps_state(element):
        action |= state_value(element, value, suggested)
    for name in ("text", "value", "style", "url", "placeholder", "confirm"):
        if element.get(name) is not None and name not in action:
            action[name] = element[name]
    return action | {"action_ts": action_ts}
