"""`vb approve` and `vb deny`: a person's word at a gate, from a terminal.

The one rule: what is approved is what was shown. A change of values is shown before it is made, and the approval is of
the version that it made.
"""

from __future__ import annotations

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.console.atgate import acting
from bot.console.launch import DONE
from bot.console.output import note, say
from bot.people import acts
from engine.core.state import RunState
from engine.core.words import listed
from engine.engine import Engine


async def decide(settings: Settings, ref: str, gate: str, *, granted: bool, reason: str) -> int:
    """Approve or deny ``gate`` of the run ``ref``. Raises as ``Acting``."""
    async with acting(settings) as here:
        asking = await here.asking(ref, gate)
        state = await here.act(asking, acts.vote(granted=granted, reason=reason))
        word = "Approved" if granted else "Denied"
        say(f"{word} {gate} of {state.run} as {asking.right.by.name} (command line).")
        left = still_needed(state, gate)
        if left:
            note(left)
        else:
            await say_who_goes_on(here.engine, state.run)
    return DONE


def still_needed(state: RunState, path: str) -> str:
    """What the gate waits for after an approval that did not decide it; nothing if it is decided."""
    gate = state.step(path).gate
    if gate is None or gate.decision is not None:
        return ""
    stage = f" in stage {gate.current.name}" if gate.current.name else ""
    left = "everybody's approval" if gate.needed is None else counted(gate.needed, "more approval")
    return f"It counts, and the gate waits for {left}{stage}, by {listed(gate.asked)}."


async def say_who_goes_on(engine: Engine, run: str) -> None:
    """Nobody should wait for a run that nobody works on."""
    if (await engine.state(run)).end is None and not await engine.store.workers():
        note("No worker is running here; the run goes on once there is one: vb worker, or vb serve.")
