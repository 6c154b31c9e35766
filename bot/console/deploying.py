"""`vb deploy`, `vb deployments` and `vb retire`: which definitions the workflows' names mean.

The one rule: what changes is said before it is recorded; all files of one deployment are taken, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.blocks.words import counted
from bot.config.known import step_catalog
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, say
from bot.console.whoami import changing_here
from bot.text.plain import clean, one_line
from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.core.words import listed


async def deploy(settings: Settings, paths: Sequence[Path], *, reason: str, dry_run: bool) -> int:
    """Deploy what is in these files and folders, or in those of the settings."""
    found = _load(settings, paths or settings.workflow_folders)
    if found is None:
        note("Nothing was deployed.")
        return FAILED
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        if dry_run:
            planned = await engine.deployer.compare(found)
            for one in planned:
                _say(one.workflow, one.definition, one.changes, one.gates)
            note(f"{counted(len(planned), 'workflow')} would change; nothing was deployed.")
            return DONE
        deployed = await engine.deploy(found, by=acting.by, reason=reason, may=acting.may, source="cli")
    for one in deployed:
        _say(one.workflow, one.definition, one.changes, one.gates)
    if not deployed:
        note(f"Nothing has changed: {listed([each.name for each in found])}.")
    return DONE


async def list_deployments(settings: Settings, workflow: str) -> int:
    """Who deployed the workflow, when, and what was new in it."""
    async with defining_engine(settings) as engine:
        history = await engine.deployments(workflow)
        known = engine.workflows
    for one in history:
        say(one_line(str(one), 1_000))
    if not history:
        there = "is only in a file, and was never deployed" if workflow in known else "was never deployed"
        note(f"{workflow} {there}.")
        return FAILED
    return DONE


async def retire(settings: Settings, workflow: str, *, reason: str) -> int:
    """Take the workflow's name away: it cannot be started, and its schedules are off."""
    async with defining_engine(settings) as engine:
        acting = await changing_here(settings, engine)
        gone = await engine.deployer.retire(workflow, by=acting.by, reason=reason, may=acting.may)
    if not gone:
        say(f"{workflow} is retired already; nothing was changed.")
        return DONE
    say(f"Retired {workflow}: it cannot be started, and its schedules are off. Runs in progress go on.")
    return DONE


def _load(settings: Settings, paths: Sequence[Path]) -> list[Workflow] | None:
    """The workflows in these files; None, with all problems told, if there is any problem."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise Misuse(f"There is no file or folder {missing[0]}.")
    known = Catalog(step_catalog(settings))
    problems = known.load(paths, beside=[path.parent for path in paths if path.is_file()])
    for problem in problems:
        say(clean(str(problem)))
    if not problems and not known.workflows:
        raise Misuse("There is no definition there.")
    return None if problems else list(known.workflows.values())


def _say(workflow: str, definition: str, changes: Sequence[str], gates: Sequence[str]) -> None:
    say(f"{workflow} {definition[:12]}")
    for change in changes:
        mark = " (who decides)" if change in gates else ""
        say(f"  {one_line(change, 400)}{mark}")
