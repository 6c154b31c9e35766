"""``/vb …``: what a person types.

The one rule: parse, ask the engine once, acknowledge, render. What was recorded was recorded before the
acknowledgement, and the acknowledgement carries the answer, which only they see.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from bot.blocks import forms, replies
from bot.blocks.card import card
from bot.blocks.kit import Message, escape
from bot.directory import Unreadable
from bot.listeners.desk import Ack, Desk, NotInTime, Where, actor, ephemeral
from bot.listeners.mentioned import as_typed, unescape
from bot.listeners.starting import BadInputs, NotStarted, Wanted, start
from bot.policy import Act, Refused
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.errors import EngineError
from engine.core.inputs import parse_pairs

log = logging.getLogger(__name__)

LISTED = 12


@dataclass(frozen=True, slots=True)
class Typed:
    """A command as it was delivered: ``word`` is the first word after it, ``rest`` what follows."""

    command: str
    word: str
    rest: str
    user: str
    channel: str
    trigger_id: str
    response_url: str

    @classmethod
    def of(cls, payload: dict[str, str]) -> Typed:
        word, rest = _split(payload.get("text", ""))
        return cls(
            payload["command"],
            word.lower(),
            rest,
            payload["user_id"],
            payload["channel_id"],
            payload["trigger_id"],
            payload.get("response_url", ""),
        )


def _split(text: str) -> tuple[str, str]:
    """The first word, and what follows it."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, rest[0].strip() if rest else ""


Answer = Message | forms.View | None
"""A message for the person, a modal to open, or nothing to say."""


class Commands:
    """Answers the command. Every word has one method."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._words: dict[str, Callable[[Typed], Awaitable[Answer]]] = {
            "run": self._run,
            "list": self._list,
            "runs": self._runs,
            "status": self._status,
            "cancel": self._cancel,
            "help": self._help,
            "": self._help,
        }

    async def command(self, ack: Ack, body: dict[str, Any]) -> None:
        """The listener."""
        typed = Typed.of(body)
        answer = await self._answer(typed)
        if isinstance(answer, Message):
            await ack(**ephemeral(answer))
            return
        await ack()
        if answer is not None and not await self._desk.open(typed.trigger_id, answer):
            where = Where(typed.user, typed.channel, response_url=typed.response_url)
            await self._desk.whisper(where, replies.said(replies.FORM_NOT_OPENED))

    async def _answer(self, typed: Typed) -> Answer:
        try:
            return await self._desk.in_time(self._take(typed))
        except (EngineError, Unreadable) as error:
            return replies.said(escape(str(error)))
        except NotInTime:
            sentence = replies.START_NOT_IN_TIME if typed.word == "run" else replies.ASK_NOT_IN_TIME
            return replies.said(sentence.format(command=typed.command))
        except Exception:
            log.exception("%s %s failed", typed.command, typed.word)
            return replies.said(replies.UNEXPECTED)

    async def _take(self, typed: Typed) -> Answer:
        rest = await as_typed(typed.rest, self._desk.directory)
        return await self._words.get(typed.word, self._unknown)(replace(typed, rest=rest))

    # Words

    async def _run(self, typed: Typed) -> Answer:
        name, inputs = _split(typed.rest)
        if not name:
            return await self._pick(typed)
        workflow = self._desk.engine.workflow(name)
        given, notes = parse_pairs(inputs)
        if notes:
            return self._form(workflow, typed, given, {}, notes)
        wanted = Wanted(workflow, given, typed.user, typed.channel, f"slack:{typed.trigger_id}")
        match await start(self._desk, wanted):
            case BadInputs(problems):
                return self._form(workflow, typed, given, problems, [])
            case NotStarted(message):
                return message
            case _:
                return None

    def _form(
        self, workflow: Workflow, typed: Typed, given: dict[str, str], problems: dict[str, str], notes: list[str]
    ) -> Answer:
        """The form for what is missing or wrong; a sentence where a form would have no field for it."""
        notes = [*notes, *(problem for name, problem in problems.items() if name not in workflow.input)]
        if not workflow.input or not forms.can_be_shown(workflow):
            said = "; ".join(dict.fromkeys([*notes, *problems.values()]))
            example = replies.example(typed.command, workflow)
            return replies.mistake(f"{workflow.name} was not started: {escape(said)}.", example)
        wrong = {name: problem for name, problem in problems.items() if name in given}
        return forms.start_form(workflow, forms.Place(typed.channel, workflow.name), given, wrong, notes)

    async def _pick(self, typed: Typed) -> Answer:
        verdict = await self._desk.roles.may(Act.START, typed.user)
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        known = list(self._desk.engine.workflows.values())
        return forms.picker(known, forms.Place(typed.channel)) if known else replies.no_workflows()

    async def _list(self, typed: Typed) -> Answer:
        return replies.workflows(typed.command, list(self._desk.engine.workflows.values()))

    async def _runs(self, typed: Typed) -> Answer:
        workflow = self._desk.engine.workflow(typed.rest).name if typed.rest else ""
        found = await self._desk.engine.runs(workflow=workflow or None, limit=LISTED)
        return replies.runs(typed.command, found, workflow)

    async def _status(self, typed: Typed) -> Answer:
        if not typed.rest:
            return await self._which_run(typed)
        return card(await self._desk.run(await self._desk.engine.find(typed.rest)))

    async def _cancel(self, typed: Typed) -> Answer:
        ref, reason = _split(typed.rest)
        if not ref:
            return await self._which_run(typed)
        state = await self._desk.run(await self._desk.engine.find(ref))
        verdict = await self._desk.roles.may_with(Act.CANCEL, typed.user, state)
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        reply = await self._desk.engine.cancel(state.run, by=actor(verdict.person), reason=unescape(reason))
        if isinstance(reply, c.Ended):
            return replies.ended_before(await self._desk.run(state.run))
        return replies.stopping(state)

    async def _which_run(self, typed: Typed) -> Answer:
        return replies.needs_a_run(typed.command, typed.word, await self._desk.engine.runs(limit=1))

    async def _help(self, typed: Typed) -> Answer:
        return replies.usage(typed.command)

    async def _unknown(self, typed: Typed) -> Answer:
        return replies.unknown_word(typed.command, typed.word, self._desk.engine.workflows)
