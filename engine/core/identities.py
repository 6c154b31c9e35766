"""Whose an account of a machine is: what a person has said where they are vouched for, and an account has taken up.

The one rule: an account never says by itself whose it is. A person offers a link, on a surface that vouches for them;
only whoever was told its code takes it up, once and before its time is over. The code is on record as a digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from immutables import Map

from engine.core import workspace_events as w
from engine.core.events.base import Actor

LONGEST_OFFER = 3_600_000
"""Milliseconds for which a code may be good at most."""

AccountKey = tuple[str, str]
"""A machine, and an account's key there: the same number is somebody else's on another machine."""


class Link(NamedTuple):
    """``event.account`` on ``event.machine`` is ``event.person``'s."""

    at: int
    event: w.AccountLinked

    @property
    def key(self) -> AccountKey:
        return self.event.machine, self.event.account.key


class Identities(NamedTuple):
    """``offers`` by their person's key: one at a time. ``links`` by account."""

    offers: Map[str, w.LinkOffered] = Map()
    links: Map[AccountKey, Link] = Map()

    def person_of(self, account: Actor, machine: str) -> Actor | None:
        """Whose the account is; they act at that machine's terminal then. None, if nobody has said."""
        found = self.links.get((machine, account.key))
        return None if found is None else found.event.person.model_copy(update={"terminal": machine})

    def of(self, person: Actor) -> tuple[Link, ...]:
        """The accounts that are the person's, by machine and name."""
        return tuple(link for _, link in sorted(self.links.items()) if link.event.person.key == person.key)


@dataclass(frozen=True, slots=True)
class OfferLink:
    """Let whoever tells the code of this digest be ``by``, if they do so before ``until``. It replaces an offer."""

    by: Actor
    code: str
    until: int


@dataclass(frozen=True, slots=True)
class TakeLink:
    """``account`` on ``machine`` has told the code of this digest."""

    code: str
    account: Actor
    machine: str


@dataclass(frozen=True, slots=True)
class EndLinks:
    """End what says that accounts are ``whose``: a person's, all of them; else the one of that account on ``machine``.

    A person's offer ends as well.
    """

    whose: Actor
    by: Actor
    machine: str = ""
    reason: str = ""


IdentityCommand = OfferLink | TakeLink | EndLinks


def digest_of(code: str) -> str:
    """What is on record of a code: however it was spaced and in whatever case it was typed."""
    return hashlib.sha256("".join(code.split()).replace("-", "").upper().encode()).hexdigest()


def evolve(known: Identities, at: int, event: w.IdentityEvent) -> Identities:
    match event:
        case w.LinkOffered():
            return known._replace(offers=known.offers.set(event.by.key, event))
        case w.AccountLinked():
            link = Link(at, event)
            return Identities(known.offers.delete(event.person.key), known.links.set(link.key, link))
        case w.AccountUnlinked():
            return known._replace(links=known.links.delete((event.machine, event.account.key)))
        case w.LinkWithdrawn():
            return known._replace(offers=known.offers.delete(event.person.key))
        case _:
            assert_never(event)


def decide(known: Identities, command: IdentityCommand, now: int) -> tuple[w.IdentityEvent, ...] | str:
    """The events that the command leads to; or one sentence that says why it leads to none."""
    match command:
        case OfferLink():
            if not now < command.until <= now + LONGEST_OFFER:
                return "a code is good for an hour at most"
            return (w.LinkOffered(by=command.by, code=command.code, until=command.until),)
        case TakeLink():
            return _take(known, command, now)
        case EndLinks():
            return tuple(_endings(known, command))


def _take(known: Identities, command: TakeLink, now: int) -> tuple[w.AccountLinked, ...] | str:
    offer = next((one for one in known.offers.values() if one.code == command.code), None)
    if offer is None:
        return "there is no such code, or it was used or replaced already; get a new one where you got this one"
    if now >= offer.until:
        return "the time of this code is over; get a new one where you got this one"
    held = known.person_of(command.account, command.machine)
    if held is not None and held.key != offer.by.key:
        return f"this account is {held.name}'s already; end that first (vb unlink)"
    linked = w.AccountLinked(account=command.account, machine=command.machine, person=offer.by, code=offer.code)
    return (linked,)


def _endings(known: Identities, command: EndLinks) -> Iterator[w.AccountUnlinked | w.LinkWithdrawn]:
    one = known.links.get((command.machine, command.whose.key))
    for link in [one] if one is not None else known.of(command.whose):
        event = link.event
        yield w.AccountUnlinked(
            account=event.account, machine=event.machine, person=event.person, by=command.by, reason=command.reason
        )
    if command.whose.key in known.offers:
        yield w.LinkWithdrawn(person=command.whose, by=command.by)
