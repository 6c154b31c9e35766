"""What messages look like: mrkdwn, dates, every block; hostile text stays text."""

import base64
from functools import partial
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, expect

from bot.simulator.model import Json, Message
from tests.browser.conftest import OpenPage
from tests.browser.desk import Desk, button, plain, section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def shown(desk: Desk, page: Page, text: str, blocks: list[Json] | None = None) -> Locator:
    """The content of a new message of the app."""
    posted = await desk.client.chat_postMessage(channel="C0RELEASES", text=text, blocks=blocks)
    return page.locator(f"article[data-ts='{posted['ts']}'] .content")


MRKDWN = {
    "*bold* _it_ ~gone~ `a*b*c`": "<strong>bold</strong> <em>it</em> <s>gone</s> <code>a*b*c</code>",
    "*_both_*, but 2*3*4 and snake_case_name": "<strong><em>both</em></strong>, but 2*3*4 and snake_case_name",
    "* not bold* and *open": "* not bold* and *open",
    "&lt;b&gt; &amp;amp; R&amp;D": "&lt;b&gt; &amp;amp; R&amp;D",
    "one\ntwo": "one<br>two",
    "&gt; said\n&gt; twice\nthen": "<blockquote>said<br>twice</blockquote>then",
    "see:\n```\nx = 1 &lt; 2\n```\nend": "see:<pre><code>x = 1 &lt; 2</code></pre>end",
    "<javascript:alert(1)|click> <data:text/html,x|me>": "click me",
    "<img src=x onerror=alert(1)>": "&lt;img src=x onerror=alert(1)&gt;",
    "at 12:30:45 :unknown_sign:": "at 12:30:45 :unknown_sign:",
}


async def test_mrkdwn(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ana")
    assert {text: await (await shown(desk, page, text)).inner_html() for text in MRKDWN} == MRKDWN
    mentions = await shown(desk, page, "<!here> <@U0BENXXXXX>")
    await expect(mentions.locator(".mention-me")).to_have_text("@here")
    await expect(mentions.locator(".mention:not(.mention-me)")).to_have_text("@Ben Okafor")


async def test_links_groups_channels_and_emoji(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ana")
    text = "<https://acme.example/a?b=1&amp;c=2|the *report*> <!subteam^S0RELEASES> <#C0OPSXXXXX> :rocket:"
    text += " *at https://acme.example/shop/*"
    content = await shown(desk, page, text)
    link = content.get_by_role("link", name="the *report*")
    await expect(link).to_have_attribute("href", "https://acme.example/a?b=1&c=2")
    await expect(link).to_have_attribute("rel", "noreferrer noopener")
    address = content.locator("strong").get_by_role("link", name="https://acme.example/shop/", exact=True)
    await expect(address).to_have_attribute("href", "https://acme.example/shop/")
    await expect(content.locator(".mention-me")).to_have_text("@release-managers")
    await expect(content.get_by_role("img", name="rocket")).to_have_text("🚀")
    await content.get_by_role("link", name="#ops").click()
    await expect(page.get_by_role("heading", name="#ops")).to_be_visible()


async def test_times_are_in_the_persons_zone_and_near_days_are_told_by_name(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    due = await shown(desk, page, "Due <!date^1732278600^{date_num}, {date_short} at {time}|then>")
    tomorrow = desk.simulator.workspace.clock.now() // 1000 + 86_400
    near = await shown(desk, page, f"<!date^{tomorrow}^{{date_short_pretty}}|x>, <!date^{tomorrow}^{{ago}}|x>")
    await expect(near).to_have_text("Tomorrow, tomorrow")
    await expect(due).to_have_text("Due 2024-11-22, Nov 22, 2024 at 12:30")
    for person, time in (("Ana Ruiz", "13:30"), ("Dana Levy", "06:30")):
        await page.get_by_role("button", name="You are").click()
        await page.get_by_role("menuitemradio", name=person).click()
        await expect(due).to_have_text(f"Due 2024-11-22, Nov 22, 2024 at {time}")


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def fulfill(answer: dict[str, Any], route: Route) -> None:
    await route.fulfill(**answer)


RICH: Json = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "text", "text": "Bold", "style": {"bold": True}},
                {"type": "user", "user_id": "U0BENXXXXX"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "ordered",
            "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}],
        },
    ],
}
BLOCKS: dict[str, tuple[Json, str]] = {
    "header": ({"type": "header", "text": plain("Nightly :bar_chart:")}, "[role=heading]:text-is('Nightly 📊')"),
    "fields": ({"type": "section", "fields": [plain("*a*"), plain("b")]}, ".fields > .text:text-is('*a*')"),
    "context": ({"type": "context", "elements": [plain("by the scheduler")]}, ".context:has-text('by the scheduler')"),
    "divider": ({"type": "divider"}, "hr"),
    "image": (
        {"type": "image", "image_url": "https://acme.example/good.png", "alt_text": "Latency"},
        "img[alt=Latency]",
    ),
    "broken": (
        {"type": "image", "image_url": "https://acme.example/bad.png", "alt_text": "Latency"},
        ":text-is('Latency')",
    ),
    "markdown": ({"type": "markdown", "text": "## Found\n\n1. **slow**\n   - `x`\n\n- [x] done"}, "ol strong"),
    "rich_text": (RICH, "ol li:text-is('first')"),
    "table": (
        {"type": "table", "rows": [[{"type": "raw_text", "text": "Site"}], [{"type": "raw_text", "text": "shop"}]]},
        "td:text-is('shop')",
    ),
    "card": (
        {"type": "card", "title": plain("A card"), "actions": [button("Go", "plain")]},
        ".card button:text-is('Go')",
    ),
    "task_card": ({"type": "task_card", "task_id": "t", "title": "Build", "status": "complete"}, ":text('✓ Complete')"),
    "link_button": (
        {"type": "actions", "elements": [button("Open", "plain", url="https://acme.example")]},
        "button:text('Open')",
    ),
}


