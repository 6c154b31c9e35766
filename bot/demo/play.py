"""`vb demo`: opens the page for people; or with `--once` plays a release, as its people would, and shows the thread.

The one rule: the play does only what a person can do in the page: type a command, read, move the clock, click. That the
release is there is asked of git itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from rich.text import Text

from bot.blocks import timeline
from bot.blocks.approval import APPROVE
from bot.blocks.card import card
from bot.config.settings import Settings
from bot.console.launch import DONE, until_told_to_stop
from bot.console.output import note, say
from bot.console.stopping import say_stopping
from bot.demo.reading import readable, thread
from bot.demo.stage import CHANNEL, Stage, stage
from bot.simulator.chaos import Chaos
from bot.simulator.errors import PersonError
from bot.simulator.model import Json, Message
from engine.core.errors import EngineError
from engine.core.fold import fold
from engine.core.state import RunState, RunStatus

T = TypeVar("T")

STARTS, DECIDES = "ben", "chen"
ASKED_LATER = "oncall"
PATIENCE_S = 120.0
"""Far longer than anything here takes: a machine that is busy must not end the play."""
ESCALATES_AFTER_MS = 15 * 60_000


class DemoFailed(EngineError):
    """The play did not come to its end."""


async def play(settings: Settings, *, once: bool, port: int | None, seed: int, stormy: bool) -> int:
    """Serve the page until told to stop; or play one release, and return once it is told.

    ``seed``: of what goes wrong in the simulated Slack while that is switched on; ``stormy``: it is from the beginning.
    """
    async with stage(settings, 0 if once and port is None else port, Chaos(seed), stormy=stormy) as on:
        for problem in on.problems:
            note(problem)
        if once:
            await _Play(on).release()
            _say_chaos(on)
            note(f"Its database is {settings.database_file}; ask it with vb show, vb verify, or SQL.")
            return DONE
        _welcome(on)
        await until_told_to_stop()
        say_stopping(on.worker)
        _say_chaos(on)
    return DONE


def _say_chaos(on: Stage) -> None:
    """What went wrong, and how to have it again."""
    chaos = on.simulator.chaos
    if chaos is None:
        return
    happened = ", ".join(f"{what} {count}" for what, count in sorted(chaos.happened.items())) or "nothing"
    note(f"Chaos (--seed {chaos.seed}): {happened}. Rules of Slack that the bot broke: {on.simulator.violations}.")


def _welcome(on: Stage) -> None:
    say(Text.assemble("Slack, on this machine: ", (on.simulator.page_url, "bold underline")))
    say(f"Choose who you are, and type in {CHANNEL}, for example:\n")
    for scene in on.scenes:
        say(Text(f"  {scene.note}", style="dim"))
        say(Text(f"    {scene.text}", style="bold"))
    say("\nModels are local ones, which need no key; the demo gives them a price and a limit, to have some to show.")
    say("Ctrl-C stops it.")


class _Play:
    """One release: Ben starts it, nobody decides in time, it escalates, and Chen, who is on call, approves it."""

    def __init__(self, on: Stage) -> None:
        self._on = on
        self._simulator = on.simulator
        self._run = ""

    async def release(self) -> None:
        """Play it and print its thread. Raises ``DemoFailed`` unless the run completed and git has the tag."""
        version = self._on.repository.next_version()
        command = f"/vb run publish_release version={version}"
        note(f"{self._name(STARTS)} types in {CHANNEL}: {command}")
        await self._type(command)
        await self._until("the bot asks for approval", self._asked_with_button)
        note("The release managers are asked, and nobody decides for 15 minutes (the clock is moved).")
        self._simulator.advance_clock(ESCALATES_AFTER_MS)
        mention = self._mention(ASKED_LATER)
        await self._until("the approval escalates", lambda: [m for m in self._messages() if mention in m.text])
        question = await self._until("the buttons are there", self._asked_with_button)
        note(f"{self._name(DECIDES)}, who is on call, is asked too, and clicks Approve.\n")
        await self._click(question[-1])
        state = await self._ended()
        last_line = await self._last_line(state)
        await self._until("the thread is finished", lambda: self._is_told(state, last_line))
        self._print()
        self._check(state, version)

    # What people do

    async def _type(self, line: str) -> None:
        before = {run.id for run in await self._on.engine.runs(limit=50)}
        try:
            await self._simulator.type_command(STARTS, CHANNEL, line)
        except PersonError as error:
            raise DemoFailed(f"{line} was not taken: {error}") from None
        started = [run.id for run in await self._on.engine.runs(limit=50) if run.id not in before]
        if not started:
            raise DemoFailed(f"{line} started nothing. {self._answer()}".strip())
        self._run = started[0]

    def _answer(self) -> str:
        """What the bot told the person who typed, last."""
        seen = self._simulator.channel_messages(CHANNEL, seen_by=STARTS)
        told = [message.text for message in seen if message.ephemeral]
        return f"The bot said: {readable(self._simulator.workspace, told[-1])}" if told else ""

    async def _click(self, question: Message) -> None:
        try:
            await self._simulator.click(DECIDES, question.channel, question.ts, APPROVE)
        except PersonError as error:
            raise DemoFailed(f"The click on Approve was not taken: {error}") from None

    def _name(self, who: str) -> str:
        return self._simulator.workspace.person(who).real_name

    # What they see

    def _messages(self) -> list[Message]:
        """What the bot posted about the run, oldest first."""
        seen = self._simulator.channel_messages(CHANNEL)
        return [message for message in seen if _run_of(message) == self._run]

    def _asked_with_button(self) -> list[Message]:
        return [message for message in self._messages() if _has_button(message)]

    def _mention(self, handle: str) -> str:
        groups = self._simulator.workspace.groups.values()
        return next(f"<!subteam^{group.id}>" for group in groups if group.handle == handle)

    def _is_told(self, state: RunState, last_line: str) -> bool:
        """Whether the card shows the end, the thread has the last line, and no button is left."""
        messages = self._messages()
        return (
            messages[0].text == card(state).text
            and any(last_line in message.text for message in messages)
            and not self._asked_with_button()
        )

    def _print(self) -> None:
        root, *replies = self._messages()
        say(Text(CHANNEL, style="bold underline"))
        for line in thread(self._simulator.workspace, root, replies):
            say(line)

    # What is so

    async def _ended(self) -> RunState:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._on.engine.wait(self._run)
        except TimeoutError:
            raise DemoFailed(f"The run did not end within {PATIENCE_S:g} s; see vb show {self._run}.") from None

    async def _last_line(self, state: RunState) -> str:
        history = await self._on.engine.history(self._run)
        told, _ = timeline.lines(fold(self._run, state.plan, history[:-1]), history[-1:])
        return told[-1].text

    def _check(self, state: RunState, version: str) -> None:
        if state.status is not RunStatus.COMPLETED:
            raise DemoFailed(f"The run is {state.status.value}; see vb show {self._run}.")
        commit = self._on.repository.commit_of(f"refs/tags/{version}")
        if commit is None:
            raise DemoFailed(f"The run completed, but git has no tag {version} in {self._on.repository.path}.")
        say(f"\nThe run completed, and git has the tag {version} at {commit[:10]} in {self._on.repository.path}.")

    async def _until(self, what: str, seen: Callable[[], T]) -> T:
        """What ``seen`` returns, once it is true. Raises ``DemoFailed`` if the run ends or time runs out before."""
        try:
            return await self._simulator.wait_for(seen, int(PATIENCE_S * 1_000))
        except TimeoutError:
            raise DemoFailed(f"Waited {PATIENCE_S:g} s in vain until {what}; see vb show {self._run}.") from None


def _run_of(message: Message) -> str:
    metadata: Json = message.metadata or {}
    payload: Json = metadata.get("event_payload") or {}
    return str(payload.get("run", ""))


def _has_button(message: Message) -> bool:
    elements = (element for block in message.blocks for element in block.get("elements", ()))
    return any(element.get("action_id") == APPROVE for element in elements)
