"""The one sender of a workspace: everything that the bot asks of Slack by itself waits here for its turn.

The one rule: whoever waits longest among the most important goes next, as soon as Slack's limits allow; but every tenth
turn that others are passed over for goes to whoever waits longest of all. A call is repeated here only if it surely did
not happen, or if repeating it changes nothing; for a post of unknown outcome the caller has to look first.

    SlackTrouble
    ├── Refused          Slack answered that it will not; nothing happened
    └── OutcomeUnknown   no answer came: it may have happened or not
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.bounds import USUAL
from bot.people.directory import PASSING
from bot.sending.allowance import Allowance, Alone, Wish

log = logging.getLogger(__name__)

TIMEOUT_S = 5
"""Longest wait for an answer of Slack."""

UPLOAD_WITHIN_S = 30
"""The same where a whole file is on its way."""

FAIR_EVERY = 10
"""So many turns in a row may go ahead of somebody who has waited longer."""

_ASKED_PER_METHOD, _ASKED_PER_CHANNEL = 10, 4
"""How many of those who wait are asked for at once; more than that are not granted at once."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0

_LOCKED_OUT = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
"""Errors that only an operator can mend; everything waits until then."""


NOT_FOUND = "file_not_found"
"""The error for an upload that Slack does not have, or has shared already."""


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

    ANSWER = 0
    """Somebody has clicked or typed, and looks at the screen."""
    APPROVAL = 1
    ALERT = 2
    CARD = 3
    TIMELINE = 4


@dataclass(slots=True, eq=False)
class Turn:
    """A place in the queue. ``await turn.granted``, then make the call with ``in_turn=True``."""

    method: str
    channel: str | None
    priority: Priority
    number: int
    granted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def kinds(self) -> tuple[str, ...]:
        """What it may be passed over for: its method, and the channel of a post."""
        return (self.method,) if self.channel is None else (self.method, f"#{self.channel}")


