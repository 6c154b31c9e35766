"""Shortcuts, several people at once, what happens to places while one looks, and another workspace."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bot.simulator.demo import BEN, demo_workspace, other_workspace
from bot.simulator.simulator import Simulator
from tests.browser.conftest import OpenPage
from tests.browser.desk import Desk, plain
from tests.browser.test_page_forms import typed
from tests.simulator.conftest import QUICK

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def simulator() -> AsyncIterator[Simulator]:
    first = demo_workspace()
    simulator = Simulator(first, options=QUICK)
    simulator.add_workspace(other_workspace(first.clock))
    async with simulator.serve():
        yield simulator


async def test_a_global_shortcut_is_beside_the_composer(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await page.get_by_role("textbox", name="Message #releases").press("Shift+Tab")
    await expect(page.get_by_role("button", name="Shortcuts", exact=True)).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("menuitem", name="Run a workflow")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="Run publish_release")).to_be_visible()


async def test_a_message_has_the_apps_shortcuts_in_its_menu(desk: Desk, open_page: OpenPage) -> None:
    asked = desk.simulator.post_message("ana", "#releases", "The site is slow.")
    page = await open_page("ben")
    message = page.get_by_role("article").filter(has_text="The site is slow.")
    await message.hover()
    await message.get_by_role("button", name="More actions").click()
    await page.get_by_role("menuitem", name="Run on this message").click()
    answer = page.get_by_role("article").filter(has_text="Only visible to you")
    await expect(answer).to_contain_text("Which workflow should have “The site is slow.”?")
    assert (desk.told[0]["message_ts"], desk.told[0]["user"]["id"]) == (asked.ts, BEN)
    await expect(answer.get_by_role("button", name="More actions")).to_have_count(0)


async def test_two_people_at_once_see_one_decision(desk: Desk, open_page: OpenPage) -> None:
    await desk.publish("C0RELEASES")
    ana, dana = await open_page("ana"), await open_page("dana")
    await expect(dana.get_by_role("button", name="Approve")).to_be_visible()
    await ana.get_by_role("button", name="Approve").click()
    await ana.get_by_role("dialog").get_by_role("button", name="Publish").click()
    for page in (ana, dana):
        decided = page.get_by_role("article").filter(has_text="Publish v1.2.3?")
        await expect(decided).to_contain_text("✓ Approved by @Ana Ruiz")
        await expect(decided.get_by_role("button", name="Approve")).to_have_count(0)


async def test_a_channel_that_is_archived_takes_no_more(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    box = page.get_by_role("textbox", name="Message #releases")
    await expect(box).to_be_visible()
    desk.simulator.archive_channel("#releases")
    await expect(page.get_by_text("#releases is archived.")).to_be_visible()
    await expect(box).to_be_hidden()


async def test_another_workspace_is_one_choice_away(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await page.get_by_role("button", name="You are").click()
    await page.get_by_role("menuitemradio", name="Globex workspace").click()
    await expect(page.get_by_role("button", name="You are Gus Lind")).to_be_visible()
    await expect(page.get_by_role("heading", name="#general")).to_be_visible()
    await expect(page.get_by_text("Vectorbea is not installed in Globex")).to_be_visible()
    await page.get_by_role("button", name="You are").click()
    await page.get_by_role("menuitemradio", name="Acme workspace").click()
    await expect(page.get_by_role("textbox", name="Message #releases")).to_be_visible()


async def test_alerts_and_tasks_say_in_a_word_how_it_stands(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ana")
    task = {"type": "task_card", "task_id": "t", "title": "Build", "status": "in_progress"}
    plan = {"type": "plan", "title": "Release", "tasks": [task]}
    await desk.client.chat_postMessage(channel="C0RELEASES", text="Release: Build is running", blocks=[plan])
    await expect(page.get_by_role("group", name="Release")).to_contain_text("◐ In progress")
    alert = {"type": "alert", "level": "warning", "text": plain("Disk is full")}
    desk.form = {"type": "modal", "title": plain("Look"), "blocks": [alert]}
    await typed(page, "/vb form")
    await expect(page.get_by_role("note", name="Warning")).to_contain_text("Disk is full")
