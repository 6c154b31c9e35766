"""The Web API's front door: token, scopes, rates and required arguments are checked here, once for all methods.

Every call ends in the log, also a refused one. Answers are HTTP 200 with `ok`, as Slack's are, but for 429 and faults.
"""

import asyncio
import hmac
import secrets
from typing import Any

from aiohttp import web

from bot.simulator import api_chat, api_conversations, api_people, api_views
from bot.simulator.args import Arguments, read_arguments
from bot.simulator.calls import Call, CallLog, Fault
from bot.simulator.errors import SlackError
from bot.simulator.methods import Method, Slack
from bot.simulator.model import Json
from bot.simulator.rates import RateLimits

METHODS: dict[str, Method] = {
    **api_chat.METHODS,
    **api_conversations.METHODS,
    **api_people.METHODS,
    **api_views.METHODS,
}


class WebApi:
    """Answers `/api/<method>`. The tokens are compared in constant time and never stored in the log."""

    def __init__(self, slack: Slack, log: CallLog, rates: RateLimits, *, bot_token: str, app_token: str) -> None:
        self._slack = slack
        self._log = log
        self._rates = rates
        self._tokens = {"bot": bot_token, "app": app_token}

    async def handle(self, request: web.Request) -> web.Response:
        name = request.match_info["method"]
        fault = self._log.next_fault(name)
        if fault.delay_ms:
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.drop == "before":
            return self._drop(request, name, {})
        arguments: Json = {}
        headers = {"X-Slack-Req-Id": secrets.token_hex(16)}
        try:
            arguments = await read_arguments(request)
            status, answer = self._answer(name, self._token(request, arguments), arguments, fault, headers)
        except SlackError as error:
            status, answer = 200, {"ok": False, "error": error.name, **error.extra}
        if fault.drop == "after":
            return self._drop(request, name, arguments)
        _warn_of_charset(request, answer)
        self._log.record(Call(name, arguments, answer, status, self._slack.workspace.clock.now()))
        return web.json_response(answer, status=status, headers=headers)

    def _answer(
        self, name: str, token: str, arguments: Json, fault: Fault, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        if fault.retry_after_s is not None:
            headers["Retry-After"] = str(fault.retry_after_s)
            return 429, {"ok": False, "error": "ratelimited"}
        if fault.status is not None:
            return fault.status, {"ok": False, "error": fault.error or "internal_error"}
        if fault.error is not None:
            raise SlackError(fault.error)
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method", req_method=name)
        self._authorize(method, token, headers)
        channel = str(arguments.get("channel")) if method.channel_rate else None
        wait_s = self._rates.admit(name, method.per_minute, channel)
        if wait_s:
            headers["Retry-After"] = str(wait_s)
            return 429, {"ok": False, "error": "ratelimited"}
        args = Arguments(arguments)
        args.require(method.required)
        return 200, {"ok": True, **method.handler(self._slack, args)}

    def _authorize(self, method: Method, token: str, headers: dict[str, str]) -> None:
        if not token:
            raise SlackError("not_authed")
        kind = next((kind for kind, known in self._tokens.items() if hmac.compare_digest(known, token)), None)
        if kind is None:
            raise SlackError("invalid_auth")
        if kind != method.caller:
            raise SlackError("not_allowed_token_type")
        granted = self._slack.workspace.app.scopes if kind == "bot" else ("connections:write",)
        headers["X-OAuth-Scopes"] = ",".join(granted)
        headers["X-Accepted-OAuth-Scopes"] = ",".join(method.scopes)
        if method.scopes and not set(method.scopes) & set(granted):
            raise SlackError("missing_scope", needed=",".join(method.scopes), provided=",".join(granted))

    def _token(self, request: web.Request, arguments: Json) -> str:
        argument = arguments.pop("token", "")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return token if scheme.lower() == "bearer" else str(argument)

    def _drop(self, request: web.Request, name: str, arguments: Json) -> web.Response:
        """Cut the connection without a byte of an answer."""
        self._log.record(Call(name, arguments, None, 0, self._slack.workspace.clock.now()))
        if request.transport is not None:
            request.transport.close()
        return web.Response()


def _warn_of_charset(request: web.Request, answer: Json) -> None:
    """JSON without a charset is taken, with Slack's warning."""
    if request.method == "POST" and request.content_type == "application/json" and request.charset is None:
        answer["warning"] = "missing_charset"
        answer.setdefault("response_metadata", {}).setdefault("warnings", []).append("missing_charset")
