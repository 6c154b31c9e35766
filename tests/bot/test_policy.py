"""Who may start, stop and decide, as a table."""

from __future__ import annotations

import pytest

from bot.blocks.words import Asked
from bot.directory import Person, Standing, Target
from bot.policy import Allowed, Refused, may_decide, may_start, may_stop

ANA = Person("U1", "ana", "Ana")
MANAGERS = Target(Asked("@release-managers", "group", "S1"), frozenset({"U1", "U2"}))
ONCALL = Target(Asked("@oncall", "group", "S2"), frozenset({"U3"}))
LEADS = Target(Asked("#eng-leads", "channel", "C1"), frozenset({"U1"}))
BY_NAME = Target(Asked("@ana", "person", "U1"), frozenset({"U1"}))
UNREAD = Target(Asked("@oncall", "unread"))
MISSING = Target(Asked("@nobody", "missing"))

NOT_MEMBERS: list[Standing] = ["guest", "deactivated", "bot", "outsider"]


@pytest.mark.parametrize(
    ("asked", "authority"),
    [
        ([MANAGERS], "in @release-managers"),
        ([ONCALL, LEADS], "in #eng-leads"),
        ([BY_NAME], "asked as @ana"),
        ([UNREAD, MANAGERS], "in @release-managers"),
        ([MISSING, MANAGERS, LEADS], "in @release-managers"),
    ],
)
def test_whoever_belongs_to_one_of_those_asked_may_decide(asked: list[Target], authority: str) -> None:
    assert may_decide(ANA, asked) == Allowed(ANA, authority)


@pytest.mark.parametrize("asked", [[ONCALL], [MISSING], [ONCALL, MISSING]])
def test_nobody_else_may(asked: list[Target]) -> None:
    verdict = may_decide(ANA, asked)
    assert isinstance(verdict, Refused)
    assert "Nothing was changed." in verdict.sentence


def test_what_slack_did_not_say_is_told_apart_from_a_no() -> None:
    verdict = may_decide(ANA, [UNREAD, Target(LEADS.asked)])
    assert isinstance(verdict, Refused)
    assert "Slack did not say who belongs to @oncall" in verdict.sentence


@pytest.mark.parametrize("standing", NOT_MEMBERS)
def test_only_members_count_wherever_they_belong(standing: Standing) -> None:
    person = Person("U1", "ana", "Ana", standing)
    for verdict in (may_decide(person, [MANAGERS, BY_NAME]), may_start(person), may_stop(person)):
        assert isinstance(verdict, Refused)
        assert "nothing was changed" in verdict.sentence


def test_a_person_whom_slack_does_not_know_may_nothing() -> None:
    for verdict in (may_decide(None, [MANAGERS]), may_start(None), may_stop(None)):
        assert isinstance(verdict, Refused)


def test_a_member_may_start_and_stop() -> None:
    assert may_start(ANA) == may_stop(ANA) == Allowed(ANA)


def test_names_of_a_definition_cannot_ping() -> None:
    verdict = may_decide(ANA, [Target(Asked("@<!channel>", "missing"))])
    assert isinstance(verdict, Refused)
    assert "<!" not in verdict.sentence
