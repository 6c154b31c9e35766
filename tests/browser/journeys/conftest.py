"""One demo for all journeys, and a window on it for each person."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.conftest import Chromium
from tests.browser.demo import Demo, running_demo
from tests.browser.journeys.windows import Windows, windows_on, write_workflows


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def demo(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    folder = tmp_path_factory.mktemp("journeys")
    async with running_demo(folder / "state", write_workflows(folder / "workflows")) as demo:
        yield demo


@pytest_asyncio.fixture(loop_scope="session")
async def windows(chromium: Chromium, demo: Demo) -> AsyncIterator[Windows]:
    async with windows_on(chromium, demo) as windows:
        yield windows
