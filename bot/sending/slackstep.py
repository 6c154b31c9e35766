"""The step ``slack.post``: a message in a channel, once, however often its step is tried.

The one rule: the message is an effect. Its key is the effect's idempotency key, kept in the database before the post
and in the message's metadata; an attempt that comes after a crash finds the message instead of posting it again.

It knows nothing of how that is done (``bot.sending.steps``), so that definitions can be held to it where there is no
Slack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import TypeAdapter

from bot.blocks.kit import entities
from engine.core.failures import FailureClass, StepError
from engine.steps.arguments import no_secret
from engine.steps.context import StepContext
from engine.steps.registry import StepFunction, step

if TYPE_CHECKING:
    from bot.sending.postings import Posted

TEXT_LIMIT = 12_000
"""Characters of a message. A longer one is refused rather than cut: its author knows better what to leave out."""


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
    async def slack_post(
        ctx: StepContext,
        text: Annotated[str, no_secret("everybody in the channel can read it")],
        channel: Annotated[str, no_secret("everybody who sees the run can read it")] = "",
        mrkdwn: bool = False,
    ) -> SlackPosted:
        shown = text if mrkdwn else entities(text)
        if not shown.strip():
            raise StepError("the text is empty; give slack.post something to say", FailureClass.INVALID_INPUT)
        if len(shown) > TEXT_LIMIT:
            raise StepError(
                f"the text has {len(shown):,} characters; {TEXT_LIMIT:,} are the most", FailureClass.INVALID_INPUT
            )

        async def post(key: str) -> SlackPosted:
            target = await sender.channel_id(ctx.run, channel)
            posted = await sender.post_once(ctx.run, key, target, shown)
            return SlackPosted(posted.channel, posted.ts)

        return _POSTED.validate_python(await ctx.effect("post", post))

    return slack_post


class NoSlack:
    """For processes that hold definitions to the step, and never run it."""

    async def channel_id(self, run: str, name: str) -> str:
        """See ``Sender``."""
        raise StepError("there is no Slack in this process", FailureClass.TRANSIENT)

    async def post_once(self, run: str, key: str, channel: str, text: str) -> Posted:
        """See ``Sender``."""
        raise StepError("there is no Slack in this process", FailureClass.TRANSIENT)
