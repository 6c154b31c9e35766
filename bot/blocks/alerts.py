"""A budget's alert as a message of its own, and the form that raises the budget.

The one rule: its buttons name the alert and nothing else. What a click does is said before it is done, from how the
budget stands then, to whoever Slack says has clicked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from bot.blocks.forms import FIELD, Place, View, block_of, modal
from bot.blocks.gate_forms import reason_block
from bot.blocks.kit import Message, actions, button, clip, context, escape, plain_text, section
from bot.blocks.money_lines import alert_words, passed
from bot.blocks.words import date, named, one_line, run_title, short_id
from engine.core import events as e
from engine.core.budgets import Budget
from engine.core.money import Micros, format_money, say_money
from engine.core.spending import WORKSPACE, account, budget_words, of_run
from engine.core.state import RunState
from engine.core.switches import Switch, scope_words
from engine.core.workspace import WorkspaceState

RAISE = "budget_raise"
STOP = "budget_stop"
RAISE_FORM = "budget_raise_form"
LIMIT = "limit"
"""The field for the new limit."""

_KEPT = "Kept in the history of the budget."


@dataclass(frozen=True, slots=True)
class Alert:
    """The BUDGET_ALERTED ``seq`` of a run: ``step`` has made ``budget`` pass what people wanted to be told."""

    seq: int
    at: int
    step: str
    budget: e.Standing

    @property
    def name(self) -> str:
        """The budget's name, without the period."""
        return account(self.budget.account).budget


class Answer(NamedTuple):
    """What was done about an alert since: the budget as somebody has set it, the switch that somebody has thrown."""

    raised: Budget | None = None
    stopped: Switch | None = None


NO_ANSWER = Answer()


def answer_to(told: Alert, run: str, known: WorkspaceState) -> Answer:
    """That to an alert of ``run``, as the workspace is now."""
    budget, switch = known.budgets.get(told.name), known.switches.get(switch_of(told.name, run))
    return Answer(
        budget if budget is not None and budget.at >= told.at and budget.limit != told.budget.limit else None,
        switch if switch is not None and switch.at >= told.at else None,
    )


def alert(
    state: RunState,
    told: Alert,
    answer: Answer = NO_ANSWER,
    *,
    elsewhere: bool = False,
    thread: str = "",
    note: str = "",
) -> Message:
    """``elsewhere``: not in the run's thread, to which ``thread`` (markup) leads. ``note`` says why it is there.

    Once somebody has answered, it says who and how, and has no buttons.
    """
    words = f"! {alert_words(told.budget, told.at, state)}."
    if answer != NO_ANSWER:
        words = f"{words}\n{_answered(told, answer)}"
    about = ""
    if elsewhere:
        run = f"{one_line(run_title(state), 120)} (`{short_id(state.run)}`)"
        about = " ".join(part for part in (f"Passed in {told.step} of {run}.", thread, note) if part)
    if answer != NO_ANSWER:
        blocks = [section(words), *([context(about)] if about else [])]
        return Message("\n".join(part for part in (words, about) if part), tuple(blocks))
    value = f"{state.run}:{told.seq}"
    buttons = [button("Raise budget", RAISE, value)]
    if state.end is None or switch_of(told.name, state.run) != of_run(state.run):  # else there is nothing left to stop
        buttons.append(button(clip(_stopping(told.name, state.run), 75), STOP, value, "danger"))
    blocks = [section(words), *([context(about)] if about else [])]
    blocks.append(actions("budget", buttons))
    return Message("\n".join(part for part in (words, about) if part), tuple(blocks))


def not_told_there(channel: str) -> str:
    """Why an alert is where it is."""
    return f"It could not be told in {one_line(channel, 80)}."


def switch_of(budget: str, run: str) -> str:
    """The kill switch for what spends from the budget. A person has none: there it is that of the ``run`` alone."""
    whose = budget.partition("/")[0]
    if whose == WORKSPACE or whose.startswith(("workflow:", "run:")):
        return whose
    return of_run(run)


def why_stopped(told: Alert, run: str) -> str:
    """What is proposed as the reason of a stop; not escaped."""
    return f"{budget_words(told.budget.account, run)} has passed {passed(told.budget)}"


def raise_form(name: str, limit: Micros, standing: str, place: Place) -> View:
    """Asks for the new limit of the budget; ``standing`` says how it stands now (not escaped)."""
    told = f"{escape(standing)}.\nWhat the budget holds looks again as soon as it is raised."
    field = {
        "type": "input",
        "block_id": block_of(LIMIT),
        "label": plain_text("New limit"),
        "hint": plain_text("In US dollars, such as 20.00 USD."),
        "element": {
            "type": "plain_text_input",
            "action_id": FIELD,
            "initial_value": format_money(limit + limit // 2),
            "max_length": 30,
            "focus_on_load": True,
        },
    }
    about = Place(place.channel, name, place.thread)
    return modal(
        RAISE_FORM, "Raise budget", "Raise", about, [section(told), field, reason_block("Why?", _KEPT, optional=True)]
    )


def _answered(told: Alert, answer: Answer) -> str:
    """Mrkdwn."""
    lines: list[str] = []
    if (budget := answer.raised) is not None:
        how = "Raised" if budget.limit > told.budget.limit else "Lowered"
        by = f"{named(budget.by)} {date(budget.at)}{_why(budget.reason)}"
        lines.append(f"✓ {how} to {say_money(budget.limit)} by {by}.")
    if (switch := answer.stopped) is not None:
        by = f"{named(switch.by)} {date(switch.at)}{_why(switch.reason)}"
        lines.append(f"■ Stopped {one_line(scope_words(switch.key), 120)} by {by}.")
    return "\n".join(lines)


def _why(reason: str) -> str:
    return f": {one_line(reason.rstrip('.'), 200)}" if reason else ""


def _stopping(budget: str, run: str) -> str:
    switch = switch_of(budget, run)
    if switch == WORKSPACE:
        return "Stop all runs"
    return "Stop this run" if switch == of_run(run) else f"Stop {switch.partition(':')[2]}"
