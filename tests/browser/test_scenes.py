"""What the demo suggests, as a newcomer plays it: a correction, a limit, a kill and a budget, each by one command.

The one rule: the demo is touched through its page alone, and what is typed is what it suggests; but the shop that is
slow is one that answers when the test lets it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from aiohttp import web
from playwright.async_api import Locator, expect

from tests.browser.conftest import Chromium, watched_pages
from tests.browser.demo import DEMOS_OWN, Chat, Demo, running_demo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("scenes"),  # in one process, since one demo serves them all
]


FETCH = """
name: fetch_terms
input: {url: {type: string}}
steps:
  - id: fetch
    uses: http.request
    with: {url: "${{ input.url }}", timeout: 10s}
    check: steps.fetch.output.body != ""
    correct: {model: "local:brief", may_change: [url]}
    retry: {attempts: 5, initial: 1s}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo, with a definition more. It asks for Chromium first, without which there is no point in starting it."""
    more = tmp_path_factory.mktemp("more")
    (more / "fetch_terms.yaml").write_text(FETCH, encoding="utf-8")
    async with running_demo(tmp_path_factory.mktemp("scenes") / "state", DEMOS_OWN, more) as demo:
        yield demo


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chat(chromium: Chromium, demo: Demo) -> AsyncIterator[Chat]:
    """The demo's page, as Dana, who may do everything."""
    async with watched_pages(chromium) as open_at:
        yield Chat(await open_at(f"{demo.url}?user=U0DANAXXXX"))


@dataclass
class Shop:
    """A site whose pages come once it is ``open``."""

    url: str = ""
    open: asyncio.Event = field(default_factory=asyncio.Event)
    asking: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def page(self, _request: web.Request) -> web.Response:
        await self._count(1)
        try:
            await self.open.wait()
        finally:
            await self._count(-1)
        return web.Response(text="All of it.")

    async def _count(self, more: int) -> None:
        async with self.changed:
            self.asking += more
            self.changed.notify_all()

    async def asked_for(self, pages: int) -> None:
        """Return once so many pages are asked for."""
        async with asyncio.timeout(180), self.changed:
            await self.changed.wait_for(lambda: self.asking == pages)


@pytest_asyncio.fixture(loop_scope="session")
async def shop() -> AsyncIterator[Shop]:
    shop = Shop()
    app = web.Application()
    app.router.add_get("/{page}", shop.page)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    shop.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield shop
    await runner.cleanup()


def line(chat: Chat, pattern: str) -> Locator:
    return chat.replies.filter(has_text=re.compile(pattern))


async def test_notes_that_are_too_long_are_corrected(chat: Chat) -> None:
    suggested = chat.page.get_by_role("list", name="To try")
    await expect(suggested.get_by_role("listitem")).to_have_count(8)
    await chat.shoot("suggestions")
    await suggested.get_by_role("button", name="/vb run draft_notes").press("Enter")
    box = chat.page.get_by_role("textbox", name="Message #releases")
    await expect(box).to_be_focused()
    await expect(box).to_have_value("/vb run draft_notes")
    await chat.page.keyboard.press("Enter")
    await chat.open_thread("draft_notes")
    failed = r"↻ draft failed \(.* does not fulfil its check: .*\); local:brief is asked what to change, 1 of 2"
    changed = r"✎ draft is tried with a change, 1 of 2\. Seen: \(local model\) .* Changed: prompt\. Why: "
    await expect(line(chat, failed)).to_be_visible()
    await expect(line(chat, changed)).to_be_visible()
    await expect(line(chat, r"✓ draft done in .*: local:echo \(local model\)")).to_be_visible()
    question = chat.question("Are these notes good enough to publish?")
    await expect(question).to_contain_text("(local model) What is new?")
    await chat.shoot("correction")
    await chat.page.get_by_role("button", name="Close thread").click()


async def test_what_no_correction_can_mend_waits_for_a_person(chat: Chat) -> None:
    await chat.type("/vb run draft_notes longest=20")
    await chat.open_thread("draft_notes · longest=20")
    for number in (1, 2):
        await expect(line(chat, rf"✎ draft is tried with a change, {number} of 2\. Seen: ")).to_be_visible()
    asked = chat.replies.filter(has_text="How shall draft go on?")
    await expect(asked).to_contain_text(
        "Corrected 2 times; the last try ended with: its result does not fulfil its check"
    )
    await expect(asked.get_by_role("button", name="Retry with my change")).to_be_visible()
    await expect(chat.card("draft_notes · longest=20")).to_contain_text("? Waiting for an answer")
    await chat.shoot("given-up")
    await chat.page.get_by_role("button", name="Close thread").click()


