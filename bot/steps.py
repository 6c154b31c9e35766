"""The step ``slack.post``: a message in a channel, once, however often its step is tried.

The one rule: the message is an effect. Its key is the effect's idempotency key, kept in the database before the post
and in the message's metadata; an attempt that comes after a crash finds the message instead of posting it again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from pydantic import TypeAdapter

from bot.blocks.kit import Message, escape
from bot.directory import Directory
from bot.outbox import Outbox, Priority, Refused
from bot.postings import SETTLE_MS, Item, Posted, Postings, Target
from engine.core.failures import FailureClass, StepError
from engine.engine import Engine
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step

CONSUMER = "slack.post"

TEXT_LIMIT = 12_000
"""Characters of a message. A longer one is refused rather than cut: its author knows better what to leave out."""

_ID = re.compile(r"[CDG][A-Z0-9]{6,}")
_PERMISSION = frozenset({"not_in_channel", "missing_scope", "is_archived"})


@dataclass(frozen=True, slots=True)
class SlackPosted:
    """Where the message is: the channel's id, and the ts by which Slack knows the message there."""

    channel: str
    ts: str


class Sender(Protocol):
    """Whoever posts for the step."""

    async def channel_id(self, run: str, name: str) -> str:
        """The id of ``#name`` (an id stands for itself), or without a name that of the run. Raises ``StepError``."""
        ...

    async def post_once(self, run: str, key: str, channel: str, text: str) -> Posted:
        """Post unless the message ``key`` of ``run`` is there already. Raises ``StepError``."""
        ...


_POSTED = TypeAdapter(SlackPosted)


def slack_post(sender: Sender) -> StepFunction:
    """The step ``slack.post`` that posts through ``sender``.

    ``text`` is shown as it is; with ``mrkdwn: true`` it is Slack's markup, in which the author has to escape data.
    ``channel`` is a name (``#ops``) or an id; left out, it is the channel in which the run was started.
    """

    @step("slack.post")
    async def slack_post(ctx: StepContext, text: str, channel: str = "", mrkdwn: bool = False) -> SlackPosted:
        shown = text if mrkdwn else escape(text)
        if not shown.strip():
            raise StepError("the text is empty; give slack.post something to say", FailureClass.INVALID_INPUT)
        if len(shown) > TEXT_LIMIT:
            raise StepError(
                f"the text has {len(shown):,} characters; {TEXT_LIMIT:,} are the most", FailureClass.INVALID_INPUT
            )
        target = await sender.channel_id(ctx.run, channel)

        async def post(key: str) -> SlackPosted:
            posted = await sender.post_once(ctx.run, key, target, shown)
            return SlackPosted(posted.channel, posted.ts)

        return _POSTED.validate_python(await ctx.effect("post", post))

    return slack_post


@dataclass(frozen=True, slots=True)
class _Connected:
    engine: Engine
    postings: Postings
    directory: Directory
    default_channel: str | None


class SlackSender:
    """Posts through the outbox that the threads use too.

    The step is registered before there is an engine, so the sender is ``connect``-ed later; until then a step that
    posts fails as a transient fault, and is tried again as its definition says.
    """

    def __init__(self) -> None:
        self._connected: _Connected | None = None

    def connect(
        self,
        engine: Engine,
        outbox: Outbox,
        directory: Directory,
        *,
        default_channel: str | None = None,
        settle_ms: int = SETTLE_MS,
    ) -> None:
        """From now on there is a workspace to post to. ``default_channel``: for runs that were not started in one."""
        postings = Postings(outbox, engine.store, CONSUMER, settle_ms=settle_ms)
        self._connected = _Connected(engine, postings, directory, default_channel)

    async def channel_id(self, run: str, name: str) -> str:
        """See ``Sender``."""
        slack = self._slack()
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
        """See ``Sender``."""
        try:
            posted = await self._slack().postings.post(
                Item(run, key, 0, {"kind": "step"}), Target(channel), Message(text), Priority.ALERT
            )
        except Refused as refused:
            cls = FailureClass.PERMISSION if refused.error in _PERMISSION else FailureClass.PERMANENT
            raise StepError(f"Slack did not take the message ({refused.error})", cls) from None
        if posted.failed:
            raise StepError(f"whether the message was posted cannot be seen: {posted.failed}")
        return posted

    def _slack(self) -> _Connected:
        if self._connected is None:
            raise StepError("Slack is not connected yet", FailureClass.TRANSIENT)
        return self._connected
