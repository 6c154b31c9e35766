"""Clicks on the buttons of a gate, in a channel, a direct message or the App Home.

The one rule: an approval is recorded before its click is acknowledged; the message then changes by itself, because the
run's thread follows the log. Every other button only opens a form, and records nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.blocks import gate_forms, gate_replies, replies
from bot.blocks.approval import CHANGES, DELEGATE, DENY, EDIT, SNOOZE
from bot.blocks.forms import Place, View
from bot.blocks.replies import said
from bot.listeners.deciding import Refusal, act, check
from bot.listeners.desk import Ack, Desk, Where
from bot.people.acts import Asking, vote


@dataclass(frozen=True, slots=True)
class Click:
    """A click on a button, as it was delivered. In the App Home there is no channel to answer in."""

    action: str
    value: str
    where: Where
    trigger_id: str

    @classmethod
    def of(cls, body: dict[str, Any]) -> Click:
        container = body["container"]
        message: dict[str, Any] = body.get("message") or {}  # an ephemeral message is not sent along
        thread = container.get("thread_ts") or message.get("thread_ts", "")
        where = Where(body["user"]["id"], container.get("channel_id", ""), thread, body.get("response_url", ""))
        clicked = body["actions"][0]
        return cls(clicked["action_id"], clicked.get("value", ""), where, body["trigger_id"])

    @property
    def place(self) -> Place:
        return Place(self.where.channel, self.value, self.where.thread)


FORMS: Mapping[str, Callable[[Asking, Place], View]] = {
    DENY: lambda asking, place: gate_forms.deny_form(asking.state, asking.gate, place),
    EDIT: lambda asking, place: gate_forms.edit_form(asking.gate, asking.editable, place),
    CHANGES: lambda asking, place: gate_forms.changes_form(asking.state, asking.gate, place),
    DELEGATE: lambda asking, place: gate_forms.delegate_form(asking.gate, place),
    SNOOZE: lambda asking, place: gate_forms.snooze_form(asking.gate, place),
}
"""The form that each button opens."""


class Actions:
    """The listeners of the buttons."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def approve(self, ack: Ack, body: dict[str, Any]) -> None:
        """Record the approval; ask for its reason first, where the gate wants one."""
        click = Click.of(body)
        outcome = await act(self._desk, click.value, click.where.user, vote(granted=True))
        await ack()
        if not isinstance(outcome, Refusal):
            return
        if outcome.wants_reason is None:
            await self._desk.tell(click.where, click.trigger_id, outcome.message)
        else:
            await self._open(
                click, gate_forms.approve_form(outcome.wants_reason.state, outcome.wants_reason.gate, click.place)
            )

    async def open_form(self, ack: Ack, body: dict[str, Any]) -> None:
        """Open the form of the button, for those who may send it."""
        click = Click.of(body)
        outcome = await check(self._desk, click.value, click.where.user)
        await ack()
        if isinstance(outcome, Refusal):
            await self._desk.tell(click.where, click.trigger_id, outcome.message)
        else:
            await self._open(click, FORMS[click.action](outcome, click.place))

    async def show(self, ack: Ack, body: dict[str, Any]) -> None:
        """Show all that is decided on, to those who may decide."""
        click = Click.of(body)
        outcome = await check(self._desk, click.value, click.where.user)
        await ack()
        if isinstance(outcome, Refusal):
            await self._desk.tell(click.where, click.trigger_id, outcome.message)
        else:
            request = gate_replies.whole(outcome.state, outcome.step, outcome.gate)
            await self._open(click, gate_forms.shown("Request", request))

    async def unknown(self, ack: Ack, body: dict[str, Any]) -> None:
        """Say that a button is none of this release's, as it may be while one release takes over from another."""
        click = Click.of(body)
        await ack()
        await self._desk.tell(click.where, click.trigger_id, said(replies.UNKNOWN_BUTTON))

    async def _open(self, click: Click, view: View) -> None:
        if not await self._desk.open(click.trigger_id, view):
            await self._desk.tell(click.where, click.trigger_id, said(replies.FORM_NOT_OPENED))
