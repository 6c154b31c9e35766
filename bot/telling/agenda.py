"""What is to be posted or updated next for one run, from its story, its place and the people it asks.

The one rule: a calculation, asked again whenever a turn to send has come; so what is sent is what is due then.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from bot.blocks.alerts import NO_ANSWER, alert, not_told_there
from bot.blocks.approval import Question, approval, reminder
from bot.blocks.card import card, meaning
from bot.blocks.kit import Message
from bot.blocks.questions import question
from bot.blocks.timeline import MESSAGE_LIMIT, Line
from bot.blocks.words import Asked
from bot.sending.outbox import Priority
from bot.sending.postings import Posted, Target
from bot.telling.alerts import Warn
from bot.telling.asking import Ask
from bot.telling.story import AskHow, Remind, Story, Unsettled
from engine.core.gates import Gate
from engine.store import JsonObject

_NO_TARGET = Target("")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the run is told: a conversation, the key of the card there, and why it is not elsewhere (mrkdwn).

    ``thread``: the message under which a run is told that was started in a thread; its card is one of the replies.
    """

    key: str
    channel: str
    note: str = ""
    thread: str | None = None

    @property
    def is_direct(self) -> bool:
        """Whether it is a conversation of two, which nobody else sees."""
        return self.channel.startswith("D")

    @property
    def target(self) -> Target:
        """Where its card goes."""
        return Target(self.channel, self.thread)


@dataclass(frozen=True, slots=True)
class Telling:
    """Lines of the timeline; their message is named after ``first``.

    ``last``: the message was begun for the events up to there, before a crash.
    """

    first: int
    waiting: Sequence[Line]
    last: int | None


@dataclass(frozen=True, slots=True)
class Post:
    """The next message to post: a card, lines, a request, a question, an alert, a reminder; if ``Unsettled``, to look
    for.
    """

    what: Place | Telling | Ask | AskHow | Warn | Remind | Unsettled
    target: Target
    priority: Priority


@dataclass(frozen=True, slots=True)
class Update:
    """A message that shows something else than it should. ``meaning``: what it means, if it is the run's card."""

    key: str
    posted: Posted
    message: Message
    priority: Priority
    meaning: Hashable = None

    @property
    def is_card(self) -> bool:
        return self.meaning is not None


def _as_it_is(message: Message) -> Message:
    return message


