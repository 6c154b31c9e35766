"""The log of Web API calls (the latest ones), and the faults that a test asks for.

Tokens are never kept: the log is printed by failing tests.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from bot.simulator.model import Json

_SECRETS = frozenset({"access_token", "client_secret", "code", "refresh_token", "token"})

KEPT = 20_000
"""How many calls are remembered, so that a demo may run for days."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call and its outcome. `answer` is None when the connection was dropped; `at` is workspace time in ms."""

    method: str
    args: Json
    answer: Json | None
    status: int
    at: int
    team: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one call: an `error` name or a `status` instead of an answer, a delay, a dropped connection.

    `drop` is `before` the work is done (Slack never saw it) or `after` it (done, but the caller cannot know).
    `retry_after_s` makes a 429 with that header. `delay_ms` is before the work, `hang_ms` between it and its answer;
    a call that is `held` waits, before the work, until that is set.
    """

    error: str | None = None
    status: int | None = None
    retry_after_s: int | None = None
    delay_ms: int = 0
    hang_ms: int = 0
    held: asyncio.Event | None = None
    drop: Literal["before", "after"] | None = None


def without_secrets(fields: Json) -> Json:
    return {name: "…" if name in _SECRETS else value for name, value in fields.items()}


class CallLog:
    """Every call in the order of its end, and the faults still to come: those asked for by method, then by `chance`."""

    def __init__(self, touched: Callable[[], None]) -> None:
        self.chance: Callable[[str], Fault] | None = None
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._faults: dict[str, list[Fault]] = {}
        self._touched = touched

    def record(self, call: Call) -> None:
        answer = None if call.answer is None else without_secrets(call.answer)
        self._calls.append(replace(call, args=without_secrets(call.args), answer=answer))
        self._touched()

    def calls(self, method: str | None = None) -> list[Call]:
        return [call for call in self._calls if method in (None, call.method)]

    def fail_next(self, method: str, fault: Fault, times: int = 1) -> None:
        self._faults.setdefault(method, []).extend([fault] * times)

    def next_fault(self, method: str) -> Fault:
        """The fault for this call, or one that does nothing."""
        waiting = self._faults.get(method)
        if waiting:
            return waiting.pop(0)
        return self.chance(method) if self.chance is not None else Fault()
