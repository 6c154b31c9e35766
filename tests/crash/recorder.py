"""A small HTTP server outside all victims that writes down every effect it was asked for, and when."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from tests.httpd import listening_apart


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
    """The server, in a thread of its own."""
    recorder = Recorder()
    app = web.Application()
    app.router.add_post("/charge", recorder.charge)
    with listening_apart(app) as port:
        recorder.url = f"http://127.0.0.1:{port}/charge"
        yield recorder
