"""The alerts of budgets that a run has to tell: each in the run's thread and in the channel that its budget names.

The one rule: no I/O. Which copies are missing follows from the events, the posted messages, and where the run is told;
so whoever takes over a run goes on where the last one was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.blocks.alerts import NO_ANSWER, Alert, Answer
from bot.sending.postings import Posted
from engine.core import events as e
from engine.core.state import Recorded

ALERT = "alert:"


@dataclass(frozen=True, slots=True)
class Warn:
    """An alert of a budget: in the ``channel`` that the budget names (``#name``), else in the run's thread.

    ``last``: the default channel is left, since it could not be told in ``channel``, or there is no thread.
    """

    key: str
    alert: Alert
    channel: str = ""
    last: bool = False


class Alerts:
    """Those of one run that may still have to be told."""

    def __init__(self) -> None:
        self.known: list[Alert] = []
        self.all: dict[int, Alert] = {}
        """By their events, those too that were told."""
        self.answers: dict[int, Answer] = {}
        """What was done since, by the same."""
        self.channels: dict[str, str] = {}
        """The channels that budgets with alerts name, empty for none. Nothing is told before it is known where."""

    def read(self, recorded: Recorded) -> None:
        if isinstance(recorded.event, e.BudgetAlerted):
            alert = Alert(recorded.seq, recorded.at, recorded.event.step, recorded.event.budget)
            self.known.append(alert)
            self.all[alert.seq] = alert

    def resume(self, seq: int) -> None:
        """Everything up to ``seq`` has been told."""
        self.known = [alert for alert in self.known if alert.seq > seq]

    def forget(self, before: int) -> None:
        """Those from before that instant are not told any more."""
        self.known = [alert for alert in self.known if alert.at >= before]

    @property
    def seqs(self) -> frozenset[int]:
        """The events that have messages of their own."""
        return frozenset(alert.seq for alert in self.known)

    @property
    def places(self) -> list[str]:
        """The channels in which alerts are told."""
        return [self.channels[alert.name] for alert in self.known if self.channels.get(alert.name)]

    def told(self, posted: Mapping[str, Posted]) -> Iterator[Alert]:
        """Those in Slack."""
        return (warn.alert for warn, _ in self._told(posted))

    def shown(self, posted: Mapping[str, Posted]) -> Iterator[tuple[Warn, Posted]]:
        """Those in Slack that somebody has answered since."""
        for warn, where in self._told(posted):
            if self.answers.get(warn.alert.seq, NO_ANSWER) != NO_ANSWER:
                yield warn, where

    def _told(self, posted: Mapping[str, Posted]) -> Iterator[tuple[Warn, Posted]]:
        for key, where in posted.items():
            if not key.startswith(ALERT) or where.failed:
                continue
            seq, _, way = key.removeprefix(ALERT).partition(":")
            alert = self.all.get(int(seq))
            if alert is not None:
                channel = self.channels.get(alert.name, "")
                yield Warn(key, alert, channel if way else "", last=way == "default"), where

    def missing(self, posted: Mapping[str, Posted], *, has_thread: bool, has_default: bool) -> Iterator[Warn]:
        """What ought to be in Slack and is not, the oldest first."""
        for alert in self.known:
            channel = self.channels.get(alert.name)
            if channel is None:
                continue
            key = f"{ALERT}{alert.seq}"
            there = Warn(f"{key}:channel", alert, channel)
            ways = [*([Warn(key, alert)] if has_thread else []), *([there] if channel else [])]
            missing = [way for way in ways if way.key not in posted]
            yield from missing
            told, last = posted.get(there.key if channel else key), Warn(f"{key}:default", alert, channel, last=True)
            if has_default and not missing and (told is None or told.failed) and last.key not in posted:
                yield last
