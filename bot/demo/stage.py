"""The demo's stage: simulator, engine, bot and worker in one process, on one clock that a person can move.

The one rule: the parts are the real ones, put together as `vb serve` does it; only Slack is not slack.com.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.app import BotSettings, Service
from bot.config.known import catalog
from bot.config.settings import Settings
from bot.config.wiring import working_engine
from bot.console.launch import Misuse
from bot.demo.memory import remembered
from bot.demo.props import Repository, flaky_site, prepare_downloads
from bot.demo.scenes import scenes_of
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from bot.simulator.chaos import Chaos
from bot.simulator.demo import demo_workspace
from bot.simulator.model import Suggestion
from bot.simulator.simulator import Simulator
from engine.clock import MovableClock
from engine.engine import Engine
from engine.worker import Worker

PORT, SITE_PORT = 8765, 8766
"""Usual ones, so that addresses stay good from one start to the next."""

CHANNEL = "#releases"
ADMINS = ("@dana",)

MODEL_PRICES = "local:*=0/1000"
"""Local models cost nothing. Here an answer costs $1.00 for 1,000 tokens, so that budgets have something to hold."""
MODEL_LIMITS = "local:brief=12"
"""Two questions at once, and then one in 6 s."""

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Stage:
    """The running demo. ``problems``: what kept a definition from being loaded."""

    simulator: Simulator
    engine: Engine
    worker: Worker
    repository: Repository
    scenes: tuple[Suggestion, ...]
    problems: tuple[str, ...]


def demo_settings(settings: Settings) -> Settings:
    """The given settings with the demo's own database, Redis and Slack, and its policy for steps."""
    programs = [settings.allowed_programs, *(name for name in ("find",) if shutil.which(name))]
    own = {
        "folder": settings.folder.absolute(),
        "given_database_url": None,
        "given_redis_url": None,
        "given_chain_key_file": None,
        "given_workflows": os.pathsep.join(str(folder.absolute()) for folder in settings.workflow_folders),
        "allowed_programs": ",".join(part for part in programs if part),
        "allow_private_addresses": _HOST,
        # What the person has set comes later, and counts.
        "model_prices": f"{MODEL_PRICES},{settings.model_prices}",
        "model_limits": f"{MODEL_LIMITS},{settings.model_limits}",
    }
    return settings.model_copy(update=own)


@asynccontextmanager
async def stage(settings: Settings, port: int | None, chaos: Chaos, *, stormy: bool) -> AsyncGenerator[Stage]:
    """Set everything up in the settings' folder. Raises ``Misuse`` for a port that is taken.

    ``chaos``: what goes wrong in the simulated Slack while it is switched on; if ``stormy``, once the bot is connected.
    """
    own = settings.folder / "demo"
    repository = Repository(own / "repo")
    repository.prepare()
    prepare_downloads(own / "downloads")
    clock = MovableClock()
    workspace = demo_workspace(clock)
    sender = SlackSender()
    known, problems = catalog(settings)
    async with contextlib.AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(remembered(workspace, own / "slack.jsonl"))
        simulator = await enter(Simulator(workspace).serve(_HOST, _port(port, PORT)))
        site = await enter(flaky_site(SITE_PORT))
        # A definition's "." is the demo's repository, so that no mistake can tag one of the person's.
        stack.enter_context(_inside(repository.path))
        engine = await enter(working_engine(settings, known, slack_post(sender), clock=clock))
        await enter(Service(engine, _slack(simulator), sender=sender))
        worker = await enter(engine.work())
        await enter(_developing(repository))
        await simulator.wait_connected()
        simulator.disturbance.offer(chaos)
        if stormy:
            await simulator.disturbance.switch(on=True)
        simulator.suggestions = scenes = scenes_of(repository.next_version(), site)
        yield Stage(simulator, engine, worker, repository, scenes, tuple(map(str, problems)))


@asynccontextmanager
async def _developing(repository: Repository) -> AsyncGenerator[None]:
    """Work on the repository goes on meanwhile."""
    task = asyncio.create_task(repository.develop())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _slack(simulator: Simulator) -> BotSettings:
    return BotSettings(
        bot_token=simulator.bot_token,
        app_token=simulator.app_token,
        api_url=simulator.api_url,
        default_channel=CHANNEL,
        admins=ADMINS,
    )


def _port(wanted: int | None, usual: int) -> int:
    """The wanted port, or else the usual one if it is free, or else any (0)."""
    if wanted is None:
        return usual if _is_free(usual) else 0
    if wanted and not _is_free(wanted):
        raise Misuse(f"The port {wanted} is in use; choose another one, or leave --port out.")
    return wanted


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def _inside(folder: Path) -> Generator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
