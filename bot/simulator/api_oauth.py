"""The `oauth.*` and `auth.revoke` methods: installing the app, renewing its token, and giving it back."""

from bot.simulator.args import Arguments
from bot.simulator.errors import SlackError
from bot.simulator.grants import Issued
from bot.simulator.methods import Method, Slack
from bot.simulator.model import Json
from bot.simulator.rates import TIER_3, TIER_4


def access(slack: Slack, args: Arguments) -> Json:
    grant_type = args.text("grant_type", "authorization_code")
    if grant_type == "refresh_token":
        return _told(slack, slack.grants.refresh(args.text("refresh_token")))
    if grant_type != "authorization_code":
        raise SlackError("invalid_grant_type")
    return _told(slack, slack.grants.exchange(args.text("code"), args.text("redirect_uri")))


def _told(slack: Slack, issued: Issued) -> Json:
    workspace = slack.grants.workspaces[issued.team]
    whose = workspace.organization
    rotating: Json = {"expires_in": issued.expires_in, "refresh_token": issued.refresh_token}
    return {
        "app_id": workspace.app.id,
        "authed_user": {"id": issued.installer},
        "scope": ",".join(workspace.app.scopes),
        "token_type": "bot",
        "access_token": issued.access_token,
        "bot_user_id": workspace.app.bot_user_id,
        "team": {"id": workspace.team_id, "name": workspace.team_name} if whose is None else None,
        "enterprise": None if whose is None else {"id": whose.id, "name": whose.name},
        "is_enterprise_install": whose is not None,
        **(rotating if issued.refresh_token else {}),
    }


def revoke(slack: Slack, args: Arguments) -> Json:
    if args.flag("test") or slack.grant is None:
        return {"revoked": False}
    slack.grants.revoke(slack.grant)
    return {"revoked": True}


METHODS = {
    "oauth.v2.access": Method(access, (), (), TIER_4, caller="client"),
    "auth.revoke": Method(revoke, (), (), TIER_3),
}
