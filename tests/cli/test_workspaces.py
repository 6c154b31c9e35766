"""Many workspaces on the command line: which one is meant, and what serving them needs."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest

from bot.config.settings import Settings, WrongSetting
from bot.console.launch import Misuse
from bot.console.manifest import print_manifest
from bot.console.serve import slack_settings
from bot.console.workspaces import list_workspaces
from bot.manifest import written
from bot.simulator.demo import demo_workspace
from bot.simulator.simulator import Simulator
from engine.store import new_master_key
from tests.bot.browsing import PUBLIC, Browser
from tests.cli.conftest import Vb, run_in
from tests.patience import PATIENT_SLACK

APP = {"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s3cret", "VB_PUBLIC_URL": "https://bot.example.com"}
SIGNED = {"SLACK_SIGNING_SECRET": "signed"}


def test_commands_are_about_one_workspace(vb: Vb, tmp_path: Path) -> None:
    theirs = {"VB_WORKSPACE": "T0123ABCD", "VB_DATABASE_URL": f"sqlite:///{tmp_path / 'shared.db'}"}
    local = {"VB_DATABASE_URL": theirs["VB_DATABASE_URL"]}
    run = run_in(vb("run", "hello", "word=x", "--wait", **theirs).out)
    assert run in vb("show", run, **theirs).out
    told = vb("show", run, **local)
    assert (told.code, told.err) == (2, f"There is no run {run}; list the runs to find its id.\n")
    # Nor is a new key made beside a history, because it is all of another workspace.
    (vb.folder / "chain.key").unlink()
    assert vb("runs", **local).err.startswith("The key of this history is missing")


@pytest.mark.parametrize("name", ["acme", "T", "ws_T0123ABCD", "t0123abcd"])
def test_a_workspace_is_named_by_slacks_id(name: str) -> None:
    with pytest.raises(WrongSetting, match=r"VB_WORKSPACE cannot be used: write Slack's id of the workspace"):
        Settings.read(VB_WORKSPACE=name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (SIGNED, "SLACK_BOT_TOKEN is not set: make a Slack app from manifest.yml"),
        (
            {**APP, **SIGNED, "VB_PUBLIC_URL": None},
            "set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and VB_PUBLIC_URL, all three",
        ),
        ({**APP, **SIGNED, "SLACK_CLIENT_SECRET": None}, "set SLACK_CLIENT_ID, SLACK_CLIENT_SECRET and VB_PUBLIC_URL"),
        ({**APP, **SIGNED}, "set VB_MASTER_KEY_FILE, to a file that vb keys new has made"),
        ({**APP, "VB_MASTER_KEY": "key"}, "Neither SLACK_APP_TOKEN (for Socket Mode) nor SLACK_SIGNING_SECRET"),
    ],
    ids=["nothing", "no address", "no secret", "no master key", "no way in"],
)
def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, given: dict[str, str | None], words: str) -> None:
    for name in Settings.variables():
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        if value is not None:
            monkeypatch.setenv(name, new_master_key() if name == "VB_MASTER_KEY" else value)
    with pytest.raises(Misuse) as refused:
        slack_settings(Settings.read())
    assert words in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://bot.example.com", "bot.example.com", "https://bot.example.com/slack", "https://"]
)
async def test_a_manifest_needs_an_address_that_slack_can_call(url: str) -> None:
    with pytest.raises(Misuse, match=r"is no address that Slack can call; write it as https://bot\.example\.com"):
        await print_manifest(url, socket=False, many=False)


async def test_a_manifest_for_many_workspaces_needs_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Misuse, match="name it: vb manifest --many --url"):
        await print_manifest(None, socket=True, many=True)
    assert await print_manifest("https://bot.example.com/", socket=False, many=True) == 0
    assert capsys.readouterr().out.split("\n", 1)[1] == written("https://bot.example.com", many=True)


async def test_where_the_app_is_installed_is_told_with_the_master_key_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.variables():
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Misuse, match="set VB_MASTER_KEY_FILE to the file that vb serve has"):
        await list_workspaces(Settings.read(), as_json=False)


async def test_serve_takes_in_who_installs_it_beside_socket_mode(vb: Vb) -> None:
    async with Simulator(demo_workspace(), options=PATIENT_SLACK).serve() as slack:
        settings = {
            "SLACK_CLIENT_ID": slack.grants.client_id,
            "SLACK_CLIENT_SECRET": slack.grants.client_secret,
            "VB_PUBLIC_URL": PUBLIC,
            "SLACK_APP_TOKEN": slack.app_token,
            "SLACK_API_URL": slack.api_url,
            "VB_MASTER_KEY": new_master_key(),
            "VB_HTTP_PORT": "0",
        }
        with vb.running("serve", **settings) as serving:
            said = rf"installed at {PUBLIC}/slack/install; this process listens at (http://\S+)\."
            url = (await asyncio.to_thread(serving.until, said))[1]
            await slack.wait_connected(20_000)
            await Browser(url, slack.page_url).install("T0ACMEDEMO")
            await slack.type_command("ben", "#releases", "/vb run hello word=there")

            def done() -> bool:
                return any("✓ Completed" in message.text for message in slack.channel_messages("#releases"))

            await slack.wait_for(done)
            assert await asyncio.to_thread(serving.ended, signal.SIGTERM) == 0
        listed = await asyncio.to_thread(vb, "workspaces", VB_MASTER_KEY=settings["VB_MASTER_KEY"])
        head, line = listed.out.splitlines()
        own = {"SLACK_BOT_TOKEN": slack.bot_token, "SLACK_API_URL": slack.api_url}
        both = await asyncio.to_thread(lambda: vb("workspaces", VB_MASTER_KEY=settings["VB_MASTER_KEY"], **own))
        assert re.fullmatch(r"T0ACMEDEMO  Acme +SLACK_BOT_TOKEN +as asked for", both.out.splitlines()[1])
        assert len(both.out.splitlines()) == 2, "one workspace is listed once"
        assert head.split() == ["WORKSPACE", "NAME", "INSTALLED", "BY", "SCOPES"]
        assert re.fullmatch(r"T0ACMEDEMO  Acme +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  U\w+ +as asked for", line)
        assert "xox" not in listed.said
        for secret in (slack.grants.client_secret, slack.app_token, settings["VB_MASTER_KEY"]):
            assert secret not in serving.said
            assert secret not in (vb.folder / "vb.log").read_text(encoding="utf-8")
