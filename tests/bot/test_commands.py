"""``/vb …`` as people type it, over Socket Mode: what starts, what they alone are told, and what opens."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bot.blocks import replies
from bot.simulator.calls import Fault
from bot.simulator.demo import BEN
from bot.simulator.simulator import Simulator
from engine.core.state import RunStatus
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import HOLD, HTTP, RELEASE, SIMPLE, SOCKET, serving


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_a_run_starts_with_its_inputs_its_starter_and_its_place(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        assert await front.type("ben", 'run release version=v1.2.3 count=2 dry=yes note="two words"') == ""
        (run,) = await front.runs()
        started = (await front.engine.state(run)).started
    assert started.input == {"version": "v1.2.3", "count": 2, "dry": True, "ring": "canary", "note": "two words"}
    assert (started.by.via, started.by.id, started.by.name) == ("slack", BEN, "Ben Okafor")
    assert started.origin == {"team": "T0ACMEDEMO", "channel": "C0RELEASES", "user": BEN}


@pytest.mark.parametrize("transport", [SOCKET, HTTP])
async def test_a_command_that_is_delivered_twice_starts_one_run(
    setup: Setup, simulator: Simulator, transport: str
) -> None:
    async with serving(setup, simulator, transport=transport) as front:
        simulator.duplicate_next("slash_commands")
        await front.type("ben", "run simple")
        assert simulator.deliveries("slash_commands")[0].attempts == 2
        (run,) = await front.runs()
        await front.ended(run)
        assert await front.runs() == [run]
        await front.type("ben", "run simple")
        assert len(await front.runs()) == 2


async def test_a_command_that_is_delivered_twice_opens_one_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        simulator.duplicate_next("slash_commands")
        await front.type("ben", "run release")
        assert simulator.deliveries("slash_commands")[0].attempts == 2
        await front.form("ben")
        await front.type("ben", "runs")
        assert len(front.whispers("ben")) == 1  # of the second delivery nothing was said
        assert len(simulator.calls("views.open")) == len(simulator.views("ben")) == 1


async def test_mentions_and_escapes_in_inputs_are_what_was_typed(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", 'run release version=v1.2.3 note="@ana & @oncall in #ops: a<b"')
        (run,) = await front.runs()
        assert (await front.engine.state(run)).started.input["note"] == "@ana & @oncall in #ops: a<b"


async def test_missing_and_wrong_inputs_open_a_form_with_what_was_given(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", "run release version=1.2 count=7 ring=all colour=red")
        form = await front.form("ben")
        assert await front.runs() == []
        blocks = {block["block_id"]: block for block in form.blocks if block["type"] == "input"}
        assert list(blocks) == ["input_version", "input_count", "input_dry", "input_ring", "input_note"]
        assert blocks["input_version"]["hint"]["text"] == "What to publish"
        assert blocks["input_version"]["element"]["initial_value"] == "1.2"
        assert blocks["input_count"]["element"]["initial_value"] == "7"
        assert blocks["input_ring"]["element"]["initial_option"]["value"] == "all"
        assert form.blocks[0]["text"]["text"].splitlines() == [
            "✗ release has no input colour; there is: version, count, dry, ring, note.",
            "✗ version must look like v1.4.2; you gave 1.2.",
        ]


async def test_run_alone_opens_a_picker_that_leads_to_the_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", "run")
        picker = await front.form("ben")
        offered = await simulator.suggest("ben", picker.id, "choose_workflow", "l")
        assert [option["value"] for option in offered["options"]] == ["hold", "release", "simple"]
        assert await simulator.suggest("ben", picker.id, "choose_workflow", "xyz") == {
            "options": [],
            "option_groups": [],
        }
        picked = await simulator.submit_view("ben", picker.id, {"workflow": {"choose_workflow": "release"}})
        assert picked.result == "updated"
        assert (await front.fill("ben", version="v1.2.3")).result == "closed"
        (run,) = await front.runs()
        assert (await front.engine.state(run)).started.origin["channel"] == "C0RELEASES"


async def test_an_unknown_workflow_and_an_unknown_word_get_the_nearest(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        assert "did you mean release?" in await front.type("ben", "run relase")
        assert await front.type("ben", "stauts") == "There is no `/vb stauts`; did you mean `/vb status`?"
        assert await front.type("ben", "relaese") == "There is no `/vb relaese`; did you mean `/vb run release`?"
        assert "There is: `run`, `list`" in await front.type("ben", "xyzzy")
        assert await front.runs() == []


async def test_help_says_all_words_also_when_nothing_is_typed(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        told = await front.type("ben", "help")
        for word in ("run NAME key=value …", "list", "runs", "status RUN", "cancel RUN", "help"):
            assert f"`/vb {word}" in told
        assert await front.type("ben", "") == told


async def test_list_shows_workflows_with_a_command_that_works(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        told = await front.type("ben", "list")
        optional = 'count=1 dry=false ring=canary note="some text"'
        assert f"*release*: Publish a version.\n`/vb run release version=v1.4.2`\nOptional: `{optional}`" in told
        assert await front.type("ben", f"run release version=v1.4.2 {optional}") == ""


async def test_no_workflows_are_said_with_what_to_do(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, []) as front:
        assert "Put a definition into the workflows folder" in await front.type("ben", "list")
        assert "Put a definition into the workflows folder" in await front.type("ben", "run")


async def test_runs_lists_the_newest_first_and_by_workflow(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        assert "There are no runs yet. Start one with `/vb run`." in await front.type("ben", "runs")
        await front.type("ben", "run simple")
        await front.type("ana", "run hold")
        newest, oldest = await front.runs()
        told = await front.type("ben", "runs")
        assert told.index(newest[:14]) < told.index(oldest[:14])
        assert "Ana Ruiz" in told
        only = await front.type("ben", "runs simple")
        assert oldest[:14] in only
        assert newest[:14] not in only
        assert "did you mean simple?" in await front.type("ben", "runs simpel")


async def test_status_takes_any_unique_prefix(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE, HOLD]) as front:
        await front.type("ben", "run hold")
        (run,) = await front.runs()
        for ref in (run, run[:14], run.removeprefix("run_"), run.removeprefix("run_")[:12].upper()):
            told = await front.type("chen", f"status {ref}")
            assert told.startswith("hold: → Running")
        assert "There is no run run_zzz" in await front.type("ben", "status run_zzz")
        await front.type("ben", "run hold")
        assert "Several runs start with 01" in await front.type("ben", "status 01")


async def test_cancel_stops_the_run_by_name_and_with_the_reason(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        await front.type("ben", "run hold")
        (run,) = await front.runs()
        refused = await front.type("chen", f"cancel {run[:14]}")
        assert refused == (
            "To cancel a run of somebody else takes the role operator, which @dana has: ask there. Nothing was changed."
        )
        assert (await front.engine.state(run)).cancel is None
        told = await front.type("dana", f"cancel {run[:14]} wrong one & done")
        assert told == f"Stopping hold (`{run[:14]}`). Its card tells when it has ended."
        state = await front.ended(run)
        assert state.status is RunStatus.CANCELLED
        assert state.cancel is not None
        assert (state.cancel.by.name, state.cancel.reason) == ("Dana Levy", "wrong one & done")
        assert "has ended already (■ Cancelled)" in await front.type("ben", f"cancel {run[:14]}")


async def test_guests_start_and_stop_nothing(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        assert "Guests of this workspace cannot do this" in await front.type("eve", "run simple")
        assert "Guests of this workspace cannot do this" in await front.type("eve", "run")
        assert simulator.views("eve") == []
        assert await front.runs() == []
        await front.type("ben", "run hold")
        (run,) = await front.runs()
        assert "Guests of this workspace cannot do this" in await front.type("eve", f"cancel {run}")
        assert (await front.engine.state(run)).cancel is None


async def test_an_unknown_approver_group_is_said_before_anything_starts(setup: Setup, simulator: Simulator) -> None:
    asking = workflow(gate(approvers=["@nobody", "@ana"], escalate=[{"after": "1m", "to": "#nowhere"}]), name="asking")
    async with serving(setup, simulator, [asking]) as front:
        told = await front.type("ben", "run asking")
        assert told.startswith("asking was not started: it asks @nobody or #nowhere to decide")
        assert await front.runs() == []


async def test_it_starts_all_the_same_where_slack_does_not_say_who_is_who(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        simulator.fail_next("usergroups.list", Fault(error="internal_error"), 10)
        assert await front.type("ben", "run release version=v1.2.3") == ""
        assert len(await front.runs()) == 1


async def test_a_workflow_without_inputs_that_is_given_some_is_not_started(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        told = await front.type("ben", "run simple x=1 <!channel>")
        assert told.startswith("simple was not started: ")
        assert "<!" not in told
        assert "`/vb run simple`" in told
        assert await front.runs() == []


async def test_a_form_that_slack_does_not_open_is_said(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        simulator.fail_next("views.open", Fault(error="expired_trigger_id"))
        await front.type("ben", "run release")
        assert await front.told("ben", 1) == "Slack did not open the form in time. Please try once more."


async def test_trouble_of_the_bots_own_is_told_without_its_details(
    setup: Setup, simulator: Simulator, tmp_path: Path
) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        with contextlib.closing(sqlite3.connect(tmp_path / "vb.db")) as other:
            other.execute("ALTER TABLE runs RENAME TO gone")
            told = await front.type("ben", "runs")
            other.execute("ALTER TABLE gone RENAME TO runs")
        assert told == replies.UNEXPECTED
        assert "There are no runs yet" in await front.type("ben", "runs")


async def test_a_mention_is_answered_with_the_commands(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator) as front:
        simulator.post_message("ben", "#releases", "@vectorbea good morning")
        assert "`/vb run NAME key=value …`" in await front.told("ben", 1)
        assert all(delivery.attempts == 1 for delivery in simulator.deliveries("events_api"))


async def test_a_definition_is_pinned_while_it_waits(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE]) as front:
        run = await front.release()

        async def waiting() -> bool:
            return (await front.engine.state(run)).status is RunStatus.WAITING

        await until(waiting)
        assert (await front.type("ben", f"status {run}")).startswith("release · v1.2.3: … Waiting for a decision")
