"""What people decide on at a gate, as it is shown: the values of the definition, those to be edited, and exact inputs.

The one rule: the text beside the blocks holds all of it too, so everything shares one budget of characters; what was
cut says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.blocks.kit import BAR, Block, barred, entities, escape, fitting, literal, section
from bot.blocks.words import counted, one_line, plain
from engine.core.gates import Gate

EVIDENCE_LIMIT = 2_000
"""Characters of evidence in all, as escaped for mrkdwn: the text beside the blocks has to hold it too."""

EVIDENCE_ITEMS = 12

DIGEST = 10
"""Characters of the digest that people see."""

_SHORT = 120

_AROUND = 60
"""What a value takes in a text besides itself, its name and its note: how much of it is shown, and its first bar."""


@dataclass(frozen=True, slots=True)
class Item:
    """One shown value, cut to fit. ``whole`` is its full length in characters; ``note`` says more about it (mrkdwn)."""

    name: str
    value: str
    whole: int
    note: str = ""

    @property
    def label(self) -> str:
        cut = f" (the first {len(self.value):,} of {self.whole:,} characters)" if self.whole > len(self.value) else ""
        return f"*{one_line(self.name, 80) or 'Without a name'}*{self.note}{cut}"

    @property
    def short(self) -> bool:
        """Whether it is shown within a line, where nothing in it may look like markup."""
        is_plain = "\n" not in self.value and escape(self.value) == entities(self.value)
        return is_plain and len(self.value) <= _SHORT

    def blocks(self) -> list[Block]:
        if self.short:
            return [section(f"{self.label}: {escape(self.value) or 'empty'}")]
        return [section(self.label), literal(self.value)]

    def text(self) -> str:
        label = self.label.replace("*", "")
        if self.short:
            return f"{label}: {escape(self.value) or 'empty'}"
        return "\n".join(part for part in (f"{label}:", barred(self.value)) if part)


def evidence(gate: Gate, room: int = EVIDENCE_LIMIT) -> Iterator[Item]:
    """Everything in its order, sharing what there is: short values whole, the rest in equal parts.

    ``room``: the characters that are left for it in the message's text.
    """
    items = [*_values(gate)]
    most = min(EVIDENCE_ITEMS, max(room, 0) // 2 // (80 + _AROUND))
    kept = items[:most]
    around = sum(len(one_line(item.name, 80)) + len(item.note) + _AROUND for item in kept) + _AROUND
    sizes = [len(escape(item.value)) + item.value.count("\n") * len(BAR) for item in kept]
    share = _fair_share(sizes, min(EVIDENCE_LIMIT, room - around))
    for item in kept:
        yield replace(item, value=item.value[: fitting(item.value, share, 1 + len(BAR))])
    if len(items) > most:
        yield Item("Not shown here", f"{counted(len(items) - most, 'more value')}; vb show tells all", 0)


def digest_words(gate: Gate) -> str:
    """The beginning of the digest of what is decided on; nothing for a gate of an earlier release."""
    return f" · evidence {gate.evidence[:DIGEST]}" if gate.evidence else ""


def _values(gate: Gate) -> Iterator[Item]:
    for name, value in gate.request.show.items():
        yield _item(name, plain(value))
    before: Mapping[str, object] = gate.request.fields
    for name, value in gate.fields.items():
        was = before.get(name)
        note = "" if was == value else f" (was {one_line(plain(gate.request.fields[name]), 40) or 'empty'})"
        yield _item(name, plain(value), note)
    for step, inputs in gate.inputs.items():
        yield _item(f"{step} runs with", json.dumps(inputs, ensure_ascii=False, indent=2))


def _item(name: str, value: str, note: str = "") -> Item:
    text = value.strip("\n")
    return Item(name, text, len(text), note)


def _fair_share(sizes: Sequence[int], total: int) -> int:
    """The most that each of ``sizes`` may take so that all fit into ``total``."""
    left = total
    for position, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - position)
        if size > share:
            return share
        left -= size
    return total
