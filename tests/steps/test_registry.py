"""Steps as values: what a signature promises, and what happens when a call or a result breaks it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from engine.core.failures import FailureClass, StepError
from engine.steps.context import StepContext
from engine.steps.registry import Registry, StepFunction, UnknownStep, step

from .conftest import Notebook


@dataclass
class Release:
    tag: str
    size: int


@step("release.make", version=2)
async def make(ctx: StepContext, tag: str, json: JsonValue = None, size: int = 3) -> Release:
    return Release(f"{tag}:{ctx.step}", size)


@step("plain.double")
def double(number: int) -> int:
    return number * 2


@step("anything")
async def anything(**values: JsonValue) -> dict[str, JsonValue]:
    return values


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    copy_: int = Field(alias="copy", ge=1)
    note: str = ""


@step("order")
async def order(args: Order, /) -> str:
    return f"{args.copy_} {args.note}".strip()


async def refusal(function: StepFunction, ctx: StepContext, **args: JsonValue) -> StepError:
    with pytest.raises(StepError) as caught:
        await function.invoke(ctx, args)
    return caught.value


async def test_arguments_and_result_pass_as_json(ctx: StepContext) -> None:
    assert await make.invoke(ctx, {"tag": "v1"}) == {"tag": "v1:publish", "size": 3}
    assert await make.invoke(ctx, {"tag": "v1", "size": "7"}) == {"tag": "v1:publish", "size": 7}


async def test_any_name_where_the_function_takes_any(ctx: StepContext) -> None:
    values: dict[str, JsonValue] = {"json": [1], "self": None, "fn": {"a": 1.5}, "arg_x": True}
    assert await anything.invoke(ctx, values) == values


async def test_arguments_as_one_model(ctx: StepContext) -> None:
    assert await order.invoke(ctx, {"copy": 2, "note": "red"}) == "2 red"
    assert "copy must be greater than or equal to 1" in str(await refusal(order, ctx, copy=0))


def test_called_directly_it_is_the_function() -> None:
    assert double(number=21) == 42


async def test_all_wrong_arguments_are_named_at_once_without_their_values(ctx: StepContext) -> None:
    error = await refusal(make, ctx, tga="hunter2", size="hunter2")
    assert error.cls is FailureClass.INVALID_INPUT
    assert str(error) == (
        "release.make@2: tag is missing; "
        "size must be a valid integer, unable to parse string as an integer; "
        "tga is not a known name"
    )


async def test_a_plain_function_runs_beside_the_loop(ctx: StepContext) -> None:
    @step("where")
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert await where.invoke(ctx, {}) is False


async def test_a_plain_function_may_log_and_have_effects(ctx: StepContext, notebook: Notebook) -> None:
    @step("plain.effect")
    def pay(ctx: StepContext) -> JsonValue:
        async def charge(key: str) -> str:
            return f"paid {key}"

        ctx.wait(ctx.log("paying"))
        return ctx.wait(ctx.effect("charge", charge))

    assert await pay.invoke(ctx, {}) == "paid run_1/publish/charge/1"
    assert notebook.events == [("log", "paying"), ("started", "charge"), ("recorded", "charge")]


async def test_a_cancelled_plain_function_is_abandoned_and_can_see_it(ctx: StepContext) -> None:
    running, release, seen = threading.Event(), threading.Event(), list[str]()
    ended = threading.Event()

    @step("stuck")
    def stuck(ctx: StepContext) -> None:
        running.set()
        release.wait(180)
        try:
            ctx.check_cancelled()
        except StepError as error:
            seen.append(str(error.cls))
        ended.set()

    task = asyncio.create_task(stuck.invoke(ctx, {}))
    await asyncio.to_thread(running.wait, 180)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ctx.cancelled.is_set()
    release.set()
    await asyncio.to_thread(ended.wait, 180)
    assert seen == ["cancelled"]


_ABANDONING = """
import asyncio, threading
from engine.steps.registry import step
from tests.steps.conftest import Notebook

@step("stuck")
def stuck() -> None:
    threading.Event().wait()

async def main() -> None:
    try:
        await asyncio.wait_for(stuck.invoke(Notebook().context(), {}), 0.05)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


def test_the_end_of_a_process_does_not_wait_for_an_abandoned_thread() -> None:
    done = subprocess.run([sys.executable, "-c", _ABANDONING], capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout) == (0, "given up\n"), done.stderr


@pytest.mark.parametrize("error", [ValueError("bad"), StepError("no", FailureClass.TRANSIENT), KeyError("x")])
async def test_what_a_function_raises_arrives_as_it_is(ctx: StepContext, error: Exception) -> None:
    @step("raises.plain")
    def plain() -> None:
        raise error

    @step("raises.async")
    async def asynchronous() -> None:
        raise error

    for function in (plain, asynchronous):
        with pytest.raises(type(error)) as caught:
            await function.invoke(ctx, {})
        assert caught.value is error
    assert not ctx.cancelled.is_set()


