"""`vb schedule`: what starts by the clock, and when next.

The one rule: a schedule is part of a definition; here it is only held, let go on, or made up for.
"""

from __future__ import annotations

from pydantic import JsonValue

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.filters import instant
from bot.console.launch import DONE
from bot.console.output import note, say, say_json, table
from bot.console.whoami import person_here
from engine.core.durations import say_duration
from engine.schedules import ScheduleInfo
from engine.store import to_text


async def list_schedules(settings: Settings, *, as_json: bool) -> int:
    """Every schedule, by workflow and number."""
    async with defining_engine(settings) as engine:
        found = await engine.schedules()
        now = engine.clock.now()
    if as_json:
        say_json([_described(one) for one in found])
    elif found:
        head = ("WORKFLOW", "NO", "CRON", "ZONE", "NEXT", "LAST", "LAST RUN")
        for line in table(head, [_cells(one, now) for one in found]):
            say(line)
    else:
        note("Nothing starts by the clock; a definition says so with schedule, and is deployed with vb deploy.")
    return DONE


async def pause(settings: Settings, workflow: str, number: int | None, *, reason: str) -> int:
    """Let it start nothing until it is resumed."""
    async with defining_engine(settings) as engine:
        count = await engine.timetable.pause(workflow, number, by=await person_here(engine), reason=reason)
    say(f"Paused {counted(count, 'schedule')} of {workflow}." if count else f"{workflow} was paused already.")
    return DONE


async def resume(settings: Settings, workflow: str, number: int | None, *, reason: str) -> int:
    """Let it go on from its next instant."""
    async with defining_engine(settings) as engine:
        count = await engine.timetable.resume(workflow, number, by=await person_here(engine), reason=reason)
    say(f"Resumed {counted(count, 'schedule')} of {workflow}." if count else f"{workflow} was not paused.")
    return DONE


async def backfill(settings: Settings, workflow: str, number: int, *, since: str, until: str | None) -> int:
    """Start a run for each instant between the two times."""
    async with defining_engine(settings) as engine:
        now = engine.clock.now()
        start, end = instant(since, now, "--from"), now if until is None else instant(until, now, "--to")
        begun = await engine.timetable.backfill(workflow, number, start, end, by=await person_here(engine))
    for one in begun:
        say(f"{one.run}{' was started before' if one.duplicate else ''}")
    new = sum(not one.duplicate for one in begun)
    note(f"Started {counted(new, 'run')} for {counted(len(begun), 'instant')}.")
    return DONE


def _cells(one: ScheduleInfo, now: int) -> tuple[str, ...]:
    if one.paused is not None:
        following = f"paused by {one.paused.event.by.name}"
    else:
        following = "never" if one.next_at is None else f"in {say_duration(max(0, one.next_at - now))}"
    last = "" if one.last_at is None else f"{say_duration(max(0, now - one.last_at))} ago"
    schedule = one.schedule
    return one.workflow, str(one.number), schedule.cron, schedule.timezone, following, last, one.last_run or ""


def _described(one: ScheduleInfo) -> JsonValue:
    return {
        "workflow": one.workflow,
        "number": one.number,
        "cron": one.schedule.cron,
        "timezone": one.schedule.timezone,
        "next_at": None if one.next_at is None else to_text(one.next_at),
        "last_at": None if one.last_at is None else to_text(one.last_at),
        "last_run": one.last_run,
        "paused_by": None if one.paused is None else one.paused.event.by.name,
    }
