"""What people do in Slack, one listener each. ``register`` is the list of all that the bot listens to."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncApp

from bot.blocks import alerts, code_forms, details, guide, home, keys, question_forms, start_forms, switches
from bot.blocks import gate_forms as forms
from bot.blocks.approval import APPROVE
from bot.blocks.questions import FORK, USE
from bot.blocks.steering import DETAILS, LIFT, Deed
from bot.blocks.waiting import SHOW, TOGETHER, TOGETHER_FORM
from bot.listeners.actions import FORMS, Actions
from bot.listeners.alerting import Alerting
from bot.listeners.answering import ANSWERS, Answering
from bot.listeners.choosing import Choosing
from bot.listeners.commands import Commands
from bot.listeners.departures import Departures
from bot.listeners.desk import Ack, Desk
from bot.listeners.gate_forms import GateForms
from bot.listeners.hometab import HomeTab
from bot.listeners.key_forms import KeyForms
from bot.listeners.leafing import Details
from bot.listeners.mentions import Mentions
from bot.listeners.recoding import Recoding
from bot.listeners.shortcuts import Shortcuts
from bot.listeners.steering import Steering
from bot.listeners.switching import Switching
from bot.listeners.together import Together
from bot.listeners.views import Views
from bot.manifest import COMMAND, RUN_ON_MESSAGE, RUN_WORKFLOW
from bot.receiving.attending import Attending
from bot.telling.homes import Homes

LISTENERS = "vectorbea_listeners"
"""Under this name a payload's context has the ``Listeners`` of the workspace that authorized it."""

_ANY = re.compile(".+")
"""What was not listened to before: the first listener that fits is asked."""

Listener = Callable[[Ack, dict[str, Any]], Awaitable[None]]


class Listeners:
    """All listeners of one workspace. They know no other: what they reach, they reach through its desk."""

    def __init__(self, desk: Desk, homes: Homes) -> None:
        self.commands = Commands(desk)
        self.actions = Actions(desk)
        self.views = Views(desk)
        self.choosing = Choosing(desk)
        self.mentions = Mentions(desk)
        self.shortcuts = Shortcuts(desk)
        self.steering = Steering(desk)
        self.details = Details(desk)
        self.switching = Switching(desk)
        self.alerting = Alerting(desk)
        self.gate_forms = GateForms(desk)
        self.key_forms = KeyForms(desk)
        self.together = Together(desk)
        self.answering = Answering(desk)
        self.recoding = Recoding(desk)
        self.home = HomeTab(homes)


def register(app: AsyncApp, attending: Attending, departures: Departures) -> None:
    """Make ``app`` listen to everything that the bot answers, and count what it attends to.

    Each payload goes to the listeners of the workspace for which it was authorized. ``departures`` sees all of them
    first: those that say that the app is gone from a workspace are authorized by nobody.
    """
    bolt: Any = app  # its registering methods are not typed

    async def notice(body: dict[str, Any], next: Callable[[], Awaitable[Any]]) -> Any:  # noqa: A002 - bolt's name for it
        with attending.one():
            await departures.notice(body)
        return await next()

    def on(pick: Callable[[Listeners], Listener]) -> Callable[..., Awaitable[None]]:
        # Bolt finds arguments by their names.
        async def attend(ack: Ack, body: dict[str, Any], context: Mapping[str, Any]) -> None:
            with attending.one():
                await pick(context[LISTENERS])(ack, body)

        return attend

    bolt.use(notice)
    bolt.command(COMMAND)(on(lambda its: its.commands.command))
    _gates(bolt, on)
    bolt.view(keys.ADD)(on(lambda its: its.key_forms.add))
    bolt.view(keys.ROTATE)(on(lambda its: its.key_forms.rotate))
    bolt.view(keys.REVOKE)(on(lambda its: its.key_forms.revoke))
    _runs(bolt, on)
    _guards(bolt, on)
    bolt.view(start_forms.PICKER)(on(lambda its: its.views.pick))
    bolt.view(start_forms.START)(on(lambda its: its.views.start))
    bolt.view(start_forms.RUN_PICKER)(on(lambda its: its.choosing.chosen))
    bolt.options(start_forms.CHOOSE_WORKFLOW)(on(lambda its: its.choosing.workflows))
    bolt.options(start_forms.CHOOSE_RUN)(on(lambda its: its.choosing.runs))
    bolt.shortcut(RUN_WORKFLOW)(on(lambda its: its.shortcuts.anywhere))
    bolt.shortcut(RUN_ON_MESSAGE)(on(lambda its: its.shortcuts.on_message))
    bolt.action(guide.FILL_IN)(on(lambda its: its.mentions.fill_in))
    bolt.event("app_home_opened")(on(lambda its: its.home.opened))
    bolt.action(home.START)(on(lambda its: its.shortcuts.anywhere))
    bolt.action(home.PAGE)(on(lambda its: its.home.older))
    bolt.action(home.NEWEST)(on(lambda its: its.home.newest))
    bolt.event("app_mention")(on(lambda its: its.mentions.mentioned))
    bolt.action(_ANY)(on(lambda its: its.actions.unknown))
    bolt.view(_ANY)(on(lambda its: its.views.unknown))
    bolt.event(_ANY)(_anything)


