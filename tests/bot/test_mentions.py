"""Runs that are started by mentioning the bot, and by shortcuts: where they are told, and what they start with."""

from __future__ import annotations

import pytest

from bot.listeners.mentions import asked_in
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core.state import RunState
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import HTTP, RELEASE, SIMPLE, SOCKET, Front, serving

ASKED = workflow(gate(approvers=["@ana"]), name="asked")
TRIAGE = workflow(
    {"id": "a", "uses": "t.echo", "with": {"text": "x"}},
    name="triage",
    description="Looks into it.",
    input={"message": {"type": "text"}, "message_url": {"type": "url", "required": False}, "level": {"default": "low"}},
)


def mention(front: Front, who: str, text: str, thread: str | None = None) -> Message:
    return front.simulator.post_message(who, "#releases", f"@vectorbea {text}", thread)


async def begun(front: Front, count: int = 1) -> RunState:
    """The newest of so many runs."""

    async def started() -> bool:
        return len(await front.runs()) >= count

    await until(started)
    return await front.engine.state((await front.runs())[0])


def in_thread(front: Front, root: str) -> list[Message]:
    return [one for one in front.simulator.channel_messages("#releases") if one.thread_ts == root and not one.ephemeral]


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_a_run_that_is_started_in_a_thread_lives_there(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE], transport=transport) as front:
        root = simulator.post_message("ana", "#releases", "Shall we?").ts
        simulator.duplicate_next("events_api")
        mention(front, "ben", 'run release version=v1.2.3 note="as @ana said"', root)
        state = await begun(front)
        assert state.started.origin["thread"] == root
        assert state.started.input["note"] == "as @ana said"
        question = await front.question()
        assert question.thread_ts == root
        told = in_thread(front, root)
        assert any(message.text.startswith("release · v1.2.3") for message in told)
        assert any("→ Ben Okafor started release" in message.text for message in told)
        await front.click("ana", "gate_approve")
        await front.ended(state.run)
        await simulator.wait_for(lambda: any("✓ Completed in" in one.text for one in in_thread(front, root)))
        roots = [one for one in simulator.channel_messages("#releases") if one.thread_ts in (None, one.ts)]
        assert [one.ts for one in roots] == [root]
        assert len(await front.runs()) == 1
        assert front.whispers("ben") == []


def test_a_mention_has_the_same_key_whenever_it_is_delivered() -> None:
    bot = [{"user_id": "UVB", "is_bot": True}]
    event = {"user": "U1", "channel": "C1", "ts": "1.1", "thread_ts": "1.0", "text": "Hi <@U2>, <@UVB> run simple a=b"}
    first = asked_in({"event_id": "Ev1", "authorizations": bot, "event": event})
    again = asked_in({"event_id": "Ev1", "authorizations": bot, "event": dict(event)})
    assert first is not None
    assert again is not None
    assert first.key == again.key
    assert (first.word, first.rest, first.where.thread) == ("run", "simple a=b", "1.0")
    other = asked_in({"authorizations": bot, "event": {**event, "ts": "1.2"}})
    assert other is not None
    assert other.key != first.key
    assert asked_in({"authorizations": bot, "event": {**event, "bot_id": "B1"}}) is None


async def test_a_mention_outside_of_threads_starts_a_run_as_the_command_does(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        mention(front, "ben", "run simple")
        state = await begun(front)
        assert "thread" not in state.started.origin
        mention(front, "ben", "status " + state.run[:14])
        assert (await front.told("ben", 1)).startswith("simple: ")
        mention(front, "eve", "run simple")
        assert (await front.told("eve", 1)).startswith("Guests of this workspace cannot do this")
        mention(front, "ben", "rnu simple")
        assert await front.told("ben", 2) == "There is no `@Vectorbea rnu`; did you mean `@Vectorbea run`?"
        mention(front, "ben", "simple")
        assert await front.told("ben", 3) == "There is no `@Vectorbea simple`; did you mean `@Vectorbea run simple`?"
        assert len(await front.runs()) == 1


async def test_what_a_mention_lacks_is_filled_in_a_form_behind_a_button(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE]) as front:
        root = simulator.post_message("ana", "#releases", "Shall we?").ts
        mention(front, "ben", "run release version=1.2", root)
        assert "✗ version must look like v1.4.2; you gave 1.2." in await front.told("ben", 1)
        offered = next(one for one in simulator.channel_messages("#releases", seen_by="ben") if one.ephemeral)
        assert offered.thread_ts == root
        await simulator.click("ben", "#releases", offered.ts, "fill_in")
        assert (await front.fill("ben", version="v1.2.3")).result == "closed"
        state = await begun(front)
        assert state.started.origin["thread"] == root
        assert state.started.input["version"] == "v1.2.3"
        mention(front, "ben", "run release version=1 note=" + "x" * 2_000, root)
        assert "Write all of it after the mention" in await front.told("ben", 2)


async def test_a_workflow_from_anywhere_is_told_where_its_starter_says(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE]) as front:
        await simulator.use_shortcut("ben", "run_workflow")
        picker = await front.form("ben")
        await simulator.suggest("ben", picker.id, "choose_workflow", "simple")
        await simulator.submit_view("ben", picker.id, {"workflow": {"choose_workflow": "simple"}})
        form = await front.form("ben")
        sent = await simulator.submit_view("ben", form.id, {"tell_in": {"value": "C0OPSXXXXX"}})
        assert sent.result == "closed"
        assert (await begun(front)).started.origin["channel"] == "C0OPSXXXXX"
        await simulator.wait_for(lambda: any("simple" in one.text for one in simulator.channel_messages("#ops")))
        await simulator.use_shortcut("eve", "run_workflow")
        assert (await front.form("eve")).blocks[0]["text"]["text"].startswith("Guests of this workspace")


async def test_a_message_becomes_the_input_of_a_run_that_is_told_under_it(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE, TRIAGE]) as front:
        message = simulator.post_message("ana", "#releases", "It broke: a<b & @chen knows")
        await simulator.use_message_shortcut("ben", "#releases", message.ts, "run_on_message")
        picker = await front.form("ben")
        offered = await simulator.suggest("ben", picker.id, "choose_workflow", "")
        assert [option["value"] for option in offered["options"]] == ["release", "triage"]
        await simulator.submit_view("ben", picker.id, {"workflow": {"choose_workflow": "triage"}})
        assert (await front.fill("ben", level="high")).result == "closed"
        started = (await begun(front)).started
        assert started.input["message"] == "It broke: a<b & @chen knows"
        assert "/archives/C0RELEASES/p" in str(started.input["message_url"])
        assert (started.input["level"], started.origin["thread"]) == ("high", message.ts)
        await simulator.wait_for(lambda: in_thread(front, message.ts))


async def test_where_no_workflow_takes_a_message_it_is_said_what_to_do(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        message = simulator.post_message("ana", "#releases", "It broke")
        await simulator.use_message_shortcut("ben", "#releases", message.ts, "run_on_message")
        assert "No workflow here takes a message." in (await front.form("ben")).blocks[0]["text"]["text"]
