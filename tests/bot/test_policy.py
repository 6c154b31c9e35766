"""Who may start, stop and decide, as a table."""

from __future__ import annotations

import pytest

from bot.blocks.words import Asked
from bot.people.directory import Person, Standing, Target
from bot.people.policy import NEEDS, OF_THE_STARTER, Act, Allowed, Holder, Refused, may, may_decide, may_start
from engine.core.roles import INCLUDES, Role

ANA = Person("U1", "ana", "Ana")
BEN = Person("U9", "ben", "Ben")
CHEN = Person("U3", "chen", "Chen")
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
    verdict = may_decide(ANA, asked)
    assert isinstance(verdict, Allowed)
    assert (verdict.person, verdict.authority, verdict.behalf) == (ANA, authority, None)


def test_a_verdict_says_under_which_names_a_person_counts() -> None:
    verdict = may_decide(ANA, [MANAGERS, ONCALL, LEADS])
    assert isinstance(verdict, Allowed)
    assert verdict.counts == ("@release-managers", "#eng-leads")


def test_who_was_given_a_decision_decides_for_the_giver_where_that_one_may() -> None:
    assert may_decide(BEN, [ONCALL, MANAGERS], [CHEN, ANA]) == Allowed(BEN, "for Chen, in @oncall", ("@oncall",), CHEN)
    assert isinstance(may_decide(BEN, [LEADS], [CHEN]), Refused)
    own = may_decide(ANA, [MANAGERS, ONCALL], [CHEN])
    assert isinstance(own, Allowed)
    assert own.behalf is None, "one's own right goes before a given one"


def test_a_giver_who_has_left_gives_nothing() -> None:
    left = Person("U3", "chen", "Chen", "deactivated")
    assert isinstance(may_decide(BEN, [ONCALL], [left]), Refused)


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
    everything = [Holder(role) for role in Role]
    acts = [may(act, person, everything, is_starter=True) for act in Act]
    for verdict in (may_decide(person, [MANAGERS, BY_NAME]), may_start(person, everything, "wf", [BY_NAME]), *acts):
        assert isinstance(verdict, Refused)
        assert "nothing was changed" in verdict.sentence


def test_a_person_whom_slack_does_not_know_may_nothing() -> None:
    acts = [may(act, None, [Holder(Role.ADMIN)]) for act in Act]
    for verdict in (may_decide(None, [MANAGERS]), may_start(None, [Holder(Role.ADMIN)], "wf"), *acts):
        assert isinstance(verdict, Refused)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("act", Act)
def test_a_role_lets_its_holders_do_what_it_includes(act: Act, role: Role) -> None:
    may_it = NEEDS[act] in INCLUDES[role]
    assert isinstance(may(act, ANA, [Holder(role, MANAGERS)]), Allowed) is may_it
    assert isinstance(may(act, ANA, [Holder(role, ONCALL)]), Refused)
    assert isinstance(may(act, ANA, [Holder(role)]), Allowed) is may_it


def test_by_what_right_somebody_acts_is_told() -> None:
    assert may(Act.FORK, ANA, [Holder(Role.OPERATOR, MANAGERS)]) == Allowed(ANA, "operator as @release-managers")
    assert may(Act.START, ANA, [Holder(Role.RUNNER)]) == Allowed(ANA, "runner as every full member")
    assert may(Act.PAUSE, ANA, [], is_starter=True) == Allowed(ANA, "started it")


@pytest.mark.parametrize("act", Act)
def test_whoever_started_a_run_does_what_is_harmless_to_it(act: Act) -> None:
    assert isinstance(may(act, ANA, [], is_starter=True), Allowed) is (act in OF_THE_STARTER)
    assert {Act.RETRY, Act.FORK}.isdisjoint(OF_THE_STARTER)


def test_a_refusal_says_who_can() -> None:
    assert may(Act.FORK, ANA, [Holder(Role.OPERATOR, ONCALL), Holder(Role.ADMIN, Target(UNREAD.asked))]) == Refused(
        "Slack did not say who belongs to @oncall, so it is not known whether you may fork a run. Nothing was changed; "
        "try again in a minute."
    )
    assert may(Act.FORK, ANA, [Holder(Role.OPERATOR, ONCALL)]) == Refused(
        "To fork a run takes the role operator, which @oncall has: ask there. Nothing was changed."
    )
    nobody = may(Act.FORK, ANA, [])
    assert isinstance(nobody, Refused)
    assert "`/vb roles grant operator @you`" in nobody.sentence
    no_admin = may(Act.ROLES, ANA, [])
    assert isinstance(no_admin, Refused)
    assert "VB_ADMINS" in no_admin.sentence


def test_a_definition_says_who_starts_it_in_place_of_the_role() -> None:
    everyone = [Holder(Role.RUNNER)]
    assert may_start(ANA, everyone, "wf") == Allowed(ANA, "runner as every full member")
    assert may_start(ANA, [], "wf", [MANAGERS]) == Allowed(ANA, "in @release-managers")
    assert may_start(ANA, everyone, "wf", [ONCALL]) == Refused(
        "Only @oncall can start wf, as its definition says. Nothing was started."
    )
    unread = may_start(ANA, everyone, "wf", [UNREAD])
    assert isinstance(unread, Refused)
    assert "Slack did not say who belongs to @oncall" in unread.sentence


def test_names_of_a_definition_cannot_ping() -> None:
    verdict = may_decide(ANA, [Target(Asked("@<!channel>", "missing"))])
    assert isinstance(verdict, Refused)
    assert "<!" not in verdict.sentence
