"""`vb approve` and `vb deny`: a person's word at a gate, recorded as this machine's user.

The one rule: the command line speaks for a person in Slack only where they have said there that this account is theirs.
It decides only where the operator's settings let it, and the log says that it was the command line.
"""

from __future__ import annotations

from bot.blocks.words import counted
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.launch import DONE, FAILED, Misuse
from bot.console.output import note, say
from bot.console.whoami import acting_here, machine, me
from bot.people.authority import Right, right_at_console
from bot.people.policy import Refused
from bot.text.plain import one_line
from engine.core import commands as c
from engine.core import paths
from engine.core.durations import say_duration
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.graph import Kind
from engine.core.state import GateDecision, RunState, StepStatus
from engine.core.words import listed
from engine.engine import Engine


class DecidingIsOff(EngineError):
    """The settings do not let the command line decide."""


def right_here(settings: Settings, by: Actor) -> Right:
    """By what right this machine's user, or whose account that is, decides. Raises ``DecidingIsOff``."""
    right = right_at_console(by, machine(), allowed=settings.cli_approvals)
    if isinstance(right, Refused):
        raise DecidingIsOff(right.sentence)
    return right


async def decide(settings: Settings, ref: str, gate: str, *, granted: bool, reason: str) -> int:
    """Approve or deny ``gate`` of the run ``ref``. Raises ``DecidingIsOff``, and ``Misuse`` for what is no gate."""
    right_here(settings, me())
    async with reading_engine(settings) as engine:
        right = right_here(settings, await acting_here(settings, engine))
        run = await engine.find(ref)
        state = await engine.state(run)
        _check_gate(state, gate)
        asked = state.step(gate).gate
        vote = c.Vote(
            gate,
            granted=granted,
            by=right.by,
            authority=right.authority,
            reason=reason,
            version=None if asked is None else asked.version,
            seat=right.seat,
        )
        reply = await engine.vote(run, vote)
        now = engine.clock.now()
        if not isinstance(reply, c.Accepted):
            note(_refusal(run, gate, await engine.state(run), reply, now))
            return FAILED
        word = "Approved" if granted else "Denied"
        say(f"{word} {gate} of {run} as {vote.by.name} (command line).")
        left = still_needed(await engine.state(run), gate)
        if left:
            note(left)
        else:
            await say_who_goes_on(engine, run)
    return DONE


def still_needed(state: RunState, path: str) -> str:
    """What the gate waits for after an approval that did not decide it; nothing if it is decided."""
    gate = state.step(path).gate
    if gate is None or gate.decision is not None:
        return ""
    stage = f" in stage {gate.current.name}" if gate.current.name else ""
    left = "everybody's approval" if gate.needed is None else counted(gate.needed, "more approval")
    return f"It counts, and the gate waits for {left}{stage}, by {listed(gate.asked)}."


def _check_gate(state: RunState, gate: str) -> None:
    gates = [template for template, node in state.plan.nodes.items() if node.kind is Kind.GATE]
    if paths.template_of(gate) not in gates:
        there = f"its gates are: {listed(gates)}" if gates else "it has none"
        raise Misuse(f"{state.started.workflow} has no gate named {gate}; {there}.")


def _refusal(run: str, gate: str, state: RunState, reply: c.Reply, now: int) -> str:
    """Why nothing was decided."""
    match reply:
        case c.AlreadyDecided(decision):
            return f"{gate} was already {_decided(decision, now)}; nothing was changed."
        case c.NotAllowed(reason):
            return f"{gate} was not decided: {reason}."
        case c.ReasonNeeded():
            return f"{gate} wants a reason, nothing was decided; give one with --reason."
        case c.AlreadyVoted(ballot):
            return f"{ballot.seat.name} has approved {gate} already; nothing was changed."
        case c.NotAsked(asked):
            return f"{gate} now asks {listed(asked)}; nothing was changed."
        case c.Outdated():
            return f"{gate} was edited meanwhile; look at it again with vb show {run}, nothing was changed."
        case c.Ended(status):
            return f"{run} is {status.value}; nothing was changed."
        case _:
            standing = state.step(gate).status.value
            waiting = [name for name, _ in state.opened(StepStatus.WAITING)]
            tail = f"; {listed(waiting)} does" if waiting else ""
            return f"{gate} does not wait for a decision now (it is {standing}){tail}."


def _decided(decision: GateDecision, now: int) -> str:
    ago = f"{say_duration(max(0, now - decision.at))} ago"
    words = {"granted": "approved", "denied": "denied"}.get(decision.verdict.value, decision.verdict.value)
    by = f" by {decision.by.name}" if decision.by else ""
    reason = f" ({one_line(decision.reason)})" if decision.reason else ""
    return f"{words}{by} {ago}{reason}"


async def say_who_goes_on(engine: Engine, run: str) -> None:
    """Nobody should wait for a run that nobody works on."""
    if (await engine.state(run)).end is None and not await engine.store.workers():
        note("No worker is running here; the run goes on once there is one: vb worker, or vb serve.")
