"""After a database was restored from an older backup: which runs the world outside knows more of, and what of that.

The one rule: nothing is guessed. An effect that was seen outside is on record only if the run's events name its key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.core import events as e
from engine.core import paths
from engine.records import recorded
from engine.steps.context import WHOLE_STEP, effect_key
from engine.store import Log, RestoredReport, StoredEvent, Witness, restored


async def hold_against(store: Log, witnesses: Iterable[Witness]) -> RestoredReport:
    """Hold the log against what was seen outside; reads only. Its ``must_wait`` are the runs to pause."""
    return await restored(store, witnesses, effect_keys)


def effect_keys(run: str, events: Sequence[StoredEvent]) -> set[str]:
    """The idempotency keys that these events tell of: those of effects begun, and those that whole steps were given."""
    keys: set[str] = set()
    generations: dict[str, int] = {}
    for stored in events:
        match recorded(stored).event:
            case e.EffectStarted(key=key):
                keys.add(key)
            case e.StepStarted(step=step):
                keys.add(effect_key(run, step, WHOLE_STEP, _generation(generations, step)))
            case e.StepSettled(step=step, answer="did_not_happen"):
                generations[step] = generations.get(step, 1) + 1
            case e.StepsReset(steps=steps):
                generations |= {step: generations.get(step, 1) + 1 for step in steps}
            case e.RunReopened():
                generations[paths.ON_FAILURE] = generations.get(paths.ON_FAILURE, 1) + 1
            case _:
                pass
    return keys


def _generation(grown: dict[str, int], step: str) -> int:
    """A step has its own generation, or that of the loop or group that it is inside of."""
    place = step
    while place not in grown:
        outer = paths.loop_of(place) or paths.group_of(place)
        if not outer:
            return 1
        place = outer
    return grown[place]
