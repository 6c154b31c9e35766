"""``budget``: how budgets stand, a picture of what was spent, and setting one.

The one rule: whoever may look sees them; setting one takes the right to, and raises what it held at once.
"""

from __future__ import annotations

from dataclasses import replace

from bot.blocks import guide, replies
from bot.blocks.kit import escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import one_line
from bot.charts import in_words
from bot.listeners.alerting import may_budget
from bot.listeners.commands.typed import Afterwards, Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.listeners.sharing import share_chart
from bot.people.policy import Act, Refused
from bot.people.roles import identified
from bot.text.budgets import COLUMNS, Wanted, WrongBudget, columns, name_of, standing, was_set

SET, CHART = "set", "chart"
DAYS, LEAST_DAYS, MOST_DAYS = 30, 2, 366
"""Of the picture, with today."""


async def budget(desk: Desk, typed: Typed) -> Answer:
    """Show how budgets stand or what was spent, or set one."""
    if not typed.rest:
        return await _show(desk, typed)
    words, ids = typed.rest.split(), typed.ids.split()
    if words[0].lower() == CHART:
        return await _chart(desk, typed, words[1:])
    if words[0].lower() != SET:
        return guide.incomplete(typed.command, WORDS[typed.word], f"There is no budget {escape(words[0])}")
    try:
        wanted = Wanted.of([unescape(word) for word in words[1:]])
    except WrongBudget as problem:
        return guide.incomplete(typed.command, WORDS[typed.word], escape(str(problem).rstrip(".")))
    if (known := identified(ids[1], words[1])) is not None:
        wanted = replace(wanted, whose=f"person:slack:{known.id}")
    name = await name_of(desk.engine, wanted.whose, wanted.per)
    verdict = await may_budget(desk, typed.user, name)
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    if wanted.channel and (await desk.from_slack(desk.directory.asked(wanted.channel))).kind == "missing":
        return replies.mistake(
            f"I see no channel {one_line(wanted.channel, 80)}; a private one has to invite me first. Nothing was "
            "changed."
        )
    new = await desk.engine.budgets.set(
        name, wanted.limit, by=actor(verdict.person), reason=wanted.reason, channel=wanted.channel
    )
    return replies.said(f"{escape(was_set(name, wanted.limit, new=new, channel=wanted.channel))}.")


async def _chart(desk: Desk, typed: Typed, words: list[str]) -> Answer:
    days = words[0] if words else f"{DAYS}"
    if len(words) > 1 or not days.isdecimal() or not LEAST_DAYS <= int(days) <= MOST_DAYS:
        problem = f"A chart is of {LEAST_DAYS} to {MOST_DAYS} days"
        return guide.incomplete(typed.command, WORDS[typed.word], problem)
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    found = await desk.engine.budgets.by_day(int(days))
    if not found.spent:
        return replies.said(escape(in_words(found)))
    return Afterwards(lambda: share_chart(desk, typed.where, typed.key, found))


async def _show(desk: Desk, typed: Typed) -> Answer:
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    now = desk.engine.clock.now()
    known = await desk.engine.budgets.shown()
    lines = [f"• {escape(standing(one, now))}" for one in known]
    zone = escape(await desk.engine.budgets.timezone())
    more = f"Days and months are those of {zone}. `{typed.command} help budget` says how to set one."
    told = replies.tabled(COLUMNS, [columns(one, now) for one in known], lines, more)
    # Whether Slack takes an acknowledgement is not told, so there is no table in one.
    return Afterwards(lambda: desk.whisper(typed.where, told))
