"""Forms about a gate that were sent: reasons, edits, changes asked for, delegations, snoozes.

The one rule: what was entered is never lost to a mistake; the form stays open with the problem at its field, until what
it was for is recorded or has become impossible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks import gate_forms as forms
from bot.blocks import gate_replies
from bot.blocks.forms import Place, block_of, read_fields
from bot.blocks.replies import NOT_IN_TIME
from bot.listeners.answers import CLOSED, Answer, replaced, wrong
from bot.listeners.deciding import Recorded, Refusal, act, check
from bot.listeners.desk import Ack, Desk, NotInTime
from bot.people.acts import Act, delegate, edit, request_changes, snooze, vote
from bot.people.authority import actor
from bot.people.directory import Unreadable
from engine.core.errors import EngineError
from engine.core.events import Actor


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was delivered."""

    user: str
    place: Place
    values: dict[str, Any]

    @classmethod
    def of(cls, body: dict[str, Any]) -> Sent:
        view = body["view"]
        return cls(body["user"]["id"], Place.unpacked(view["private_metadata"]), view["state"]["values"])


class GateForms:
    """The listeners of the forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def approve(self, ack: Ack, body: dict[str, Any]) -> None:
        sent = Sent.of(body)
        await ack(**await self._do(sent, vote(granted=True, reason=forms.read_reason(sent.values)), "Not approved"))

    async def deny(self, ack: Ack, body: dict[str, Any]) -> None:
        sent = Sent.of(body)
        await ack(**await self._do(sent, vote(granted=False, reason=forms.read_reason(sent.values)), "Not denied"))

    async def changes(self, ack: Ack, body: dict[str, Any]) -> None:
        sent = Sent.of(body)
        await ack(**await self._do(sent, request_changes(forms.read_reason(sent.values)), "Not sent back"))

    async def snooze(self, ack: Ack, body: dict[str, Any]) -> None:
        sent = Sent.of(body)
        until = self._desk.engine.clock.now() + forms.read_pause(sent.values)
        await ack(**await self._do(sent, snooze(until), "Not snoozed", forms.PAUSE_BLOCK))

    async def edit(self, ack: Ack, body: dict[str, Any]) -> None:
        """The values are changed; what that changed is shown, to be approved as it is then."""
        sent = Sent.of(body)
        outcome = await act(self._desk, sent.place.about, sent.user, edit(read_fields(sent.values)))
        await ack(**await self._edited(sent, outcome))

    async def _edited(self, sent: Sent, outcome: Recorded | Refusal) -> Answer:
        if isinstance(outcome, Refusal):
            first = next(iter(read_fields(sent.values)), "")
            if outcome.problems:
                return wrong({block_of(name): problem for name, problem in outcome.problems.items()})
            return _refused(outcome, "Not changed", block_of(first))
        asking = outcome.asking
        state = await self._desk.engine.state(asking.state.run)
        now = state.step(asking.step).gate
        if now is None or now.edited is None:
            return CLOSED
        return replaced(forms.edited_form(state, asking.step, asking.gate, now, sent.place))

    async def delegate(self, ack: Ack, body: dict[str, Any]) -> None:
        """Somebody else may decide."""
        sent = Sent.of(body)
        chosen = forms.read_person(sent.values)
        try:
            person = await self._desk.from_slack(self._desk.directory.person(chosen))
        except Unreadable as error:
            await ack(**wrong({forms.PERSON_BLOCK: str(error)}))
            return
        if person is None or person.standing != "member":
            await ack(**wrong({forms.PERSON_BLOCK: gate_replies.NO_DELEGATE}))
            return
        what = delegate(actor(person), forms.read_reason(sent.values))
        refused = await self._for_a_period(sent, actor(person))
        await ack(**(refused or await self._do(sent, what, "Not delegated", forms.PERSON_BLOCK)))

    async def _for_a_period(self, sent: Sent, to: Actor) -> Answer | None:
        """Let ``to`` decide elsewhere too, if the form says until when; what the form says if that cannot be."""
        until = forms.read_until(sent.values)
        if until is None:
            return None
        asking = await check(self._desk, sent.place.about, sent.user)
        if isinstance(asking, Refusal):
            return _refused(asking, "Not delegated", forms.PERSON_BLOCK)
        reason = forms.read_reason(sent.values)
        try:
            await self._desk.in_time(self._desk.engine.gates.delegate(to, until, by=asking.right.by, reason=reason))
        except NotInTime:
            return wrong({forms.UNTIL_BLOCK: NOT_IN_TIME})
        except EngineError as error:
            return wrong({forms.UNTIL_BLOCK: str(error)})
        return None

    async def _do(self, sent: Sent, what: Act, failed: str, block: str = forms.REASON_BLOCK) -> Answer:
        """Close the form once ``what`` is recorded; ``block`` shows why it is not, if it may be yet."""
        outcome = await act(self._desk, sent.place.about, sent.user, what)
        return CLOSED if isinstance(outcome, Recorded) else _refused(outcome, failed, block)


def _refused(refusal: Refusal, title: str, block: str) -> Answer:
    if refusal.passing or refusal.wants_reason is not None:
        return wrong({block: refusal.message.text})
    return replaced(forms.shown(title, refusal.message))
