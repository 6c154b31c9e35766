"""Forms that were sent to start something: the picked workflow, the inputs of a run; and forms that nobody knows.

The one rule: what was entered is never lost to a mistake; the form stays open with the problem at its field, until what
it was for is recorded or has become impossible.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from bot.blocks import forms, replies, start_forms
from bot.blocks.forms import Place, View
from bot.blocks.kit import escape
from bot.listeners.answers import CLOSED, Answer, replaced, told, wrong
from bot.listeners.desk import Ack, Desk, NotInTime, Where
from bot.listeners.naming import with_ids
from bot.listeners.previewing import complete, start_form
from bot.listeners.starting import BadInputs, NotStarted, Started, Wanted, start
from bot.people.directory import Unreadable
from engine.core.definition import Workflow
from engine.core.errors import EngineError

log = logging.getLogger(__name__)


class Views:
    """The listeners of these forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def unknown(self, ack: Ack, body: dict[str, Any]) -> None:
        """Say that a form is none of this release's; what was entered stays, for the release that knows it."""
        fields = [block["block_id"] for block in body["view"]["blocks"] if block["type"] == "input"]
        said = replies.UNKNOWN_FORM
        await ack(**(wrong({fields[0]: said}) if fields else told("Nothing was changed", said)))

    # Starting

    async def pick(self, ack: Ack, body: dict[str, Any]) -> None:
        """The picker leads to the form of the picked workflow."""
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        try:
            workflow = self._desk.engine.workflow(start_forms.read_picker(view["state"]["values"]))
            answer = await self._inputs_of(workflow, place, f"view:{view['id']}")
        except (EngineError, Unreadable) as error:
            answer = told("Not started", escape(str(error)))
        await ack(**answer)
        await complete(self._desk, answer["view"])

    async def _inputs_of(self, workflow: Workflow, place: Place, key: str) -> Answer:
        if not start_forms.can_be_shown(workflow):
            command = replies.example("/vb", workflow)
            return told(workflow.name, f"It has too many inputs for a form. Type `{command}` with those that you need.")
        message = start_forms.from_message(workflow, place)
        given = await self._desk.from_slack(with_ids(self._desk.directory, workflow.input, message))
        about = replace(place, about=workflow.name)
        return replaced(await start_form(self._desk, workflow, about, given, {}, (), key))

    async def start(self, ack: Ack, body: dict[str, Any]) -> None:
        """The form's run is started; one form starts one run, however often it is delivered."""
        try:
            answer = await self._desk.in_time(self._start(body))
        except (EngineError, Unreadable) as error:
            answer = told("Not started", escape(str(error)))
        except NotInTime:
            answer = told("Not certain", replies.START_NOT_IN_TIME.format(command="/vb"))
        except Exception:
            log.exception("A form could not be taken")
            answer = told("Not started", replies.UNEXPECTED)
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
                return told("Not started", message.text)
            case BadInputs(problems):
                return self._correct(workflow, place, view, given, problems)

    def _correct(
        self, workflow: Workflow, place: Place, view: View, given: dict[str, str], problems: dict[str, str]
    ) -> Answer:
        """The problems at their fields; if the workflow has changed since the form was made, a form that fits it."""
        shown = {block["block_id"] for block in view["blocks"]}
        if all(forms.block_of(name) in shown for name in problems):
            return wrong({forms.block_of(name): problem for name, problem in problems.items()})
        notes = [problem for name, problem in problems.items() if name not in workflow.input]
        return replaced(start_forms.start_form(workflow, place, given, problems, notes))
