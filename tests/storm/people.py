"""The people of a storm: they start runs, approve what is asked, and click where and when they should not.

The one rule: they do only what people can do in Slack, also in a window that has not caught up; and when nothing comes
of a click, they click again.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from bot.blocks.approval import APPROVE
from bot.simulator.changes import Change
from bot.simulator.errors import PersonError
from bot.simulator.model import Message
from bot.simulator.simulator import Simulator
from tests.bot.truth import has_buttons, identity
from tests.storm.cast import APPROVERS, BYSTANDERS, CHANNELS, NAME, QUORUM, STARTER

DOUBLED, LATE, STALE, STRANGER = "doubled", "late", "stale", "by the wrong person"
BAD = (DOUBLED, LATE, STALE, STRANGER)
CARD_WITHIN_S = 60.0
IMPATIENT_S = 5.0
"""After so long with no decision the people who have clicked click again."""

_THINK_S = 3.0


@dataclass(frozen=True)
class Vote:
    """Who is to decide on one message."""

    run: str
    voters: tuple[str, ...]


@dataclass
class Crowd:
    """``runs`` are started, ``in_flight`` of them at a time; ``bad`` clicks are spread over all gates."""

    simulator: Simulator
    seed: int
    runs: int
    bad: int
    in_flight: int
    counts: Counter[str] = field(default_factory=Counter[str])
    votes: list[Vote] = field(default_factory=list[Vote])

    def __post_init__(self) -> None:
        self.gates_left = self._gates_to_come = 2 * self.runs
        self._bad_left = self.bad
        self._chance = random.Random(self.seed)
        self._free = asyncio.Semaphore(self.in_flight)
        self._talking = {channel: asyncio.Lock() for channel in CHANNELS}
        self._told = asyncio.Condition()
        self._cards: set[int] = set()
        self._whispers: Counter[str] = Counter()
        self._whispered: dict[str, str] = {}
        self._asked: set[tuple[str, str]] = set()
        self._decided: dict[str, asyncio.Event] = {}
        self._old: dict[str, Message] = {}

    async def act(self) -> None:
        """Start everything, and decide everything that is asked."""
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(tasks))
            for number in range(self.runs):
                await self._free.acquire()
                tasks.create_task(self._start(number))
            async with self._told:
                await self._told.wait_for(lambda: self.gates_left == 0)
            watching.cancel()

    # ── what they see ────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, tasks: asyncio.TaskGroup) -> None:
        """Look at the workspace through the starter's window, who sees all of the storm's channels."""
        starter = self.simulator.workspace.person(STARTER).id
        with self.simulator.workspace.changes.subscribe(starter) as window:
            while not window.lost:
                change = await window.queue.get()
                if change.type in ("message.posted", "message.updated"):
                    self._see(change, tasks)
                    async with self._told:
                        self._told.notify_all()
        raise AssertionError("the window did not keep up with what happened")

    def _see(self, change: Change, tasks: asyncio.TaskGroup) -> None:
        seen = change.body["message"]
        message = self.simulator.workspace.message(change.body["channel"], seen["ts"])
        if seen["ephemeral"]:
            self._whispers[change.body["channel"]] += 1
            self._whispered[change.body["channel"]] = seen["text"]
        if message is None or message.metadata is None:
            return
        run, key = identity(message)
        if key == "card":
            self._cards.add(_number_of(message))
        elif key.startswith("approval:") and has_buttons(message):
            if (run, key) not in self._asked:
                self._asked.add((run, key))
                tasks.create_task(self._decide(run, copy.deepcopy(message)))
        elif message.ts in self._decided:
            self._decided[message.ts].set()

    # ── starting ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, number: int) -> None:
        """Type the command, and again if it was refused; but never if it may have been taken: two would be two runs."""
        channel = CHANNELS[number % len(CHANNELS)]
        async with self._talking[channel]:
            while not await self._type(channel, number):
                self.counts["commands again"] += 1

    async def _type(self, channel: str, number: int) -> bool:
        """Whether the run is there in the end."""
        self.counts["commands"] += 1
        channel_id = self.simulator.workspace.place(channel).id
        refusals = self._whispers[channel_id]
        try:
            await self.simulator.type_command(STARTER, channel, f"/vb run {NAME} n={number}")
        except PersonError as failed:
            self.counts[f"commands failed: {failed.code}"] += 1
        async with self._told, asyncio.timeout(CARD_WITHIN_S):
            await self._told.wait_for(lambda: number in self._cards or self._whispers[channel_id] > refusals)
        # The run may be there nevertheless, as the bot says where it is not certain.
        patience = CARD_WITHIN_S if "not certain" in self._whispered.get(channel_id, "") else IMPATIENT_S
        with contextlib.suppress(TimeoutError):
            async with self._told, asyncio.timeout(patience):
                await self._told.wait_for(lambda: number in self._cards)
        return number in self._cards

    # ── deciding ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _decide(self, run: str, shown: Message) -> None:
        """Five people approve, others interfere; then somebody is too late."""
        decided = self._decided[shown.ts] = asyncio.Event()
        people = self._chance.sample(APPROVERS, QUORUM + 1)
        voters, laggard = people[:QUORUM], people[QUORUM]
        self.votes.append(Vote(run, tuple(voters)))
        mischief = self._mischief(run)
        clicks: list[Coroutine[Any, Any, None]] = [self._approve(who, shown, _THINK_S) for who in voters]
        for kind in mischief:
            if kind == DOUBLED:
                clicks.append(self._approve(self._chance.choice(voters), shown, _THINK_S, kind))
            elif kind == STRANGER:
                clicks.append(self._approve(self._chance.choice(BYSTANDERS), shown, _THINK_S, kind))
            elif kind == STALE:
                clicks.append(self._approve(laggard, self._old[run], _THINK_S, kind))
        await asyncio.gather(*clicks)
        await self._until(decided, voters, shown)
        await asyncio.gather(*(self._approve(laggard, shown, _THINK_S, LATE) for kind in mischief if kind == LATE))
        if run in self._old:
            self._free.release()
        self._old[run] = shown
        self.gates_left -= 1
        async with self._told:
            self._told.notify_all()

    def _mischief(self, run: str) -> list[str]:
        """As many bad clicks as bring all of them about, over the gates that are to come."""
        share = self._bad_left / self._gates_to_come
        count = int(share) + (self._chance.random() < share % 1)
        self._bad_left -= count
        self._gates_to_come -= 1
        kinds = [DOUBLED, LATE, STRANGER, *([STALE] if run in self._old else [])]
        return self._chance.choices(kinds, k=count)

    async def _until(self, decided: asyncio.Event, voters: list[str], shown: Message) -> None:
        """Wait for the buttons to go; whoever waits long clicks again."""
        while not decided.is_set():
            try:
                async with asyncio.timeout(IMPATIENT_S):
                    await decided.wait()
            except TimeoutError:
                for who in voters:
                    await self._approve(who, shown, 0.0, "again")

    async def _approve(self, who: str, shown: Message, within_s: float, kind: str = "valid") -> None:
        """Think for a while, then click on Approve as the message was shown; again if Slack says that it failed."""
        await asyncio.sleep(self._chance.random() * within_s)
        self.counts[f"clicks {kind}"] += 1
        while True:
            try:
                await self.simulator.click_as_shown(who, shown, APPROVE)
            except PersonError as failed:
                self.counts[f"clicks failed: {failed.code}"] += 1
            else:
                return


def _number_of(message: Message) -> int:
    """The number of the run, from its card's first words: "storm · n=7: …"."""
    return int(message.text.partition("n=")[2].partition(":")[0])
