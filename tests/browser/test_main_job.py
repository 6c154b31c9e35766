"""The main job as a person does it: on the page of the real `vb demo`, from the command typed to the finished thread.

The one rule: the demo is touched through its page alone; what it did is asked of git and of the file system. The tests
share one demo, and each has its own run in it.
"""

import re
import subprocess
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Chromium, watched_pages
from tests.browser.demo import Chat, Demo, running_demo

pytestmark = [
    pytest.mark.browser,
    pytest.mark.redis,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("main_job"),  # in one process, since one demo serves them all
]

BEN = "U0BENXXXXX"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def demo(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """The demo. It asks for Chromium first, without which there is no point in starting it."""
    async with running_demo(tmp_path_factory.mktemp("demo") / "state") as demo:
        yield demo


@pytest_asyncio.fixture(loop_scope="session")
async def chat(chromium: Chromium, demo: Demo) -> AsyncIterator[Chat]:
    """The demo's page, as Ben, who may start runs and may not decide."""
    async with watched_pages(chromium) as open_at:
        yield Chat(await open_at(f"{demo.url}?user={BEN}"))


def commit_of(demo: Demo, ref: str) -> str:
    """Of the demo's repository; empty where there is no such ref."""
    command = ["git", "-C", demo.folder / "demo" / "repo", "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


async def test_a_release_from_the_command_over_an_escalation_to_the_tag(demo: Demo, chat: Chat) -> None:
    title = "publish_release · v1.2.0"
    await chat.type("/vb run publish_release version=v1.2.0")
    await expect(chat.card(title)).to_contain_text("… Waiting for a decision · 2 of 5 steps done")
    await expect(chat.card(title)).to_contain_text("publish waits for @release-managers to decide: Publish v1.2.0?")
    await expect(chat.card(title)).to_contain_text("If nobody decides: @oncall is asked too today at")
    await chat.open_thread(title)
    question = chat.question("Publish v1.2.0?")
    await expect(question).to_contain_text("@release-managers: please decide.")
    await expect(question).to_contain_text("- Round prices to cents (")
    await expect(question).to_contain_text(
        "Approve: the run goes on with tag. Deny: the run ends, after asking you why."
    )
    shown = commit_of(demo, "HEAD")
    await expect(question).to_contain_text(shown)
    await chat.shoot("approval")

    await chat.press(question, "Approve")
    await expect(chat.private("Only @release-managers can decide this")).to_contain_text("Nothing was changed.")
    await chat.become("Eve Moreau")
    await chat.open_thread(title)
    await expect(chat.private("")).to_have_count(0)
    await chat.press(question, "Approve")
    await expect(chat.private("Guests of this workspace cannot do this")).to_be_visible()
    await chat.shoot("refused")

    await chat.become("Chen Wei")
    await chat.open_thread(title)
    await expect(chat.private("")).to_have_count(0)
    await chat.move_clock("15 min")
    await expect(
        chat.replies.filter(has_text=re.compile(r"publish has waited 15 min.*@oncall is asked"))
    ).to_be_visible()
    await expect(question).to_have_count(2)
    await expect(question.last).to_contain_text("@oncall: please decide.")
    await chat.shoot("escalation")
    await chat.press(question.last, "Approve")
    await expect(chat.replies.last).to_contain_text(re.compile(r"✓ Completed in 1[5-9] min"))
    await expect(question).to_have_count(0)
    approved = chat.replies.filter(has_text=re.compile(r"✓ Approved by Chen Wei \(in @oncall\) today at"))
    await expect(approved).to_have_count(2)
    await expect(chat.card(title)).to_contain_text("✓ Completed · 5 of 5 steps done")
    await chat.shoot("thread")
    assert commit_of(demo, "v1.2.0") == shown != ""

    await chat.page.get_by_role("button", name="Close thread").click()
    await chat.shoot("channel")


async def test_a_wrong_input_is_said_at_its_field_and_corrected(demo: Demo, chat: Chat) -> None:
    await chat.type("/vb run publish_release version=1.2")
    form = chat.page.get_by_role("dialog", name="Start publish_release")
    version = form.get_by_role("textbox", name="version")
    await expect(version).to_be_focused()
    await expect(version).to_have_value("1.2")
    await expect(form.get_by_text("✗ version must look like v1.4.2; you gave 1.2.")).to_be_visible()
    await expect(version).to_have_accessible_description("The tag to make, such as v1.4.2")
    await version.press("Enter")
    await expect(version).to_have_attribute("aria-invalid", "true")
    await expect(form.get_by_text(re.compile("^version must look like v1.4.2; you gave 1.2$"))).to_be_visible()
    await chat.shoot("form")
    await version.press("ControlOrMeta+a")
    await chat.page.keyboard.type("v1.3.0")
    await chat.page.keyboard.press("Enter")
    await expect(form).to_be_hidden()
    await expect(chat.card("publish_release · v1.3.0")).to_contain_text("Started by Ben Okafor")


async def test_a_denial_asks_for_the_reason_and_tells_it(demo: Demo, chat: Chat) -> None:
    title = "publish_release · v1.4.0"
    await chat.type("/vb run publish_release version=v1.4.0")
    await chat.become("Ana Ruiz")
    await chat.open_thread(title)
    await chat.press(chat.question("Publish v1.4.0?"), "Deny")
    form = chat.page.get_by_role("dialog", name="Deny")
    reason = form.get_by_role("textbox", name="Why?")
    await expect(reason).to_be_focused()
    await expect(form).to_contain_text("Denying ends the run publish_release · v1.4.0.")
    await reason.press("Tab")
    await form.get_by_role("button", name="Deny").press("Enter")
    await expect(reason).to_have_attribute("aria-invalid", "true")
    await chat.shoot("denial")
    await reason.focus()
    await chat.page.keyboard.type("The notes lack the new prices")
    await form.get_by_role("button", name="Deny").press("Enter")
    await expect(form).to_be_hidden()
    denied = re.compile(r"✗ publish denied by Ana Ruiz \(in @release-managers\): The notes lack the new prices")
    await expect(chat.replies.last).to_contain_text(denied)
    await expect(chat.replies.last).to_contain_text("✗ Denied at publish, the run ended after")
    await expect(chat.question("Publish v1.4.0?")).to_have_count(0)
    assert commit_of(demo, "v1.4.0") == ""


async def test_a_mistyped_command_gets_the_nearest_one(chat: Chat) -> None:
    await chat.type("/vb lst")
    await expect(chat.private("There is no /vb lst; did you mean /vb list?")).to_be_visible()
    await chat.type("/vb list")
    await expect(chat.private("/vb run publish_release version=v1.4.2")).to_be_visible()


async def test_a_site_that_fails_at_first_is_checked_and_reported(demo: Demo, chat: Chat) -> None:
    command = demo.suggested("check_site")
    site = command.partition("url=")[2]
    await chat.type(command)
    await expect(chat.messages.filter(has_text=f"{site} answered 200 with 34 characters.")).to_be_visible()
    title = f"check_site · {site}"
    await chat.open_thread(title)
    retried = chat.replies.filter(
        has_text=re.compile(r"fetch failed \(.* answered 503 .*\), retrying in .*, attempt 2 of 5")
    )
    await expect(retried).to_be_visible()
    await expect(chat.replies.last).to_contain_text("✓ Completed in")


async def test_a_cleanup_takes_two_people_and_removes_what_they_saw(demo: Demo, chat: Chat) -> None:
    title = "cleanup · ../downloads"
    downloads = demo.folder / "demo" / "downloads"
    assert (downloads / "upload-1.tmp").exists()
    await chat.type(demo.suggested("cleanup"))
    await chat.become("Ana Ruiz")
    await chat.open_thread(title)
    review = chat.question("Put 3 files in ../downloads up for removal?")
    await expect(review).to_contain_text("./cache/thumbnails.tmp")
    await chat.press(review, "Approve")
    await expect(chat.question("Remove 3 files in ../downloads for good?")).to_be_visible()
    await chat.become("Chen Wei")
    await chat.open_thread(title)
    await chat.press(chat.question("Remove 3 files in ../downloads for good?"), "Approve")
    await expect(chat.replies.last).to_contain_text("✓ Completed in")
    assert sorted(path.name for path in downloads.rglob("*") if path.is_file()) == ["report.txt", "upload-3.tmp"]
