"""The directory against a simulated workspace: who names stand for, who belongs, how old an answer may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.words import Asked
from bot.people.directory import NAMES_STALENESS_S, STALENESS_S, Directory, Target, Unreadable, names_of, person_of
from bot.simulator.calls import Fault
from bot.simulator.demo import ANA, BEN, CHEN, DANA, EVE, FINN
from bot.simulator.model import Channel, UserGroup
from bot.simulator.simulator import Simulator
from tests.bot.front import unanswered
from tests.patience import PATIENT


class Seconds:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def directory(simulator: Simulator, seconds: Seconds) -> AsyncIterator[Directory]:
    client = AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url, retry_handlers=[])
    made = Directory(client, simulator.workspace.team_id, within_s=PATIENT.answered, monotonic=seconds)
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("who", "kind", "id_"),
    [
        ("@release-managers", "group", "S0RELEASES"),
        ("@Release-Managers", "group", "S0RELEASES"),
        ("@S0ONCALLXX", "group", "S0ONCALLXX"),
        ("@ana", "person", ANA),
        (f"@{BEN}", "person", BEN),
        ("#ops", "channel", "C0OPSXXXXX"),
        ("#eng-leads", "channel", "C0ENGLEADS"),
        ("#C0ENGLEADS", "channel", "C0ENGLEADS"),
        ("@nobody", "missing", ""),
        ("#nowhere", "missing", ""),
        ("@eve", "missing", ""),
        ("@finn", "missing", ""),
        ("@vectorbea", "missing", ""),
    ],
)
async def test_whom_a_name_stands_for(directory: Directory, who: str, kind: Any, id_: str) -> None:
    assert await directory.asked(who) == Asked(who, kind, id_)


async def test_members_of_all_kinds(directory: Directory) -> None:
    targets = await directory.targets(["@release-managers", "#eng-leads", "@chen", "@nobody", "@chen"])
    members = [(target.asked.who, target.members - {"U0VECTORBEA"}) for target in targets]
    staff = {ANA, DANA}
    assert members[0] == ("@release-managers", staff)
    assert staff <= members[1][1]
    assert members[2:] == [("@chen", {CHEN}), ("@nobody", frozenset())]


@pytest.mark.parametrize(
    ("user", "standing"), [(ANA, "member"), (EVE, "guest"), (FINN, "deactivated"), ("bot", "bot"), ("USLACKBOT", None)]
)
async def test_standings(directory: Directory, simulator: Simulator, user: str, standing: str | None) -> None:
    person = await directory.person(simulator.workspace.app.bot_user_id if user == "bot" else user)
    if standing is not None:
        assert person is not None
        assert person.standing == standing
    else:
        assert person is None or person.standing != "member"


async def test_a_stranger_is_nobody(directory: Directory) -> None:
    assert await directory.person("U0STRANGER") is None


@pytest.mark.parametrize(
    ("wire", "standing"),
    [
        ({"team_id": "T1"}, "member"),
        ({"team_id": "T2"}, "outsider"),
        ({"team_id": "T1", "is_stranger": True}, "outsider"),
        ({"team_id": "T2", "enterprise_user": {"teams": ["T1", "T2"]}}, "member"),
        ({"team_id": "T1", "is_ultra_restricted": True}, "guest"),
        ({"team_id": "T2", "deleted": True}, "deactivated"),
    ],
)
def test_people_of_other_workspaces_are_outsiders(wire: dict[str, Any], standing: str) -> None:
    assert person_of({"id": "U1", **wire}, "T1").standing == standing


def test_a_chosen_name_counts_only_if_it_is_nobody_elses() -> None:
    """Otherwise whoever takes an approver's name could decide for them."""
    users = [_user("U1", "u1", "boss"), _user("U2", "u2", "boss"), _user("U3", "u3", "u1"), _user("U4", "u4", "lead")]
    names = names_of([person_of(user, "T1") for user in users])
    assert names == {"u1": "U1", "u2": "U2", "u3": "U3", "u4": "U4", "lead": "U4"}


def test_a_handle_that_two_workspaces_of_an_organization_have_is_nobodys() -> None:
    """Nor does it fall to whoever has chosen it as a name."""
    users = [_user("U1", "ana", "Ana"), _user("U2", "ana", "Ana Two"), _user("U3", "ben", "ana")]
    assert names_of([person_of(user, "T1") for user in users]) == {"ben": "U3", "ana two": "U2"}


def _user(id_: str, handle: str, display: str) -> dict[str, Any]:
    return {"id": id_, "name": handle, "team_id": "T1", "profile": {"display_name": display}}


async def test_membership_is_read_again_after_the_stated_time(
    simulator: Simulator, directory: Directory, seconds: Seconds
) -> None:
    async def members() -> frozenset[str]:
        (target,) = await directory.targets(["@oncall"])
        return target.members

    assert await members() == {CHEN}
    simulator.workspace.groups["S0ONCALLXX"].users[:] = [BEN]
    seconds.now += STALENESS_S - 1
    assert await members() == {CHEN}
    seconds.now += 2
    assert await members() == {BEN}


async def test_a_person_who_was_deactivated_counts_no_longer(
    simulator: Simulator, directory: Directory, seconds: Seconds
) -> None:
    person = await directory.person(CHEN)
    assert person is not None
    assert person.standing == "member"
    simulator.workspace.users[CHEN].deleted = True
    seconds.now += STALENESS_S + 1
    person = await directory.person(CHEN)
    assert person is not None
    assert person.standing == "deactivated"