class Outbox:
    """Calls Slack within its limits. ``client`` gives token, address and session; its own retries are not used.

    ``allowance`` says when a call may be made; without one this is taken to be the only process.
    """

    def __init__(
        self, client: AsyncWebClient, *, allowance: Allowance | None = None, answer_within_s: float = TIMEOUT_S
    ) -> None:
        self._given = client
        self._client: Any = AsyncWebClient(**_without_retries(client))
        self._answer_within_s = answer_within_s
        self._allowance = allowance or Alone()
        self._queue: list[Turn] = []
        self._passed: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._called = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None
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
        self._call()
        return turn

    def hurry(self, turn: Turn, priority: Priority) -> None:
        """Move a waiting turn up, if the priority is higher than its own."""
        if priority < turn.priority:
            turn.priority = priority
            self._call()

    def leave(self, turn: Turn) -> None:
        """Stop waiting."""
        if turn in self._queue:
            self._queue.remove(turn)
            self._call()

    async def close_method(self, method: str, seconds: float) -> None:
        """Slack has asked to leave the method alone for so long."""
        await self._allowance.close(method, seconds)

    def _call(self) -> None:
        self._called.set()
        if self._serving is None and self._queue:
            self._serving = asyncio.create_task(self._serve())

    async def _serve(self) -> None:
        """Grant turns as they may be granted, until nobody waits."""
        try:
            while self._queue:
                self._called.clear()
                asked = list(self._next_in_line())
                waits = await self._allowance.take([wish for _, wish in asked])
                for (turn, _), wait in zip(asked, waits, strict=True):
                    if wait <= 0:
                        self._grant(turn)
                # A little later than computed, so that rounding never makes it too early.
                soonest = min((wait for wait in waits if wait > 0), default=0.0) + 0.001
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(soonest):
                        await self._called.wait()
        finally:
            self._serving = None

    def _next_in_line(self) -> Iterator[tuple[Turn, Wish]]:
        """Who may be granted a turn next, in this order; of each method and channel only as many as have a chance."""
        oldest: set[str] = set()
        fair: dict[Turn, None] = {}
        for turn in self._queue:
            if any(kind not in oldest and self._passed[kind] >= FAIR_EVERY - 1 for kind in turn.kinds):
                fair[turn] = None
            oldest.update(turn.kinds)
        others = sorted((turn for turn in self._queue if turn not in fair), key=lambda each: each.priority)
        asked: Counter[str] = Counter()
        for turn in (*fair, *others):
            most = dict(zip(turn.kinds, (_ASKED_PER_METHOD, _ASKED_PER_CHANNEL), strict=False))
            if all(asked[kind] < limit for kind, limit in most.items()):
                asked.update(turn.kinds)
                rank = int(Priority.ANSWER if turn in fair else turn.priority)
                yield turn, Wish(turn.method, turn.channel, rank)

    def _grant(self, turn: Turn) -> None:
        if turn in self._queue:
            self._queue.remove(turn)
        for kind in turn.kinds:
            passed_over = any(kind in other.kinds and other.number < turn.number for other in self._queue)
            self._passed[kind] = self._passed[kind] + 1 if passed_over else 0
        if not turn.granted.done():
            turn.granted.set_result(None)

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
                await self.turn(method, priority, channel)
            in_turn = False
            try:
                answer = await self._ask(method, arguments)
            except _Limited as limited:
                await self.close_method(method, limited.seconds)
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

    async def upload(self, url: str, body: bytes) -> bool:
        """Bring the bytes of a file to an address that Slack has given. False: that address is used up.

        Nobody sees them before they are shared; so whether they came need not be known, and another address will do.
        """
        session: Any = self._client.session
        try:
            async with contextlib.AsyncExitStack() as stack:
                if session is None:
                    session = await stack.enter_async_context(aiohttp.ClientSession())
                timeout = aiohttp.ClientTimeout(UPLOAD_WITHIN_S)
                async with session.post(url, data=body, timeout=timeout, proxy=self._client.proxy) as answer:
                    trouble = "" if answer.status == 200 else f"an upload: status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            trouble = f"an upload: {error}"
        self._note(trouble)
        return not trouble

    async def turn(self, method: str, priority: Priority, channel: str | None = None) -> None:
        """Wait until one call may be made."""
        turn = self.queue(method, priority, channel)
        try:
            await turn.granted
        finally:
            self.leave(turn)

    async def _ask(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """One call. Reading methods take their arguments as a form, writing ones as JSON."""
        writes = method.startswith(("chat.", "views.", "files.complete"))
        sent = {"json": dict(arguments)} if writes else {"params": dict(arguments)}
        self._client.token = self._given.token  # which may have been renewed
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


class PacedClient(AsyncWebClient):
    """``client`` for whoever answers people: each call waits for its turn among all that the bot asks of Slack.

    A call whose turn does not come in time raises ``TimeoutError``, and was not made. A limit that Slack names closes
    the method for all, and is raised as any refusal; nothing is repeated.
    """

    def __init__(self, client: AsyncWebClient, outbox: Outbox, *, within_s: float = USUAL.turn) -> None:
        cast("Any", super()).__init__(timeout=client.timeout, **_without_retries(client))
        self._given = client
        self._outbox = outbox
        self._within_s = within_s

    async def api_call(self, api_method: str, **arguments: Any) -> Any:
        """See the base class, whose every method ends here."""
        posted: dict[str, Any] = arguments.get("json") or arguments.get("params") or arguments.get("data") or {}
        channel = str(posted.get("channel")) if api_method == "chat.postMessage" else None
        async with asyncio.timeout(self._within_s):
            await self._outbox.turn(api_method, Priority.ANSWER, channel)
        self.token = self._given.token
        try:
            return await cast("Any", super()).api_call(api_method, **arguments)
        except SlackApiError as error:
            meaning = _meaning(api_method, error)
            if isinstance(meaning, _Limited):
                await self._outbox.close_method(api_method, meaning.seconds)
            raise


def _without_retries(client: AsyncWebClient) -> dict[str, Any]:
    """Arguments for a client that reaches the same workspace in the same way, and repeats nothing by itself."""
    given: Any = client
    same = {name: getattr(given, name) for name in ("token", "base_url", "ssl", "proxy", "session")}
    return {**same, "retry_handlers": []}


def _meaning(method: str, error: SlackApiError) -> SlackTrouble:
    response: Any = error.response
    status = int(response.status_code)
    if status == 429:
        return _Limited(float(response.headers.get("Retry-After", 1)))
    data: Any = response.data
    body = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    name = str(body.get("error", f"status {status}"))
    if status >= 500 or name in PASSING or not body:
        return OutcomeUnknown(method, name)
    if name in ("ratelimited", "rate_limited"):
        return _Limited(float(response.headers.get("Retry-After", 30)))
    messages = body.get("response_metadata", {}).get("messages", [])
    return Refused(method, name, "; ".join(str(message) for message in messages[:3]))
