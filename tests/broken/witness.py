"""A plugin for pytest: writes to the file that VB_WITNESS names how each test ended, and by which exception.

The one rule: what failed in a group counts as what it is, not as a group.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import Phase, settings

PASSED = "passed"


def pytest_configure() -> None:
    """One example that fails is enough: the smallest one would take minutes to find."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    settings.register_profile("broken", settings.get_profile("ci"), phases=phases)
    settings.load_profile("broken")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _write(PASSED, "", report.nodeid)


def pytest_exception_interact(
    node: pytest.Item | pytest.Collector,
    call: pytest.CallInfo[Any],
    report: pytest.CollectReport | pytest.TestReport,
) -> None:
    assert call.excinfo is not None
    for error in _leaves(call.excinfo.value):
        lines = "".join(traceback.format_exception_only(error)).splitlines()
        first = next((line for line in lines if line.strip()), "")
        _write(_kind(error), first if report.when == "call" else f"{report.when}: {first}", node.nodeid)


def _kind(error: BaseException) -> str:
    """What pytest.raises says when nothing is raised is an assertion; what pytest-timeout says is none."""
    if isinstance(error, pytest.fail.Exception):
        return "Hung" if "Timeout (>" in str(error) else "AssertionError"
    return "AssertionError" if isinstance(error, AssertionError) else type(error).__name__


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(one)
    else:
        yield error


def _write(kind: str, said: str, test: str) -> None:
    with Path(os.environ["VB_WITNESS"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([kind, said, test]) + "\n")
