"""HTTP servers that tests play the outside world with, each on a free port of loopback.

The one rule: who asks for one gets the port when it is listening, and nothing of it is left when the block ends.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web


@asynccontextmanager
async def listening(app: web.Application, *, backlog: int = 128) -> AsyncGenerator[int]:
    """Serve the app in this loop; yields its port. A handler is cancelled when its caller is gone."""
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=backlog).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


@contextmanager
def listening_apart(app: web.Application, *, backlog: int = 128) -> Generator[int]:
    """As `listening`, in a thread and a loop of its own, so that it answers whatever the test's loop is doing."""
    with asyncio.Runner() as runner:
        server = listening(app, backlog=backlog)
        loop = runner.get_loop()
        port = loop.run_until_complete(server.__aenter__())
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.run_until_complete(server.__aexit__(None, None, None))
