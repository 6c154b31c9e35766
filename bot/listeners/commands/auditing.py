"""``audit``: everything on record about a gate, and the proof that the record is unchanged."""

from __future__ import annotations

from bot.blocks import audited, guide, replies
from bot.blocks.kit import escape
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import short_id
from bot.listeners.commands.runs import which_run
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.desk import Desk
from bot.people.policy import Act, Refused
from bot.text.gate_report import lines
from engine.core.words import listed


async def audit(desk: Desk, typed: Typed) -> Answer:
    """The report on the gate that is named, or on the only one of the run."""
    ref, gate = split(typed.rest)
    if not ref:
        return await which_run(desk, typed)
    state = await desk.engine.state(await desk.engine.find(ref))
    verdict = await desk.from_slack(desk.roles.may_with(Act.LOOK, typed.user, state))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    known = [path for path, step in state.steps.items() if step.gate is not None]
    if not gate and len(known) != 1:
        there = f"There is: {escape(listed(sorted(known), 20))}" if known else "It has asked for no decision yet"
        return guide.incomplete(typed.command, WORDS[typed.word], f"Which gate? {there}")
    report = await desk.engine.gates.report(state.run, gate or known[0])
    told = list(lines(report))
    more = f"vb audit {short_id(state.run)} {report.gate} prints all of it at a terminal"
    if not typed.trigger_id:
        return audited.beginning(told, more)
    return audited.report(f"Gate {report.gate}", told, more)
