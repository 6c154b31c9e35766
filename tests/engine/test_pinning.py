"""A run follows the definition that it began with, and those that this one calls, whatever becomes of the files."""

from __future__ import annotations

import pytest

from engine.core import commands as c
from engine.core.definition import Workflow
from engine.core.errors import BrokenDefinition
from engine.core.state import RunStatus
from tests.engine.conftest import ANA, BEN, Setup, World, ended, until, workflow
from tests.store.build import tamper

GATE: dict[str, object] = {"id": "ok", "approval": {"title": "Go?", "approvers": ["@all"]}}


def says(text: str) -> tuple[Workflow, Workflow]:
    """A workflow that says ``text`` after its gate and has another one say it too, which it calls."""
    echo: dict[str, object] = {"id": "say", "uses": "t.echo", "with": {"text": text}}
    called: dict[str, object] = {"id": "called", "uses": "t.echo", "with": {"text": f"{text}, called"}}
    return workflow(called, name="other"), workflow(GATE, echo, {"id": "call", "workflow": "other"})


async def test_a_run_goes_on_by_the_definitions_that_it_began_with(setup: Setup, world: World) -> None:
    async with setup.working(*says("as before")) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run

        async def asked() -> bool:
            return (await engine.state(run)).step("ok").gate is not None

        await until(asked)
    async with setup.working(*says("as edited")) as engine:
        await engine.vote(run, c.Vote("ok", granted=True, by=BEN))
        assert (await ended(engine, run)).status is RunStatus.COMPLETED
        assert world.calls == ["echo as before", "echo as before, called"]
        later = (await engine.start("wf", {}, by=ANA)).run
        await engine.vote(later, c.Vote("ok", granted=True, by=BEN))
        await ended(engine, later)
    assert world.calls[2:] == ["echo as edited", "echo as edited, called"]


@pytest.mark.parametrize("name", ["wf", "other"])
async def test_a_definition_that_was_changed_in_the_database_is_not_followed(
    setup: Setup, world: World, name: str
) -> None:
    async with setup.engine(*says("as before")) as engine:
        run = (await engine.start("wf", {}, by=ANA)).run
        change = "UPDATE definitions SET text = replace(text, 'as before', 'as forged') WHERE name = :name"
        assert await tamper(engine.store, change, name=name) == 1
    async with setup.engine() as engine:
        with pytest.raises(BrokenDefinition, match="is not the text that it was"):
            await engine.vote(run, c.Vote("ok", granted=True, by=BEN))
        report = await engine.verify()
    assert any("is not the text that it was" in finding.what for finding in report.findings)
    assert world.calls == []
