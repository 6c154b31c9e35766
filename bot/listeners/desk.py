"""What all listeners need: the engine, the directory, the way back to the person, and the time there is.

The one rule: Slack waits 3 s for an acknowledgement, so whatever happens before it has an end (``bot.bounds``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import aiohttp
from pydantic import JsonValue
from slack_sdk.errors import SlackApiError, SlackClientError

from bot.blocks.forms import View
from bot.blocks.gate_forms import shown
from bot.blocks.kit import Message, clip_markup
from bot.blocks.newer import degrade
from bot.bounds import USUAL, Bounds
from bot.people.authority import actor as actor
from bot.people.directory import Directory, Unreadable, error_name, reason_of
from bot.people.roles import Roles
from bot.sending.files import Files
from bot.sending.newer import NewerBlocks
from engine.core.estimate import Estimate
from engine.engine import Engine
from engine.store.errors import StoreError, StoreUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

Ack = Callable[..., Awaitable[Any]]
"""Bolt's acknowledgement; its arguments are the answer that it carries."""

EPHEMERAL_LIMIT = 3_900


class NotInTime(Exception):
    """The database did not answer in time; what was asked of it may have happened or not."""


@dataclass(frozen=True, slots=True)
class Where:
    """The person who typed or clicked, and where; ``thread`` is empty outside of threads."""

    user: str
    channel: str
    thread: str = ""
    response_url: str = ""


@dataclass(frozen=True, slots=True)
class Desk:
    """``client`` is an ``AsyncWebClient``, whose methods have no useful types; ``team`` is the workspace's id."""

    engine: Engine
    directory: Directory
    client: Any
    team: str
    roles: Roles
    files: Files
    bounds: Bounds = USUAL
    newer: NewerBlocks = field(default_factory=NewerBlocks)
    """Whether the workspace takes newer blocks in what one person sees."""
    estimating: dict[str, asyncio.Task[Estimate | None]] = field(
        default_factory=dict[str, "asyncio.Task[Estimate | None]"]
    )
    """Of forms that are shown already, by their external ids (``bot.listeners.previewing``)."""

    async def in_time(self, answer: Awaitable[T]) -> T:
        """What ``answer`` returns. Raises ``NotInTime`` if the database is away or slow, and what ``answer`` raises."""
        try:
            async with asyncio.timeout(self.bounds.recorded):
                return await answer
        except (TimeoutError, StoreUnavailable) as error:
            log.warning("The database did not answer in time (%s).", error or "no answer")
            raise NotInTime from None
        except StoreError as error:  # its text is for the operator, and names the database
            raise RuntimeError(str(error)) from error

    async def from_slack(self, answer: Awaitable[T]) -> T:
        """What ``answer``, made of several questions to the directory, returns. Raises ``Unreadable``."""
        try:
            async with asyncio.timeout(self.bounds.asked):
                return await answer
        except TimeoutError:
            raise Unreadable("in time who is who") from None

    def origin(self, where: Where) -> dict[str, JsonValue]:
        """Where a run is started, for its history, and for whoever tells it."""
        known: dict[str, JsonValue] = {"team": self.team, "channel": where.channel, "user": where.user}
        return {**known, "thread": where.thread} if where.thread else known

    async def open(self, trigger_id: str, view: View) -> bool:
        """Open a modal. False if Slack did not; a trigger that a copy of the same payload has used counts as opened."""
        try:
            await self.client.views_open(trigger_id=trigger_id, view=view)
        except SlackApiError as error:
            if error_name(error) == "exchanged_trigger_id":
                return True
            log.warning("Slack did not open a form: %s", error_name(error))
            return False
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("Slack did not open a form: %s", reason_of(error))
            return False
        return True

    async def replace(self, view_id: str, seen: str, view: View) -> str:
        """Show ``view`` in place of another one, if that is still as the person saw it (``seen`` is its hash).

        Returns the hash of what they see then; nothing if it was not replaced.
        """
        return await self._update({"view_id": view_id, "hash": seen, "view": view})

    async def exchange(self, external_id: str, view: View) -> None:
        """Show ``view`` in place of the one that was opened under this id, if it is still open."""
        await self._update({"external_id": external_id, "view": view})

    async def _update(self, arguments: dict[str, Any]) -> str:
        try:
            answer = await self.client.views_update(**arguments)
        except SlackApiError as error:
            log.info("Slack did not replace a view: %s", error_name(error))
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("Slack did not replace a view: %s", reason_of(error))
        else:
            return str(answer["view"]["hash"])
        return ""

    async def tell(self, where: Where, trigger_id: str, message: Message) -> None:
        """Tell one person where they clicked; where nothing can be posted, as in the App Home, in a modal."""
        if where.channel:
            await self.whisper(where, message)
        else:
            await self.open(trigger_id, shown("Nothing was changed", message))

    async def whisper(self, where: Where, message: Message) -> None:
        """Tell one person, in the thread if there is one, and where the bot may not post, at the response URL."""
        message = self.newer.fitted(message)
        thread = {"thread_ts": where.thread} if where.thread else {}
        try:
            await self.client.chat_postEphemeral(channel=where.channel, user=where.user, **thread, **_content(message))
        except (SlackClientError, aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, SlackApiError) and self.newer.learn(error_name(error), message):
                await self.whisper(where, degrade(message))
                return
            log.info("An answer goes to the response URL, since it could not be posted (%s).", reason_of(error))
            await self._answer_at_url(where, _content(degrade(message)))

    async def _answer_at_url(self, where: Where, content: dict[str, Any]) -> None:
        if not where.response_url:
            log.warning("Nothing could be said to %s in %s.", where.user, where.channel)
            return
        body = {"response_type": "ephemeral", "replace_original": False, **content}
        try:
            async with self.client.session.post(where.response_url, json=body) as answer:
                if answer.status >= 400:
                    log.warning("Slack refused an answer at a response URL (status %s).", answer.status)
        except (aiohttp.ClientError, TimeoutError, RuntimeError) as error:  # the last: the bot is stopping
            log.warning("An answer did not reach Slack: %s", reason_of(error))


def _content(message: Message) -> dict[str, Any]:
    text = clip_markup(message.text, EPHEMERAL_LIMIT)
    return {"text": text, **({"blocks": list(message.blocks)} if message.blocks else {})}


def ephemeral(message: Message) -> dict[str, Any]:
    """A message as the answer in an acknowledgement, seen by one person only.

    Whether Slack took that is not told, so there are only blocks in it that every workspace takes.
    """
    message = degrade(message)
    body: dict[str, Any] = {"response_type": "ephemeral", "text": message.text}
    return {**body, "blocks": list(message.blocks)} if message.blocks else body
