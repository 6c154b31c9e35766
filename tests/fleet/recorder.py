"""The outside world of a fleet: an HTTP server that does whatever it is asked, and writes down every time.

The one rule: it never recognises a key. What reaches it twice is done twice, so that the engine alone is to blame.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from aiohttp import web

from tests.httpd import listening_apart


@dataclass(frozen=True, kw_only=True)
class Payment:
    """One request that was accepted: its ``receipt`` (no two have the same), and who sent it.

    ``began``: when the sending attempt began, ``at``: when it was accepted; epoch ms.
    """

    receipt: int
    key: str
    worker: str
    began: int
    at: int


class Recorder:
    """``payments``: all that were accepted, in order; the same lines are in ``path``."""

    def __init__(self, path: Path) -> None:
        self.url = ""
        self.payments: list[Payment] = []
        self._path = path

    async def pay(self, request: web.Request) -> web.Response:
        said = request.headers
        payment = Payment(
            receipt=len(self.payments) + 1,
            key=said["Idempotency-Key"],
            worker=said["Worker"],
            began=int(said["Began"]),
            at=time.time_ns() // 1_000_000,
        )
        self.payments.append(payment)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(payment)) + "\n")
        # Accepted, but the answer takes its time: whoever asks may die before it knows.
        await asyncio.sleep((payment.receipt % 5) * 0.02)
        return web.json_response({"receipt": payment.receipt})


@contextmanager
def recording(path: Path) -> Generator[Recorder]:
    """The server, in a thread of its own."""
    recorder = Recorder(path)
    app = web.Application()
    app.router.add_post("/pay", recorder.pay)
    with listening_apart(app) as port:
        recorder.url = f"http://127.0.0.1:{port}/pay"
        yield recorder
