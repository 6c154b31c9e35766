"""Chromium on the simulator's page, with a small real bolt app behind it.

The one rule: a page that logs an error or throws fails the test that opened it, whatever the test itself looks at.
"""

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Error, Page, ViewportSize, async_playwright, expect

from bot.simulator.demo import demo_workspace
from bot.simulator.simulator import Simulator
from tests.browser.desk import Desk
from tests.services import missing
from tests.simulator.conftest import QUICK, bolt_app, connected

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WAIT_MS = 60_000
"""For whatever the page is to do or to show; a busy machine takes long, and only a failure takes all of it."""

VIEWPORT: ViewportSize = {"width": 1280, "height": 800}

expect.set_options(timeout=WAIT_MS)

Prepare = Callable[[Page], Awaitable[None]]
OpenPage = Callable[..., Awaitable[Page]]


class Chromium:
    """A browser, and pages of it that nobody looks at: a page that is used again costs a third of a new one."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._idle: list[Page] = []

    @asynccontextmanager
    async def page(self, *, fresh: bool = False, **options: Any) -> AsyncGenerator[Page]:
        """A page that remembers nothing, in a context with these options; to be prepared, it has to be `fresh`."""
        fresh = fresh or bool(options)
        page = await self._make(**options) if fresh or not self._idle else self._idle.pop()
        yield page
        if fresh:
            await page.context.close()
            return
        await page.unroute_all(behavior="ignoreErrors")
        await page.evaluate("localStorage.clear(), sessionStorage.clear()")
        await page.set_viewport_size(VIEWPORT)
        await page.goto("about:blank")
        self._idle.append(page)

    async def _make(self, **options: Any) -> Page:
        settings: dict[str, Any] = {"viewport": VIEWPORT, "reduced_motion": "reduce", **options}
        page = await (await self._browser.new_context(**settings)).new_page()
        page.set_default_timeout(WAIT_MS)
        return page


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """Debian's Chromium, or the one that VB_CHROMIUM names. To start it takes as long as many a test."""
    path = os.environ.get("VB_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        missing("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield Chromium(browser)
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def simulator(request: pytest.FixtureRequest) -> AsyncIterator[Simulator]:
    """A parametrized test gives the options that it is about."""
    async with Simulator(demo_workspace(), options=getattr(request, "param", QUICK)).serve() as serving:
        yield serving


@pytest_asyncio.fixture(loop_scope="session")
async def desk(simulator: Simulator) -> AsyncIterator[Desk]:
    """The app, connected over Socket Mode."""
    app = bolt_app(simulator)
    desk = Desk(simulator, app)
    async with connected(simulator, app):
        yield desk


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Chromium, simulator: Simulator) -> AsyncIterator[OpenPage]:
    """`await open_page("ana", **context options)`: the page as that person, ready to use.

    `path` instead of the person's own address; `prepare(page)` runs before it is loaded.
    """
    async with watched_pages(chromium) as open_at:

        async def open_as(person: str, *, path: str = "", prepare: Prepare | None = None, **options: Any) -> Page:
            query = path or f"?user={simulator.workspace.person(person).id}"
            return await open_at(simulator.page_url + query, prepare=prepare, **options)

        yield open_as


@asynccontextmanager
async def watched_pages(chromium: Chromium) -> AsyncGenerator[OpenPage]:
    """`await open_at(url, prepare=…, **context options)`: a page in a context of its own, once it follows what happens.

    Leaving the block fails if any of the pages complained meanwhile.
    """
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        url = message.location.get("url", "")
        refused = "Failed to load resource" in message.text and "/_sim/" in url  # the page tells the person of those
        if message.type in ("error", "warning") and not refused:
            complaints.append(f"{message.text} ({url})")

    def thrown(error: Error) -> None:
        complaints.append(str(error))

    async with AsyncExitStack() as stack:

        async def open_at(url: str, *, prepare: Prepare | None = None, **options: Any) -> Page:
            page = await stack.enter_async_context(chromium.page(fresh=prepare is not None, **options))
            page.on("console", heard)
            page.on("pageerror", thrown)
            stack.callback(page.remove_listener, "console", heard)
            stack.callback(page.remove_listener, "pageerror", thrown)
            if prepare is not None:
                await prepare(page)
            await page.goto(url)
            await page.locator("main:not([aria-busy])").wait_for()
            return page

        yield open_at
    assert complaints == []
