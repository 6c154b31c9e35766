"""``/vb approve``, ``deny`` and ``delegate``: the same decisions as by buttons, typed."""

from __future__ import annotations

from bot.simulator.demo import CHEN
from bot.simulator.simulator import Simulator
from engine.core.gates import Verdict
from engine.core.state import RunStatus
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import RELEASE, SIMPLE, Front, serving

TWO = workflow(
    gate("first", title="First?"),
    {**gate("second", title="Second?"), "needs": []},
    name="two",
)

EDITABLE = workflow(
    {"id": "notes", "uses": "t.echo", "with": {"text": "${{ changes.comment }}"}},
    gate(
        edit={"percent": {"type": "integer", "min": 1, "max": 100, "value": 50}},
        request_changes="notes",
        remind_every="1h",
    ),
    name="editable",
)


async def waiting(front: Front, run: str) -> None:
    async def is_waiting() -> bool:
        return (await front.engine.state(run)).status is RunStatus.WAITING

    await until(is_waiting)


async def test_a_typed_approval_shows_what_is_approved_and_counts_as_a_click_does(
    setup: Setup, simulator: Simulator
) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE]) as front:
        run = await front.release()
        assert (await front.type("ben", f"approve {run[:14]}")).startswith("Only @release-managers can decide this")
        assert await front.type("ana", f"approve {run[:14]} the notes & all") == ""
        form = await front.form("ana")
        shown = [block["text"]["text"] for block in form.blocks if block["type"] == "section"]
        assert shown[0].startswith("*Publish?*")
        assert shown[1] == "*notes*: for v1.2.3"
        assert (await front.gate(run)).decision is None
        assert (await simulator.submit_view("ana", form.id, {})).result == "closed"
        decision = (await front.decided(run)).decision
        assert decision is not None
        assert (decision.verdict, decision.reason) == (Verdict.GRANTED, "the notes & all")
        assert decision.by is not None
        assert decision.by.name == "Ana Ruiz"
        await front.ended(run)
        assert "waits for a decision. Nothing was changed." in await front.type("ana", f"approve {run[:14]}")


async def test_a_run_that_waits_for_a_decision_is_chosen_from_those_that_do(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE]) as front:
        run = await front.release()
        await front.type("ben", "run simple")
        await waiting(front, run)
        assert await front.type("ana", "approve") == ""
        form = await front.form("ana")
        offered = await simulator.suggest("ana", form.id, "choose_run", "")
        assert [option["value"] for option in offered["options"]] == [run]
        sent = {"run": {"choose_run": run}, "why": {"value": "seen"}}
        assert (await simulator.submit_view("ana", form.id, sent)).result == "updated"
        assert (await simulator.submit_view("ana", (await front.form("ana")).id, {})).result == "closed"
        decision = (await front.decided(run)).decision
        assert decision is not None
        assert decision.reason == "seen"


async def test_an_approval_by_a_mention_takes_its_form_behind_a_button(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE]) as front:
        run = await front.release()
        simulator.post_message("ana", "#releases", f"@vectorbea approve {run[:14]}")
        assert await front.told("ana", 1) == "*Approve* takes a form."
        (offered,) = [one for one in simulator.channel_messages("#releases", seen_by="ana") if one.ephemeral]
        await simulator.click("ana", "#releases", offered.ts, "fill_in")
        assert (await simulator.submit_view("ana", (await front.form("ana")).id, {})).result == "closed"
        assert (await front.decided(run)).decision is not None


async def test_a_typed_denial_says_why(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE]) as front:
        run = await front.release()
        assert (await front.type("ana", f"deny {run[:14]}")).startswith("Why? Write:\n`/vb deny RUN [GATE] [why …]`")
        assert (await front.gate(run)).decision is None
        told = await front.type("ana", f"deny {run[:14]} publish not on a Friday")
        assert told.startswith("Denied: *Publish?*.")
        decision = (await front.decided(run)).decision
        assert decision is not None
        assert (decision.verdict, decision.reason) == (Verdict.DENIED, "not on a Friday")


async def test_of_several_gates_one_is_named(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [TWO]) as front:
        await front.type("ben", "run two")
        (run,) = await front.runs()
        await waiting(front, run)
        assert "Which gate? There is: first, second. Write:" in await front.type("ana", f"deny {run[:14]} no")
        told = await front.type("ana", f"deny {run[:14]} second not like this")
        assert told == f"Denied: *Second?*. two (`{run[:14]}`) takes note of it."


async def test_somebody_else_decides_once_or_for_a_while(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE]) as front:
        run = await front.release()
        assert "To whom?" in await front.type("ana", f"delegate {run[:14]}")
        assert "There is no @eve here who could decide" in await front.type("ana", f"delegate {run[:14]} to @eve")
        assert "There is no @oncall here who could decide" in await front.type("ana", f"delegate {run[:14]} to @oncall")
        assert "Only @release-managers can" in await front.type("ben", f"delegate {run[:14]} to @chen")
        told = await front.type("ana", f"delegate {run[:14]} to @chen on leave")
        assert told.startswith("Chen Wei may decide on *Publish?* in your place")
        assert await front.type("chen", f"approve {run[:14]}") == ""
        assert (await simulator.submit_view("chen", (await front.form("chen")).id, {})).result == "closed"
        decision = (await front.decided(run)).decision
        assert decision is not None
        assert decision.by is not None
        assert decision.by.id == CHEN
        assert "Nobody decides in the place of others now." in await front.type("ana", "delegate")
        assert "For how long?" in await front.type("ana", "delegate to @ben")
        assert "Write:" in await front.type("ana", "delegate to @ben for ever")
        told = await front.type("ana", "delegate to @ben for 3d holidays")
        assert told.startswith("Ben Okafor decides in your place until <!date")
        assert "Ben Okafor decides for Ana Ruiz until" in await front.type("chen", "delegate")
        second = await front.release(version="v1.2.4")
        assert await front.type("ana", "delegate stop") == "Nobody decides in your place any more."
        assert (await front.type("ben", f"approve {second[:14]}")).startswith("Only @release-managers can")
        assert await front.type("eve", "delegate stop") == (
            "Guests of this workspace cannot do this; nothing was changed. Ask a full member of this workspace."
        )


async def test_a_gate_is_edited_put_off_and_sent_back_by_words(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [EDITABLE, SIMPLE]) as front:
        await front.type("ben", "run editable")
        (run,) = await front.runs()
        await waiting(front, run)
        assert "For how long?" in await front.type("ana", f"snooze {run[:14]} 2h")
        assert (await front.type("chen", f"snooze {run[:14]} for 2h")).startswith("Only @release-managers can")
        assert (await front.type("ana", f"snooze {run[:14]} for 2h")).startswith("You are not reminded of *Publish?*")
        assert [one.by.name for one in (await front.gate(run)).snoozed] == ["Ana Ruiz"]
        assert await front.type("ana", f"edit {run[:14]} publish") == ""
        sent = await simulator.submit_view("ana", (await front.form("ana")).id, {"input_percent": {"value": "10"}})
        assert sent.result == "updated"
        assert (await front.gate(run)).fields == {"percent": 10}
        assert "What has to change?" in await front.type("ana", f"request-changes {run[:14]}")
        told = await front.type("ana", f"request-changes {run[:14]} publish name it & say why")
        assert told == "*Publish?* goes back to notes with what you wrote, and asks again after that."
        changes = (await front.engine.state(run)).changes
        assert changes is not None
        assert changes.comment == "name it & say why"
