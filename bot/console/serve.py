"""`vb worker` and `vb serve`: processes that work until they are told to stop.

The one rule: told to stop, they claim nothing new, and finish or hand back what they have in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bot.app import BotSettings, Service
from bot.console.launch import DONE, Misuse, until_told_to_stop
from bot.console.output import note
from bot.console.stopping import say_stopping
from bot.known import catalog, steps
from bot.settings import Settings
from bot.slackstep import slack_post
from bot.steps import SlackSender
from bot.wiring import working_engine
from engine.catalog import Catalog
from engine.engine import Engine


async def work(settings: Settings) -> int:
    """Run steps of any runs of this database."""
    functions = steps(settings)
    async with working_engine(settings, Catalog({}), functions) as engine, engine.work() as worker:
        note(f"{worker.id} works on {engine.store.database.name}. Ctrl-C stops it.")
        await until_told_to_stop()
        say_stopping(worker)
    return DONE


async def serve(settings: Settings) -> int:
    """The same, and the bot. Raises ``Misuse`` where the settings name no Slack app."""
    slack = slack_settings(settings)
    known, problems = catalog(settings)
    for problem in problems:
        note(str(problem))
    sender = SlackSender()
    functions = steps(settings, slack_post(sender))
    async with (
        working_engine(settings, known, functions) as engine,
        Service(engine, slack, sender=sender) as service,
        engine.work() as worker,
        _watching(engine, settings),
    ):
        how = f"HTTP at {service.request_url}" if service.request_url else "Socket Mode"
        note(f"Serving Slack over {how}, with {', '.join(engine.workflows) or 'no workflows yet'}. Ctrl-C stops it.")
        await until_told_to_stop()
        say_stopping(worker)
    return DONE


@asynccontextmanager
async def _watching(engine: Engine, settings: Settings) -> AsyncGenerator[None]:
    """Keep the definitions in the settings' folders deployed meanwhile."""
    watching = asyncio.create_task(engine.watch(settings.workflow_folders))
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


def slack_settings(settings: Settings) -> BotSettings:
    """What the bot needs to know of Slack. Raises ``Misuse`` where something is missing."""
    if settings.bot_token is None:
        raise Misuse(
            "SLACK_BOT_TOKEN is not set: make a Slack app from manifest.yml and give its tokens, or try vb demo, which "
            "needs none."
        )
    if settings.app_token is None and settings.signing_secret is None:
        raise Misuse(
            "Neither SLACK_APP_TOKEN (for Socket Mode) nor SLACK_SIGNING_SECRET (for HTTP) is set; give one of them."
        )
    return BotSettings(
        bot_token=settings.bot_token.get_secret_value(),
        app_token=settings.app_token.get_secret_value() if settings.app_token else None,
        signing_secret=settings.signing_secret.get_secret_value() if settings.signing_secret else None,
        api_url=settings.slack_api_url,
        http_host=settings.http_host,
        http_port=settings.http_port,
        default_channel=settings.default_channel,
        admins=settings.admins,
    )
