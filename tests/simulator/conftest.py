"""A simulator on a free port, and a real bolt app connected to it over Socket Mode."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.demo import demo_workspace
from bot.simulator.simulator import Simulator
from engine.clock import MovableClock
from tests.patience import PATIENT_SLACK

QUICK = replace(PATIENT_SLACK, event_retry_ms=(20, 20, 20))


class StillClock(MovableClock):
    """Moves only where the test says so: what is allowed per second does not depend on how fast the test is."""

    def ticking(self) -> int:
        return self.since


Connect = Callable[[AsyncApp], Awaitable[AsyncSocketModeHandler]]


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator(demo_workspace(), options=QUICK).serve() as serving:
        yield serving


def web_client(simulator: Simulator) -> AsyncWebClient:
    return AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url)


def bolt_app(simulator: Simulator) -> AsyncApp:
    return AsyncApp(client=web_client(simulator), signing_secret=simulator.signing_secret)


async def refusal(call: Awaitable[Any]) -> dict[str, Any]:
    """The answer of a call that Slack refuses."""
    with pytest.raises(SlackApiError) as refused:
        await call
    error: Any = refused.value
    return error.response.data


Listener = TypeVar("Listener", bound=Callable[..., Awaitable[Any]])


def on(app: AsyncApp, kind: str, key: str) -> Callable[[Listener], Listener]:
    """`app.command(key)` and the like, with the type that bolt's decorators do not tell."""
    register: Any = getattr(app, kind)
    return register(key)


@asynccontextmanager
async def connected(simulator: Simulator, app: AsyncApp) -> AsyncGenerator[AsyncSocketModeHandler]:
    """Bolt's own handler, from its first connection until the block ends."""
    handler = AsyncSocketModeHandler(app, simulator.app_token, ping_interval=1)
    before = simulator.socket.connections
    await handler.connect_async()
    try:
        await simulator.wait_for(lambda: simulator.socket.connections > before)
        yield handler
    finally:
        await handler.close_async()
        await handler.client.aiohttp_client_session.close()


@pytest.fixture
def client(simulator: Simulator) -> Any:
    """The real AsyncWebClient; Any, because its methods are typed with unknown keyword arguments."""
    return web_client(simulator)


@pytest.fixture
def app(simulator: Simulator) -> AsyncApp:
    return bolt_app(simulator)


@pytest.fixture
async def connect(simulator: Simulator) -> AsyncIterator[Connect]:
    async with AsyncExitStack() as stack:

        async def connect_app(app: AsyncApp) -> AsyncSocketModeHandler:
            return await stack.enter_async_context(connected(simulator, app))

        yield connect_app
