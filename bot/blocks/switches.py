"""Kill switches in Slack: the form that asks before one is thrown, what is thrown, and what was lifted.

The one rule: what is said before is exactly what will be stopped; afterwards whoever is held is told by whom and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bot.blocks.forms import Place, View, modal
from bot.blocks.gate_forms import reason_block
from bot.blocks.kit import Message, context, escape, section
from bot.blocks.words import because, date, named, one_line
from engine.core.events import Actor
from engine.core.state import RunState, StepStatus
from engine.core.switches import EVERYTHING, Switch, scope_words

KILL_FORM = "switch_kill"

LONGEST_REASON = 500
_KEPT = "Told to everybody whose steps are held, and kept in the history."
_SHOWN = 6


def kill_form(key: str, will_stop: str, place: Place, reason: str) -> View:
    """Asks whether that is meant, and why."""
    why = reason_block("Why?", _KEPT)
    why["element"] |= {"max_length": LONGEST_REASON, **({"initial_value": reason} if reason else {})}
    return modal(
        KILL_FORM, "Stop at once?", "Stop it", place, [section(f"*{one_line(key)}*\n{escape(will_stop)}"), why]
    )


def thrown(command: str, switch: Switch, *, elsewhere: bool = False) -> str:
    """One line about a switch: what it stops, who threw it, when and why, and how to lift it.

    ``elsewhere``: it is told in another workspace than that of which it is.
    """
    who, why = named(switch.by), one_line(switch.reason, 160)
    lift = f"To let it go on: `{command} lift {one_line(switch.key, 80)}`"
    if elsewhere:
        lift = f"Whoever runs Vectorbea lets it go on: `vb lift {one_line(switch.key, 80)}`"
    return f"■ {who} stopped {one_line(scope_words(switch.key), 100)} {date(switch.at)}: {why}. {lift}"


def listed(command: str, switches: Sequence[Switch], *, home: bool = True) -> Message:
    """All that is thrown. ``home``: where it is asked, all of it can be lifted."""
    if not switches:
        said = f"Nothing is stopped. To stop something at once: `{command} kill workflow:NAME why …`"
        return Message(said, (section(said),))
    lines = [thrown(command, one, elsewhere=not home and one.key == EVERYTHING) for one in switches[:_SHOWN]]
    left = len(switches) - len(lines)
    blocks = [section(line) for line in lines]
    if left:
        lines.append(f"and {left} more.")
        blocks.append(context(lines[-1]))
    return Message("\n".join(lines), tuple(blocks))


def lifted(switches: Sequence[Switch]) -> str:
    """What goes on again."""
    what = " and ".join(one_line(scope_words(one.key)) for one in switches)
    return f"Lifted what had stopped {what}; what was held goes on."


def lifted_by(key: str, by: Actor, reason: str, at: int) -> str:
    """One line for those who were told of the throw: what goes on again, and who let it, when and why."""
    what = one_line(scope_words(key), 100)
    return f"→ {named(by)} let {what} go on {date(at)}{because(reason)}. What was held goes on."


def keys_holding(state: RunState) -> list[str]:
    """The switches that hold steps of the run now."""
    return sorted(set(_keys(state)))


def _keys(state: RunState) -> Iterator[str]:
    for _, step in state.opened(StepStatus.HELD):
        if step.hold is not None and step.hold.cause == "switch":
            yield from step.hold.keys
