"""The modal with a run's timeline: opened from its card, leafed through, and its log as a file.

The one rule: a page that the person has left is not put back: what comes late replaces only what they still see.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.blocks import replies
from bot.blocks.details import LAST, ON_ITS_WAY, LogFile, Timeline, details, told
from bot.blocks.files import not_shared
from bot.blocks.forms import View, notice
from bot.blocks.kit import Message
from bot.blocks.steering import Clicked
from bot.listeners.actions import Click
from bot.listeners.desk import Ack, Desk
from bot.listeners.sharing import share_log, shared_log
from bot.listeners.steering import guarded
from bot.people.policy import Act, Refused
from bot.sending import outbox
from bot.telling.shared import read_history
from engine.core.state import Recorded
from engine.plans import Plans

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Read:
    """A run as this person may see it."""

    timeline: Timeline
    history: Sequence[Recorded]
    log: LogFile


class Details:
    """The listeners of the modal."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._plans = Plans(desk.engine.store)

    async def open(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the timeline at its last page."""
        click = Click.of(body)
        shown = await guarded(self._desk, self._newest(click))
        await ack()
        if isinstance(shown, Message):
            await self._desk.tell(click.where, click.trigger_id, shown)
        elif not await self._desk.open(click.trigger_id, shown):
            await self._desk.tell(click.where, click.trigger_id, replies.said(replies.FORM_NOT_OPENED))

    async def leaf(self, ack: Ack, body: dict[str, Any]) -> None:
        """Show another page in place of the one that was clicked in."""
        click, view = Click.of(body), body["view"]
        read = await guarded(self._desk, self._read(click, str(view["private_metadata"])))
        await ack()
        shown = notice("Details", read.text) if isinstance(read, Message) else _page(read, int(click.value), read.log)
        await self._desk.replace(view["id"], view["hash"], shown)

    async def log(self, ack: Ack, body: dict[str, Any]) -> None:
        """Bring the log to the person's messages, and lead there."""
        click, view = Click.of(body), body["view"]
        read = await guarded(self._desk, self._read(click, str(view["private_metadata"])))
        await ack()
        if isinstance(read, Message):
            await self._desk.replace(view["id"], view["hash"], notice("Details", read.text))
            return
        page = int(click.value)
        seen = await self._desk.replace(view["id"], view["hash"], _page(read, page, LogFile(note=ON_ITS_WAY)))
        try:
            shared = await share_log(self._desk, click.where.user, read.timeline.state, read.history)
        except outbox.Refused as refused:
            file = LogFile(note=not_shared(refused.error))
        except Exception:
            log.exception("The log of a run could not be shared")
            file = LogFile(note=replies.UNEXPECTED)
        else:
            file = LogFile(link=shared.link, shared=True)
        if seen:
            await self._desk.replace(view["id"], seen, _page(read, page, file))

    async def _newest(self, click: Click) -> View | Message:
        read = await self._read(click, Clicked.read(click.value).run)
        return read if isinstance(read, Message) else _page(read, LAST, read.log)

    async def _read(self, click: Click, run: str) -> _Read | Message:
        workflow = (await self._desk.engine.state(run)).started.workflow
        verdict = await self._desk.from_slack(self._desk.roles.may(Act.LOOK, click.where.user, workflow))
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        plan, events = await read_history(self._desk.engine, self._plans, run)
        timeline = told(run, plan, events, self._plans.known)
        known = await shared_log(self._desk, click.where.user, timeline.state)
        return _Read(timeline, events, LogFile() if known is None else LogFile(known.link, shared=True))


def _page(read: _Read, page: int, log: LogFile) -> View:
    return details(read.timeline, page, log)
