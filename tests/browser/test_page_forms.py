"""Deciding and filling in: buttons, confirmations, menus, and modals with every element."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from bot.simulator.model import Json
from tests.browser.conftest import OpenPage
from tests.browser.desk import Desk, button, field, options, plain, section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def typed(page: Page, line: str) -> None:
    box = page.get_by_role("textbox", name="Message #releases")
    await box.fill(line)
    await box.press("Enter")


async def told(desk: Desk, count: int = 1) -> Json:
    """The last payload, once the app was told `count` times."""
    await desk.simulator.wait_for(lambda: len(desk.told) >= count)
    return desk.told[-1]


async def test_a_button_asks_first_is_busy_and_shows_the_decision(desk: Desk, open_page: OpenPage) -> None:
    await desk.publish("C0RELEASES")
    page = await open_page("ana")
    approve = page.get_by_role("button", name="Approve")
    await approve.click()
    dialog = page.get_by_role("dialog", name="Publish v1.2.3?")
    await expect(dialog).to_contain_text("Tag v1.2.3 is pushed at once.")
    await dialog.get_by_role("button", name="Not yet").click()
    await expect(dialog).to_have_count(0)
    await expect(approve).to_be_focused()
    assert desk.told == []
    desk.gate.clear()
    await approve.press("Enter")
    await dialog.get_by_role("button", name="Publish").press("Enter")
    await expect(approve).to_have_attribute("aria-busy", "true")
    await approve.press("Enter")
    await expect(dialog).to_have_count(0)
    desk.gate.set()
    article = page.get_by_role("article").filter(has_text="✓ Approved by @Ana Ruiz")
    await expect(article).to_be_visible()
    await expect(approve).to_have_count(0)
    await expect(article).to_be_focused()
    assert len(desk.told) == 1


async def test_a_button_that_is_gone_meanwhile_says_so(desk: Desk, open_page: OpenPage) -> None:
    """The message changes while the click is on its way. Whether the page hears of it before the answer is open."""
    await desk.publish("C0RELEASES")
    page = await open_page("ana")

    async def too_late(route: Route) -> None:
        (message, *_) = desk.simulator.channel_messages("#releases")
        message.blocks = [section("Changed while the click was on its way")]
        await route.continue_()

    await page.route("**/_sim/click", too_late)
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_role("dialog").get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("alert")).to_contain_text("is not there (any more)")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert desk.told == []


async def test_a_form_says_at_the_field_what_is_wrong_and_keeps_what_was_typed(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await typed(page, "/vb run")
    dialog = page.get_by_role("dialog", name="Run publish_release")
    version = dialog.get_by_role("textbox", name="Version")
    await expect(version).to_be_focused()
    await dialog.get_by_role("textbox", name="Notes").fill("For the fair")
    await dialog.get_by_role("button", name="Start").click()
    await expect(version).to_have_attribute("aria-invalid", "true")
    assert desk.told == []
    await version.fill("1.2.3")
    await expect(version).not_to_have_attribute("aria-invalid", "true")
    environment = dialog.get_by_role("combobox", name="Environment")
    await environment.fill("prod")
    await environment.press("Enter")
    await expect(environment).to_have_value("Production")
    await dialog.get_by_role("button", name="Start").click()
    await expect(dialog.get_by_text("1.2.3 is not like v1.2.3.")).to_be_visible()
    await expect(version).to_be_focused()
    await expect(version).to_have_accessible_description("As in v1.2.3 1.2.3 is not like v1.2.3.")
    await expect(environment).to_have_value("Production")
    await version.fill("v1.2.3")
    await version.press("Enter")
    await expect(dialog).to_have_count(0)
    values = (await told(desk, 2))["view"]["state"]["values"]
    assert values["version"]["it"]["value"] == "v1.2.3"
    assert values["target"]["it"]["selected_option"]["value"] == "production"
    assert values["notes"]["it"]["value"] == "For the fair"
    await expect(page.get_by_role("textbox", name="Message #releases")).to_be_focused()


async def test_escape_closes_the_list_first_and_then_the_form(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await typed(page, "/vb run")
    dialog = page.get_by_role("dialog")
    environment = dialog.get_by_role("combobox", name="Environment")
    await environment.click()
    await expect(dialog.get_by_role("option", name="Staging")).to_be_visible()
    await environment.press("Escape")
    await expect(dialog.get_by_role("option")).to_have_count(0)
    await expect(dialog).to_be_visible()
    await environment.press("Escape")
    await expect(dialog).to_have_count(0)
    await page.keyboard.type("and on")  # without a click: the caret is back as well
    await expect(page.get_by_role("textbox", name="Message #releases")).to_have_value("and on")
    await desk.simulator.wait_for(lambda: not desk.simulator.views("ben"))


async def test_the_focus_stays_inside_a_form(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await typed(page, "/vb run")
    await expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        assert await page.evaluate(
            "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        )


ELEMENTS: dict[str, tuple[Json, Any]] = {
    "email": ({"type": "email_text_input"}, {"value": "ana@acme.example"}),
    "url": ({"type": "url_text_input"}, {"value": "https://acme.example"}),
    "number": ({"type": "number_input", "is_decimal_allowed": True}, {"value": "2.5"}),
    "person": ({"type": "users_select"}, {"selected_user": "U0DANAXXXX"}),
    "people": ({"type": "multi_users_select"}, {"selected_users": ["U0ANAXXXXX", "U0CHENXXXX"]}),
    "channel": ({"type": "channels_select"}, {"selected_channel": "C0OPSXXXXX"}),
    "conversation": ({"type": "conversations_select"}, {"selected_conversation": "C0OPSXXXXX"}),
    "day": ({"type": "datepicker", "initial_date": "2026-01-31"}, {"selected_date": "2026-12-01"}),
    "time": ({"type": "timepicker"}, {"selected_time": "17:30"}),
    "moment": ({"type": "datetimepicker"}, {"selected_date_time": 1_795_424_400}),
}


async def test_every_element_hands_over_what_was_chosen(desk: Desk, open_page: OpenPage) -> None:
    many = {"type": "multi_static_select", "options": options("Red", "Green", "Blue"), "max_selected_items": 2}
    blocks = [
        *(field(name, name.title(), {"action_id": "it", **spec}) for name, (spec, _) in ELEMENTS.items()),
        field("colours", "Colours", {"action_id": "it", **many}),
        field("boxes", "Boxes", {"action_id": "it", "type": "checkboxes", "options": options("Dry run", "Notify")}),
        field("radio", "When", {"action_id": "it", "type": "radio_buttons", "options": options("Now", "Tonight")}),
        field("ticket", "Ticket", {"action_id": "ticket", "type": "external_select", "min_query_length": 1}),
    ]
    desk.form = {
        "type": "modal",
        "callback_id": "run_form",
        "title": plain("All of them"),
        "submit": plain("Send"),
        "blocks": blocks,
    }
    page = await open_page("ana")
    await typed(page, "/vb form")
    form = page.get_by_role("dialog", name="All of them")
    for name in ("email", "url", "number"):
        await form.get_by_label(name.title(), exact=True).fill(ELEMENTS[name][1]["value"])
    for name, choices in {
        "Person": ["Dana Levy"],
        "People": ["Ana Ruiz", "Chen Wei"],
        "Channel": ["#ops"],
        "Conversation": ["#ops"],
        "Colours": ["Red", "Blue", "Green"],
    }.items():
        box = form.get_by_role("combobox", name=name, exact=True)
        await box.click()
        for choice in choices:
            await form.get_by_role("option", name=choice).click()
        await box.press("Tab")
        await expect(form.get_by_role("option")).to_have_count(0)
    await form.get_by_role("combobox", name="Ticket").press_sequentially("german")
    await form.get_by_role("option", name="ACME-2 German page").click()
    await form.get_by_label("Day").fill("2026-12-01")
    await form.get_by_label("Time").fill("17:30")
    await form.get_by_label("Moment").fill("2026-11-23T10:00")  # in Madrid, where Ana is
    await form.get_by_role("checkbox", name="Notify").check()
    await form.get_by_role("radio", name="Tonight").check()
    await form.get_by_role("button", name="Send").click()
    await expect(form).to_have_count(0)
    values = (await told(desk))["view"]["state"]["values"]
    for name, (_, expected) in ELEMENTS.items():
        assert {key: values[name]["it"][key] for key in expected} == expected
    assert [one["value"] for one in values["colours"]["it"]["selected_options"]] == ["red", "blue"]
    assert [one["value"] for one in values["boxes"]["it"]["selected_options"]] == ["notify"]
    assert values["radio"]["it"]["selected_option"]["value"] == "tonight"
    assert values["ticket"]["ticket"]["selected_option"]["value"] == "acme-2_german_page"


async def test_elements_of_a_message_act_at_once(desk: Desk, open_page: OpenPage) -> None:
    elements = [
        {
            "type": "static_select",
            "action_id": "plain",
            "placeholder": plain("Snooze for"),
            "options": options("1 hour"),
        },
    ]
    overflow = {"type": "overflow", "action_id": "plain", "options": options("Show definition", "Mute")}
    blocks = [
        section("Nightly report", accessory=overflow),
        {"type": "actions", "block_id": "first", "elements": elements},
        {"type": "actions", "block_id": "second", "elements": [{"type": "datepicker", "action_id": "plain"}]},
        {"type": "actions", "block_id": "third", "elements": [button("Refresh", "plain", value="again")]},
    ]
    await desk.client.chat_postMessage(channel="C0RELEASES", text="Nightly report", blocks=blocks)
    page = await open_page("ana")
    await page.locator(".with-accessory").get_by_role("button", name="More actions").press("Enter")
    await page.get_by_role("menuitem", name="Mute").click()
    assert (await told(desk, 1))["actions"][0]["selected_option"]["value"] == "mute"
    await page.get_by_role("combobox", name="Snooze for").click()
    await page.get_by_role("option", name="1 hour").click()
    assert (await told(desk, 2))["actions"][0]["selected_option"]["value"] == "1_hour"
    await page.get_by_label("Choose a date").fill("2026-12-24")
    assert (await told(desk, 3))["actions"][0]["selected_date"] == "2026-12-24"
    await page.get_by_role("button", name="Refresh").click()
    last = await told(desk, 4)
    assert last["actions"][0]["value"] == "again"
    assert last["state"]["values"]["second"]["plain"]["selected_date"] == "2026-12-24"


async def test_what_was_typed_survives_a_change_of_the_view(desk: Desk, open_page: OpenPage) -> None:
    page = await open_page("ben")
    await typed(page, "/vb run")
    dialog = page.get_by_role("dialog")
    version = dialog.get_by_role("textbox", name="Version")
    await version.press_sequentially("v1.2")
    (view,) = desk.simulator.views("ben")
    body = {key: view.body[key] for key in ("type", "callback_id", "submit", "blocks")}
    changed = {**body, "title": plain("Run it now"), "blocks": [section("*Checked.*"), *body["blocks"]]}
    await desk.client.views_update(view_id=view.id, view=changed)
    await expect(page.get_by_role("dialog", name="Run it now")).to_contain_text("Checked.")
    await expect(version).to_be_focused()
    await page.keyboard.type(".3")
    await expect(version).to_have_value("v1.2.3")


async def test_a_pushed_view_goes_back_to_the_one_below(desk: Desk, open_page: OpenPage) -> None:
    desk.form = {
        "type": "modal",
        "title": plain("First"),
        "blocks": [{"type": "actions", "elements": [button("More", "plain")]}, section("below")],
    }
    page = await open_page("ben")
    await typed(page, "/vb form")
    await page.get_by_role("dialog", name="First").get_by_role("button", name="More").click()
    trigger = (await told(desk))["trigger_id"]
    second = {"type": "modal", "title": plain("Second"), "blocks": [section("above")]}
    await desk.client.views_push(trigger_id=trigger, view=second)
    await expect(page.get_by_role("dialog", name="Second")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_have_count(1)
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_role("dialog", name="First")).to_be_visible()
    await desk.simulator.wait_for(lambda: len(desk.simulator.views("ben")) == 1)
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    async with asyncio.timeout(180):
        await desk.simulator.wait_for(lambda: not desk.simulator.views("ben"))
