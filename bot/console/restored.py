"""`vb witness` and `vb verify --restored`: what the world knows that a restored history does not.

The one rule: nothing is mended here. The runs that would go on not knowing what they have done are named, and paused if
that is asked for; what becomes of each is for a person to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, out, say
from bot.console.whoami import person_here
from bot.text.plain import one_line
from engine.core import commands as c
from engine.engine import Engine
from engine.restoring import hold_against
from engine.store import (
    Behind,
    EffectSeen,
    RestoredReport,
    Witness,
    bear_witness,
    from_line,
)

_PLACES_SHOWN = 3
_REASON = "the history was restored, and is behind what was seen outside"


async def print_witness(settings: Settings) -> int:
    """Every head, and every person's erasure, as JSON lines."""
    async with reading_engine(settings) as engine:
        async for line in bear_witness(engine.store, engine.store.database.name):
            out.out(line, highlight=False)
    return DONE


async def verify_restored(settings: Settings, files: Sequence[Path], *, pause: bool) -> int:
    """Hold the history against the witnesses in ``files``; with ``pause``, hold the runs that must wait."""
    witnesses = list(_witnesses(files))
    async with reading_engine(settings, any_key=not pause) as engine:
        report = await hold_against(engine.store, witnesses)
        for behind in report.behind:
            say(one_line(_told(behind), 1_000))
        for person in report.revived:
            say(one_line(f"{person} was erased, and is back with the backup: vb erase {person}"))
        for run in report.unreadable:
            say(f"{run} was erased: nobody can tell whether it knows of the effects that were seen.")
        paused = await _pause(engine, report) if pause else []
    if report.ok:
        say(f"The history knows all that was seen outside: {counted(report.witnesses, 'line')} of witness.")
        return DONE
    waiting = [run for run in report.must_wait if run not in paused]
    if paused:
        note(f"Paused: {counted(len(paused), 'run')}. Look at each before vb resume, vb cancel or vb fork.")
    if waiting:
        note(f"{counted(len(waiting), 'run')} must wait, or will do again what was done: add --pause.")
    return FAILED


def _witnesses(files: Sequence[Path]) -> Iterator[Witness]:
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise Misuse(f"{file} cannot be read; give a file that vb witness wrote.") from None
        for number, line in enumerate(lines, 1):
            try:
                yield from [from_line(line)] if line.strip() else []
            except ValueError as error:
                raise Misuse(f"{file}:{number}: {error}.") from None


def _told(behind: Behind) -> str:
    seen = [
        f"effect {it.key}" if isinstance(it, EffectSeen) else f"event {it.seq}{f' in {it.where}' if it.where else ''}"
        for it in behind.seen
    ]
    more = f" and {len(seen) - _PLACES_SHOWN} more" if len(seen) > _PLACES_SHOWN else ""
    has = f"ends at event {behind.seq}" if behind.seq else "is not there at all"
    over = ", and has ended" if behind.ended else ""
    return f"{behind.stream} {has}{over}; seen outside: {', '.join(seen[:_PLACES_SHOWN])}{more}."


async def _pause(engine: Engine, report: RestoredReport) -> list[str]:
    """Pause the runs that must wait; those that could be."""
    paused: list[str] = []
    for run in report.must_wait:
        reply = await engine.operations.pause(run, by=await person_here(engine), reason=_REASON)
        if isinstance(reply, c.NotAllowed):
            note(f"{run} was not paused: {reply.reason}.")
        else:
            paused.append(run)
    return paused
