"""Modals: triggers, the stack, submissions with each answer, closing, suggestions, and the App Home."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.errors import PersonError
from bot.simulator.simulator import Options, Simulator

from .conftest import Connect, bolt_app, connected, on, refusal, web_client

Fields = dict[str, Any]


def text(value: str) -> Fields:
    return {"type": "plain_text", "text": value}


def field(block_id: str, element: Fields, **more: Any) -> Fields:
    return {"type": "input", "block_id": block_id, "label": text(block_id), "element": element, **more}


SHORT = {"max_length": 9}


def form(title: str = "Run", **more: Any) -> Fields:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": text(title),
        "submit": text("Start"),
        "private_metadata": "kept",
        "blocks": [
            field(
                "version", {"type": "plain_text_input", "action_id": "value", "initial_value": "v1", "max_length": 9}
            ),
            field("count", {"type": "number_input", "action_id": "value", "is_decimal_allowed": False}, optional=True),
            field("env", {"type": "external_select", "action_id": "pick", "min_query_length": 0}, optional=True),
        ],
        **more,
    }


def opens_form(app: AsyncApp, view: Fields) -> None:
    """`/vb` opens this modal."""

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Fields, client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()


async def open_form(simulator: Simulator) -> str:
    await simulator.type_command("ben", "#releases", "/vb run")
    return simulator.views("ben")[-1].id


async def test_a_form_is_opened_filled_and_submitted(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    opens_form(app, form())
    bodies: list[Fields] = []

    @on(app, "view", "form")
    async def _(ack: AsyncAck, body: Fields) -> None:
        bodies.append(body)
        await ack()

    await connect(app)
    view_id = await open_form(simulator)
    submitted = await simulator.submit_view("ben", view_id, {"count": {"value": "3"}})

    assert submitted.result == "closed"
    assert simulator.views("ben") == []
    view = bodies[0]["view"]
    assert view["state"]["values"] == {
        "version": {"value": {"type": "plain_text_input", "value": "v1"}},
        "count": {"value": {"type": "number_input", "value": "3"}},
        "env": {"pick": {"type": "external_select", "selected_option": None}},
    }
    assert (view["private_metadata"], view["callback_id"]) == ("kept", "form")
    assert bodies[0]["user"]["id"] == BEN


async def test_the_client_checks_fields_before_the_app_hears(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    opens_form(app, form())
    await connect(app)
    view_id = await open_form(simulator)
    values: Fields = {"version": {"value": ""}, "count": {"value": "1.5"}}
    submitted = await simulator.submit_view("ben", view_id, values)
    assert (submitted.result, submitted.errors) == (
        "errors",
        {"version": "Please complete this required field.", "count": "Please enter a whole number."},
    )
    submitted = await simulator.submit_view("ben", view_id, {"version": {"value": "x" * 10}})
    assert submitted.errors == {"version": "Please enter at most 9 characters."}
    assert simulator.deliveries("interactive") == []
    assert len(simulator.views("ben")) == 1


@pytest.mark.parametrize(
    ("answer", "result", "titles"),
    [
        ({"response_action": "errors", "errors": {"version": "No such tag."}}, "errors", ["Run"]),
        ({"response_action": "update", "view": form("Sure?")}, "updated", ["Sure?"]),
        ({"response_action": "push", "view": form("More")}, "pushed", ["Run", "More"]),
        ({"response_action": "clear"}, "cleared", []),
        ({}, "closed", []),
    ],
)
async def test_the_answer_decides_what_happens_to_the_stack(
    simulator: Simulator, app: AsyncApp, connect: Connect, answer: Fields, result: str, titles: list[str]
) -> None:
    opens_form(app, form())

    @on(app, "view", "form")
    async def _(ack: AsyncAck) -> None:
        await ack(**answer)

    await connect(app)
    submitted = await simulator.submit_view("ben", await open_form(simulator))
    assert submitted.result == result
    assert submitted.errors == answer.get("errors", {})
    assert [view.body["title"]["text"] for view in simulator.views("ben")] == titles


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "update", "view": {"type": "modal"}},
        {"response_action": "explode", "view": form()},
    ],
)
async def test_a_wrong_answer_is_refused(simulator: Simulator, app: AsyncApp, connect: Connect, answer: Fields) -> None:
    opens_form(app, form())

    @on(app, "view", "form")
    async def _(ack: AsyncAck) -> None:
        await ack(**answer)

    await connect(app)
    view_id = await open_form(simulator)
    with pytest.raises(PersonError) as refused:
        await simulator.submit_view("ben", view_id)
    assert refused.value.code == "app_error"
    assert len(simulator.views("ben")) == 1


async def test_a_trigger_is_good_once_and_for_a_moment(client: Any, simulator: Simulator) -> None:
    triggers: list[str] = []
    async with Simulator(demo_workspace(), options=Options(trigger_lifetime_ms=0)).serve() as hasty:
        app = bolt_app(hasty)

        @on(app, "command", "/vb")
        async def _(ack: AsyncAck, body: Fields) -> None:
            triggers.append(body["trigger_id"])
            await ack()

        async with connected(hasty, app):
            await hasty.type_command("ben", "#releases", "/vb")
            slow: Any = web_client(hasty)
            await hasty.wait_for(lambda: len(triggers) == 1)
            await slow.auth_test()  # a round trip: the trigger is older than nothing
            assert (await refusal(slow.views_open(trigger_id=triggers[0], view=form())))[
                "error"
            ] == "expired_trigger_id"
    assert (await refusal(client.views_open(trigger_id="1.2.3", view=form())))["error"] == "invalid_trigger_id"
    app = bolt_app(simulator)
    errors: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Fields) -> None:
        await ack()
        broken = await refusal(client.views_open(trigger_id=body["trigger_id"], view={"type": "modal"}))
        await client.views_open(trigger_id=body["trigger_id"], view=form())
        again = await refusal(client.views_open(trigger_id=body["trigger_id"], view=form()))
        errors.extend([broken["error"], again["error"]])

    async with connected(simulator, app):
        await simulator.type_command("ben", "#releases", "/vb")
        await simulator.wait_for(lambda: errors)
    assert errors == ["invalid_arguments", "exchanged_trigger_id"]


async def test_a_stack_holds_three(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    more = {"type": "actions", "elements": [{"type": "button", "action_id": "more", "text": text("More")}]}
    view = {"type": "modal", "title": text("One"), "blocks": [more]}
    opens_form(app, view)
    errors: list[str] = []

    @on(app, "action", "more")
    async def _(ack: AsyncAck, body: Fields, client: Any) -> None:
        if len(simulator.views("ben")) == 3:
            errors.append((await refusal(client.views_push(trigger_id=body["trigger_id"], view=view)))["error"])
        else:
            await client.views_push(trigger_id=body["trigger_id"], view=view)
        await ack()

    await connect(app)
    await open_form(simulator)
    for _number in range(3):
        await simulator.click_in_view("ben", simulator.views("ben")[-1].id, "more")
    assert errors == ["push_limit_reached"]
    one, two, three = simulator.views("ben")
    assert (three.previous_view_id, three.root_view_id, one.previous_view_id) == (two.id, one.id, None)
    with pytest.raises(PersonError, match="lies over"):
        await simulator.submit_view("ben", one.id)


async def test_updates_with_a_stale_hash_are_refused(
    simulator: Simulator, app: AsyncApp, connect: Connect, client: Any
) -> None:
    opens_form(app, form(external_id="mine"))
    await connect(app)
    view_id = await open_form(simulator)
    first = simulator.views("ben")[0].hash
    updated = await client.views_update(view_id=view_id, view=form("New", external_id="mine"), hash=first)
    assert updated["view"]["hash"] != first
    stale = await refusal(client.views_update(view_id=view_id, view=form("Newer"), hash=first))
    assert stale["error"] == "hash_conflict"
    assert (await client.views_update(external_id="mine", view=form("By name", external_id="mine")))["ok"]
    for where, error in [
        ({}, "invalid_arguments"),
        ({"view_id": view_id, "external_id": "mine"}, "invalid_arguments"),
        ({"view_id": "V0NOWHERE"}, "not_found"),
        ({"external_id": "other"}, "not_found"),
    ]:
        refused = await refusal(client.api_call("views.update", json={**where, "view": form()}))
        assert refused["error"] == error


async def test_an_external_id_belongs_to_one_view(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    outcomes: list[str] = []

    @on(app, "command", "/vb")
    async def _(ack: AsyncAck, body: Fields, client: Any) -> None:
        await ack()
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=form(external_id="one"))
            outcomes.append("opened")
        except SlackApiError as error:
            outcomes.append(str(error))

    await connect(app)
    for number, person in enumerate(("ana", "ben"), start=1):
        await simulator.type_command(person, "#releases", "/vb")
        await simulator.wait_for(lambda expected=number: len(outcomes) == expected)
    assert outcomes[0] == "opened"
    assert "duplicate_external_id" in outcomes[1]


async def test_closing_is_told_when_the_view_asked_for_it(
    simulator: Simulator, app: AsyncApp, connect: Connect
) -> None:
    opens_form(app, form(notify_on_close=True))
    bodies: list[Fields] = []

    @on(app, "view_closed", "form")
    async def _(ack: AsyncAck, body: Fields) -> None:
        await ack()
        bodies.append(body)

    await connect(app)
    await simulator.close_view("ben", await open_form(simulator))
    await simulator.close_view("ben", await open_form(simulator), everything=True)
    await simulator.wait_for(lambda: len(bodies) == 2)
    assert [body["is_cleared"] for body in bodies] == [False, True]
    assert bodies[0]["view"]["state"] == {"values": {}}
    assert simulator.views("ben") == []
    with pytest.raises(PersonError) as gone:
        await simulator.close_view("ben", bodies[0]["view"]["id"])
    assert gone.value.code == "view_not_found"


async def test_a_select_that_the_app_fills(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    opens_form(app, form())
    states: list[Fields] = []

    @on(app, "options", "pick")
    async def _(ack: AsyncAck, body: Fields) -> None:
        found = [name for name in ("production", "staging") if body["value"] in name]
        await ack(options=[{"text": text(name.title()), "value": name} for name in found])

    @on(app, "view", "form")
    async def _(ack: AsyncAck, body: Fields) -> None:
        states.append(body["view"]["state"]["values"]["env"]["pick"])
        await ack()

    await connect(app)
    view_id = await open_form(simulator)
    offered = await simulator.suggest("ben", view_id, "pick", "sta")
    assert [option["value"] for option in offered["options"]] == ["staging"]
    with pytest.raises(PersonError, match="not one of the options"):
        await simulator.submit_view("ben", view_id, {"env": {"pick": "production"}})
    await simulator.submit_view("ben", view_id, {"env": {"pick": "staging"}})
    assert states == [{"type": "external_select", "selected_option": {"text": text("Staging"), "value": "staging"}}]


async def test_the_home_tab(simulator: Simulator, app: AsyncApp, connect: Connect, client: Any) -> None:
    events: list[Fields] = []
    home = {"type": "home", "blocks": [{"type": "header", "text": text("Your runs")}]}

    @on(app, "event", "app_home_opened")
    async def _(event: Fields, client: Any) -> None:
        events.append(event)
        await client.views_publish(user_id=event["user"], view=home)

    await connect(app)
    simulator.open_home("ben")
    await simulator.wait_for(lambda: simulator.home("ben"))
    simulator.open_home("ben")
    await simulator.wait_for(lambda: len(events) == 2)
    assert ("view" in events[0], "view" in events[1]) == (False, True)
    stale = await refusal(client.views_publish(user_id=BEN, view=home, hash="1.x"))
    assert stale["error"] == "hash_conflict"
    simulator.workspace.app.home_tab = False
    assert (await refusal(client.views_publish(user_id=BEN, view=home)))["error"] == "not_enabled"


async def test_a_chosen_channel_can_bring_a_response_url(simulator: Simulator, app: AsyncApp, connect: Connect) -> None:
    where = {"type": "conversations_select", "action_id": "where", "response_url_enabled": True}
    opens_form(app, form(blocks=[field("channel", where)]))
    urls: list[Fields] = []

    @on(app, "view", "form")
    async def _(ack: AsyncAck, body: Fields) -> None:
        await ack()
        given = body["response_urls"]
        await AsyncWebhookClient(given[0]["response_url"]).send(text="started", response_type="in_channel")
        urls.extend(given)

    await connect(app)
    await simulator.submit_view("ben", await open_form(simulator), {"channel": {"where": "C0OPSXXXXX"}})
    await simulator.wait_for(lambda: urls)
    assert len(simulator.channel_messages("#ops")) == 1
    assert [(url["block_id"], url["action_id"], url["channel_id"]) for url in urls] == [
        ("channel", "where", "C0OPSXXXXX")
    ]


async def test_closing_does_not_depend_on_the_app(simulator: Simulator, app: AsyncApp) -> None:
    opens_form(app, form(notify_on_close=True))
    async with connected(simulator, app):
        view_id = await open_form(simulator)
    simulator.use_http("http://127.0.0.1:1/slack/events")  # nobody listens there
    await simulator.close_view("ben", view_id)
    assert simulator.views("ben") == []
    assert not simulator.deliveries("interactive")[-1].acknowledged
