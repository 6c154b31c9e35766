"""What the tests of steps share: a recorder that keeps effects in memory, and a real HTTP server on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from pydantic import JsonValue

from engine.core.failures import FailureClass, StepError
from engine.core.keys import DEFAULT, Chosen
from engine.core.prices import Price
from engine.core.spending import Cost, Spend
from engine.steps.context import Recorded, StepContext
from tests.httpd import listening
from tests.providers.server import Providers, providers
from tests.steps.asking import Bench

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Notebook:
    """An ``EffectRecorder`` whose log is a list; it outlives contexts, as the real log outlives attempts."""

    results: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    events: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    spends: dict[str, Spend] = field(default_factory=dict[str, Spend])
    costs: dict[str, Cost] = field(default_factory=dict[str, Cost])
    secret: str | None = "a key"
    """The value of every key; None: there is none."""
    prices: dict[str, Price] = field(default_factory=dict[str, Price])
    """What the workspace has set."""
    opened: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])

    async def recorded(self, name: str) -> Recorded | None:
        return Recorded(self.results[name]) if name in self.results else None

    async def begin(self, name: str, spend: Spend | None, under: tuple[str, ...] = ()) -> Recorded | None:
        if name in self.results:
            return Recorded(self.results[name])
        self.events.append(("started", name))
        if spend is not None:
            self.spends[name] = spend
            self.events.append(("reserved", str(spend.worst)))
        return None

    def key(self, provider: str, name: str | None) -> AbstractAsyncContextManager[str]:
        self.opened.append((provider, name))
        if self.secret is None:
            raise StepError(f"there is no key for {provider}", FailureClass.PERMISSION)
        return contextlib.nullcontext(self.secret)

    async def own_prices(self) -> Mapping[str, Price]:
        return dict(self.prices)

    async def chosen_key(self, provider: str, name: str | None) -> Chosen | None:
        return Chosen(name or DEFAULT, "key_1")

    async def record(self, name: str, result: JsonValue, cost: Cost | None) -> JsonValue:
        self.results[name] = result
        self.events.append(("recorded", name))
        if cost is not None:
            self.costs[name] = cost
            self.events.append(("cost", str(cost.micros)))
        return result

    async def unsent(self, name: str) -> None:
        self.events.append(("unsent", name))

    async def log(self, text: str) -> None:
        self.events.append(("log", text))

    async def status(self, text: str) -> None:
        self.events.append(("status", text))

    async def progress(self, cursor: JsonValue) -> None:
        self.events.append(("progressed", str(cursor)))

    def context(self, attempt: int = 1) -> StepContext:
        return StepContext("run_1", "publish", attempt, self, workspace="ws_t")


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
async def ctx(notebook: Notebook) -> StepContext:
    return notebook.context()


@dataclass
class Site:
    """A server whose handlers a test sets; it counts what reached it."""

    port: int = 0
    handlers: dict[str, Handler] = field(default_factory=dict[str, Handler])
    requests: list[web.Request] = field(default_factory=list[web.Request])
    bodies: list[bytes] = field(default_factory=list[bytes])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answers(self, path: str, **response: object) -> None:
        """``path`` answers with ``web.Response(**response)``."""

        async def handler(_: web.Request) -> web.Response:
            return web.Response(**response)  # pyright: ignore[reportArgumentType] - whatever Response takes

        self.handlers[path] = handler

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        return await self.handlers[request.path](request)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """One server per test, on a port that the system chose."""
    place = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", place.handle)
    async with listening(app) as place.port:
        yield place


async def eventually(condition: Callable[[], bool], seconds: float = 180) -> None:
    """Returns as soon as ``condition`` holds; fails the test if it does not within ``seconds``."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
    assert condition()


@pytest.fixture
async def server() -> AsyncIterator[Providers]:
    async with providers() as found:
        yield found


@pytest.fixture
def bench(server: Providers, notebook: Notebook) -> Bench:
    return Bench(server, notebook)
