"""The service as a whole: what stops it from starting, in one sentence each, and how it stops."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from bot.app import BotSettings, Service
from bot.receiving import transport
from bot.receiving.transport import SlackUnusable
from bot.simulator.calls import Fault
from bot.simulator.demo import demo_workspace, vectorbea_app
from bot.simulator.simulator import Simulator
from tests.bot.conftest import ACTOR, Setup
from tests.bot.front import HTTP, SIMPLE, bot_settings, locked, serving


async def refusal(setup: Setup, settings: BotSettings) -> str:
    """Why the service does not start."""
    async with setup.engine() as engine:
        with pytest.raises(SlackUnusable) as refused:
            async with Service(engine, settings):
                raise AssertionError("it started")
    return str(refused.value)


async def test_a_wrong_bot_token_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    said = await refusal(setup, bot_settings(simulator, bot_token="xoxb-wrong-secret"))
    assert said.startswith("Slack does not accept the bot token (invalid_auth); copy the Bot User OAuth Token")
    assert "wrong-secret" not in said


async def test_a_wrong_app_token_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    said = await refusal(setup, bot_settings(simulator, app_token="xapp-wrong-secret"))
    assert said.startswith("Slack does not accept the app token (invalid_auth); create an app-level token")
    assert "wrong-secret" not in said


async def test_a_slack_that_cannot_be_reached_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    said = await refusal(setup, bot_settings(simulator, api_url="http://127.0.0.1:9/api/"))
    assert said.startswith("Slack cannot be reached at http://127.0.0.1:9/api/ (")
    assert said.endswith("check the network, and SLACK_API_URL if it is set.")


async def test_a_slack_in_trouble_is_one_sentence(
    setup: Setup, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "PAUSES_S", (0.0,))
    simulator.fail_next("auth.test", Fault(status=503), 2)
    said = await refusal(setup, bot_settings(simulator))
    assert said.startswith("Slack cannot be reached at ")
    assert "\n" not in said
    simulator.fail_next("apps.connections.open", Fault(drop="before"))
    assert (await refusal(setup, bot_settings(simulator))).startswith("Slack cannot be reached at ")


async def test_neither_transport_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    said = await refusal(setup, BotSettings(simulator.bot_token, api_url=simulator.api_url))
    assert said == "Set SLACK_APP_TOKEN to serve Slack over Socket Mode, or SLACK_SIGNING_SECRET to serve it over HTTP."


async def test_missing_scopes_are_named(setup: Setup) -> None:
    app = vectorbea_app(scopes=("commands", "users:read", "im:write"))
    async with Simulator(demo_workspace(app=app)).serve() as poor:
        said = await refusal(setup, bot_settings(poor))
    assert said.startswith("The bot token lacks chat:write, usergroups:read; add these scopes")


async def test_an_unknown_default_channel_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    said = await refusal(setup, bot_settings(simulator, default_channel="#nowhere"))
    assert said.startswith("VB_DEFAULT_CHANNEL is #nowhere, and no such channel is to be seen")


async def test_a_port_that_is_taken_is_one_sentence(setup: Setup, simulator: Simulator) -> None:
    port = int(simulator.page_url.rsplit(":", 1)[1].strip("/"))
    said = await refusal(setup, replace(bot_settings(simulator, HTTP), http_port=port))
    assert said.startswith(f"The bot cannot listen on 127.0.0.1 port {port} (")


async def test_secrets_are_not_shown() -> None:
    shown = repr(BotSettings("xoxb-secret", "xapp-secret", "signing-secret"))
    assert "secret" not in shown


async def test_nothing_is_warned_of_where_all_is_well(
    setup: Setup, simulator: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", simulator.bot_token)
    monkeypatch.setattr("engine.streams.buckets.PATIENCE_S", 60.0)
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("ana")
        await front.ended(run)
    said = [(record.name, record.getMessage()) for record in caplog.records if record.levelno >= logging.WARNING]
    assert [each for each in said if not each[0].startswith("engine.")] == []


async def test_runs_without_a_channel_are_told_in_the_default_channel(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE], default_channel="ops") as front:
        await front.engine.start("simple", {}, by=ACTOR)
        await simulator.wait_for(lambda: simulator.channel_messages("#ops"))
        assert simulator.channel_messages("#releases") == []


async def test_what_was_received_is_finished_before_the_service_stops(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        question = await front.question()
        with locked(setup):
            clicking = asyncio.create_task(simulator.click("ana", "#releases", question.ts, "gate_approve"))
            await simulator.wait_for(lambda: len(simulator.deliveries("interactive")) == 1)
            stopping = asyncio.create_task(front.service.__aexit__(None, None, None))
        await stopping
        await clicking  # acknowledged, though the service was stopping
        assert (await front.gate(run)).decision is not None


async def test_a_restarted_bot_goes_on_with_the_same_question(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
    async with serving(setup, simulator) as front:
        await front.click("ana")
        assert (await front.ended(run)).end is not None


async def test_a_connection_that_breaks_is_made_anew(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await simulator.socket.refresh(warning_ms=0)
        await simulator.wait_connected()
        await front.type("ben", "run simple")
        assert len(await front.runs()) == 1
