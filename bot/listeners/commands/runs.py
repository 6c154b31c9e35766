"""``runs`` and ``status``: what there is, and how it stands."""

from __future__ import annotations

from bot.blocks import guide, replies, start_forms
from bot.blocks.card import card
from bot.blocks.forms import Place
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands.typed import Answer, Typed
from bot.listeners.desk import Desk, actor
from bot.people.policy import Act, Refused
from engine.store import RunFilter

LISTED = 12
MINE = "mine"
"""In the place of a workflow, unless one is called so: the runs of whoever asks."""


async def list_runs(desk: Desk, typed: Typed) -> Answer:
    """The newest runs, those of one workflow, or one's own."""
    if typed.rest.lower() == MINE and MINE not in desk.engine.workflows:
        return await _own(desk, typed)
    workflow = desk.engine.workflow(typed.rest).name if typed.rest else ""
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user, workflow or None))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    found = await desk.engine.runs(workflow=workflow or None, limit=LISTED)
    return replies.runs(typed.command, found, workflow)


async def _own(desk: Desk, typed: Typed) -> Answer:
    verdict = await desk.from_slack(desk.roles.may(Act.LOOK, typed.user))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    found = await desk.engine.runs(RunFilter(starter=actor(verdict.person).key), limit=LISTED)
    return replies.runs(typed.command, found, own=True)


async def status(desk: Desk, typed: Typed) -> Answer:
    """The card of one run."""
    if not typed.rest:
        return await which_run(desk, typed)
    state = await desk.engine.state(await desk.engine.find(typed.rest))
    verdict = await desk.from_slack(desk.roles.may_with(Act.LOOK, typed.user, state))
    return replies.said(verdict.sentence) if isinstance(verdict, Refused) else card(state)


async def which_run(desk: Desk, typed: Typed) -> Answer:
    """A run's id is missing: one is chosen in a form, where the run is all that has to be known."""
    found = await desk.engine.runs(limit=1)
    word = WORDS[typed.word]
    if not found or not typed.trigger_id or not word.needs_run_alone:
        return guide.needs_a_run(typed.command, typed.word, found)
    return start_forms.run_picker(word, Place(typed.where.channel, typed.word, typed.where.thread))
