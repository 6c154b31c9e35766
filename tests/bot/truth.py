"""What must be true of a run's thread in the end, whatever broke on the way.

The one rule: only the log says what had to be told, and only the workspace what was; the bot is not asked.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from bot.blocks.card import card
from bot.simulator.model import Message
from bot.telling.story import Story
from engine.engine import Engine
from engine.store import Deliveries


def has_buttons(message: Message) -> bool:
    return any(block.get("block_id") == "gate" for block in message.blocks)


def identity(message: Message) -> tuple[str, str]:
    """Run and key of a message of the bot; everything that it posts has them."""
    assert message.metadata is not None
    payload = message.metadata["event_payload"]
    return payload["run"], payload["key"]


def of(messages: Iterable[Message], run: str, kind: str) -> list[Message]:
    """The run's messages of one kind (``card``, ``timeline``, ``approval``), oldest first."""
    named = [(message, *identity(message)) for message in messages]
    return [message for message, its_run, key in named if its_run == run and key.split(":")[0] == kind]


def check_no_doubles(messages: Iterable[Message]) -> None:
    found = [identity(message) for message in messages]
    assert len(found) == len(set(found)), "a message was posted twice"


async def check_told(engine: Engine, run: str, messages: Sequence[Message]) -> None:
    """One card with the final state, each line once and in order, and no request that has its buttons still."""
    history, state = await engine.history(run), await engine.state(run)
    [shown] = of(messages, run, "card")
    assert shown.text == card(state).text
    requests, timeline = of(messages, run, "approval"), of(messages, run, "timeline")
    assert not any(has_buttons(request) for request in requests)
    story = Story(run, state.plan, history[0])
    story.read(history[1:])
    told = [line for message in timeline for line in message.text.splitlines()]
    wanted = [line.text for line in story.pending]
    assert told == wanted, [line for line in difflib.ndiff(told, wanted) if not line.startswith("  ")]
    assert {message.thread_ts for message in (*requests, *timeline)} == {shown.ts}


async def check_completed_thread(engine: Engine, run: str, messages: Sequence[Message]) -> None:
    """All is told: one request, approved, and the line of the beginning and that of the end."""
    await check_told(engine, run, messages)
    [shown] = of(messages, run, "card")
    assert "✓ Completed" in shown.text
    [request] = of(messages, run, "approval")
    assert "✓ Approved by Ana Ruiz (in @release-managers)" in request.text
    told = [line for message in of(messages, run, "timeline") for line in message.text.splitlines()]
    assert f" started {(await engine.state(run)).started.workflow}: " in told[0]
    assert told[-1].startswith("✓ Completed in ")


async def is_told(engine: Engine, run: str) -> bool:
    """Whether nothing is left to say about the run, and no process holds it any more."""
    deliveries = Deliveries(engine.store)
    cursor = await deliveries.claim_cursor("slack", run, "wrk_looking", 1)
    if cursor is None:
        return False
    await deliveries.release_cursor("slack", run, "wrk_looking")
    return cursor.seq == (await engine.state(run)).seq
