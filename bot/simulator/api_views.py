"""The `views.*` methods: a person's stack of modals and their App Home.

Facts: docs.slack.dev/surfaces/modals. At most three modals in a stack; an update with a stale `hash` is refused.
"""

from bot.simulator.args import Arguments
from bot.simulator.blockkit import check_view
from bot.simulator.errors import SlackError, invalid
from bot.simulator.methods import Method, Slack
from bot.simulator.model import Json, View
from bot.simulator.rates import TIER_4
from bot.simulator.wire import view_wire
from bot.simulator.workspace import Workspace

STACK_LIMIT = 3


def open_view(slack: Slack, args: Arguments) -> Json:
    body = check_view(args.parsed("view"), "modal", newer=slack.workspace.takes_newer_blocks)
    user = slack.triggers.redeem(args.text("trigger_id"))
    _free_external_id(slack.workspace, body)
    slack.workspace.close_views(user, slack.workspace.stack(user))
    return {"view": view_wire(slack.workspace, push_on_stack(slack.workspace, user, body))}


def push_view(slack: Slack, args: Arguments) -> Json:
    body = check_view(args.parsed("view"), "modal", newer=slack.workspace.takes_newer_blocks)
    user = slack.triggers.redeem(args.text("trigger_id"))
    if not slack.workspace.stack(user):
        raise SlackError("not_found")
    _free_external_id(slack.workspace, body)
    return {"view": view_wire(slack.workspace, push_on_stack(slack.workspace, user, body))}


def update_view(slack: Slack, args: Arguments) -> Json:
    view_id, external_id = args.text("view_id"), args.text("external_id")
    if bool(view_id) == bool(external_id):
        raise invalid("invalid_arguments", ["must have exactly one of: view_id, external_id [json-pointer:/]"])
    workspace = slack.workspace
    view = workspace.view(view_id) if view_id else workspace.view_by_external_id(external_id)
    body = check_view(args.parsed("view"), view.type if view else "modal", newer=workspace.takes_newer_blocks)
    if view is None:
        raise SlackError("not_found")
    _same_hash(view, args)
    if body.get("external_id") != view.external_id:
        _free_external_id(workspace, body)
    replace_body(workspace, view, body)
    return {"view": view_wire(workspace, view)}


def publish_view(slack: Slack, args: Arguments) -> Json:
    if not slack.workspace.app.home_tab:
        raise SlackError("not_enabled")
    body = check_view(args.parsed("view"), "home", newer=slack.workspace.takes_newer_blocks)
    user = slack.user(args.text("user_id"))
    if user.is_bot or user.deleted:
        raise invalid("invalid_arguments", ["must be an active person [json-pointer:/user_id]"])
    home = slack.workspace.homes.get(user.id)
    if home is not None:
        _same_hash(home, args)
        replace_body(slack.workspace, home, body)
        return {"view": view_wire(slack.workspace, home)}
    view_id = slack.workspace.new_id("V")
    home = View(view_id, user.id, "home", body, slack.workspace.new_hash(), view_id)
    slack.workspace.homes[user.id] = home
    slack.workspace.show_view("opened", home)
    return {"view": view_wire(slack.workspace, home)}


def push_on_stack(workspace: Workspace, user: str, body: Json) -> View:
    """Open one more modal for this person. Raises push_limit_reached."""
    stack = workspace.stack(user)
    if len(stack) >= STACK_LIMIT:
        raise SlackError("push_limit_reached")
    view_id = workspace.new_id("V")
    below = stack[-1] if stack else None
    root = stack[0].id if stack else view_id
    view = View(view_id, user, "modal", body, workspace.new_hash(), root, below.id if below else None)
    stack.append(view)
    workspace.show_view("opened", view)
    return view


def replace_body(workspace: Workspace, view: View, body: Json) -> None:
    view.body = body
    view.hash = workspace.new_hash()
    workspace.show_view("updated", view)


def _same_hash(view: View, args: Arguments) -> None:
    if args.text("hash") and args.text("hash") != view.hash:
        raise SlackError("hash_conflict")


def _free_external_id(workspace: Workspace, body: Json) -> None:
    if body.get("external_id") and workspace.view_by_external_id(body["external_id"]) is not None:
        raise SlackError("duplicate_external_id")


METHODS = {
    "views.open": Method(open_view, (), ("trigger_id", "view"), TIER_4),
    "views.push": Method(push_view, (), ("trigger_id", "view"), TIER_4),
    "views.update": Method(update_view, (), ("view",), TIER_4),
    "views.publish": Method(publish_view, (), ("user_id", "view"), TIER_4),
}
