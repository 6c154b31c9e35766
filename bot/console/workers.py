"""`vb workers`: who is alive, where, and with how much in hand.

The one rule: alive is who holds a lease by the database's clock; nobody is asked, so nobody can fail to answer.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue, TypeAdapter, ValidationError

from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.launch import DONE
from bot.console.output import note, say, say_json, table
from bot.text.plain import one_line
from engine.core.durations import say_duration
from engine.engine import Engine
from engine.store import WorkerInfo, to_text

_IN_HAND = TypeAdapter(list[tuple[str, str]])


async def list_workers(settings: Settings, *, as_json: bool) -> int:
    """The longest alive first."""
    async with reading_engine(settings, any_key=True) as engine:
        found = await engine.workers()
        now = await engine.store.now()
    if as_json:
        say_json([_described(one) for one in found])
    elif found:
        head = ("WORKER", "HOST", "PROCESS", "UP", "IN HAND", "LEASE", "VERSION")
        top, *lines = table(head, [_cells(one, now) for one in found])
        say(top)
        for one, line in zip(found, lines, strict=True):
            say(line)
            for words in _in_hand(one):
                say(words)
    else:
        note("No worker is alive; start one with vb worker or vb serve.")
    return DONE


def _cells(one: WorkerInfo, now: int) -> tuple[str, ...]:
    info = one.info
    in_hand = f"{info.get('steps', '?')} of {info.get('slots', '?')}"
    up, lease = say_duration(max(0, now - one.since)), f"{max(0, one.until - now) / 1_000:.0f} s"
    host, process, version = (str(info.get(name, "?")) for name in ("host", "pid", "version"))
    return one.id, host, process, up, in_hand, lease, version


def _in_hand(one: WorkerInfo) -> Iterator[str]:
    """The steps that it has in hand, each with its run, as far as it names them."""
    try:
        found = _IN_HAND.validate_python(one.info.get("in_hand", ()))
    except ValidationError:
        return  # a newer release may say it otherwise
    for run, step in found:
        yield f"  {one_line(run)}  {one_line(step)}"
    count = one.info.get("steps")
    if isinstance(count, int) and count > len(found) > 0:
        yield f"  and {count - len(found)} more"


def _described(one: WorkerInfo) -> JsonValue:
    return {"worker": one.id, "since": to_text(one.since), "lease_until": to_text(one.until), **one.info}


async def say_who_goes_on(engine: Engine, run: str) -> None:
    """Nobody should wait for a run that nobody works on."""
    if (await engine.state(run)).end is None:
        await say_if_nobody_works(engine)


async def say_if_nobody_works(engine: Engine) -> None:
    """The same of runs that are known to be open."""
    if not await engine.store.workers():
        note("No worker is running here; what is open goes on once there is one: vb worker, or vb serve.")
