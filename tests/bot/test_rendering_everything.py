"""Everything that the bot can show, over all states of runs and with the worst data: within Slack's limits, said in
full by its text, and never a ping, a link or a mark that the bot does not mean.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bot
import bot.blocks
from bot.blocks.kit import TEXT_LIMIT, Message
from bot.blocks.newer import degrade
from bot.simulator.blockkit import check_message_blocks, check_view
from bot.simulator.errors import SlackError
from engine.core.definition import Workflow
from engine.core.events import EVENTS
from tests.bot.reading import spoken, unsaid
from tests.bot.rendering import of_data, of_runs
from tests.bot.rendering.entries import OF_DATA, OF_RUNS, PINGS, Made, OfData, OfRun, name_of
from tests.bot.rendering.markup import problems, unseen
from tests.bot.rendering.poison import FORGERY, TEXTS, poisoned
from tests.bot.rendering.situations import RUNS, Situation, moments, of_history
from tests.core.definitions import CHILD, CHILD_PLAN, plan_of, workflows
from tests.core.life import ELSEWHERE, Life

Entry = TypeVar("Entry", OfRun, OfData)

PLAIN = "Fix it & add <it>"


# What is wrong with something shown


def wrong_with(made: Made, *, pings: bool = False) -> list[str]:
    """Every reason why Slack or a person should not see this."""
    if not isinstance(made, Message):
        return list(_view(made, pings))
    return [problem for form in (made, *([degrade(made)] if made.plain else [])) for problem in _message(form, pings)]


def _message(made: Message, pings: bool) -> Iterator[str]:
    if made.blocks:
        try:
            check_message_blocks(list(made.blocks))
        except SlackError as error:
            yield f"Slack refuses it: {error} {error.extra.get('errors', [])}"
    if not made.text.strip():
        yield "its text is empty"
    if len(made.text) > TEXT_LIMIT:
        yield f"its text has {len(made.text)} characters"
    yield from (f"its blocks say what its text does not: {line[:120]}" for line in unsaid(made))
    yield from problems(made.text, pings=pings)
    yield from _in_blocks(made.blocks, pings)
    lines = [*made.text.splitlines(), *spoken(made, literals=False)]
    yield from (f"data poses as a line of its own: {line}" for line in lines if line.startswith(FORGERY))


def _view(made: dict[str, Any], pings: bool) -> Iterator[str]:
    try:
        check_view(made, made["type"])
    except SlackError as error:
        yield f"Slack refuses it: {error} {error.extra.get('errors', [])}"
    yield from _in_blocks(made, pings)


def _in_blocks(part: Any, pings: bool) -> Iterator[str]:
    """What is wrong with any text object, wherever it is."""
    if isinstance(part, list | tuple):
        for each in cast("Sequence[Any]", part):
            yield from _in_blocks(each, pings)
    elif isinstance(part, dict):
        fields = cast("dict[str, Any]", part)
        if fields.get("type") == "mrkdwn":
            yield from problems(fields["text"], pings=pings)
            if not fields.get("verbatim"):
                yield f"Slack turns addresses in it into links: {fields['text'][:80]}"
        elif fields.get("type") in ("plain_text", "text", "raw_text"):
            yield from unseen(fields["text"])
        else:
            if fields.get("type") in ("plan", "task_card"):
                yield from unseen(fields["title"])
            yield from _in_blocks(list(fields.values()), pings)


def each_once(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Each entry under the name of the last of the functions that it shows: most show some that belong together."""
    names = {entry: name for name, entry in entries.items()}
    return {name: entry for entry, name in names.items()}


def all_wrong(situations: Iterable[Situation]) -> list[str]:
    return [
        f"{name}, {now.name}: {problem}"
        for now in situations
        for name, entry in each_once(OF_RUNS).items()
        for made in entry(now)
        for problem in wrong_with(made, pings=name in PINGS)
    ]


# Nothing is left out


def makers() -> dict[str, Callable[..., Any]]:
    """Every public function of ``bot.blocks`` that makes a message or a view."""
    found: dict[str, Callable[..., Any]] = {}
    for info in pkgutil.walk_packages(bot.blocks.__path__, "bot.blocks."):
        module = importlib.import_module(info.name)
        for name, function in inspect.getmembers(module, inspect.isfunction):
            made = str(function.__annotations__.get("return", ""))
            if function.__module__ == info.name and not name.startswith("_") and _is_shown(made):
                found[name_of(function)] = function
    return found


def _is_shown(annotation: str) -> bool:
    return any(shown in annotation for shown in ("Message", "View"))


def test_every_message_and_view_has_its_entry_in_the_gallery() -> None:
    without = sorted(set(makers()) - set(OF_RUNS) - set(OF_DATA))
    assert not without, f"give them entries in {of_runs.__name__} or {of_data.__name__}"


def test_messages_and_views_are_made_in_blocks_alone() -> None:
    """But for the step that posts what its author wrote; and the simulated Slack has messages of its own."""
    root = Path(next(iter(bot.__path__)))
    elsewhere = [
        f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}"
        for path in sorted(root.rglob("*.py"))
        if path.relative_to(root).parts[0] not in ("blocks", "demo", "simulator")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if _makes_something(node)
    ]
    assert [place.split(":")[0] for place in elsewhere] == ["sending/steps.py"], elsewhere


def _makes_something(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "Message"
    constants = (
        [each.value for each in node.values if isinstance(each, ast.Constant)] if isinstance(node, ast.Dict) else []
    )
    return any(kind in constants for kind in ("modal", "home", "mrkdwn", "plain_text"))


def test_every_type_of_event_occurs() -> None:
    occurring = {recorded.event.type for run in RUNS.values() for recorded in run.log}
    assert set(EVENTS) - occurring == set(), "add a scene in which it happens"


# Everything is right


@pytest.mark.parametrize("scene", RUNS)
def test_every_state_is_shown_well(scene: str) -> None:
    assert all_wrong(moments(scene)) == []


@pytest.mark.parametrize("poison", TEXTS)
@pytest.mark.parametrize("scene", RUNS)
def test_no_data_of_a_run_pings_breaks_or_poses(scene: str, poison: str) -> None:
    *_, last = moments(scene, TEXTS[poison])
    assert all_wrong([last]) == []


@pytest.mark.parametrize("poison", ["plain", *TEXTS])
@pytest.mark.parametrize("name", each_once(OF_DATA))
def test_no_other_data_pings_breaks_or_poses(name: str, poison: str) -> None:
    text = TEXTS.get(poison, PLAIN)
    assert [problem for made in OF_DATA[name](text) for problem in wrong_with(made)] == []


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(definition=workflows(), data=st.data())
def test_whatever_a_run_goes_through_is_shown_well(definition: Workflow, data: st.DataObject) -> None:
    """Random lives, with people, workers, time and operators in any order; poisoned too."""
    life = Life(definition)
    chance = data.draw(st.randoms(use_true_random=False))
    for _ in range(25):
        life.act(chance.choice)
    plan = plan_of(definition)
    plans = {definition.hash: plan, ELSEWHERE: life.plan, CHILD.hash: CHILD_PLAN}
    text = data.draw(st.sampled_from(sorted(TEXTS.values())))
    for log in (life.log, poisoned(life.log, text)):
        assert all_wrong(of_history("a life", plan, log, plans)) == []
