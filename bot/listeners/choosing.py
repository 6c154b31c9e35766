"""Lists that Slack asks for while somebody types into a form, and the form that a run is chosen in.

The one rule: a list has only what the person may see, and one that cannot be had in time is empty; what is chosen is
then checked as if it had been typed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Any

from bot.blocks import forms, start_forms
from bot.blocks.forms import Place
from bot.blocks.kit import Block, Message
from bot.listeners.commands import answer
from bot.listeners.commands.typed import Typed
from bot.listeners.desk import Ack, Desk, NotInTime, Where
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from engine.core.errors import EngineError
from engine.store import RunFilter

log = logging.getLogger(__name__)

COMMAND = "/vb"
AT_GATES = frozenset({"approve", "deny", "edit"})
"""Words that are about a run which waits for a decision."""
ASKING = "approval"
"""What a run is in need of that waits for a decision."""

NAMED = 3
"""Workflows whose runs are looked for by a part of the workflow's name."""


class Choosing:
    """The listeners of the fields with suggestions, and of the form with which a word gets its run."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def workflows(self, ack: Ack, body: dict[str, Any]) -> None:
        """Workflows by a part of their name; for a message, those that take one."""
        await ack(options=await self._found(self._workflows(body)))

    async def runs(self, ack: Ack, body: dict[str, Any]) -> None:
        """The newest runs that have what was typed in their id, workflow, inputs or summary.

        For a word that decides, those that wait for a decision.
        """
        await ack(options=await self._found(self._runs(body)))

    async def _workflows(self, body: dict[str, Any]) -> list[Block]:
        place = Place.unpacked(body["view"]["private_metadata"])
        known = self._desk.engine.workflows.values()
        fitting = [one for one in known if not place.is_message or start_forms.takes_message(one)]
        own = await self._desk.from_slack(self._desk.roles.startable(body["user"]["id"], fitting))
        return start_forms.workflow_options(own, body.get("value", ""))

    async def _runs(self, body: dict[str, Any]) -> list[Block]:
        verdict = await self._desk.from_slack(self._desk.roles.may(Act.LOOK, body["user"]["id"]))
        if isinstance(verdict, Refused):
            return []
        engine, typed = self._desk.engine, str(body.get("value", "")).strip().lower()
        word = Place.unpacked(body["view"]["private_metadata"]).about
        attention = ASKING if word in AT_GATES else None
        named = [name for name in engine.workflows if typed and typed in name][:NAMED]
        filters = [
            RunFilter(text=typed, attention=attention),
            *(RunFilter(workflow=name, attention=attention) for name in named),
        ]
        found = await asyncio.gather(*(engine.runs(where, limit=start_forms.SUGGESTED) for where in filters))
        known = {run.id: run for runs in found for run in runs}
        return start_forms.run_options([known[run] for run in sorted(known, reverse=True)])

    async def _found(self, options: Awaitable[list[Block]]) -> list[Block]:
        try:
            return await self._desk.in_time(options)
        except (EngineError, NotInTime, Unreadable) as trouble:
            log.warning("A form has no suggestions: %s", trouble)
            return []

    async def chosen(self, ack: Ack, body: dict[str, Any]) -> None:
        """Answer the word as if the chosen run, and why, had been typed after it."""
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        run, why = start_forms.read_run_picker(view["state"]["values"])
        where = Where(body["user"]["id"], place.channel, place.thread)
        key = f"slack:view:{view['id']}"
        typed = Typed(COMMAND, place.about, f"{run} {why}".strip(), where, key, body["trigger_id"])
        answered = await answer(self._desk, typed)
        if isinstance(answered, Message):
            await ack(response_action="update", view=forms.notice(place.about.capitalize(), answered.text))
        elif answered is None:
            await ack()
        else:
            await ack(response_action="update", view=answered)
