"""What is recalled of runs' values: as much as memory allows, the newest always."""

from __future__ import annotations

import pytest

from engine import recall
from engine.core.events import StepCompleted
from engine.core.state import Recorded
from engine.recall import Recall
from tests.engine.desk import desk


async def test_values_are_kept_up_to_a_size_in_all_and_read_again_from_the_log(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "LARGEST_IN_ALL", 2_500)
    async with desk(database_url) as here:
        kept = Recall(here.log)
        for seq in (1, 2, 3):
            kept.note("run_x", [Recorded(seq, 0, StepCompleted(step="a", attempt=1, output=f"{seq}" * 1_000))])
        assert await kept.values("run_x", [2, 3]) == {2: "2" * 1_000, 3: "3" * 1_000}
        assert await kept.values("run_x", [1]) == {}, "forgotten here, and this log never had it"
        kept.note("run_x", [Recorded(4, 0, StepCompleted(step="a", attempt=1, output="4" * 9_000))])
        assert await kept.values("run_x", [4]) == {4: "4" * 9_000}
