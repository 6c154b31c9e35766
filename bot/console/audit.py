"""`vb audit`: the report on a gate, as text for people and as JSON for programs."""

from __future__ import annotations

from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.launch import DONE, FAILED
from bot.console.output import say, say_json
from bot.text.gate_report import described, lines


async def audit_gate(settings: Settings, ref: str, gate: str, *, as_json: bool) -> int:
    """The report; the code says whether the run's history holds. Raises ``UnknownGate``."""
    async with reading_engine(settings, any_key=True) as engine:
        report = await engine.gates.report(await engine.find(ref), gate)
    if as_json:
        say_json(described(report))
    else:
        for line in lines(report):
            say(line)
    return DONE if report.checked.ok else FAILED
