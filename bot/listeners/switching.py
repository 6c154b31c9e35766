"""The form that throws a kill switch, and the card's button that lifts what holds a run.

The one rule: whether they may is asked when the form is sent or the button clicked, of who Slack says that they are.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any

from bot.blocks import replies, switches
from bot.blocks.forms import Place
from bot.blocks.gate_forms import REASON_BLOCK, read_reason
from bot.blocks.kit import Message, escape
from bot.blocks.steering import Clicked
from bot.listeners.actions import Click
from bot.listeners.answers import CLOSED, Answer, told, wrong
from bot.listeners.desk import Ack, Desk, NotInTime, Where, actor
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused, Verdict
from engine.core.errors import EngineError
from engine.core.switches import EVERYTHING, Switch

log = logging.getLogger(__name__)

_NOT_CERTAIN = "The database did not answer in time; whether it is stopped is not certain. Send this again."


async def may_switch(desk: Desk, user: str, key: str) -> Verdict:
    """Whether the person may throw and lift the switch: that of a workflow with a role for that workflow, too."""
    act = Act.STOP_ALL if key == EVERYTHING else Act.STOP
    workflow = key.removeprefix("workflow:") if key.startswith("workflow:") else None
    if key.startswith("run:"):
        workflow = (await desk.engine.state(key.removeprefix("run:"))).started.workflow
    return await desk.from_slack(desk.roles.may(act, user, workflow))


class Switching:
    """The listeners of both."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def kill(self, ack: Ack, body: dict[str, Any]) -> None:
        """Throw the switch; once nothing starts any more, the form is closed. The log tells the channel."""
        view = body["view"]
        place, reason = Place.unpacked(view["private_metadata"]), read_reason(view["state"]["values"])
        where = Where(body["user"]["id"], place.channel, place.thread)
        outcome = await self._guarded(self._throw(where, place.about, reason))
        await ack(**(CLOSED if isinstance(outcome, Switch) else outcome))

    async def _throw(self, where: Where, key: str, reason: str) -> Switch | Answer:
        verdict = await may_switch(self._desk, where.user, key)
        if isinstance(verdict, Refused):
            return told("Nothing was stopped", verdict.sentence)
        if not reason.strip():
            return wrong({REASON_BLOCK: "Say why: everybody whose steps are held is told."})
        return await self._desk.engine.switches.throw(key, by=actor(verdict.person), reason=reason, told=where.channel)

    async def _guarded(self, outcome: Awaitable[Switch | Answer]) -> Switch | Answer:
        """What it gives; or every way in which it can fail, in words for the person."""
        try:
            return await self._desk.in_time(outcome)
        except NotInTime:
            return wrong(
                {REASON_BLOCK: "The database did not answer in time; whether it is stopped is not certain. Try again."}
            )
        except (EngineError, Unreadable) as error:
            return told("Nothing was stopped", escape(str(error)))
        except Exception:
            log.exception("A switch could not be thrown")
            return told("Nothing was stopped", replies.UNEXPECTED)

    async def lift(self, ack: Ack, body: dict[str, Any]) -> None:
        """Lift all that holds the run on whose card the button is."""
        click = Click.of(body)
        try:
            message = await self._desk.in_time(self._lift(click))
        except NotInTime:
            message = replies.said(replies.ASK_NOT_IN_TIME.format(command="/vb"))
        except (EngineError, Unreadable) as error:
            message = replies.said(escape(f"{error} Nothing was changed."))
        except Exception:
            log.exception("A click on Lift failed")
            message = replies.said(replies.UNEXPECTED)
        await ack()
        await self._desk.tell(click.where, click.trigger_id, message)

    async def _lift(self, click: Click) -> Message:
        state = await self._desk.engine.state(Clicked.read(click.value).run)
        lifted: list[Switch] = []
        for key in switches.keys_holding(state):
            verdict = await may_switch(self._desk, click.where.user, key)
            if isinstance(verdict, Refused):
                return replies.said(verdict.sentence)
            lifted.append(await self._desk.engine.switches.lift(key, by=actor(verdict.person)))
        if not lifted:
            return replies.said("Nothing holds this run any more; nothing was changed.")
        return replies.said(switches.lifted(lifted))