async def test_an_outage_is_tried_again_and_no_model_is_asked(demo: Demo, chat: Chat) -> None:
    site = demo.suggested("check_site").partition("url=")[2]
    await chat.type(f"/vb run fetch_terms url={site}")
    await chat.open_thread(f"fetch_terms · {site}")
    again = r"fetch failed \(.* answered 503 .*\), retrying in .*, attempt 2 of 5"
    await expect(line(chat, again)).to_be_visible()
    await expect(chat.replies.last).to_contain_text("✓ Completed in")
    await expect(line(chat, "is asked what to change")).to_have_count(0)
    await chat.shoot("transient")
    await chat.page.get_by_role("button", name="Close thread").click()


async def test_a_kill_stops_what_runs_and_lifted_it_goes_on(demo: Demo, chat: Chat, shop: Shop) -> None:
    command = demo.suggested("warm_cache").partition("url=")[0] + f"url={shop.url}"
    card = chat.card(f"warm_cache · {shop.url}")
    await chat.type(command)
    await shop.asked_for(3)
    await chat.type(demo.suggested("warm_cache", "kill"))
    asked = chat.page.get_by_role("dialog", name="Stop at once?")
    await expect(asked).to_contain_text(
        "This stops all runs of warm_cache: 1 open run, in which 3 steps run now. They are ended within a second, and "
        "held. Nothing starts until it is lifted."
    )
    await expect(asked.get_by_role("textbox", name="Why?")).to_have_value("The shop is slow")
    await chat.shoot("kill")
    await asked.get_by_role("button", name="Stop it").press("Enter")
    await expect(asked).to_be_hidden()
    await expect(card).to_contain_text("■ Held")
    held = (
        r"pages\[0\] is held since .*: Dana Levy stopped all runs of warm_cache: The shop is slow; /vb lift workflow:"
    )
    await expect(card).to_contain_text(re.compile(held))
    await expect(card).to_contain_text("pages: 0 of 12 done, 3 held.")
    stopped = chat.page.get_by_role("article").filter(has_text="To let it go on: /vb lift workflow:warm_cache")
    await expect(stopped).to_have_count(1)
    await expect(chat.private("To let it go on")).to_have_count(0)
    await chat.shoot("killed")
    await shop.asked_for(0)
    shop.open.set()
    await chat.press(card, "Lift")
    sure = chat.page.get_by_role("dialog", name="Let it go on?")
    await expect(sure).to_contain_text("The switch that stopped all runs of warm_cache is lifted")
    await sure.get_by_role("button", name="Lift", exact=True).press("Enter")
    await expect(card).to_contain_text("✓ Completed")


async def test_a_budget_warns_holds_and_raised_lets_it_go_on(demo: Demo, chat: Chat) -> None:
    await chat.type(demo.suggested("translate_notice"))
    card = chat.card("translate_notice")
    await chat.open_thread("translate_notice")
    for share in (50, 80):
        passed = rf"! the run's budget has passed {share} %: \$0\.\d\d of \$0\.50 are spent"
        await expect(line(chat, passed)).to_be_visible()
    await expect(
        line(chat, r"■ translate\[\d\] is held since .*: the run's budget \(\$0\.50\) has no room left")
    ).to_be_visible()
    await expect(card).to_contain_text("■ Held")
    await chat.shoot("budget")
    await chat.press(line(chat, "! the run's budget has passed 80 %"), "Raise budget")
    form = chat.page.get_by_role("dialog", name="Raise budget")
    await expect(form.get_by_role("textbox", name="New limit")).to_have_value("0.75 USD")
    await form.get_by_role("button", name="Raise", exact=True).press("Enter")
    await expect(form).to_be_hidden()
    await expect(card).to_contain_text("✓ Completed")
    await chat.page.get_by_role("button", name="Close thread").click()
    await chat.type("/vb budget")
    await expect(chat.private("").get_by_role("table")).to_contain_text("workspace per day")
    await chat.shoot("budgets")
    await chat.type("/vb budget chart 7")
    shown = chat.messages.filter(has_text="By workflow: translate_notice $0.")
    picture = shown.get_by_role("img", name=re.compile("Spend per day"))
    await expect(picture).to_be_visible()
    await expect(shown).to_contain_text("By model: ")
    await picture.evaluate("img => img.decode()")
    await chat.shoot("chart")


async def test_a_limit_is_waited_for_without_anybodys_doing(chat: Chat) -> None:
    box = chat.page.get_by_role("textbox", name="Message #releases")
    await box.press_sequentially("/vb run su")
    await box.press("ArrowDown")
    await box.press("Enter")
    await expect(box).to_have_value("/vb run sum_up_feedback")
    await box.press("Enter")
    await chat.open_thread("sum_up_feedback")
    await expect(line(chat, r"… sum_up\[\d\] is waiting \d+ s for the limit for local:brief").first).to_be_visible()
    await expect(line(chat, r"✓ sum_up\[\d\] done").first).to_be_visible()
    await chat.shoot("limit")
    report = chat.messages.filter(has_text="What customers want:")
    await expect(report).to_contain_text("• (local model) My parcel went to the old")
    await expect(chat.replies.last).to_contain_text("✓ Completed")
