"""How the tests of model steps ask: a provider's server, a pace that a test sets, and a bench that has both."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.core.failures import StepError
from engine.steps.agent import Answer, Left, Question, Said, unlimited
from engine.steps.models.asking import asker
from engine.steps.models.config import Asker, Models, Unhurried, Wait
from tests.providers.script import Answer as Scripted
from tests.providers.server import KEY, Providers

if TYPE_CHECKING:
    from tests.steps.conftest import Notebook

OPENAI, ANTHROPIC = "openai:gpt-5-mini", "anthropic:claude-haiku-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])


class Pacer(Unhurried):
    """A pace that a test sets; it keeps what it is asked."""

    def __init__(self) -> None:
        self.wait: Wait | None = None
        self.asked: list[tuple[Asker, str, int]] = []
        self.held: list[tuple[Asker, int]] = []

    async def admit(self, asker: Asker, model: str, tokens: int) -> Wait | None:
        self.asked.append((asker, model, tokens))
        return self.wait

    async def hold(self, asker: Asker, ms: int) -> None:
        self.held.append((asker, ms))


class Bench:
    """Asks the server's models as steps do; ``notebook`` is what is on record."""

    def __init__(self, server: Providers, notebook: Notebook) -> None:
        self.server = server
        self.notebook = notebook
        self.pace = Pacer()
        notebook.secret = KEY
        prices = ("mine:*=1.00/2.00",)
        own = Models.of([*server.entries, f"mine={server.openai}"], (), prices)
        self.models = Models(own.providers, {}, own.prices, idle=60.0)
        self.ask = asker(self.models, self.pace)

    def lose_patience(self) -> None:
        self.ask = asker(replace(self.models, idle=0.4), self.pace)

    async def answer(self, model: str, *script: Scripted, left: Left = unlimited, **question: Any) -> Answer:
        self.server.next = list(script)
        asked = {"model": model, "messages": [Said(role="user", text="How many?")], "max_tokens": 200, **question}
        return await self.ask(self.notebook.context(), Question.model_validate(asked), left)

    async def failure(self, model: str, *script: Scripted, **question: Any) -> StepError:
        with pytest.raises(StepError) as caught:
            await self.answer(model, *script, **question)
        return caught.value
