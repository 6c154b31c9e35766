"""`vb bulk`: one operation on every run that fits.

The one rule: it is said how many runs there are and what will happen to them, and done only after a yes.
"""

from __future__ import annotations

from typing import Final, cast

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import steering_engine
from bot.console.asked import Asked
from bot.console.confirm import confirm
from bot.console.filters import wanted_by
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, progress, say
from bot.console.whoami import acting_here
from bot.text.plain import one_line
from engine.bulk import Action, Tally
from engine.core.words import did_you_mean

_ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "pause": ("would be paused", "Paused"),
    "resume": ("would go on", "Resumed"),
    "cancel": ("would be cancelled", "Cancelled"),
    "redrive": ("would be redriven", "Redriven"),
}
REFUSALS_SHOWN = 20


async def for_all(settings: Settings, action: str, asked: Asked, *, reason: str, dry_run: bool, yes: bool) -> int:
    """Do ``action`` to every run that fits. Raises ``Misuse`` for an unknown action, or without any filter."""
    if action not in _ACTIONS:
        raise Misuse(f"There is no bulk action {action!r}; {did_you_mean(action, _ACTIONS)}")
    if not asked.says_anything:
        raise Misuse("Say which runs are meant, such as --workflow NAME, --label a=b or --older-than 3d.")
    meant, (would, done) = cast("Action", action), _ACTIONS[action]
    async with steering_engine(settings) as engine:
        where = await wanted_by(engine, asked)
        count = await engine.bulk.count(meant, where)
        if count == 0:
            note("There is no such run to which that could be done.")
            return DONE
        if dry_run:
            say(f"{counted(count, 'run')} {would}; nothing was changed.")
            return DONE
        confirm(f"{counted(count, 'run')} {would}.", yes=yes)
        with progress() as show:
            tally = await engine.bulk.apply(
                meant,
                where,
                by=await acting_here(settings, engine),
                reason=reason,
                told=lambda tally: show(f"{_asked(tally)} of {count}"),
            )
    say(f"{done}: {counted(tally.done, 'run')}.")
    _say_refused(tally)
    return FAILED if tally.refused else DONE


def _asked(tally: Tally) -> int:
    return tally.done + len(tally.refused)


def _say_refused(tally: Tally) -> None:
    for run, why in list(tally.refused.items())[:REFUSALS_SHOWN]:
        note(one_line(f"{run} was left as it is: {why}.", 400))
    if len(tally.refused) > REFUSALS_SHOWN:
        note(f"And {len(tally.refused) - REFUSALS_SHOWN} more were left as they are.")
