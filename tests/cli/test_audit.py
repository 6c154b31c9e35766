"""`vb audit`: a gate with two stages, an edit and a delegation, as the documents show it; and after tampering."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path

import pytest
from pydantic import JsonValue

from bot.console.decide import still_needed
from bot.text.gate_report import described, lines
from engine.catalog import Catalog
from engine.core import commands as c
from engine.core.events import Actor
from engine.core.gate_history import askings
from engine.core.loader import load_yaml
from engine.deploying import ALL
from engine.engine import Engine, EngineSettings
from engine.gates import UnknownGate
from engine.steps.registry import Registry, step
from tests.core.driver import Run
from tests.core.driver import workflow as core_workflow

DOCUMENT = Path(__file__).parents[2] / "docs" / "approvals.md"
ANA = Actor(via="slack", id="U0ANA", name="Ana Ruiz")
BEN = Actor(via="slack", id="U0BEN", name="Ben Okafor")
CHEN = Actor(via="slack", id="U0CHEN", name="Chen Wei")
DANA = Actor(via="slack", id="U0DANA", name="Dana Levy")
HANA = Actor(via="slack", id="U0HANA", name="Hana Sato")
MINUTE, DAY = 60_000, 86_400_000


class Clock:
    """It stands still until the test moves it."""

    shift = 0

    def __init__(self) -> None:
        self.at = round(datetime.fromisoformat("2026-11-27T09:00:00+00:00").timestamp() * 1_000)

    def now(self) -> int:
        return self.at


@step("t.deploy")
async def deploy(version: str, percent: int) -> str:
    return f"{version} {percent}"


def definition() -> str:
    """The workflow that the document begins with."""
    return re.findall(r"```yaml\n(name: ship.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]


def shown() -> str:
    """The report that the document shows."""
    return re.findall(r"```\n(Gate agree of .*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]


class Story:
    """A run of the document's workflow, in an engine of its own, whose gate people decide on."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.run = ""

    async def act(self, act: c.AtGate, after: int = 5) -> None:
        self.clock.at += after * MINUTE
        assert await self.engine.gates.act(self.run, act) == c.Accepted()

    async def begin(self, written: str) -> None:
        loaded = load_yaml(written, "ship.yaml", self.engine.registry.catalog())
        assert loaded.workflow is not None, loaded.problems
        await self.engine.deploy([loaded.workflow], by=BEN, may=ALL)
        begun = await self.engine.start("ship", {"version": "v1.4.2"}, by=BEN)
        self.run = begun.run
        self.clock.at += MINUTE
        await self.engine.present(self.run, "agree", {"slack:C0RELEASES/1795770061.000100": "5c" * 32})

    async def decide(self) -> None:
        web, security = c.Seat(("@web",)), c.Seat(("@security",))
        await self.act(c.Vote("agree", True, ANA, "in @web", "tests are green", seat=web))
        await self.act(c.EditGate("agree", {"percent": 10}, CHEN, "in @web", "not so many at first", seat=web))
        await self.act(c.Vote("agree", True, CHEN, "in @web", "", seat=web))
        await self.act(c.Vote("agree", True, ANA, "in @web", "ten is fine", seat=web))
        await self.act(c.Delegate("agree", DANA, HANA, "in @security", "on a train", seat=security))
        on_behalf = c.Seat(("@security",), on_behalf_of=DANA)
        await self.act(c.Vote("agree", True, HANA, "in @security", "reviewed", seat=on_behalf))


@asynccontextmanager
async def story(folder: Path, written: str | None = None) -> AsyncGenerator[Story]:
    clock = Clock()
    settings = EngineSettings(f"sqlite:///{folder / 'vb.db'}", f"unix://{folder / 'none.sock'}", b"k" * 32)
    async with Engine.open(settings, catalog=Catalog({}), registry=Registry([deploy]), clock=clock) as engine:
        told = Story(engine, clock)
        await told.begin(definition() if written is None else written)
        yield told


@pytest.fixture
def loop() -> Run:
    gate = {"id": "ok", "approval": {"title": "${{ item }}?", "approvers": ["@web"]}}
    return Run(core_workflow({"id": "each", "for_each": {"items": ["a", "b"], "max_items": 2}, "steps": [gate]}))


def alike(text: str) -> str:
    """Without what is another in every run: the run's id and the hashes, of which the first of each kind is told."""
    text = re.sub(r"run_[0-9a-z]{26}", "run_…", text)
    return re.sub(r"\b[0-9a-f]{64}\b", "…", text)