async def test_a_new_group_or_channel_is_found_without_waiting_for_the_names_to_age(
    simulator: Simulator, directory: Directory, seconds: Seconds
) -> None:
    assert (await directory.asked("#launch")).kind == "missing"
    simulator.workspace.add_channel(Channel("C0LAUNCHXX", "launch", [ANA]))
    simulator.workspace.add_group(UserGroup("S0LAUNCHXX", "launchers", "Launchers", [ANA]))
    seconds.now += STALENESS_S + 1
    assert NAMES_STALENESS_S > STALENESS_S + 1
    assert (await directory.asked("#launch")).kind == "channel"
    assert (await directory.asked("@launchers")).kind == "group"


async def test_a_person_by_id_is_asked_for_alone(simulator: Simulator, directory: Directory) -> None:
    assert await directory.asked(f"@{BEN}") == Asked(f"@{BEN}", "person", BEN)
    assert (len(simulator.calls("users.list")), len(simulator.calls("usergroups.list"))) == (0, 0)
    for nobody in ("U0NOBODYXX", EVE, FINN):
        assert (await directory.asked(f"@{nobody}")).kind == "missing"


async def test_questions_at_the_same_time_are_one_call(simulator: Simulator, directory: Directory) -> None:
    await asyncio.gather(*(directory.person(ANA) for _ in range(20)))
    assert len(simulator.calls("users.info")) == 1


@pytest.mark.parametrize("fault", [Fault(error="internal_error"), Fault(status=500), Fault(retry_after_s=9)])
async def test_trouble_is_not_a_no_and_is_not_kept(simulator: Simulator, directory: Directory, fault: Fault) -> None:
    for method in ("usergroups.list", "usergroups.users.list", "conversations.list", "users.info"):
        simulator.fail_next(method, fault)
    (group,) = await directory.targets(["@oncall"])
    assert group == Target(Asked("@oncall", "unread"))
    (group,) = await directory.targets(["@oncall"])
    assert group.asked.kind == "unread"  # now the group is known, its members are not
    (group,) = await directory.targets(["@oncall"])
    assert group.members == {CHEN}
    assert (await directory.asked("#ops")).kind == "unread"
    assert (await directory.asked("#ops")).kind == "channel"
    with pytest.raises(Unreadable, match="Slack did not say who you are"):
        await directory.person(ANA)
    assert await directory.person(ANA) is not None


async def test_a_late_answer_is_kept_for_the_next_question(
    simulator: Simulator, client: AsyncWebClient, seconds: Seconds
) -> None:
    directory = Directory(client, simulator.workspace.team_id, within_s=0.05, monotonic=seconds)
    with unanswered(simulator, "users.info"), pytest.raises(Unreadable):
        await directory.person(ANA)
    async with asyncio.timeout(180):
        while True:
            try:
                person = await directory.person(ANA)
                break
            except Unreadable:
                continue
    assert person is not None
    assert len(simulator.calls("users.info")) == 1
    await directory.close()


async def test_a_plan_without_groups_has_none(simulator: Simulator, directory: Directory) -> None:
    simulator.fail_next("usergroups.list", Fault(error="plan_upgrade_required"))
    assert (await directory.asked("@ana")).kind == "person"


async def test_long_lists_are_read_to_their_end(simulator: Simulator, directory: Directory) -> None:
    for number in range(450):
        simulator.workspace.add_channel(Channel(f"C0MANY{number:04d}", f"many-{number}", [ANA]))
    assert (await directory.asked("#many-449")).id == "C0MANY0449"
    assert len(simulator.calls("conversations.list")) == 3


@pytest.fixture
async def with_roles(simulator: Simulator) -> AsyncIterator[Directory]:
    held = {"approver": ("@release-managers", f"@{BEN}"), "operator": ("@gone",), "viewer": ()}

    async def roles(role: str, workflow: str) -> tuple[str, ...]:
        return (*held.get(role, ()), *(("@chen",) if workflow == "deploy" else ()))

    client = AsyncWebClient(token=simulator.bot_token, base_url=simulator.api_url, retry_handlers=[])
    made = Directory(client, simulator.workspace.team_id, roles=roles, within_s=PATIENT.answered)
    yield made
    await made.close()


async def test_a_role_stands_for_all_who_hold_it(with_roles: Directory) -> None:
    (target,) = await with_roles.targets(["role:approver"])
    assert target.members == {ANA, DANA, BEN}
    assert target.asked.mention == f"role:approver (<!subteam^S0RELEASES>, <@{BEN}>)"
    (target,) = await with_roles.targets(["role:approver"], "deploy")
    assert target.members == {ANA, DANA, BEN, CHEN}


@pytest.mark.parametrize("role", ["role:viewer", "role:operator", "role:unheard-of"])
async def test_a_role_that_nobody_holds_stands_for_nobody(with_roles: Directory, role: str) -> None:
    assert await with_roles.targets([role]) == (Target(Asked(role, "missing")),)


async def test_a_role_whose_holders_slack_does_not_tell_of_is_unread(
    with_roles: Directory, simulator: Simulator
) -> None:
    simulator.fail_next("usergroups.list", Fault(status=503))
    assert (await with_roles.asked("role:approver")).kind == "unread"
