"""What a terminal's person may do at a gate, and why nothing was done: what all commands about gates have in common.

The one rule: whoever is known in Slack is asked about there, as for a click, at each act. An account that nobody has
linked decides where the operator's settings let the machine decide, and speaks for nobody in Slack.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from bot.blocks.approval import can_be_decided
from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.inslack import directory_here
from bot.console.launch import Misuse
from bot.console.whoami import acting_here, machine
from bot.listeners.mentioned import unescape
from bot.people.acts import Act, Asking
from bot.people.authority import Right, actor, right_at_terminal, right_of_account
from bot.people.directory import Directory, Unreadable
from bot.people.policy import Refused, may_hand_over
from bot.people.roles import person_named
from bot.text.plain import one_line
from engine.core import commands as c
from engine.core import paths
from engine.core.durations import say_duration
from engine.core.errors import EngineError
from engine.core.events import Actor
from engine.core.gates import Gate, unknown_beside
from engine.core.graph import Kind
from engine.core.state import GateDecision, RunState, StepStatus
from engine.core.words import listed, nearest
from engine.engine import Engine

T = TypeVar("T")


class DecidingIsOff(EngineError):
    """The settings do not let the command line decide."""

    def __init__(self) -> None:
        super().__init__(
            "The command line may not decide here, nothing was changed; decide in Slack, or let the operator set "
            "VB_CLI_APPROVALS=yes."
        )


class GateStays(EngineError):
    """Whoever is known in Slack, or may be, can do at a gate what they can there: that is not to go on without it."""

    def __init__(self) -> None:
        super().__init__(
            "It is a gate, or has one inside, and among people who are known in Slack it is decided or stays; nothing "
            "was changed. Decide it with vb approve or vb deny."
        )


class NobodyInSlack(EngineError):
    """It is a matter between people of Slack, and nobody has said whose this account is."""

    def __init__(self) -> None:
        super().__init__(
            "That is between people in Slack, and nobody has said whose this account is; nothing was changed. Type "
            "/vb link in Slack, then vb link CODE here."
        )


class NotDone(EngineError):
    """Nothing was changed at the gate. The text says why."""


def check_deciding(settings: Settings) -> None:
    """Raises ``DecidingIsOff`` unless the command line may decide at gates."""
    if not settings.cli_approvals:
        raise DecidingIsOff


def check_going_past(settings: Settings, by: Actor, state: RunState) -> None:
    """Raises ``DecidingIsOff`` or ``GateStays`` unless ``by`` may let the run go on without the decision of a gate.

    As with an approval, an account that is nobody's in Slack may be the person there who started the run or has voted.
    """
    check_deciding(settings)
    gates = (step.gate for step in state.steps.values() if step.gate is not None)
    voted = (ballot.seat for gate in gates for ballot in gate.votes)
    if by.via == "slack" or unknown_beside(by, [state.started.by, *voted]):
        raise GateStays


class Acting:
    """Who acts here, and the way to ask Slack who is who."""

    def __init__(self, engine: Engine, by: Actor, settings: Settings, stack: AsyncExitStack) -> None:
        self.engine = engine
        self.by = by
        self._settings = settings
        self._stack = stack
        self._directory: Directory | None = None

    @property
    def in_slack(self) -> bool:
        """Whether it is a person whom Slack knows."""
        return self.by.via == "slack"

    async def directory(self) -> Directory:
        """Who is who. Raises ``NobodyInSlack``, ``NoWayToSlack`` and ``SlackUnusable``."""
        if not self.in_slack:
            raise NobodyInSlack
        if self._directory is None:
            asking = directory_here(self._settings, self.engine)
            self._directory = await self._stack.enter_async_context(asking)
        return self._directory

    async def member(self) -> Actor:
        """Whoever acts, as a full member of the workspace. Raises ``NotDone``, and as ``directory``."""
        directory = await self.directory()
        verdict = may_hand_over(await in_words(directory.person(self.by.id)))
        if isinstance(verdict, Refused):
            raise NotDone(_plain(verdict))
        return self.by

    async def named(self, who: str) -> Actor:
        """The full member whom ``who`` names: ``@ben``, or an id as ``@U0123ABC``. Raises as ``member``."""
        directory = await self.directory()
        person = await in_words(person_named(directory, who if who.startswith("@") else f"@{who}"))
        if person is None or person.standing != "member":
            raise Misuse(f"There is no {one_line(who, 80)} in Slack who could decide; name one full member, as @ben.")
        return actor(person)

    async def asking(self, ref: str, path: str) -> Asking:
        """The gate ``path`` of the run ``ref``, and the right to act there now.

        Raises ``Misuse`` for what is no gate, ``NotDone`` for who has no right or where nothing is open, and as
        ``directory``.
        """
        run = await self.engine.find(ref)
        state = await self.engine.state(run)
        _check_gate(state, path)
        gate = state.step(path).gate
        if gate is None or not can_be_decided(state, gate):
            raise NotDone(why_not(state, path, _closed(state, path, gate), self.engine.clock.now()))
        return Asking(state, path, gate, await self._right(state, gate))

    async def _right(self, state: RunState, gate: Gate) -> Right:
        if not self.in_slack:
            return right_of_account(self.by, machine())
        right = await in_words(right_at_terminal(self.engine, await self.directory(), state, gate, self.by))
        if isinstance(right, Refused):
            raise NotDone(_plain(right))
        return right

    async def act(self, asking: Asking, what: Act) -> RunState:
        """Do it; the run as it is then. Raises ``NotDone``."""
        command, run = what(asking), asking.state.run
        reply = command if isinstance(command, c.InvalidFields) else await self.engine.gates.act(run, command)
        state = await self.engine.state(run)
        if not isinstance(reply, c.Accepted):
            raise NotDone(why_not(state, asking.step, reply, self.engine.clock.now()))
        return state


@asynccontextmanager
async def acting(settings: Settings) -> AsyncGenerator[Acting]:
    """Raises ``DecidingIsOff``, and ``NotLinked`` where the settings want to know whose the account is."""
    check_deciding(settings)
    async with reading_engine(settings) as engine, AsyncExitStack() as stack:
        yield Acting(engine, await acting_here(settings, engine), settings, stack)


async def in_words(answer: Awaitable[T]) -> T:
    """What Slack says. Raises ``NotDone`` where it says nothing."""
    try:
        return await answer
    except Unreadable as error:
        raise NotDone(f"{error} Nothing was changed.") from None


def _plain(refused: Refused) -> str:
    return one_line(unescape(refused.sentence).replace("`", ""), 600)


def _check_gate(state: RunState, gate: str) -> None:
    gates = [template for template, node in state.plan.nodes.items() if node.kind is Kind.GATE]
    template = paths.template_of(gate)
    if template in gates:
        return
    meant = nearest(template, gates)
    there = f"did you mean {meant}?" if meant else f"its gates are: {listed(gates)}." if gates else "it has none."
    raise Misuse(f"{state.started.workflow} has no gate named {gate}; {there}")


def _closed(state: RunState, path: str, gate: Gate | None) -> c.Reply:
    if gate is not None and gate.decision is not None:
        return c.AlreadyDecided(gate.decision)
    return c.NotOpen(path) if state.end is None and not state.stopping else c.Ended(state.status)


def why_not(state: RunState, gate: str, reply: c.Reply, now: int) -> str:
    """Why nothing was changed at the gate."""
    match reply:
        case c.AlreadyDecided(decision):
            return f"{gate} was already {_decided(decision, now)}; nothing was changed."
        case c.NotAllowed(reason):
            return f"Nothing was changed at {gate}: {one_line(reason)}."
        case c.ReasonNeeded():
            return f"{gate} wants a reason, nothing was changed; give one with --reason."
        case c.AlreadyVoted(ballot):
            return f"{one_line(ballot.seat.name)} has approved {gate} already; nothing was changed."
        case c.NotAsked(asked):
            return f"{gate} now asks {listed(asked)}; nothing was changed."
        case c.Outdated():
            return f"{gate} was edited meanwhile; look at it again with vb show {state.run}, nothing was changed."
        case c.InvalidFields(problems):
            return one_line(f"Nothing was changed at {gate}: {'; '.join(problems.values())}", 1_000)
        case c.Nothing():
            return f"{gate} has these values already; nothing was changed."
        case c.Ended(status):
            return f"{state.run} is {status.value}; nothing was changed."
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
