"""`vb serve` as a process: a bot for a workspace, by settings alone."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator

import pytest

from bot.simulator.demo import demo_workspace
from bot.simulator.simulator import Simulator
from engine.worker import WorkerSettings
from tests.cli.conftest import Vb
from tests.patience import PATIENT_SLACK


@pytest.fixture
async def slack() -> AsyncIterator[Simulator]:
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as simulator:
        yield simulator


async def test_serve_takes_commands_and_stops_when_told(vb: Vb, slack: Simulator) -> None:
    settings = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_APP_TOKEN": slack.app_token, "SLACK_API_URL": slack.api_url}
    with vb.running("serve", **settings) as serving:
        await asyncio.to_thread(serving.until, "Serving Slack over Socket Mode, with gated, hello, slow")
        await slack.wait_connected()
        await slack.type_command("ben", "#releases", "/vb run hello word=there")

        def done() -> bool:
            return any("✓ Completed" in message.text for message in slack.channel_messages("#releases"))

        await slack.wait_for(done)
        listed = await asyncio.to_thread(lambda: vb("workspaces", "--json", **settings))
        [home] = json.loads(listed.out)
        assert (home["workspace"], home["name"], home["by_setting"]) == ("T0ACMEDEMO", "Acme", "SLACK_BOT_TOKEN")
        assert (home["installed_by"], home["lacks"]) == (None, [])
        assert slack.bot_token not in listed.said
        assert await asyncio.to_thread(serving.ended, signal.SIGTERM) == 0
    for secret in (slack.bot_token, slack.app_token):
        assert secret not in serving.said
        assert secret not in (vb.folder / "vb.log").read_text(encoding="utf-8")


async def test_a_token_that_slack_refuses_is_one_sentence(vb: Vb, slack: Simulator) -> None:
    settings = {"SLACK_BOT_TOKEN": "xoxb-wr0ng", "SLACK_APP_TOKEN": "xapp-x", "SLACK_API_URL": slack.api_url}
    done = await asyncio.to_thread(lambda: vb("serve", **settings))
    assert done.code == 1
    assert done.err.startswith("Slack does not accept the bot token (invalid_auth)")
    assert "wr0ng" not in done.err


def test_a_second_ctrl_c_does_not_wait_for_what_is_in_hand(vb: Vb) -> None:
    with vb.running("run", "slow", "seconds=60", "--wait", VB_ALLOWED_PROGRAMS="sleep") as waiting:
        waiting.until("STEP_STARTED nap")
        waiting.send(signal.SIGINT)
        waiting.until(r"Stopping when what is in hand \(1 step\) is finished or handed back")
        told = time.monotonic()
        assert waiting.ended(signal.SIGINT) == 1
    assert time.monotonic() - told < WorkerSettings().grace
