"""`vb roles`: what is granted from a terminal, and who may do that."""

from __future__ import annotations

import json

from tests.cli.conftest import Vb


def test_roles_are_granted_listed_and_revoked(vb: Vb) -> None:
    granted = vb("roles", "grant", "operator", "@oncall", "--for", "hello", "--reason", "nights")
    assert (granted.code, granted.out) == (0, "@oncall is now operator for hello.\n")
    listed = json.loads(vb("roles", "list", "--json", VB_ADMINS="@dana").out)
    assert [(one["role"], one["to"], one["workflow"], one["reason"]) for one in listed] == [
        ("admin", "@dana", None, ""),
        ("viewer", "everyone", None, ""),
        ("runner", "everyone", None, ""),
        ("operator", "@oncall", "hello", "nights"),
    ]
    assert vb("roles", "revoke", "operator", "@oncall").code == 1
    revoked = vb("roles", "revoke", "operator", "@oncall", "--for", "hello")
    assert (revoked.code, revoked.out) == (0, "@oncall is no longer operator for hello.\n")


def test_what_cannot_be_granted_is_said(vb: Vb) -> None:
    wrong = vb("roles", "grant", "oprator", "@ana")
    assert (wrong.code, wrong.err) == (2, "There is no role oprator; did you mean operator?\n")
    assert "did you mean hello?" in vb("roles", "grant", "operator", "@ana", "--for", "helo").err
    refused = vb("roles", "grant", "operator", "@ana", VB_GATE_OWNERS="slack:U1")
    assert refused.code == 1
    assert "may not grant roles; that takes the role admin" in refused.err
