"""A provider that says nothing but whether it takes a key, and repeats that."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aiohttp import web

from tests.httpd import listening


@asynccontextmanager
async def provider(status: int) -> AsyncGenerator[str]:
    """A server that answers everything so, and repeats what it was given."""

    async def answer(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "") + request.headers.get("x-api-key", "")
        return web.Response(status=status, text=f"you gave {given}")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with listening(app) as port:
        yield f"http://127.0.0.1:{port}"
