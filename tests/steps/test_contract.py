"""What a step's author says of it besides its signature: whether it may be repeated, and what its failures are."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from engine.core.failures import FailureClass, StepError
from engine.steps.registry import Registry, StepFunction, step


class Busy(Exception):
    pass


class VeryBusy(Busy):
    pass


class Answered(Exception):
    def __init__(self, **more: Any) -> None:
        super().__init__("it answered")
        self.__dict__.update(more)


@step(
    "bank.pay",
    version=2,
    repeatable=False,
    failures={
        Busy: FailureClass.RATE_LIMITED,
        402: FailureClass.PERMISSION,
        503: FailureClass.RATE_LIMITED,
        StepError: FailureClass.TRANSIENT,
    },
)
def pay(cents: int) -> int:
    return cents


def test_what_the_code_says_is_in_the_catalog() -> None:
    @step("bank.pay")
    def older(cents: int) -> str:
        return str(cents)

    spec = Registry([pay, older]).catalog()["bank.pay"]
    assert spec.version().repeatable is False
    assert spec.version(1).repeatable is True
    assert spec.version().result["type"] == "integer"
    assert spec.version(1).result["type"] == "string"


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (Busy("wait"), FailureClass.RATE_LIMITED),
        (VeryBusy("wait"), FailureClass.RATE_LIMITED),
        (Answered(status=402), FailureClass.PERMISSION),
        (Answered(code=503), FailureClass.RATE_LIMITED),
        (Answered(response=SimpleNamespace(status_code=402)), FailureClass.PERMISSION),
        (Answered(response=SimpleNamespace(status=402)), FailureClass.PERMISSION),
        (Answered(status=404), FailureClass.PERMANENT),
        (Answered(code="E1"), FailureClass.PERMANENT),
        (TimeoutError(), FailureClass.TIMEOUT),
        (ValueError("no"), FailureClass.PERMANENT),
    ],
)
def test_the_authors_table_comes_before_the_general_one(error: Exception, cls: FailureClass) -> None:
    assert pay.classify(error).cls is cls


def test_the_nearest_base_class_wins_and_the_rest_of_the_failure_stays() -> None:
    @step("nearest", failures={Busy: FailureClass.TRANSIENT, VeryBusy: FailureClass.PERMANENT})
    def nearest() -> None: ...

    assert nearest.classify(VeryBusy("x")).cls is FailureClass.PERMANENT
    assert nearest.classify(Busy("x")).cls is FailureClass.TRANSIENT
    failure = pay.classify(StepError("slow down", FailureClass.PERMANENT, retry_after=5_000))
    assert (failure.cls, failure.message, failure.retry_after) == (FailureClass.TRANSIENT, "slow down", 5_000)


@pytest.mark.parametrize("key", ["Busy", 42, 600, int])
def test_a_table_of_other_things_is_refused_where_it_is_written(key: Any) -> None:
    with pytest.raises(TypeError, match=r"failures of wrong: .* is neither an exception's class nor an HTTP status"):
        step("wrong", failures={key: FailureClass.TRANSIENT})


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Part:
    colour: Colour
    at: datetime


class Whole(BaseModel):
    parts: list[Part]
    note: str | None = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


def result_of(function: StepFunction) -> dict[str, Any]:
    return function.signature.result_schema


def test_a_results_schema_is_that_of_its_json_and_closed_where_the_class_is() -> None:
    @step("whole")
    def whole() -> Whole: ...  # pyright: ignore[reportReturnType]

    @step("open")
    def opened() -> Open: ...  # pyright: ignore[reportReturnType]

    schema = result_of(whole)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == {"parts", "note"}
    assert schema["$defs"]["Part"]["additionalProperties"] is False
    assert schema["$defs"]["Part"]["properties"]["at"]["type"] == "string"
    assert result_of(opened)["additionalProperties"] is True


def test_a_result_that_has_no_schema_may_be_anything() -> None:
    @step("call")
    def call() -> Callable[[], None]: ...  # pyright: ignore[reportReturnType]

    @step("whatever")
    def whatever() -> Any: ...

    assert result_of(call) == result_of(whatever) == {}
