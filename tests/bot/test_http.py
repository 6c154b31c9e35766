"""Signed HTTP: what is refused, what is answered, and payloads that no client would send."""

from __future__ import annotations

import json
import logging
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bot.simulator.demo import ANA, FINN
from bot.simulator.errors import PersonError
from bot.simulator.http_delivery import signature
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup
from tests.bot.front import HTTP, Front, serving


async def post(front: Front, fields: dict[str, str], *, secret: str = "", age_s: int = 0) -> tuple[int, str]:
    """Send a form as Slack would, or as somebody who has another secret or replays an old request."""
    body = urlencode(fields).encode()
    timestamp = int(time.time()) - age_s
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": signature(secret or front.simulator.signing_secret, timestamp, body),
    }
    async with (
        aiohttp.ClientSession() as session,
        session.post(front.service.request_url, data=body, headers=headers) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {"X-Slack-Request-Timestamp": "yesterday"}),
        (b"{}", {"X-Slack-Request-Timestamp": "9" * 5_000}),
        (b"\xff\xfe", {}),
        (b"{}", {"Content-Type": "application/json; charset=none"}),
    ],
    ids=["no time", "no time of ours", "no text", "no charset"],
)
async def test_what_slack_would_never_send_is_refused(
    setup: Setup, simulator: Simulator, caplog: pytest.LogCaptureFixture, body: bytes, headers: dict[str, str]
) -> None:
    sent = {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=0", **headers}
    async with (
        serving(setup, simulator, transport=HTTP) as front,
        aiohttp.ClientSession() as session,
        session.post(front.service.request_url, data=body, headers=sent) as answer,
    ):
        assert answer.status == 401
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def a_click(front: Front) -> dict[str, Any]:
    """The payload of a click on Approve by somebody who may not, so that it changed nothing."""
    await front.click("ben")
    await front.told("ben", 1)
    return json.loads(json.dumps(front.simulator.deliveries("interactive")[-1].payload))


async def test_the_request_url_can_be_verified(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        assert await simulator.use_http(front.service.request_url).verify_url("token")


@pytest.mark.parametrize("shift_s", [-600, 600])
async def test_an_old_or_future_timestamp_is_refused(setup: Setup, simulator: Simulator, shift_s: int) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        simulator.use_http(front.service.request_url).time_shift_s = shift_s
        with pytest.raises(PersonError):
            await simulator.type_command("ben", "#releases", "/vb run simple")
        assert await front.runs() == []


async def test_a_bad_signature_is_refused_and_the_operator_is_told_once(
    setup: Setup, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        await front.release()
        payload = await a_click(front)
        payload["user"]["id"] = ANA
        with caplog.at_level(logging.WARNING, "bot.receiving.transport"):
            for _ in range(3):
                status, _ = await post(front, {"payload": json.dumps(payload)}, secret="wrong")
                assert status == 401
        said = [record.getMessage() for record in caplog.records if record.name == "bot.receiving.transport"]
        assert len(said) == 1
        assert "check SLACK_SIGNING_SECRET" in said[0]
        (run,) = await front.runs()
        assert (await front.gate(run)).decision is None
        assert (await post(front, {"payload": json.dumps(payload)}))[0] == 200  # the same, rightly signed, decides
        assert (await front.gate(run)).decision is not None


async def test_a_replayed_click_is_refused_after_five_minutes(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        payload["user"]["id"] = ANA
        assert (await post(front, {"payload": json.dumps(payload)}, age_s=301))[0] == 401
        assert (await front.gate(run)).decision is None


async def test_an_unsigned_request_is_refused(setup: Setup, simulator: Simulator) -> None:
    async with (
        serving(setup, simulator, transport=HTTP) as front,
        aiohttp.ClientSession() as session,
        session.post(front.service.request_url, data={"command": "/vb", "text": "run simple"}) as answer,
    ):
        assert answer.status == 401
        assert await front.runs() == []


async def test_a_payload_of_another_workspace_changes_nothing(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        payload["user"]["id"] = ANA
        payload["team"]["id"] = payload["user"]["team_id"] = "T0ELSEWHERE"
        before = len(front.whispers("ben"))
        status, _ = await post(front, {"payload": json.dumps(payload)})
        assert status == 200
        assert (await front.gate(run)).decision is None
        assert await front.told("ben", before + 1) == "This bot serves another workspace. Nothing was changed."


@pytest.mark.parametrize(("user", "told"), [(FINN, "deactivated"), ("U0STRANGER", "does not know you")])
async def test_the_deactivated_and_the_unknown_decide_nothing(
    setup: Setup, simulator: Simulator, user: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    simulator.workspace.groups["S0RELEASES"].users.append(user)
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        payload["user"]["id"] = user
        assert (await post(front, {"payload": json.dumps(payload)}))[0] == 200
        assert told in await front.told("ben", 2)  # the answer went to the response URL, which is Ben's
        assert (await front.gate(run)).decision is None


@pytest.mark.parametrize("value", ["", "run_x", "a:b:c", "run_x:1:", "run_x:1:publish", "run_:x:y"])
async def test_a_button_value_that_is_none_of_ours_changes_nothing(
    setup: Setup, simulator: Simulator, value: str
) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        payload["actions"][0]["value"] = value
        payload["user"]["id"] = ANA
        assert (await post(front, {"payload": json.dumps(payload)}))[0] == 200
        assert await front.told("ana", 1)
        assert (await front.gate(run)).decision is None


async def test_a_button_and_a_form_of_another_release_are_answered(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        payload["actions"][0]["action_id"] = "gate_of_another_release"
        payload["user"]["id"] = ANA
        assert (await post(front, {"payload": json.dumps(payload)}))[0] == 200
        assert (await front.told("ana", 1)).startswith("I do not know this button: it is of another release of me.")
        assert (await front.gate(run)).decision is None
        await front.type("ben", "run release")
        await front.fill("ben", version="1")
        payload = simulator.deliveries("interactive")[-1].payload
        payload["view"]["callback_id"] = "form_of_another_release"
        status, answer = await post(front, {"payload": json.dumps(payload)})
        assert (status, json.loads(answer)["response_action"]) == (200, "errors")
        ((field, told),) = json.loads(answer)["errors"].items()
        assert (field, told.partition(":")[0]) == ("input_version", "I do not know this form")
        assert await front.runs() == [run]


async def test_a_question_asked_before_is_not_decided_by_its_old_button(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, transport=HTTP) as front:
        run = await front.release()
        payload = await a_click(front)
        asked = (await front.gate(run)).asked_seq
        payload["actions"][0]["value"] = f"{run}:{asked - 1}:publish"
        payload["user"]["id"] = ANA
        await post(front, {"payload": json.dumps(payload)})
        assert (await front.told("ana", 1)).startswith("It was changed since you saw it. Nothing was recorded.")
        assert (await front.gate(run)).decision is None
