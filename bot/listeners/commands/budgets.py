"""``budget``: how budgets stand, and setting one.

The one rule: whoever may look sees them; setting one takes the right to, and raises what it held at once.
"""

from __future__ import annotations

from dataclasses import replace

from bot.blocks import guide, replies
from bot.blocks.kit import escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import one_line
from bot.listeners.alerting import may_budget
from bot.listeners.commands.typed import Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.people.policy import Act, Refused
from bot.people.roles import identified
from bot.text.budgets import Wanted, WrongBudget, name_of, standing, was_set

SET = "set"


async def budget(desk: Desk, typed: Typed) -> Answer:
    """Show how budgets stand, or set one."""
    if not typed.rest:
        return await _show(desk, typed)
    words, ids = typed.rest.split(), typed.ids.split()
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


async def _show(desk: Desk, typed: Typed) -> Answer:
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    now = desk.engine.clock.now()
    lines = [f"• {escape(standing(one, now))}" for one in await desk.engine.budgets.shown()]
    zone = escape(await desk.engine.budgets.timezone())
    more = f"Days and months are those of {zone}. `{typed.command} help budget` says how to set one."
    return replies.paragraphs([*lines, more])
