"""The step slack.post: in which channel, with what text, and never twice."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import JsonValue
from slack_sdk.web.async_client import AsyncWebClient

from bot.people.directory import Directory
from bot.sending.outbox import Outbox
from bot.sending.slackstep import slack_post
from bot.simulator.calls import Fault
from bot.simulator.model import Channel
from bot.simulator.simulator import Simulator
from engine.core.state import RunState, RunStatus
from engine.engine import Engine
from tests.bot.conftest import ACTOR, ORIGIN, Setup, World, ended, workflow
from tests.steps.conftest import Notebook


class Posting:
    """Runs a workflow of one slack.post."""

    def __init__(self, setup: Setup, world: World, client: AsyncWebClient, directory: Directory) -> None:
        self.setup = setup
        self.world = world
        self.client = client
        self.directory = directory

    async def run(self, origin: dict[str, Any] | None = None, *, connect: bool = True, **arguments: Any) -> RunState:
        definition = workflow(
            {"id": "say", "uses": "slack.post", "with": arguments, "retry": {"attempts": 3, "initial": "50ms"}}
        )
        async with self.setup.working(definition) as engine:
            if connect:
                self.connect(engine)
            begun = await engine.start("wf", {}, by=ACTOR, origin=ORIGIN if origin is None else origin)
            return await ended(engine, begun.run)

    def connect(self, engine: Engine) -> None:
        self.world.sender.connect(engine, Outbox(self.client), self.directory, settle_ms=100)


@pytest.fixture
def posting(setup: Setup, world: World, client: AsyncWebClient, directory: Directory) -> Posting:
    return Posting(setup, world, client, directory)


async def test_it_posts_in_the_named_channel_and_returns_where(posting: Posting, simulator: Simulator) -> None:
    state = await posting.run(channel="#ops", text="all is <well>")
    [message] = simulator.channel_messages("ops")
    assert message.text == "all is &lt;well&gt;"
    assert state.step("say").output == {"channel": "C0OPSXXXXX", "ts": message.ts}


async def test_without_a_channel_it_posts_where_the_run_was_started(posting: Posting, simulator: Simulator) -> None:
    await posting.run(text="*bold* & <https://example.com|link>", mrkdwn=True)
    [message] = simulator.channel_messages("releases")
    assert message.text == "*bold* & <https://example.com|link>"


async def test_a_lost_answer_does_not_post_twice(posting: Posting, simulator: Simulator) -> None:
    simulator.fail_next("chat.postMessage", Fault(drop="after"))
    state = await posting.run(channel="C0OPSXXXXX", text="once")
    assert state.status is RunStatus.COMPLETED
    assert [message.text for message in simulator.channel_messages("ops")] == ["once"]


async def test_a_post_on_record_is_enough_whatever_has_become_of_its_channel(world: World) -> None:
    on_record: JsonValue = {"channel": "C0OPSXXXXX", "ts": "1700000000.000100"}
    notebook = Notebook(results={"post": on_record})
    assert await slack_post(world.sender).invoke(notebook.context(2), {"channel": "#gone", "text": "x"}) == on_record


async def test_a_post_that_cannot_be_looked_for_is_not_repeated(posting: Posting, simulator: Simulator) -> None:
    simulator.fail_next("chat.postMessage", Fault(drop="after"))
    simulator.fail_next("conversations.history", Fault(error="missing_scope"))
    state = await posting.run(channel="#ops", text="once")
    assert "cannot be seen" in (state.end.reason if state.end else "")
    assert len(simulator.channel_messages("ops")) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"channel": "#nowhere", "text": "x"}, "I see no channel #nowhere"),
        ({"channel": "C0NOWHEREX", "text": "x"}, "Slack did not take the message (channel_not_found)"),
        ({"text": "  "}, "the text is empty"),
        ({"text": "x" * 12_001}, "12,000 are the most"),
    ],
)
async def test_what_cannot_be_posted_fails_with_one_clear_sentence(
    posting: Posting, simulator: Simulator, arguments: dict[str, Any], reason: str
) -> None:
    state = await posting.run(**arguments)
    assert state.end is not None
    assert reason in state.end.reason
    assert simulator.channel_messages("releases") == []


async def test_a_run_without_a_channel_has_to_name_one(posting: Posting) -> None:
    state = await posting.run({}, text="x")
    assert state.end is not None
    assert "give slack.post a channel" in state.end.reason


async def test_a_closed_channel_is_a_matter_of_permission(posting: Posting, simulator: Simulator) -> None:
    bot = simulator.workspace.app.bot_user_id
    simulator.workspace.add_channel(Channel("C0ARCHIVED", "old", [bot], is_archived=True))
    state = await posting.run(channel="C0ARCHIVED", text="x")
    assert state.step("say").failure is not None
    assert state.step("say").attempt == 1


async def test_before_slack_is_connected_it_is_tried_again(posting: Posting) -> None:
    state = await posting.run(connect=False, channel="#ops", text="x")
    assert state.end is not None
    assert "Slack is not connected yet" in state.end.reason
    assert state.step("say").attempt == 3
