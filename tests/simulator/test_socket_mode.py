"""Socket Mode as bolt's own client speaks it."""

from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.simulator.simulator import Simulator

from .conftest import Connect


async def test_command_is_acknowledged_and_answered(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    heard: list[dict[str, Any]] = []

    @app.command("/vb")
    async def vb(ack: AsyncAck, command: dict[str, Any]) -> None:
        heard.append(command)
        await ack("Only you see this")

    await connect(app)
    await simulator.type_command("ben", "#releases", "/vb run x a=1")

    assert heard[0]["text"] == "run x a=1"
    assert heard[0]["user_name"] == "ben"
    seen_by_ben = simulator.channel_messages("#releases", seen_by="ben")
    assert [(m.text, m.ephemeral) for m in seen_by_ben] == [("Only you see this", True)]
    assert simulator.channel_messages("#releases", seen_by="ana") == []
