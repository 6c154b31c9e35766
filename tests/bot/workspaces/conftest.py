"""A bot that serves many workspaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.simulator.demo import demo_workspace, other_workspace
from bot.simulator.simulator import Simulator
from engine.store import Sealer
from tests.bot.conftest import Setup
from tests.bot.workspaces.company import Company, serving
from tests.patience import PATIENT_SLACK


@pytest.fixture
def sealed(setup: Setup) -> Setup:
    return replace(setup, settings=replace(setup.settings, sealer=Sealer(b"m" * 32)))


@pytest.fixture
async def company(sealed: Setup, tmp_path: Path) -> AsyncIterator[Company]:
    first = demo_workspace(sealed.clock)
    simulator = Simulator(first, options=replace(PATIENT_SLACK, rotating=True, event_retry_ms=(100, 100, 100)))
    globex = simulator.add_workspace(other_workspace(sealed.clock))
    async with simulator.serve(), serving(sealed, simulator, globex, tmp_path) as made:
        yield made
