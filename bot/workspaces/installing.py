"""The pages by which people install the app in their workspace: ``/slack/install`` and ``/slack/oauth_redirect``.

The one rule: only the browser that began an installation can end it, once and within ten minutes; whatever goes wrong,
the page says it in words, and nothing is kept.

The flow is bolt's (https://docs.slack.dev/authentication/installing-with-oauth); what is kept is kept by
``bot.workspaces.installations``.
"""

from __future__ import annotations

import html
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.oauth.async_callback_options import AsyncCallbackOptions, AsyncFailureArgs, AsyncSuccessArgs
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.web.async_client import AsyncWebClient

from bot.manifest import SCOPES
from bot.people.directory import error_name, reason_of
from bot.workspaces.installations import STATE_LIFETIME_MS, Installations, States, id_of
from engine.core.errors import EngineError

log = logging.getLogger(__name__)

INSTALL, REDIRECT = "/slack/install", "/slack/oauth_redirect"

_AUTHORIZE = "https://slack.com/oauth/v2/authorize"

_REASONS = {
    "access_denied": "The installation was declined in Slack.",
    "invalid_browser": "This page was opened in another browser than the one in which the installation began.",
    "invalid_state": "This link was used before, or it is older than ten minutes.",
    "missing_code": "Slack gave no code along; the address may have been cut short.",
    "invalid_code": "The code that Slack gave was used before, or it is older than ten minutes.",
}
"""By what bolt and Slack call it."""

Installed = Callable[[Installation], Awaitable[None]]


class _Callbacks(AsyncCallbackOptions):
    def __init__(
        self,
        success: Callable[[AsyncSuccessArgs], Awaitable[BoltResponse]],
        failure: Callable[[AsyncFailureArgs], Awaitable[BoltResponse]],
    ) -> None:
        self.success = success
        self.failure = failure


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """One Slack app that others install. ``public_url`` is where people and Slack reach this service from outside."""

    client_id: str
    client_secret: str = field(repr=False)
    public_url: str

    @property
    def install_url(self) -> str:
        return self.public_url.rstrip("/") + INSTALL

    @property
    def redirect_url(self) -> str:
        return self.public_url.rstrip("/") + REDIRECT


class _NotInstalled(EngineError):
    """The text says to the person why."""


class _Flow(AsyncOAuthFlow):
    """Bolt's, with our words, and without codes in the log."""

    async def build_install_page_html(self, url: str, request: AsyncBoltRequest) -> str:
        return _page(
            "Install Vectorbea",
            "<p>Workflows with approvals, in your Slack. The next page is Slack's; it shows what the bot may do.</p>"
            f'<p><a href="{html.escape(url)}">Add to Slack</a></p>',
        )

    async def run_installation(self, code: str) -> Installation | None:
        try:
            client: Any = self.client
            answer = await client.oauth_v2_access(
                client_id=self.settings.client_id,
                client_secret=self.settings.client_secret,
                code=code,
                redirect_uri=self.settings.redirect_uri,
            )
            bot = await client.auth_test(token=answer["access_token"])
        except SlackApiError as error:
            name = error_name(error)
            log.warning("An installation was not completed: Slack said %s.", name)
            raise _NotInstalled(_REASONS.get(name, f"Slack did not complete the installation ({name}).")) from None
        except (SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("An installation was not completed: %s.", reason_of(error))
            raise _NotInstalled("Slack could not be reached.") from None
        return _installation(answer, bot)


def _installation(answer: Any, bot: Any) -> Installation:
    """What Slack's two answers say, without what belongs to a person: no user token is asked for, and none is kept."""
    enterprise: dict[str, Any] = answer.get("enterprise") or {}
    team: dict[str, Any] = answer.get("team") or {}
    installer: dict[str, Any] = answer.get("authed_user") or {}
    return Installation(
        app_id=answer.get("app_id"),
        enterprise_id=enterprise.get("id"),
        enterprise_name=enterprise.get("name"),
        team_id=team.get("id"),
        team_name=team.get("name"),
        bot_token=answer["access_token"],
        bot_id=bot.get("bot_id"),
        bot_user_id=answer.get("bot_user_id"),
        bot_scopes=answer.get("scope") or "",
        bot_refresh_token=answer.get("refresh_token"),
        bot_token_expires_in=answer.get("expires_in"),
        user_id=installer.get("id") or "",
        is_enterprise_install=bool(answer.get("is_enterprise_install")),
        token_type=answer.get("token_type"),
    )


class InstallPages:
    """``installed`` is told of each installation after it is on record."""

    def __init__(
        self,
        app: OAuthApp,
        client: AsyncWebClient,
        installations: Installations,
        states: States,
        installed: Installed,
    ) -> None:
        self._app = app
        self._installed = installed
        settings = AsyncOAuthSettings(
            client_id=app.client_id,
            client_secret=app.client_secret,
            scopes=list(SCOPES),
            user_scopes=[],
            redirect_uri=app.redirect_url,
            install_path=INSTALL,
            redirect_uri_path=REDIRECT,
            authorization_url=_authorize_url(client),
            installation_store=installations,
            state_store=states,
            state_expiration_seconds=STATE_LIFETIME_MS // 1000,
            callback_options=_Callbacks(self._succeeded, self._failed),
            logger=log,
        )
        self._flow = _Flow(client=client, logger=log, settings=settings)

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get(INSTALL, self._answering(self._flow.handle_installation))
        app.router.add_get(REDIRECT, self._answering(self._flow.handle_callback))

    def _answering(
        self, handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def answer(request: web.Request) -> web.Response:
            try:
                return await to_aiohttp_response(await handle(await to_bolt_request(request)))
            except _NotInstalled as error:
                return await to_aiohttp_response(self._sorry(str(error), 400))
            except EngineError as error:  # its text is for the operator
                log.error("An installation was not completed: %s", error)
                return await to_aiohttp_response(self._sorry("The installation could not be recorded.", 503))

        return answer

    async def _succeeded(self, args: AsyncSuccessArgs) -> BoltResponse:
        found = args.installation
        try:
            await self._installed(found)
        except EngineError as error:  # it is on record, and is looked at again
            log.error("%s was installed, but is not served yet: %s", id_of(found), error)
        name = html.escape(found.team_name or found.enterprise_name or id_of(found))
        body = f"<p>The bot serves {name}. In a channel there, type <code>/vb help</code> to begin.</p>"
        return _answer(200, _page("Vectorbea is installed", body))

    async def _failed(self, args: AsyncFailureArgs) -> BoltResponse:
        log.warning("An installation was not completed: %s.", args.reason if args.reason in _REASONS else "refused")
        return self._sorry(_REASONS.get(args.reason, "Slack did not complete the installation."), 400)

    def _sorry(self, why: str, status: int) -> BoltResponse:
        again = html.escape(self._app.install_url)
        body = f'<p>{html.escape(why)} Nothing was installed.</p><p><a href="{again}">Begin again</a></p>'
        return _answer(status, _page("Not installed", body))


def _authorize_url(client: AsyncWebClient) -> str:
    """Slack's own page; that of another Web API, such as the simulator's, lies beside it."""
    if client.base_url == AsyncWebClient.BASE_URL:
        return _AUTHORIZE
    return client.base_url.removesuffix("api/") + "oauth/v2/authorize"


def _answer(status: int, page: str) -> BoltResponse:
    return BoltResponse(status=status, body=page, headers={"Content-Type": "text/html; charset=utf-8"})


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 system-ui,sans-serif;"
        "max-width:36rem;margin:4rem auto;padding:0 1rem}</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
