"""A process (engine, worker, bot) that uses keys and secrets, and logs all that anybody says."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app import BotSettings, Service
from bot.sending.slackstep import slack_post
from bot.sending.steps import SlackSender
from engine.catalog import Catalog
from engine.core.definition import Workflow
from engine.engine import Engine, EngineSettings
from engine.steps.builtin import builtin_steps
from engine.steps.context import StepContext
from engine.steps.http_policy import HttpPolicy
from engine.steps.models.config import Models
from engine.steps.registry import Registry, step
from engine.steps.shell import ShellPolicy
from engine.store import Sealer
from engine.worker import WorkerSettings
from tests.crash.bot_victim import QuickSender, hasten

log = logging.getLogger(__name__)

TOKEN = "${{ secrets.TOKEN }}"
SPEAK = """
printf '%s\\n' "$TOKEN" "prefix$TOKEN" >&2
printf %s "$TOKEN" | base64 -w0; printf %s "ab$TOKEN" | base64 -w0; printf %s "$TOKEN" | od -An -tx1 | tr -d ' \\n'
while [ ! -e "$1" ]; do sleep 0.02; done
exit "$2"
"""


def _asking(model: str, name: str) -> Workflow:
    llm = {"model": model, "prompt": "Say hello.", "max_tokens": 50}
    return Workflow.model_validate({"name": name, "steps": [{"id": "ask", "llm": llm}]})


WORKFLOWS = (
    _asking("openai:gpt-5-mini", "asking"),
    _asking("anthropic:claude-haiku-4-5", "asking_other"),
    Workflow.model_validate(
        {
            "name": "calling",
            "input": {"url": {"type": "string"}},
            "steps": [
                {
                    "id": "call",
                    "uses": "http.request",
                    "with": {
                        "url": "${{ input.url }}",
                        "method": "POST",
                        "headers": {"Authorization": f"Bearer {TOKEN}"},
                        "json": {"token": TOKEN},
                    },
                }
            ],
        }
    ),
    Workflow.model_validate(
        {
            "name": "running",
            "input": {"until": {"type": "string"}, "code": {"type": "string"}},
            "steps": [
                {
                    "id": "run",
                    "uses": "shell.run",
                    "with": {
                        "program": "sh",
                        "args": ["-c", SPEAK, "sh", "${{ input.until }}", "${{ input.code }}"],
                        "env": {"TOKEN": TOKEN},
                        "stdin": TOKEN,
                    },
                }
            ],
        }
    ),
    Workflow.model_validate(
        {"name": "breaking", "steps": [{"id": "break", "uses": "canary.break", "with": {"token": TOKEN}}]}
    ),
    Workflow.model_validate(
        {
            "name": "covering",
            "steps": [
                {
                    "id": "gate",
                    "approval": {"title": "Go on?", "approvers": ["@release-managers"], "covers": ["after"]},
                },
                {"id": "after", "uses": "set", "with": {"header": f"Bearer {TOKEN}"}},
            ],
        }
    ),
)


@dataclass(frozen=True)
class Orders:
    """What a victim works on."""

    database_url: str
    redis_url: str
    namespace: str
    slack: BotSettings = field(repr=False)
    master: bytes = field(repr=False)
    providers: tuple[str, ...]
    said: Path
    """Where all that it says goes: its logs, and its standard output and error."""


def open_engine(orders: Orders, sender: SlackSender) -> AbstractAsyncContextManager[Engine]:
    @step("canary.break")
    async def broken(ctx: StepContext, token: str) -> None:
        await ctx.log(f"with {token}")
        await ctx.progress({"token": token})
        log.debug("the arguments are %r", {"token": token})
        try:
            raise KeyError(token)
        except KeyError as error:
            raise RuntimeError(f"there is no {token!r}") from error

    steps = builtin_steps(HttpPolicy(["127.0.0.0/8"]), ShellPolicy.of(["sh"], ["TOKEN"]), Models.of(orders.providers))
    registry = Registry([*steps, broken, slack_post(sender)])
    catalog = Catalog(registry.catalog())
    for workflow in WORKFLOWS:
        catalog.add(workflow)
    settings = EngineSettings(
        orders.database_url,
        orders.redis_url,
        chain_key=b"k" * 32,
        namespace=orders.namespace,
        worker=WorkerSettings(lease=3_000, grace=3.0),
        sealer=Sealer(orders.master),
    )
    return Engine.open(settings, catalog=catalog, registry=registry)


def live(orders: Orders) -> None:
    """The victim's whole life; to be the target of a process."""
    output = os.open(orders.said, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(output, number)
    logging.basicConfig(level=logging.DEBUG, filename=orders.said)
    hasten()
    asyncio.run(_serve(orders))


async def _serve(orders: Orders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    sender = QuickSender()
    async with open_engine(orders, sender) as engine, engine.work(), Service(engine, orders.slack, sender=sender):
        await told.wait()
