"""The App Home: what waits for whoever looks at it, their runs, everybody's runs, what is spent, and what starts by the
clock.

The one rule: it is within Slack's hundred blocks whatever there is to show; what is not shown is counted, and can be
leafed to. Where there is nothing, it says what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.blocks.forms import View
from bot.blocks.kit import Block, actions, button, context, plain_text, section
from bot.blocks.replies import RunLine, standing_of
from bot.blocks.rights import ScheduleLine, schedule_line
from bot.blocks.steering import DETAILS, used_up
from bot.blocks.words import date, one_line, run_title, short_id
from engine.core.money import Micros, say_money
from engine.core.state import RunState

START = "home_start"
PAGE = "home_page"
NEWEST = "home_newest"

CALLBACK = "home"

OWN_SHOWN = 6
RUNS_SHOWN = 12
"""Runs on a page."""

SCHEDULES_SHOWN = 12
BUDGETS_SHOWN = 6
SPENDERS_SHOWN = 5
HELD_SHOWN = 3
WAITING_BLOCKS = 50
"""Of the hundred; the rest is for the other parts."""


@dataclass(frozen=True, slots=True)
class Spend:
    """What is spent in the workspace: how each budget stands, in words (not escaped), the workspace's own first.

    ``spenders``: the workflows that spent most this month, and how much. ``held``: runs that budgets hold, with one
    more than is shown if there are more.
    """

    budgets: Sequence[str] = ()
    spenders: Sequence[tuple[str, Micros]] = ()
    held: Sequence[RunState] = ()


@dataclass(frozen=True, slots=True)
class Home:
    """What one person sees. ``waiting``: the blocks about what waits for them, none if nothing does.

    ``runs`` are those of the page, with one more than is shown if there are older ones; ``before`` is the id of the run
    before the page, empty for the newest.
    """

    waiting: Sequence[Block]
    own: Sequence[RunLine]
    runs: Sequence[RunLine]
    schedules: Sequence[ScheduleLine]
    spend: Spend = Spend()
    command: str = "/vb"
    before: str = ""


def home(shown: Home) -> View:
    """The tab as it is now."""
    blocks = [
        actions("home_start", [button("Run a workflow", START, "start", "primary")]),
        _heading("Waits for you"),
        *_waiting(shown.waiting),
        _heading("Your runs"),
        *_own(shown),
        _heading("All runs"),
        *_runs(shown),
        _heading("Spend"),
        *_spend(shown),
        _heading("Schedules"),
        *_schedules(shown),
    ]
    return {"type": "home", "callback_id": CALLBACK, "blocks": blocks}


def closed(sentence: str) -> View:
    """The tab for somebody who may not see runs; ``sentence`` (mrkdwn) says why."""
    return {"type": "home", "callback_id": CALLBACK, "blocks": [section(sentence)]}


def _heading(text: str) -> Block:
    return {"type": "header", "text": plain_text(text)}


def _waiting(blocks: Sequence[Block]) -> list[Block]:
    if not blocks:
        return [section("Nothing waits for you. What does is shown here with its buttons, as long as it waits.")]
    if len(blocks) <= WAITING_BLOCKS:
        return list(blocks)
    return [*blocks[:WAITING_BLOCKS], section("There is more; decide on these first, and the others come up.")]


def _own(shown: Home) -> list[Block]:
    if not shown.own:
        return [
            section(f"You have started no runs yet. The button above starts one, and so does `{shown.command} run`.")
        ]
    rows = [_row(run) for run in shown.own[:OWN_SHOWN]]
    more = [context(f"Older ones are among all runs, and in `{shown.command} runs`.")]
    return [*rows, *(more if len(shown.own) > OWN_SHOWN else [])]


def _runs(shown: Home) -> list[Block]:
    if not shown.runs:
        return [section("There are no older runs." if shown.before else "Nobody has started a run here yet.")]
    rows = [_row(run) for run in shown.runs[:RUNS_SHOWN]]
    older = len(shown.runs) > RUNS_SHOWN
    leafing = [button("Newest", NEWEST, "newest")] if shown.before else []
    leafing += [button("Older", PAGE, shown.runs[RUNS_SHOWN - 1].id)] if older else []
    return [*rows, *([actions("home_pages", leafing)] if leafing else [])]


def _row(run: RunLine) -> Block:
    about = f"`{short_id(run.id)}` · {one_line(run.started_by, 80)}, {date(run.created_at)}"
    line = section(f"*{one_line(run.workflow, 80)}* {standing_of(run)}\n{about}")
    return {**line, "accessory": button("Details", DETAILS, f"{run.id}:0")}


def _spend(shown: Home) -> list[Block]:
    spend = shown.spend
    lines = [f"• {one_line(line)}" for line in spend.budgets[:BUDGETS_SHOWN]]
    left = len(spend.budgets) - len(lines)
    lines += [f"and {left} more; `{shown.command} budget` lists them all"] if left > 0 else []
    if spend.spenders:
        most = ", ".join(f"{one_line(name, 60)} {say_money(spent)}" for name, spent in spend.spenders[:SPENDERS_SHOWN])
        lines.append(f"Most this month, each workflow with the runs that it calls: {most}")
    held = [_held(run) for run in spend.held[:HELD_SHOWN]]
    more = [context(f"More runs are held; `{shown.command} runs` lists them.")] if len(spend.held) > HELD_SHOWN else []
    told = section("\n".join(lines)) if lines else section("Nothing has been spent yet.")
    return [told, *held, *more]


def _held(run: RunState) -> Block:
    """A run that a budget holds, and why."""
    why = one_line("; ".join(dict.fromkeys(hold.words for hold in used_up(run))), 400)
    line = section(f"■ *{one_line(run_title(run), 120)}* `{short_id(run.run)}` is held: {why}")
    return {**line, "accessory": button("Details", DETAILS, f"{run.run}:0")}


def _schedules(shown: Home) -> list[Block]:
    if not shown.schedules:
        return [section("Nothing starts by the clock. A definition says so with `schedule`.")]
    lines = [section(schedule_line(one)) for one in shown.schedules[:SCHEDULES_SHOWN]]
    left = len(shown.schedules) - SCHEDULES_SHOWN
    more = [context(f"and {left} more; `{shown.command} schedule` lists them all.")] if left > 0 else []
    return [*lines, *more, context(f"`{shown.command} help schedule` says how to hold them.")]