async def test_the_document_shows_what_is_printed(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.decide()
        report = await told.engine.gates.report(told.run, "agree")
    assert alike("\n".join(lines(report)) + "\n") == alike(shown())


async def test_the_document_shows_what_programs_get(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.decide()
        report = described(await told.engine.gates.report(told.run, "agree"))
    text = DOCUMENT.read_text(encoding="utf-8")
    (written,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    decoder = json.JSONDecoder()
    parts: list[JsonValue] = []
    while written.strip():
        part, end = decoder.raw_decode(written.lstrip())
        parts, written = [*parts, part], written.lstrip()[end:]
    (asking,) = json.loads(json.dumps(report["askings"]))
    assert alike(json.dumps(parts)) == alike(json.dumps([asking["events"][-1], report["proof"]]))


async def test_whose_working_time_counts_is_told(tmp_path: Path) -> None:
    async with story(tmp_path, definition().replace("zone: Europe/Paris", "zone: approver")) as told:
        await told.engine.present(told.run, "agree", {"slack:C1/1.1": "5d" * 32}, ["America/New_York"])
        text = "\n".join(lines(await told.engine.gates.report(told.run, "agree")))
    assert "on mon, tue, wed, thu, fri (the working time of those asked: America/New_York)" in text
    assert "Escalates 2026-11-27T18:00:00Z to @oncall\n" in text, "four hours from nine o'clock there"
    assert "Expires 2026-11-27T23:00:00Z;" in text


async def test_the_command_line_says_what_an_approval_did_not_decide(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        web = c.Seat(("@web",))
        assert "Nothing has happened yet" in "\n".join(lines(await told.engine.gates.report(told.run, "agree")))
        await told.act(c.Vote("agree", True, ANA, "in @web", seat=web))
        first = still_needed(await told.engine.state(told.run), "agree")
        assert first == "It counts, and the gate waits for 1 more approval in stage team, by @web."
        await told.act(c.Vote("agree", True, CHEN, "in @web", seat=web))
        assert "stage security, by @security" in still_needed(await told.engine.state(told.run), "agree")
        await told.act(c.Vote("agree", True, DANA, "in @security"))
        assert still_needed(await told.engine.state(told.run), "agree") == ""


async def test_json_has_the_same_facts_for_programs(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.decide()
        report = described(await told.engine.gates.report(told.run, "agree"))
        exported = [json.loads(line) async for line in told.engine.export(told.run)]
    text = json.dumps(report)
    (asking,) = json.loads(text)["askings"]
    assert [version["fields"] for version in asking["versions"]] == [{"percent": 50}, {"percent": 10}]
    assert [version["inputs"]["deploy"]["percent"] for version in asking["versions"]] == [50, 10]
    assert all(version["holds"] for version in asking["versions"])
    hashes = {one["seq"]: one["hash"] for one in exported}
    assert {one["seq"]: one["hash"] for one in asking["events"]}.items() <= hashes.items()
    assert json.loads(text)["proof"]["verified"] is True
    granted = asking["events"][-1]
    assert (granted["type"], granted["on_behalf_of"]["name"], granted["by"]["name"]) == (
        "APPROVAL_GRANTED",
        "Dana Levy",
        "Hana Sato",
    )


async def test_a_delegation_for_a_period_is_told_with_its_own_proof(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        gates, until = told.engine.gates, told.clock.at + DAY
        held = await gates.delegate(HANA, until, by=ANA, reason="holidays")
        assert [one.event.by for one in await gates.delegated_to(HANA)] == [ANA]
        for_ana = c.Seat(("@web",), on_behalf_of=ANA, delegation=held.id)
        await told.act(c.Vote("agree", True, HANA, "in @web", seat=for_ana))
        assert await gates.end_delegation(by=ANA)
        late = c.Vote("agree", True, DANA, "in @web", seat=c.Seat(("@web",), on_behalf_of=ANA, delegation=held.id))
        assert isinstance(await gates.act(told.run, late), c.NotAllowed)
        report = await gates.report(told.run, "agree")
    text = "\n".join(lines(report))
    assert "Hana Sato (slack U0HANA) approved for Ana Ruiz (slack U0ANA) in stage team" in text
    assert f"workspace event {held.id} DELEGATION_STARTED {report.delegations[held.id].hash}" in text
    assert "It waits for a decision." in text


async def test_a_gate_that_asked_again_is_told_asking_by_asking(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.act(c.RequestChanges("agree", ANA, "say what is new", "in @web"))
        await told.act(c.Vote("agree", False, CHEN, "in @web", "still nothing\nnew"))
        text = "\n".join(lines(await told.engine.gates.report(told.run, "agree")))
        with pytest.raises(UnknownGate, match=r"has asked nobody at deploy; it has asked at agree\."):
            await told.engine.gates.report(told.run, "deploy")
    assert "ASKED 1 of 2" in text
    assert 'Ana Ruiz (slack U0ANA) asked for changes, in @web: "say what is new"' in text
    assert "Sent back to notes 2026-11-27T09:06:00Z" in text
    assert "Shown notes: v1.4.2 say what is new" in text
    assert 'denied in stage team, in @web: "still nothing new"' in text


async def test_what_was_changed_behind_its_back_is_told(tmp_path: Path) -> None:
    async with story(tmp_path) as told:
        await told.decide()
        with closing(sqlite3.connect(tmp_path / "vb.db")) as database, database:
            rewritten = (
                "UPDATE events SET payload = replace(payload, 'tests are green', 'tests are red') WHERE stream = ?"
            )
            database.execute(rewritten, (told.run,))
        report = await told.engine.gates.report(told.run, "agree")
    facts: dict[str, JsonValue] = described(report)
    proof = facts["proof"]
    assert isinstance(proof, dict)
    assert proof["verified"] is False
    assert "DOES NOT HOLD" in "\n".join(lines(report))


def test_a_gate_in_a_loop_is_found_by_its_path_and_by_its_id(loop: Run) -> None:
    found = [asking.path for asking in askings(loop.log, "ok")]
    assert found == ["each[0]/ok", "each[1]/ok"]
    assert [asking.path for asking in askings(loop.log, "each[1]/ok")] == ["each[1]/ok"]
    assert len(askings(loop.log, "each[]/ok")) == 2
