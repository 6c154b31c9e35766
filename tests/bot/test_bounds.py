"""The bounds of the front door fit into each other, and all of them into Slack's; what never answers is given up."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.listener.async_listener import AsyncListener
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.app import Bolt
from bot.blocks import start_forms
from bot.blocks.approval import APPROVE
from bot.bounds import USUAL
from bot.listeners import register
from bot.listeners.departures import Departures
from bot.listeners.desk import Desk, NotInTime
from bot.people.directory import Unreadable
from bot.receiving.attending import Attending
from bot.simulator.courier import ACK_TIMEOUT_MS
from bot.simulator.simulator import Options
from bot.simulator.tickets import TRIGGER_LIFETIME_MS
from tests.patience import PATIENT

SLACK_WAITS = 3.0


def test_what_happens_before_an_acknowledgement_ends_within_slacks_bound() -> None:
    assert USUAL.answered < USUAL.asked < USUAL.recorded < USUAL.acknowledged == SLACK_WAITS
    assert USUAL.recorded - USUAL.asked >= 0.5, "what Slack leaves is enough for the database"
    assert SLACK_WAITS - USUAL.recorded >= 0.5, "what is left is enough for the way there and back"
    assert USUAL.permalink + USUAL.estimated < USUAL.asked, "what a form does without leaves room for what it needs"
    assert USUAL.recorded - USUAL.reached >= 0.5, "and so does what a kill switch would stop"
    assert USUAL.turn < SLACK_WAITS, "a call that comes to its turn can still use what it answers"


def test_the_simulated_slack_waits_as_slack_does_unless_it_is_told_otherwise() -> None:
    assert (ACK_TIMEOUT_MS, TRIGGER_LIFETIME_MS) == (SLACK_WAITS * 1000, SLACK_WAITS * 1000)
    assert (Options().ack_timeout_ms, Options().trigger_lifetime_ms) == (ACK_TIMEOUT_MS, TRIGGER_LIFETIME_MS)


async def test_a_database_and_a_slack_that_never_answer_are_given_up_each_by_its_bound() -> None:
    nothing: Any = None

    def desk(**bounds: float) -> Desk:
        return Desk(nothing, nothing, nothing, "T1", nothing, nothing, replace(PATIENT, **bounds))

    async with asyncio.timeout(30):
        with pytest.raises(NotInTime):
            await desk(recorded=0.01).in_time(asyncio.Event().wait())
        with pytest.raises(Unreadable, match="in time who is who"):
            await desk(asked=0.01).from_slack(asyncio.Event().wait())


TYPED = {"command": "/vb", "text": "help"}
CLICKED = {"type": "block_actions", "actions": [{"action_id": APPROVE, "block_id": "b", "type": "button"}]}
CLOSED = {"type": "view_submission", "view": {"type": "modal", "callback_id": start_forms.START}}
CHOSEN = {"type": "block_suggestion", "action_id": start_forms.CHOOSE_RUN, "block_id": "b", "value": ""}
MENTIONED = {"type": "event_callback", "event": {"type": "app_mention", "text": "x"}}


@pytest.mark.parametrize("payload", [TYPED, CLICKED, CLOSED, CHOSEN, MENTIONED])
async def test_every_listener_is_waited_for_as_long_as_the_bounds_say(
    payload: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bolt has no public way to say so: a newer one that does not take ours any more is seen here."""

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult(enterprise_id=None, team_id="T1", bot_token="xoxb-1")

    async def gone(_team: str) -> None: ...

    waited: list[float] = []

    async def run(*, listener: AsyncListener, **_: Any) -> BoltResponse:
        waited.append(listener.ack_timeout)
        return BoltResponse(status=200)

    app = Bolt(within_s=41.5, authorize=authorize, signing_secret="")
    register(app, Attending(), Departures(gone))
    monkeypatch.setattr(app.listener_runner, "run", run)
    await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body={**payload, "team_id": "T1"}))
    assert waited == [41.5]
