"""Schedules, time zones and instants: whether the clock can ever show them.

The one rule: what the clock says now is of no interest; an instant in the past is a pause of no length.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import available_timezones

from cronsim import CronSim, CronSimError

from engine.core.checks.inputs import field_of
from engine.core.draft import Draft, DraftStep, mapping, text, texts
from engine.core.hours import is_zone
from engine.core.inputs import read_value
from engine.core.problems import Finding, Path
from engine.core.words import did_you_mean, nearest

_FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")
_ANY_DAY = datetime(2000, 1, 1)  # noqa: DTZ001  only asked whether the fields make sense


def check_times(draft: Draft) -> Iterator[Finding]:
    """Cron fields, time zones, the inputs of schedules, and the instants that pauses last until."""
    for at, schedule in enumerate(draft.schedules):
        path: Path = ("schedule", at)
        cron, zone = text(schedule.get("cron")), text(schedule.get("timezone"))
        if cron is not None and len(cron.split()) == len(_FIELDS):
            yield from _cron((*path, "cron"), cron)
        if zone is not None:
            yield from zone_problem((*path, "timezone"), zone)
        yield from _scheduled_input(path, schedule.get("input", {}), draft)
    for step in draft.steps:
        yield from _until(step)


def _cron(path: Path, cron: str) -> Iterator[Finding]:
    fields = cron.split()
    for field, name in enumerate(_FIELDS):
        alone = ["*"] * len(_FIELDS)
        alone[field] = fields[field]
        if not _is_cron(" ".join(alone)):
            advice = "such as 30 9 * * 1-5 for 09:30 on working days"
            yield Finding(path, f"{fields[field]} is no {name}", f"the fields are {', '.join(_FIELDS)}; {advice}")
            return
    if not _is_cron(cron, ever=True):
        yield Finding(path, "no day fits these fields", "a day of the month has to exist in one of the months")


def _is_cron(cron: str, *, ever: bool = False) -> bool:
    try:
        times = CronSim(cron, _ANY_DAY)
        return not ever or next(times, None) is not None
    except CronSimError:
        return False


def zone_problem(path: Path, zone: str) -> Iterator[Finding]:
    """That there is no such time zone, if there is none."""
    if not is_zone(zone):
        match = nearest(zone, sorted(available_timezones()))
        advice = f"did you mean {match}?" if match else "write an IANA name, such as Europe/Paris"
        yield Finding(path, f"there is no time zone {zone}", advice)


def _scheduled_input(path: Path, given: object, draft: Draft) -> Iterator[Finding]:
    values = mapping(given)
    if values is None:
        return
    for place, _ in texts((*path, "input"), values):
        yield Finding(place, "expressions have nothing to refer to here", "write the value itself")
    for name, value in values.items():
        field = field_of(draft.inputs.get(name)) if name in draft.inputs else None
        if name not in draft.inputs:
            advice = did_you_mean(name, sorted(draft.inputs)) or "declare it under input"
            yield Finding((*path, "input", name), f"there is no input {name}", advice)
        elif field is not None and value is not None and not any(texts((), value)):
            try:
                read_value(name, field, value)
            except ValueError as error:
                yield Finding((*path, "input", name), str(error))
    for name, raw in draft.inputs.items():
        field = field_of(raw)
        if field is not None and field.is_required and values.get(name) is None:
            message = f"{name} has no value when the clock starts the workflow"
            yield Finding((*path, "input"), message, f"give {name} here, or a default")


def _until(step: DraftStep) -> Iterator[Finding]:
    until = text((mapping(step.data.get("sleep")) or {}).get("until"))
    if until is None or "${{" in until:
        return
    path = (*step.path, "sleep", "until")
    advice = "write it such as 2030-01-31T09:00:00+01:00"
    try:
        instant = datetime.fromisoformat(until)
    except ValueError:
        yield Finding(path, f"{until} is no date and time", advice)
        return
    if instant.tzinfo is None:
        yield Finding(path, f"{until} does not say which time zone it is in", advice)
