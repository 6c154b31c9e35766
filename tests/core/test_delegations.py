"""Who decides for whom for a while."""

from __future__ import annotations

import pytest

from engine.core import delegations as dg
from engine.core import workspace_events as w
from tests.core.driver import ANA, BEN, CAT
from tests.core.test_workspace import NOON, Facts

DAY = 86_400_000


@pytest.fixture
def facts() -> Facts:
    return Facts()


def test_a_person_hands_over_their_own_decisions_for_a_time_that_ends(facts: Facts) -> None:
    begun = facts.do(dg.StartDelegation(ANA, BEN, NOON + DAY, "away"))
    assert begun == (w.DelegationStarted(by=ANA, to=BEN, until=NOON + DAY, reason="away"),)
    assert facts.do(dg.StartDelegation(ANA, BEN, NOON + DAY, "away")) == (), "it is so already"
    held = dg.held_by(facts.state.delegations, ANA, NOON)
    assert held is not None
    assert [one.event.by for one in dg.given_to(facts.state.delegations, BEN, NOON)] == [ANA]
    assert dg.confirms(facts.state.delegations, held.id, ANA, BEN, NOON + DAY - 1)
    assert not dg.confirms(facts.state.delegations, held.id, ANA, BEN, NOON + DAY), "its time is over"
    assert not dg.confirms(facts.state.delegations, held.id, ANA, CAT, NOON)
    assert not dg.confirms(facts.state.delegations, held.id, CAT, BEN, NOON)


def test_the_next_delegation_ends_the_one_before(facts: Facts) -> None:
    facts.do(dg.StartDelegation(ANA, BEN, NOON + DAY))
    begun = facts.do(dg.StartDelegation(ANA, CAT, NOON + DAY))
    assert isinstance(begun, tuple)
    assert [one.type for one in begun] == ["DELEGATION_ENDED", "DELEGATION_STARTED"]
    assert list(dg.given_to(facts.state.delegations, BEN, NOON)) == []
    ended = facts.do(dg.EndDelegation(ANA))
    assert isinstance(ended, tuple)
    assert [one.type for one in ended] == ["DELEGATION_ENDED"]
    assert facts.do(dg.EndDelegation(ANA)) == ()


@pytest.mark.parametrize(
    ("to", "until", "words"),
    [
        (ANA, NOON + DAY, "nobody decides for themselves"),
        (BEN, NOON, "would be over already"),
        (BEN, NOON + 400 * DAY, "for a year at most"),
    ],
)
def test_what_is_no_delegation(facts: Facts, to: w.Actor, until: int, words: str) -> None:
    assert words in facts.refusal(facts.do(dg.StartDelegation(ANA, to, until)))
