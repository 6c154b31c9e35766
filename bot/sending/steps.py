"""How the step ``slack.post`` posts: through the outbox that the threads use too.

The one rule: a message that was posted once is found again, by its run and key, and never posted twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.blocks.kit import Message
from bot.people.directory import Directory
from bot.sending.outbox import Outbox, Priority, Refused
from bot.sending.postings import SETTLE_MS, Item, Posted, Postings, Target
from engine.core.failures import FailureClass, StepError
from engine.engine import Engine

CONSUMER = "slack.post"

_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
_PERMISSION = frozenset({"not_in_channel", "missing_scope", "is_archived"})


@dataclass(frozen=True, slots=True)
class _Connected:
    engine: Engine
    postings: Postings
    directory: Directory
    default_channel: str | None


class SlackSender:
    """Posts through the outbox that the threads use too, each run's messages in the workspace that the run is of.

    The step is registered before there is an engine, so the sender is ``connect``-ed to workspaces later; until then,
    and after it was disconnected, a step that posts fails as a transient fault, and is tried again as its definition
    says.
    """

    def __init__(self) -> None:
        self._connected: dict[str, _Connected] = {}

    def connect(
        self,
        engine: Engine,
        outbox: Outbox,
        directory: Directory,
        *,
        default_channel: str | None = None,
        settle_ms: int = SETTLE_MS,
    ) -> Callable[[], object]:
        """Post what runs of the engine's workspace post, until what this returns is called.

        ``default_channel``: for runs that were not started in one.
        """
        postings = Postings(outbox, engine.store, CONSUMER, settle_ms=settle_ms)
        workspace = engine.settings.workspace
        self._connected[workspace] = _Connected(engine, postings, directory, default_channel)
        return lambda: self._connected.pop(workspace, None)

    async def channel_id(self, run: str, name: str) -> str:
        """See ``bot.sending.slackstep.Sender``."""
        slack = await self._slack(run)
        if not name:
            origin = (await slack.engine.state(run)).started.origin.get("channel") or slack.default_channel
            if not origin:
                raise StepError("the run was not started in a channel; give slack.post a channel, such as #ops")
            return str(origin)
        if _ID.fullmatch(name):
            return name
        asked = await slack.directory.asked(f"#{name.removeprefix('#')}")
        if asked.kind == "unread":
            raise StepError(f"Slack did not say which channel {name} is", FailureClass.TRANSIENT)
        if asked.kind != "channel":
            raise StepError(f"I see no channel {name}; check its name, or invite me there with /invite")
        return asked.id

    async def post_once(self, run: str, key: str, channel: str, text: str) -> Posted:
        """See ``bot.sending.slackstep.Sender``."""
        slack = await self._slack(run)
        try:
            posted = await slack.postings.post(
                Item(run, key, 0, {"kind": "step"}), Target(channel), Message(text), Priority.ALERT
            )
        except Refused as refused:
            cls = FailureClass.PERMISSION if refused.error in _PERMISSION else FailureClass.PERMANENT
            raise StepError(f"Slack did not take the message ({refused.error})", cls) from None
        if posted.failed:
            raise StepError(f"whether the message was posted cannot be seen: {posted.failed}")
        return posted

    async def _slack(self, run: str) -> _Connected:
        """The workspace that the run is of, and no other."""
        if self._connected:
            info = await next(iter(self._connected.values())).engine.store.run(run)
            if info is not None and info.workspace in self._connected:
                return self._connected[info.workspace]
        raise StepError("Slack is not connected yet", FailureClass.TRANSIENT)
