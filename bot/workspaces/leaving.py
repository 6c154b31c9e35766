"""What becomes of a workspace's runs when the app leaves it, and when it comes back.

The one rule: nothing is lost and nothing goes on unseen. Runs are kept and paused, with the reason, and nothing new
starts; after the app was installed again new runs start, and those that were paused wait for somebody to resume them.
"""

from __future__ import annotations

import logging

from engine.core.events import Actor
from engine.engine import Engine
from engine.store import RunFilter

log = logging.getLogger(__name__)

BY_SLACK = Actor(via="engine", id="slack", name="Slack")

REMOVED = "the app was removed from Slack"
_RETURNED = "the app was installed again"


async def leave(engine: Engine) -> None:
    """Let nothing start in the workspace, and pause its runs. Done again, it does what was left."""
    if not [freeze for freeze in await engine.freezes() if freeze.event.reason == REMOVED]:
        await engine.freeze(by=BY_SLACK, reason=REMOVED)
    tally = await engine.bulk.apply("pause", RunFilter(), by=BY_SLACK, reason=REMOVED)
    log.info("%d runs of %s were paused: %s.", tally.done, engine.settings.workspace, REMOVED)


async def take_up(engine: Engine, by: Actor) -> None:
    """Let runs start again where the app had been removed, now that it is installed."""
    for freeze in await engine.freezes():
        if freeze.event.reason == REMOVED:
            await engine.lift(freeze.id, by=by, reason=_RETURNED)
