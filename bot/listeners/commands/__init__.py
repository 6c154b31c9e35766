"""``/vb …``: what a person types.

The one rule: parse, ask whether they may, ask the engine once, acknowledge, render. What was recorded was recorded
before the acknowledgement, and the acknowledgement carries the answer, which only they see.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from bot.blocks import guide, replies
from bot.blocks.kit import Message, clip, escape
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands import (
    auditing,
    budgets,
    gates,
    keys,
    links,
    operating,
    roles,
    runs,
    schedules,
    switches,
    workflows,
)
from bot.listeners.commands.typed import Afterwards, Answer, Listener, Typed
from bot.listeners.desk import Ack, Desk, NotInTime, ephemeral
from bot.listeners.previewing import show
from bot.people.directory import Unreadable
from engine.core.errors import EngineError
from engine.core.words import did_you_mean

log = logging.getLogger(__name__)

HELP = "help"
_NOT_CERTAIN = {
    "run": replies.START_NOT_IN_TIME,
    "fork": replies.START_NOT_IN_TIME,
    "retry": replies.RETRY_NOT_IN_TIME,
}
"""Words that do more if they are typed again: where the database does not answer, it may have been done."""


async def _help(desk: Desk, typed: Typed) -> Answer:
    wanted = typed.rest.split()[0].lower() if typed.rest else ""
    if not wanted:
        return guide.usage(typed.command)
    if wanted in WORDS:
        return guide.about(typed.command, WORDS[wanted])
    return guide.incomplete(
        typed.command, WORDS[HELP], f"There is no word {_said(wanted)}; {did_you_mean(wanted, WORDS)}"
    )


LISTENERS: Mapping[str, Listener] = {
    "run": workflows.run,
    "list": workflows.list_workflows,
    "runs": runs.list_runs,
    "status": runs.status,
    "pause": operating.pause,
    "resume": operating.resume,
    "cancel": operating.cancel,
    "retry": operating.retry,
    "fork": operating.fork,
    "redrive": operating.redrive,
    "approve": gates.approve,
    "deny": gates.deny,
    "edit": gates.edit,
    "request-changes": gates.request_changes,
    "snooze": gates.snooze,
    "delegate": gates.delegate,
    "schedule": schedules.schedule,
    "kill": switches.kill,
    "lift": switches.lift,
    "audit": auditing.audit,
    "budget": budgets.budget,
    "roles": roles.roles,
    "keys": keys.keys,
    "secrets": keys.secrets,
    "link": links.link,
    "unlink": links.unlink,
    HELP: _help,
}
"""What answers each word of the vocabulary."""


async def answer(desk: Desk, typed: Typed) -> Answer:
    """The answer to a command; every way in which it can fail, in words for the person."""
    try:
        return await desk.in_time(_answer(desk, typed))
    except (EngineError, Unreadable) as error:
        return replies.said(escape(str(error)))
    except NotInTime:
        sentence = _NOT_CERTAIN.get(typed.word, replies.ASK_NOT_IN_TIME)
        return replies.said(sentence.format(command=typed.command))
    except Exception:
        log.exception("%s %s failed", typed.command, typed.word)
        return replies.said(replies.UNEXPECTED)


async def _answer(desk: Desk, typed: Typed) -> Answer:
    typed = await typed.read(desk.directory)
    listener = LISTENERS.get(typed.word or HELP)
    if listener is None:
        return guide.unknown_word(typed.command, typed.word, desk.engine.workflows)
    if typed.rest.lower() == HELP:
        return guide.about(typed.command, WORDS[typed.word])
    return await listener(desk, typed)


class Commands:
    """The listener of the command."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def command(self, ack: Ack, body: dict[str, Any]) -> None:
        """Answer in the acknowledgement; a form is opened after it."""
        typed = Typed.of(body)
        answered = await answer(self._desk, typed)
        if isinstance(answered, Message):
            await ack(**ephemeral(answered))
            return
        await ack()
        if isinstance(answered, Afterwards):
            await answered.work()
        elif answered is not None:
            await show(self._desk, typed.where, typed.trigger_id, answered)


def _said(word: str) -> str:
    return f"`{escape(clip(word, 40)).replace('`', '')}`"


__all__ = ["LISTENERS", "Commands", "answer"]
