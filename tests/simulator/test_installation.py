"""The app is installed as its manifest says, and has no more than that."""

from pathlib import Path
from typing import Any

import yaml

from bot.simulator.demo import BEN, demo_workspace
from bot.simulator.installation import app_from_manifest
from bot.simulator.simulator import Simulator

from .conftest import refusal, web_client

MANIFEST = Path(__file__).resolve().parents[2] / "manifest.yml"


async def test_the_projects_own_manifest() -> None:
    app = app_from_manifest(yaml.safe_load(MANIFEST.read_text()))
    assert app.name == "Vectorbea"
    assert [command.command for command in app.commands] == ["/vb"]
    assert app.commands[0].should_escape
    assert "chat:write" in app.scopes
    assert "app_mention" in app.events
    async with Simulator(demo_workspace(app=app)).serve() as simulator:
        client: Any = web_client(simulator)
        assert (await client.chat_postMessage(channel="#releases", text="x"))["ok"]


async def test_what_the_manifest_leaves_out_is_not_granted() -> None:
    app = app_from_manifest({"display_information": {"name": "Small"}})
    assert (app.name, app.scopes, app.commands, app.events) == ("Small", (), (), ())
    assert (app.home_tab, app.writable) == (False, True)
    async with Simulator(demo_workspace(app=app)).serve() as simulator:
        client: Any = web_client(simulator)
        assert (await refusal(client.chat_postMessage(channel="#releases", text="x")))["error"] == "missing_scope"
        assert (await refusal(client.views_publish(user_id=BEN, view={"type": "home"})))["error"] == "not_enabled"
