"""`vb runs` and `vb show`: which runs there are, and everything about one.

The one rule: what is shown is read from the log's own words; `--json` has the same facts, in the same names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from pydantic import JsonValue
from rich.text import Text

from bot.config.settings import Settings
from bot.config.wiring import reading_engine
from bot.console.asked import Asked
from bot.console.filters import wanted_by
from bot.console.launch import DONE, FAILED, take_the_hint
from bot.console.output import note, out, say, say_json, table
from bot.console.workers import say_if_nobody_works, say_who_goes_on
from bot.text.plain import one_line
from bot.text.timeline import Timeline
from engine.core.durations import say_duration
from engine.core.estimate import cost_words
from engine.core.events import Actor
from engine.core.outlook import attention, summary
from engine.core.state import Hold, Recorded, RunState, RunStatus, StepState, StepStatus
from engine.core.values import At
from engine.engine import Engine
from engine.recall import Recall
from engine.store import RunInfo, to_text

_STYLES: dict[str, str] = {
    RunStatus.COMPLETED: "green",
    RunStatus.FAILED: "red",
    RunStatus.CANCELLED: "red",
    RunStatus.WAITING: "yellow",
    RunStatus.CANCELLING: "yellow",
    RunStatus.PAUSED: "yellow",
    RunStatus.UNDOING: "yellow",
}


_DEAD_SHOWN = 5


async def list_runs(settings: Settings, asked: Asked, *, limit: int, as_json: bool) -> int:
    """The newest runs that fit, the newest first."""
    async with reading_engine(settings, any_key=True) as engine:
        now = engine.clock.now()
        found = await with_unshown(engine, await engine.runs(await wanted_by(engine, asked), limit=limit))
        if not as_json and any(run.ended_at is None for run in found):
            await say_if_nobody_works(engine)
    if as_json:
        say_json([_listed(run) for run in found])
    elif found:
        head = ("RUN", "WORKFLOW", "STATUS", "STARTED", "BY", "NOW")
        for line in table(head, [_cells(run, now) for run in found], _STYLES):
            say(line)
    elif asked.says_anything:
        note("No run fits.")
    else:
        note("There are no runs yet; start one with vb run.")
    return DONE


async def with_unshown(engine: Engine, runs: Sequence[RunInfo]) -> list[RunInfo]:
    """The runs, of which those say so that ask people who could be shown nothing in Slack."""
    asking = [run.id for run in runs if run.attention == "approval"]
    if not asking:
        return list(runs)
    from bot.sending.postings import unshown  # which brings Slack's libraries

    never_shown = await unshown(engine.store, asking)
    found: list[RunInfo] = []
    for run in runs:
        if (gates := never_shown.get(run.id)) and any(
            step.gate is not None and step.gate.asked_seq in gates
            for _, step in (await engine.state(run.id)).opened(StepStatus.WAITING)
        ):
            run = replace(run, summary=f"{run.summary}; it could be shown to nobody in Slack: vb approve")
        found.append(run)
    return found


async def show_run(settings: Settings, ref: str, *, as_json: bool, events_only: bool) -> int:
    """One run: where it stands, and how it got there."""
    async with reading_engine(settings, any_key=True) as engine:
        run = await engine.find(ref)
        state = await engine.state(run)
        history = await engine.history(run)
        outputs = await outputs_of(engine, state) if as_json else {}
        now = engine.clock.now()
        if not (as_json or events_only):
            await say_who_goes_on(engine, run)
    if as_json:
        say_json({**described(state, outputs), "events": [_event(run, recorded) for recorded in history]})
    elif events_only:
        for line in Timeline(state.plan).lines(history):
            say(line.text(UTC, with_date=True))
    else:
        for text in (*headline(state, now), Text()):
            say(text)
        for line in Timeline(state.plan).lines(history):
            say(line.text(None))
    return DONE


async def follow_run(settings: Settings, ref: str, *, events_only: bool) -> int:
    """The same, and then each event as it is recorded, until the run ends; the code says whether it completed."""
    async with reading_engine(settings, any_key=True) as engine:
        run = await engine.find(ref)
        state = await engine.state(run)
        if not events_only:
            for text in (*headline(state, engine.clock.now()), Text()):
                say(text)
        await say_who_goes_on(engine, run)
        timeline = Timeline(state.plan)
        try:
            async for recorded in engine.follow(run):
                for line in timeline.lines([recorded]):
                    say(line.text(UTC, with_date=True) if events_only else line.text(None))
        except asyncio.CancelledError:
            take_the_hint()
            return DONE
        state = await engine.state(run)
    return DONE if state.status is RunStatus.COMPLETED else FAILED


async def export_run(settings: Settings, ref: str) -> int:
    """A run's whole history, one JSON document a line."""
    async with reading_engine(settings, any_key=True) as engine:
        async for line in engine.export(await engine.find(ref)):
            out.out(line, highlight=False)
    return DONE


def headline(state: RunState, now: int) -> list[Text]:
    """What a run is, how it stands, and what happens next."""
    status = state.status
    started = state.started
    ended = f", ended after {say_duration(state.end.at - state.started_at)}" if state.end else ""
    day = datetime.fromtimestamp(state.started_at / 1_000, UTC).astimezone()
    lines = [
        Text.assemble((state.run, "bold"), f"  {started.workflow}  ", (status.value, _STYLES.get(status, "bold"))),
        Text(one_line(f"started by {_named(started.by)} on {day:%Y-%m-%d at %H:%M:%S %Z}{ended}")),
    ]
    if cost := cost_words(state):
        lines.append(Text(cost))
    told = summary(state)
    if told != "done":
        lines.append(Text(one_line(told)))
    lines += [Text(one_line(text)) for text in _outlook(state, now)]
    return lines


