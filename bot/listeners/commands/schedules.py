"""``schedule``: what starts by the clock, and holding it."""

from __future__ import annotations

from bot.blocks import guide, replies, rights
from bot.blocks.kit import escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import counted
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.people.policy import Act, Refused
from engine.core.words import did_you_mean

PAUSE, RESUME = "pause", "resume"


async def schedule(desk: Desk, typed: Typed) -> Answer:
    """List the schedules, or hold those of one workflow, or let them go on."""
    verb, rest = split(typed.rest)
    if not verb:
        return await _list(desk, typed)
    name, rest = split(rest)
    if verb not in (PAUSE, RESUME) or not name:
        wrong = f"There is no `schedule {escape(verb)[:40]}`; {did_you_mean(verb, (PAUSE, RESUME))}"
        return guide.incomplete(typed.command, WORDS[typed.word], wrong if name else "Which workflow?")
    workflow = desk.engine.workflow(name)
    verdict = await desk.from_slack(desk.roles.may(Act.SCHEDULE, typed.user, workflow.name))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    first, after = split(rest)
    number, reason = (int(first), after) if first.isdecimal() and len(first) < 4 else (None, rest)
    timetable = desk.engine.timetable
    hold = timetable.pause if verb == PAUSE else timetable.resume
    count = await hold(workflow.name, number, by=actor(verdict.person), reason=unescape(reason))
    return replies.said(_told(verb, workflow.name, count))


async def _list(desk: Desk, typed: Typed) -> Answer:
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    return rights.schedules(typed.command, await desk.engine.schedules())


def _told(verb: str, workflow: str, count: int) -> str:
    if not count:
        return f"{workflow} {'was paused already' if verb == PAUSE else 'was not paused'}; nothing was changed."
    if verb == RESUME:
        return f"Resumed {counted(count, 'schedule')} of {workflow}; what was missed is not made up for."
    return f"Paused {counted(count, 'schedule')} of {workflow}: nothing is started until they are resumed."
