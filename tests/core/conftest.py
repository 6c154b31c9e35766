"""Runs that are folded again from their events when a test is over, and must come out the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.core.driver import Run, workflow


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Runs put in here are folded again from their events, and must come out the same."""
    made: list[Run] = []
    yield made
    for run in made:
        assert run.refolded() == run.state


@pytest.fixture
def make(runs: list[Run]) -> Any:
    def make(*steps: dict[str, Any], **inputs: Any) -> Run:
        run = Run(workflow(*steps), **inputs)
        runs.append(run)
        return run

    return make
