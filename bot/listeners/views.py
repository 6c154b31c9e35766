"""Forms that were sent: the picked workflow, the inputs of a start, the reason of a denial.

The one rule: what was entered is never lost to a mistake; the form stays open with the problem at its field, until what
it was for is recorded or has become impossible.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from bot.blocks import forms, gate_forms, replies, start_forms
from bot.blocks.forms import Place, View
from bot.blocks.kit import escape
from bot.directory import Unreadable
from bot.listeners.deciding import Refusal, decide
from bot.listeners.desk import Ack, Desk, NotInTime, Where
from bot.listeners.naming import with_ids
from bot.listeners.starting import BadInputs, NotStarted, Started, Wanted, start
from engine.core.definition import Workflow
from engine.core.errors import EngineError

log = logging.getLogger(__name__)
Answer = dict[str, Any]
"""What becomes of the form: closed (nothing), replaced, or left open with errors at its fields."""

CLOSED: Answer = {}


def _replaced(view: View) -> Answer:
    return {"response_action": "update", "view": view}


def _wrong(errors: dict[str, str]) -> Answer:
    return {"response_action": "errors", "errors": errors}


def _told(title: str, markup: str) -> Answer:
    return _replaced(forms.notice(title, markup))


class Views:
    """The listeners of the three forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    # Starting

    async def pick(self, ack: Ack, body: dict[str, Any]) -> None:
        """The picker leads to the form of the picked workflow."""
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        try:
            workflow = self._desk.engine.workflow(start_forms.read_picker(view["state"]["values"]))
            await ack(**await self._inputs_of(workflow, place))
        except (EngineError, Unreadable) as error:
            await ack(**_told("Not started", escape(str(error))))

    async def _inputs_of(self, workflow: Workflow, place: Place) -> Answer:
        if not start_forms.can_be_shown(workflow):
            command = replies.example("/vb", workflow)
            return _told(
                workflow.name, f"It has too many inputs for a form. Type `{command}` with those that you need."
            )
        message = start_forms.from_message(workflow, place)
        given = await self._desk.from_slack(with_ids(self._desk.directory, workflow.input, message))
        return _replaced(start_forms.start_form(workflow, replace(place, about=workflow.name), given, {}))

    async def start(self, ack: Ack, body: dict[str, Any]) -> None:
        """The form's run is started; one form starts one run, however often it is delivered."""
        try:
            answer = await self._desk.in_time(self._start(body))
        except (EngineError, Unreadable) as error:
            answer = _told("Not started", escape(str(error)))
        except NotInTime:
            answer = _told("Not certain", replies.START_NOT_IN_TIME.format(command="/vb"))
        except Exception:
            log.exception("A form could not be taken")
            answer = _told("Not started", replies.UNEXPECTED)
        await ack(**answer)

    async def _start(self, body: dict[str, Any]) -> Answer:
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        given = forms.read_fields(view["state"]["values"])
        workflow = self._desk.engine.workflow(place.about)
        channel = place.channel or start_forms.read_channel(view["state"]["values"])
        where = Where(body["user"]["id"], channel, place.thread)
        wanted = Wanted(workflow, given, where, f"slack:view:{view['id']}")
        match await start(self._desk, wanted):
            case Started():
                return CLOSED
            case NotStarted(message):
                return _told("Not started", message.text)
            case BadInputs(problems):
                return self._correct(workflow, place, view, given, problems)

    def _correct(
        self, workflow: Workflow, place: Place, view: View, given: dict[str, str], problems: dict[str, str]
    ) -> Answer:
        """The problems at their fields; if the workflow has changed since the form was made, a form that fits it."""
        shown = {block["block_id"] for block in view["blocks"]}
        if all(forms.block_of(name) in shown for name in problems):
            return _wrong({forms.block_of(name): problem for name, problem in problems.items()})
        notes = [problem for name, problem in problems.items() if name not in workflow.input]
        return _replaced(start_forms.start_form(workflow, place, given, problems, notes))

    # Denying

    async def deny(self, ack: Ack, body: dict[str, Any]) -> None:
        """The denial is recorded with its reason."""
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        reason = gate_forms.read_reason(view["state"]["values"])
        if not reason:
            await ack(**_wrong({gate_forms.REASON_BLOCK: "Write why, for those who wait for this run."}))
            return
        outcome = await decide(self._desk, place.about, body["user"]["id"], granted=False, reason=reason)
        await ack(**(_refused(outcome) if isinstance(outcome, Refusal) else CLOSED))


def _refused(refusal: Refusal) -> Answer:
    if refusal.passing:
        return _wrong({gate_forms.REASON_BLOCK: refusal.message.text})
    return _told("Not denied", refusal.message.text)
