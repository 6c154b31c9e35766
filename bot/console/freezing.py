"""`vb freeze`, `vb unfreeze` and `vb freezes`: times in which nothing new starts.

The one rule: a freeze has a reason and a name, and whoever is refused because of it is told both.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import defining_engine
from bot.console.filters import instant
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say
from bot.console.whoami import person_here
from bot.text.plain import one_line
from engine.core.durations import parse_duration, say_duration
from engine.core.freezes import Freeze
from engine.core.words import listed


async def freeze(settings: Settings, workflows: Sequence[str], *, reason: str, until: str | None) -> int:
    """Let no run of these workflows (none named: of any) start until it is lifted or over."""
    if not reason.strip():
        raise Misuse("Say why with --reason: whoever is refused is told.")
    async with defining_engine(settings) as engine:
        now = engine.clock.now()
        end = None if until is None else _end(until, now)
        begun = await engine.freeze(by=await person_here(engine), reason=reason, workflows=workflows, until=end)
    say(one_line(f"Frozen: {_told(begun, now)}. To lift it: vb unfreeze {begun.id}", 400))
    return DONE


async def unfreeze(settings: Settings, number: int | None) -> int:
    """Lift one freeze, or all."""
    async with defining_engine(settings) as engine:
        count = await engine.lift(number, by=await person_here(engine))
    say(f"Lifted {counted(count, 'freeze')}." if count else "Nothing is frozen; nothing was changed.")
    return DONE


async def list_freezes(settings: Settings) -> int:
    """What is frozen now."""
    async with defining_engine(settings) as engine:
        found = await engine.freezes()
        now = engine.clock.now()
    for one in found:
        say(one_line(f"{one.id}  {_told(one, now)}", 400))
    if not found:
        note("Nothing is frozen.")
    return DONE


def _end(text: str, now: int) -> int:
    """An age is meant as a time to come here: ``3d`` is in three days."""
    try:
        return now + parse_duration(text)
    except ValueError:
        return instant(text, now, "--until")


def _told(freeze: Freeze, now: int) -> str:
    event = freeze.event
    what = listed(event.workflows) if event.workflows else "all workflows"
    end = "until it is lifted" if event.until is None else f"for {say_duration(max(0, event.until - now))} more"
    return f"{what}, {end}, by {event.by.name}: {event.reason}"
