"""Kill switches in words, and the keys that people write for them, for the command line and for Slack.

The one rule: before a switch is thrown it is said what it stops; afterwards who threw it, why, and how to lift it.
"""

from __future__ import annotations

from engine.core.errors import EngineError
from engine.core.switches import Switch, key_of, scope_words
from engine.engine import Engine
from engine.store import RunFilter
from engine.switching import Reach


class WrongKey(EngineError):
    """What was written names no switch; the text says what there is."""


async def key_named(engine: Engine, text: str) -> str:
    """The key that a person wrote: a run by as much of its id as is unique, a workflow that there is or was.

    Raises ``WrongKey``, ``UnknownRun``, ``AmbiguousRun`` and ``UnknownWorkflow``.
    """
    try:
        key = key_of(text)
    except ValueError as error:
        said = str(error)
        raise WrongKey(f"{said[0].upper()}{said[1:]}.") from None
    kind, _, name = key.partition(":")
    if kind == "run":
        return f"run:{await engine.find(name)}"
    if kind == "workflow" and not await engine.runs(RunFilter(workflow=name), limit=1):
        engine.workflow(name)
    return key


def will_stop(key: str, reach: Reach) -> str:
    """What throwing it does, in one or two sentences; not escaped."""
    least = "at least " if reach.more else ""
    some = f"{least}{reach.steps:,} {_plural('step runs', 'steps run', reach.steps)}"
    steps = some if reach.steps else "no step runs"
    runs = f"{least}{reach.runs:,} open {_plural('run', 'runs', reach.runs)}"
    ended = "" if not reach.steps else f" {_plural('It is', 'They are', reach.steps)} ended within a second, and held."
    return f"This stops {scope_words(key)}: {runs}, in which {steps} now.{ended} Nothing starts until it is lifted."


def thrown(switch: Switch) -> str:
    """Who stopped what, and why, without a full stop; not escaped."""
    return f"{switch.by.name} stopped {scope_words(switch.key)}: {switch.reason}"


def _plural(one: str, many: str, count: int) -> str:
    return one if count == 1 else many
