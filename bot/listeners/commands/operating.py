"""``pause``, ``resume``, ``cancel``, ``retry``, ``fork`` and ``redrive``: what people do to a run that is there.

The one rule: whether they may is asked of the run as it is, before the engine is; and what is told afterwards is told
of the run as it is then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.blocks import guide, operated, replies
from bot.blocks.kit import Message, escape
from bot.blocks.vocabulary import WORDS
from bot.listeners.commands.runs import which_run
from bot.listeners.commands.typed import Answer, Typed, split
from bot.listeners.desk import Desk, actor
from bot.listeners.mentioned import unescape
from bot.people.policy import Act, Refused, Verdict
from engine.core import commands as c
from engine.core.deciding.operators import dead_steps
from engine.core.definition import Workflow
from engine.core.errors import UnknownWorkflow
from engine.core.events import Actor
from engine.core.state import RunState
from engine.core.words import listed


@dataclass(frozen=True, slots=True)
class Order:
    """What a person wants done to which run, as far as they may."""

    state: RunState
    by: Actor
    rest: str


Ask = Callable[[str, Actor, str], Awaitable[c.Reply]]
"""One operation of the engine, on a run, by somebody, for a reason."""


async def pause(desk: Desk, typed: Typed) -> Answer:
    return await _simply(desk, typed, Act.PAUSE, _asking(desk.engine.operations.pause), operated.paused)


async def resume(desk: Desk, typed: Typed) -> Answer:
    return await _simply(desk, typed, Act.RESUME, _asking(desk.engine.operations.resume), operated.resumed)


async def cancel(desk: Desk, typed: Typed) -> Answer:
    return await _simply(desk, typed, Act.CANCEL, _asking(desk.engine.operations.cancel), operated.stopping)


async def retry(desk: Desk, typed: Typed) -> Answer:
    """Do a step of the run, and all that follows from it, anew."""
    order = await _order(desk, typed, Act.RETRY)
    if not isinstance(order, Order):
        return order
    step, reason = _step_named(order.rest)
    if not step:
        return _which_step(typed, order.state)

    async def ask() -> c.Reply:
        return await desk.engine.operations.retry_from(order.state.run, step, by=order.by, reason=unescape(reason))

    return await _done(desk, order, ask, lambda state: operated.retried(step, state))


async def redrive(desk: Desk, typed: Typed) -> Answer:
    """Try again what is in the dead letters: the steps that are named first, else all of them."""
    order = await _order(desk, typed, Act.REDRIVE)
    if not isinstance(order, Order):
        return order
    dead, steps, reason = set(dead_steps(order.state)), list[str](), order.rest
    while (first := split(reason))[0] in dead:
        steps.append(first[0])
        reason = first[1]

    async def ask() -> c.Reply:
        words = unescape(reason)
        return await desk.engine.operations.redrive(order.state.run, by=order.by, reason=words, steps=steps)

    return await _done(desk, order, ask, operated.redriven)


async def fork(desk: Desk, typed: Typed) -> Answer:
    """Start a run that takes over what another has done before a step."""
    order = await _order(desk, typed, Act.FORK)
    if not isinstance(order, Order):
        return order
    step, _ = _step_named(order.rest)
    if not step:
        return _which_step(typed, order.state)
    starts = await may_fork(desk, typed.user, order.state)
    if isinstance(starts, Refused):
        return replies.said(starts.sentence)
    origin = desk.origin(typed.where)
    begun = await desk.engine.operations.fork(order.state.run, step, by=order.by, origin=origin, dedupe_key=typed.key)
    if isinstance(begun, c.NotAllowed):
        return operated.refused(order.state, begun)
    return operated.forked(step, order.state, await desk.engine.state(begun.run))


# Inside


async def _simply(desk: Desk, typed: Typed, act: Act, ask: Ask, told: Callable[[str, RunState], Message]) -> Answer:
    """One of the words that take a run and a reason."""
    order = await _order(desk, typed, act)
    if not isinstance(order, Order):
        return order

    async def asked() -> c.Reply:
        return await ask(order.state.run, order.by, unescape(order.rest))

    return await _done(desk, order, asked, lambda state: told(typed.command, state))


async def _order(desk: Desk, typed: Typed, act: Act) -> Order | Answer:
    """The run, and the person who may do this to it; or what is to be said instead."""
    ref, rest = split(typed.rest)
    if not ref:
        return await which_run(desk, typed)
    state = await desk.engine.state(await desk.engine.find(ref))
    verdict = await desk.from_slack(desk.roles.may_with(act, typed.user, state))
    if isinstance(verdict, Refused):
        return replies.said(verdict.sentence)
    return Order(state, actor(verdict.person), rest)


async def _done(
    desk: Desk, order: Order, ask: Callable[[], Awaitable[c.Reply]], told: Callable[[RunState], Message]
) -> Answer:
    reply = await ask()
    state = await desk.engine.state(order.state.run)
    return operated.refused(state, reply) or told(state)


async def may_fork(desk: Desk, user: str, state: RunState) -> Verdict:
    """A fork is a start, too: of the workflow as it is deployed now, where there still is one."""
    return await desk.from_slack(desk.roles.may_start(user, workflow_of(desk, state)))


def workflow_of(desk: Desk, state: RunState) -> Workflow:
    """The run's workflow as it is deployed now; as the run follows it where it is not deployed any more."""
    try:
        return desk.engine.workflow(state.started.workflow)
    except UnknownWorkflow:
        return state.plan.workflow


def _step_named(text: str) -> tuple[str, str]:
    """The step that is named first, alone or as a terminal takes it (``--from STEP``), and what follows it."""
    first, rest = split(text)
    return split(rest) if first == "--from" else (first, rest)


def _which_step(typed: Typed, state: RunState) -> Message:
    steps = listed(list(state.plan.steps), 20)
    return guide.incomplete(typed.command, WORDS[typed.word], f"From which step? There is: {escape(steps)}")


def _asking(operation: Callable[..., Awaitable[c.Reply]]) -> Ask:
    return lambda run, by, reason: operation(run, by=by, reason=reason)
