"""`vb dead`: what failed for good, in the words that the log has about it.

The one rule: each dead letter says what was tried, why it stopped, and what to type to try it again.
"""

from __future__ import annotations

from pydantic import JsonValue

from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.asked import Asked
from bot.console.filters import wanted_by
from bot.console.launch import DONE
from bot.console.output import note, say, say_json
from bot.text.plain import one_line
from engine.bulk import DeadRun
from engine.core.durations import say_duration
from engine.store import to_text


async def list_dead(settings: Settings, asked: Asked, *, limit: int, as_json: bool) -> int:
    """The newest first."""
    async with reading_engine(settings, any_key=True) as engine:
        now = engine.clock.now()
        found = await engine.bulk.dead_letters(await wanted_by(engine, asked), limit=limit)
    if as_json:
        say_json([_described(one) for one in found])
        return DONE
    for one in found:
        _say(one, now)
    if not found:
        note("There are no dead letters.")
    else:
        note("To try one again: vb redrive RUN. To try many: vb bulk redrive --workflow NAME --dry-run.")
    return DONE


def _say(one: DeadRun, now: int) -> None:
    run = one.run
    ago = "" if run.ended_at is None else f", {say_duration(max(0, now - run.ended_at))} ago"
    say(one_line(f"{run.id}  {run.workflow}, started by {run.started_by}, failed{ago}", 400))
    for step in one.steps:
        say(f"  {one_line(f'{step.step}: {step.summary}', 1_000)}")
    if not one.steps:
        say(f"  {one_line(run.summary, 1_000)}")


def _described(one: DeadRun) -> JsonValue:
    run = one.run
    return {
        "run": run.id,
        "workflow": run.workflow,
        "started_by": run.started_by,
        "started_at": to_text(run.created_at),
        "ended_at": None if run.ended_at is None else to_text(run.ended_at),
        "summary": run.summary,
        "steps": [{"id": step.step, "attempts": step.attempts, "summary": step.summary} for step in one.steps],
    }
