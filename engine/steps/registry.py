"""Steps as values: a function with a name, a version and a checked contract; and the set of them that a worker has.

The one rule: there is no global registry. A worker can run exactly the functions that its ``Registry`` was given.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from pydantic import JsonValue, ValidationError

from engine.core.failures import Failure, FailureClass, StepError, classify
from engine.core.stepspec import StepSpec, VersionSpec
from engine.steps.context import StepContext
from engine.steps.jsonvalue import to_json_value
from engine.steps.signature import Signature, by_name, in_words
from engine.steps.threads import run_in_thread

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")

FailureTable = Mapping[type[BaseException] | int, FailureClass]
"""Exceptions, or the statuses of HTTP answers -> the class of failure that they are for one step."""


class UnknownStep(LookupError):
    """Asked for a step, by ``name@version``, that this process does not have."""

    def __init__(self, key: str, known: Iterable[str]) -> None:
        super().__init__(f"no step {key!r} here; there are: {', '.join(sorted(known)) or 'none'}")
        self.key = key


@dataclass(frozen=True, slots=True)
class StepFunction:
    """A function that definitions can name. Calling it calls the function itself, with no checks.

    ``repeatable`` tells whether an attempt of unknown outcome may be made again without asking a person; a definition
    may say otherwise. ``opens_keys``: it may have keys of providers (``StepContext.key``). ``failures`` are the
    author's own classes, before the general table.
    """

    name: str
    version: int
    fn: Callable[..., Any]
    signature: Signature
    repeatable: bool = True
    opens_keys: bool = False
    failures: FailureTable = field(default_factory=dict[type[BaseException] | int, FailureClass])

    @property
    def key(self) -> str:
        """``name@version``, as a pinned definition writes it in ``uses``."""
        return f"{self.name}@{self.version}"

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema (2020-12) of the arguments as ``with`` may give them."""
        return self.signature.schema

    @property
    def spec(self) -> VersionSpec:
        """What a definition may know of it."""
        return VersionSpec(self.signature.schema, self.signature.result_schema, self.repeatable)

    def classify(self, error: BaseException) -> Failure:
        """The failure that ``error`` is for this step: by its own table, the nearest base class first, then by the
        HTTP status that the exception carries, then by the general table.
        """
        general = classify(error)
        for kind in type(error).__mro__:
            if kind in self.failures:
                return general.model_copy(update={"cls": self.failures[kind]})
        status = _status_of(error)
        if status is not None and status in self.failures:
            return general.model_copy(update={"cls": self.failures[status]})
        return general

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)

    async def invoke(self, ctx: StepContext, args: Mapping[str, JsonValue]) -> JsonValue:
        """Runs the function on checked ``args``; its result, checked and as plain JSON.

        An async function runs in this loop. A plain one runs in a thread of its own, which is left to itself if this
        call is cancelled; ``ctx.cancelled`` is set then. ``StepError`` INVALID_INPUT for arguments that do not fit
        and INVALID_OUTPUT for a result that does not; every other exception is the function's own.
        """
        call = self._accept(ctx, args)
        try:
            result = await (call() if self.signature.is_async else run_in_thread(call))
        except SystemExit:
            raise StepError(f"{self.key} asked its process to exit; a step must return or raise") from None
        except asyncio.CancelledError:
            ctx.cancelled.set()
            raise
        return self._deliver(result)

    def _accept(self, ctx: StepContext, args: Mapping[str, JsonValue]) -> Callable[[], Any]:
        try:
            return self.signature.bind(self.fn, ctx, args)
        except ValidationError as error:
            raise StepError(f"{self.key}: {in_words(error)}", FailureClass.INVALID_INPUT) from None

    def outcome(self, result: JsonValue) -> tuple[JsonValue, dict[str, str]]:
        """``result``, which a person gives, as if the function had given it; with one sentence for each field that does
        not fit, by its name, and by none for what is wrong with all.
        """
        try:
            return to_json_value(self.signature.dump(result)), {}
        except ValidationError as error:
            return None, by_name(error, "the result")
        except ValueError as error:
            return None, {"": f"the result {error}"}

    def _deliver(self, result: object) -> JsonValue:
        try:
            return to_json_value(self.signature.dump(result))
        except ValidationError as error:
            reason = in_words(error, "its result")
        except ValueError as error:
            reason = f"its result {error}"
        raise StepError(f"{self.key} broke its promise: {reason}", FailureClass.INVALID_OUTPUT) from None


