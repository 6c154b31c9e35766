"""``link`` and ``unlink``: which accounts of machines are a person's.

The one rule: who somebody is comes from Slack's signed payload; the code by which an account becomes theirs is told to
them alone.
"""

from __future__ import annotations

from bot.blocks import guide, replies, rights
from bot.blocks.kit import Message
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import one_line
from bot.listeners.commands.gates import member
from bot.listeners.commands.typed import Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.people.policy import Act, Refused
from bot.people.roles import person_named
from engine.identities import GOOD_FOR


async def link(desk: Desk, typed: Typed) -> Answer:
    """A code for the terminal, and the accounts that are theirs already."""
    if typed.rest:
        return guide.incomplete(typed.command, WORDS[typed.word], "Nothing follows it")
    by = await member(desk, typed)
    if isinstance(by, Message):
        return by
    links = await desk.engine.identities.of(by)
    return rights.link_offered(await desk.engine.identities.offer(by), GOOD_FOR, links)


async def unlink(desk: Desk, typed: Typed) -> Answer:
    """End what says that accounts are theirs; for an admin, somebody else's."""
    by = await member(desk, typed)
    if isinstance(by, Message):
        return by
    if not typed.rest:
        return rights.unlinked(await desk.engine.identities.end(by, by=by))
    verdict = await desk.from_slack(desk.roles.may(Act.ROLES, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    name, id_ = typed.rest.split()[0], typed.ids.split()[0]
    person = await desk.from_slack(person_named(desk.directory, name, id_))
    if person is None:
        return replies.mistake(f"There is no {one_line(name)} here; name one person.")
    return rights.unlinked(await desk.engine.identities.end(actor(person), by=by), actor(person))