async def test_a_step_cannot_end_its_process(ctx: StepContext) -> None:
    @step("exits.plain")
    def plain() -> None:
        raise SystemExit(3)

    @step("exits.async")
    async def asynchronous() -> None:
        raise SystemExit(3)

    for function in (plain, asynchronous):
        assert "asked its process to exit" in str(await refusal(function, ctx))


async def test_stop_iteration_does_not_hang_a_plain_step(ctx: StepContext) -> None:
    @step("stops")
    def stops() -> int:
        return next(iter(list[int]()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        await asyncio.wait_for(stops.invoke(ctx, {}), 180)


def _nested(depth: int) -> JsonValue:
    value: JsonValue = None
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (float("nan"), "cannot be written as JSON"),
        ({"a": [float("inf")]}, "cannot be written as JSON"),
        ("\ud800", "surrogate"),
        (object(), "cannot be written as JSON"),
        (_nested(3_000), "nested too deeply"),
    ],
)
async def test_a_result_that_cannot_be_stored_is_refused(ctx: StepContext, result: object, words: str) -> None:
    @step("odd")
    async def odd() -> Any:
        return result

    error = await refusal(odd, ctx)
    assert error.cls is FailureClass.INVALID_OUTPUT
    assert words in str(error)


async def test_a_result_of_another_type_is_refused(ctx: StepContext) -> None:
    @step("liar")
    async def liar() -> list[int]:
        return [1, "secret"]  # pyright: ignore[reportReturnType] - the lie

    error = await refusal(liar, ctx)
    assert error.cls is FailureClass.INVALID_OUTPUT
    assert str(error).startswith("liar@1 broke its promise: [1] must be a valid integer")
    assert "secret" not in str(error)


def _no_result(name: str):
    return name


def _no_type(name) -> str:  # pyright: ignore[reportUnknownParameterType, reportMissingParameterType] - the point
    return str(name)  # pyright: ignore[reportUnknownArgumentType]


def _variadic(*names: str) -> str:
    return "".join(names)


def _positional(name: str, /) -> str:
    return name


_BAD: list[Callable[..., Any]] = [_no_result, _no_type, _variadic, _positional]


@pytest.mark.parametrize("function", _BAD)
def test_a_signature_that_cannot_be_checked_is_refused_where_it_is_written(function: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match=function.__name__):
        step("bad")(function)


@pytest.mark.parametrize(("name", "version"), [("Git.Tag", 1), ("git..tag", 1), ("git.tag@1", 1), ("", 1), ("git", 0)])
def test_a_name_or_version_that_no_definition_could_write_is_refused(name: str, version: int) -> None:
    with pytest.raises(ValueError, match=r"step|version"):
        step(name, version=version)


def test_the_schema_says_what_a_definition_may_write() -> None:
    schema = make.schema
    assert schema["required"] == ["tag"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {"tag", "json", "size"}
    assert schema["properties"]["size"] == {"type": "integer", "default": 3}
    assert anything.schema["additionalProperties"] is True
    assert set(order.schema["properties"]) == {"copy", "note"}


def test_a_registry_has_what_it_was_given() -> None:
    @step("plain.double", version=3)
    def newer(number: float) -> float:
        return number * 2

    registry = Registry([newer, make, double])
    assert registry.keys == {"release.make@2", "plain.double@1", "plain.double@3"}
    assert registry.get("plain.double@1") is double
    assert registry.latest("plain.double") is newer
    spec = registry.catalog()["plain.double"]
    assert spec.versions == (1, 3)
    assert spec.latest == 3
    assert spec.version() == spec.version(3) == newer.spec
    assert spec.version(1).arguments == double.schema
    assert spec.version(1).result["type"] == "integer"
    with pytest.raises(KeyError):
        spec.version(2)


def test_unknown_steps_and_twins_are_refused_in_words() -> None:
    registry = Registry([double])
    for asked in (lambda: registry.get("plain.double@2"), lambda: registry.latest("plain.triple")):
        with pytest.raises(UnknownStep, match=r"no step 'plain\..*' here; there are: plain\.double"):
            asked()
    with pytest.raises(ValueError, match=r"two steps are called plain\.double@1"):
        Registry([double, double])


def test_a_function_that_is_made_anew_is_not_read_anew() -> None:
    def made(about: int, hint: type = str) -> StepFunction:
        async def told(text: str) -> str:
            return f"{text} {about}"

        told.__annotations__["text"] = hint
        return step("made")(told)

    first, second, other = made(1), made(2), made(3, int)
    assert first.signature is second.signature
    assert first.fn is not second.fn
    assert first.schema["properties"]["text"]["type"] == "string"
    assert other.schema["properties"]["text"]["type"] == "integer"
