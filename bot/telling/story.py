"""One run as its thread tells it: what the log says, what has been said, and so what is still to be said.

The one rule: no I/O. Events and deliveries go in; which messages are missing comes out. The same events and deliveries
always call for the same messages under the same keys, so that whoever takes over a run goes on where the last one was.

Keys of deliveries, each unique in its run:

    card, card:dm, card:default   the run's root message: where it was started, in a direct message to its starter, in
                                  the default channel
    card:N                        the N-th root message where it was started; those before it were deleted
    timeline:FIRST                the lines of the events from seq FIRST to the intent's ``last``
    approval:ASKED:N              a gate's request; N is 0 in the thread, K for rung K of the ladder, and above the
                                  ladder for the channels among the approvers
    approval:ASKED:sSvV:N         the same for a later stage S, opened after the edit with the seq V
    approval:ASKED:…dm:USER       its copy in a direct message to that person (an id)
    approval:ASKED:…default       the same in the default channel, where nothing else of it can be shown
    approval:ASKED:…admin:USER    the same to an admin, where that is not to be had either
    approval:ASKED:…nowhere       never posted: the request could not be shown anywhere
    approval:ASKED:…~M            the M-th message of that request; those before it are gone
    reminder:ASKED:COUNT          the COUNT-th reminder of that gate
    question:ASKED                how a step goes on whose corrections were given up
    alert:SEQ                     what the BUDGET_ALERTED with that seq tells, in the thread
    alert:SEQ:channel             the same in the channel that the budget names
    alert:SEQ:default             the same in the default channel, where it cannot be told where it should
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.blocks.approval import can_be_decided
from bot.blocks.questions import Asked as AskedQuestions
from bot.blocks.questions import Question, open_questions
from bot.blocks.timeline import Line, first_line, lines
from bot.sending.postings import DELETED, GONE, NOWHERE, Posted
from bot.telling.alerts import Alerts, Warn
from bot.telling.asking import ADMINS, APPROVAL, DIRECT, Ask, admins_asked, asks_of, directly, ever_asked
from engine.core import events as e
from engine.core.fold import NO_PLANS, begin
from engine.core.graph import Plan
from engine.core.hours import later
from engine.core.state import Gate, Recorded, RunState, StepStatus
from engine.store import Delivery, JsonObject

CARD = "card"
CARD_IN_DM = "card:dm"
CARD_IN_DEFAULT = "card:default"
TIMELINE = "timeline:"
REMINDER = "reminder:"
QUESTION = "question:"

QUESTIONS_AT_MOST = 10
"""Open questions of one run that are shown at a time; the next one follows when one of them is answered."""

ASKED_ANEW = 3
"""How often a request whose message is gone is posted again."""


@dataclass(frozen=True, slots=True)
class Remind:
    key: str
    step: str
    gate: Gate
    count: int


@dataclass(frozen=True, slots=True)
class AskHow:
    """A message that asks how a step goes on."""

    key: str
    question: Question


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A post that was begun before a crash, and that nothing calls for any more. It may be there, with its buttons."""

    key: str
    seq: int
    intent: JsonObject


@dataclass(frozen=True, slots=True)
class Shown:
    """A gate's message that is in Slack, with what its intent says about it."""

    key: str
    step: str
    gate: Gate
    posted: Posted
    intent: JsonObject


