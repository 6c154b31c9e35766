"""The buttons of a budget's alert, and the form that raises a budget.

The one rule: a button only opens a form. Whether they may is asked when it is opened and again when it is sent, of who
Slack says that they are; what is stopped is stopped by its kill switch, whose form is the same as that of ``kill``.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.blocks import alerts, replies, switches
from bot.blocks.alerts import Alert
from bot.blocks.forms import Place, View, block_of, read_fields
from bot.blocks.gate_forms import read_reason
from bot.blocks.kit import Message, clip, escape
from bot.blocks.steering import Clicked
from bot.listeners.actions import Click
from bot.listeners.answers import CLOSED, Answer, told, wrong
from bot.listeners.desk import Ack, Desk, NotInTime, Where, actor
from bot.listeners.switching import may_switch
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused, Verdict
from bot.text.budgets import WrongBudget, limit_of, standing, was_set
from bot.text.switches import will_stop
from engine.core import events as e
from engine.core.errors import EngineError

log = logging.getLogger(__name__)


async def may_budget(desk: Desk, user: str, name: str) -> Verdict:
    """Whether the person may set the budget: a workflow's and a run's with a role for that workflow, too."""
    kind, _, whose = name.partition("/")[0].partition(":")
    workflow = whose if kind == "workflow" else None
    if kind == "run":
        workflow = (await desk.engine.state(whose)).started.workflow
    return await desk.from_slack(desk.roles.may(Act.BUDGET, user, workflow))


class Alerting:
    """The listeners of both."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def open_raise(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._open(ack, Click.of(body), self._raise_form)

    async def open_stop(self, ack: Ack, body: dict[str, Any]) -> None:
        await self._open(ack, Click.of(body), self._kill_form)

    async def _open(self, ack: Ack, click: Click, form: Callable[[Click], Awaitable[View | Message]]) -> None:
        """Open the form; or tell them alone why not."""
        try:
            shown = await self._desk.in_time(form(click))
        except NotInTime:
            shown = replies.said(replies.ASK_NOT_IN_TIME)
        except (EngineError, Unreadable) as error:
            shown = replies.said(escape(f"{error} Nothing was changed."))
        except Exception:
            log.exception("A click on an alert's button failed")
            shown = replies.said(replies.UNEXPECTED)
        await ack()
        if isinstance(shown, Message):
            await self._desk.tell(click.where, click.trigger_id, shown)
        elif not await self._desk.open(click.trigger_id, shown):
            await self._desk.tell(click.where, click.trigger_id, replies.said(replies.FORM_NOT_OPENED))

    async def _alert(self, click: Click) -> tuple[str, Alert]:
        """The run and the alert that the button is about. Raises ``UnknownRun`` for one of another workspace."""
        about = Clicked.read(click.value)
        for one in await self._desk.engine.history(about.run, after=about.mark - 1):
            if one.seq == about.mark and isinstance(one.event, e.BudgetAlerted):
                return about.run, Alert(one.seq, one.at, one.event.step, one.event.budget)
        raise ValueError(f"not a button of an alert: {clip(click.value, 40)}")

    async def _raise_form(self, click: Click) -> View | Message:
        _, alert = await self._alert(click)
        verdict = await may_budget(self._desk, click.where.user, alert.name)
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        (info,) = await self._desk.engine.budgets.of([alert.name])
        if info.limit is None:
            return replies.said("There is no limit any more that could be raised. Nothing was changed.")
        return alerts.raise_form(alert.name, info.limit, standing(info, self._desk.engine.clock.now()), click.place)

    async def _kill_form(self, click: Click) -> View | Message:
        run, alert = await self._alert(click)
        key = alerts.switch_of(alert.name, run)
        verdict = await may_switch(self._desk, click.where.user, key)
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        words = will_stop(key, await self._desk.engine.switches.reach(key, self._desk.bounds.reached))
        place = Place(click.where.channel, key, thread=click.where.thread)
        return switches.kill_form(key, words, place, clip(alerts.why_stopped(alert, run), switches.LONGEST_REASON))

    async def raised(self, ack: Ack, body: dict[str, Any]) -> None:
        """Set the new limit; what is wrong with it is said at its field."""
        view = body["view"]
        place = Place.unpacked(view["private_metadata"])
        where = Where(body["user"]["id"], place.channel, place.thread)
        given = read_fields(view["state"]["values"]).get(alerts.LIMIT, "")
        try:
            outcome = await self._desk.in_time(
                self._raise(where, place.about, given, read_reason(view["state"]["values"]))
            )
        except NotInTime:
            outcome = wrong({block_of(alerts.LIMIT): replies.NOT_IN_TIME})
        except WrongBudget as problem:
            outcome = wrong({block_of(alerts.LIMIT): str(problem)})
        except (EngineError, Unreadable) as error:
            outcome = told("Nothing was changed", escape(str(error)))
        except Exception:
            log.exception("A budget could not be raised")
            outcome = told("Nothing was changed", replies.UNEXPECTED)
        if isinstance(outcome, Message):
            await ack(**CLOSED)
            await self._desk.tell(where, "", outcome)
        else:
            await ack(**outcome)

    async def _raise(self, where: Where, name: str, given: str, reason: str) -> Message | Answer:
        verdict = await may_budget(self._desk, where.user, name)
        if isinstance(verdict, Refused):
            return told("Nothing was changed", verdict.sentence)
        limit = limit_of(given)
        (info,) = await self._desk.engine.budgets.of([name])
        if limit is not None and info.limit is not None and limit <= info.limit:
            raise WrongBudget(f"That is no more than it is now. {standing(info, self._desk.engine.clock.now())}.")
        new = await self._desk.engine.budgets.set(name, limit, by=actor(verdict.person), reason=reason)
        return replies.said(f"{escape(was_set(name, limit, new=new))}.")
