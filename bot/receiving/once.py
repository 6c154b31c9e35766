"""Each delivery reaches the app once: copies of it get the answer of the first.

Slack delivers again what was not acknowledged in time, and may deliver on two connections. A copy has the same id (of
the event, or the trigger of a command or click) and says the same.

The one rule: only what was answered well counts as delivered, so a delivery that failed is taken anew. Processes do not
know of each other's; what must not happen twice in all is kept by the engine's keys.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

KEPT = 5_000
"""Deliveries that are remembered; the oldest are forgotten first."""


class Once:
    """Hands requests to ``app``. They must be Slack's: whoever could guess an id would be given its answer."""

    def __init__(self, app: AsyncApp) -> None:
        self._app = app
        self._answers: OrderedDict[str, asyncio.Task[BoltResponse]] = OrderedDict()

    async def dispatch(self, request: AsyncBoltRequest) -> BoltResponse:
        """The app's answer to this delivery, or to the one that it is a copy of."""
        name = delivery_id(request.body)
        if not name:
            return await self._app.async_dispatch(request)
        answering = self._answers.get(name)
        if answering is None:
            answering = self._answers[name] = asyncio.create_task(self._app.async_dispatch(request))
            answering.add_done_callback(lambda task: self._answered(name, task))
        # One connection that is lost must not take the answer away from the others.
        return await asyncio.shield(answering)

    def _answered(self, name: str, task: asyncio.Task[BoltResponse]) -> None:
        if task.cancelled() or task.exception() is not None or task.result().status != 200:
            self._answers.pop(name, None)
        while len(self._answers) > KEPT and next(iter(self._answers.values())).done():
            self._answers.popitem(last=False)


def delivery_id(body: dict[str, Any]) -> str:
    """What all copies of a delivery have in common, and nothing else has; empty where there is no such thing."""
    known = body.get("event_id") or body.get("trigger_id")
    if not known:
        return ""
    return f"{known} {sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}"
