"""Roles as facts of a workspace: what each includes, whom a grant is to, and that somebody can always grant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core import workspace as ws
from engine.core import workspace_events as w
from engine.core.events import Actor
from engine.core.roles import EVERYONE, INCLUDES, Role, giving, people_with_role, role_named
from tests.core.checking import found, steps
from tests.core.test_workspace import Facts

ANA = Actor(via="slack", id="U0ANA", name="Ana")
MAY = frozenset({ws.ROLES})


@pytest.fixture
def facts() -> Facts:
    return Facts()


def grant(role: Role, to: str, workflow: str | None = None, **more: bool) -> ws.GrantRole:
    return ws.GrantRole(role, to, f"name of {to}", workflow, ANA, "because", MAY, **more)


def revoke(role: Role, to: str, workflow: str | None = None, **more: bool) -> ws.RevokeRole:
    return ws.RevokeRole(role, to, workflow, ANA, "because", MAY, **more)


def test_every_full_member_sees_and_starts_runs_until_that_is_revoked(facts: Facts) -> None:
    assert people_with_role(facts.state.grants, Role.RUNNER, "release") == (EVERYONE,)
    assert people_with_role(facts.state.grants, Role.OPERATOR, "release") == ()
    facts.do(revoke(Role.RUNNER, EVERYONE))
    assert people_with_role(facts.state.grants, Role.RUNNER, "release") == ()
    assert people_with_role(facts.state.grants, Role.VIEWER, "release") == (EVERYONE,)
    facts.do(grant(Role.RUNNER, EVERYONE))
    assert people_with_role(facts.state.grants, Role.RUNNER) == (EVERYONE,)


def test_a_grant_says_who_by_whom_and_why_and_is_made_once(facts: Facts) -> None:
    assert facts.do(grant(Role.OPERATOR, "@S1")) == (
        w.RoleGranted(role=Role.OPERATOR, to="@S1", name="name of @S1", by=ANA, reason="because"),
    )
    assert facts.do(grant(Role.OPERATOR, "@S1")) == ()
    assert facts.do(revoke(Role.OPERATOR, "@S1")) == (
        w.RoleRevoked(role=Role.OPERATOR, to="@S1", by=ANA, reason="because"),
    )
    assert facts.do(revoke(Role.OPERATOR, "@S1")) == ()


def test_a_role_for_one_workflow_counts_for_that_one_alone(facts: Facts) -> None:
    facts.do(grant(Role.OPERATOR, "@U2", "release"))
    assert people_with_role(facts.state.grants, Role.OPERATOR, "release") == ("@U2",)
    assert people_with_role(facts.state.grants, Role.OPERATOR, "other") == ()
    assert people_with_role(facts.state.grants, Role.OPERATOR) == ()
    facts.do(revoke(Role.OPERATOR, "@U2"))
    assert people_with_role(facts.state.grants, Role.OPERATOR, "release") == ("@U2",)


def test_who_operates_does_not_decide_and_who_decides_does_not_operate(facts: Facts) -> None:
    facts.do(grant(Role.ADMIN, "@U1"))
    facts.do(grant(Role.APPROVER, "@U2"))
    assert people_with_role(facts.state.grants, Role.APPROVER) == ("@U2",)
    assert people_with_role(facts.state.grants, Role.OPERATOR) == ("@U1",)
    assert all(Role.VIEWER in included and role in included for role, included in INCLUDES.items())


def test_granting_and_revoking_take_their_permission(facts: Facts) -> None:
    for command in (grant(Role.VIEWER, "@U1"), revoke(Role.RUNNER, EVERYONE)):
        refused = facts.refusal(facts.do(replace(command, may=frozenset({ws.DEPLOY}))))
        assert refused.startswith("Ana may not ")
        assert refused.endswith("that takes the role admin")


def test_the_first_admin_is_the_first_one_only(facts: Facts) -> None:
    assert len(giving(facts.state.grants, Role.ADMIN)) == 0
    assert isinstance(facts.do(grant(Role.ADMIN, "@U1", if_no_admin=True)), tuple)
    assert facts.do(grant(Role.ADMIN, "@U2", if_no_admin=True)) == ()
    assert people_with_role(facts.state.grants, Role.ADMIN) == ("@U1",)


def test_the_last_admin_stays_unless_others_are_named_elsewhere(facts: Facts) -> None:
    facts.do(grant(Role.ADMIN, "@U1"))
    assert "the only admin" in facts.refusal(facts.do(revoke(Role.ADMIN, "@U1")))
    assert len(facts.do(revoke(Role.ADMIN, "@U1", admins_besides=True))) == 1  # type: ignore[arg-type]
    facts.do(grant(Role.ADMIN, "@U1"))
    facts.do(grant(Role.ADMIN, "@U2"))
    facts.do(revoke(Role.ADMIN, "@U1"))
    assert people_with_role(facts.state.grants, Role.ADMIN) == ("@U2",)


def test_a_role_is_read_from_a_word() -> None:
    assert role_named(" Operator ") is Role.OPERATOR
    with pytest.raises(ValueError, match=r"there is no role opperator; did you mean operator\?"):
        role_named("opperator")


@pytest.mark.parametrize(
    ("step", "starts", "problem"),
    [
        ("{id: a, set: {x: 1}}", "['role:runer']", "4: who_can_run[1]: there is no role runer; did you mean runner?"),
        (
            "{id: a, approval: {title: x, approvers: ['role:boss']}}",
            "['@a']",
            "3: steps.a.approval.approvers[1]: there is no role boss; there is: viewer, runner, approver, operator, ",
        ),
        ("{id: a, set: {x: 1}}", "['@a', '${{ input.x }}']", "4: who_can_run[2]: cannot hold an expression"),
        ("{id: a, set: {x: 1}}", "[ana]", '4: who_can_run[1]: must be "@group", "@person", "#channel" or "role:name"'),
        ("{id: a, set: {x: 1}}", "[]", "4: who_can_run: "),
        ("{id: a, approval: {title: x, approvers: ['role:approver']}}", "['role:operator', '#ops']", ""),
    ],
)
def test_a_definition_names_roles_that_there_are(step: str, starts: str, problem: str) -> None:
    problems = found(steps(step, who_can_run=starts))
    assert problems[0].startswith(problem) if problem else problems == []
