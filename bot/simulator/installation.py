"""The app as its manifest installs it: scopes, commands, subscriptions and tabs, and nothing that it does not ask for.

The manifest's shape is Slack's (slackapi/manifest-schema); what it leaves out has Slack's default.
"""

from bot.simulator.model import App, Json, Shortcut, SlashCommand

APP_ID = "A0VECTORBE"
BOT_USER_ID = "U0VECTORBE"
BOT_ID = "B0VECTORBE"


def app_from_manifest(manifest: Json) -> App:
    """Install this manifest (its YAML or JSON, parsed). Raises KeyError for one without a name."""
    features: Json = manifest.get("features") or {}
    settings: Json = manifest.get("settings") or {}
    oauth: Json = manifest.get("oauth_config") or {}
    scopes: Json = oauth.get("scopes") or {}
    home: Json = features.get("app_home") or {}
    subscriptions: Json = settings.get("event_subscriptions") or {}
    bot_user: Json = features.get("bot_user") or {}
    commands: list[Json] = features.get("slash_commands") or []
    shortcuts: list[Json] = features.get("shortcuts") or []
    return App(
        id=APP_ID,
        name=bot_user.get("display_name") or manifest["display_information"]["name"],
        bot_user_id=BOT_USER_ID,
        bot_id=BOT_ID,
        scopes=tuple(scopes.get("bot") or ()),
        commands=tuple(_command(each) for each in commands),
        shortcuts=tuple(_shortcut(each) for each in shortcuts),
        events=tuple(subscriptions.get("bot_events") or ()),
        home_tab=bool(home.get("home_tab_enabled", False)),
        writable=bool(home.get("messages_tab_enabled", True)) and not home.get("messages_tab_read_only_enabled", False),
    )


def _command(fields: Json) -> SlashCommand:
    return SlashCommand(
        command=fields["command"],
        description=fields.get("description") or "",
        usage_hint=fields.get("usage_hint") or "",
        should_escape=bool(fields.get("should_escape")),
    )


def _shortcut(fields: Json) -> Shortcut:
    return Shortcut(
        name=fields["name"],
        kind=fields["type"],
        callback_id=fields["callback_id"],
        description=fields.get("description") or "",
    )
