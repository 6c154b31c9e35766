"""A small HTTP server outside all victims that writes down every effect it was asked for, and when."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Recorder:
    """``arrivals``: the instants (epoch ms) at which each idempotency key was seen."""

    url: str = ""
    arrivals: dict[str, list[int]] = field(default_factory=dict[str, list[int]])

    async def charge(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        self.arrivals.setdefault(key, []).append(time.time_ns() // 1_000_000)
        return web.json_response({"receipt": key})


@contextmanager
def recording() -> Generator[Recorder]:
    """The server on a free port of loopback, in a thread of its own."""
    recorder = Recorder()
    loop = asyncio.new_event_loop()

    async def serve() -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/charge", recorder.charge)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        recorder.url = f"http://127.0.0.1:{runner.addresses[0][1]}/charge"
        return runner

    runner = loop.run_until_complete(serve())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield recorder
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
