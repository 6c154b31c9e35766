"""Tells one run in Slack, for as long as this process holds the run's cursor: its card, its thread, its gates.

The one rule: what to do next is asked of the ``Agenda`` again whenever a turn to send has come, never remembered; so
lines that waited go out together, a message shows the latest state, and the cursor moves only when nothing is left.

Tasks work side by side, so that none waits for another's turn: one reads the log, one posts, and one updates what was
posted, while the cursor's lease is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence

from bot.blocks import timeline
from bot.blocks.kit import Message
from bot.blocks.questions import question
from bot.blocks.words import Asked
from bot.pulse import Pulse
from bot.sending.outbox import Priority, Refused
from bot.sending.pacing import Rhythm
from bot.sending.postings import GONE, Item, Posted, Target
from bot.telling.agenda import Agenda, Place, Post, Telling, Update
from bot.telling.alerts import Warn
from bot.telling.asking import Ask, asked_in
from bot.telling.lease import Lease
from bot.telling.meeting import meet, meet_members
from bot.telling.places import LONG_OVER_MS
from bot.telling.shared import Shared
from bot.telling.story import TIMELINE, AskHow, Remind, Story, Unsettled
from engine.store import JsonObject

log = logging.getLogger(__name__)

COULD_NOT_BE_SHOWN = "it could not be shown there"


class Narrator:
    """Tells the run of ``story``."""

    def __init__(self, shared: Shared, story: Story) -> None:
        self._shared = shared
        self._story = story
        self._run = story.state.run
        self._agenda = Agenda(story, fitted=shared.postings.newer.fitted)
        self._pulse = Pulse()
        self._woken = asyncio.Event()
        self._woken.set()
        self._reading = False
        self._moving = asyncio.Lock()
        """Held while the next place is looked for; until then nothing is said."""
        self._lease = Lease(shared.cursors, self._consumer, self._run, shared.owner, shared.pace.lease)
        self._rhythm = Rhythm(shared.pace.card, shared.pace.turn)
        self._next_record = 0.0

    def wake(self) -> None:
        """The run has new events."""
        self._woken.set()

    @property
    def _consumer(self) -> str:
        return self._shared.postings.consumer

    @property
    def woken(self) -> bool:
        """Whether a wake-up came that has not been acted on."""
        return self._woken.is_set()

    async def tell(self) -> bool:
        """Say all that is to be said, and return when nothing has followed for a little while.

        False, at once, if another process tells the run. Raises what the store raises; the run is then to be told anew.
        """
        cursor = await self._lease.claim()
        if cursor is None:
            self._woken.clear()
            return False
        try:
            await self._catch_up()
            self._story.resume(cursor.seq, await self._shared.cursors.deliveries(self._consumer, self._run))
            await meet(self._shared.directory, self._agenda.asked, (*self._story.people(), *self._story.alerts.places))
            await meet_members(self._shared.directory, self._story)
            await self._find_place()
            async with self._lease.kept() as group:
                tasks = [group.create_task(each()) for each in (self._read, self._post, self._update)]
                await self._until_told()
                for task in tasks:
                    task.cancel()
        finally:
            await self._lease.release()
        return True

    async def _catch_up(self) -> None:
        """Read what others may have told since this process knew the run; from here on, nobody else tells it."""
        events = await self._shared.engine.history(self._run, after=self._story.state.seq)
        await self._shared.read(self._story, events)

    async def _until_told(self) -> None:
        """Return when everything is said, the cursor says so, and no event has come for a while."""
        while True:
            version = self._pulse.version
            if not self._quiet():
                await self._pulse.past(version)
                continue
            over = self._story.state.end is not None
            await self._lease.advance(self._story.state.seq, done=over and not self._may_be_answered())
            try:
                async with asyncio.timeout(0 if over else self._shared.pace.linger):
                    await self._pulse.past(version)
            except TimeoutError:
                return

    def _quiet(self) -> bool:
        return not (
            self._woken.is_set()
            or self._reading
            or self._moving.locked()
            or self._agenda.next_post() is not None
            or any(True for _ in self._agenda.updates())
            or self._story.unpresented()
        )

    def _may_be_answered(self) -> bool:
        return self._story.may_be_answered(self._shared.engine.clock.now() - LONG_OVER_MS)

    # Reading

    async def _read(self) -> None:
        while True:
            # What is done about an alert is no event of the run.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._shared.pace.lease / 2 if self._story.alerts.all else None):
                    await self._woken.wait()
            self._reading = True
            self._woken.clear()
            events = await self._shared.engine.history(self._run, after=self._story.state.seq)
            await meet(self._shared.directory, self._agenda.asked, asked_in(events))
            await self._shared.read(self._story, events)
            await meet(self._shared.directory, self._agenda.asked, self._story.alerts.places)
            await meet_members(self._shared.directory, self._story)
            self._reading = False
            self._pulse.beat()
            # Many events in a row are one thing to tell.
            await asyncio.sleep(self._shared.pace.read)

    # Posting

    async def _post(self) -> None:
        while True:
            version = self._pulse.version
            wanted = self._agenda.next_post()
            if wanted is None:
                await self._pulse.past(version)
                continue
            await self._turn("chat.postMessage", wanted.target.channel, self._post_priority)
            due = self._agenda.next_post()
            if due is not None and due.target.channel == wanted.target.channel:
                await self._lease.hold()
                await self._perform(due)
                self._pulse.beat()

    def _post_priority(self) -> Priority:
        wanted = self._agenda.next_post()
        return Priority.TIMELINE if wanted is None else wanted.priority

    async def _turn(self, method: str, channel: str | None, priority: Callable[[], Priority]) -> None:
        """Wait for a turn to call, moving up as soon as something more important waits for it."""
        outbox = self._shared.postings.outbox
        turn = outbox.queue(method, priority(), channel)
        try:
            while not turn.granted.done():
                changed = asyncio.ensure_future(self._pulse.past(self._pulse.version))
                try:
                    await asyncio.wait((turn.granted, changed), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                outbox.hurry(turn, priority())
        finally:
            outbox.leave(turn)

    async def _perform(self, due: Post) -> None:
        match due.what:
            case Place() as place:
                await self._post_card(place, due)
            case Telling() as telling:
                await self._post_lines(telling, due)
            case Ask() as ask:
                await self._post_request(ask, due)
            case AskHow(key, asked):
                # Twice is better than never, as for a request: the run waits for the answer.
                item = Item(self._run, key, asked.seq, {"kind": "question"}, if_unsure="repeat")
                await self._send(due, item, question(self._story.state, asked))
            case Remind() as remind:
                item = Item(self._run, remind.key, remind.gate.asked_seq, {"kind": "reminder"})
                await self._send(due, item, self._agenda.reminder(remind))
                self._story.doubt(remind.gate)
            case Warn() as warn:
                link = await self._link() if due.target.thread is None else ""
                item = Item(self._run, warn.key, warn.alert.seq, {"kind": "alert", "thread": link})
                await self._send(due, item, self._agenda.alert(warn, link))
            case Unsettled(key, seq, intent):
                item = Item(self._run, key, seq, intent)
                posted = await self._shared.postings.settle(item, due.priority)
                self._story.record(key, posted, intent)

    async def _send(self, due: Post, item: Item, message: Message) -> Posted | None:
        """Post, and note where it is; None if the run's place does not take it any more."""
        place = self._agenda.place
        try:
            if not due.target.channel:
                raise Refused("chat.postMessage", "channel_not_found")
            posted = await self._shared.postings.post(item, due.target, message, due.priority, in_turn=True)
        except Refused as refused:
            if refused.error in GONE and due.target.thread is not None:
                await self._leave(place, refused.error)
                return None
            log.warning("%s of %s cannot be told: %s.", item.key, self._run, refused)
            posted = await self._shared.postings.give_up(item, refused.error)
        self._story.record(item.key, posted, item.intent)
        return posted

    async def _post_card(self, place: Place, due: Post) -> None:
        posted = await self._send(due, self._card_item(place), self._agenda.card(place))
        if posted is not None and posted.failed:
            async with self._moving:
                await self._find_place()

    def _card_item(self, place: Place) -> Item:
        return Item(self._run, place.key, 1, {"kind": "card", "channel": place.channel})

    async def _post_lines(self, telling: Telling, due: Post) -> None:
        last = telling.first if telling.last is None else telling.last
        message = None
        if telling.waiting:
            message, taken = timeline.message(telling.waiting)
            last = telling.waiting[taken - 1].seq if telling.last is None else telling.last
        item = Item(self._run, f"{TIMELINE}{telling.first}", telling.first, {"kind": "timeline", "last": last})
        if message is None:
            await self._shared.postings.give_up(item, "there is nothing to tell of it any more")
        elif await self._send(due, item, message) is None:
            return
        self._story.told(last)

    async def _post_request(self, ask: Ask, due: Post) -> None:
        elsewhere = due.target.thread is None
        intent: JsonObject = {
            "kind": "approval",
            "step": ask.step,
            "pinged": list(ask.pinged),
            "rung": ask.rung,
            "elsewhere": elsewhere,
            "thread": await self._link() if elsewhere else "",
            "stage": ask.stage,
            "version": ask.version,
        }
        if ask.direct:
            await self._write_to(ask, due, intent)
            return
        message = self._agenda.request(ask.step, ask.gate, intent)
        # Twice is better than never, where it cannot be seen whether it is there: the run waits for the answer.
        item = Item(self._run, ask.key, ask.gate.asked_seq, intent, if_unsure="repeat")
        if not elsewhere:
            await self._send(due, item, message)
            return
        try:
            if not due.target.channel:
                raise Refused("chat.postMessage", "channel_not_found")
            posted = await self._shared.postings.post(item, due.target, message, due.priority, in_turn=True)
        except Refused as refused:
            log.warning("%s of %s cannot be asked in %s: %s.", ask.step, self._run, ask.place or ask.last, refused)
            if self._story.is_seen:
                self._agenda.asked[ask.pinged[0]] = Asked(ask.pinged[0], "closed")
                return
            posted = await self._shared.postings.give_up(item, COULD_NOT_BE_SHOWN)
        self._story.record(ask.key, posted, intent)

    async def _write_to(self, ask: Ask, due: Post, intent: JsonObject) -> None:
        """Ask one person directly. Whoever cannot be written to is named in the thread, where they are asked too."""
        direct = await self._shared.places.direct(ask.direct, self._shared.directory)
        intent = {**intent, "name": direct.name, "given_by": ask.given_by, "admin": ask.last == "admins"}
        item = Item(self._run, ask.key, ask.gate.asked_seq, intent, if_unsure="repeat")
        message = self._agenda.request(ask.step, ask.gate, intent)
        try:
            if direct.failed:
                raise Refused("conversations.open", direct.failed)
            target = Target(direct.channel)
            posted = await self._shared.postings.post(item, target, message, due.priority, in_turn=True)
        except Refused as refused:
            log.info("%s of %s is not written to %s (%s).", ask.step, self._run, ask.direct, refused)
            posted = await self._shared.postings.give_up(item, refused.error)
        self._story.record(ask.key, posted, intent)

    async def _link(self) -> str:
        """Markup that leads to the run's thread; nothing if those asked would not see it."""
        place = self._agenda.place
        return await self._shared.places.link(self._story.posted[place.key]) if place and self._story.is_seen else ""

    # Places

    async def _find_place(self) -> None:
        place = await self._shared.place(self._story)
        self._agenda.settle(place, self._shared.places.default_channel or "")
        await meet_members(self._shared.directory, self._story)
        if place is None:
            self._story.told(self._story.state.seq)

    async def _leave(self, place: Place | None, error: str) -> None:
        """Nothing more can be said in this place; go on in the next one, unless another task has gone there already."""
        async with self._moving:
            if place is None or self._agenda.place != place:
                return
            log.warning("%s can no longer be told where it was (%s).", self._run, error)
            posted = await self._shared.postings.give_up(self._card_item(place), error)
            self._story.record(place.key, posted)
            self._story.doubt_all()
            await self._find_place()

    # Updating

    async def _update(self) -> None:
        while True:
            version = self._pulse.version
            await self._present()
            if next(self._due_updates(), None) is None:
                await self._until_changed_or_card_may(version)
                continue
            await self._turn("chat.update", None, self._update_priority)
            due = next(self._due_updates(), None)
            if due is not None:
                await self._lease.hold()
                await self._replace(due)
                self._pulse.beat()

    def _due_updates(self) -> Iterator[Update]:
        return (update for update in self._agenda.updates() if self._pause_of(update) <= 0)

    def _pause_of(self, update: Update) -> float:
        """Seconds until the update may be made."""
        return self._rhythm.wait(update.meaning, time.monotonic()) if update.is_card else 0.0

    def _update_priority(self) -> Priority:
        wanted = next(self._due_updates(), None)
        return Priority.CARD if wanted is None else wanted.priority

    async def _until_changed_or_card_may(self, version: int) -> None:
        """Wait for something new, or for the time when a card may be updated again, or copies be put on record."""
        pauses = [self._pause_of(update) for update in self._agenda.updates()]
        pauses += [max(0.0, self._next_record - time.monotonic())] if self._story.unpresented() else []
        pause = min(pauses, default=None)
        try:
            async with asyncio.timeout(pause):
                await self._pulse.past(version)
        except TimeoutError:
            return

    async def _replace(self, due: Update) -> None:
        place = self._agenda.place
        if due.is_card:
            self._rhythm.shown(due.meaning, time.monotonic())
        try:
            shown = await self._shared.postings.update(self._run, due.key, due.posted, due.message, due.priority)
        except Refused as refused:
            if due.is_card and refused.error in GONE:
                await self._leave(place, refused.error)
                return
            log.warning("%s of %s can no longer be changed: %s.", due.key, self._run, refused)
            failed = "" if due.is_card else refused.error  # under a card that stands still, the thread goes on
            shown = Posted(due.posted.channel, due.posted.ts, due.message.digest, failed)
            await self._shared.cursors.update_receipt(self._consumer, self._run, due.key, shown.receipt())
        self._story.record(due.key, shown)

    async def _zones(self, step: str) -> Sequence[str]:
        """Where the people are whom the gate asks, if its clock is theirs."""
        gate, workflow = self._story.state.step(step).gate, self._story.state.started.workflow
        if gate is None or not gate.wants_zones:
            return ()
        return sorted(await self._shared.directory.zones(gate.everybody, workflow))

    async def _present(self) -> None:
        """Put on record exactly what those asked have before them: the first copy at once, many others together."""
        more = any(True for _ in self._story.missing_asks()) or any(not one.is_card for one in self._agenda.updates())
        if more and time.monotonic() < self._next_record:
            return
        for step, copies in self._story.unpresented().items():
            await self._shared.engine.present(self._run, step, copies, await self._zones(step))
            self._next_record = time.monotonic() + self._shared.pace.record
            self._story.presented |= copies
            self._pulse.beat()
