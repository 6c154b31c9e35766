"""`vb check`, `vb schema`, `vb reference`, `vb verify` and `vb migrate`: definitions, their language, history, tables.

The one rule: all that is wrong is told, each thing on a line of its own, and the exit code says whether it was nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.blocks.words import counted
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import clean, note, one_line, out, say, say_json
from bot.settings import Settings
from bot.wiring import migrate, reading_engine, step_catalog
from engine.catalog import Catalog
from engine.core.language import language_schema
from engine.core.reference import language_page
from engine.store import Report


async def check_files(settings: Settings, paths: Sequence[Path]) -> int:
    """Check definitions, files or folders of them, and store nothing."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise Misuse(f"There is no file or folder {missing[0]}.")
    known = Catalog(step_catalog(settings))
    folders = [path.parent for path in paths if path.is_file()]
    problems = known.load(paths, beside=[*folders, *settings.workflow_folders])
    for problem in problems:
        say(clean(str(problem)))
    names = ", ".join(known.workflows)
    if problems:
        note(f"{counted(len(problems), 'problem')}{f'; without any: {names}' if names else ''}.")
        return FAILED
    note(f"No problems: {names}." if names else "There is no definition there.")
    return DONE if names else FAILED


async def print_schema() -> int:
    """Print the JSON Schema of the definition language."""
    say_json(language_schema())
    return DONE


async def print_reference() -> int:
    """Print the reference of the definition language, in Markdown."""
    out.out(language_page(), highlight=False)
    return DONE


async def verify_log(settings: Settings, ref: str | None) -> int:
    """Check the history of one run, or all of it."""
    async with reading_engine(settings, any_key=True) as engine:
        report = await engine.verify(None if ref is None else await engine.find(ref))
    for finding in report.findings:
        say(one_line(str(finding), 1_000))
    if report.left_out:
        note(f"And {report.left_out} more.")
    checked = _checked(report)
    if report.ok:
        speed = f", {report.events_per_second:,} events a second" if report.events else ""
        say(f"Whole and unchanged: {checked}, in {report.seconds:.2f} s{speed}.")
        return DONE
    found = counted(len(report.findings) + report.left_out, "finding")
    note(f"The history does not hold: {found} in {checked}.")
    return FAILED


def _checked(report: Report) -> str:
    """What was looked at, leaving out what there is none of."""
    parts = [counted(report.events, "event"), counted(report.anchors, "anchor")]
    beside = {
        "run's caches": report.folded,
        "checkpoint": report.checkpoints,
        "long text": report.blobs,
        "row beside the log": report.rows,
        "pruned run": report.pruned,
        "erased run": report.erased,
    }
    parts += [_named(number, thing) for thing, number in beside.items() if number]
    return f"{counted(report.streams, 'stream')} with {', '.join(parts[:-1])} and {parts[-1]}"


def _named(number: int, thing: str) -> str:
    if thing == "run's caches":
        return f"the caches of {counted(number, 'run')}"
    if thing == "row beside the log":
        return f"{counted(number, 'row')} beside the log"
    return counted(number, thing)


async def migrate_database(settings: Settings) -> int:
    """Bring the tables up to date."""
    changed = await migrate(settings)
    say("The tables were brought up to date." if changed else "The tables are up to date; there was nothing to do.")
    return DONE
