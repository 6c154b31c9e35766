"""What several people do together, each in a window of their own, on the page of the real `vb demo`."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.demo import Demo, running_demo
from tests.browser.journeys import Windows, windows_on, write_workflows

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("journeys"),  # in one process, since one demo serves them all
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    folder = tmp_path_factory.mktemp("journeys")
    async with running_demo(folder / "state", write_workflows(folder / "workflows")) as demo:
        yield demo


@pytest_asyncio.fixture(loop_scope="module")
async def windows(chromium: Browser, demo: Demo) -> AsyncIterator[Windows]:
    async with windows_on(chromium, demo) as windows:
        yield windows


async def test_two_people_in_two_windows_decide_together(windows: Windows) -> None:
    ben, ana, chen = await windows.of("ben"), await windows.of("ana"), await windows.of("chen")
    await ben.type("/vb run two_keys what=v1")
    title = "two_keys · v1"
    for window in (ana, chen, ben):
        await window.open_thread(title)
        await expect(window.question("Release v1?")).to_be_visible()
    await ben.press(ben.question("Release v1?"), "Approve")
    await expect(ben.private("")).to_contain_text("Nothing was changed.")
    await ana.press(ana.question("Release v1?"), "Approve")
    await expect(chen.replies.filter(has_text="Ana Ruiz").first).to_be_visible()
    await expect(chen.question("Release v1?")).to_be_visible()
    await chen.press(chen.question("Release v1?"), "Approve")
    for window in (ana, ben, chen):
        await expect(window.question("Release v1?")).to_have_count(0)
        await expect(window.replies.filter(has_text=re.compile("✓ Approved by")).first).to_contain_text("Chen Wei")
        await expect(window.card(title)).to_contain_text("✓ Completed")
