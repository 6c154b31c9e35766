"""What waits for one person, in the App Home: each gate with its buttons, and like ones to be decided together.

The one rule: every button carries which gate it is for, and which version of it, as in the gate's own message; so the
same listeners take it, and something older is refused there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bot.blocks.approval import click_value, offered, title_of
from bot.blocks.evidence import evidence
from bot.blocks.forms import FIELD, Place, View, entered_in, modal, option
from bot.blocks.gate_forms import reason_block, shown
from bot.blocks.gate_words import if_nobody_decides, progress
from bot.blocks.kit import Block, Message, actions, button, clip, escape, plain_text, section
from bot.blocks.words import counted, one_line, run_title, short_id
from engine.core import paths
from engine.core.gates import Gate
from engine.core.state import RunState

SHOW = "gate_show"
TOGETHER = "gates_together"
TOGETHER_FORM = "gates_together_form"

VERDICT_BLOCK = "verdict"
CHOICE_BLOCK = "gates"

APPROVED, DENIED = "approve", "deny"

SHOWN = 10
"""Gates that are shown one by one; the others are counted."""
AT_ONCE = 20
"""Gates that can be decided together."""

_A_BLOCK = 10
_LONGEST_VALUE = 150


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open gate."""

    state: RunState
    step: str
    gate: Gate

    @property
    def kind(self) -> str:
        """Equal for gates that are alike: of the same step of the same workflow."""
        return f"{self.state.started.workflow}:{paths.template_of(self.step)}"

    @property
    def value(self) -> str:
        return click_value(self.state, self.step, self.gate)

    @property
    def selectable(self) -> bool:
        """Whether it can be chosen in a form, whose options hold less than a button does."""
        return len(self.value) <= _LONGEST_VALUE

    @property
    def name(self) -> str:
        """What it is about, in a few words. Not escaped."""
        return f"{self.gate.request.title.strip() or self.step} · {run_title(self.state)}"


@dataclass(frozen=True, slots=True)
class Said:
    """What became of one decision of several; ``refused`` (mrkdwn) says why nothing was recorded."""

    name: str
    refused: str = ""


def waiting(gates: Sequence[Waiting]) -> list[Block]:
    """All that waits, like gates together; a sentence if nothing does."""
    if not gates:
        return [section("Nothing waits for you.")]
    blocks: list[Block] = []
    kept = sorted(gates[:SHOWN], key=lambda each: [one.kind for one in gates].index(each.kind))
    for kind, alike in groupby(kept, lambda each: each.kind):
        some = [each for each in gates if each.kind == kind and each.selectable]
        blocks += _together(some) if len(some) > 1 else []
        for each in alike:
            blocks += _row(each)
    if len(gates) > SHOWN:
        blocks.append(section(f"and {counted(len(gates) - SHOWN, 'more decision')} that wait for you."))
    return blocks


def _together(alike: Sequence[Waiting]) -> Iterator[Block]:
    first = alike[0]
    what = f"{one_line(first.state.started.workflow, 80)} asks {len(alike)} times at {one_line(first.step, 80)}."
    yield section(what)
    yield actions(f"together:{first.kind}"[:255], [button("Decide together", TOGETHER, first.kind)])


def _row(each: Waiting) -> Iterator[Block]:
    run = f"{escape(run_title(each.state))} · `{short_id(each.state.run)}`"
    lines = [f"*{title_of(each.step, each.gate)}*", run, *progress(each.gate), if_nobody_decides(each.gate)]
    yield section("\n".join(lines))
    deciding, others = offered(each.state, each.step, each.gate)
    look = button("Show", SHOW, each.value)
    yield actions(f"gate:{each.value}"[:255], [*deciding, look, *others])


# Deciding together


def together_form(alike: Sequence[Waiting]) -> View:
    """Which of these to decide, how and why; all are chosen at first. There is one at least, and all are selectable."""
    fitting = alike[:AT_ONCE]
    first = fitting[0]
    always = any(each.gate.request.reason == "always" for each in fitting)
    lead = "What you choose here is decided on as it is described now; what has changed by then is left alone."
    blocks = [section(lead), *_choices(fitting), _verdict()]
    blocks.append(reason_block("Why?", "Needed to deny.", optional=not always))
    return modal(TOGETHER_FORM, clip(f"Decide {first.step}", 24), "Decide", Place("", first.kind), blocks)


def _choices(gates: Sequence[Waiting]) -> Iterator[Block]:
    for place in range(0, len(gates), _A_BLOCK):
        options = [option(each.name, each.value, _summary(each.gate)) for each in gates[place : place + _A_BLOCK]]
        yield {
            "type": "input",
            "block_id": f"{CHOICE_BLOCK}{place // _A_BLOCK}",
            "optional": True,
            "label": plain_text("Decide on" if place == 0 else "and on"),
            "element": {
                "type": "checkboxes",
                "action_id": FIELD,
                "options": options,
                "initial_options": options,
            },
        }


def _summary(gate: Gate) -> str:
    return ", ".join(f"{item.name}: {' '.join(item.value.split())}" for item in evidence(gate))


def _verdict() -> Block:
    options = [option("Approve", APPROVED), option("Deny", DENIED)]
    return {
        "type": "input",
        "block_id": VERDICT_BLOCK,
        "label": plain_text("How?"),
        "element": {"type": "radio_buttons", "action_id": FIELD, "options": options},
    }


def read_choices(values: Mapping[str, Any]) -> dict[str, str]:
    """The gates that were chosen: their names, by their values."""
    chosen: dict[str, str] = {}
    for block, fields in values.items():
        if block.startswith(CHOICE_BLOCK):
            options = fields[FIELD].get("selected_options") or ()
            chosen |= {str(each["value"]): str(each["text"]["text"]) for each in options}
    return chosen


def read_verdict(values: Mapping[str, Any]) -> str:
    """How they are decided."""
    return entered_in(values[VERDICT_BLOCK][FIELD]) or ""


def outcome(verdict: str, told: Sequence[Said]) -> View:
    """What was recorded, and what was not and why."""
    done = [each for each in told if not each.refused]
    word = "Approved" if verdict == APPROVED else "Denied"
    lines = [f"*{word}: {len(done)} of {len(told)}.*"]
    lines += [f"✓ {one_line(each.name, 120)}" for each in done]
    lines += [f"– {one_line(each.name, 120)}: {each.refused}" for each in told if each.refused]
    return shown(word, Message("", tuple(section(line) for line in lines)))
