"""What an exception becomes: a failure that the log can always hold."""

from __future__ import annotations

import pytest

from engine.core import events as e
from engine.core.failures import FailureClass, StepError, classify


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (StepError("half \ud800 a pair"), "half ? a pair"),
        (StepError("a\0b"), "a\ufffdb"),
        (RuntimeError("\udcff"), "runtime: ?"),
        (Mute(), "mute"),
    ],
    ids=["surrogate", "nul", "undecodable", "speechless"],
)
def test_whatever_an_exception_says_can_be_stored(error: Exception, message: str) -> None:
    failure = classify(error)
    assert failure.message == message
    stored = e.encode(e.StepFailed(step="a", attempt=1, failure=failure))
    assert e.decode("STEP_FAILED", 1, stored) == e.StepFailed(step="a", attempt=1, failure=failure)


def test_a_library_that_is_at_a_loss_is_no_reason_to_try_again() -> None:
    assert classify(KeyError("x")).cls is FailureClass.PERMANENT
