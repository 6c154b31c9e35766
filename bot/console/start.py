"""`vb run`: starts a run, and with `--wait` works on it in this process and tells what happens.

The one rule: the run belongs to the log, not to this process. Whoever interrupts the command loses the view of the run,
and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Sequence

from rich.text import Text

from bot.config.known import catalog
from bot.config.settings import Settings
from bot.config.wiring import starting_engine, working_engine
from bot.console.launch import DONE, FAILED, Misuse, take_the_hint
from bot.console.output import err, note, out, say, say_json
from bot.console.runs import described, outputs_of
from bot.console.stopping import say_stopping
from bot.console.whoami import acting_here
from bot.text.plain import one_line
from bot.text.timeline import Timeline
from engine.catalog import Catalog
from engine.core import events as e
from engine.core.durations import say_duration
from engine.core.errors import InvalidInput, UnknownWorkflow
from engine.core.inputs import validate_input
from engine.core.outlook import summary
from engine.core.state import Recorded, RunState, RunStatus
from engine.engine import Engine

LOOK_EVERY = 0.5
"""Seconds between looks for what other processes have recorded."""


async def start_run(settings: Settings, workflow: str, pairs: Sequence[str], *, wait: bool, as_json: bool) -> int:
    """Start ``workflow`` with the inputs of ``pairs`` (``key=value`` each); with ``wait``, see it through."""
    given = read_pairs(pairs)
    known, problems = catalog(settings)
    try:
        if settings.is_embedded_database and not settings.database_file.exists():
            _check(known, workflow, given)
        if wait:
            return await _see_through(settings, known, workflow, given, as_json=as_json)
        return await _hand_in(settings, known, workflow, given, as_json=as_json)
    except UnknownWorkflow:
        # Perhaps it is there, but broken.
        for problem in problems:
            note(str(problem))
        raise


async def _hand_in(settings: Settings, known: Catalog, workflow: str, given: dict[str, str], *, as_json: bool) -> int:
    async with starting_engine(settings, known) as engine:
        run = (await engine.start(workflow, given, by=await acting_here(settings, engine), text=True)).run
        state = await engine.state(run)
        outputs = await outputs_of(engine, state)
        workers = len(await engine.store.workers())
    if as_json:
        say_json(described(state, outputs))
    else:
        say(Text.assemble("Started ", (run, "bold"), f": {one_line(workflow)}."))
    if workers == 0:
        note(
            "No worker is running here, so nobody works on it yet: start one with vb worker or vb serve "
            "(or use vb run … --wait, which works on it itself)."
        )
    return DONE


def read_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """The inputs, as texts. Raises ``Misuse`` for a word that is no pair, and for a name that is given twice."""
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Misuse(f"{pair!r} is no input; write key=value, with quotes around a value of several words.")
        if name in given:
            raise Misuse(f"The input {name} is given twice; give it once.")
        given[name] = value
    return given


def _check(known: Catalog, workflow: str, given: dict[str, str]) -> None:
    """Find what is wrong before a database is made. Raises ``UnknownWorkflow`` and ``InvalidInput``."""
    _, problems = validate_input(known.get(workflow), given, text=True)
    if problems:
        raise InvalidInput(workflow, problems)


async def _see_through(
    settings: Settings, known: Catalog, workflow: str, given: dict[str, str], *, as_json: bool
) -> int:
    async with working_engine(settings, known) as engine, engine.work() as worker:
        run = (await engine.start(workflow, given, by=await acting_here(settings, engine), text=True)).run
        view = _View(settings, engine, run, to=err if as_json else out)
        try:
            state = await view.follow()
        except asyncio.CancelledError:
            take_the_hint()
            say_stopping(worker)
            note(f"The run {run} goes on wherever a worker runs: vb worker, or vb serve.")
            return FAILED
        outputs = await outputs_of(engine, state) if as_json else {}
    if as_json:
        say_json(described(state, outputs))
    else:
        say(_ending(state))
    return DONE if state.status is RunStatus.COMPLETED else FAILED


def _ending(state: RunState) -> Text:
    took = say_duration(state.at - state.started_at)
    if state.status is RunStatus.COMPLETED:
        return Text(f"{state.run} completed in {took}.")
    return Text(one_line(f"{state.run} {state.status.value} after {took}: {summary(state)}"))


class _View:
    """The run's timeline as it grows, with hints where a person can do something."""

    def __init__(self, settings: Settings, engine: Engine, run: str, *, to: object) -> None:
        self._settings = settings
        self._engine = engine
        self._run = run
        self._console = out if to is out else err
        self._seq = 0
        self._moved = asyncio.Event()
        engine.observe(self._on_append)

    async def follow(self) -> RunState:
        """Tell the run's events until it has ended."""
        state = await self._engine.state(self._run)
        timeline = Timeline(state.plan)
        while True:
            self._moved.clear()
            events = await self._engine.history(self._run, self._seq)
            for line in timeline.lines(events):
                self._console.print(line.text(None))
            for recorded in events:
                self._hint(recorded)
                self._seq = recorded.seq
            state = await self._engine.state(self._run)
            if state.end is not None and state.seq == self._seq:
                return state
            # Not `wait_for`: on Python 3.11 it loses a cancellation, so Ctrl-C, that comes with what it waits for.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._moved.wait()

    def _on_append(self, state: RunState, events: Sequence[Recorded]) -> None:
        if state.run == self._run:
            self._moved.set()

    def _hint(self, recorded: Recorded) -> None:
        match recorded.event:
            case e.ApprovalRequested(step=gate, allow_self=by_starter):
                self._say_how_to_decide(gate, by_starter=by_starter)
            case e.StepAwaitedWorker(step=step, uses=uses):
                note(f"  {step} needs {uses}, which this process does not have; it waits for one that has: vb serve.")
            case _:
                pass

    def _say_how_to_decide(self, gate: str, *, by_starter: bool) -> None:
        if not self._settings.cli_approvals:
            note(f"  {gate} waits for a decision in Slack (VB_CLI_APPROVALS lets the command line decide).")
            return
        folder = [] if self._settings.folder == Settings.read().folder else ["--dir", str(self._settings.folder)]
        approve = shlex.join(["vb", "approve", self._run, gate, *folder])
        deny = shlex.join(["vb", "deny", self._run, gate, *folder, "--reason"])
        who = (
            "In another terminal" if by_starter else "Not by you, who started the run; another user of this machine can"
        )
        note(f"  {gate} waits for a decision. {who}: {approve}\n  or: {deny} '…'")
