"""What people do to runs by ``/vb``: held, stopped, tried again and forked, by those who may."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from bot.simulator.calls import Fault
from bot.simulator.demo import DANA
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from engine.core.events import Actor
from engine.core.state import RunState, RunStatus, StepStatus
from engine.engine import Engine
from tests.bot.conftest import Setup, World, gate, until, workflow
from tests.bot.front import HOLD, SIMPLE, Front, locked, serving
from tests.engine.conftest import ended
from tests.engine.flows import step_is
from tests.engine.test_budgets import asking, asks
from tests.patience import PATIENT

BY_DANA = Actor(via="slack", id=DANA, name="Dana Levy")
FLAKY = workflow(
    {"id": "build", "uses": "t.echo", "with": {"text": "built"}},
    {"id": "push", "uses": "t.flaky", "with": {"name": "push"}},
    name="flaky",
)


async def has_status(engine: Engine, run: str, status: RunStatus) -> RunState:
    async def reached() -> bool:
        return (await engine.state(run)).status is status

    await until(reached)
    return await engine.state(run)


async def started(front: Front, who: str, name: str) -> str:
    assert await front.type(who, f"run {name}") == ""
    return (await front.runs())[0]


async def test_a_run_is_held_and_let_go_on_with_the_reason(setup: Setup, simulator: Simulator) -> None:
    waiting = workflow(gate(approvers=["@ana"]), {"id": "after", "uses": "t.echo", "with": {"text": "x"}}, name="wait")
    async with serving(setup, simulator, [waiting]) as front:
        run = await started(front, "ben", "wait")
        await has_status(front.engine, run, RunStatus.WAITING)
        told = await front.type("ben", f"pause {run[4:14]} lunch & more")
        assert told == f"Paused wait (`{run[:14]}`): nothing new starts. `/vb resume {run[:14]}` goes on."
        paused = (await front.engine.state(run)).paused
        assert paused is not None
        assert (paused.by.name, paused.reason) == ("Ben Okafor", "lunch & more")
        assert "was so already (‖ Paused)" in await front.type("ben", f"pause {run[:14]}")
        assert await front.type("dana", f"resume {run[:14]}") == f"Resumed wait (`{run[:14]}`)."
        assert (await front.engine.state(run)).paused is None
        await front.type("dana", f"pause {run[:14]} an incident")
        refused = await front.type("ben", f"resume {run[:14]}")
        assert refused.startswith("To resume a run that somebody else has started or paused takes the role operator")
        assert (await front.engine.state(run)).paused is not None


async def test_of_two_who_ask_for_the_same_at_once_one_is_told_that_it_is_so(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [HOLD]) as front:
        run = await started(front, "ben", "hold")
        await asyncio.gather(*(front.type(who, f"pause {run[:14]}") for who in ("ben", "dana")))
        told = sorted(front.whispers("ben")[-1:] + front.whispers("dana")[-1:])
        assert [text.startswith("Paused hold") for text in told] == [True, False]
        assert "was so already (‖ Paused)" in told[1]


async def test_a_run_that_is_not_named_is_chosen_in_a_form(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD, SIMPLE]) as front:
        assert "Which run? Write the start of its id after `cancel`" in await front.type("ben", "cancel")
        run = await started(front, "ben", "hold")
        await started(front, "ben", "simple")
        assert "Which run? Write the start of its id after `retry`" in await front.type("dana", "retry")
        assert await front.type("chen", "cancel") == ""
        form = await front.form("chen")
        offered = await simulator.suggest("chen", form.id, "choose_run", "hold")
        assert [option["value"] for option in offered["options"]] == [run]
        sent = {"run": {"choose_run": run}, "why": {"value": "not today"}}
        assert (await simulator.submit_view("chen", form.id, sent)).result == "updated"
        told = (await front.form("chen")).blocks[0]["text"]["text"]
        assert told.startswith("To cancel a run of somebody else takes the role operator")
        assert await front.type("ben", "cancel") == ""
        form = await front.form("ben")
        await simulator.suggest("ben", form.id, "choose_run", "")
        assert (await simulator.submit_view("ben", form.id, sent)).result == "updated"
        cancel = (await front.ended(run)).cancel
        assert cancel is not None
        assert (cancel.by.name, cancel.reason) == ("Ben Okafor", "not today")
        assert await front.type("eve", "status") == ""
        of_a_guest = await simulator.suggest("eve", (await front.form("eve")).id, "choose_run", "")
        assert of_a_guest["options"] == []


async def test_what_failed_is_tried_again_by_those_who_may(setup: Setup, simulator: Simulator, world: World) -> None:
    world.failures["push"] = 3
    async with serving(setup, simulator, [FLAKY]) as front:
        run = await started(front, "ben", "flaky")
        await has_status(front.engine, run, RunStatus.FAILED)
        refused = await front.type("ben", f"retry {run[:14]} push")
        assert refused.startswith("To do steps anew takes the role operator, which @dana has")
        assert "From which step? There is: build, push. Write:" in await front.type("dana", f"retry {run[:14]}")
        wrong = await front.type("dana", f"retry {run[:14]} puhs")
        assert wrong.endswith("was left as it is: puhs is no step of the workflow itself; there are: build, push.")
        assert "goes on from *build*" in await front.type("dana", f"retry {run[:14]} --from build it was stale")
        await has_status(front.engine, run, RunStatus.FAILED)
        told = await front.type("ben", f"redrive {run[:14]} build again")
        assert told.startswith(f"flaky (`{run[:14]}`) goes on: what had failed is tried again")
        await has_status(front.engine, run, RunStatus.FAILED)
        await front.type("ben", f"redrive {run[:14]} push the registry is back")
        await has_status(front.engine, run, RunStatus.COMPLETED)
        reasons = {getattr(one.event, "reason", "") for one in await front.engine.history(run)}
        # Of the words after a redriven run, the first are steps only where they are steps that have failed for good.
        assert {"it was stale", "build again", "the registry is back"} <= reasons


async def test_whether_steps_are_done_anew_is_not_certain_where_the_database_does_not_answer(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator) as front:
        run = await front.release()
    async with serving(setup, simulator, bounds=replace(PATIENT, recorded=0.5)) as front:
        with locked(setup):
            told = await front.type("dana", f"retry {run[:14]} notes")
        assert "so it is not certain that the step was begun anew. Look with `/vb status RUN` before" in told


async def test_a_fork_takes_over_what_was_done_and_is_told_where_it_was_asked_for(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [FLAKY]) as front:
        run = await started(front, "ben", "flaky")
        await has_status(front.engine, run, RunStatus.COMPLETED)
        assert "takes the role operator" in await front.type("ben", f"fork {run[:14]} push")
        told = await front.type("dana", f"fork {run[:14]} --from push")
        fork = (await front.runs())[0]
        assert told == (
            f"Started flaky (`{fork[:14]}`), which takes over what flaky (`{run[:14]}`) had done before *push*."
        )
        state = await has_status(front.engine, fork, RunStatus.COMPLETED)
        assert state.started.origin == {"team": "T0ACMEDEMO", "channel": "C0RELEASES", "user": DANA}
        assert state.started.forked_from is not None


async def test_others_need_a_role_for_it_which_an_admin_gives(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD, SIMPLE]) as front:
        run = await started(front, "ben", "hold")
        assert "takes the role operator, which @dana has" in await front.type("chen", f"pause {run[:14]}")
        assert "takes the role admin, which @dana has" in await front.type("chen", "roles grant operator @chen")
        told = await front.type("dana", "roles grant operator @oncall for hold since they are up")
        assert told == "@oncall is now *operator* for hold."
        assert "was *operator* for hold already" in await front.type("dana", "roles grant operator @oncall for hold")
        (grant,) = [one for one in await front.engine.workspace.grants() if one.by is not None]
        assert (grant.to, grant.name, grant.workflow) == ("@S0ONCALLXX", "@oncall", "hold")
        assert grant.reason == "since they are up"
        assert (await front.type("chen", f"pause {run[:14]}")).startswith("Paused hold")
        other = await started(front, "ben", "simple")
        assert "takes the role operator" in await front.type("chen", f"fork {other[:14]} one")
        told = await front.type("chen", "roles")
        assert "*operator*: @oncall for hold (by Dana Levy" in told
        assert "*admin*: @dana (from the settings)" in told
        assert "You: operator for hold as @oncall, viewer as every full member" in told
        assert "no longer *operator*" in await front.type("dana", "roles revoke operator @oncall for hold")
        assert "takes the role operator" in await front.type("chen", f"resume {run[:14]}")


async def test_a_name_in_the_settings_that_is_nobodys_is_told(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [HOLD], admins=("@dana", "@danna")) as front:
        told = await front.type("dana", "roles")
        assert "*admin*: @dana (from the settings), @danna (from the settings; nobody here is called that" in told


async def test_a_change_of_roles_that_cannot_be_is_told_and_not_recorded(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        for typed, said in {
            "roles grant": "Whom is it about, and which role is it? Write:",
            "roles gran operator @ana": "There is no roles gran; did you mean grant? Write:",
            "roles grant boss @ana": "There is no role boss; there is: viewer, runner, approver, operator, admin.",
            "roles grant operator ana": "ana is nobody: write a person or group with @, a channel with #.",
            "roles grant operator @nobody": "There is no @nobody here who could have a role",
            "roles grant operator @eve": "There is no @eve here who could have a role",
            "roles grant operator @ana for smple": "did you mean simple?",
            "roles revoke operator @ana": "@ana was not given *operator*; nothing was changed.",
        }.items():
            assert said in await front.type("dana", typed), typed
        assert all(one.by is None for one in await front.engine.workspace.grants())


async def test_who_starts_is_said_by_the_definition_else_by_the_role(setup: Setup, simulator: Simulator) -> None:
    only = workflow(
        {"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name="only", who_can_run=["@release-managers"]
    )
    async with serving(setup, simulator, [only, SIMPLE]) as front:
        refused = "Only @release-managers can start only, as its definition says. Nothing was started."
        assert await front.type("ben", "run only") == refused
        assert "`/vb run only`\nOnly @release-managers can start it." in await front.type("ben", "list")
        run = await started(front, "ana", "only")
        await has_status(front.engine, run, RunStatus.COMPLETED)
        await front.type("dana", "roles grant operator @chen")
        assert await front.type("chen", f"fork {run[:14]} a") == refused
        await front.type("dana", "roles revoke runner everyone")
        assert (await front.type("ben", "run simple")).startswith("To start runs takes the role runner, which @dana")
        assert await front.runs() == [run]
        assert "only" in await front.type("ben", "runs")
        assert (await front.type("ben", "run")).startswith("To start runs takes the role runner, which @dana")
        await front.type("dana", "roles grant runner @ben for simple")
        assert await front.type("ben", "run") == ""
        offered = await simulator.suggest("ben", (await front.form("ben")).id, "choose_workflow", "")
        assert [option["value"] for option in offered["options"]] == ["simple"]
        await front.type("dana", "roles revoke viewer everyone")
        await front.type("dana", "roles revoke runner @ben for simple")
        for typed in ("runs", "list", f"status {run[:14]}", "schedule"):
            assert "takes the role viewer" in await front.type("ben", typed)


async def test_schedules_are_listed_held_and_let_go_on(setup: Setup, simulator: Simulator) -> None:
    clock = [{"cron": "0 9 * * *", "timezone": "Europe/Madrid"}, {"cron": "0 9 1 * *"}]
    nightly = workflow({"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name="nightly", schedule=clock)
    async with serving(setup, simulator, [SIMPLE]) as front:
        assert "Nothing starts by the clock" in await front.type("ben", "schedule")
        may = frozenset({"deploy", "deploy.gates"})
        await front.engine.deploy([nightly], by=BY_DANA, may=may)
        assert "*nightly* 0: `0 9 * * *` (Europe/Madrid) next <!date" in await front.type("ben", "schedule")
        assert "takes the role operator" in await front.type("ben", "schedule pause nightly")
        assert "Paused 2 schedules of nightly" in await front.type("dana", "schedule pause nightly the fair")
        assert "‖ paused by Dana Levy: the fair" in await front.type("ben", "schedule")
        assert "was paused already" in await front.type("dana", "schedule pause nightly 1")
        assert "Resumed 1 schedule of nightly" in await front.type("dana", "schedule resume nightly 1")
        assert "did you mean pause" in await front.type("dana", "schedule puase nightly")
        assert "has no schedule 7" in await front.type("dana", "schedule resume nightly 7")


async def test_each_word_has_help_of_its_own(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [SIMPLE]) as front:
        told = await front.type("ben", "help redrive")
        assert "For example:\n`/vb redrive 01ks8q the registry is back`" in told
        assert "It takes the role *operator*." in told
        assert await front.type("eve", "redrive help") == told
        assert "There is no word `redrve`; did you mean redrive?" in await front.type("ben", "help redrve")


def _last(front: Front) -> Message:
    """The newest message that only Ben sees."""
    return [one for one in front.simulator.channel_messages("#releases", seen_by="ben") if one.ephemeral][-1]


async def test_budgets_are_shown_and_set_and_what_they_held_goes_on(setup: Setup, simulator: Simulator) -> None:
    setup.world.more = (asking([]),)
    async with serving(setup, simulator, [asks(budget={"limit": "0.10 USD"})]) as front:
        await front.type("ben", "budget")
        assert "workspace per day: $0.00 spent, no limit" in await front.told("ben", 1)
        assert "takes the role operator" in await front.type("ben", "budget set workspace 10 USD per day")
        told = await front.type("dana", "budget set workspace $10 per day a big day")
        assert "workspace per day may spend $10.00 from now on" in told
        assert "not per week" in await front.type("dana", "budget set workspace $10 per week")
        assert "no amount of money" in await front.type("dana", "budget set workspace 10 per day")
        run = (await front.engine.start("wf", {"worst": 50, "cost": 40}, by=BY_DANA)).run
        await step_is(front.engine, run, "ask", StepStatus.HELD)
        await front.type("dana", f"budget set run:{run} $2 it is worth it")
        assert (await ended(front.engine, run)).status is RunStatus.COMPLETED
        said = "workspace per day: $0.40 of $10.00 spent (4 %)"
        count = len(front.whispers("ben"))
        await front.type("ben", "budget")
        assert said in await front.told("ben", count + 1)
        (head, *rows), *_ = (block["rows"] for block in _last(front).blocks if block["type"] == "table")
        assert [cell["text"] for cell in head[:2]] == ["Budget", "Spent"]
        found = {row[0]["text"]: row[1]["text"] for row in rows}
        assert found["workspace per day"] == "$0.40 of $10.00 spent (4 %)"

        simulator.fail_next("chat.postEphemeral", Fault(error="invalid_blocks"))
        for again in (2, 3):
            await front.type("ben", "budget")
            assert said in await front.told("ben", count + again)
            assert {block["type"] for block in _last(front).blocks} == {"section"}, "as it has refused a table"
