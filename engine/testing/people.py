"""The people and systems of a rehearsal: they decide, settle, send signals and give orders, as the test says.

The one rule: nobody acts whom the test does not name, so a gate that nobody was told about escalates and expires.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from engine.core import commands as c
from engine.core import events as e
from engine.core import paths
from engine.core.graph import Plan, walk
from engine.core.words import did_you_mean, listed
from engine.testing.script import (
    AtGate,
    ChangesRequested,
    Decisions,
    DelegatedTo,
    Edited,
    Ordered,
    RehearsalError,
    Sent,
    Settled,
    Together,
    Voted,
)
from engine.testing.world import Case, World

_AUTHORITY = "as the test says"


class People:
    """``decide``: decisions by the path or the id of the gate, or of the step that may become uncertain."""

    def __init__(self, decide: Mapping[str, Decisions], signals: Sequence[Sent], orders: Sequence[Ordered]) -> None:
        self._decide = decide
        self._signals = signals
        self._orders = orders
        self._asked: dict[str, int] = {}
        self._posted: list[Sent] = []

    def check(self, plans: Iterable[Plan]) -> None:
        """Raises ``RehearsalError`` for a decision on a step that no workflow of the rehearsal has."""
        known: dict[str, None] = {}
        for plan in plans:
            known |= {name: None for template, step in walk(plan.workflow) for name in (template, step.id)}
        for name in self._decide:
            if paths.template_of(name.removesuffix(paths.UNDO)) not in known:
                raise RehearsalError(f"there is no step {name} to decide on; {did_you_mean(name, known)}")

    def begin(self, world: World, case: Case) -> None:
        """What comes after so long from the start of the run that is rehearsed."""
        for sent in self._signals:
            world.later(sent.after, partial(self._send, world, case, sent))
        for order in self._orders:
            world.later(order.after, partial(_order, world, case, order))

    def asked(self, world: World, case: Case, path: str, seq: int) -> None:
        """A gate has opened, or an attempt is uncertain: whoever is named for it answers in time."""
        name = self._name(path, case)
        if name is None:
            return
        decisions = self._decide[name]
        number = self._asked[name] = self._asked.get(name, 0) + 1
        if isinstance(decisions, Sequence):
            if number > len(decisions):
                return
            decided = decisions[number - 1]
        else:
            decided = decisions
        acts = decided.acts if isinstance(decided, Together) else (decided,)
        everyone = frozenset((act.on_behalf_of or act.by).id for act in acts if isinstance(act, Voted))
        for act in acts:
            world.later(act.after, partial(_answer, world, case, path, seq, act, everyone))

    def awaited(self, world: World, case: Case, event: e.SignalAwaited) -> None:
        """A run waits for a correlation: what was sent to it before is handed over now."""
        for sent in [one for one in self._posted if (one.signal, one.correlation) == (event.signal, event.correlation)]:
            self._posted.remove(sent)
            world.later(0, partial(self._hand_over, world, case, sent))

    def _name(self, path: str, case: Case) -> str | None:
        names = (path, paths.template_of(path), case.plan.node(path).id)
        return next((name for name in names if name in self._decide), None)

    def _send(self, world: World, case: Case, sent: Sent) -> None:
        if sent.correlation is None:
            self._hand_over(world, case, sent)
            return
        for other in world.cases.values():
            waits = (step.awaits for step in other.state.steps.values() if step.awaits is not None)
            if other.state.end is None and any(
                (one.signal, one.correlation) == (sent.signal, sent.correlation) for one in waits
            ):
                self._hand_over(world, other, sent)
                return
        self._posted.append(sent)

    def _hand_over(self, world: World, case: Case, sent: Sent) -> None:
        id_ = f"signal {self._signals.index(sent)}"
        reply = world.submit(case, c.Signal(id_, sent.signal, sent.payload, sent.by, sent.correlation))
        if isinstance(reply, c.NotAllowed):
            raise RehearsalError(f"the signal {sent.signal} was refused: {reply.reason}")


def _answer(world: World, case: Case, path: str, seq: int, decided: AtGate | Settled, everyone: frozenset[str]) -> None:
    if isinstance(decided, Settled):
        reply = world.submit(case, c.Settle(path, decided.answer, decided.by, decided.result, decided.reason))
    else:
        reply = world.submit(case, _command(case, path, seq, decided, everyone))
    if (why := _refusal(reply)) is not None:
        raise RehearsalError(f"{decided.by.name} cannot decide on {path}: {why}")


def _command(case: Case, path: str, seq: int, act: AtGate, everyone: frozenset[str]) -> c.Command:
    """People see what is asked now; but of the asking that they were named for, not of a later one."""
    gate = case.state.step(path).gate
    version = gate.version if gate is not None and gate.asked_seq == seq else seq
    names = (act.under,) if act.under else None
    seat, by, words = c.Seat(names, everyone), act.by, _AUTHORITY
    match act:
        case Voted():
            seat = replace(seat, on_behalf_of=act.on_behalf_of)
            return c.Vote(path, act.granted, by, words, act.reason, version, seat)
        case Edited():
            return c.EditGate(path, act.fields, by, words, act.reason, version, seat)
        case ChangesRequested():
            return c.RequestChanges(path, by, act.comment, words, version, seat)
        case DelegatedTo():
            return c.Delegate(path, by, act.to, words, act.reason, version, seat)


def _refusal(reply: c.Reply) -> str | None:
    match reply:
        case c.NotAllowed(reason):
            return reason
        case c.AlreadyVoted(ballot):
            return f"{ballot.by.name} has approved already"
        case c.NotAsked(asked):
            return f"it asks {listed(asked)} now"
        case c.ReasonNeeded():
            return "it wants a reason"
        case c.InvalidFields(problems):
            return "; ".join(problems.values())
        case _:
            return None


def _order(world: World, case: Case, order: Ordered) -> None:
    commands: dict[str, c.Command] = {
        "cancel": c.Cancel(order.by, order.reason),
        "pause": c.Pause(order.by, order.reason),
        "resume": c.Resume(order.by, order.reason),
        "redrive": c.Redrive(order.by, order.reason),
    }
    reply = world.submit(case, commands[order.what])
    if isinstance(reply, c.NotAllowed):
        raise RehearsalError(f"{order.by.name} cannot {order.what} the run: {reply.reason}")
