"""The one sender of a workspace: everything that the bot tells Slack by itself waits here for its turn.

The one rule: whoever waits longest among the most important goes next, as soon as Slack's limits allow. A call is
repeated here only if it surely did not happen, or if repeating it changes nothing; for a post of unknown outcome the
caller has to look first.

    SlackTrouble
    ├── Refused          Slack answered that it will not; nothing happened
    └── OutcomeUnknown   no answer came: it may have happened or not
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.pacing import Budget

log = logging.getLogger(__name__)

TIMEOUT_S = 5
"""Longest wait for an answer of Slack."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

_PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
"""Errors by which Slack says that it has trouble of its own; what became of the call is not known."""

_LOCKED_OUT = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
"""Errors that only an operator can mend; everything waits until then."""


class SlackTrouble(Exception):
    """Root of what a call can end in."""


class Refused(SlackTrouble):
    def __init__(self, method: str, error: str, detail: str = "") -> None:
        super().__init__(f"{method}: {error}{f' ({detail})' if detail else ''}")
        self.error = error


class OutcomeUnknown(SlackTrouble):
    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"{method}: {reason}")


class _NotSent(SlackTrouble):
    """There was no connection: surely nothing happened."""


class _Limited(SlackTrouble):
    def __init__(self, seconds: float) -> None:
        super().__init__(f"retry after {seconds:g} s")
        self.seconds = seconds


class Priority(IntEnum):
    """Who goes first where not everybody can."""

    APPROVAL = 0
    ALERT = 1
    CARD = 2
    TIMELINE = 3


@dataclass(slots=True, eq=False)
class Turn:
    """A place in the queue. ``await turn.granted``, then make the call with ``in_turn=True``."""

    method: str
    channel: str | None
    priority: Priority
    number: int
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Outbox:
    """Calls Slack within its limits. ``client`` gives token, address and session; its own retries are not used."""

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        answer_within_s: float = TIMEOUT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client: Any = AsyncWebClient(
            token=client.token,
            base_url=client.base_url,
            ssl=client.ssl,
            proxy=client.proxy,
            session=client.session,
            retry_handlers=[],
        )
        self._answer_within_s = answer_within_s
        self._monotonic = monotonic
        self._budget = Budget()
        self._queue: list[Turn] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._trouble = ""

    # Turns

    @property
    def waiting(self) -> int:
        """How many turns have not come yet."""
        return len(self._queue)

    def queue(self, method: str, priority: Priority, channel: str | None = None) -> Turn:
        """Stand in line for one call (for a post, name its channel). A turn that is not used must be left."""
        turn = Turn(method, channel, priority, next(self._numbers))
        self._queue.append(turn)
        self._serve()
        return turn

    def hurry(self, turn: Turn, priority: Priority) -> None:
        """Move a waiting turn up, if the priority is higher than its own."""
        if priority < turn.priority:
            turn.priority = priority
            self._serve()

    def leave(self, turn: Turn) -> None:
        """Stop waiting."""
        if turn in self._queue:
            self._queue.remove(turn)

    def _serve(self) -> None:
        """Grant all turns that may be granted now, and come back when the next one may be."""
        now = self._monotonic()
        soonest: float | None = None
        for turn in sorted(self._queue, key=lambda each: (each.priority, each.number)):
            wait = self._budget.wait(turn.method, turn.channel, now)
            if wait <= 0:
                self._budget.take(turn.method, turn.channel, now)
                self._queue.remove(turn)
                if not turn.granted.done():
                    turn.granted.set_result(None)
            else:
                soonest = wait if soonest is None else min(soonest, wait)
        if self._timer is not None:
            self._timer.cancel()
        # A little later than computed, so that rounding never makes it too early.
        loop = asyncio.get_running_loop()
        self._timer = None if soonest is None else loop.call_later(soonest + 0.001, self._serve)

    # Calls

    async def call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        priority: Priority,
        *,
        channel: str | None = None,
        repeatable: bool = True,
        in_turn: bool = False,
    ) -> dict[str, Any]:
        """Slack's answer, however long it takes to get one.

        ``repeatable``: a call of unknown outcome may simply be made again; otherwise it raises ``OutcomeUnknown``.
        ``in_turn``: the first call's turn has been waited for. Raises ``Refused``.
        """
        pause = _FIRST_PAUSE
        while True:
            if not in_turn:
                await self._wait(method, priority, channel)
            in_turn = False
            try:
                answer = await self._ask(method, arguments)
            except _Limited as limited:
                self._budget.close(method, limited.seconds, self._monotonic())
                continue
            except _NotSent as trouble:
                self._note(str(trouble))
            except OutcomeUnknown as trouble:
                self._note(str(trouble))
                if not repeatable:
                    raise
            except Refused as refused:
                if refused.error not in _LOCKED_OUT:
                    raise
                self._note(f"{refused}; check SLACK_BOT_TOKEN")
            else:
                self._note("")
                return answer
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _wait(self, method: str, priority: Priority, channel: str | None) -> None:
        turn = self.queue(method, priority, channel)
        try:
            await turn.granted
        finally:
            self.leave(turn)

    async def _ask(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One call. Reading methods take their arguments as a form, writing ones as JSON."""
        sent = {"json": dict(arguments)} if method.startswith("chat.") else {"params": dict(arguments)}
        try:
            async with asyncio.timeout(self._answer_within_s):
                answer = await self._client.api_call(method, **sent)
        except SlackApiError as error:
            raise _meaning(method, error) from None
        except aiohttp.ClientConnectorError as error:
            raise _NotSent(f"{method}: {error.strerror or 'no connection'}") from None
        except (aiohttp.ClientError, TimeoutError, SlackClientError) as error:
            raise OutcomeUnknown(method, str(error) or "no answer in time") from None
        return dict(answer.data)

    def _note(self, trouble: str) -> None:
        """Say once that Slack cannot be reached, and once that it can be again."""
        if trouble and not self._trouble:
            log.warning("Slack did not take a call (%s); it is tried again until it does.", trouble)
        elif self._trouble and not trouble:
            log.info("Slack takes calls again.")
        self._trouble = trouble


def _meaning(method: str, error: SlackApiError) -> SlackTrouble:
    response: Any = error.response
    status = int(response.status_code)
    if status == 429:
        return _Limited(float(response.headers.get("Retry-After", 1)))
    data: Any = response.data
    body = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    name = str(body.get("error", f"status {status}"))
    if status >= 500 or name in _PASSING or not body:
        return OutcomeUnknown(method, name)
    if name in ("ratelimited", "rate_limited"):
        return _Limited(float(response.headers.get("Retry-After", 30)))
    messages = body.get("response_metadata", {}).get("messages", [])
    return Refused(method, name, "; ".join(str(message) for message in messages[:3]))
