"""``kill`` and ``lift``: stopping at once what is under way, and letting it go on.

The one rule: the word only opens the form that says what will be stopped; sending that stops it.
"""

from __future__ import annotations

from bot.blocks import guide, replies, switches
from bot.blocks.forms import Place
from bot.blocks.kit import clip, escape
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.listeners.switching import may_switch
from bot.people.policy import Act, Refused
from bot.text.switches import key_named, key_to_throw, will_stop


async def kill(desk: Desk, typed: Typed) -> Answer:
    """Ask whether that is meant; or say what is stopped."""
    what, reason = split(typed.rest)
    if not what:
        verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
        if isinstance(verdict, Refused):
            return replies.said(verdict.sentence)
        engine = desk.engine
        home = engine.home == engine.settings.workspace
        return switches.listed(typed.command, await engine.switches.thrown(), home=home)
    key = await key_to_throw(desk.engine, unescape(what))
    verdict = await may_switch(desk, typed.user, key)
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    words = will_stop(key, await desk.engine.switches.reach(key, desk.bounds.reached))
    place = Place(typed.where.channel, key, thread=typed.where.thread)
    return switches.kill_form(key, words, place, clip(unescape(reason), switches.LONGEST_REASON))


async def lift(desk: Desk, typed: Typed) -> Answer:
    """Let what is stopped go on."""
    what, reason = split(typed.rest)
    if not what:
        known = [one.key for one in await desk.engine.switches.thrown()]
        there = f"There is: {escape(', '.join(known))}" if known else "Nothing is stopped."
        return guide.incomplete(typed.command, WORDS[typed.word], f"What is to go on? {there}")
    key = await key_named(desk.engine, unescape(what))
    verdict = await may_switch(desk, typed.user, key)
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    lifted = await desk.engine.switches.lift(key, by=actor(verdict.person), reason=unescape(reason))
    return replies.said(switches.lifted([lifted]))
