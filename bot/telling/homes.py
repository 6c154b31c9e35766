"""The App Homes of a workspace: shown when somebody opens the tab, and kept as things are for as long as they may look.

The one rule: a tab shows what is so when it is published. However much happens, it is published again only if it would
show something else, after a pause, and after all that people wait for.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.blocks.forms import View
from bot.blocks.home import HELD_SHOWN, OWN_SHOWN, RUNS_SHOWN, SPENDERS_SHOWN, Home, Spend, closed, home
from bot.blocks.kit import Block, escape
from bot.blocks.steering import used_up
from bot.people.authority import actor
from bot.people.directory import Person, Unreadable
from bot.people.policy import Act
from bot.people.policy import Refused as MayNot
from bot.people.roles import Roles
from bot.sending.outbox import Outbox, Priority, Refused
from bot.text.budgets import standing
from engine.core.errors import EngineError, UnknownEvent
from engine.core.spending import WORKSPACE
from engine.core.state import Recorded, RunState
from engine.engine import Engine
from engine.store import RunFilter
from engine.store.errors import StoreError

log = logging.getLogger(__name__)

HELD_LOOKED_AT = 12
"""Runs that are held, the newest, among which are looked for those that budgets hold."""

LIVE = 20
"""Tabs that are kept up to date, those that were opened last; the others are when they are opened again."""


@dataclass(frozen=True, slots=True)
class HomePace:
    """Times in seconds. ``pause``: between two publications of one tab. ``look``: how often is looked for what other
    processes have done. ``live``: how long after it was opened a tab is kept up to date.
    """

    pause: float = 5.0
    look: float = 30.0
    live: float = 900.0


USUAL = HomePace()


@dataclass(slots=True)
class _Tab:
    """A tab that somebody has opened. ``seen`` is Slack's hash of what it shows; ``before`` the page of its runs."""

    opened_at: float
    before: str = ""
    digest: str = ""
    seen: str = ""
    shown_at: float = 0.0
    stale: bool = False


class Homes:
    """Those of one workspace, as this process knows them."""

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        roles: Roles,
        waiting: Callable[[str], Awaitable[Sequence[Block]]],
        *,
        pace: HomePace | None = None,
    ) -> None:
        """``waiting``: the blocks about what waits for the Slack user with this id."""
        self._engine = engine
        self._outbox = outbox
        self._roles = roles
        self._waiting = waiting
        self._pace = pace or USUAL
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()
        self._changed = asyncio.Event()

    async def open(self, user: str, before: str = "") -> None:
        """Show the tab of the Slack user, with the runs older than ``before``, and keep it up to date for a while."""
        tab = _Tab(time.monotonic(), before)
        self._tabs[user] = tab
        self._tabs.move_to_end(user)
        while len(self._tabs) > LIVE:
            self._tabs.popitem(last=False)
        await self._publish(user, tab, Priority.ANSWER)

    async def run(self) -> None:
        """Keep the tabs up to date until cancelled."""
        stop_observing = self._engine.observe(self._on_append)
        try:
            while True:
                await self._look()
        finally:
            stop_observing()

    async def _look(self) -> None:
        """Wait for something new, or for the time to look, and show it."""
        try:
            async with asyncio.timeout(self._pace.look):
                await self._changed.wait()
        except TimeoutError:
            self._all_stale()
        self._changed.clear()
        await self._refresh()
        if any(tab.stale for tab in self._tabs.values()):
            await asyncio.sleep(self._pace.pause / 5)
            self._changed.set()

    def _on_append(self, state: RunState, events: Sequence[Recorded]) -> None:
        if events and self._tabs:
            self._all_stale()
            self._changed.set()

    def _all_stale(self) -> None:
        for tab in self._tabs.values():
            tab.stale = True

    async def _refresh(self) -> None:
        now = time.monotonic()
        for user, tab in list(self._tabs.items()):
            if tab.opened_at < now - self._pace.live:
                self._forget(user, tab)
            elif tab.stale and tab.shown_at <= now - self._pace.pause:
                try:
                    await self._publish(user, tab, Priority.TIMELINE)
                except Exception:
                    log.exception("The Home tab of %s met a fault that nobody foresaw; the others go on.", user)

    async def _publish(self, user: str, tab: _Tab, priority: Priority) -> None:
        """Show how things are. Somebody else's newer publication is left alone: then they keep the tab up to date."""
        tab.stale, tab.shown_at = False, time.monotonic()
        view = await self._view(user, tab.before)
        digest = hashlib.sha256(json.dumps(view, sort_keys=True).encode()).hexdigest()
        if digest == tab.digest:
            return
        arguments = {"user_id": user, "view": view, **({"hash": tab.seen} if tab.seen else {})}
        try:
            answer = await self._outbox.call("views.publish", arguments, priority)
        except Refused as refused:
            if refused.error != "hash_conflict":
                log.warning("The Home tab of %s cannot be shown: %s.", user, refused)
            self._forget(user, tab)
        else:
            tab.digest, tab.seen = digest, str(answer["view"]["hash"])

    def _forget(self, user: str, tab: _Tab) -> None:
        if self._tabs.get(user) is tab:
            del self._tabs[user]

    async def _view(self, user: str, before: str) -> View:
        try:
            verdict = await self._roles.may(Act.LOOK, user)
            if isinstance(verdict, MayNot):
                return closed(verdict.sentence)
            return home(await self._seen_by(verdict.person, before))
        except StoreError as error:  # its text is for the operator
            log.warning("A Home tab cannot be shown: %s", error)
            return closed("The database did not answer. Open this tab again in a moment.")
        except (EngineError, Unreadable) as error:
            return closed(escape(f"{error} Open this tab again in a moment."))

    async def _seen_by(self, person: Person, before: str) -> Home:
        waiting, own, runs, schedules, spend = await asyncio.gather(
            self._waiting(person.id),
            self._engine.runs(RunFilter(starter=actor(person).key), limit=OWN_SHOWN + 1),
            self._engine.runs(limit=RUNS_SHOWN + 1, before=before or None),
            self._engine.schedules(),
            self._spend(),
        )
        return Home(waiting, own, runs, schedules, spend, before=before)

    async def _spend(self) -> Spend:
        """As it is for everybody who may see runs. It does not say where that leads, which would be new each time."""
        budgets = self._engine.budgets
        known = sorted(await budgets.shown(), key=lambda one: not one.name.startswith(f"{WORKSPACE}/"))
        held: list[RunState] = []
        for info in await self._engine.runs(RunFilter(attention="held"), limit=HELD_LOOKED_AT):
            try:
                state = await self._engine.state(info.id)
            except UnknownEvent:
                continue  # a newer release has it
            if any(True for _ in used_up(state)):
                held.append(state)
            if len(held) > HELD_SHOWN:
                break
        return Spend([standing(one) for one in known], await budgets.spenders(SPENDERS_SHOWN), held)
