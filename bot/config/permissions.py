"""Who may change definitions, who decides in them and who has which role, as the operator's settings say.

The one rule: a permission is asked for by person and way: a name on the command line is not that name in Slack. An
account that somebody in Slack has said is theirs has what they have there, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bot.config.settings import Settings
from engine.core.events import Actor
from engine.core.keys import KEYS
from engine.core.roles import EVERYONE, INCLUDES, Grant
from engine.core.workspace import DEPLOY, DEPLOY_GATES, ROLES

EVERYBODY = "*"


def may(
    settings: Settings, account: Actor, person: Actor | None = None, grants: Iterable[Grant] = ()
) -> frozenset[str]:
    """The permissions of ``account``; ``person``: whose it is in Slack, if that is on record. ``grants``: who has which
    role there.

    Where the settings name nobody, everybody on the command line may deploy, and change gates where the command line
    may decide at gates. Who may change who decides may grant roles, which say so too, and change keys and secrets.
    """
    here = account.via == "cli"
    names = frozenset(_names(account, person, grants))
    deploys = not names.isdisjoint(settings.deployers) if settings.deployers else here
    owned = not names.isdisjoint(settings.gate_owners)
    gates = owned if settings.gate_owners else settings.cli_approvals and here and deploys
    granted = {DEPLOY: deploys or gates, DEPLOY_GATES: gates, ROLES: gates, KEYS: gates}
    return frozenset(permission for permission, is_granted in granted.items() if is_granted)


def _names(account: Actor, person: Actor | None, grants: Iterable[Grant]) -> Iterator[str]:
    """All that the settings can call them. A role counts that was granted to everybody, or to the person by id."""
    yield from (EVERYBODY, account.key)
    if account.via == "cli":
        yield account.name
    if person is None or person.key == account.key:
        return
    yield person.key
    for grant in grants:
        if grant.workflow is None and grant.to in (EVERYONE, f"@{person.id}"):
            yield from (f"role:{role}" for role in INCLUDES[grant.role])
