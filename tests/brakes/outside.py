"""What the steps of these tests call: an HTTP server that keeps every caller waiting until it is told to let them go.

The one rule: it notes when each call came and when its caller was gone, on a clock that all processes share.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from tests.httpd import listening_apart


@dataclass(slots=True)
class Call:
    """``run/step`` that called; ``began`` and ``ended`` in seconds, 0: it goes on. ``answered``: it was let go."""

    of: str
    began: float
    ended: float = 0.0
    answered: bool = False


class Outside:
    """``calls``: all that came, in order."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[Call] = []
        self._opened = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def _begin(self, _: web.Application) -> None:
        self._loop = asyncio.get_running_loop()

    @property
    def waiting(self) -> int:
        """How many callers wait now."""
        return sum(1 for call in self.calls if not call.ended)

    def let_go(self) -> None:
        """Answer everybody who waits, and from now on at once."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._opened.set)

    async def hold(self, request: web.Request) -> web.Response:
        call = Call(request.query["of"], time.monotonic())
        self.calls.append(call)
        try:
            if request.query["keep"] == "yes":
                await self._opened.wait()
            call.answered = True
            return web.Response(text="done")
        finally:
            call.ended = time.monotonic()

    @contextmanager
    def serving(self) -> Generator[Outside]:
        """In a thread of its own."""
        app = web.Application()
        app.on_startup.append(self._begin)
        app.router.add_get("/", self.hold)
        with listening_apart(app, backlog=1_000) as port:
            self.url = f"http://127.0.0.1:{port}/"
            try:
                yield self
            finally:
                self.let_go()
