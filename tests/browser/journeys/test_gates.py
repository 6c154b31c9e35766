"""Gates as people live them, each in a window of their own: silence, edits, changes, delegation, many at once."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.demo import Chat
from tests.browser.journeys.windows import Windows

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("journeys"),  # in one process, since one demo serves them all
]


def dialog(window: Chat, name: str) -> Locator:
    return window.page.get_by_role("dialog", name=name)


PHONE_WIDTH = 390


async def started(windows: Windows, command: str, title: str, *people: str) -> list[Chat]:
    """Dana types the command; these people open the run's thread."""
    dana = await windows.of("dana")
    await dana.type(f"/vb run {command}")
    opened = [await windows.of(person) for person in people]
    for window in opened:
        await window.open_thread(title)
    return opened


async def test_nobody_answers_up_to_the_last_rung_and_then_it_expires(windows: Windows) -> None:
    [chen] = await started(windows, "two_keys what=nothing", "two_keys · nothing", "chen")
    await expect(chen.question("Release nothing?")).to_be_visible()
    await chen.move_clock("15 min")
    await expect(
        chen.replies.filter(has_text=re.compile("release has waited 15 min.*@oncall is asked"))
    ).to_be_visible()
    await expect(chen.question("Release nothing?")).to_have_count(2)
    await chen.move_clock("1 h")
    await chen.move_clock("1 h")
    await expect(chen.question("Release nothing?")).to_have_count(0)
    await expect(chen.replies.filter(has_text="nobody decided in time, so it was denied").first).to_be_visible()
    await expect(chen.card("two_keys · nothing")).not_to_contain_text("Waiting for a decision")
    await chen.shoot("expired")


async def test_an_edit_voids_the_vote_that_came_before(windows: Windows) -> None:
    ana, chen = await started(windows, "announce what=maintenance", "announce · maintenance", "ana", "chen")
    question = "Announce maintenance?"
    await ana.press(ana.question(question), "Approve")
    await expect(ana.replies.filter(has_text="1 more approval needed").first).to_be_visible()
    await chen.press(chen.question(question), "Edit")
    form = dialog(chen, "Edit")
    await form.get_by_role("textbox", name="text").fill("maintenance on Sunday")
    await form.get_by_role("button", name="Save").click()
    saved = dialog(chen, "Saved")
    await expect(saved).to_contain_text("Approvals from before do not count any more.")
    await chen.shoot("edited")
    await saved.get_by_role("button", name="Approve").click()
    await expect(saved).to_be_hidden()
    await expect(ana.question(question)).to_contain_text("maintenance on Sunday")
    await expect(ana.replies.filter(has_text="what @Ana Ruiz approved is void").first).to_be_visible()
    await ana.press(ana.question(question), "Approve")
    for window in (ana, chen):
        await expect(window.question(question)).to_have_count(0)
        await expect(window.card("announce · maintenance")).to_contain_text("✓ Completed")


async def test_changes_are_asked_for_and_come_back_as_a_new_question(windows: Windows) -> None:
    ana, chen = await started(windows, "announce what=prices", "announce · prices", "ana", "chen")
    question = "Announce prices?"
    await ana.press(ana.question(question), "Request changes")
    form = dialog(ana, "Request changes")
    await form.get_by_role("textbox", name="What has to change?").fill("say since when")
    await form.get_by_role("button", name="Request changes").click()
    await expect(form).to_be_hidden()
    await expect(chen.replies.filter(has_text="Ana Ruiz asks for changes, back to draft").first).to_be_visible()
    await expect(chen.question(question)).to_contain_text("prices, say since when")
    await chen.shoot("changes")
    await chen.press(chen.question(question), "Approve")
    await expect(chen.replies.filter(has_text="1 more approval needed").first).to_be_visible()
    await ana.press(ana.question(question), "Approve")
    await expect(chen.card("announce · prices")).to_contain_text("✓ Completed")


async def test_somebody_who_was_asked_lets_another_decide(windows: Windows) -> None:
    chen, ben = await started(windows, "notice what=delay", "notice · delay", "chen", "ben")
    question = "Post delay?"
    await ben.press(ben.question(question), "Approve")
    await expect(ben.private("Only @oncall can decide this")).to_be_visible()
    await chen.press(chen.question(question), "Delegate")
    form = dialog(chen, "Delegate")
    person = form.get_by_role("combobox", name="Who decides for you?")
    await person.click()
    await person.press_sequentially("Ben")
    await form.get_by_role("option", name=re.compile("Ben Okafor")).click()
    await form.get_by_role("button", name="Delegate").click()
    await expect(form).to_be_hidden()
    await expect(ben.replies.filter(has_text=re.compile("Chen Wei.*Ben Okafor")).first).to_be_visible()
    await ben.press(ben.question(question), "Approve")
    await expect(
        chen.replies.filter(has_text="✓ Approved by Ben Okafor for Chen Wei (in @oncall)").first
    ).to_be_visible()
    await chen.shoot("delegated")
    await expect(chen.card("notice · delay")).to_contain_text("✓ Completed")


async def test_like_requests_are_decided_together_in_the_app_home(windows: Windows) -> None:
    dana = await windows.of("dana")
    for what in ("red", "green", "blue"):
        await dana.type(f"/vb run notice what={what}")
        await expect(dana.card(f"notice · {what}")).to_contain_text("Waiting for a decision")
    chen = await windows.of("chen")
    await chen.page.get_by_role("link", name="Vectorbea").click()
    await chen.page.get_by_role("tab", name="Home").click()
    home = chen.page.get_by_role("tabpanel", name="Home")
    await expect(home).to_contain_text("notice asks 3 times at publish.")
    await chen.shoot("home")
    await chen.page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    await expect(chen.page.get_by_role("complementary", name="Workspace")).to_be_hidden()
    await chen.fits(PHONE_WIDTH)
    await chen.shoot("home_phone")
    await home.get_by_role("button", name="Decide together").click()
    form = dialog(chen, "Decide publish")
    await form.get_by_role("checkbox", name=re.compile("Post green")).uncheck()
    await form.get_by_role("radio", name="Approve").check()
    await chen.fits(PHONE_WIDTH)
    await chen.shoot("together_phone")
    await form.get_by_role("button", name="Decide", exact=True).click()
    await expect(dialog(chen, "Approved")).to_contain_text("Approved: 2 of 2.")
    await chen.page.keyboard.press("Escape")
    await expect(dialog(chen, "Approved")).to_be_hidden()
    await expect(home).not_to_contain_text("notice asks")
    await expect(home).to_contain_text("Post green?")
    for what, standing in (("red", "✓ Completed"), ("blue", "✓ Completed"), ("green", "Waiting for a decision")):
        await expect(dana.card(f"notice · {what}")).to_contain_text(standing)
