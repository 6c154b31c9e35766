"""Everything that the bot can show: for each function of ``bot.blocks`` that makes a message or a view, how it is made.

The one rule: a new message or view gets its entry here, in the way that the bot makes it; the test fails without one.
Those about a run take a ``Situation``; those about anything else take a text that stands for all their data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from bot.blocks import (
    approval,
    audited,
    card,
    decided,
    details,
    forms,
    gate_forms,
    gate_replies,
    guide,
    home,
    newer,
    operated,
    replies,
    rights,
    start_forms,
    timeline,
    waiting,
)
from bot.blocks.kit import Message, section
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import Asked, one_line
from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.delegations import Delegation
from engine.core.events import Actor
from engine.core.fold import begin
from engine.core.roles import EVERYONE, Grant, Role
from engine.core.state import Gate
from engine.core.workspace_events import DelegationStarted
from tests.bot.rendering.situations import Situation

Made = Message | forms.View
OfRun = Callable[[Situation], Iterator[Made]]
OfData = Callable[[str], Iterator[Made]]

OF_RUNS: dict[str, OfRun] = {}
OF_DATA: dict[str, OfData] = {}
PINGS: set[str] = set()
"""Those that may notify people: whoever has to act now."""

PLACE = forms.Place("C0RELEASES", "run_0123456789abcdef:12:publish", "1700000000.000100")
LINK = "<https://acme.example/archives/c1/p2|open it>"
SOMEBODY = (
    Asked("", "group", "S0RELEASES"),
    Asked("", "person", "U0ANAXXXXX"),
    Asked("", "channel", "C0LEADS"),
    Asked("", "missing"),
    Asked("", "unread"),
    Asked("", "closed"),
)
"""Everything that a name in a definition can turn out to be."""


def name_of(function: Callable[..., Any]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def about_runs(function: Callable[..., Any], *, pings: bool = False) -> Callable[[OfRun], OfRun]:
    """The entry of ``function``, which shows runs."""

    def add(entry: OfRun) -> OfRun:
        OF_RUNS[name_of(function)] = entry
        PINGS.update({name_of(function)} if pings else ())
        return entry

    return add


def about_data(function: Callable[..., Any]) -> Callable[[OfData], OfData]:
    """The entry of ``function``, which shows anything else."""

    def add(entry: OfData) -> OfData:
        OF_DATA[name_of(function)] = entry
        return entry

    return add


# Runs


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


def gates(now: Situation) -> Iterator[tuple[str, Gate]]:
    for step, known in now.state.steps.items():
        if known.gate is not None:
            yield step, known.gate


@about_runs(details.details, pings=True)  # in a view, a mention notifies nobody
def _details(now: Situation) -> Iterator[Made]:
    found = details.told(now.state.run, now.plan, now.log, now.plans)
    yield details.details(found)
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


# Definitions, lists, mistakes


def workflows(text: str) -> list[Workflow]:
    """Definitions whose every description, default and choice is ``text``, small and as large as they get."""
    step = {"id": "one", "uses": "noop"}
    choices = [f"{text}{number}" for number in range(3)]
    inputs: dict[str, Any] = {
        "line": {"type": "string", "description": text, "default": text},
        "needed": {"type": "string", "description": f"such as {text}"},
        "long": {"type": "text", "description": text, "default": text},
        "which": {"type": "choice", "choices": choices, "default": choices[1], "description": text},
        "whole": {"type": "integer", "min": 1, "description": text},
        "part": {"type": "number", "default": 1.5},
        "sure": {"type": "boolean", "description": text},
        "shaped": {"type": "string", "pattern": r"^v\d+$", "description": text},
        "day": {"type": "date", "default": "2026-12-24", "description": text},
        "hour": {"type": "time", "description": text},
        "who": {"type": "user", "description": text},
        "where": {"type": "channel", "description": text},
        "address": {"type": "url", "description": text},
        "mail": {"type": "email", "description": text},
    }
    many = {f"input_{number}": inputs["needed"] for number in range(95)}
    made = [
        {"name": "small", "steps": [step]},
        {"name": "x" * 63, "description": text, "steps": [step], "input": inputs},
        {"name": "many", "description": text, "steps": [step], "input": many},
        {"name": "too_many", "steps": [step], "input": {**many, "another": inputs["line"]}},
    ]
    return [Workflow.model_validate(each) for each in made]


def rows(text: str, status: str = "waiting") -> list[Any]:
    """Rows of a list of runs."""
    row = {"id": "run_0123456789abcdef", "workflow": "release", "status": status, "summary": f"{status}: {text}"}
    return [SimpleNamespace(**row, started_by=text, created_at=1_000_000) for _ in range(12)]


@about_data(start_forms.start_form)
def _start_form(text: str) -> Iterator[Made]:
    for workflow in workflows(text):
        if start_forms.can_be_shown(workflow):
            yield start_forms.start_form(workflow, PLACE, {}, {})
            yield start_forms.start_form(workflow, replace(PLACE, channel=""), {}, {})
            given = dict.fromkeys(list(workflow.input)[:12], text)  # a command has a few thousand characters
            problems = {name: f"{name} is wrong: {text}" for name in given}
            yield start_forms.start_form(workflow, PLACE, given, problems, [f"{text} is no input", text])


@about_data(forms.modal)
def _modal(text: str) -> Iterator[Made]:
    """The frame of all forms; what is in them is theirs."""
    yield forms.modal("a_form", text.strip() or "Title", "Send", PLACE, [section("Something.")])


@about_data(start_forms.picker)
def _picker(text: str) -> Iterator[Made]:
    yield start_forms.picker(PLACE)


@about_data(start_forms.run_picker)
def _run_picker(text: str) -> Iterator[Made]:
    for word in WORDS.values():
        if word.needs_run_alone:
            yield start_forms.run_picker(word, PLACE)


@about_data(forms.notice)
def _notice(text: str) -> Iterator[Made]:
    yield forms.notice("Not started", replies.said(replies.UNEXPECTED).text)


@about_data(replies.said)
def _said(text: str) -> Iterator[Made]:
    for sentence in (replies.NOT_IN_TIME, replies.ASK_NOT_IN_TIME, replies.FORM_NOT_OPENED, replies.UNEXPECTED):
        yield replies.said(sentence)
    yield replies.said(replies.START_NOT_IN_TIME.format(command="/vb"))


@about_data(replies.mistake)
def _mistake(text: str) -> Iterator[Made]:
    for workflow in workflows(text):
        yield replies.mistake("It was not started.", replies.example("/vb", workflow))


@about_data(replies.workflows)
def _workflows(text: str) -> Iterator[Made]:
    known = workflows(text)
    for shown in ([], known[:1], known, [known[1].model_copy(update={"name": f"wf_{n}"}) for n in range(40)]):
        yield replies.workflows("/vb", shown)


@about_data(replies.no_workflows)
def _no_workflows(text: str) -> Iterator[Made]:
    yield replies.no_workflows()


@about_data(replies.runs)
def _runs(text: str) -> Iterator[Made]:
    yield replies.runs("/vb", [])
    yield replies.runs("/vb", [], "release")
    for status in (
        "queued",
        "running",
        "waiting",
        "paused",
        "cancelling",
        "undoing",
        "completed",
        "failed",
        "cancelled",
    ):
        yield replies.runs("/vb", rows(text, status))


@about_data(replies.unknown_groups)
def _unknown_groups(text: str) -> Iterator[Made]:
    yield replies.unknown_groups("release", [f"@{text}"])
    yield replies.unknown_groups("release", [f"@{text}{number}" for number in range(30)])


@about_data(replies.paragraphs)
def _paragraphs(text: str) -> Iterator[Made]:
    for count in (1, 5, 100):
        yield replies.paragraphs([f"{number}: {one_line(text)}." for number in range(count)] + ["The last."])


# Help, roles, schedules


@about_data(guide.usage)
def _usage(text: str) -> Iterator[Made]:
    yield guide.usage("/vb")


@about_data(guide.about)
@about_data(guide.incomplete)
def _about(text: str) -> Iterator[Made]:
    for word in WORDS.values():
        yield guide.about("/vb", word)
        yield guide.incomplete("/vb", word, f"There is no {one_line(text)}")


@about_data(guide.unknown_word)
def _unknown_word(text: str) -> Iterator[Made]:
    for word in (text, "rnu", "relaese"):
        yield guide.unknown_word("/vb", word, ["release"])


@about_data(guide.offer)
def _offer(text: str) -> Iterator[Made]:
    for workflow in workflows(text):
        problems = {name: f"{name} is wrong: {text}" for name in workflow.input}
        for form in (
            start_forms.start_form(workflow, PLACE, {}, {}),
            start_forms.start_form(workflow, PLACE, {}, problems, [text]),
        ):
            yield guide.offer(form, "v" * 2_000)
            yield guide.offer(form, "")


@about_data(guide.needs_a_run)
def _needs_a_run(text: str) -> Iterator[Made]:
    yield guide.needs_a_run("/vb", "cancel", [])
    yield guide.needs_a_run("/vb", "cancel", rows(text))


def grants(text: str, count: int) -> list[Grant]:
    by = Actor(via="slack", id="U0ANAXXXXX", name=text)
    given = [Grant(role, f"U{number}", text, text, 1_000_000, by, text) for role in Role for number in range(count)]
    return [Grant(Role.RUNNER, EVERYONE, ""), Grant(Role.ADMIN, "U0ADMIN", text), *given]


@about_data(rights.roles)
def _roles(text: str) -> Iterator[Made]:
    yield rights.roles("/vb", [], [])
    for count in (1, 5, 60):
        yield rights.roles("/vb", grants(text, count), grants(text, 1))


@about_data(rights.granted)
@about_data(rights.revoked)
def _granted(text: str) -> Iterator[Made]:
    for grant in grants(text, 1):
        yield from (rights.granted(grant, new=True), rights.granted(grant, new=False))
        yield from (rights.revoked(grant, there=True), rights.revoked(grant, there=False))


def timetable(text: str, count: int) -> list[Any]:
    """Rows of a list of schedules."""
    schedule = SimpleNamespace(cron="*/5 * * * *", timezone="Europe/Berlin")
    paused = SimpleNamespace(event=SimpleNamespace(by=SimpleNamespace(name=text), reason=text))
    row = {"workflow": "release", "schedule": schedule, "next_at": 2_000_000, "last_at": 1_000_000}
    states = [{"paused": None}, {"paused": paused}, {"paused": None, "next_at": None, "last_at": None}]
    return [SimpleNamespace(**(row | {"number": number} | states[number % 3])) for number in range(count)]


@about_data(rights.schedules)
def _schedules(text: str) -> Iterator[Made]:
    for count in (0, 3, 100):
        yield rights.schedules("/vb", timetable(text, count))


# The App Home


@about_data(home.home)
def _home(text: str) -> Iterator[Made]:
    waits = [section(one_line(text) or "It waits.")] * 90
    for count in (0, 3, 13):
        runs, schedules = rows(text)[:1] * count, timetable(text, count * 3)
        shown = home.Home(waits[: count * 7], runs, runs, schedules)
        yield home.home(shown)
        yield home.home(replace(shown, before="run_0123456789abcdef"))


@about_data(home.closed)
def _closed(text: str) -> Iterator[Made]:
    yield home.closed("Guests of this workspace cannot do this; nothing was changed.")


# The record of a gate


@about_runs(decided.approve_form)
@about_runs(decided.denied)
@about_runs(decided.nothing_open)
@about_runs(decided.delegated)
def _typed_decisions(now: Situation) -> Iterator[Made]:
    yield decided.nothing_open(now.state)
    for step, gate in gates(now):
        yield decided.approve_form(now.state, step, gate, PLACE, "fine")
        yield decided.denied(now.state, step)
        yield decided.delegated(step, gate, now.state.started.by)


@about_data(decided.handed_over)
@about_data(decided.taken_back)
@about_data(decided.delegations)
def _delegations(text: str) -> Iterator[Made]:
    people = [Actor(via="slack", id=f"U{number}", name=text) for number in range(3)]
    event = DelegationStarted(by=people[0], to=people[1], until=2_000_000, reason=text)
    known = [Delegation(number, 1_000_000, event) for number in range(30)]
    yield from (decided.handed_over(known[0]), decided.taken_back(ended=True), decided.taken_back(ended=False))
    yield from (decided.delegations("/vb", each, known[:count]) for each in people for count in (0, 1, 30))


@about_data(audited.report)
@about_data(audited.beginning)
def _audited(text: str) -> Iterator[Made]:
    for lines in ([], [text], ["asked", text, "decided"] * 3, [text] * 40):
        yield audited.report("Gate publish", lines, "vb audit prints all of it")
        yield audited.beginning(lines, "vb audit prints all of it")
