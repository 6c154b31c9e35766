"""What a run may cost, where it is started and on its card."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace

from bot.blocks.forecast import estimate_words
from bot.simulator.simulator import Simulator
from engine.core.estimate import Estimate, Range, StepEstimate
from engine.core.prices import Price
from engine.prices import Prices
from tests.bot.conftest import Setup, workflow
from tests.bot.front import Front, serving
from tests.engine.test_forecasts import asking
from tests.patience import PATIENT

ASK = workflow(
    {"id": "ask", "uses": "llm", "with": {"model": "p:dear", "prompt": "${{ input.text }}", "max_tokens": 1000}},
    name="ask",
    input={"text": {"type": "string"}},
)
COST = Price(1_000_000, 10_000_000)
LIKELY, NOTHING = Range(200_000, 350_000, 900_000), Range(0, 0, 0)


class Slow(Mapping[str, Price]):
    """A list of prices that takes its time, as that of the library does when it is read first."""

    def __init__(self) -> None:
        self.loaded = threading.Event()

    def __getitem__(self, model: str) -> Price:
        self.loaded.wait()
        return COST

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def shown(front: Front, who: str) -> str:
    """The line in the form."""
    blocks = front.simulator.views(who)[-1].blocks
    return next((block["elements"][0]["text"] for block in blocks if block.get("block_id") == "estimate"), "")


async def test_the_form_and_the_card_say_what_a_run_may_cost(setup: Setup, simulator: Simulator) -> None:
    setup.world.more = (asking(4_000),)
    setup.settings = replace(setup.settings, prices=Prices({"p:dear": COST}))
    async with serving(setup, simulator, [ASK]) as front:
        await front.type("ben", "run ask")
        await front.form("ben")
        assert shown(front, "ben") == (
            "What it may cost (an estimate): low $0.001, likely $0.0055, high $0.02. ask: at most 1,000 tokens out "
            "each time; ask: a prompt of about 500 tokens, 1 of its parts not known before the run."
        )
        await front.fill("ben", text="abcd")
        await front.ended((await front.runs())[0])
        words = "$0.004 spent, estimated about $0.005, between $0.001 and $0.01"
        await simulator.wait_for(lambda: any(words in told.text for told in simulator.channel_messages("#releases")))


async def test_a_form_does_not_wait_for_its_estimate_and_keeps_what_was_entered(
    setup: Setup, simulator: Simulator
) -> None:
    prices = Slow()
    setup.world.more = (asking(1),)
    setup.settings = replace(setup.settings, prices=Prices(prices))
    async with serving(setup, simulator, [ASK], bounds=replace(PATIENT, estimated=0.05)) as front:
        try:
            await simulator.type_command("ben", "#releases", "/vb run ask")
            await front.form("ben")
            assert shown(front, "ben") == "An estimate of what it may cost follows."
        finally:
            prices.loaded.set()
        await simulator.wait_for(lambda: shown(front, "ben").startswith("What it may cost (an estimate): low $0.001"))
        await front.fill("ben", text="abcd")
        await front.ended((await front.runs())[0])


def test_what_is_not_in_an_estimate_is_said() -> None:
    known = StepEstimate("ask", "p:dear", Range(1, 1, 1), LIKELY, ("at most 9 tokens out each time",))
    strange = StepEstimate("look", "p:strange", Range(1, 1, 1), None, ("the price of p:strange is not known",))
    assert estimate_words(Estimate((known, strange), LIKELY, ("look",))) == (
        "What it may cost (an estimate): low $0.20, likely $0.35, high $0.90. ask: at most 9 tokens out each time. "
        "Not in it, since no price of their model is known: look."
    )
    free = replace(known, cost=NOTHING)
    assert (
        estimate_words(Estimate((free,), NOTHING)) == "Estimate: it costs nothing, since only local models are asked."
    )


def test_what_the_dearest_steps_may_cost_is_told_by_step() -> None:
    steps = [
        StepEstimate(f"s{n}", "p:dear", Range(1, 1, 1), Range(0, 10_000 * n, 20_000 * n), (f"reason {n}",))
        for n in range(1, 7)
    ]
    assert estimate_words(Estimate(tuple(steps), Range(0, 210_000, 420_000))) == (
        "What it may cost (an estimate): low $0.00, likely $0.21, high $0.42. s6 $0.00, $0.06, $0.12; "
        "s5 $0.00, $0.05, $0.10; s4 $0.00, $0.04, $0.08; s3 $0.00, $0.03, $0.06; and 2 more. s6: reason 6."
    )
