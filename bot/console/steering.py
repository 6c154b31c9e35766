"""`vb pause`, `redrive`, `settle`, `move`, `signal` and the like: what operators do to a run, as this machine's user.

The one rule: a gate is a gate. Where the command line may not decide at gates, it may not skip or answer one either.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import steering_engine
from bot.console.atgate import check_going_past
from bot.console.filters import pairs
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, say
from bot.console.whoami import acting_here
from bot.console.workers import say_who_goes_on
from bot.text.plain import one_line
from engine.core import commands as c
from engine.core import paths
from engine.core.events import Actor, SettledAs
from engine.core.graph import Kind
from engine.core.state import AT_WORK, RunState
from engine.core.words import did_you_mean, listed
from engine.engine import Engine
from engine.handle import Begun
from engine.ids import Ids

_ANSWERS: Final[dict[str, SettledAs]] = {
    "happened": "happened",
    "did-not-happen": "did_not_happen",
    "retry": "retry",
    "accept": "accept",
    "fail": "fail",
}
_WITH_RESULT: Final = ("happened", "retry", "accept")


@dataclass(frozen=True, slots=True)
class Deed:
    """What is asked of the engine for a run, by whom, and what is said once it is done, from the run as it is then.

    ``step``: the step that it decides for. ``goes_on``: somebody has to work on the run afterwards.
    """

    ask: Callable[[Engine, str, Actor], Awaitable[c.Reply]]
    done: Callable[[RunState], str]
    step: str | None = None
    goes_on: bool = True


async def steer(settings: Settings, ref: str, deed: Deed) -> int:
    """Do it to the run ``ref``. Raises as ``check_going_past`` if it would decide for a gate."""
    async with steering_engine(settings) as engine:
        run, by = await engine.find(ref), await acting_here(settings, engine)
        if deed.step is not None and _has_gate(state := await engine.state(run), deed.step):
            check_going_past(settings, by, state)
        reply = await deed.ask(engine, run, by)
        refused = _refusal(run, reply)
        if refused:
            note(refused)
            return FAILED
        if isinstance(reply, c.Nothing):
            say(f"{run} was so already; nothing was changed.")
            return DONE
        say(one_line(deed.done(await engine.state(run)), 600))
        if deed.goes_on:
            await say_who_goes_on(engine, run)
    return DONE


async def fork_run(settings: Settings, ref: str, step: str, to: str | None) -> int:
    """Start a run that goes on from what ``ref`` had before ``step``."""
    async with steering_engine(settings) as engine:
        run = await engine.find(ref)
        begun = await engine.operations.fork(run, step, by=await acting_here(settings, engine), definition=to)
        if not isinstance(begun, Begun):
            note(f"{run} was not forked: {begun.reason}.")
            return FAILED
        state = await engine.state(begun.run)
        taken = [path for path, one in state.steps.items() if one.status in ("completed", "skipped")]
        kept = f" It takes over: {listed(sorted(taken))}." if taken else ""
        say(f"Started {begun.run} from {run} at {step}.{kept}")
        await say_who_goes_on(engine, begun.run)
    return DONE


async def send_signal(
    settings: Settings, name: str, payload: str, *, ref: str | None, correlation: str | None, id_: str | None
) -> int:
    """Send a signal to a run, or to whichever run waits for its correlation."""
    if (ref is None) == (correlation is None):
        raise Misuse("Say whom it is for: a run (--run RUN), or whoever waits for a text (--for TEXT).")
    value = json_of(payload, "The payload")
    sent_id = id_ or Ids().worker().replace("wrk_", "sig_")
    async with steering_engine(settings) as engine:
        run = None if ref is None else await engine.find(ref)
        reply = await engine.operations.signal(
            name, value, by=await acting_here(settings, engine), id=sent_id, run=run, correlation=correlation
        )
        refused = "" if run is None else _refusal(run, reply)
        if refused:
            note(refused)
            return FAILED
        where = f"to {run}" if run is not None else f"to whoever waits for {correlation}, now or later"
        say(one_line(f"Sent {name} {where}; its id is {sent_id}."))
        if run is not None:
            await say_who_goes_on(engine, run)
    return DONE


def pause(reason: str) -> Deed:
    def done(state: RunState) -> str:
        busy = [path for path, _ in state.opened(*AT_WORK)]
        left = f"; {listed(busy)} is finished first" if busy else ""
        return f"Paused {state.run}: nothing new starts{left}. To go on: vb resume {state.run}"

    return Deed(lambda engine, run, by: engine.operations.pause(run, by=by, reason=reason), done, goes_on=False)


def resume(reason: str) -> Deed:
    return Deed(
        lambda engine, run, by: engine.operations.resume(run, by=by, reason=reason),
        lambda state: f"Resumed {state.run}.",
    )


def cancel(reason: str) -> Deed:
    def done(state: RunState) -> str:
        if state.end is not None:
            return f"Cancelled {state.run}."
        if state.undoing:
            return f"{state.run} is stopping: first it undoes {listed(state.undoing)}."
        busy = [path for path, _ in state.opened(*AT_WORK)]
        return f"{state.run} is stopping: nothing more starts, and {listed(busy)} is told to stop."

    return Deed(lambda engine, run, by: engine.operations.cancel(run, by=by, reason=reason), done)


def redrive(steps: Sequence[str], reason: str) -> Deed:
    return Deed(
        lambda engine, run, by: engine.operations.redrive(run, by=by, reason=reason, steps=steps),
        lambda state: f"{state.run} goes on: {listed(steps) if steps else 'what had failed'} is tried again.",
    )


def retry(step: str, reason: str) -> Deed:
    return Deed(
        lambda engine, run, by: engine.operations.retry_from(run, step, by=by, reason=reason),
        lambda state: f"{state.run} goes on from {step}, which is done anew with all that follows from it.",
    )


def skip(step: str, reason: str) -> Deed:
    return Deed(
        lambda engine, run, by: engine.operations.skip(run, step, by=by, reason=reason),
        lambda state: f"Skipped {step} of {state.run}.",
        step,
    )


def set_output(step: str, output: str, reason: str) -> Deed:
    value = json_of(output, "The output")
    return Deed(
        lambda engine, run, by: engine.operations.set_output(run, step, value, by=by, reason=reason),
        lambda state: f"Set the output of {step} of {state.run}; it counts as done.",
        step,
    )


def settle(step: str, answer: str, result: str | None, reason: str) -> Deed:
    if answer not in _ANSWERS:
        raise Misuse(f"{answer!r} is no answer; {did_you_mean(answer, _ANSWERS)}")
    if result is not None and answer not in _WITH_RESULT:
        raise Misuse(f"--result goes with {listed(_WITH_RESULT)}: the result, or the arguments to change.")
    if result is None and answer == "retry":
        raise Misuse('retry takes the arguments to change, such as --result \'{"prompt": "…"}\'')
    meant = _ANSWERS[answer]
    value = None if result is None else json_of(result, "The result")
    words = {
        "happened": "happened",
        "did_not_happen": "did not happen, and is run again",
        "retry": "is tried again with your change",
        "accept": "is accepted as it is",
        "fail": "failed",
    }
    return Deed(
        lambda engine, run, by: engine.operations.settle(run, step, meant, by=by, result=value, reason=reason),
        lambda state: f"Recorded for {state.run}: {step} {words[meant]}.",
    )


def move(to: str | None, renamed: Sequence[str], reason: str) -> Deed:
    names = pairs(renamed, "renaming")
    return Deed(
        lambda engine, run, by: engine.operations.move(run, by=by, definition=to, renamed=names, reason=reason),
        lambda state: f"{state.run} follows the definition {state.definition[:12]} from here on.",
    )


def recode(codes: Sequence[str], reason: str) -> Deed:
    uses = pairs(codes, "pair of step codes")
    told = listed([f"{new} instead of {old}" for old, new in uses.items()])
    return Deed(
        lambda engine, run, by: engine.operations.recode(run, uses, by=by, reason=reason),
        lambda state: f"{state.run} uses {told} from here on.",
    )


def label(labels: Sequence[str], remove: Sequence[str]) -> Deed:
    given: dict[str, str | None] = {**pairs(labels, "label"), **dict.fromkeys(remove)}
    if not given:
        raise Misuse("There is no label to set or to take away; write NAME=VALUE, or --remove NAME.")

    def done(state: RunState) -> str:
        kept = listed([f"{name}={value}" for name, value in sorted(state.labels.items())])
        return f"The labels of {state.run} are: {kept}." if kept else f"{state.run} has no labels any more."

    return Deed(lambda engine, run, by: engine.operations.label(run, given, by=by), done, goes_on=False)


def json_of(text: str, what: str) -> JsonValue:
    """The JSON value in ``text``. Raises ``Misuse``."""
    try:
        return json.loads(text, parse_constant=partial(_no_number, what))
    except json.JSONDecodeError as error:
        where = f"{error.msg} at character {error.pos + 1}"
        raise Misuse(f"{what} is no JSON ({where}); write it as '{{\"id\": 1}}', '\"text\"' or null.") from None


def _no_number(what: str, constant: str) -> JsonValue:
    raise Misuse(f"{what} has {constant}, which is no JSON; write null.")


def _has_gate(state: RunState, path: str) -> bool:
    """Whether the step is a gate, or has one inside."""
    try:
        place = state.plan.node(path).template
    except KeyError:
        return False
    return any(
        node.kind is Kind.GATE and (template == place or paths.is_inside(template, place))
        for template, node in state.plan.nodes.items()
    )


def _refusal(run: str, reply: c.Reply) -> str:
    """Why nothing was done; empty if it was."""
    match reply:
        case c.NotAllowed(reason):
            return f"{run} was left as it is: {reason}{'' if reason.endswith('?') else '.'}"
        case c.InvalidFields(problems):
            return f"{run} was left as it is: {'; '.join(problems.values())}."
        case c.Ended(status):
            return f"{run} has ended already ({status.value}); nothing was changed."
        case _:
            return ""
