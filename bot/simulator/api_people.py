"""The methods about identity and people: `auth.test`, `users.*`, `usergroups.*`, and the Socket Mode ticket."""

from bot.simulator.args import Arguments
from bot.simulator.errors import SlackError
from bot.simulator.methods import Method, Slack, cursor_field, page
from bot.simulator.model import Json, User
from bot.simulator.rates import ABOUT_600, TIER_1, TIER_2, TIER_3, TIER_4
from bot.simulator.wire import group_wire, user_wire


def auth_test(slack: Slack, _args: Arguments) -> Json:
    app, whose = slack.workspace.app, slack.workspace.organization
    expires_ms = slack.grant.expires_ms if slack.grant else None
    left: Json = {} if expires_ms is None else {"expires_in": (expires_ms - slack.workspace.clock.now()) // 1000}
    return {
        **left,
        "url": slack.site,
        "team": slack.workspace.team_name,
        "user": slack.workspace.users[app.bot_user_id].name,
        "team_id": slack.workspace.team_id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": whose is not None,
        **({} if whose is None else {"enterprise_id": whose.id}),
    }


def auth_teams_list(slack: Slack, args: Arguments) -> Json:
    workspace = slack.workspace
    some, cursor = page([{"id": workspace.team_id, "name": workspace.team_name}], args, limit=100)
    return {"teams": some, **cursor_field(cursor)}


def open_connection(slack: Slack, _args: Arguments) -> Json:
    address = slack.site.replace("http", "ws", 1)
    return {"url": f"{address}link/?ticket={slack.tickets.issue()}&app_id={slack.workspace.app.id}"}


def users_info(slack: Slack, args: Arguments) -> Json:
    return {"user": _wire(slack, slack.user(args.text("user")), with_locale=args.flag("include_locale"))}


def users_list(slack: Slack, args: Arguments) -> Json:
    slack.need_team(args)
    everybody = list(slack.workspace.users.values())
    some, cursor = page(everybody, args, limit=1000)
    now_s = slack.workspace.clock.now() // 1000
    wires = [_wire(slack, user, with_locale=args.flag("include_locale")) for user in some]
    return {"members": wires, "cache_ts": now_s, **cursor_field(cursor)}


def lookup_by_email(slack: Slack, args: Arguments) -> Json:
    wanted = args.text("email").casefold()
    for user in slack.workspace.users.values():
        if user.email.casefold() == wanted and not user.deleted:
            return {"user": _wire(slack, user)}
    raise SlackError("users_not_found")


def usergroups_list(slack: Slack, args: Arguments) -> Json:
    slack.need_team(args)
    with_users = args.flag("include_users")
    groups = [g for g in slack.workspace.groups.values() if g.enabled or args.flag("include_disabled")]
    return {"usergroups": [group_wire(slack.workspace, group, with_users=with_users) for group in groups]}


def usergroups_users_list(slack: Slack, args: Arguments) -> Json:
    slack.need_team(args)
    group = slack.workspace.groups.get(args.text("usergroup"))
    if group is None or not (group.enabled or args.flag("include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def _wire(slack: Slack, user: User, *, with_locale: bool = False) -> Json:
    with_email = slack.has_scope("users:read.email")
    return user_wire(slack.workspace, user, with_email=with_email, with_locale=with_locale)


METHODS = {
    "auth.teams.list": Method(auth_teams_list, (), (), TIER_2),
    "auth.test": Method(auth_test, (), (), ABOUT_600),
    "apps.connections.open": Method(open_connection, ("connections:write",), (), TIER_1, caller="app"),
    "users.info": Method(users_info, ("users:read",), ("user",), TIER_4),
    "users.list": Method(users_list, ("users:read",), (), TIER_2),
    "users.lookupByEmail": Method(lookup_by_email, ("users:read.email",), ("email",), TIER_3),
    "usergroups.list": Method(usergroups_list, ("usergroups:read",), (), TIER_2),
    "usergroups.users.list": Method(usergroups_users_list, ("usergroups:read",), ("usergroup",), TIER_2),
}
