"""`vb budget`: what may be spent, what is, and how fast.

The one rule: figures are those of the ledger at that moment, in the period that now is.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import JsonValue

from bot.charts import draw, in_words
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say, say_json
from bot.console.whoami import person_here
from bot.text.budgets import limit_of, name_of, standing, told_in, was_set
from bot.text.plain import one_line
from engine.budgets import BudgetInfo
from engine.core.money import parse_share
from engine.store import to_text


async def show(settings: Settings, *, as_json: bool) -> int:
    """How all budgets stand now."""
    async with defining_engine(settings) as engine:
        found = await engine.budgets.shown()
        zone = await engine.budgets.timezone()
        now = engine.clock.now()
    if as_json:
        say_json([_described(one, now) for one in found])
        return DONE
    for one in found:
        say(one_line(standing(one, now), 500))
    note(f"Days and months are those of {zone}. To set one: vb budget set WHOSE AMOUNT --per day.")
    return DONE


async def set_one(
    settings: Settings, whose: str, amount: str, *, per: str, alert_at: str | None, channel: str | None, reason: str
) -> int:  # fmt: skip
    """Set a budget; what it held goes on if there is room for it now."""
    limit, where = limit_of(amount), None if channel is None else told_in(channel)
    shares = None if alert_at is None else _shares(alert_at)
    async with defining_engine(settings) as engine:
        name = await name_of(engine, whose, per)
        new = await engine.budgets.set(
            name, limit, by=await person_here(engine), reason=reason, alert_at=shares, channel=where
        )
    say(one_line(f"{was_set(name, limit, new=new, channel=where)}.", 500))
    return DONE


async def timezone(settings: Settings, zone: str) -> int:
    """Count days and months in this zone from now on."""
    async with defining_engine(settings) as engine:
        new = await engine.budgets.set_timezone(zone, by=await person_here(engine))
    say(f"The days and months of runs that start from now on are those of {zone}." if new else f"It is {zone} already.")
    return DONE


async def chart(settings: Settings, out: Path, days: int) -> int:
    """Write the picture of what was spent to ``out``, and say the same in words."""
    async with defining_engine(settings) as engine:
        found = await engine.budgets.by_day(days)
    _write(out, draw(found))
    say(one_line(in_words(found), 2_000))
    note(f"The picture is in {out}.")
    return DONE


def _write(out: Path, picture: bytes) -> None:
    try:
        out.write_bytes(picture)
    except OSError as error:
        raise Misuse(f"--out: {out} cannot be written: {error.strerror}.") from None


def _shares(text: str) -> tuple[int, ...]:
    try:
        return tuple(parse_share(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise Misuse(f"--alert-at: {error}.") from None


def _described(one: BudgetInfo, now: int) -> dict[str, JsonValue]:
    """Amounts in millionths of a dollar."""
    set_by = one.budget
    trend = one.trend(now)
    by: JsonValue = None if set_by is None else {"via": set_by.by.via, "id": set_by.by.id, "name": set_by.by.name}
    return {
        "budget": one.name,
        "limit": one.limit,
        "spent": one.spent,
        "reserved": one.reserved,
        "per_hour": None if trend is None else trend.per_hour,
        "projected": None if trend is None else trend.by_end,
        "used_up": None if trend is None or trend.used_up is None else to_text(trend.used_up),
        "ends": None if one.ends is None else to_text(one.ends),
        "alert_at": [] if set_by is None else list(set_by.alert_at),
        "channel": "" if set_by is None else set_by.channel,
        "by": by,
        "reason": "" if set_by is None else set_by.reason,
    }
