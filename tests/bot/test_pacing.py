"""What one process may ask of Slack, and when a message that changes often may be updated again. Time is a number."""

from __future__ import annotations

import pytest

from bot.sending.pacing import CHANNELS_KEPT, METHODS, TIER_2, Budget, Rhythm, buckets
from bot.simulator.webapi import METHODS as SLACKS

POST, UPDATE = "chat.postMessage", "chat.update"


def spend(budget: Budget, method: str, channel: str | None, now: float) -> int:
    """How many calls may be made at once."""
    made = 0
    while budget.wait(buckets(method, channel), now) <= 0:
        budget.take(buckets(method, channel), now)
        made += 1
    return made


def test_a_channel_takes_a_small_burst_then_one_message_per_second() -> None:
    budget = Budget()
    assert spend(budget, POST, "C1", 0) == 4
    assert budget.wait(buckets(POST, "C1"), 0) == pytest.approx(1.0)
    assert spend(budget, POST, "C2", 0) == 4, "another channel has its own"
    assert spend(budget, POST, "C1", 3) == 3


def test_a_workspace_takes_a_few_messages_per_second_in_all() -> None:
    budget = Budget()
    assert sum(spend(budget, POST, f"C{n}", 0) for n in range(10)) == 10
    assert spend(budget, POST, "C99", 1) == 4


@pytest.mark.parametrize("method", SLACKS)
def test_no_method_is_asked_more_often_than_slack_allows(method: str) -> None:
    """In any minute and from any bucket that was full, for whoever counts in bursts of a minute's calls."""
    if method == "apps.connections.open":
        return  # asked for by connections, which are few
    budget = Budget()
    made = sum(spend(budget, method, None, second) for second in range(600))
    assert made <= SLACKS[method].per_minute * 10 + min(10, SLACKS[method].per_minute)
    assert METHODS.get(method, TIER_2).burst <= SLACKS[method].per_minute


def test_a_closed_method_waits_as_told_and_others_do_not() -> None:
    budget = Budget()
    budget.close(POST, 30, 0)
    budget.close(POST, 5, 1)
    assert budget.wait(buckets(POST, "C1"), 10) == pytest.approx(20)
    assert budget.wait(buckets(UPDATE, None), 10) == 0
    assert budget.wait(buckets(POST, "C1"), 30) == 0


def test_channels_that_are_long_quiet_are_forgotten() -> None:
    budget = Budget()
    for number in range(CHANNELS_KEPT * 2):
        budget.take(buckets(POST, f"C{number}"), number * 10)
    assert len(budget) <= CHANNELS_KEPT + 1


def test_a_share_is_an_equal_part_of_pace_and_burst() -> None:
    whole, quarter = Budget(), Budget(share=0.25)
    assert (spend(whole, UPDATE, None, 0), spend(quarter, UPDATE, None, 0)) == (10, 2)
    made = [sum(spend(budget, UPDATE, None, second) for second in range(1, 601)) for budget in (whole, quarter)]
    assert made[1] == pytest.approx(made[0] / 4, abs=2)


def test_what_a_process_has_taken_beyond_its_share_it_owes() -> None:
    """Of two who share a burst of ten, one took seven and the other one: two are left, and the other has them."""
    busy, idle = Budget(share=0.5), Budget(share=0.5)
    for budget, taken in ((busy, 7), (idle, 1)):
        for _ in range(taken):
            budget.take(buckets(UPDATE, None), 0)
    assert (spend(busy, UPDATE, None, 0), spend(idle, UPDATE, None, 0)) == (0, 4)
    assert busy.wait(buckets(UPDATE, None), 0) == pytest.approx((1 + 2) / (48 / 60 / 2))
    for _ in range(100):
        busy.take(buckets(UPDATE, None), 0)
    assert busy.wait(buckets(UPDATE, None), 0) == pytest.approx((1 + 10) / (48 / 60 / 2)), "a burst is the most"


def test_a_slack_in_a_hurry_is_asked_as_much_more_often() -> None:
    assert [bucket.per_second for bucket in buckets(POST, "C1", speed=30)] == [120, 30]


@pytest.mark.parametrize(
    ("meaning", "now", "wait"),
    [
        ("running", 10.0, 3.0),
        ("running", 12.5, 0.5),
        ("running", 13.0, 0.0),
        ("done", 10.0, 1.0),
        ("done", 10.75, 0.25),
        ("done", 11.0, 0.0),
    ],
)
def test_what_means_something_else_waits_less(meaning: str, now: float, wait: float) -> None:
    rhythm = Rhythm(usual=3.0, turn=1.0)
    rhythm.shown("running", 10.0)
    assert rhythm.wait(meaning, now) == wait


def test_the_first_update_may_be_made_at_once() -> None:
    assert Rhythm(usual=3.0, turn=1.0).wait("running", 0.0) == 0.0


def test_a_turn_never_waits_longer_than_any_other_update() -> None:
    rhythm = Rhythm(usual=0.5, turn=1.0)
    rhythm.shown("running", 10.0)
    assert rhythm.wait("done", 10.0) == 0.5
