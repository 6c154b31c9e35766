"""Which models can be asked here, and within which limits.

The one rule: whom a model step reaches is the operator's choice, made when the process starts; a definition names a
provider, and never an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from pydantic import JsonValue

from engine.core.agents import Output
from engine.core.failures import FailureClass, StepError
from engine.core.models import LOCAL
from engine.core.words import did_you_mean
from engine.prices import Prices, parse_price
from engine.steps.models.shapes import Shape

IDLE_S = 120.0
"""So long a model may be silent within an answer."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LIMIT = re.compile(r"(\d{1,9})(?:/(\d{1,12}))?")


class Wire(StrEnum):
    """How a provider is spoken to."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Provider:
    """``url`` is None for the provider's own address. Of another address a key is optional, as on one's own machine."""

    name: str
    wire: Wire
    url: str | None = None

    @property
    def needs_key(self) -> bool:
        return self.wire is not Wire.LOCAL and self.name in (Wire.OPENAI, Wire.ANTHROPIC)


class Limit(NamedTuple):
    """How much may be asked for in a minute; None: as much as the provider lets through."""

    requests: int
    tokens: int | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """``60`` requests, or ``60/100000`` for requests and tokens. ``ValueError`` for anything else."""
        found = _LIMIT.fullmatch(text)
        if found is None or int(found[1]) == 0 or found[2] == "0":
            raise ValueError(
                f"{text!r:.40} is no limit; write requests, or requests/tokens, for a minute, such as 60/100000"
            )
        return cls(int(found[1]), None if found[2] is None else int(found[2]))


class Wait(NamedTuple):
    """For whom, as ``openai's limit``, and how many ms."""

    words: str
    ms: int


class Asker(NamedTuple):
    """Who asks whom, by the id of the key that is sent; empty where none is."""

    workspace: str
    provider: str
    key: str = ""


class Pace(Protocol):
    """Limits that all processes keep together."""

    async def admit(self, asker: Asker, model: str, tokens: int) -> Wait | None:
        """A request of some ``tokens`` may go out now (None), or has to wait."""
        ...

    async def hold(self, asker: Asker, ms: int) -> None:
        """Let nobody ask the provider with that key for so long: it said so."""
        ...


class Unhurried:
    """No limits."""

    async def admit(self, asker: Asker, model: str, tokens: int) -> Wait | None:
        return None

    async def hold(self, asker: Asker, ms: int) -> None:
        return None


_OWN = (
    Provider(Wire.OPENAI, Wire.OPENAI),
    Provider(Wire.ANTHROPIC, Wire.ANTHROPIC),
    Provider(LOCAL, Wire.LOCAL),
)


@dataclass(frozen=True, slots=True)
class Models:
    """What an operator lets model steps reach. ``limits`` go by ``provider:model``, or by ``provider`` for each model.

    ``idle``: seconds that an answer may stand still. ``shapes`` are those that definitions may name, by name.
    """

    providers: Mapping[str, Provider] = field(default_factory=lambda: {one.name: one for one in _OWN})
    limits: Mapping[str, Limit] = field(default_factory=dict[str, Limit])
    prices: Prices = field(default_factory=Prices)
    idle: float = IDLE_S
    shapes: Mapping[str, Shape] = field(default_factory=dict[str, Shape])

    @classmethod
    def of(cls, providers: Iterable[str] = (), limits: Iterable[str] = (), prices: Iterable[str] = ()) -> Self:
        """From ``name=URL``, ``name=60/100000`` and ``name:model=0.25/2.00``. ``ValueError`` names what is wrong."""
        own = {one.name: one for one in _OWN}
        for name, url in _pairs(providers, "vllm=http://10.0.0.5:8000/v1"):
            own[name] = _provider(name, url)
        return cls(
            own,
            {name: Limit.parse(text) for name, text in _pairs(limits, "openai=60/100000")},
            Prices({name: parse_price(text) for name, text in _pairs(prices, "vllm:*=0.25/2.00")}),
        )

    def schema_of(self, output: Output | None) -> dict[str, JsonValue] | None:
        """The JSON Schema that it stands for. ``StepError`` INVALID_INPUT for the name of a shape that is not here."""
        if not isinstance(output, str):
            return output
        if output not in self.shapes:
            words = f"there is no shape {output} here; {did_you_mean(output, sorted(self.shapes))}"
            raise StepError(words, FailureClass.INVALID_INPUT)
        return self.shapes[output].schema

    def unfit(self, value: JsonValue, schema: dict[str, JsonValue]) -> str | None:
        """Why the value, which fits the schema, is none of the shape whose schema that is; None if it is one."""
        shape = next((one for one in self.shapes.values() if one.schema == schema), None)
        return None if shape is None else shape.misfit(value)

    def limit_of(self, provider: str, model: str) -> Limit | None:
        return self.limits.get(f"{provider}:{model}") or self.limits.get(provider)


def _pairs(entries: Iterable[str], example: str) -> Iterable[tuple[str, str]]:
    for entry in entries:
        name, equals, value = entry.partition("=")
        if not equals or not _NAME.fullmatch(name.partition(":")[0]):
            raise ValueError(f"{entry!r:.60} says nothing; write it as {example}")
        yield name, value


def _provider(name: str, url: str) -> Provider:
    """One at an address of the operator's; whatever is not Anthropic's is spoken to as to OpenAI."""
    if name == LOCAL:
        raise ValueError(f"{LOCAL} is the model on this machine, which has no address; choose another name")
    parts = urlsplit(url)
    if not _NAME.fullmatch(name) or parts.scheme not in ("http", "https") or not parts.hostname or parts.password:
        raise ValueError(f"{name} needs an address such as http://10.0.0.5:8000/v1")
    return Provider(name, Wire.ANTHROPIC if name == Wire.ANTHROPIC else Wire.OPENAI, url)
