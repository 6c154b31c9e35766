"""What the bot shows of anything else: definitions, lists, mistakes, help, roles, schedules, the App Home, records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from bot.blocks import (
    alerts,
    audited,
    decided,
    forecast,
    forms,
    guide,
    home,
    keys,
    replies,
    rights,
    start_forms,
    switches,
)
from bot.blocks.kit import section
from bot.blocks.newer import degrade
from bot.blocks.vocabulary import WORDS
from bot.blocks.words import one_line
from engine.core.definition import Workflow
from engine.core.delegations import Delegation
from engine.core.estimate import Estimate, Range, StepEstimate
from engine.core.events import Actor
from engine.core.identities import Link
from engine.core.key_events import KeyChecked
from engine.core.keys import SECRETS, Key
from engine.core.roles import EVERYONE, Grant, Role
from engine.core.state import RunState
from engine.core.switches import Switch
from engine.core.workspace_events import AccountLinked, AccountUnlinked, DelegationStarted
from tests.bot import scenes_flow
from tests.bot.rendering.entries import PLACE, Made, about_data

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


@about_data(forecast.with_estimate)
def _estimated(text: str) -> Iterator[Made]:
    step = StepEstimate(text, text, Range(1, 2, 3), Range(1, 20, 300), (text, f"at most {text}"))
    unpriced = StepEstimate(text, text, Range(1, 2, 3), None, (text,))
    several = Estimate((step,) * 6, Range(6, 120, 1_800))
    without = Estimate((step, unpriced), Range(0, 0, 0), (text,) * 9)
    for found in (None, Estimate((step,), Range(1, 20, 300)), several, without):
        form = start_forms.start_form(workflows(text)[0], PLACE, {}, {})
        yield forecast.with_estimate(form, forecast.estimate_block(found))


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
    yield forms.notice("Nothing was changed", replies.said(replies.UNKNOWN_FORM).text)


@about_data(replies.said)
def _said(text: str) -> Iterator[Made]:
    for sentence in (
        replies.NOT_IN_TIME,
        replies.KEY_NOT_IN_TIME,
        replies.ASK_NOT_IN_TIME,
        replies.FORM_NOT_OPENED,
        replies.UNEXPECTED,
    ):
        yield replies.said(sentence)
    for sentence in (replies.START_NOT_IN_TIME, replies.RETRY_NOT_IN_TIME):
        yield replies.said(sentence.format(command="/vb"))
    yield replies.said(replies.UNKNOWN_BUTTON)


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


@about_data(replies.tabled)
def _tabled(text: str) -> Iterator[Made]:
    for count in (1, 5, 100):
        rows = [(f"{number}: {text}", "", "$1.00") for number in range(count)]
        lines = [f"{one_line(name)}: {spent}" for name, _, spent in rows]
        yield replies.tabled(("Name", "Nothing", "Spent"), rows, lines, "The last.")
        yield degrade(replies.tabled(("Name", "Nothing", "Spent"), rows, lines, "The last."))


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
    yield rights.roles("/vb", grants(text, 1), [], {"U0ADMIN"})
    for count in (1, 5, 60):
        yield rights.roles("/vb", grants(text, count), grants(text, 1))


@about_data(keys.listed)
@about_data(keys.secrets)
@about_data(keys.entry_form)
@about_data(keys.revoke_form)
@about_data(keys.checked)
def _keys(text: str) -> Iterator[Made]:
    by = Actor(via="slack", id="U0ANAXXXXX", name=text)
    known = [Key(f"p{at}", "default", "pk", "WXYZ" if at % 2 else "", "f", 1_000_000, by) for at in range(60)]
    yield keys.listed("/vb", [])
    yield keys.listed("/vb", [(key, None if at % 3 else 2_000_000) for at, key in enumerate(known)])
    yield keys.secrets("/vb", [])
    yield keys.secrets("/vb", [(key._replace(provider=SECRETS), None) for key in known])
    for callback in (keys.ADD, keys.ROTATE):
        yield keys.entry_form(callback, SECRETS, "TOKEN", PLACE)
    yield keys.revoke_form(SECRETS, "TOKEN", PLACE)
    for name in ("default", "batch"):
        yield keys.entry_form(keys.ADD, "openai", name, PLACE)
        yield keys.entry_form(keys.ROTATE, "openai", name, PLACE)
        yield keys.revoke_form("openai", name, PLACE)
        yield replies.said(keys.kept(known[1]._replace(name=name)))
        yield replies.said(keys.revoked("openai", name))
        for accepted in (True, False, None):
            by = known[1].by
            yield keys.checked(
                KeyChecked(provider="openai", name=name, key="key_1", accepted=accepted, words=text, by=by)
            )


@about_data(rights.granted)
@about_data(rights.revoked)
def _granted(text: str) -> Iterator[Made]:
    for grant in grants(text, 1):
        yield from (rights.granted(grant, new=True), rights.granted(grant, new=False))
        yield from (rights.revoked(grant, there=True), rights.revoked(grant, there=False))


@about_data(rights.link_offered)
@about_data(rights.linked)
@about_data(rights.unlinked)
def _links(text: str) -> Iterator[Made]:
    account, person = Actor(via="cli", id="1000", name=text), Actor(via="slack", id="U0ANAXXXXX", name=text)
    linked = AccountLinked(account=account, machine=text, person=person, code="c")
    ended = AccountUnlinked(account=account, machine=text, person=person, by=person)
    for count in (0, 1, 60):
        yield rights.linked("/vb", linked, 1_000_000)
        yield rights.link_offered("K7QX-2MPA-Z4ND-6RTY", 600_000, [Link(1_000_000, linked)] * count)
        yield from (rights.unlinked([ended] * count), rights.unlinked([ended] * count, person))


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


def held(text: str) -> list[RunState]:
    """A run that a budget holds, for a reason that says ``text``."""
    state = scenes_flow.used_up(scenes_flow.standing(900_000, 0)).state
    step = state.step("ask")
    assert step.hold is not None
    return [state._replace(steps=state.steps.set("ask", step._replace(hold=step.hold._replace(words=text))))]


@about_data(home.home)
def _home(text: str) -> Iterator[Made]:
    waits = [section(one_line(text) or "It waits.")] * 90
    for count in (0, 3, 13):
        runs, schedules = rows(text)[:1] * count, timetable(text, count * 3)
        spend = home.Spend([f"workflow:{text}: $1.00 spent"] * count * 2, [(text, 1)] * count, held(text)[:1] * count)
        shown = home.Home(waits[: count * 7], runs, runs, schedules, spend)
        yield home.home(shown)
        yield home.home(replace(shown, before="run_0123456789abcdef"))


@about_data(home.closed)
def _closed(text: str) -> Iterator[Made]:
    yield home.closed("Guests of this workspace cannot do this; nothing was changed.")


# Delegations, and the record of a gate


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


# Switches, budgets


@about_data(alerts.raise_form)
def _raise_form(text: str) -> Iterator[Made]:
    name = f"workflow:{text[:200]}/day"
    yield alerts.raise_form(name, 10_000_000, f"{name}: $8.00 of $10.00 spent", PLACE)


@about_data(switches.listed)
@about_data(switches.kill_form)
def _switches(text: str) -> Iterator[Made]:
    by = Actor(via="slack", id="U1", name=text)
    thrown = [Switch(f"workflow:{text}", by, text, 1_800_000_000_000, number) for number in range(30)]
    for count in (0, 1, 30):
        yield switches.listed("/vb", thrown[:count])
    yield replies.said(switches.lifted_by(f"workflow:{text}", by, text, 1_800_000_000_000))
    for reason in ("", text[: switches.LONGEST_REASON]):
        yield switches.kill_form(thrown[0].key[:200], f"This stops all runs of {text}."[:500], PLACE, reason)
