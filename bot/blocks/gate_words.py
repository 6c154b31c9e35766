"""The words about a gate that cards, threads and requests share: how far it is, what comes by itself, how it ended.

The one rule: people are named here and never notified; whoever needs them to act mentions them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from bot.blocks.words import because, counted, date, named, one_line, plain
from engine.core.events import Actor
from engine.core.gates import Ballot, Gate, Verdict
from engine.core.words import listed as list_names

EXPIRY = {
    "deny": "it is denied",
    "approve": "it is approved",
    "fail": "the run fails",
    "wait": "it is overdue, and waits on",
}
"""What happens by itself if nobody decides, by policy."""

EXPIRED = {
    "deny": "it was denied",
    "approve": "it was approved",
    "fail": "the run failed",
    "wait": "it is overdue, and waits on",
}

SHOWN_RUNGS = 4
"""Of a ladder, who are named with their instants."""

MOST = 5
"""Changed values that are told one by one; the others are counted."""

_VALUE = 40


# How far it is


def stage_words(gate: Gate, stage: int) -> str:
    """``stage 2 of 3 (leads)``; nothing where there is but one."""
    if len(gate.stages) == 1:
        return ""
    name = gate.stages[stage].name
    return f"stage {stage + 1} of {len(gate.stages)}{f' ({one_line(name, 80)})' if name else ''}"


def progress(gate: Gate) -> Iterator[str]:
    """Who has approved, and how many more have to; nothing where one approval is all that there is."""
    before = [ballot for ballot in gate.votes if ballot.stage < gate.stage]
    if before:
        yield f"Approved before, in other stages: {_voters(before)}."
    stage = stage_words(gate, gate.stage)
    given, quorum = gate.given, gate.current.quorum
    if quorum == 1 and not stage:
        return
    head = f"{stage[:1].upper()}{stage[1:]}: " if stage else ""
    who = f": {_voters(given)}" if given else ""
    if quorum == "all":
        so_far = f"{counted(len(given), 'approval')} so far{who}" if given else "nobody has yet"
        yield f"{head}{'everybody' if head else 'Everybody'} asked has to approve; {so_far}."
    else:
        yield f"{head}{len(given)} of {quorum} approved{who}."


def _voters(ballots: Sequence[Ballot]) -> str:
    return list_names([by_whom(one.by, one.on_behalf_of) for one in ballots])


def by_whom(by: Actor, on_behalf_of: Actor | None) -> str:
    """``Chen Wei``, or ``Chen Wei for Ana Ruiz``."""
    return named(by) if on_behalf_of is None else f"{named(by)} for {named(on_behalf_of)}"


# What comes by itself


def if_nobody_decides(gate: Gate) -> str:
    """The rest of the ladder, and the end of the wait, each with its instant."""
    if gate.overdue:
        return f"Overdue since {date(gate.request.expires_at)}; it waits until somebody decides."
    ladder = gate.request.escalate[gate.escalated :]
    rungs = [f"{one_line(rung.to, 80)} is asked too {date(rung.at)}" for rung in ladder[:SHOWN_RUNGS]]
    if len(ladder) > SHOWN_RUNGS:
        rungs.append(f"{len(ladder) - SHOWN_RUNGS} more are asked, the last of them {date(ladder[-1].at)}")
    expiry = f"{EXPIRY[gate.request.on_expiry]} {date(gate.request.expires_at)}"
    return f"If nobody decides: {', then '.join([*rungs, expiry])}."


# What became of it


def decision_words(gate: Gate) -> str:
    """How a decided gate was decided: by whom, by what right, when and why. Empty while it is open."""
    made = gate.decision
    if made is None:
        return ""
    if made.by is None:
        sign = "✓" if made.policy == "approve" else "✗"
        return f"{sign} Expired {date(made.at)}: nobody decided in time, so {EXPIRED[made.policy]}."
    word = "✓ Approved" if made.verdict == "granted" else "✗ Denied"
    who = f"{word} by {by_right(made.by, made.on_behalf_of, made.authority)} {date(made.at)}"
    return f"{who}{because(made.reason)}"


def approved_with(gate: Gate) -> str:
    """Who had approved before the decision; nothing where nobody had."""
    granted = gate.decision is not None and gate.decision.verdict is Verdict.GRANTED
    before = gate.votes[:-1] if granted else gate.votes
    return f"Approved before that: {_voters(before)}." if before else ""


def by_right(by: Actor, behalf: Actor | None, authority: str) -> str:
    """Who, for whom, and by what right in brackets: ``Ben for Chen (in @oncall)``."""
    right = authority if behalf is None else authority.removeprefix(f"for {behalf.name}, ")
    return f"{by_whom(by, behalf)} ({one_line(right)})" if right else by_whom(by, behalf)


def changed_words(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> str:
    """``amount: 10 → 20, region: eu → us``."""
    told = [f"{one_line(name, 80)}: {_value(old.get(name))} → {_value(value)}" for name, value in new.items()]
    return list_names(told, MOST)


def _value(value: JsonValue) -> str:
    return one_line(plain(value), _VALUE) or "empty"


def sent_back(gate: Gate) -> str:
    """That somebody asked for changes, which ones, and where the run goes on; nothing if nobody has."""
    asked = gate.changes
    if asked is None:
        return ""
    who = f"{by_right(asked.by, asked.on_behalf_of, asked.authority)}"
    return (
        f"↩ {who} asked for changes{because(asked.comment)}. The run goes back to {one_line(asked.to)}, and asks anew."
    )
