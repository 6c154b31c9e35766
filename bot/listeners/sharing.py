"""Files that people ask for: the picture of what was spent, and the log of a run.

The one rule: who asks is answered before anything is drawn or brought to Slack, since that takes longer than Slack
waits; what became of it they see afterwards, where they asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC

from bot.blocks import files as words
from bot.blocks.kit import clip_markup, escape
from bot.blocks.replies import UNEXPECTED, said
from bot.blocks.words import counted, one_line, run_title
from bot.charts import draw, in_words
from bot.listeners.desk import Desk, Where
from bot.sending.files import File, Key, SharedFile
from bot.sending.looking import Target
from bot.sending.outbox import Priority, Refused
from bot.text.timeline import Timeline
from engine.budgets import SpentByDay
from engine.core.state import Recorded, RunState

log = logging.getLogger(__name__)

COMMENT_LIMIT = 3_900
SNIPPET_LIMIT = 1_000_000
"""Bytes of what Slack takes as a snippet."""


async def share_chart(desk: Desk, where: Where, key: str, found: SpentByDay) -> None:
    """Show the picture where it was asked for, once under ``key``; who asked gets at least its words."""
    told = escape(in_words(found))
    title = f"Spend per day, {found.days[0]} to {found.days[-1]}"
    try:
        picture = await asyncio.to_thread(draw, found)
        await desk.files.share(
            Key(desk.engine.settings.workspace, f"chart:{key}"),
            Target(where.channel, where.thread or None),
            File("spend.png", title, picture, clip_markup(told, COMMENT_LIMIT)),
            Priority.ANSWER,
        )
    except Refused as refused:
        why = words.not_shared(refused.error)
    except Exception:
        log.exception("What was spent could not be shown as a picture")
        why = UNEXPECTED
    else:
        return
    await desk.whisper(where, said(f"{why}\nIn words: {told}"))


async def shared_log(desk: Desk, user: str, state: RunState) -> SharedFile | None:
    """The log of the run as it is in ``state``, if this person has it already."""
    return await desk.files.known(_key(user, state))


async def share_log(desk: Desk, user: str, state: RunState, history: Sequence[Recorded]) -> SharedFile:
    """Bring the log to the person's messages with the bot, once for what it says. Raises ``Refused``."""
    body = await asyncio.to_thread(log_of, state, history)
    file = File(
        f"{state.run}.log",
        f"The log of {run_title(state)}",
        body,
        f"The log of *{one_line(run_title(state), 150)}*: {counted(len(history), 'event')}, times in UTC.",
        "text" if len(body) <= SNIPPET_LIMIT else "",
    )
    target = await desk.files.direct(user, Priority.ANSWER)
    return await desk.files.share(_key(user, state), target, file, Priority.ANSWER)


def log_of(state: RunState, history: Sequence[Recorded]) -> bytes:
    """Every event as a line, as at a terminal; secrets were taken out before anything was recorded."""
    lines = Timeline(state.plan).lines(history)
    return "".join(f"{line.text(UTC, with_date=True).plain}\n" for line in lines).encode()


def _key(user: str, state: RunState) -> Key:
    return Key(state.run, f"log:{state.seq}:{user}", state.seq)
