"""Chaos in the simulator's own strip: everybody sees it, and anybody switches it, from the keyboard or on a phone."""

from dataclasses import replace

import pytest
from playwright.async_api import Page, expect

from bot.simulator.chaos import CALM, Chaos
from bot.simulator.simulator import Simulator
from tests.browser.conftest import OpenPage
from tests.browser.demo import SHOTS
from tests.browser.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NAME = "Chaos: let things go wrong in this Slack"


async def publish(page: Page) -> None:
    """A command, and what the app makes of it."""
    before = await page.get_by_role("button", name="Approve").count()
    await page.get_by_role("textbox", name="Message #releases").fill("/vb publish")
    await page.get_by_role("button", name="Send").press("Enter")
    await expect(page.get_by_role("button", name="Approve")).to_have_count(before + 1)


async def test_chaos_is_switched_on_and_off_and_counted(simulator: Simulator, desk: Desk, open_page: OpenPage) -> None:
    simulator.disturbance.offer(Chaos(1, replace(CALM, delayed=1.0, delay_ms=1)))
    page = await open_page("ben")
    switch = page.get_by_role("switch", name=NAME)
    await expect(switch).not_to_be_checked()
    await switch.press("Space")
    await expect(switch).to_be_checked()
    await expect(switch).to_have_accessible_description("nothing went wrong yet")
    await expect(page.get_by_role("status").filter(has_text="Chaos is on")).to_be_visible()
    await publish(page)
    await expect(switch).to_have_accessible_description("1 a payload came late")
    await expect(page.get_by_text("a payload came late", exact=True)).to_be_visible()
    await page.screenshot(path=SHOTS / "chaos.png", animations="disabled")

    phone = await open_page("ana", color_scheme="dark", **PHONE)
    await expect(phone.get_by_role("switch", name=NAME)).to_be_checked()
    assert await phone.evaluate("document.documentElement.scrollWidth") == 390
    await phone.screenshot(path=SHOTS / "chaos_phone.png", animations="disabled")
    await phone.get_by_role("switch", name=NAME).tap()
    await expect(phone.get_by_role("switch", name=NAME)).not_to_be_checked()
    await expect(switch).not_to_be_checked()
    await publish(page)
    await expect(switch).to_have_accessible_description("1 a payload came late")


async def test_where_no_chaos_is_offered_there_is_no_switch(
    simulator: Simulator, desk: Desk, open_page: OpenPage
) -> None:
    page = await open_page("ben")
    await expect(page.get_by_role("switch", include_hidden=True)).to_be_hidden()
    refused = await page.request.post(f"{simulator.page_url}_sim/chaos", data={"on": True})
    assert (refused.status, (await refused.json())["error"]) == (404, "not_found")
    await page.get_by_role("button", name="Move forward 1 min").focus()
    await page.keyboard.press("F6")
    await page.keyboard.press("Shift+F6")
    await expect(page.get_by_role("button", name="Move forward 1 min")).to_be_focused()
