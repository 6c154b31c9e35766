"""Who may change definitions, who decides in them and who has which role, as the operator's settings say.

The one rule: a permission is asked for by person and way: a name on the command line is not that name in Slack.
"""

from __future__ import annotations

from bot.config.settings import Settings
from engine.core.events import Actor
from engine.core.keys import KEYS
from engine.core.workspace import DEPLOY, DEPLOY_GATES, ROLES

EVERYBODY = "*"


def may(settings: Settings, actor: Actor) -> frozenset[str]:
    """The permissions of ``actor``.

    Where the settings name nobody, everybody on the command line may deploy, and change gates where the command line
    may decide at gates. Who may change who decides may grant roles, which say so too, and change keys and secrets.
    """
    here = actor.via == "cli"
    deploys = _named(settings.deployers, actor) if settings.deployers else here
    gates = _named(settings.gate_owners, actor) if settings.gate_owners else settings.cli_approvals and here and deploys
    granted = {DEPLOY: deploys or gates, DEPLOY_GATES: gates, ROLES: gates, KEYS: gates}
    return frozenset(permission for permission, is_granted in granted.items() if is_granted)


def _named(people: tuple[str, ...], actor: Actor) -> bool:
    names = {EVERYBODY, actor.key} | ({actor.name} if actor.via == "cli" else set[str]())
    return not names.isdisjoint(people)