async def test_each_block_is_drawn(desk: Desk, open_page: OpenPage) -> None:
    async def with_pictures(page: Page) -> None:
        for file, body in (("good", PIXEL), ("bad", b"no picture")):
            answer = {"status": 200, "body": body, "content_type": "image/png"}
            await page.route(f"https://acme.example/{file}.png", partial(fulfill, answer))

    page = await open_page("ana", prepare=with_pictures)
    for name, (block, selector) in BLOCKS.items():
        content = await shown(desk, page, "fallback", [block])
        await expect(content.locator(selector), name).to_be_visible()


async def test_a_block_that_is_not_known_or_broken_harms_nothing(desk: Desk, open_page: OpenPage) -> None:
    workspace = desk.simulator.workspace
    page = await open_page("ana")
    blocks: list[Any] = [
        {"type": "hologram", "block_id": "a"},
        {"type": "hologram", "block_id": "b", "text": plain("with words")},
        {"type": "context", "block_id": "c"},
        section("still here"),
    ]
    workspace.post(
        Message("C0RELEASES", workspace.next_ts(), workspace.app.bot_user_id, "text", blocks=blocks[:2] + blocks[3:])
    )
    content = page.get_by_role("article").locator(".content")
    await expect(content).to_contain_text("type “hologram”")
    await expect(content).to_contain_text("with words")
    await expect(content).to_contain_text("still here")


async def test_files_are_a_picture_with_its_words_or_the_beginning_of_a_text(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ana")
    text = b"<script>alert(1)</script>\n" + b"line\n" * 11
    for name, body, words in (("spend.png", PIXEL, "Spent: 4.00 USD"), ("run.log", text, "")):
        await desk.client.files_upload_v2(
            content=body,
            filename=name,
            title=f"The {name}",
            alt_txt=words,
            channel="C0RELEASES",
            initial_comment="Here",
        )
    picture = page.get_by_role("img", name="Spent: 4.00 USD")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("img => img.naturalWidth") == 1, "it was loaded"
    beginning = page.get_by_label("The beginning of run.log")
    await expect(beginning).to_contain_text("<script>alert(1)</script>")
    link = page.get_by_role("link", name="4 more lines")
    async with page.context.expect_page() as opening:
        await link.click()
    whole = await opening.value
    await expect(whole.locator("pre")).to_contain_text("line")
    assert await whole.locator("script").count() == 0
