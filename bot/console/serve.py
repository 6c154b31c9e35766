"""`vb worker` and `vb serve`: processes that work until they are told to stop.

The one rule: told to stop, they claim nothing new, and finish or hand back what they have in hand.
"""

from __future__ import annotations

from pydantic import SecretStr

from bot.app import BotSettings, Service
from bot.config.known import catalog
from bot.config.masterkey import sealer
from bot.config.settings import Settings
from bot.config.wiring import working_engine
from bot.console.launch import DONE, Misuse, until_told_to_stop
from bot.console.output import note
from bot.console.stopping import say_stopping
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from bot.workspaces.installing import OAuthApp
from engine.catalog import Catalog


async def work(settings: Settings) -> int:
    """Run steps of any runs of this database."""
    async with working_engine(settings, Catalog({})) as engine, engine.work() as worker:
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
    async with (
        working_engine(settings, known, slack_post(sender)) as engine,
        Service(engine, slack, sender=sender) as service,
        engine.work() as worker,
    ):
        if slack.oauth is not None:
            note(f"The app is installed at {slack.oauth.install_url}; this process listens at {service.url}.")
        how = f"HTTP at {service.request_url}" if service.request_url else "Socket Mode"
        note(f"Serving Slack over {how}, with {', '.join(engine.workflows) or 'no workflows yet'}. Ctrl-C stops it.")
        await until_told_to_stop()
        say_stopping(worker)
    return DONE


def slack_settings(settings: Settings) -> BotSettings:
    """What the bot needs to know of Slack. Raises ``Misuse`` where something is missing."""
    oauth = _oauth(settings)
    if settings.bot_token is None and oauth is None:
        raise Misuse(
            "SLACK_BOT_TOKEN is not set: make a Slack app from manifest.yml and give its tokens, or try vb demo, which "
            "needs none. To serve many workspaces, set SLACK_CLIENT_ID instead."
        )
    if settings.app_token is None and settings.signing_secret is None:
        raise Misuse(
            "Neither SLACK_APP_TOKEN (for Socket Mode) nor SLACK_SIGNING_SECRET (for HTTP) is set; give one of them."
        )
    return BotSettings(
        bot_token=_shown(settings.bot_token),
        app_token=_shown(settings.app_token),
        signing_secret=_shown(settings.signing_secret),
        oauth=oauth,
        api_url=settings.slack_api_url,
        http_host=settings.http_host,
        http_port=settings.http_port,
        default_channel=settings.default_channel,
        admins=settings.admins,
        folders=settings.workflow_folders,
    )


def _oauth(settings: Settings) -> OAuthApp | None:
    """The app that people install, if it is one. Raises ``Misuse`` where a part of it is missing."""
    if settings.client_id is None and settings.client_secret is None:
        return None
    secret = settings.client_secret
    if settings.client_id is None or secret is None or settings.public_url is None:
        raise Misuse(
            "To serve many workspaces, set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and VB_PUBLIC_URL, all three; the "
            "first two are in Basic Information of the app."
        )
    if sealer(settings) is None:
        raise Misuse(
            "Tokens of many workspaces are kept in the database, and only sealed: set VB_MASTER_KEY_FILE, to a file "
            "that vb keys new has made."
        )
    return OAuthApp(settings.client_id, secret.get_secret_value(), settings.public_url)


def _shown(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
