"""`vb kill`, `vb lift` and `vb switches`: stopping what is under way, at once, and letting it go on.

The one rule: before anything is stopped, it is said how much; and what has been stopped is told how to lift it.
"""

from __future__ import annotations

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import defining_engine, steering_engine
from bot.console.confirm import confirm
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say, say_json
from bot.console.whoami import person_here
from bot.text.plain import one_line
from bot.text.switches import key_named, key_to_throw, thrown, will_stop
from engine.core.durations import say_duration
from engine.core.switches import Switch
from engine.store import to_text


async def kill(settings: Settings, what: str, *, reason: str, yes: bool) -> int:
    """Throw the switch, after saying what it stops."""
    if not reason.strip():
        raise Misuse("Say why with --reason: everybody whose steps it holds is told.")
    async with defining_engine(settings) as engine:
        key = await key_to_throw(engine, what)
        confirm(one_line(will_stop(key, await engine.switches.reach(key)), 500), yes=yes)
        switch = await engine.switches.throw(key, by=await person_here(engine), reason=reason)
    say(one_line(f"Stopped: {thrown(switch)}. To lift it: vb lift {key}", 500))
    return DONE


async def lift(settings: Settings, what: str, *, reason: str) -> int:
    """Lift the switch; a worker goes on with what it held."""
    async with steering_engine(settings) as engine:
        key = await key_named(engine, what)
        lifted = await engine.switches.lift(key, by=await person_here(engine), reason=reason)
    say(one_line(f"Lifted, what it held goes on: {thrown(lifted)}.", 500))
    return DONE


async def list_switches(settings: Settings, *, as_json: bool) -> int:
    """What is stopped now."""
    async with defining_engine(settings) as engine:
        found = await engine.switches.thrown()
        now = engine.clock.now()
    if as_json:
        say_json([_described(one) for one in found])
        return DONE
    for one in found:
        ago = say_duration(max(0, now - one.at))
        say(one_line(f"{one.key}  {thrown(one)}, {ago} ago; to lift it: vb lift {one.key}", 500))
    if not found:
        note("Nothing is stopped.")
    return DONE


def _described(one: Switch) -> dict[str, JsonValue]:
    by: dict[str, JsonValue] = {"via": one.by.via, "id": one.by.id, "name": one.by.name}
    return {"key": one.key, "by": by, "reason": one.reason, "at": to_text(one.at), "epoch": one.epoch}
