"""Answers where no worker has the code of a step: the run uses other code, or a new one does the rest.

The one rule: a button only opens a form; what is sent is one command of the engine, about the code that was asked
about, and refused once nobody misses that any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks import code_forms as forms
from bot.blocks import operated, questions, replies
from bot.blocks.forms import Place
from bot.blocks.gate_forms import read_reason, shown
from bot.blocks.kit import Message
from bot.blocks.replies import said
from bot.listeners.actions import Click
from bot.listeners.answers import CLOSED, Answer, replaced, told, wrong
from bot.listeners.commands.operating import may_fork, workflow_of
from bot.listeners.desk import Ack, Desk, Where, actor
from bot.listeners.steering import guarded
from bot.people.policy import Act, Refused
from engine.core import commands as c
from engine.core.errors import InvalidInput
from engine.core.events import Actor
from engine.core.state import RunState


@dataclass(frozen=True, slots=True)
class _Asking:
    """A step that asks about code, and the person who may say how it goes on."""

    state: RunState
    path: str
    by: Actor

    @property
    def uses(self) -> str:
        return questions.code_of(self.state, self.path)


class Recoding:
    """The listeners of the buttons and the forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def open_use(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the form that asks for other code, for those who may send it."""
        await self._open(ack, body, Act.MAP)

    async def open_fork(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the form that asks from where a new run does the rest, for those who may start it."""
        await self._open(ack, body, Act.FORK)

    async def use(self, ack: Ack, body: dict[str, Any]) -> None:
        """Let the run use the other code."""
        await self._sent(ack, body, Act.MAP)

    async def fork(self, ack: Ack, body: dict[str, Any]) -> None:
        """Start the new run, in the same channel."""
        await self._sent(ack, body, Act.FORK)

    async def _open(self, ack: Ack, body: dict[str, Any], act: Act) -> None:
        click = Click.of(body)
        asking = await guarded(self._desk, self._check(click.value, click.where.user, act))
        await ack()
        if isinstance(asking, _Asking):
            asking = await self._form(asking, act, click)
        if asking is not None:
            await self._desk.tell(click.where, click.trigger_id, asking)

    async def _form(self, asking: _Asking, act: Act, click: Click) -> Message | None:
        """Open the form; or what is to be said instead."""
        if act is Act.MAP:
            codes = self._desk.engine.operations.questions.codes(asking.state, asking.uses)
            if not codes:
                return operated.no_other_code(asking.path, asking.uses)
            view = forms.use_form(asking.state, asking.path, asking.uses, codes, click.place)
        else:
            plan = self._desk.engine.definitions.plan(workflow_of(self._desk, asking.state))
            view = forms.fork_form(asking.state, asking.path, asking.uses, plan, click.place)
        opened = await self._desk.open(click.trigger_id, view)
        return None if opened else said(replies.FORM_NOT_OPENED)

    async def _sent(self, ack: Ack, body: dict[str, Any], act: Act) -> None:
        """Close the form once it is recorded; else say what is wrong at its field, or why nothing was done."""
        outcome = await guarded(self._desk, self._do(body, act))
        await ack(**(replaced(shown("Nothing was changed", outcome)) if isinstance(outcome, Message) else outcome))

    async def _do(self, body: dict[str, Any], act: Act) -> Answer | Message:
        view, user = body["view"], body["user"]["id"]
        place, values = Place.unpacked(view["private_metadata"]), view["state"]["values"]
        asking = await self._check(place.about, user, act)
        if isinstance(asking, Message):
            return asking
        if act is Act.MAP:
            return await self._use(asking, forms.chosen(forms.CODE, values), read_reason(values))
        return await self._fork(asking, forms.chosen(forms.STEP, values), Where(user, place.channel), view["id"])

    async def _use(self, asking: _Asking, code: str, reason: str) -> Answer | Message:
        run, operations = asking.state.run, self._desk.engine.operations
        reply = await operations.recode(run, {asking.uses: code}, by=asking.by, reason=reason)
        if isinstance(reply, c.NotAllowed):
            return wrong(forms.wrong_at(forms.CODE, reply.reason))
        return operated.refused(await self._desk.engine.state(run), reply) or CLOSED

    async def _fork(self, asking: _Asking, step: str, where: Where, form: str) -> Answer | Message:
        starts = await may_fork(self._desk, where.user, asking.state)
        if isinstance(starts, Refused):
            return said(starts.sentence)
        state, origin = asking.state, self._desk.origin(where)
        definition = workflow_of(self._desk, state).hash
        try:
            begun = await self._desk.engine.operations.fork(
                state.run, step, by=asking.by, definition=definition, origin=origin, dedupe_key=f"fork:{form}"
            )
        except InvalidInput as unfit:
            return wrong(forms.wrong_at(forms.STEP, str(unfit)))
        if isinstance(begun, c.NotAllowed):
            return wrong(forms.wrong_at(forms.STEP, begun.reason))
        new = await self._desk.engine.state(begun.run)
        return told("Started", operated.forked(step, state, new).text)

    async def _check(self, value: str, user: str, act: Act) -> _Asking | Message:
        """Whether ``user`` may say so now; if not, why."""
        run, seq = questions.read_click(value)
        state = await self._desk.engine.state(run)
        verdict = await self._desk.from_slack(self._desk.roles.may_with(act, user, state))
        if isinstance(verdict, Refused):
            return said(verdict.sentence)
        path = questions.asked_at(state, seq)
        if path is None or not state.step(path).missing or not questions.can_be_recoded(state):
            return operated.not_so_any_more(state)
        return _Asking(state, path, actor(verdict.person))
