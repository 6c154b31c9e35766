"""Answers where a step does not go on by itself: buttons, each of which opens a form, and the forms.

The one rule: an answer is one command of the engine about the question that was shown; whoever comes second, or late,
is told who has answered what.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import JsonValue

from bot.blocks import question_forms as forms
from bot.blocks import questions, replies
from bot.blocks.forms import Place, View
from bot.blocks.gate_forms import REASON_BLOCK, read_reason, shown
from bot.blocks.kit import Message, escape
from bot.blocks.replies import said
from bot.listeners.actions import Click
from bot.listeners.answers import CLOSED, Answer, replaced, wrong
from bot.listeners.desk import Ack, Desk, NotInTime, actor
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from engine.core import commands as c
from engine.core.errors import EngineError
from engine.core.events import Actor, SettledAs
from engine.core.questions import OpenQuestion
from engine.core.state import RunState

log = logging.getLogger(__name__)

T = TypeVar("T")

FORMS: Mapping[str, Callable[[RunState, OpenQuestion, Place], View]] = {
    questions.HAPPENED: forms.happened_form,
    questions.AGAIN: forms.again_form,
    questions.RETRY: forms.retry_form,
    questions.ACCEPT: forms.accept_form,
    questions.FAIL: forms.fail_form,
}
"""The form that each button opens."""

NEEDED: Mapping[SettledAs, Act] = {
    "happened": Act.VOUCH,
    "did_not_happen": Act.VOUCH,
    "retry": Act.SETTLE,
    "accept": Act.ACCEPT,
    "fail": Act.SETTLE,
}
"""What whoever gives the answer has to be allowed."""

ANSWERS: Mapping[str, SettledAs] = {
    questions.HAPPENED: "happened",
    questions.AGAIN: "did_not_happen",
    questions.RETRY: "retry",
    questions.ACCEPT: "accept",
    questions.FAIL: "fail",
}
"""The answer that each button is about."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """An open question, and the person who may answer it so."""

    state: RunState
    seq: int
    open: OpenQuestion
    by: Actor


@dataclass(frozen=True, slots=True)
class _Unanswered:
    """Nothing was recorded, and why. ``passing``: the same form may succeed in a moment."""

    message: Message
    passing: bool = False


class Answering:
    """The listeners of the buttons and the forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def open_form(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the form of the button, for those who may send it."""
        click = Click.of(body)
        asking = await self._guarded(self._check(click.value, click.where.user, ANSWERS[click.action]))
        await ack()
        if isinstance(asking, _Unanswered):
            await self._desk.tell(click.where, click.trigger_id, asking.message)
        elif not await self._desk.open(click.trigger_id, FORMS[click.action](asking.state, asking.open, click.place)):
            await self._desk.tell(click.where, click.trigger_id, said(replies.FORM_NOT_OPENED))

    async def happened(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._sent(ack, body, "happened")

    async def again(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._sent(ack, body, "did_not_happen")

    async def retry(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._sent(ack, body, "retry")

    async def accept(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._sent(ack, body, "accept")

    async def fail(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._sent(ack, body, "fail")

    async def _sent(self, ack: Ack, body: dict[str, Any], answer: SettledAs) -> None:
        """Close the form once the answer is recorded; else say what is wrong at its field."""
        outcome = await self._guarded(self._answer(body, answer))
        if isinstance(outcome, _Unanswered) and outcome.passing:
            outcome = wrong({REASON_BLOCK: outcome.message.text})
        elif isinstance(outcome, _Unanswered):
            outcome = replaced(shown("Nothing was changed", outcome.message))
        await ack(**outcome)

    async def _answer(self, body: dict[str, Any], answer: SettledAs) -> Answer | _Unanswered:
        view, user = body["view"], body["user"]["id"]
        values, place = view["state"]["values"], Place.unpacked(view["private_metadata"])
        asking = await self._check(place.about, user, answer)
        if isinstance(asking, _Unanswered):
            return asking
        result, problems = _entered(answer, asking.open, values)
        if problems:
            return wrong(forms.problem_blocks(problems, asking.open))
        reply = await self._desk.engine.operations.settle(
            asking.state.run,
            asking.open.step,
            answer,
            by=asking.by,
            result=result,
            reason=read_reason(values),
            asked=asking.seq,
        )
        match reply:
            case c.Accepted():
                return CLOSED
            case c.InvalidFields(problems):
                return wrong(forms.problem_blocks(problems, asking.open))
            case c.NotAllowed(why) if answer == "retry" and await self._is_open(asking):
                return wrong(forms.problem_blocks({asking.open.names[0]: why}, asking.open))
            case _:
                return await self._closed(asking.state.run, asking.seq)

    async def _check(self, value: str, user: str, answer: SettledAs) -> _Asking | _Unanswered:
        """Whether ``user`` may answer so now."""
        run, seq = questions.read_click(value)
        state = await self._desk.engine.state(run)
        verdict = await self._desk.from_slack(self._desk.roles.may_with(NEEDED[answer], user, state))
        if isinstance(verdict, Refused):
            return _Unanswered(said(verdict.sentence))
        path = questions.asked_at(state, seq)
        if path is None:
            return await self._closed(run, seq)
        open_ = await self._desk.engine.operations.questions.open(state, path)
        return _Asking(state, seq, open_, actor(verdict.person))

    async def _is_open(self, asking: _Asking) -> bool:
        return questions.asked_at(await self._desk.engine.state(asking.state.run), asking.seq) is not None

    async def _closed(self, run: str, seq: int) -> _Unanswered:
        """Who has answered what, or that the run went on without an answer."""
        asked = questions.Asked()
        for recorded in await self._desk.engine.history(run):
            asked.read(recorded)
        known = asked.known.get(seq)
        if known is None:
            return _Unanswered(said("There is no such question. Nothing was changed."))
        return _Unanswered(forms.answered_before(known))

    async def _guarded(self, outcome: Awaitable[T | _Unanswered]) -> T | _Unanswered:
        """Every way in which it can fail, in words for the person."""
        try:
            return await self._desk.in_time(outcome)
        except NotInTime:
            return _Unanswered(said(replies.NOT_IN_TIME), passing=True)
        except (EngineError, Unreadable) as error:
            return _Unanswered(said(escape(f"{error} Nothing was changed.")), passing=True)
        except Exception:
            log.exception("An answer to a question failed")
            return _Unanswered(said(replies.UNEXPECTED), passing=True)


def _entered(answer: SettledAs, open_: OpenQuestion, values: Mapping[str, Any]) -> tuple[JsonValue, dict[str, str]]:
    """What a form says beside the reason, and one sentence for each of its values that cannot be read."""
    match answer:
        case "happened":
            return forms.read_result(open_, values)
        case "retry":
            return forms.read_changes(open_, values)
        case _:
            return None, {}
