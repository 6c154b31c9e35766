"""Talking: commands, messages, threads, what is private, what is unread, and the clock."""

import json

import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from bot.simulator.model import Channel
from bot.simulator.simulator import Options, Simulator
from tests.browser.conftest import OpenPage
from tests.browser.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_command_is_completed_sent_and_recalled(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    box = page.get_by_role("textbox", name="Message #releases")
    await box.press_sequentially("/v")
    await expect(page.get_by_role("option", name="/vb")).to_be_visible()
    await box.press("Enter")
    await expect(box).to_have_value("/vb ")
    await box.press_sequentially("publish")
    await box.press("Enter")
    await expect(box).to_have_value("")
    await expect(page.get_by_role("article").get_by_role("button", name="Approve")).to_be_visible()
    await box.press("ArrowUp")
    await expect(box).to_have_value("/vb publish")
    await box.press("ArrowDown")
    await expect(box).to_have_value("")


async def test_what_is_sent_shows_at_once_and_once(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    article = page.get_by_role("article").filter(has_text="two @oncall")

    async def delayed(route: Route) -> None:
        await expect(page.get_by_text("Sending…")).to_be_visible()
        answer = await route.fetch()
        await expect(article).to_have_count(1)  # the event is here before the answer that names the message
        await expect(page.get_by_text("Sending…")).to_have_count(0)
        await route.fulfill(response=answer)

    await page.route("**/_sim/message", delayed)
    box = page.get_by_role("textbox", name="Message #releases")
    await box.fill("one")
    await box.press("Shift+Enter")
    await box.press_sequentially("two @oncall")
    async with page.expect_response("**/_sim/message"):
        await box.press("Enter")
    await expect(article).to_have_count(1)
    await expect(page.get_by_text("Sending…")).to_have_count(0)
    (message,) = desk.simulator.channel_messages("#releases")
    assert message.text == "one\ntwo <!subteam^S0ONCALLXX|@oncall>"


async def test_what_could_not_be_sent_comes_back(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    box = page.get_by_role("textbox", name="Message #releases")

    async def refuse(route: Route) -> None:
        body = {"ok": False, "error": "channel_not_found", "message": "That channel is gone."}
        await route.fulfill(status=200, body=json.dumps(body), content_type="application/json")

    await page.route("**/_sim/message", refuse)
    await box.fill("keep me")
    await box.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("That channel is gone.")
    await expect(box).to_have_value("keep me")


async def test_an_answer_in_private_is_marked_and_nobody_else_sees_it(desk: Desk, open_page: OpenPage) -> None:
    ben, ana = await open_page("ben"), await open_page("ana")
    box = ben.get_by_role("textbox", name="Message #releases")
    await box.fill("/vb rnu")
    await box.press("Enter")
    private = ben.get_by_role("article").filter(has_text="Did you mean /vb run?")
    await expect(private).to_contain_text("Only visible to you")
    await expect(private.get_by_role("button", name="Reply in thread")).to_have_count(0)
    desk.simulator.post_message("chen", "#releases", "after it")
    await expect(ana.get_by_role("article").filter(has_text="after it")).to_be_visible()
    await expect(ana.get_by_text("Did you mean")).to_have_count(0)


async def test_a_thread_is_read_and_answered_beside_the_channel(desk: Desk, open_page: OpenPage) -> None:
    await desk.publish("C0RELEASES")
    page = await open_page("ana")
    await page.get_by_role("button", name="2 replies new").click()
    await expect(page.get_by_role("button", name="2 replies new")).to_have_count(0)
    thread = page.get_by_role("complementary", name="Thread")
    await expect(thread.get_by_role("article")).to_have_count(3)
    reply = thread.get_by_role("textbox", name="Reply in thread")
    await expect(reply).to_be_focused()
    await reply.fill("/vb run")
    await reply.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not work in threads")
    await reply.fill("Looks good")
    await reply.press("Enter")
    await expect(thread.get_by_role("article").filter(has_text="Looks good")).to_be_visible()
    await expect(page.get_by_role("button", name="3 replies")).to_be_visible()
    await reply.press("Escape")
    await expect(thread).to_be_hidden()
    await expect(page.get_by_role("button", name="3 replies")).to_be_focused()


async def test_being_somebody_else_keeps_the_page_and_shows_what_they_have_not_read(
    desk: Desk, open_page: OpenPage
) -> None:
    page = await open_page("ben")
    ana = desk.simulator.workspace.person("ana")
    await desk.client.chat_postMessage(channel=ana.id, text="Your decision is needed")
    await expect(page.get_by_role("link", name="eng-leads")).to_have_count(0)
    await page.get_by_role("button", name="You are Ben Okafor").click()
    await expect(page.get_by_role("menuitemradio", name="Ben Okafor")).to_be_checked()
    await expect(page.get_by_role("menuitemradio", name="Finn Berg")).to_have_count(0)
    await page.get_by_role("menuitemradio", name="Ana Ruiz").click()
    await expect(page.get_by_role("button", name="You are Ana Ruiz")).to_be_visible()
    await expect(page.get_by_role("link", name="eng-leads")).to_be_visible()
    await page.get_by_role("link", name="Vectorbea , 1 unread").click()
    await expect(page.get_by_role("article").filter(has_text="Your decision is needed")).to_be_visible()
    await expect(page.get_by_role("link", name="Vectorbea", exact=True)).to_have_attribute("aria-current", "page")
    await page.reload()
    await expect(page.get_by_role("button", name="You are Ana Ruiz")).to_be_visible()
    await page.get_by_role("link", name="ops").click()
    await expect(page.get_by_role("heading", name="#ops")).to_be_visible()
    await expect(page.get_by_role("link", name="Vectorbea", exact=True)).to_be_visible()


async def test_moving_the_clock_moves_the_times_that_are_shown(desk: Desk, open_page: OpenPage) -> None:
    due = desk.simulator.workspace.clock.now() // 1000 + 30 * 60
    await desk.client.chat_postMessage(channel="C0RELEASES", text=f"Expires <!date^{due}^{{ago}}|later>")
    page = await open_page("ana")
    article = page.get_by_role("article")
    await expect(article).to_contain_text("in 30 minutes")
    clock = page.get_by_role("group", name="The simulator's clock")
    await clock.get_by_role("button", name="Move forward 15 min").click()
    await expect(article).to_contain_text("in 15 minutes")
    await clock.get_by_role("button", name="Move forward 1 h").click()
    await expect(article).to_contain_text("45 minutes ago")
    await expect(clock.get_by_role("button", name="Move forward 1 day")).to_be_visible()


async def test_a_page_that_lost_its_connection_catches_up(desk: Desk, open_page: OpenPage) -> None:
    links: list[WebSocketRoute] = []

    async def watch(page: Page) -> None:
        def pass_on(link: WebSocketRoute) -> None:
            link.connect_to_server()
            links.append(link)

        await page.route_web_socket("**/_sim/events*", pass_on)

    page = await open_page("ana", prepare=watch)
    desk.simulator.post_message("ben", "#releases", "seen live")
    await expect(page.get_by_role("article").filter(has_text="seen live")).to_be_visible()
    await page.get_by_role("textbox", name="Message #releases").fill("a draft")
    await links[0].close()
    desk.simulator.post_message("ben", "#releases", "while away")
    await expect(page.get_by_role("article").filter(has_text="while away")).to_be_visible()
    await expect(page.get_by_role("article").filter(has_text="seen live")).to_have_count(1)
    await expect(page.get_by_role("textbox", name="Message #releases")).to_have_value("a draft")
    desk.simulator.post_message("ben", "#releases", "live again")
    await expect(page.get_by_role("article").filter(has_text="live again")).to_have_count(1)


async def test_the_home_tab_shows_what_the_app_published(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ana")
    await page.get_by_role("link", name="Vectorbea").click()
    await page.get_by_role("tab", name="Home").click()
    home = page.get_by_role("tabpanel", name="Home")
    await expect(home.get_by_role("heading", name="Your runs")).to_be_visible()
    await page.get_by_role("tab", name="Messages").click()
    await expect(page.get_by_role("log")).to_be_visible()


async def test_a_permalink_opens_its_message(desk: Desk, open_page: OpenPage) -> None:
    ts = await desk.publish("C0OPSXXXXX")
    answer = await desk.client.chat_getPermalink(channel="C0OPSXXXXX", message_ts=ts)
    path = answer["permalink"].removeprefix(desk.simulator.page_url)
    page = await open_page("ana", path=path)
    await expect(page.get_by_role("heading", name="#ops")).to_be_visible()
    await expect(page.get_by_role("article").filter(has_text="Publish v1.2.3?")).to_be_focused()


@pytest.mark.parametrize("simulator", [Options(ack_timeout_ms=50)], indirect=True)
async def test_without_the_app_a_command_says_so_and_comes_back(simulator: Simulator, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await expect(page.get_by_text("commands and buttons will not be answered")).to_be_visible()
    box = page.get_by_role("textbox", name="Message #releases")
    await box.fill("/vb run")
    await box.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("No app is connected")
    await expect(box).to_have_value("/vb run")
    await expect(page.get_by_role("article").filter(has_text="Slackbot")).to_contain_text("Only visible to you")


async def test_who_is_no_member_can_read_but_not_write(desk: Desk, open_page: OpenPage) -> None:
    workspace = desk.simulator.workspace
    workspace.add_channel(Channel("C0LOUNGEXX", "lounge", [workspace.person("ana").id]))
    page = await open_page("ben")
    await page.get_by_role("link", name="lounge").click()
    await expect(page.get_by_text("Ben Okafor is not a member of #lounge")).to_be_visible()
    await expect(page.get_by_role("textbox", name="Message #lounge")).to_be_hidden()
