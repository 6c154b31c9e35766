"""A bot without a token of its own, and two workspaces that may install it."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.web.async_client import AsyncWebClient

from bot.app import BotSettings, Service
from bot.blocks.approval import APPROVE
from bot.simulator.http_delivery import signature
from bot.simulator.model import Message
from bot.simulator.people import People
from bot.simulator.simulator import Simulator
from bot.workspaces.installations import Installations
from bot.workspaces.installing import OAuthApp
from engine.engine import Engine
from engine.store import Secrets
from tests.bot.browsing import PUBLIC, Browser
from tests.bot.conftest import Setup, gate, workflow
from tests.bot.front import SIMPLE
from tests.patience import PATIENT

ACME, GLOBEX = "T0ACMEDEMO", "T0GLOBEXXX"
ASKED = {
    ACME: workflow(gate(approvers=["@ana"]), name="ask_ana"),
    GLOBEX: workflow(gate(approvers=["@gus"]), name="ask_gus"),
}

EITHER = workflow(gate(approvers=["@ana", "@gus"]), name="ask_either")
"""Asks somebody of each workspace; only the one of its own can be found by that name."""

GROUP = workflow(gate(approvers=["@release-managers"]), name="release_it")

SAY = workflow({"id": "say", "uses": "slack.post", "with": {"text": "said by a step"}}, name="say")


@dataclass
class Company:
    """A bot without a token of its own, and two workspaces that may install it."""

    simulator: Simulator
    globex: People
    engine: Engine
    service: Service

    def people(self, team: str) -> People:
        return self.globex if team == GLOBEX else self.simulator

    def seen_by(self, team: str) -> Engine:
        return self.engine.within(f"ws_{team}")

    @property
    def on_record(self) -> Installations:
        return installations(self.simulator, self.engine)

    @property
    def browser(self) -> Browser:
        return Browser(self.service.url, self.simulator.page_url)

    async def install(self, team: str, who: str = "") -> str:
        return await self.browser.install(team, who)

    async def ask(self, team: str, who: str, channel: str) -> str:
        """Start a run that asks; its id, once the question is in the channel."""
        await self.people(team).type_command(who, channel, f"/vb run {ASKED[team].name}")
        await self.question(team, channel)
        return (await self.seen_by(team).runs())[0].id

    async def question(self, team: str, channel: str) -> tuple[Message, dict[str, Any]]:
        """The message that asks, and its button to approve, once it is there."""

        def asking() -> list[tuple[Message, dict[str, Any]]]:
            shown = [(one, block) for one in self.people(team).channel_messages(channel) for block in one.blocks]
            buttons = [(one, button) for one, block in shown for button in block.get("elements", ())]
            return [(one, button) for one, button in buttons if button.get("action_id") == APPROVE]

        return (await self.simulator.wait_for(asking))[0]

    async def deliver(self, payload: dict[str, Any]) -> tuple[int, str]:
        """Send an interaction."""
        return await self.send({"payload": json.dumps(payload)})

    async def tell(self, team: str, event: dict[str, Any]) -> tuple[int, str]:
        """Send an event."""
        outer = {"type": "event_callback", "team_id": team, "api_app_id": "A0VECTORBE", "event": event}
        return await self._post(json.dumps(outer).encode(), "application/json")

    async def send(self, form: dict[str, str]) -> tuple[int, str]:
        """Send a command, or what else comes as a form."""
        return await self._post(urlencode(form).encode(), "application/x-www-form-urlencoded")

    async def _post(self, body: bytes, content_type: str) -> tuple[int, str]:
        """Signed as Slack signs it."""
        now = int(time.time())
        headers = {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": str(now),
            "X-Slack-Signature": signature(self.simulator.signing_secret, now, body),
        }
        async with (
            aiohttp.ClientSession() as session,
            session.post(self.service.request_url, data=body, headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    def whispers(self, team: str, who: str, channel: str) -> list[str]:
        seen = self.people(team).channel_messages(channel, seen_by=who)
        return [one.text for one in seen if one.ephemeral]


def slash(team: str, text: str, **more: str) -> dict[str, str]:
    """A command as Slack sends it."""
    known = {"command": "/vb", "text": text, "team_id": team, "user_name": "x", "channel_name": "x"}
    about = {"api_app_id": "A0VECTORBE", "trigger_id": "1.2.3", "is_enterprise_install": "false"}
    return {**known, **about, **more}


def installations(simulator: Simulator, engine: Engine) -> Installations:
    grants = simulator.grants
    rotator = AsyncTokenRotator(
        client_id=grants.client_id,
        client_secret=grants.client_secret,
        client=AsyncWebClient(base_url=simulator.api_url, retry_handlers=[]),
    )
    return Installations(Secrets(engine.store), grants.client_id, rotator)


@asynccontextmanager
async def serving(sealed: Setup, simulator: Simulator, globex: People, folder: Path) -> AsyncGenerator[Company]:
    grants = simulator.grants
    settings = BotSettings(
        signing_secret=simulator.signing_secret,
        oauth=OAuthApp(grants.client_id, grants.client_secret, PUBLIC),
        api_url=simulator.api_url,
        http_port=0,
        folders=(folder,),
        bounds=PATIENT,
    )
    async with (
        sealed.working(*ASKED.values(), EITHER, GROUP, SAY, SIMPLE) as engine,
        Service(engine, settings, sender=sealed.world.sender) as service,
    ):
        simulator.use_http(service.request_url)
        yield Company(simulator, globex, engine, service)
