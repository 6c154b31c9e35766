"""`vb approve` and `vb deny`: a person's word at a gate, from a terminal.

The one rule: what is approved is what was shown. A change of values is shown before it is made, and the approval is of
the version that it made.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.console.atgate import Acting, NotDone, acting, why_not
from bot.console.confirm import confirm
from bot.console.filters import pairs
from bot.console.launch import DONE, Misuse
from bot.console.output import note, say
from bot.console.workers import say_who_goes_on
from bot.people import acts
from bot.people.acts import Asking
from bot.text.gate_facts import changed
from bot.text.gate_report import decided_on
from bot.text.plain import one_line
from engine.core import commands as c
from engine.core.state import RunState
from engine.core.words import listed


async def approve(
    settings: Settings, ref: str, gate: str, *, reason: str = "", seen: str = "", yes: bool = False
) -> int:
    """Approve ``gate`` of the run ``ref`` as it is shown here, or if ``seen`` is its evidence. Raises as ``Acting``."""
    async with acting(settings) as here:
        asking = await here.asking(ref, gate)
        if seen:
            _check_seen(asking, seen, here.engine.clock.now())
        else:
            _show(asking, yes=yes)
        return await _vote(here, asking, granted=True, reason=reason)


async def deny(settings: Settings, ref: str, gate: str, *, reason: str = "") -> int:
    """Deny at ``gate`` of the run ``ref``. Raises as ``Acting``."""
    async with acting(settings) as here:
        return await _vote(here, await here.asking(ref, gate), granted=False, reason=reason)


def _check_seen(asking: Asking, seen: str, now: int) -> None:
    """Raises ``NotDone`` where something else is decided on than what the person saw."""
    if not re.fullmatch(r"[0-9a-f]{8,64}", seen):
        raise Misuse(
            "--seen takes the evidence as the request shows it, such as 5f7b6325b0: eight characters at least."
        )
    if not asking.gate.evidence.startswith(seen):
        told = "\n".join(decided_on(asking.gate))
        outdated = c.Outdated(asking.step, asking.gate.version)
        raise NotDone(f"{why_not(asking.state, asking.step, outdated, now)} This is how it is now:\n{told}")


def _show(asking: Asking, *, yes: bool) -> None:
    """Say what is approved. Whoever sits at a terminal is asked; a script has decided. Raises ``Declined``."""
    what = f"This approves {asking.step} of {asking.state.run}:\n" + "\n".join(decided_on(asking.gate))
    if sys.stdin.isatty():
        confirm(what, yes=yes)
    else:
        note(what)


async def approve_changed(
    settings: Settings, ref: str, gate: str, changes: Sequence[str], *, reason: str, yes: bool
) -> int:
    """Change values of the gate (``NAME=VALUE`` each), and approve it as it is then. Raises as ``Acting``."""
    given = pairs(changes, "value to change")
    async with acting(settings) as here:
        asking = await here.asking(ref, gate)
        if asking.gate.request.reason == "always" and not reason.strip():
            raise NotDone(why_not(asking.state, gate, c.ReasonNeeded(), here.engine.clock.now()))
        return await _vote(here, await _changed(here, asking, given, yes=yes), granted=True, reason=reason)


async def _changed(here: Acting, asking: Asking, given: dict[str, str], *, yes: bool) -> Asking:
    """The gate as it is after the change, which is shown before it is made. Raises ``NotDone`` and ``Declined``."""
    run, gate, before = asking.state.run, asking.step, asking.gate
    wanted = acts.change(given)
    command = wanted(asking)
    if isinstance(command, c.InvalidFields):
        raise NotDone(why_not(asking.state, gate, command, here.engine.clock.now()))
    new = {name: value for name, value in command.fields.items() if value != before.fields[name]}
    if not new:
        note(f"{gate} has these values already; it is approved as it is.")
        return asking
    lines = "\n".join(f"  {line}" for line in changed(before.fields, new))
    void = f" Approvals from before do not count any more: {len(before.votes)}." if before.votes else ""
    confirm(f"This changes {gate} of {run}, and approves it as it is then.{void}\n{lines}", yes=yes)
    state = await here.act(asking, wanted)
    now = state.step(gate).gate
    say(f"Changed {gate} of {run}.{void}\n{lines}")
    for step, arguments in (now.inputs if now is not None else {}).items():
        if arguments != before.inputs.get(step):
            say("  " + one_line(f"{step} is to run with {json.dumps(arguments, ensure_ascii=False)}", 2_000))
    # An edit takes the gate back to its first stage, where others may be asked; so by what right is established anew.
    again = await here.asking(run, gate)
    if now is None or again.gate.version != now.version:
        raise NotDone(why_not(state, gate, c.Outdated(gate, again.gate.version), here.engine.clock.now()))
    return again


async def _vote(here: Acting, asking: Asking, *, granted: bool, reason: str) -> int:
    state = await here.act(asking, acts.vote(granted=granted, reason=reason))
    word = "Approved" if granted else "Denied"
    say(f"{word} {asking.step} of {state.run} as {asking.right.by.name} (command line).")
    left = still_needed(state, asking.step)
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
