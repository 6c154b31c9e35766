"""Forms that people fill in and send: mistakes stay at their fields, and one form starts one run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.simulator.demo import ANA, BEN, CHEN
from bot.simulator.model import Channel
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup, gate, workflow
from tests.bot.front import HTTP, RELEASE, SOCKET, locked, serving
from tests.patience import PATIENT


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_mistakes_are_said_at_their_fields_and_a_corrected_form_starts_the_run(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        await front.type("ben", "run release")
        sent = await front.fill("ben", version="1.2", count="99", note="kept\nas it is")
        assert sent.result == "errors"
        assert sent.errors == {
            "input_version": "version must look like v1.4.2; you gave 1.2",
            "input_count": "count must be at most 9; you gave 99",
        }
        assert await front.runs() == []
        again = await front.fill("ben", version="v1.2.3", count="9", dry="true", ring="all", note="kept\nas it is")
        assert again.result == "closed"
        (run,) = await front.runs()
        given = (await front.engine.state(run)).started.input
    assert given == {"version": "v1.2.3", "count": 9, "dry": True, "ring": "all", "note": "kept\nas it is"}
    assert simulator.views("ben") == []


async def test_a_form_that_is_delivered_twice_starts_one_run(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", "run release")
        await front.form("ben")
        simulator.duplicate_next("interactive")
        assert (await front.fill("ben", version="v1.2.3")).result == "closed"
        assert simulator.deliveries("interactive")[-1].attempts == 2
        assert len(await front.runs()) == 1


async def test_a_workflow_that_changed_while_the_form_was_open_gets_a_form_that_fits(
    setup: Setup, simulator: Simulator
) -> None:
    changed = RELEASE.model_copy(update={"input": {**RELEASE.input, "why": RELEASE.input["note"].model_copy()}})
    changed = workflow(
        *changed.model_dump(mode="json", by_alias=True, exclude_none=True)["steps"],
        name="release",
        input={"version": {"type": "string"}, "why": {"type": "string", "description": "The reason."}},
    )
    async with serving(setup, simulator) as first:
        await first.type("ben", "run release")
        form = await first.form("ben")
    async with serving(setup, simulator, [changed]) as front:
        sent = await front.fill("ben", version="v9", count="3")
        assert sent.result == "updated"
        blocks = (await front.form("ben")).blocks
        assert [block["block_id"] for block in blocks if block["type"] == "input"] == ["input_version", "input_why"]
        assert "release has no input count" in blocks[0]["text"]["text"]
        assert form.id == (await front.form("ben")).id
        assert (await front.fill("ben", version="v9", why="because")).result == "closed"
        assert len(await front.runs()) == 1


async def test_a_workflow_that_is_gone_is_said_in_the_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as first:
        await first.type("ben", "run release")
        await first.form("ben")
    async with serving(setup, simulator, [workflow(gate(), name="releases")]) as front:
        assert (await front.fill("ben", version="v1.2.3")).result == "updated"
        told = (await front.form("ben")).blocks[0]["text"]["text"]
        assert told == "There is no workflow named release; did you mean releases?"


async def test_whoever_may_start_it_no_longer_cannot_send_the_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", "run release")
        await front.form("ben")
        await front.type("dana", "roles revoke runner everyone")
        assert (await front.fill("ben", version="v1.2.3")).result == "updated"
        told = (await front.form("ben")).blocks[0]["text"]["text"]
        assert told.startswith("To start runs takes the role runner")
        assert await front.runs() == []


async def test_people_and_channels_are_chosen_from_lists_and_reach_the_run_by_name(
    setup: Setup, simulator: Simulator
) -> None:
    named = {
        "reviewer": {"type": "user", "default": "@ana"},
        "tell": {"type": "channel"},
        "day": {"type": "date"},
        "at": {"type": "time", "required": False},
    }
    review = workflow({"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name="review", input=named)
    async with serving(setup, simulator, [review]) as front:
        await front.type("ben", "run review day=2030-01-31")
        blocks = {block["block_id"]: block for block in (await front.form("ben")).blocks if block["type"] == "input"}
        assert blocks["input_reviewer"]["element"]["initial_user"] == ANA
        assert blocks["input_day"]["element"]["initial_date"] == "2030-01-31"
        unseen = simulator.workspace.add_channel(Channel("C0SECRETXX", "secret", [BEN], is_private=True))
        again = await front.fill("ben", tell=unseen.id)
        assert again.errors == {
            "input_tell": "tell: this bot does not see that channel; if it is private, invite the bot there"
        }
        assert (await front.fill("ben", reviewer=CHEN, tell="C0OPSXXXXX", at="17:30")).result == "closed"
        (run,) = await front.runs()
        given = (await front.engine.state(run)).started.input
        assert given == {"reviewer": "@chen", "tell": "#ops", "day": "2030-01-31", "at": "17:30"}
        assert await front.type("ben", "run review reviewer=@dana tell=ops day=2030-02-01") == ""
        given = (await front.engine.state((await front.runs())[0])).started.input
        assert (given["reviewer"], given["tell"]) == ("@dana", "#ops")
        assert await front.type("ben", "run review reviewer=@oncall tell=#ops day=2030-02-01") == ""
        told = (await front.form("ben")).blocks[0]["text"]["text"]
        assert told == "✗ reviewer: there is no person @oncall in this workspace."


async def test_an_unknown_approver_is_said_in_the_form(setup: Setup, simulator: Simulator) -> None:
    asking = workflow(gate(approvers=["@nobody"]), name="asking", input={"x": {}})
    async with serving(setup, simulator, [asking]) as front:
        await front.type("ben", "run asking")
        assert (await front.fill("ben", x="1")).result == "updated"
        assert "it asks @nobody to decide" in (await front.form("ben")).blocks[0]["text"]["text"]
        assert await front.runs() == []


async def test_a_denial_that_cannot_be_recorded_keeps_its_reason_in_the_form(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("ana", "gate_deny")
        form = await front.form("ana")
    async with serving(setup, simulator, bounds=replace(PATIENT, recorded=0.5)) as front:
        with locked(setup):
            sent = await simulator.submit_view("ana", form.id, {"reason": {"value": "no"}})
            assert sent.result == "errors"
            assert sent.errors["reason"].startswith("The database did not answer in time")
    async with serving(setup, simulator) as front:
        await simulator.submit_view("ana", form.id, {"reason": {"value": "no"}})
        made = (await front.decided(run)).decision
        assert made is not None
        assert made.reason == "no"


async def test_closing_the_form_is_no_decision(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
        await front.click("ana", "gate_deny")
        await simulator.close_view("ana", (await front.form("ana")).id)
        assert (await front.gate(run)).decision is None
        await front.click("ana")
        assert (await front.gate(run)).decision is not None
