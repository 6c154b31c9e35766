"""Kill switches in words, and the keys that people write for them, for the command line and for Slack.

The one rule: before a switch is thrown it is said what it stops; afterwards who threw it, why, and how to lift it.
"""

from __future__ import annotations

from collections.abc import Collection

from engine.core.errors import Miswritten
from engine.core.estimate import models_of
from engine.core.switches import Switch, key_of, scope_words
from engine.core.words import did_you_mean
from engine.engine import Engine
from engine.plans import read
from engine.store import RunFilter
from engine.switching import Reach

_LOOK_S = 0.5
"""For steps that use what no definition names; it is looked once more for how many, and Slack waits for both."""


class WrongKey(Miswritten):
    """What was written names no switch; the text says what there is."""


async def key_named(engine: Engine, text: str) -> str:
    """The key that a person wrote: a run by as much of its id as is unique, a workflow that there is or was.

    What is thrown is named by its key, whatever that is. Raises ``WrongKey``, ``UnknownRun``, ``AmbiguousRun`` and
    ``UnknownWorkflow``.
    """
    if any(one.key == text for one in await engine.switches.thrown()):
        return text
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


async def key_to_throw(engine: Engine, text: str) -> str:
    """The same, of a switch that would stop something. Raises ``WrongKey`` also for a name that nothing here has.

    Whoever mistypes a name in a hurry would else be told that it is stopped.
    """
    key = await key_named(engine, text)
    kind, _, name = key.partition(":")
    known = _used(engine, kind)
    if known is None or name in known:
        return key
    # A worker may have code that this process has not, and a run a definition that is deployed no more.
    reach = await engine.switches.reach(key, _LOOK_S)
    if not reach.steps and not reach.more:
        raise WrongKey(
            f"No {kind} {name} is used here, so that would stop nothing; {did_you_mean(name, sorted(known))}"
        )
    return key


def _used(engine: Engine, kind: str) -> Collection[str] | None:
    """The names of that kind which steps of deployed workflows have, as far as this process knows; None: any."""
    workflows = engine.workflows.values()
    if kind not in ("step", "provider", "model"):
        return None
    if kind == "step":
        return set(engine.registry.catalog())
    plans = (read(one, engine.definitions.children(one)) for one in workflows)
    models = {model for plan in plans for _, model in models_of(plan)}
    return models if kind == "model" else {model.partition(":")[0] for model in models}


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
