"""Which runs a command is about, from what was typed: states, names, ages, words and labels as a filter of the store.

The one rule: a word that can mean nothing is refused with the nearest one that can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from bot.console.asked import Asked
from bot.console.launch import Misuse
from bot.console.whoami import person_here
from engine.core.durations import parse_duration
from engine.core.state import RunStatus
from engine.core.words import did_you_mean
from engine.engine import Engine
from engine.store import RunFilter

ME = "me"
"""In the place of a name: whoever types, by their account, or by whose that is in Slack."""

ATTENTION = ("any", "approval", "uncertain", "given_up", "missing_step", "held", "dead_letter", "paused")
"""What a run can need of a person, as `engine.core.outlook.attention` says it; and whatever it is."""


def filter_of(asked: Asked, now: int) -> RunFilter:
    """The filter at the instant ``now``. Raises ``Misuse``."""
    return RunFilter(
        workflow=asked.workflow,
        statuses=[_known(word, [one.value for one in RunStatus], "state") for word in asked.status] or None,
        started_by=asked.by,
        created_after=None if asked.since is None else instant(asked.since, now, "--since"),
        created_before=None if asked.older_than is None else instant(asked.older_than, now, "--older-than"),
        text=asked.text,
        labels=pairs(asked.labels, "label"),
        attention=_attention(asked.attention),
    )


async def wanted_by(engine: Engine, asked: Asked) -> RunFilter:
    """The filter now, for whoever types. Raises ``Misuse``."""
    where = filter_of(asked, engine.clock.now())
    return replace(where, started_by=None, starter=(await person_here(engine)).key) if asked.by == ME else where


def _attention(word: str | None) -> str | None:
    if word is None:
        return None
    known = _known(word, ATTENTION, "thing that needs a person")
    return RunFilter.ANYTHING if known == "any" else known


def instant(text: str, now: int, option: str) -> int:
    """The instant that an age (``90d``) or a day or time (ISO 8601, this machine's zone without one) stands for."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1_000)
    except ValueError:
        raise Misuse(
            f"{option} {text!r} is no age and no time; write it as 90d, 12h or 30m, or as 2026-01-31 or "
            "2026-01-31T09:00:00+01:00."
        ) from None


def pairs(given: Sequence[str], thing: str) -> dict[str, str]:
    """``NAME=VALUE`` words as a mapping. Raises ``Misuse`` for a word that is no pair, and for a name given twice."""
    found: dict[str, str] = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise Misuse(f"{word!r} is no {thing}; write NAME=VALUE, with quotes around a value of several words.")
        if name in found:
            raise Misuse(f"The {thing} {name} is given twice; give it once.")
        found[name] = value
    return found


def _known(word: str, words: Sequence[str], thing: str) -> str:
    if word not in words:
        raise Misuse(f"There is no {thing} {word!r}; {did_you_mean(word, words)}")
    return word
