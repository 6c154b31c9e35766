"""What several people do together, each in a window of their own, on the page of the real `vb demo`."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.journeys.windows import Windows

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("journeys"),  # in one process, since one demo serves them all
]


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
    await ana.shoot("two_people")


async def test_a_form_has_a_field_for_each_kind_of_input_and_says_what_is_wrong(windows: Windows) -> None:
    ben = await windows.of("ben")
    await ben.type("/vb run window")
    form = ben.page.get_by_role("dialog", name="Start window")
    await expect(form.get_by_text("Will run: announce (slack.post).")).to_be_visible()
    await expect(form.get_by_label("from")).to_have_value("22:00")
    await expect(form.get_by_role("radio", name="small")).to_be_checked()
    await form.get_by_role("button", name="Start").press("Enter")
    await expect(form.get_by_label("day")).to_have_attribute("aria-invalid", "true")
    await ben.shoot("inputs_wrong")
    await form.get_by_label("day").fill("2030-01-31")
    owner = form.get_by_role("combobox", name="owner")
    await owner.click()
    await form.get_by_role("option", name="Dana Levy").click()
    await form.get_by_label("page").fill("https://status.example.com")
    await ben.shoot("inputs")
    await form.get_by_role("button", name="Start").press("Enter")
    await expect(form).to_be_hidden()
    await expect(ben.messages.filter(has_text="window · 2030-01-31").first).to_contain_text("✓ Completed")
    await ben.page.get_by_role("link", name="ops").click()
    await expect(ben.page.get_by_role("main").get_by_text("2030-01-31 at 22:00: ask @dana")).to_be_visible()