def step(
    name: str,
    *,
    version: int = 1,
    repeatable: bool = True,
    opens_keys: bool = False,
    failures: FailureTable | None = None,
) -> Callable[[Callable[..., Any]], StepFunction]:
    """Makes a step of a function with typed keyword arguments, a typed result and perhaps, first, ``ctx: StepContext``.

    Say ``repeatable=False`` where doing it twice does harm and nothing downstream recognises the idempotency key: then
    an attempt of unknown outcome waits for a person. ``failures`` gives exceptions, or HTTP statuses that exceptions
    carry (``status``, ``code`` or ``response.status_code``), another class than the general table does. Say
    ``opens_keys=True`` where ``ctx.key`` is needed.

    ``TypeError`` or ``ValueError``, where it is written, if the name, the version, the table or the signature cannot
    be a step's.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot name a step; write lower-case words joined by dots, such as git.tag")
    if version < 1:
        raise ValueError(f"versions of {name} count from 1, not {version}")
    table = dict(failures or {})
    for key in table:
        _check_key(name, key)

    def decorate(fn: Callable[..., Any]) -> StepFunction:
        return StepFunction(name, version, fn, Signature.of(fn), repeatable, opens_keys, table)

    return decorate


def _check_key(name: str, key: object) -> None:
    """Authors' code need not be type-checked."""
    if isinstance(key, int) and 100 <= key <= 599:
        return
    if not (isinstance(key, type) and issubclass(key, BaseException)):
        raise TypeError(f"failures of {name}: {key!r} is neither an exception's class nor an HTTP status")


def _status_of(error: BaseException) -> int | None:
    """The HTTP status that an exception of one of the usual clients carries."""
    carrier: Any = error
    response: Any = getattr(carrier, "response", None)
    candidates = (
        getattr(carrier, "status", None),
        getattr(carrier, "code", None),
        getattr(response, "status_code", None),
        getattr(response, "status", None),
    )
    return next((found for found in candidates if isinstance(found, int) and 100 <= found <= 599), None)


class Registry:
    """The steps that one process can run. Immutable. ``ValueError`` for two steps of one name and version."""

    def __init__(self, functions: Iterable[StepFunction]) -> None:
        self._functions: dict[str, StepFunction] = {}
        for function in functions:
            if function.key in self._functions:
                raise ValueError(f"two steps are called {function.key}; raise the version of one or rename it")
            self._functions[function.key] = function
        self.keys: frozenset[str] = frozenset(self._functions)
        self._catalog = {
            name: StepSpec({function.version: function.spec for function in versions})
            for name, versions in groupby(
                sorted(self._functions.values(), key=lambda f: (f.name, f.version)), key=lambda f: f.name
            )
        }

    def get(self, key: str) -> StepFunction:
        """The step of exactly this ``name@version``, or ``UnknownStep``."""
        try:
            return self._functions[key]
        except KeyError:
            raise UnknownStep(key, self.keys) from None

    def latest(self, name: str) -> StepFunction:
        """The highest version of ``name``, or ``UnknownStep``."""
        if name not in self._catalog:
            raise UnknownStep(name, self._catalog)
        return self._functions[f"{name}@{self._catalog[name].latest}"]

    def catalog(self) -> Mapping[str, StepSpec]:
        """What a definition is checked and pinned against, by step name."""
        return self._catalog