def _outlook(state: RunState, now: int) -> list[str]:
    """What happens by itself at open gates, who can decide, and what a person has to say or do."""
    told: list[str] = []
    if state.stopping or state.end is not None:
        return list(_asks(state))
    for path, step in state.opened(StepStatus.SLEEPING):
        told.append(f"{path} goes on in {say_duration(max(0, step.wake_at - now))}")
    for name, step in state.opened(StepStatus.WAITING):
        gate = step.gate
        if gate is None or gate.decision is not None:
            continue
        expiry = say_duration(max(0, gate.request.expires_at - now))
        told.append(f"{name} asks {', '.join(gate.asked)}; expires in {expiry} (then: {gate.request.on_expiry})")
        if gate.next_rung is not None:
            told.append(f"{name} escalates to {gate.next_rung.to} in {say_duration(max(0, gate.next_rung.at - now))}")
    return [*told, *_asks(state)]


def _asks(state: RunState) -> Iterator[str]:
    for key in sorted({key for _, step in state.opened(StepStatus.HELD) if step.hold for key in _thrown(step.hold)}):
        yield f"to lift what holds it: vb lift {key}"
    for path, _ in state.opened(StepStatus.UNCERTAIN):
        settle = f"vb settle {state.run} {path}"
        yield f"{path}: whether it happened is unknown. Somebody has to say: {settle} happened|did-not-happen|fail"
    for path, step in state.opened(StepStatus.GIVEN_UP):
        summary = step.correction.summary if step.correction is not None else ""
        yield f"{path}: {summary} Somebody has to say: vb settle {state.run} {path} retry --result …|accept|fail"
    for path, step in state.opened(StepStatus.READY, StepStatus.RETRYING):
        if step.missing:
            uses = state.plan.node(path).step.uses
            yield f"{path}: no worker has {uses}. Start one that has it, or: vb map {state.run} {uses}=…"
    dead = [path for path, step in state.steps.items() if step.dead]
    for path in dead[:_DEAD_SHOWN]:
        yield f"{path} failed for good: {state.steps[path].dead}"
    if len(dead) > _DEAD_SHOWN:
        yield f"and {len(dead) - _DEAD_SHOWN} more failed for good"
    if dead and not state.undone and state.status is not RunStatus.UNDOING:
        yield f"to try again: vb redrive {state.run}"


def _thrown(hold: Hold) -> tuple[str, ...]:
    return hold.keys if hold.cause == "switch" else ()


async def outputs_of(engine: Engine, state: RunState) -> dict[str, JsonValue]:
    """What each step gave, by path; large values are read from where the log has them."""
    recall = Recall(engine.store)
    held = {path: step.output for path, step in state.steps.items()}
    known = await recall.values(state.run, {one.seq for one in held.values() if isinstance(one, At)})
    return {path: known[one.seq] if isinstance(one, At) else one for path, one in held.items()}


def described(state: RunState, outputs: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A run's state for programs, with its steps' ``outputs`` by path. Instants are ISO 8601 in UTC."""
    started = state.started
    end = state.end
    return {
        "run": state.run,
        "workflow": started.workflow,
        "definition": started.definition,
        "status": state.status.value,
        "summary": summary(state),
        "input": started.input,
        "started_by": started.by.model_dump(mode="json"),
        "started_at": to_text(state.started_at),
        "ended_at": to_text(end.at) if end else None,
        "reason": end.reason if end else "",
        "seq": state.seq,
        "labels": dict(state.labels),
        "attention": attention(state),
        "steps": [_step(path, state.step(path), outputs.get(path)) for path in _paths(state)],
    }


def _paths(state: RunState) -> list[str]:
    """The workflow's own steps in its order, then what is or was open inside of them."""
    return [*state.plan.steps, *sorted(path for path in state.steps if path not in state.plan.steps)]


def _step(path: str, step: StepState, output: JsonValue) -> dict[str, JsonValue]:
    gate = step.gate
    decision = gate.decision if gate else None
    asked: JsonValue = None
    if gate:
        asked = {
            "title": gate.request.title,
            "asked": list(gate.asked),
            "expires_at": to_text(gate.request.expires_at),
            "verdict": decision.verdict.value if decision else None,
            "by": decision.by.model_dump(mode="json") if decision and decision.by else None,
            "reason": decision.reason if decision else "",
        }
    return {
        "id": path,
        "status": step.status.value,
        "attempt": step.attempt,
        "output": output,
        "failure": step.failure.model_dump(mode="json") if step.failure else None,
        "dead_letter": step.dead,
        "approval": asked,
    }


def _event(run: str, recorded: Recorded) -> JsonValue:
    event = recorded.event
    return {
        "stream": run,
        "seq": recorded.seq,
        "type": event.type,
        "version": event.version,
        "at": to_text(recorded.at),
        "payload": event.model_dump(mode="json"),
    }


def _listed(run: RunInfo) -> JsonValue:
    return {
        "run": run.id,
        "workflow": run.workflow,
        "status": run.status,
        "summary": run.summary,
        "started_by": run.started_by,
        "started_at": to_text(run.created_at),
        "updated_at": to_text(run.updated_at),
        "ended_at": None if run.ended_at is None else to_text(run.ended_at),
        "labels": dict(run.labels),
        "attention": run.attention,
        "parent": run.parent,
        "seq": run.last_seq,
    }


def _cells(run: RunInfo, now: int) -> tuple[str, ...]:
    started = f"{say_duration(max(0, now - run.created_at))} ago"
    return run.id, run.workflow, run.status, started, run.started_by, run.summary


def _named(actor: Actor) -> str:
    return f"{actor.name} ({actor.via})"
