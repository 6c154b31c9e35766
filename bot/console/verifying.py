"""`vb verify` and `vb migrate`: the history, and the tables that it is in.

The one rule: all that is wrong is told, each thing on a line of its own, and the exit code says whether it was nothing.
"""

from __future__ import annotations

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import migrate, reading_engine
from bot.console.launch import DONE, FAILED
from bot.console.output import note, say
from bot.text.plain import one_line
from engine.store import Report


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
