"""``/vb audit``: the record of a gate in a modal, at any length."""

from __future__ import annotations

from bot.blocks import audited
from bot.simulator.blockkit import check_view
from bot.simulator.simulator import Simulator
from tests.bot.conftest import Setup
from tests.bot.front import RELEASE, SIMPLE, serving


async def test_the_record_of_a_gate_opens_in_a_modal(setup: Setup, simulator: Simulator) -> None:
    async with serving(setup, simulator, [RELEASE, SIMPLE]) as front:
        run = await front.release()
        await front.click("ana")
        await front.decided(run)
        assert await front.type("ben", f"audit {run[:14]}") == ""
        view = await front.form("ben")
        said = "".join(block["elements"][0]["elements"][0]["text"] for block in view.blocks)
        assert said.startswith(f"Gate publish of {run} (release)\n")
        assert "Ana Ruiz" in said
        assert "has asked nobody at tag; it has asked at publish." in await front.type("ben", f"audit {run[:14]} tag")
        assert "Guests of this workspace" in await front.type("eve", f"audit {run[:14]}")
        simulator.post_message("ben", "#releases", f"@vectorbea audit {run[:14]}")
        await simulator.wait_for(lambda: any("Gate publish of" in told for told in front.whispers("ben")))
        await front.type("ben", "run simple")
        other = (await front.runs())[0]
        assert "Which gate? It has asked for no decision yet." in await front.type("ben", f"audit {other[:14]}")


def test_a_long_record_is_cut_where_slack_ends_and_says_so() -> None:
    long = audited.report("Gate " + "x" * 40, ["<!channel> " * 30, *["y" * 7_000] * 60], "vb audit prints it")
    check_view(long, "modal")
    assert 1 < len(long["blocks"]) <= audited.MOST_BLOCKS + 1
    assert long["blocks"][-1]["text"]["text"] == "There is more: vb audit prints it."
    short = audited.report("Gate", ["a", "", "b"], "")
    assert [block["elements"][0]["elements"][0]["text"] for block in short["blocks"]] == ["a\n\nb"]
    message = audited.beginning(["<!channel> ``` " * 300, "more"], "vb audit prints it")
    assert len(message.text) <= 4_000
    assert "<!" not in message.text
    assert all(line.startswith("│ ") for line in message.text.splitlines()[:-1])
    assert message.text.endswith("There is more: vb audit prints it.")
