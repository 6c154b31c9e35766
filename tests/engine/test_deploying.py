"""Deployments, freezes and the watched folder on real databases; starts go by what is deployed."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.core.errors import InvalidDefinition, UnknownWorkflow
from engine.core.workspace import DEPLOY, DEPLOY_GATES
from engine.definitions import Frozen
from engine.deploying import ALL, Deployment
from engine.engine import Engine
from engine.folder import Folder, Watch
from engine.workspace import WorkspaceRefused
from tests.engine.conftest import ANA, BEN, Setup, ended, workflow
from tests.statements import counted
from tests.waiting import until

MAY = frozenset({DEPLOY})
HOUR = 3_600_000

ECHO = workflow({"id": "a", "uses": "t.echo", "with": {"text": "one"}}, name="talk")
LOUDER = workflow({"id": "a", "uses": "t.echo", "with": {"text": "two"}}, name="talk")
GATE = {"id": "ok", "approval": {"title": "Go on?", "approvers": ["@leads"]}}
GUARDED = workflow(GATE, {"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name="guarded")
UNGUARDED = workflow({"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name="guarded")


async def started_as(engine: Engine, name: str) -> str:
    begun = await engine.start(name, {}, by=ANA)
    return (await engine.state(begun.run)).definition


async def test_a_start_follows_what_is_deployed_and_a_run_keeps_what_it_has(setup: Setup) -> None:
    async with setup.engine(ECHO) as engine, setup.engine(ECHO) as other:
        before = await engine.start("talk", {}, by=ANA)
        [deployed] = await engine.deploy([LOUDER], by=BEN, reason="louder", may=MAY)
        assert deployed.changes == ("new, with 1 step",)
        assert await started_as(engine, "talk") == deployed.definition
        assert await started_as(other, "talk") == deployed.definition
        assert (await engine.state(before.run)).definition != deployed.definition
        assert engine.workflow("talk").hash == deployed.definition


async def test_the_history_says_who_when_and_what(setup: Setup) -> None:
    async with setup.engine() as engine:
        await engine.deploy([ECHO], by=ANA, reason="first", may=MAY)
        await engine.deploy([LOUDER], by=BEN, reason="louder", may=MAY)
        assert await engine.deploy([LOUDER], by=BEN, may=MAY) == []
        await engine.deployer.retire("talk", by=ANA, reason="silence", may=MAY)
        first, second, third = await engine.deployments("talk")
        assert (first.by.name, first.reason, first.previous) == ("Ana", "first", None)
        assert (second.by.name, second.changes, second.previous) == ("Ben", ("step a changed: with",), first.definition)
        assert third.retired
        assert "Ana retired (silence)" in str(third)
        report = await engine.verify()
        assert report.findings == []


async def test_a_retired_workflow_cannot_be_started_and_says_so(setup: Setup) -> None:
    async with setup.engine(ECHO) as engine:
        await engine.deploy([ECHO], by=ANA, may=MAY)
        assert await engine.deployer.retire("talk", by=ANA, reason="silence", may=MAY)
        with pytest.raises(UnknownWorkflow, match="talk was retired by Ana: silence; deploy it again"):
            await engine.start("talk", {}, by=ANA)
        assert "talk" not in engine.workflows
        await engine.deploy([ECHO], by=ANA, may=MAY)
        await engine.start("talk", {}, by=ANA)


async def test_a_gate_is_changed_only_by_whoever_may(setup: Setup) -> None:
    async with setup.engine() as engine:
        await engine.deploy([GUARDED], by=ANA, may=MAY)
        with pytest.raises(WorkspaceRefused, match=r"Ana may not change .* deploy.gates: the gate ok is gone"):
            await engine.deploy([UNGUARDED, ECHO], by=ANA, may=MAY)
        assert await engine.deployments("talk") == []
        [compared] = await engine.deployer.compare([UNGUARDED])
        assert compared.gates == ("the gate ok is gone",)
        [deployed] = await engine.deploy([UNGUARDED], by=ANA, may=MAY | {DEPLOY_GATES})
        assert deployed.gates == ("the gate ok is gone",)


async def test_all_problems_of_a_deployment_are_told_and_nothing_is_deployed(setup: Setup) -> None:
    wrong = workflow({"id": "a", "uses": "t.ecco"}, {"id": "b", "uses": "t.echo"}, name="wrong")
    async with setup.engine() as engine:
        with pytest.raises(InvalidDefinition, match=r"did you mean t\.echo") as caught:
            await engine.deploy([wrong, ECHO], by=ANA, may=MAY)
        assert len(caught.value.problems) == 2
        assert not engine.workflows


async def test_callees_are_deployed_with_their_callers_or_were_before(setup: Setup) -> None:
    outer = workflow({"id": "call", "workflow": "talk"}, name="outer")
    async with setup.working() as engine:
        deployed = await engine.deploy([outer, ECHO], by=ANA, may=MAY)
        assert [one.workflow for one in deployed] == ["talk", "outer"]
        begun = await engine.start("outer", {}, by=ANA)
        assert (await ended(engine, begun.run)).status == "completed"
        await engine.deploy([LOUDER], by=ANA, may=MAY)
        [again] = await engine.deploy([outer], by=ANA, may=MAY)
        assert again.changes == ("step call changed: workflow",)
        begun = await engine.start("outer", {}, by=ANA)
        assert (await ended(engine, begun.run)).status == "completed"
    assert setup.world.calls == ["echo one", "echo two"]


async def test_deployments_of_many_processes_and_anchors_are_all_taken(setup: Setup) -> None:
    async with setup.engine(ECHO) as engine, setup.engine(ECHO) as other:
        await engine.start("talk", {}, by=ANA)
        several = [
            workflow({"id": "a", "uses": "t.echo", "with": {"text": "x"}}, name=f"wf{number}") for number in range(8)
        ]
        deploying = [
            (engine if number % 2 else other).deploy([each], by=ANA, may=MAY) for number, each in enumerate(several)
        ]
        await asyncio.gather(*deploying, engine.store.anchor(engine.settings.workspace, engine.clock.now()))
        await engine.definitions.refresh()
        assert set(engine.workflows) == {"talk", *(each.name for each in several)}
        assert (await engine.verify()).findings == []


async def test_no_run_starts_while_a_freeze_holds(setup: Setup) -> None:
    async with setup.engine(ECHO, GUARDED) as engine, setup.engine(ECHO, GUARDED) as other:
        going_on = await engine.start("guarded", {}, by=ANA)
        until = setup.clock.now() + HOUR
        freeze = await engine.freeze(by=BEN, reason="the launch", workflows=["talk", "guarded"], until=until)
        for each in (engine, other):
            with pytest.raises(Frozen, match=r"talk is frozen by Ben until 20.*Z: the launch\."):
                await each.start("talk", {}, by=ANA)
        with pytest.raises(Frozen):
            await other.operations.fork(going_on.run, "ok", by=ANA)
        assert [one.id for one in await other.freezes()] == [freeze.id]
        assert (await engine.state(going_on.run)).end is None

        setup.clock.advance(2 * HOUR)
        await engine.start("talk", {}, by=ANA)
        await other.freeze(by=BEN, reason="again")
        assert await engine.lift(by=ANA, reason="done") == 1
        await other.start("talk", {}, by=ANA)


FILE = "name: {name}\nsteps:\n  - {{id: a, uses: t.echo, with: {{text: {text}}}}}\n"


async def test_the_folder_is_deployed_at_the_start_and_when_a_file_changes(setup: Setup, tmp_path: Path) -> None:
    folder = tmp_path / "workflows"
    folder.mkdir()
    file = folder / "talk.yaml"
    file.write_text(FILE.format(name="talk", text="one"), encoding="utf-8")
    (folder / "broken.yaml").write_text("name: broken\n", encoding="utf-8")
    async with setup.engine() as engine:
        watch = Watch(every=0.05)
        watching = asyncio.create_task(watch.run())
        try:
            with watch.watching(engine.folder([folder])):
                await _deployed(engine, 1)
                file.write_text(FILE.format(name="talk", text="three"), encoding="utf-8")
                _, second = await _deployed(engine, 2)
                assert (second.by.name, second.source) == ("the workflows' folder", "folder")
                (folder / "broken.yaml").unlink()
                file.unlink()
                history = await _deployed(engine, 3)
                assert history[-1].retired
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)


async def test_folders_that_are_as_they_were_cost_no_statement_and_one_look(setup: Setup, tmp_path: Path) -> None:
    own = tmp_path / "ws_3"
    own.mkdir()
    (tmp_path / "talk.yaml").write_text(FILE.format(name="talk", text="one"), encoding="utf-8")
    (own / "chat.yaml").write_text(FILE.format(name="chat", text="hello"), encoding="utf-8")
    async with setup.engine() as engine:
        watch, several = Watch(), {f"ws_{number}": engine.within(f"ws_{number}") for number in range(5)}
        with ExitStack() as stack:
            for name, each in several.items():
                paths = [tmp_path, *([own] if name == "ws_3" else [])]
                stack.enter_context(watch.watching(each.folder(paths)))
            await watch.look()
            async with counted(engine.store) as statements:
                await watch.look()
            assert statements == []
            assert [name for name, each in several.items() if await each.deployments("chat")] == ["ws_3"]
            (tmp_path / "talk.yaml").write_text(FILE.format(name="talk", text="changed"), encoding="utf-8")
            await watch.look()
            assert {len(await each.deployments("talk")) for each in several.values()} == {2}
        await watch.look()  # of nothing any more


async def test_a_place_that_cannot_be_read_holds_up_no_other(
    setup: Setup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "talk.yaml").write_text(FILE.format(name="talk", text="one"), encoding="utf-8")
    async with setup.engine() as engine:
        watch = Watch()
        unreadable = Folder(engine.within("ws_other").deployer, [tmp_path / ("x" * 300)])
        with watch.watching(unreadable), watch.watching(Folder(engine.deployer, [tmp_path])):
            await watch.look()
            await watch.look()
        assert len(await engine.deployments("talk")) == 1
    assert caplog.text.count("cannot be read (File name too long)") == 1


async def test_who_asks_for_a_workflow_whose_file_is_broken_is_told_why(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "talk.yaml").write_text("name: talk\nsteps: []\n", encoding="utf-8")
    nameless = tmp_path / "chat.yaml"
    nameless.write_text("name: [\n", encoding="utf-8")
    async with setup.engine() as engine:
        folder = Folder(engine.deployer, [tmp_path])
        await folder.deploy()
        with pytest.raises(UnknownWorkflow, match=r"^talk cannot be started, .* problem: talk\.yaml:2: steps: "):
            await engine.start("talk", {}, by=ANA)
        with pytest.raises(UnknownWorkflow, match=r"^chat cannot be started, .* problem: chat\.yaml:\d: "):
            engine.workflow("chat")
        nameless.write_text(FILE.format(name="chat", text="hello"), encoding="utf-8")
        await folder.deploy()
        assert engine.workflow("chat").name == "chat"


async def _deployed(engine: Engine, count: int) -> list[Deployment]:
    async def so_many() -> bool:
        return len(await engine.deployments("talk")) >= count

    await until(so_many)
    return await engine.deployments("talk")


async def test_what_was_deployed_by_hand_stays_until_the_file_changes(setup: Setup, tmp_path: Path) -> None:
    file = tmp_path / "talk.yaml"
    file.write_text(FILE.format(name="talk", text="one"), encoding="utf-8")
    async with setup.engine() as engine:
        await Folder(engine.deployer, [file]).deploy()
        [by_hand] = await engine.deploy([LOUDER], by=ANA, may=MAY)
        assert await Folder(engine.deployer, [file]).deploy() == []
        assert engine.workflow("talk").hash == by_hand.definition
        file.write_text(FILE.format(name="talk", text="three"), encoding="utf-8")
        assert len(await Folder(engine.deployer, [file]).deploy()) == 1


async def test_a_file_that_changes_a_gate_waits_for_the_end_of_a_freeze(setup: Setup, tmp_path: Path) -> None:
    file = tmp_path / "guarded.yaml"
    file.write_text(FILE.format(name="guarded", text="x"), encoding="utf-8")
    async with setup.engine() as engine:
        await engine.deploy([GUARDED], by=ANA, may=ALL)
        await engine.freeze(by=BEN, reason="the launch")
        folder = Folder(engine.deployer, [file])
        assert await folder.deploy() == []
        await engine.lift(by=BEN)
        assert len(await folder.deploy()) == 1
