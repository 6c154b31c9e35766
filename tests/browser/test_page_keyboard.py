"""The main way without a pointer, on a phone's width, in dark; and that everything has a name."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.demo import SHOTS
from tests.browser.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
NAMELESS = """() => [...document.querySelectorAll("button, a, input, nav, dialog, [role=log], [role=listbox]")]
    .filter((node) => node.checkVisibility() && !(node.ariaLabel || node.textContent.trim() || node.labels?.length
        || node.getAttribute("aria-labelledby")))
    .map((node) => node.outerHTML.slice(0, 120))"""
REPEATED_IDS = """() => { const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
    return ids.filter((id, i) => ids.indexOf(id) !== i); }"""


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_from_the_command_to_the_decision_without_a_pointer(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await expect(page.get_by_role("textbox", name="Message #releases")).to_be_focused()
    await page.keyboard.type("/vb publish")
    await press(page, "Enter")
    await expect(page.get_by_role("button", name="Approve")).to_be_visible()
    await press(page, "Shift+F6", "Shift+F6")  # past the messages, to the conversations
    await press(page, "Shift+Tab")
    while not await page.get_by_role("button", name="You are Ben Okafor").evaluate(
        "it => it === document.activeElement"
    ):
        await press(page, "Shift+Tab")
    await press(page, "ArrowDown", "ArrowUp", "Enter")  # Ben is the second; the one before is Ana
    await expect(page.get_by_role("button", name="You are Ana Ruiz")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Message #releases")).to_be_focused()
    await press(page, "Shift+F6")
    await expect(page.get_by_role("log")).to_be_focused()
    await press(page, "ArrowUp")
    article = page.get_by_role("article").filter(has_text="Publish v1.2.3?")
    await expect(article).to_be_focused()
    await press(page, "Tab", "Tab", "Enter")
    await expect(page.get_by_role("button", name="Publish")).to_be_focused()
    await press(page, "Enter")
    await expect(article).to_contain_text("✓ Approved by @Ana Ruiz")
    await expect(article).to_be_focused()
    await press(page, "Enter")
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("textbox", name="Reply in thread")).to_be_focused()
    await press(page, "Escape")
    await expect(thread).to_be_hidden()


async def test_conversations_follow_alt_and_the_arrows(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await page.keyboard.type("said before")
    await press(page, "Enter", "Alt+ArrowUp")
    await expect(page.get_by_role("textbox", name="Message #ops")).to_be_focused()
    await page.go_back()
    await expect(page.get_by_role("heading", name="#releases")).to_be_visible()
    assert re.search(r"channel=C0RELEASES", page.url)


async def test_everything_has_a_name_and_ids_are_unique(desk: Desk, open_page: OpenPage) -> None:
    await desk.publish("C0RELEASES")
    page = await open_page("ana")
    await page.get_by_role("button", name="2 replies").click()
    await page.get_by_role("textbox", name="Message #releases").fill("/vb run")
    await press(page, "Enter")
    await expect(page.get_by_role("dialog", name="Run publish_release")).to_be_visible()
    await page.get_by_role("combobox", name="Environment").click()
    assert await page.evaluate(NAMELESS) == []
    assert await page.evaluate(REPEATED_IDS) == []
    await expect(page.get_by_role("banner", include_hidden=True)).to_have_count(1)
    await expect(page.get_by_role("main", include_hidden=True)).to_have_count(1)
    await expect(page.get_by_role("navigation", include_hidden=True)).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_on_a_phone_everything_fits(desk: Desk, open_page: OpenPage, scheme: str) -> None:
    await desk.publish("C0RELEASES")
    page = await open_page("ana", color_scheme=scheme, **PHONE)
    sidebar = page.get_by_role("complementary", name="Workspace")
    await expect(sidebar).to_be_hidden()
    await page.get_by_role("button", name="Conversations").click()
    await expect(sidebar).to_be_visible()
    await page.get_by_role("link", name="releases").click()
    await expect(sidebar).to_be_hidden()
    await page.get_by_role("button", name="2 replies").click()
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread).to_be_visible()
    box = await thread.bounding_box()
    assert box is not None
    assert (box["x"], box["width"]) == (0, 390)
    await page.screenshot(path=SHOTS / f"phone_{scheme}.png", animations="disabled")
    await page.get_by_role("button", name="Close thread").click()
    await page.get_by_role("textbox", name="Message #releases").fill("/vb run")
    await page.get_by_role("button", name="Send").click()
    await expect(page.get_by_role("dialog", name="Run publish_release")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    ground = await page.evaluate("getComputedStyle(document.querySelector('dialog')).backgroundColor")
    assert ground == {"light": "rgb(253, 252, 250)", "dark": "rgb(23, 29, 32)"}[scheme]
