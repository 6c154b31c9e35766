"""What the bot shows of runs and their gates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.blocks import (
    alerts,
    approval,
    card,
    code_forms,
    decided,
    details,
    gate_forms,
    gate_replies,
    newer,
    operated,
    question_forms,
    questions,
    timeline,
    waiting,
)
from bot.blocks.words import Asked
from engine.core import commands as c
from engine.core import events as e
from engine.core.budgets import Budget
from engine.core.fold import begin
from engine.core.money import USD
from engine.core.questions import OpenQuestion, outcome_question
from engine.core.state import Gate
from engine.core.switches import Switch
from tests.bot.rendering.entries import LINK, PLACE, SOMEBODY, Made, about_runs
from tests.bot.rendering.situations import Situation


@about_runs(card.card)
def _card(now: Situation) -> Iterator[Made]:
    yield card.card(now.state)
    yield card.card(now.state, card.told_here_since("C0RELEASES", "is_archived"))
    yield card.card(now.state, card.told_here_since("C0RELEASES", "some_<!here>_*error*"))


@about_runs(newer.degrade)
def _degraded(now: Situation) -> Iterator[Made]:
    yield newer.degrade(card.card(now.state))


@about_runs(timeline.message, pings=True)
def _thread(now: Situation) -> Iterator[Made]:
    """All lines so far; as many messages as they take."""
    first = now.log[0]
    before = begin(now.state.run, now.plan, now.state.started, first.at)
    told, _ = timeline.lines(before, now.log[1:], now.plans)
    waiting = [timeline.first_line(before), *told]
    while waiting:
        made, taken = timeline.message(waiting)
        waiting = waiting[taken:]
        yield made


@about_runs(alerts.alert)
def _alert(now: Situation) -> Iterator[Made]:
    for one in now.log:
        if isinstance(one.event, e.BudgetAlerted):
            for budget in (one.event.budget, one.event.budget.model_copy(update={"spent": 1_000_000})):
                told = alerts.Alert(one.seq, one.at, one.event.step, budget)
                yield alerts.alert(now.state, told)
                yield alerts.alert(now.state, told, elsewhere=True, thread=LINK)
                by, why = now.state.started.by, "worth <!here> it. " * 40
                raised = Budget(told.name, 9 * USD, (50,), told.at, by, why)
                stopped = Switch(alerts.switch_of(told.name, now.state.run), by, why, told.at, 1)
                yield alerts.alert(now.state, told, alerts.Answer(raised, stopped), elsewhere=True, thread=LINK)
                yield alerts.alert(now.state, told, elsewhere=True, note=alerts.not_told_there("#ops<!here>"))


def gates(now: Situation) -> Iterator[tuple[str, Gate]]:
    for step, known in now.state.steps.items():
        if known.gate is not None:
            yield step, known.gate


@about_runs(details.details, pings=True)  # in a view, a mention notifies nobody
def _details(now: Situation) -> Iterator[Made]:
    found = details.told(now.state.run, now.plan, now.log, now.plans)
    for log in (
        details.NO_FILE,
        details.LogFile("https://acme.example/archives/c1/p2", shared=True),
        details.LogFile(note=details.ON_ITS_WAY),
    ):
        yield details.details(found, log=log)
    yield details.details(replace(found, told=[*found.told] * 30), 1)


def known(gate: Gate) -> Iterator[dict[str, Asked]]:
    """Whom those asked can turn out to be, one kind after the other."""
    for somebody in SOMEBODY:
        yield {who: replace(somebody, who=who) for who in gate.asked}


@about_runs(approval.approval, pings=True)
def _approval(now: Situation) -> Iterator[Made]:
    for step, gate in gates(now):
        for place, asked in enumerate(known(gate)):
            rung, elsewhere = gate.escalated if place // 2 % 2 else 0, place % 2 == 1
            question = approval.Question(asked, gate.asked, rung, elsewhere, LINK if elsewhere else "")
            yield approval.approval(now.state, step, gate, question)
        to_admin = approval.Question({}, (), elsewhere=True, thread=LINK, directly=True, to_admin=True)
        yield approval.approval(now.state, step, gate, to_admin)


@about_runs(approval.reminder, pings=True)
def _reminder(now: Situation) -> Iterator[Made]:
    for step, gate in gates(now):
        for asked in known(gate):
            yield approval.reminder(step, gate, approval.Question(asked, gate.asked), 3)


@about_runs(gate_forms.approve_form)
@about_runs(gate_forms.deny_form)
@about_runs(gate_forms.changes_form)
@about_runs(gate_forms.delegate_form)
@about_runs(gate_forms.snooze_form)
@about_runs(gate_forms.edit_form)
@about_runs(gate_forms.edited_form)
def _gate_forms(now: Situation) -> Iterator[Made]:
    for step, gate in gates(now):
        yield gate_forms.approve_form(now.state, gate, PLACE)
        yield gate_forms.deny_form(now.state, gate, PLACE)
        yield gate_forms.changes_form(now.state, gate, PLACE)
        yield from (gate_forms.delegate_form(gate, PLACE), gate_forms.snooze_form(gate, PLACE))
        known = now.plan.node(step).step.approval
        yield gate_forms.edit_form(gate, {} if known is None else known.edit, PLACE)
        yield gate_forms.edited_form(now.state, step, gate._replace(edited=None), gate, PLACE)


@about_runs(gate_forms.shown)
@about_runs(gate_replies.whole)
@about_runs(gate_replies.outdated)
def _shown(now: Situation) -> Iterator[Made]:
    for step, gate in gates(now):
        yield gate_replies.outdated(now.state, step, gate)
        whole = gate_replies.whole(now.state, step, gate)
        yield from (whole, gate_forms.shown("Request", whole))


@about_runs(gate_replies.changes_asked)
@about_runs(gate_replies.voted_before)
@about_runs(gate_replies.not_asked)
@about_runs(gate_replies.not_allowed)
def _not_now(now: Situation) -> Iterator[Made]:
    yield gate_replies.not_allowed("did you mean <!here> or tag?")
    for _, gate in gates(now):
        yield from (gate_replies.changes_asked(gate), gate_replies.not_asked(gate.asked))
        for ballot in gate.votes:
            yield gate_replies.voted_before(ballot, "U2", now.state.at)


@about_runs(waiting.together_form)
@about_runs(waiting.outcome)
def _together(now: Situation) -> Iterator[Made]:
    for step, gate in gates(now):
        one = waiting.Waiting(now.state, step, gate)
        yield waiting.together_form([one])
        yield waiting.outcome(waiting.APPROVED, [waiting.Said(one.name), waiting.Said(one.name, "Already approved.")])
        yield {"type": "home", "blocks": waiting.waiting([one])}


@about_runs(gate_replies.decided_before)
def _decided_before(now: Situation) -> Iterator[Made]:
    for _, gate in gates(now):
        if gate.decision is not None:
            yield gate_replies.decided_before(gate.decision, "U1", now.state.at)
            yield gate_replies.decided_before(gate.decision, "U2", now.state.at + 3_600_000)


@about_runs(gate_replies.not_open)
def _not_open(now: Situation) -> Iterator[Made]:
    yield gate_replies.not_open()
    yield gate_replies.not_open(now.state.status)


@about_runs(operated.paused)
@about_runs(operated.resumed)
@about_runs(operated.stopping)
@about_runs(operated.retried)
@about_runs(operated.redriven)
@about_runs(operated.forked)
@about_runs(operated.so_already)
@about_runs(operated.not_so_any_more)
@about_runs(operated.refused)
def _operated(now: Situation) -> Iterator[Made]:
    run = now.state
    yield from (operated.paused("/vb", run), operated.resumed("/vb", run), operated.stopping("/vb", run))
    yield from (operated.retried("tag", run), operated.redriven(run), operated.forked("tag", run, run))
    yield from (operated.so_already(run), operated.not_so_any_more(run))
    refusals = operated.refused(run, c.NotAllowed("did you mean tag?")), operated.refused(run, c.Ended(run.status))
    yield from (made for made in refusals if made is not None)


@about_runs(decided.approve_form)
@about_runs(decided.denied)
@about_runs(decided.nothing_open)
@about_runs(decided.delegated)
@about_runs(decided.nothing_to_edit)
@about_runs(decided.sent_back)
@about_runs(decided.snoozed)
def _typed_decisions(now: Situation) -> Iterator[Made]:
    yield decided.nothing_open(now.state)
    for step, gate in gates(now):
        yield decided.approve_form(now.state, step, gate, PLACE, "fine")
        yield decided.denied(now.state, step)
        yield decided.delegated(step, gate, now.state.started.by)
        yield decided.nothing_to_edit(step, gate)
        yield decided.sent_back(step, gate)
        yield decided.snoozed(step, gate, now.state.at)


def _questions(now: Situation) -> questions.Asked:
    asked = questions.Asked()
    for recorded in now.log:
        asked.read(recorded)
    return asked


@about_runs(questions.question)
@about_runs(question_forms.answered_before)
def _question(now: Situation) -> Iterator[Made]:
    for asked in _questions(now).known.values():
        yield questions.question(now.state, asked)
        yield questions.question(now.state, replace(asked, tried=asked.tried * 40))
        yield question_forms.answered_before(asked)


@about_runs(code_forms.use_form)
@about_runs(code_forms.fork_form)
@about_runs(operated.no_other_code)
def _code_forms(now: Situation) -> Iterator[Made]:
    for asked in _questions(now).known.values():
        if asked.uses:
            codes = [f"{asked.uses.partition('@')[0]}@2", *(f"other.step{number}@1" for number in range(120))]
            yield code_forms.use_form(now.state, asked.step, asked.uses, codes, PLACE)
            yield code_forms.use_form(now.state, asked.step, asked.uses, codes[1:], PLACE)
            yield code_forms.fork_form(now.state, asked.step, asked.uses, now.plan, PLACE)
            yield operated.no_other_code(asked.step, asked.uses)


@about_runs(question_forms.happened_form)
@about_runs(question_forms.again_form)
@about_runs(question_forms.retry_form)
@about_runs(question_forms.accept_form)
@about_runs(question_forms.fail_form)
def _question_forms(now: Situation) -> Iterator[Made]:
    for asked in _questions(now).known.values():
        rules = now.plan.node(asked.step).step.correct
        names = () if rules is None else rules.may_change  # a definition's own words, which no data can be
        held = dict.fromkeys(names, asked.result)
        for schemas in ({}, {name: {"anyOf": [{"type": "string"}, {"type": "null"}]} for name in names}):
            found = OpenQuestion(asked.step, names, held, schemas, has_result=True)
            yield question_forms.retry_form(now.state, found, PLACE)
            yield question_forms.accept_form(now.state, found, PLACE)
            yield question_forms.fail_form(now.state, found, PLACE)
        fields = {"type": "object", "properties": {"id": {"type": "string"}, "more": {}, "cents": {"type": "integer"}}}
        for schema in ({}, {"type": "null"}, {"type": "array"}, fields):
            open_ = outcome_question(asked.step, schema)
            yield question_forms.happened_form(now.state, open_, PLACE)
            yield question_forms.again_form(now.state, open_, PLACE)
