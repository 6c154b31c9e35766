"""One person at a terminal and in Slack: the bot as a process, Slack simulated, and `vb` beside it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.simulator import Simulator
from tests.cli.conftest import Done, Vb, run_in
from tests.patience import PATIENT_SLACK

# A process for each of some fifteen commands takes its time on a busy machine.

SHIP = """
    name: ship
    steps:
      - id: publish
        approval: {title: "Publish it?", approvers: ["@release-managers"], expires_in: 1h}
"""


class Desk:
    """A person's two places: Slack, and the terminal of this machine's user."""

    def __init__(self, slack: Simulator, vb: Vb) -> None:
        self.slack = slack
        self._vb = vb
        self.asking = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        """With what the terminal can ask Slack who is who."""

    async def types(self, who: str, text: str) -> str:
        """What only they see of the answer in Slack."""
        await self.slack.type_command(who, "#releases", f"/vb {text}")
        told = [one.text for one in self.slack.channel_messages("#releases", seen_by=who) if one.ephemeral]
        return told[-1] if told else ""

    async def vb(self, *words: str, **settings: str) -> Done:
        return await asyncio.to_thread(lambda: self._vb(*words, **settings))

    async def link(self, who: str) -> tuple[str, Done]:
        """The code that Slack told, and what came of it at the terminal."""
        found = re.search(r"vb link ((?:[A-Z2-7]{4}-){3}[A-Z2-7]{4})`", await self.types(who, "link"))
        assert found is not None
        return found[1], await self.vb("link", found[1].lower())


async def test_a_person_is_the_same_at_the_terminal_and_in_slack(tmp_path: Path) -> None:
    definitions = tmp_path / "workflows"
    definitions.mkdir()
    (definitions / "ship.yaml").write_text(SHIP, encoding="utf-8")
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as slack:
        vb = Vb(tmp_path / "state", {"VB_WORKFLOWS": str(definitions), "VB_ADMINS": "@dana"})
        desk = Desk(slack, vb)
        with vb.running("serve", SLACK_APP_TOKEN=slack.app_token, **desk.asking) as serving:
            await asyncio.to_thread(serving.until, "Serving Slack over Socket Mode, with ship")
            await slack.wait_connected()
            await _see(desk)


async def _see(desk: Desk) -> None:
    await desk.types("ben", "run ship")
    run = run_in((await desk.vb("runs")).out)
    unknown = await desk.vb("approve", run, "publish")
    assert (unknown.code, "nobody has said whose this account is" in unknown.err) == (1, True)
    assert "is nobody's in Slack" in (await desk.vb("whoami")).said.replace(", which", "")

    code, linked = await desk.link("ben")
    assert (linked.code, f"({BEN}) in Slack from now on" in linked.out) == (0, True)
    again = await desk.vb("link", code)
    assert (again.code, again.err.startswith("There is no such code, or it was used")) == (1, True)
    own = await desk.vb("approve", run, "publish", **desk.asking)
    assert own.err == "Only @release-managers can decide this, and you do not belong there. Nothing was changed.\n"

    second = run_in((await desk.vb("run", "ship")).out)
    started = json.loads((await desk.vb("show", second, "--json")).out)["started_by"]
    assert (started["via"], started["id"], bool(started["terminal"])) == ("slack", BEN, True)
    mine = {one["run"] for one in json.loads((await desk.vb("runs", "--by", "me", "--json")).out)}
    assert mine == {run, second}
    told = await desk.types("ben", "runs mine")
    assert all(f"`{each[:14]}`" in told for each in mine), "they are one list"
    assert "There are no runs of yours yet" in await desk.types("chen", "runs mine")
    assert "Stopping ship" in await desk.types("ben", f"cancel {second}"), "it is Ben's own, wherever he started it"

    assert "takes the role" in await desk.types("chen", "unlink @ben")
    assert "No longer Ben" in await desk.types("dana", "unlink @ben")
    strict = await desk.vb("run", "ship", VB_CLI_MUST_LINK="yes")
    assert (strict.code, "VB_CLI_MUST_LINK" in strict.err) == (1, True)

    await desk.link("ana")
    approved = await desk.vb("approve", run, "publish", **desk.asking)
    assert approved.out == f"Approved publish of {run} as Ana Ruiz (command line).\n"
    assert "at the terminal of" in (await desk.vb("audit", run, "publish")).out
    assert (await desk.vb("unlink")).code == 0
    assert json.loads((await desk.vb("whoami", "--json")).out)["person"] is None
