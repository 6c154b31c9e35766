"""A small company to try Vectorbea in: people in several roles and zones, their groups and channels, and the app.

Ids have the letters of Slack's and are readable, so that a log of the demo can be followed by eye.
"""

from dataclasses import replace

from bot.simulator.installation import APP_ID, BOT_ID, BOT_USER_ID
from bot.simulator.model import App, Channel, Shortcut, SlashCommand, User, UserGroup
from bot.simulator.workspace import Workspace
from engine.clock import MovableClock

SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "chat:write.public",
    "commands",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "reactions:write",
    "usergroups:read",
    "users:read",
    "users:read.email",
)
EVENTS = (
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "message.im",
    "subteam_members_changed",
    "subteam_updated",
    "tokens_revoked",
)
SHORTCUTS = (
    Shortcut("Run a workflow", "global", "run_workflow", "Choose a workflow, and start it"),
    Shortcut("Run on this message", "message", "run_on_message", "Start a workflow with this message as its input"),
)
COMMANDS = (SlashCommand("/vb", "Start workflows and see what they are doing", "run NAME key=value", True),)

ANA, BEN, CHEN, DANA, EVE, FINN = (f"U0{name:X<8}" for name in ("ANA", "BEN", "CHEN", "DANA", "EVE", "FINN"))

GUS, HANA = "U1GUSXXXXX", "U1HANAXXXX"


def vectorbea_app(scopes: tuple[str, ...] = SCOPES) -> App:
    """An app that was granted all that the simulator knows; for the real one see `installation`."""
    return App(
        id=APP_ID,
        name="Vectorbea",
        bot_user_id=BOT_USER_ID,
        bot_id=BOT_ID,
        scopes=scopes,
        commands=COMMANDS,
        events=EVENTS,
        shortcuts=SHORTCUTS,
    )


def demo_workspace(clock: MovableClock | None = None, app: App | None = None) -> Workspace:
    """Team Acme. Ana manages releases, Ben starts runs, Chen is on call, Dana leads, Eve is a guest, Finn has left."""
    workspace = Workspace(
        team_id="T0ACMEDEMO",
        team_name="Acme",
        domain="acme",
        app=app or vectorbea_app(),
        clock=clock or MovableClock(),
    )
    for user in _people():
        workspace.add_user(user)
    workspace.add_group(UserGroup("S0RELEASES", "release-managers", "Release managers", [ANA, DANA]))
    workspace.add_group(UserGroup("S0ONCALLXX", "oncall", "On call", [CHEN]))
    workspace.add_group(UserGroup("S0PLATFORM", "platform", "Platform team", [ANA, BEN, CHEN]))
    bot = workspace.app.bot_user_id
    staff = [ANA, BEN, CHEN, DANA]
    workspace.add_channel(Channel("C0RELEASES", "releases", [*staff, EVE, bot], topic="What ships, and when"))
    workspace.add_channel(Channel("C0OPSXXXXX", "ops", [*staff, bot], topic="Production, on call"))
    workspace.add_channel(
        Channel("C0ENGLEADS", "eng-leads", [ANA, DANA, bot], is_private=True, topic="Leads of engineering")
    )
    for number, user_id in enumerate([*staff, EVE], start=1):
        workspace.add_channel(Channel(f"D0VBDM{number:04d}", "", [user_id, bot], is_private=True, is_im=True))
    return workspace


def other_workspace(clock: MovableClock) -> Workspace:
    """Team Globex, another company that may install the app: Gus is its admin, Hana works there."""
    app = replace(vectorbea_app(), bot_user_id="U1VECTORBE", bot_id="B1VECTORBE")
    workspace = Workspace(team_id="T0GLOBEXXX", team_name="Globex", domain="globex", app=app, clock=clock)
    london = ("Europe/London", "Greenwich Mean Time", 0)
    for user in (
        _person(GUS, "gus", "Gus Lind", "Engineering lead", london, "9f69e7", is_admin=True),
        _person(HANA, "hana", "Hana Sato", "Developer", london, "4bbe2e"),
    ):
        workspace.add_user(user)
    workspace.add_channel(Channel("C1GENERALX", "general", [GUS, HANA, app.bot_user_id], topic="All of Globex"))
    return workspace


def _people() -> list[User]:
    madrid = ("Europe/Madrid", "Central European Time", 3600)
    london = ("Europe/London", "Greenwich Mean Time", 0)
    shanghai = ("Asia/Shanghai", "China Standard Time", 28_800)
    chicago = ("America/Chicago", "Central Standard Time", -21_600)
    return [
        _person(ANA, "ana", "Ana Ruiz", "Release manager", madrid, "9f69e7"),
        _person(BEN, "ben", "Ben Okafor", "Developer", london, "4bbe2e"),
        _person(CHEN, "chen", "Chen Wei", "On call this week", shanghai, "e7392d"),
        _person(DANA, "dana", "Dana Levy", "Engineering lead", chicago, "3c989f", is_admin=True),
        _person(EVE, "eve", "Eve Moreau", "Guest, contractor", madrid, "d58247", is_restricted=True),
        _person(FINN, "finn", "Finn Berg", "Left in spring", london, "5b89d5", deleted=True),
    ]


def _person(
    user_id: str, name: str, real_name: str, title: str, zone: tuple[str, str, int], color: str, **flags: bool
) -> User:
    tz, tz_label, tz_offset = zone
    return User(
        user_id,
        name,
        real_name,
        email=f"{name}@acme.example",
        title=title,
        tz=tz,
        tz_label=tz_label,
        tz_offset=tz_offset,
        color=color,
        **flags,
    )
