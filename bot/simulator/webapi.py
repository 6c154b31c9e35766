"""The Web API's front door: token, scopes, rates and required arguments are checked here, once for all methods.

Every call ends in the log, also a refused one. Answers are HTTP 200 with `ok`, as Slack's are, but for 429 and faults.
"""

import asyncio
import hmac
import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from bot.simulator import api_chat, api_conversations, api_files, api_oauth, api_people, api_views
from bot.simulator.args import Arguments, read_arguments
from bot.simulator.calls import Call, CallLog, Fault
from bot.simulator.errors import SlackError
from bot.simulator.methods import Method, Slack
from bot.simulator.model import Json
from bot.simulator.rates import TIER_3, RateLimits
from bot.simulator.violations import Violations

METHODS: dict[str, Method] = {
    **api_chat.METHODS,
    **api_conversations.METHODS,
    **api_files.METHODS,
    **api_oauth.METHODS,
    **api_people.METHODS,
    **api_views.METHODS,
}


@dataclass(slots=True)
class _Request:
    """One call on its way: `slack` is the workspace of its token, once that is known."""

    name: str
    credentials: str
    arguments: Json
    headers: dict[str, str]
    begun_ms: int
    slack: Slack | None = None

    @property
    def team(self) -> str:
        return self.slack.workspace.team_id if self.slack else ""


class WebApi:
    """Answers `/api/<method>` for the workspaces in `teams`, the first of which stands for the app as a whole."""

    def __init__(
        self, teams: Mapping[str, Slack], log: CallLog, rates: RateLimits, violations: Violations, *, app_token: str
    ) -> None:
        self.in_hand = 0
        """Calls that have not been answered yet."""
        self._teams = teams
        self._log = log
        self._rates = rates
        self._violations = violations
        self._app_token = app_token

    @property
    def _first(self) -> Slack:
        return next(iter(self._teams.values()))

    async def handle(self, request: web.Request) -> web.Response:
        self.in_hand += 1
        try:
            return await self._handle(request)
        finally:
            self.in_hand -= 1

    async def _handle(self, request: web.Request) -> web.Response:
        name, begun_ms = request.match_info["method"], self._rates.now_ms()
        fault = self._log.next_fault(name)
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.held:
            await fault.held.wait()
        headers = {"X-Slack-Req-Id": secrets.token_hex(16)}
        call = _Request(name, request.headers.get("Authorization", ""), {}, headers, begun_ms)
        if fault.drop == "before":
            return self._drop(request, call)
        try:
            call.arguments = await read_arguments(request)
            status, answer = self._answer(call, fault)
        except SlackError as error:
            self._violations.refused(name, error)
            status, answer = 200, {"ok": False, "error": error.name, **error.extra}
        if fault.drop == "after":
            return self._drop(request, call)
        _warn_of_charset(request, answer)
        self._record(call, answer, status)
        if fault.hang_ms:
            await asyncio.sleep(fault.hang_ms / 1000)
        return web.json_response(answer, status=status, headers=call.headers)

    def _answer(self, call: _Request, fault: Fault) -> tuple[int, dict[str, Any]]:
        method = METHODS.get(call.name)
        slack = call.slack = self._authorize(method, call) if method else None
        if fault.retry_after_s is not None:
            per_minute = method.per_minute if method else TIER_3
            self._rates.close(self._rate_key(call), per_minute, fault.retry_after_s * 1000)
            return _limited(call, fault.retry_after_s)
        if fault.status is not None:
            return fault.status, {"ok": False, "error": fault.error or "internal_error"}
        if fault.error is not None:
            raise SlackError(fault.error, foreseen=True)
        if method is None or slack is None:
            raise SlackError("unknown_method", req_method=call.name)
        channel = str(call.arguments.get("channel")) if method.channel_rate else None
        wait_s = self._rates.admit(self._rate_key(call), method.per_minute, channel, begun_ms=call.begun_ms)
        if wait_s:
            return _limited(call, wait_s)
        args = Arguments(call.arguments)
        args.require(method.required)
        return 200, {"ok": True, **method.handler(slack, args)}

    def _rate_key(self, call: _Request) -> str:
        """Limits are per method and workspace."""
        return f"{call.team} {call.name}".strip()

    # ── who calls ────────────────────────────────────────────────────────────────────────────────────────────────

    def _authorize(self, method: Method, call: _Request) -> Slack:
        """The workspace that the call is about. Raises SlackError."""
        if method.caller == "client":
            self._first.grants.is_client(*_client(call))
            return self._first
        token = _token(call)
        if not token:
            raise SlackError("not_authed")
        is_app = hmac.compare_digest(self._app_token.encode(), token.encode())
        slack = self._first if is_app else self._of_token(token)
        if is_app != (method.caller == "app"):
            raise SlackError("not_allowed_token_type")
        granted = ("connections:write",) if is_app else slack.workspace.app.scopes
        call.headers["X-OAuth-Scopes"] = ",".join(granted)
        call.headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
        if method.scopes and not set(method.scopes) & set(granted):
            raise SlackError("missing_scope", needed=",".join(method.scopes), provided=",".join(granted))
        return slack

    def _of_token(self, token: str) -> Slack:
        grant = self._first.grants.check(token)
        return replace(self._teams[grant.team], grant=grant)

    # ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, call: _Request, answer: Json | None, status: int) -> None:
        at = self._first.workspace.clock.now()
        self._log.record(Call(call.name, call.arguments, answer, status, at, call.team))

    def _drop(self, request: web.Request, call: _Request) -> web.Response:
        """Cut the connection without a byte of an answer."""
        self._record(call, None, 0)
        if request.transport is not None:
            request.transport.close()
        return web.Response()


def _limited(call: _Request, wait_s: int) -> tuple[int, Json]:
    call.headers["Retry-After"] = str(wait_s)
    return 429, {"ok": False, "error": "ratelimited"}


def _token(call: _Request) -> str:
    """From the header, or else from the argument; it is taken out of the arguments, so that no log keeps it."""
    argument = call.arguments.pop("token", "")
    scheme, _, token = call.credentials.partition(" ")
    return token if scheme.lower() == "bearer" else str(argument)


def _client(call: _Request) -> tuple[str, str]:
    """Client id and secret, from the header or from the arguments."""
    scheme, _, encoded = call.credentials.partition(" ")
    if scheme.lower() != "basic":
        return str(call.arguments.pop("client_id", "")), str(call.arguments.pop("client_secret", ""))
    try:
        client_id, _, client_secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return client_id, client_secret


def _warn_of_charset(request: web.Request, answer: Json) -> None:
    """JSON without a charset is taken, with Slack's warning."""
    if request.method == "POST" and request.content_type == "application/json" and request.charset is None:
        answer["warning"] = "missing_charset"
        answer.setdefault("response_metadata", {}).setdefault("warnings", []).append("missing_charset")