@dataclass(slots=True)
class Agenda:
    """``fitted`` gives a message as the workspace takes it.

    ``asked``: the people that the run asks, as far as they are known. ``default_channel``: an id, or nothing.
    """

    story: Story
    place: Place | None = None
    asked: dict[str, Asked] = field(default_factory=dict[str, Asked])
    fitted: Callable[[Message], Message] = _as_it_is
    default_channel: str = ""

    def settle(self, place: Place | None, default_channel: str) -> None:
        """From now on the run is told there; None: it cannot be told at all."""
        self.place, self.default_channel = place, default_channel
        self.story.has_thread = place is not None
        self.story.is_seen = place is not None and not place.is_direct
        self.story.has_default = bool(default_channel)

    def next_post(self) -> Post | None:
        """What to post next.

        A request goes before an alert, and both before lines, unless they fit into one message: then they go just
        before. What has to go before a request or an alert hurries as much as that itself.
        """
        ask, warn = next(self.story.missing_asks(), None), next(self.story.missing_alerts(), None)
        hurry = Priority.APPROVAL if ask is not None else None if warn is None else Priority.ALERT
        if self.place is None:
            if ask is not None and not self.story.has_thread:
                return Post(ask, self._target_of(ask, _NO_TARGET), Priority.APPROVAL)
            return None if warn is None else Post(warn, self._target_of_alert(warn, _NO_TARGET), Priority.ALERT)
        root = self.story.posted.get(self.place.key)
        if root is None:
            return Post(self.place, self.place.target, Priority.CARD if hurry is None else hurry)
        if root.failed:
            return None  # another place is looked for
        unsettled = next(self.story.unsettled(), None)
        if unsettled is not None:
            intent = unsettled.intent
            return Post(unsettled, Target(str(intent["to"]), intent.get("under")), Priority.APPROVAL)
        thread = Target(root.channel, self.place.thread or root.ts)
        telling = self._telling()
        if telling is not None and (hurry is None or _fits(telling.waiting)):
            return Post(telling, thread, Priority.TIMELINE if hurry is None else hurry)
        if ask is not None:
            return Post(ask, self._target_of(ask, thread), Priority.APPROVAL)
        if (how := next(self.story.missing_questions(), None)) is not None:
            return Post(how, thread, Priority.APPROVAL)
        if warn is not None:
            return Post(warn, self._target_of_alert(warn, thread), Priority.ALERT)
        remind = next((each for each in self.story.missing_reminders() if self._reminded(each)), None)
        return None if remind is None else Post(remind, thread, Priority.ALERT)

    def updates(self) -> Iterator[Update]:
        """The messages that show something else than they should, those about gates first."""
        for shown in self.story.shown_gates():
            message = self.request(shown.step, shown.gate, shown.intent)
            if message.digest != shown.posted.digest:
                yield Update(shown.key, shown.posted, message, Priority.APPROVAL)
        for key, asked, posted in self.story.shown_questions():
            message = question(self.story.state, asked)
            if message.digest != posted.digest:
                yield Update(key, posted, message, Priority.APPROVAL)
        for warn, posted, thread in self.story.shown_alerts():
            message = self.alert(warn, thread)
            if message.digest != posted.digest:
                yield Update(warn.key, posted, message, Priority.ALERT)
        root = None if self.place is None else self.story.posted.get(self.place.key)
        if self.place is None or root is None or root.failed:
            return
        message = self.card(self.place)
        if message.digest != root.digest:
            yield Update(self.place.key, root, message, Priority.CARD, meaning(self.story.state))

    def card(self, place: Place) -> Message:
        return self.fitted(card(self.story.state, place.note))

    def request(self, step: str, gate: Gate, intent: JsonObject) -> Message:
        """The message about a gate as it has to be now, for the intent with which it was or will be posted."""
        pinged = tuple(str(who) for who in intent["pinged"])
        stage = int(intent.get("stage", 0))
        people = pinged if intent["rung"] or stage != gate.stage else gate.asked
        question = Question(
            {who: self.asked[who] for who in people if who in self.asked},
            pinged,
            int(intent["rung"]),
            bool(intent["elsewhere"]),
            str(intent["thread"]),
            stage=stage,
            version=int(intent.get("version", 0)),
            directly="name" in intent,
            given_by=str(intent.get("given_by", "")),
            to_admin=bool(intent.get("admin")),
            unreached=tuple(self.story.unreached(gate)),
        )
        return approval(self.story.state, step, gate, question)

    def reminder(self, remind: Remind) -> Message:
        asked = self._reminded(remind)
        return reminder(remind.step, remind.gate, Question(asked, tuple(asked)), remind.count)

    def alert(self, warn: Warn, thread: str) -> Message:
        """``thread``: leads to the run's thread, for those who are told elsewhere."""
        note = not_told_there(warn.channel) if warn.last and warn.channel else ""
        elsewhere = warn.last or bool(warn.channel)
        answer = self.story.alerts.answers.get(warn.alert.seq, NO_ANSWER)
        return alert(self.story.state, warn.alert, answer, elsewhere=elsewhere, thread=thread, note=note)

    def _reminded(self, remind: Remind) -> dict[str, Asked]:
        """Whom a reminder notifies. Whoever has approved, or put it off, is left in peace, and so others of their group
        are named one by one.
        """
        quiet = self.story.quiet(remind.gate)
        found: dict[str, Asked] = {}
        for who in remind.gate.asked:
            members = self.story.members.get(who, ())
            if quiet.isdisjoint(members):
                found[who] = self.asked.get(who, Asked(who, "unread"))
            else:
                found |= {user: Asked(user, "person", user) for user in members if user not in quiet}
        return found

    def _telling(self) -> Telling | None:
        found = self.story.next_lines()
        return None if found is None else Telling(found[0], found[1], self.story.begun_until(found[0]))

    def _target_of(self, ask: Ask, thread: Target) -> Target:
        """A channel that is not there, or closed to the app, is asked for in the thread, which says so to those who are
        asked; if they do not see the thread, there is no target.
        """
        if ask.direct:
            return Target(ask.direct)
        if ask.last:
            return Target(self.default_channel) if ask.last == "default" else _NO_TARGET
        thread = thread if self.story.is_seen or ask.place is None else _NO_TARGET
        asked = None if ask.place is None else self.asked.get(ask.place)
        return Target(asked.id) if asked is not None and asked.kind == "channel" else thread

    def _target_of_alert(self, warn: Warn, thread: Target) -> Target:
        """No target for a channel that is not there, or is not known to the app."""
        if warn.last:
            return Target(self.default_channel)
        if not warn.channel:
            return thread
        asked = self.asked.get(warn.channel)
        return Target(asked.id) if asked is not None and asked.kind == "channel" else _NO_TARGET


def _fits(lines: Sequence[Line]) -> bool:
    """Whether the lines make one message."""
    return sum(len(line.text) + 1 for line in lines) <= MESSAGE_LIMIT
