"""Many workspaces of one bot: each is served as what it is, and sees its own alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.blocks.approval import APPROVE
from bot.simulator.demo import ANA, GUS
from bot.simulator.model import Organization
from bot.simulator.people import People
from engine.core.state import RunStatus
from tests.bot.conftest import ACTOR, until
from tests.bot.workspaces.company import ACME, GLOBEX, Company, slash

# slack_sdk sends the client's secret by a class of aiohttp that aiohttp would rather not have used.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


async def test_who_installs_it_is_served_and_sees_its_own_alone(company: Company) -> None:
    page = await company.install(GLOBEX)
    assert "The bot serves Globex" in page
    await company.install(ACME)
    ours = await company.ask(GLOBEX, "hana", "#general")
    assert (await company.seen_by(GLOBEX).state(ours)).started.workspace == f"ws_{GLOBEX}"
    theirs = await company.ask(ACME, "ben", "#releases")
    await company.globex.type_command("hana", "#general", "/vb runs")
    told = company.whispers(GLOBEX, "hana", "#general")[-1]
    assert "ask_gus" in told
    assert "ask_ana" not in told
    for word in ("status", "cancel", "pause", "retry"):
        await company.globex.type_command("hana", "#general", f"/vb {word} {theirs}")
        assert f"no run {theirs}" in company.whispers(GLOBEX, "hana", "#general")[-1], word
    assert (await company.seen_by(ACME).state(theirs)).status is RunStatus.WAITING


async def test_a_click_decides_nothing_in_another_workspace(company: Company) -> None:
    await company.install(GLOBEX)
    await company.install(ACME)
    run = (await company.seen_by(ACME).start("ask_either", {}, by=ACTOR, origin={"channel": "C0RELEASES"})).run
    message, button = await company.question(ACME, "#releases")
    # Everything in it is right but the workspace: the run's id, the step, and a person who is asked by that name there.
    payload: dict[str, Any] = {
        "type": "block_actions",
        "team": {"id": GLOBEX, "domain": "globex"},
        "user": {"id": GUS, "username": "gus", "team_id": GLOBEX},
        "api_app_id": "A0VECTORBE",
        "trigger_id": "1.2.3",
        "container": {"type": "message", "message_ts": "1.000001", "channel_id": "C1GENERALX"},
        "channel": {"id": "C1GENERALX", "name": "general"},
        "actions": [{"type": "button", "block_id": "b", "action_ts": "1.1", **button}],
    }
    assert (await company.deliver(payload))[0] == 200
    await company.simulator.wait_for(lambda: company.whispers(GLOBEX, "gus", "#general"))
    assert company.whispers(GLOBEX, "gus", "#general")[-1].startswith(f"There is no run {run}")
    found = (await company.seen_by(ACME).state(run)).step("publish").gate
    assert found is not None
    assert found.decision is None
    # The same click in its own workspace decides.
    await company.simulator.click("ana", "#releases", message.ts, APPROVE)

    async def decided() -> bool:
        gate = (await company.seen_by(ACME).state(run)).step("publish").gate
        return gate is not None and gate.decision is not None

    await until(decided)


async def test_a_folder_in_a_folder_is_one_workspaces_alone(company: Company, tmp_path: Path) -> None:
    definition = "name: {0}\nsteps: [{{id: one, uses: t.echo, with: {{text: hi}}}}]\n"
    (tmp_path / "shared.yaml").write_text(definition.format("for_all"), encoding="utf-8")
    (tmp_path / GLOBEX).mkdir()
    (tmp_path / GLOBEX / "own.yaml").write_text(definition.format("for_globex"), encoding="utf-8")
    for team in (GLOBEX, ACME):
        await company.install(team)

    async def deployed() -> bool:
        known = [await company.seen_by(team).definitions.refresh() for team in (ACME, GLOBEX)]
        return [set(each.workflows) for each in known] == [{"for_all"}, {"for_all", "for_globex"}]

    await until(deployed)


async def test_a_step_posts_where_its_run_is(company: Company) -> None:
    await company.install(GLOBEX)
    await company.install(ACME)
    for team, who, channel in ((ACME, "ben", "#releases"), (GLOBEX, "hana", "#general")):
        people = company.people(team)
        await people.type_command(who, channel, "/vb run say")

        def said(people: People = people, channel: str = channel) -> list[str]:
            return [one.text for one in people.channel_messages(channel) if one.text == "said by a step"]

        assert await company.simulator.wait_for(said) == ["said by a step"]


async def test_an_organization_is_one_workspace_for_all_of_its_teams(company: Company) -> None:
    """Installed org-wide there is one token, and payloads name the organization, not always a team of it."""
    company.simulator.workspace.organization = Organization("E0ACMECORP", "Acme Corp")
    page = await company.install(ACME)
    assert "The bot serves Acme Corp" in page
    assert list(await company.on_record.all()) == ["E0ACMECORP"]
    whole = company.engine.within("ws_E0ACMECORP")
    # Groups, people and channels are asked for team by team, and a click says of no team.
    await company.simulator.type_command("ben", "#releases", "/vb run release_it")
    question, _ = await company.question(ACME, "#releases")
    run = (await whole.runs())[0].id
    await company.simulator.click("dana", "#releases", question.ts, APPROVE)

    async def ended() -> bool:
        return (await whole.state(run)).status is RunStatus.COMPLETED

    await until(ended)
    # The same team without its organization has not installed the app.
    command = slash(ACME, "run simple", user_id=ANA, channel_id="C0RELEASES")
    assert "not installed" in (await company.send(command))[1]
    assert await company.seen_by(ACME).runs() == []
    company.simulator.uninstall_app()

    async def removed() -> bool:
        return not await company.on_record.all()

    await until(removed)