def _gates(bolt: Any, on: Callable[[Callable[[Listeners], Listener]], Any]) -> None:
    """The buttons of gates and of other questions, wherever they are shown, and their forms."""
    bolt.action(APPROVE)(on(lambda its: its.actions.approve))
    for opening in FORMS:
        bolt.action(opening)(on(lambda its: its.actions.open_form))
    bolt.action(SHOW)(on(lambda its: its.actions.show))
    bolt.action(TOGETHER)(on(lambda its: its.together.open))
    bolt.view(TOGETHER_FORM)(on(lambda its: its.together.decide))
    bolt.view(forms.APPROVE_FORM)(on(lambda its: its.gate_forms.approve))
    bolt.view(forms.DENY_FORM)(on(lambda its: its.gate_forms.deny))
    bolt.view(forms.EDIT_FORM)(on(lambda its: its.gate_forms.edit))
    bolt.view(forms.CHANGES_FORM)(on(lambda its: its.gate_forms.changes))
    bolt.view(forms.DELEGATE_FORM)(on(lambda its: its.gate_forms.delegate))
    bolt.view(forms.SNOOZE_FORM)(on(lambda its: its.gate_forms.snooze))
    for opening in ANSWERS:
        bolt.action(opening)(on(lambda its: its.answering.open_form))
    bolt.view(question_forms.HAPPENED_FORM)(on(lambda its: its.answering.happened))
    bolt.view(question_forms.AGAIN_FORM)(on(lambda its: its.answering.again))
    bolt.view(question_forms.RETRY_FORM)(on(lambda its: its.answering.retry))
    bolt.view(question_forms.ACCEPT_FORM)(on(lambda its: its.answering.accept))
    bolt.view(question_forms.FAIL_FORM)(on(lambda its: its.answering.fail))
    bolt.action(USE)(on(lambda its: its.recoding.open_use))
    bolt.action(FORK)(on(lambda its: its.recoding.open_fork))
    bolt.view(code_forms.USE_FORM)(on(lambda its: its.recoding.use))
    bolt.view(code_forms.FORK_FORM)(on(lambda its: its.recoding.fork))


def _runs(bolt: Any, on: Callable[[Callable[[Listeners], Listener]], Any]) -> None:
    """The buttons of runs, and what is shown of one."""
    bolt.action(Deed.PAUSE.value)(on(lambda its: its.steering.pause))
    bolt.action(Deed.RESUME.value)(on(lambda its: its.steering.resume))
    bolt.action(Deed.RETRY.value)(on(lambda its: its.steering.retry))
    bolt.action(Deed.RAISE.value)(on(lambda its: its.steering.raise_budget))
    bolt.action(Deed.CANCEL.value)(on(lambda its: its.steering.cancel))
    bolt.action(DETAILS)(on(lambda its: its.details.open))
    for page in (details.EARLIER, details.LATER, details.LATEST):
        bolt.action(page)(on(lambda its: its.details.leaf))
    bolt.action(details.LOG)(on(lambda its: its.details.log))


def _guards(bolt: Any, on: Callable[[Callable[[Listeners], Listener]], Any]) -> None:
    """Kill switches and budgets."""
    bolt.view(switches.KILL_FORM)(on(lambda its: its.switching.kill))
    bolt.action(LIFT)(on(lambda its: its.switching.lift))
    bolt.action(alerts.RAISE)(on(lambda its: its.alerting.open_raise))
    bolt.action(alerts.STOP)(on(lambda its: its.alerting.open_stop))
    bolt.view(alerts.RAISE_FORM)(on(lambda its: its.alerting.raised))


async def _anything(ack: Ack) -> None:
    """Acknowledge what nobody here listens to, so that Slack does not deliver it again."""
    await ack()
