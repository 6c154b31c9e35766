"""Deciding in the App Home: one gate by its row, and like ones together."""

from __future__ import annotations

from bot.blocks.waiting import TOGETHER
from bot.people.directory import Directory
from bot.people.waiting import waiting_for
from bot.simulator.demo import ANA, BEN
from bot.simulator.model import View
from bot.simulator.simulator import Simulator
from engine.core import commands as c
from engine.core.events import Actor
from engine.core.state import RunStatus, Verdict
from tests.bot.conftest import Setup, gate, until, workflow
from tests.bot.front import Front, serving

ASKING = workflow(
    gate(show={"notes": "of ${{ input.version }}"}),
    name="asking",
    input={"version": {"type": "string"}},
)
OTHER = workflow(gate(approvers=["@oncall"]), name="other")


async def three(front: Front) -> list[str]:
    """Three runs that wait at the same gate, the oldest first."""
    for version in ("v1", "v2", "v3"):
        assert await front.type("ben", f"run asking version={version}") == ""
    runs = (await front.runs())[::-1]

    async def all_wait() -> bool:
        states = [await front.engine.state(run) for run in runs]
        return all(state.step("publish").gate is not None for state in states)

    await until(all_wait)
    return runs


async def home_of(front: Front, who: str, *parts: str) -> View:
    """The person's App Home, once it shows all of ``parts``."""
    front.simulator.open_home(who)

    def shown() -> View | None:
        home = front.simulator.home(who)
        return home if home is not None and all(part in str(home.blocks) for part in parts) else None

    home = await front.simulator.wait_for(shown)
    assert home is not None
    return home


async def verdicts(front: Front, runs: list[str]) -> list[Verdict | None]:
    gates = [await front.gate(run) for run in runs]
    return [gate.decision.verdict if gate.decision is not None else None for gate in gates]


async def test_what_waits_is_what_one_may_decide(setup: Setup, simulator: Simulator, directory: Directory) -> None:
    async with serving(setup, simulator, [ASKING, OTHER]) as front:
        await three(front)
        await front.type("ana", "run other")
        await front.type("ana", "run asking version=v4")

        async def five() -> bool:
            return len(await waiting_for(front.engine, directory, "U0DANAXXXX")) == 4

        await until(five)
        assert [each.name for each in await waiting_for(front.engine, directory, ANA)] == [
            "Publish? · asking · v1", "Publish? · asking · v2", "Publish? · asking · v3",
        ]  # fmt: skip
        assert await waiting_for(front.engine, directory, BEN) == []
        await home_of(front, "ana", "asking asks 3 times at publish.", "asking · v2")


async def test_one_is_decided_by_the_buttons_of_its_row(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [ASKING]) as front:
        runs = await three(front)
        home = await home_of(front, "ana", "asking asks 3 times at publish.")
        row = [block["block_id"] for block in home.blocks if "'gate_show'" in str(block)][1]
        await simulator.click_in_view("ana", home.id, "gate_show", block_id=row)
        assert "of v2" in str((await front.form("ana")).blocks)
        await simulator.close_view("ana", (await front.form("ana")).id)
        await simulator.click_in_view("ana", home.id, "gate_approve", block_id=row)
        assert await verdicts(front, runs) == [None, Verdict.GRANTED, None]
        await simulator.click_in_view("ana", home.id, "gate_approve", block_id=row)
        assert "Already approved by you" in str((await front.form("ana")).blocks)


async def test_like_ones_are_decided_together_and_each_by_itself(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [ASKING]) as front:
        runs = await three(front)
        home = await home_of(front, "ana", "asking asks 3 times at publish.")
        await simulator.click_in_view("ana", home.id, TOGETHER)
        form = await front.form("ana")
        options = form.blocks[1]["element"]["options"]
        assert [option["text"]["text"] for option in options] == [f"Publish? · asking · v{n}" for n in (1, 2, 3)]
        assert [option["description"]["text"] for option in options] == [f"notes: of v{n}" for n in (1, 2, 3)]
        await front.engine.gates.act(runs[0], await _vote_of_dana(front, runs[0]))
        chosen = [options[0]["value"], options[2]["value"]]
        unsaid = await simulator.submit_view(
            "ana", form.id, {"gates0": {"value": chosen}, "verdict": {"value": "deny"}, "reason": {"value": ""}}
        )
        assert list(unsaid.errors) == ["reason"]
        sent = await simulator.submit_view(
            "ana", form.id, {"gates0": {"value": chosen}, "verdict": {"value": "deny"}, "reason": {"value": "no time"}}
        )
        assert sent.result == "updated"
        told = [block["text"]["text"] for block in (await front.form("ana")).blocks]
        assert told[:2] == ["*Denied: 1 of 2.*", "✓ Publish? · asking · v3"]
        assert told[2].startswith("– Publish? · asking · v1: Already approved by Dana Levy")
        assert await verdicts(front, runs) == [Verdict.GRANTED, None, Verdict.DENIED]
        assert (await front.ended(runs[2])).status is RunStatus.FAILED


async def _vote_of_dana(front: Front, run: str) -> c.Vote:
    state = await front.engine.state(run)
    gate = state.step("publish").gate
    assert gate is not None
    dana = Actor(via="slack", id="U0DANAXXXX", name="Dana Levy")
    return c.Vote("publish", granted=True, by=dana, version=gate.version, seat=c.Seat(gate.asked))
