"""What a person does with a modal: fill in, submit, close, and search in a select that the app fills.

The app's answer to a submission decides what happens to the stack: nothing closes the view, or it shows errors,
updates, pushes or clears. Facts: docs.slack.dev/surfaces/modals.
"""

import contextlib
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.simulator import payloads
from bot.simulator.api_views import push_on_stack, replace_body
from bot.simulator.blockkit import check_view, interactive_elements
from bot.simulator.courier import Parcel
from bot.simulator.elements import option_groups, options
from bot.simulator.errors import DeliveryFailed, PersonError, SlackError
from bot.simulator.model import Json, Message, User, View
from bot.simulator.person import Desk, Use, find_element
from bot.simulator.schema import Report, is_object
from bot.simulator.values import PageValues, client_errors, form_state

Outcome = Literal["closed", "updated", "pushed", "cleared", "errors"]


@dataclass(frozen=True, slots=True)
class Submitted:
    """What came of a submission; `errors` are sentences by block id."""

    result: Outcome
    errors: dict[str, str] = field(default_factory=dict[str, str])


def open_view_of(desk: Desk, user: User, view_id: str) -> View:
    """A modal or the Home of this person. Raises PersonError view_not_found."""
    view = desk.workspace.view(view_id)
    if view is None or view.user != user.id:
        raise PersonError("view_not_found", "That form is not open (any more).")
    return view


async def submit(desk: Desk, user: User, view: View, values: PageValues) -> Submitted:
    """Press the submit button of the topmost modal. Raises PersonError."""
    if desk.workspace.stack(user.id)[-1:] != [view]:
        raise PersonError("view_not_found", "Another form lies over this one.")
    errors = client_errors(view.blocks, values)
    if errors:
        return Submitted("errors", errors)
    payload = payloads.interaction(desk.workspace, "view_submission", user)
    payload["trigger_id"] = desk.triggers.issue(user.id)
    state = form_state(view.blocks, values, desk.suggested)
    payload["view"] = payloads.in_view(desk.workspace, view, state)["view"]
    payload["response_urls"] = _response_urls(desk, user, view, state)
    answer = await desk.ask(Parcel("interactive", payload))
    try:
        return _follow(desk, user, view, answer or {})
    except SlackError as refused:
        detail = "; ".join(refused.extra.get("errors", []))
        raise PersonError("app_error", f"The app's answer was refused: {refused.name}. {detail}".strip()) from None


def _response_urls(desk: Desk, user: User, view: View, state: Json) -> list[Json]:
    """One for each channel chosen in an element that asked for it with `response_url_enabled`."""
    urls: list[Json] = []
    for block in view.blocks:
        for element in interactive_elements(block):
            chosen: Json = state.get(block["block_id"], {}).get(element["action_id"], {})
            channel_id = chosen.get("selected_conversation") or chosen.get("selected_channel")
            channel = desk.workspace.channels.get(channel_id or "")
            if element.get("response_url_enabled") and channel is not None:
                where = {"block_id": block["block_id"], "action_id": element["action_id"], "channel_id": channel.id}
                urls.append({**where, "response_url": desk.response_url(user, channel)})
    return urls


def _follow(desk: Desk, user: User, view: View, answer: Json) -> Submitted:
    workspace = desk.workspace
    action = answer.get("response_action")
    if action is None:
        workspace.close_views(user.id, [view])
        return Submitted("closed")
    if action == "clear":
        workspace.close_views(user.id, list(workspace.stack(user.id)))
        return Submitted("cleared")
    if action == "errors":
        return Submitted("errors", _field_errors(view, answer.get("errors")))
    body = check_view(answer.get("view"), "modal", newer=workspace.takes_newer_blocks)
    if action == "update":
        replace_body(workspace, view, body)
        return Submitted("updated")
    if action == "push":
        push_on_stack(workspace, user.id, body)
        return Submitted("pushed")
    raise SlackError("invalid_arguments", errors=[f"unknown response_action: {action}"])


def _field_errors(view: View, errors: Any) -> dict[str, str]:
    """Errors must be sentences at input blocks that exist."""
    inputs = {block["block_id"] for block in view.blocks if block["type"] == "input"}
    if not is_object(errors) or not errors or not all(isinstance(text, str) and text for text in errors.values()):
        raise SlackError("invalid_arguments", errors=["errors must be an object of texts"])
    unknown = sorted(set(errors) - inputs)
    if unknown:
        raise SlackError("invalid_arguments", errors=[f"no input block has the id {', '.join(unknown)}"])
    return dict(errors)


async def close(desk: Desk, user: User, view: View, *, everything: bool = False) -> None:
    """Cancel one modal, or with `everything` (the ×) the whole stack; the app hears of it when it asked to.

    The person has closed it either way: an app that does not answer is no error here.
    """
    stack = desk.workspace.stack(user.id)
    closed = list(stack) if everything else [view]
    told = stack[0] if everything and stack else view
    desk.workspace.close_views(user.id, closed)
    if not any(each.body.get("notify_on_close") for each in closed):
        return
    payload = payloads.interaction(desk.workspace, "view_closed", user)
    payload |= {"view": payloads.in_view(desk.workspace, told, {})["view"], "is_cleared": everything}
    with contextlib.suppress(DeliveryFailed):
        await desk.courier.ask(Parcel("interactive", payload, answerable=False))


async def suggest(desk: Desk, user: User, where: View | Message, use: Use) -> Json:
    """Type into an external select: the options that the app offers. `use.value` is what was typed."""
    block, element = find_element(where.blocks, use)
    if not element["type"].endswith("external_select"):
        raise PersonError("action_not_found", "That field has no suggestions.")
    payload = payloads.interaction(desk.workspace, "block_suggestion", user)
    payload |= {"action_id": element["action_id"], "block_id": block["block_id"], "value": use.value}
    if isinstance(where, View):
        payload |= payloads.in_view(desk.workspace, where, form_state(where.blocks, use.values, desk.suggested))
    else:
        payload |= payloads.in_message(desk.workspace, where)
    answer = await desk.ask(Parcel("interactive", payload)) or {}
    return _offer(desk, answer)


def _offer(desk: Desk, answer: Json) -> Json:
    report = Report()
    found: list[Json] = answer.get("options") or []
    groups: list[Json] = answer.get("option_groups") or []
    if found:
        options(found, "/options", report)
    if groups:
        option_groups(groups, "/option_groups", report)
    if report.problems:
        raise PersonError("app_error", f"The app's suggestions were refused: {'; '.join(report.problems)}")
    for option in [*found, *(each for group in groups for each in group["options"])]:
        desk.suggested[option["value"]] = option
    return {"options": found, "option_groups": groups}