class Story:
    """A run so far. Made from its first event; ``read`` takes the others in order."""

    def __init__(self, run: str, plan: Plan, first: Recorded) -> None:
        if not isinstance(first.event, e.RunStarted):
            raise ValueError(f"{run} does not begin with RUN_STARTED")
        self.state: RunState = begin(run, plan, first.event, first.at)
        self.pending: list[Line] = [first_line(self.state)]
        self.presented: dict[str, str] = {}
        self.posted: dict[str, Posted] = {}
        self.has_thread = self.is_seen = True
        """Whether the run is told at all, and whether those who are asked can see where."""
        self.has_default = False
        self.members: dict[str, tuple[str, ...]] = {}
        """The ids of the people who count as a name, for the names whose people are asked in direct messages."""
        self.questions = AskedQuestions()
        self.alerts = Alerts()
        self._gates: dict[int, Gate] = {}
        self._intents: dict[str, JsonObject] = {}
        self._begun: dict[int, int] = {}
        self._unknown: dict[str, Delivery] = {}

    def read(self, events: Sequence[Recorded], plans: Mapping[str, Plan] = NO_PLANS) -> None:
        """Take in what the log has after ``state.seq``. ``plans`` has the definitions that the run was moved to."""
        told, self.state = lines(self.state, events, plans, self._gates)
        for recorded in events:
            self.questions.read(recorded)
            self.alerts.read(recorded)
            if isinstance(recorded.event, e.ApprovalPresented):
                self.presented |= {copy.where: copy.digest for copy in recorded.event.copies}
        own = self.alerts.seqs
        self.pending += [line for line in told if line.seq not in own]

    def resume(self, seq: int, deliveries: Sequence[Delivery]) -> None:
        """Take in how far the run has been told: up to ``seq``, and by ``deliveries``."""
        told = seq
        self.alerts.resume(seq)
        self._begun.clear()
        self._unknown = {
            one.key: one
            for one in deliveries
            if one.receipt is None and one.key.startswith((APPROVAL, REMINDER, QUESTION))
        }
        for delivery in deliveries:
            self._intents[delivery.key] = delivery.intent
            if delivery.receipt is not None:
                self.posted[delivery.key] = Posted.of(delivery.receipt)
            if delivery.key.startswith(TIMELINE):
                first, last = int(delivery.key.removeprefix(TIMELINE)), int(delivery.intent["last"])
                if delivery.receipt is not None:
                    told = max(told, last)
                else:
                    self._begun[first] = last
        self.told(told)

    def told(self, seq: int) -> None:
        """Everything up to ``seq`` has been said, or will not be."""
        self.pending = [line for line in self.pending if line.seq > seq]
        self._begun = {first: last for first, last in self._begun.items() if last > seq}

    def record(self, key: str, posted: Posted, intent: JsonObject | None = None) -> None:
        """The message ``key`` is where ``posted`` says, and shows what it says."""
        self.posted[key] = posted
        self._unknown.pop(key, None)
        if intent is not None:
            self._intents[key] = intent

    # What is missing

    def next_lines(self) -> tuple[int, list[Line]] | None:
        """The lines to tell next, and the seq that names their message.

        A message that was begun before a crash is finished with exactly the events that it was begun for.
        """
        if self._begun:
            first = min(self._begun)
            return first, [line for line in self.pending if first <= line.seq <= self._begun[first]]
        return (self.pending[0].seq, self.pending) if self.pending else None

    def begun_until(self, first: int) -> int | None:
        """The last event of a message that was begun before a crash."""
        return self._begun.get(first)

    def missing_asks(self) -> Iterator[Ask]:
        """Requests that ought to be in Slack and are not; those of gates that are decided by now ought not."""
        for step, gate in self._waiting_gates():
            asks = [*asks_of(step, gate)]
            wanted = gate.request.direct_messages or not self.is_seen
            direct = [*directly(asks, self.state.started.by, self.members)] if wanted else []
            yield from self._missing((*asks, *direct)) if self.is_seen else self._missing_unseen(asks, direct)

    def _missing(self, asks: Iterable[Ask]) -> Iterator[Ask]:
        return (again for ask in asks if (again := self._still_to_ask(ask)) is not None)

    def _missing_unseen(self, asks: Sequence[Ask], direct: Sequence[Ask]) -> Iterator[Ask]:
        """Where those asked do not see the thread: their channels are asked, else each of them, else the default
        channel, else the admins. If none of it can be shown, that is put on record.
        """
        if self.has_thread:
            yield from self._missing(ask for ask in asks if not ask.place)
        key = asks[0].key.rpartition(":")[0]
        ways: list[Sequence[Ask]] = [[ask for ask in asks if ask.place], direct]
        if self.has_default:
            ways.append([replace(asks[0], key=f"{key}:default", last="default")])
        ways.append(admins := [*admins_asked(asks[0], self.members)])
        ways.append([replace(asks[0], key=f"{key}:{NOWHERE}", last="nowhere")])
        strangers = any(who not in self.members for who in asks[0].gate.asked if not who.startswith("#"))
        for way in ways:
            if (way is direct and strangers) or (way is admins and ADMINS not in self.members):
                return  # until it is known who they are
            missing = [*self._missing(way)]
            yield from missing
            if missing or any(self._is_shown(ask) for ask in way):
                return

    def _is_shown(self, ask: Ask) -> bool:
        return any(
            not posted.failed for key, posted in self.posted.items() if key == ask.key or key.startswith(f"{ask.key}~")
        )

    def _still_to_ask(self, ask: Ask) -> Ask | None:
        """The request, under a key of its own if a message of it is gone; None if it is there, or was tried enough."""
        key, gone = ask.key, DELETED if ask.direct else GONE
        for number in range(2, ASKED_ANEW + 3):
            posted = self.posted.get(key)
            if posted is None:
                return replace(ask, key=key)
            if posted.failed not in gone:
                return None
            key = f"{ask.key}~{number}"
        return None

    def doubt(self, gate: Gate) -> None:
        """Have the gate's messages shown again, which tells whether they are still there."""
        for shown in list(self.shown_gates()):
            if shown.gate.asked_seq == gate.asked_seq:
                self.posted[shown.key] = replace(shown.posted, digest="")

    def doubt_all(self) -> None:
        """The same for all gates that wait: the place where they were asked is closed."""
        for _, gate in self._waiting_gates():
            self.doubt(gate)

    def missing_reminders(self) -> Iterator[Remind]:
        """The last reminder of each waiting gate, if it was not sent; those before it are stale."""
        for step, gate in self._waiting_gates():
            key = f"{REMINDER}{gate.asked_seq}:{gate.reminded}"
            if gate.reminded and key not in self.posted:
                yield Remind(key, step, gate, gate.reminded)

    def missing_questions(self) -> Iterator[AskHow]:
        """Open questions that ought to be in Slack and are not."""
        for _, seq in open_questions(self.state)[:QUESTIONS_AT_MOST]:
            key = f"{QUESTION}{seq}"
            if key not in self.posted and seq in self.questions.known:
                yield AskHow(key, self.questions.known[seq])

    def shown_questions(self) -> Iterator[tuple[str, Question, Posted]]:
        """The questions that are in Slack, by their keys, and where."""
        for key, posted in self.posted.items():
            if key.startswith(QUESTION) and not posted.failed:
                question = self.questions.known.get(int(key.removeprefix(QUESTION)))
                if question is not None:
                    yield key, question, posted

    def missing_alerts(self) -> Iterator[Warn]:
        """Alerts of budgets that ought to be in Slack and are not, the oldest first."""
        return self.alerts.missing(self.posted, has_thread=self.has_thread, has_default=self.has_default)

    def shown_alerts(self) -> Iterator[tuple[Warn, Posted, str]]:
        """Those in Slack that have to show what was done since, where, and what leads to the run's thread."""
        for warn, posted in self.alerts.shown(self.posted):
            yield warn, posted, str(self._intents.get(warn.key, {}).get("thread", ""))

    def may_be_answered(self, since: int) -> bool:
        """Whether alerts from then on are in Slack, which have to show what is done about them."""
        return any(alert.at >= since for alert in self.alerts.told(self.posted))

    def unsettled(self) -> Iterator[Unsettled]:
        """Requests, reminders and questions whose outcome is unknown, and that will not be posted in the normal
        course.
        """
        missing = (*self.missing_asks(), *self.missing_reminders(), *self.missing_questions()) if self._unknown else ()
        wanted = {each.key for each in missing}
        for key, delivery in self._unknown.items():
            if key not in wanted:
                yield Unsettled(key, delivery.seq, delivery.intent)

    def shown_gates(self) -> Iterator[Shown]:
        """The messages about gates that are in Slack."""
        for key, posted in self.posted.items():
            if not key.startswith(APPROVAL) or posted.failed:
                continue
            intent = self._intents[key]
            gate = self._gates.get(int(key.split(":")[1]))
            if gate is not None:
                yield Shown(key, self._step_of(gate, intent["step"]), gate, posted, intent)

    def _step_of(self, gate: Gate, asked: str) -> str:
        """The step of the gate, which was ``asked`` when the message was made and may have another name since."""
        waiting = (step for step, known in self._waiting_gates() if known.asked_seq == gate.asked_seq)
        return next(waiting, asked)

    def unpresented(self) -> dict[str, dict[str, str]]:
        """By the steps of waiting gates, where their requests are shown whose present content is not on record, and
        its digests.
        """
        found: dict[str, dict[str, str]] = {}
        for shown in self.shown_gates():
            where, digest = shown.posted.where, shown.posted.digest
            if digest and can_be_decided(self.state, shown.gate) and self.presented.get(where) != digest:
                found.setdefault(shown.step, {})[where] = digest
        return found

    def unreached(self, gate: Gate) -> Iterator[tuple[str, str]]:
        """The people, by name, to whom the gate's request could not be written directly, and why."""
        for key, posted in self.posted.items():
            unreached = posted.failed and posted.failed not in DELETED
            if unreached and key.startswith(f"{APPROVAL}{gate.asked_seq}:") and f":{DIRECT}" in key:
                yield str(self._intents[key]["name"]), posted.failed

    def strangers(self) -> Iterator[str]:
        """Names whose people are to be told apart, and are not known yet."""
        for _, gate in self._waiting_gates():
            if gate.request.direct_messages or gate.given or gate.snoozed or not self.is_seen:
                last = () if self.is_seen else (ADMINS,)
                asked = (who for who in (*gate.asked, *last) if not who.startswith("#"))
                yield from (who for who in asked if who not in self.members)

    def quiet(self, gate: Gate) -> frozenset[str]:
        """The ids of those whom the gate's last reminder does not concern."""
        request, starter = gate.request, self.state.started.by
        at = later(request.hours, gate.asked_at, (request.remind_every or 0) * gate.reminded)
        found = {one.by.id for one in gate.snoozed if one.until > at}
        found |= {person.id for ballot in gate.votes for person in (ballot.by, ballot.seat)}
        return frozenset(found if request.allow_self else {*found, starter.id})

    def people(self) -> Iterator[str]:
        """Everybody whom an open gate has asked, or will ask."""
        for _, gate in self._waiting_gates():
            yield from ever_asked(gate.request)

    def _waiting_gates(self) -> Iterator[tuple[str, Gate]]:
        for step, known in self.state.opened(StepStatus.WAITING):
            if known.gate is not None and can_be_decided(self.state, known.gate):
                yield step, known.gate
