"""Whose an account of a machine is, and what it may not approve while nobody has said."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import commands as c
from engine.core import identities as idn
from engine.core import workspace_events as w
from engine.core.events import Actor
from tests.core.driver import ANA, BEN, CAT, Run
from tests.core.test_workspace import NOON, Facts

MINUTE = 60_000
CODE = idn.digest_of("K7QX-2MPA-Z4ND-6RTY")
HERE, ELSEWHERE = "laptop", "build-host"
ACCOUNT = Actor(via="cli", id="1000", name="ana")
OTHER = Actor(via="cli", id="1001", name="ben")


@pytest.fixture
def facts() -> Facts:
    return Facts()


def offer(facts: Facts, by: Actor = ANA, code: str = CODE) -> None:
    assert facts.do(idn.OfferLink(by, code, NOON + 10 * MINUTE)) == (
        w.LinkOffered(by=by, code=code, until=NOON + 10 * MINUTE),
    )


def linked(facts: Facts, account: Actor = ACCOUNT, machine: str = HERE) -> Actor | None:
    return facts.state.identities.person_of(account, machine)


def test_an_account_is_whose_code_it_tells_on_that_machine_alone(facts: Facts) -> None:
    offer(facts)
    assert linked(facts) is None, "an offer alone says nothing"
    facts.do(idn.TakeLink(CODE, ACCOUNT, HERE))
    assert linked(facts) == ANA.model_copy(update={"terminal": HERE})
    assert linked(facts, machine=ELSEWHERE) is None, "the same number is somebody else's there"
    assert linked(facts, OTHER) is None
    renamed = linked(facts, ACCOUNT.model_copy(update={"name": "anna"}))
    assert renamed is not None, "an account stays itself under another name"


def test_a_code_is_good_once_and_in_its_time(facts: Facts) -> None:
    offer(facts)
    facts.now = NOON + 10 * MINUTE
    assert "time of this code is over" in facts.refusal(facts.do(idn.TakeLink(CODE, ACCOUNT, HERE)))
    facts.now -= 1
    assert isinstance(facts.do(idn.TakeLink(CODE, ACCOUNT, HERE)), tuple)
    assert "no such code" in facts.refusal(facts.do(idn.TakeLink(CODE, OTHER, HERE))), "used"
    assert "for an hour at most" in facts.refusal(facts.do(idn.OfferLink(ANA, CODE, facts.now + 61 * MINUTE)))


def test_a_new_code_replaces_the_one_before(facts: Facts) -> None:
    offer(facts)
    offer(facts, code=idn.digest_of("other"))
    assert "no such code" in facts.refusal(facts.do(idn.TakeLink(CODE, ACCOUNT, HERE)))


def test_an_account_is_one_persons_until_that_ends(facts: Facts) -> None:
    offer(facts)
    facts.do(idn.TakeLink(CODE, ACCOUNT, HERE))
    offer(facts, BEN)
    assert "is Ana's already" in facts.refusal(facts.do(idn.TakeLink(CODE, ACCOUNT, HERE)))
    assert linked(facts) is not None
    gone = facts.do(idn.EndLinks(ACCOUNT, ACCOUNT, HERE))
    assert gone == (w.AccountUnlinked(account=ACCOUNT, machine=HERE, person=ANA, by=ACCOUNT),)
    facts.do(idn.TakeLink(CODE, ACCOUNT, HERE))
    now = linked(facts)
    assert now is not None
    assert now.key == BEN.key


def test_a_person_takes_back_all_that_they_have_given(facts: Facts) -> None:
    for machine in (HERE, ELSEWHERE):
        offer(facts)
        facts.do(idn.TakeLink(CODE, ACCOUNT, machine))
    offer(facts)
    assert [link.event.machine for link in facts.state.identities.of(ANA)] == [ELSEWHERE, HERE]
    ended = facts.do(idn.EndLinks(ANA, ANA))
    assert isinstance(ended, tuple)
    assert [one.type for one in ended] == ["ACCOUNT_UNLINKED", "ACCOUNT_UNLINKED", "LINK_WITHDRAWN"]
    assert linked(facts) is None
    assert "no such code" in facts.refusal(facts.do(idn.TakeLink(CODE, ACCOUNT, HERE)))
    assert facts.do(idn.EndLinks(ANA, ANA)) == ()


@pytest.mark.parametrize("typed", ["k7qx2mpaz4nd6rty", " K7QX 2MPA-Z4ND 6RTY ", "K7QX-2MPA-Z4ND-6RTY"])
def test_a_code_may_be_typed_in_any_case_and_spacing(typed: str) -> None:
    assert idn.digest_of(typed) == CODE


def test_only_who_is_at_a_terminal_is_recorded_so() -> None:
    """What earlier releases have recorded of people stays as it reads."""
    assert ANA.model_dump() == {"via": "slack", "id": "U1", "name": "Ana"}
    assert ANA.model_copy(update={"terminal": HERE}).model_dump()["terminal"] == HERE


# At gates


def gate(**more: Any) -> dict[str, Any]:
    return {"id": "go", "approval": {"title": "Go?", "approvers": ["@web"], **more}}


AT_TERMINAL = ANA.model_copy(update={"terminal": HERE})


def test_an_unknown_account_does_not_approve_what_somebody_known_has_started(make: Any) -> None:
    run = make(gate())
    refused = run.vote("go", by=ACCOUNT)
    assert isinstance(refused, c.NotAllowed), "it may be whoever started it"
    assert "vb whoami" in refused.reason
    assert run.vote("go", by=BEN.model_copy(update={"terminal": HERE})) == c.Accepted(), "known to be somebody else"


def test_an_unknown_account_may_deny(make: Any) -> None:
    run = make(gate())
    assert run.vote("go", granted=False, by=ACCOUNT, reason="no") == c.Accepted()


def test_a_person_at_a_terminal_is_whoever_started_the_run_in_slack(make: Any) -> None:
    run = make(gate())
    assert isinstance(run.vote("go", by=AT_TERMINAL), c.NotAllowed)
    run = make(gate(), started={"by": AT_TERMINAL})
    assert isinstance(run.vote("go", by=ANA), c.NotAllowed), "nor the other way round"


def test_a_person_counts_once_wherever_they_approve(make: Any) -> None:
    run = make(gate(quorum=2, allow_self=True))
    assert run.vote("go", by=BEN) == c.Accepted()
    assert isinstance(run.vote("go", by=BEN.model_copy(update={"terminal": HERE})), c.AlreadyVoted)
    assert isinstance(run.vote("go", by=ACCOUNT), c.NotAllowed), "it may be Ben's"
    assert run.vote("go", by=CAT.model_copy(update={"terminal": HERE})) == c.Accepted()


def test_where_nobody_is_known_accounts_decide_among_themselves(make: Any) -> None:
    run: Run = make(gate(quorum=2), started={"by": ACCOUNT})
    assert isinstance(run.vote("go", by=ACCOUNT), c.NotAllowed)
    for account in (OTHER, OTHER.model_copy(update={"id": "1002"})):
        assert run.vote("go", by=account) == c.Accepted()
