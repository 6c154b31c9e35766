"""The words that all messages share: escaped data, people, instants, durations, what a run is called.

The one rule: whatever comes from outside (inputs, outputs, names, failures) passes ``escape`` or ``one_line`` before it
is put into mrkdwn; so no data can ping anybody or pose as a link. Escaping and date tokens as described at
docs.slack.dev/messaging/formatting-message-text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pydantic import JsonValue

from bot.blocks.kit import clip, escape, fit
from engine.core.events import Actor
from engine.core.failures import Failure, FailureClass
from engine.core.graph import Plan
from engine.core.kinds import InputType
from engine.core.state import RunState
from engine.core.words import listed as list_names

ONE_LINE = 300
"""Characters of a piece of data within a sentence."""

HOLDERS = 10
"""Holders of a role who are named one by one."""

_NAMED = 5
"""People or groups who are named where they are many."""

SHORT_ID = len("run_") + 10


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody whom a definition names (``@release-managers``, ``@ana``, ``#eng-leads``, ``role:approver``), as known.

    ``kind`` is ``missing`` where nobody in the workspace is called so, ``unread`` where that could not be found out,
    and ``closed`` for a channel in which the app may not post. ``holders``: of a role.
    """

    who: str
    kind: Literal["group", "person", "channel", "role", "missing", "unread", "closed"]
    id: str = ""
    holders: tuple[Asked, ...] = ()

    @property
    def mention(self) -> str:
        """Markup that notifies groups and people; for all others just the name."""
        if self.kind == "role":
            more = f" and {len(self.holders) - HOLDERS} more" if len(self.holders) > HOLDERS else ""
            return f"{escape(self.who)} ({', '.join(holder.mention for holder in self.holders[:HOLDERS])}{more})"
        if self.kind == "group":
            return f"<!subteam^{self.id}>"
        if self.kind == "person":
            return f"<@{self.id}>"
        return f"<#{self.id}>" if self.kind == "channel" else one_line(self.who, 80)


def one_line(text: str, limit: int = ONE_LINE) -> str:
    """Data within a sentence: on one line, escaped, and cut to ``limit`` characters of what is shown."""
    return escape(fit(" ".join(text.split()), limit))


def plain(value: JsonValue) -> str:
    """A JSON value as a person would write it down; not escaped."""
    if isinstance(value, str):
        return value
    if value is None:
        return "nothing"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return json.dumps(value, ensure_ascii=False)


def date(at: int) -> str:
    """An instant in the reader's zone, such as ``today at 16:05``; with the UTC time where tokens are not read."""
    fallback = datetime.fromtimestamp(at / 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{at // 1_000}^{{date_short_pretty}} at {{time}}|{fallback}>"


def moment(at: int) -> str:
    """An instant within the hour, to the second."""
    fallback = datetime.fromtimestamp(at / 1_000, UTC).strftime("%H:%M:%S UTC")
    return f"<!date^{at // 1_000}^{{time_secs}}|{fallback}>"


def named(actor: Actor) -> str:
    """A person by name, without a ping; how they came if it was not Slack."""
    via = {"cli": " (command line)", "api": " (API)"}.get("cli" if actor.terminal else actor.via, "")
    return one_line(actor.name, 80) + via


def mention(actor: Actor) -> str:
    """A person, notified if they are in Slack."""
    return f"<@{actor.id}>" if actor.via == "slack" else named(actor)


def either(names: Sequence[str]) -> str:
    """``a, b or c``, escaped; where they are many, some and how many more."""
    known = [one_line(name, 80) for name in dict.fromkeys(names)]
    if len(known) > _NAMED + 1:
        known = [*known[:_NAMED], f"{len(known) - _NAMED} others"]
    return known[0] if len(known) == 1 else f"{', '.join(known[:-1])} or {known[-1]}"


def went_wrong(failure: Failure | None) -> str:
    """What failed, with its class, unless that is told by the words or is simply that it may succeed later."""
    if failure is None:
        return "no reason given"
    told = one_line(failure.message)
    told_by_itself = failure.cls in (FailureClass.TRANSIENT, FailureClass.WORKER_LOST)
    return told if told_by_itself else f"{failure.cls.value.replace('_', ' ')}: {told}"


def because(reason: str) -> str:
    return f": {one_line(reason)}" if reason.strip() else ""


def codes_words(codes: Mapping[str, str]) -> str:
    """``notify@2 in place of notify@1``, escaped."""
    return ", ".join(f"{one_line(new, 80)} in place of {one_line(old, 80)}" for old, new in sorted(codes.items()))


def counted(number: int, thing: str) -> str:
    """``1 step``, ``2 steps``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def attempt(number: int, of: int) -> str:
    return f"attempt {number} of {of}"


def listed(names: Iterable[str]) -> str:
    """``a, b, c and 2 more``, escaped."""
    return list_names([one_line(name, 80) for name in names])


def command(*words: str) -> str:
    """What to type at a terminal, as code. Words are cut to what a run can be found by."""
    return f"`vb {_typed(words)}`"


def slash(*words: str) -> str:
    """The same in Slack, for whoever reads it there."""
    return f"`/vb {_typed(words)}`"


def _typed(words: Sequence[str]) -> str:
    return " ".join(short_id(word) if word.startswith("run_") else word for word in words)


def short_id(run: str) -> str:
    """Enough of a run's id to find it by."""
    return run[:SHORT_ID]


def run_title(state: RunState) -> str:
    """``publish_release · v1.4.2``: the workflow and the inputs that tell this run from others. Not escaped."""
    telling = ", ".join(_telling_inputs(state.plan, state.started.input))
    return f"{state.started.workflow} · {clip(telling, 80)}" if telling else state.started.workflow


def chosen_inputs(plan: Plan, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The inputs that have a value which is not their default."""
    defaults = {name: field.default for name, field in plan.workflow.input.items()}
    return {name: value for name, value in given.items() if value is not None and value != defaults.get(name)}


def _telling_inputs(plan: Plan, given: Mapping[str, JsonValue]) -> list[str]:
    """The chosen values that are short, in the definition's order."""
    told: list[str] = []
    chosen = chosen_inputs(plan, given)
    for name, field in plan.workflow.input.items():
        if name not in chosen or field.type is InputType.TEXT:
            continue
        value = chosen[name]
        bare = isinstance(value, str)
        told.append(" ".join(plain(value).split()) if bare else f"{name}={plain(value)}")
    return [value for value in told if value]
