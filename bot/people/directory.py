"""Who is who in the Slack workspace: people, and the members of the groups, channels and roles that definitions name.

The one rule: an answer is Slack's, and its age is bounded. Who a person is and who belongs to a group or channel is at
most ``STALENESS_S`` old; which id a channel's or a person's name stands for, at most ``NAMES_STALENESS_S``. What Slack
did not say is told apart from what it denied, so that nothing is ever decided on a guess.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.blocks.words import Asked
from bot.bounds import USUAL
from bot.people.memo import Memo
from engine.core.roles import BY_ROLE

log = logging.getLogger(__name__)

STALENESS_S = 30.0
NAMES_STALENESS_S = 300.0

PERSON_ID = re.compile(r"[UW][A-Z0-9]{3,}")

MOST_PLACED = 50
"""People who are asked about where the time zones of all who are asked are wanted."""

_PAGE = 200
_UNKNOWN = frozenset({"user_not_found", "user_not_visible", "no_such_subteam", "channel_not_found"})

Standing = Literal["member", "guest", "deactivated", "bot", "outsider"]


class Unreadable(Exception):
    """Slack did not answer a question about people. The text is a sentence for a person."""

    def __init__(self, about: str) -> None:
        self.about = about
        super().__init__(f"Slack did not say {about}. Try again in a minute.")


@dataclass(frozen=True, slots=True)
class Person:
    """``handle`` is their unique user name, ``name`` the one that others see. Only a ``member`` may do anything.

    ``zone``: the time zone that they have set in Slack.
    """

    id: str
    handle: str
    name: str
    standing: Standing = "member"
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Somebody whom a definition names, with the ids of all people who count as them."""

    asked: Asked
    members: frozenset[str] = frozenset()


Roles = Callable[[str, str], Awaitable[Sequence[str]]]
"""Who holds a role in a workflow, named there or for the whole workspace: as ``@`` and a name or an id."""


async def no_roles(role: str, workflow: str) -> Sequence[str]:
    """A workspace without roles."""
    return ()


class Directory:
    """Reads people, groups and channels of the workspace ``team``. Concurrent questions share one call.

    ``org_wide``: ``team`` is an organization, all of whose workspaces count as one. A name that several of them have,
    each for something of its own, stands for nobody there; an id does. An answer is waited for ``within_s`` seconds.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        team: str,
        *,
        org_wide: bool = False,
        roles: Roles = no_roles,
        within_s: float = USUAL.answered,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._within_s = within_s
        self._client: Any = client
        self._team = team
        self._org_wide = org_wide
        self._team_of_group: dict[str, str] = {}
        self._roles = roles
        self._memo = Memo(monotonic, overdue=within_s / 2)

    async def close(self) -> None:
        """Give up the questions that are still under way."""
        await self._memo.close()

    # People

    async def person(self, user: str) -> Person | None:
        """The person with this id, or None if there is none. Raises ``Unreadable``."""
        return await self._known(("person", user), "who you are", lambda: self._read_person(user))

    async def _read_person(self, user: str) -> Person | None:
        try:
            answer = await self._client.users_info(user=user)
        except SlackApiError as error:
            if error_name(error) in _UNKNOWN:
                return None
            raise
        return person_of(answer["user"], self._team)

    # Groups and channels

    async def asked(self, who: str, workflow: str = "") -> Asked:
        """Whom ``@release-managers``, ``@ana``, ``#eng-leads`` or, in ``workflow``, ``role:approver`` stands for.

        Slack's silence does not raise: see ``Asked.kind``. Raises what reading the roles does.
        """
        try:
            if who.startswith(BY_ROLE):
                return await self._role(who, workflow)
            return await (self._channel(who) if who.startswith("#") else self._group_or_person(who))
        except Unreadable as trouble:
            log.warning("Who %s is was not found out: %s", who, trouble)
            return Asked(who, "unread")

    async def targets(self, names: Iterable[str], workflow: str = "") -> tuple[Target, ...]:
        """The same with their members as they are now. Those who could not be read are ``unread`` and have none."""
        return tuple(await asyncio.gather(*(self._target(who, workflow) for who in dict.fromkeys(names))))

    async def _target(self, who: str, workflow: str) -> Target:
        return await self.target(await self.asked(who, workflow))

    async def target(self, asked: Asked) -> Target:
        """Somebody whose id is known, with their members now; ``unread``, with none, if Slack does not say."""
        try:
            return Target(asked, await self._members(asked))
        except Unreadable as trouble:
            log.warning("The members of %s could not be read: %s", asked.who, trouble)
            return Target(Asked(asked.who, "unread"))

    async def zones(self, names: Iterable[str], workflow: str = "") -> frozenset[str]:
        """The time zones of the full members who belong to the names, as far as Slack says; of many, those of some."""
        targets = await self.targets(names, workflow)
        ids = sorted(frozenset[str]().union(*(target.members for target in targets)))[:MOST_PLACED]
        people = await asyncio.gather(*(self.person(id_) for id_ in ids), return_exceptions=True)
        members = (one for one in people if isinstance(one, Person) and one.standing == "member")
        return frozenset(person.zone for person in members if person.zone)

    async def name_of(self, asked: Asked) -> str:
        """The unique name of a person or channel, with its sign. Raises ``Unreadable``; empty for who is not there."""
        if asked.kind == "person":
            person = await self.person(asked.id)
            return "" if person is None else f"@{person.handle}"
        if asked.kind == "channel":
            known = await self._known(("channels",), "which channels there are", self._read_channels, NAMES_STALENESS_S)
            return next((f"#{name}" for name, id_ in known.items() if id_ == asked.id), "")
        return ""

    async def _members(self, asked: Asked) -> frozenset[str]:
        match asked.kind:
            case "person":
                return frozenset({asked.id})
            case "group":
                read = self._read_group
            case "channel":
                read = self._read_channel
            case "role":
                found = await asyncio.gather(*(self._members(holder) for holder in asked.holders))
                return frozenset[str]().union(*found)
            case _:
                return frozenset()
        return await self._known(("members", asked.id), f"who is in {asked.who}", lambda: read(asked.id))

    async def _group_or_person(self, who: str) -> Asked:
        """A group's handle comes first, then a user name, which is unique too, and only then a name that people choose.

        A name that several people have chosen stands for nobody: otherwise taking an approver's name would be enough to
        decide in their place.
        """
        name = who[1:]
        if PERSON_ID.fullmatch(name):  # one question, where a name takes the list of all people
            person = await self.person(name)
            if person is not None and person.standing == "member":
                return Asked(who, "person", name)
        groups = await self._known(("groups",), "which user groups there are", self._read_groups)
        if (group := groups.get(name.lower())) is not None or name in groups.values():
            return Asked(who, "group", group or name)
        found = await self._by_name("people", name, self._read_people)
        return Asked(who, "person", found) if found else Asked(who, "missing")

    async def _channel(self, who: str) -> Asked:
        found = await self._by_name("channels", who[1:], self._read_channels)
        return Asked(who, "channel", found) if found else Asked(who, "missing")

    async def _role(self, who: str, workflow: str) -> Asked:
        """A role stands for all who hold it; one that nobody holds, for nobody."""
        named = await self._roles(who.removeprefix(BY_ROLE), workflow)
        holders = tuple(await asyncio.gather(*(self.asked(holder) for holder in named)))
        if any(holder.kind == "unread" for holder in holders):
            raise Unreadable(f"who holds {who}")
        known = tuple(holder for holder in holders if holder.kind != "missing")
        return Asked(who, "role", holders=known) if known else Asked(who, "missing")

    async def _by_name(self, kind: str, name: str, read: Callable[[], Awaitable[dict[str, str]]]) -> str | None:
        """The id for a name or an id. A name that is not there is looked up again in a newer list."""
        for staleness in (NAMES_STALENESS_S, STALENESS_S):
            known = await self._known((kind,), f"which {kind} there are", read, staleness)
            found = known.get(name.lower()) or (name if name in known.values() else None)
            if found:
                return found
        return None

    # Reading

    async def _asked_about(self) -> list[dict[str, str]]:
        """The workspaces whose lists are to be read, as arguments: of an organization Slack wants to be told each."""
        if not self._org_wide:
            return [{}]
        return [{"team_id": team["id"]} async for team in self._pages(self._client.auth_teams_list, "teams")]

    async def _read_groups(self) -> dict[str, str]:
        found: list[dict[str, Any]] = []
        try:
            for where in await self._asked_about():
                found += (await self._client.usergroups_list(**where))["usergroups"]
        except SlackApiError as error:
            if error_name(error) == "plan_upgrade_required":  # the plan has no user groups, so there are none
                return {}
            raise
        self._team_of_group = {group["id"]: group["team_id"] for group in found} if self._org_wide else {}
        return _unambiguous((group["handle"], group["id"]) for group in found if not group.get("date_delete"))

    async def _read_group(self, group: str) -> frozenset[str]:
        team = self._team_of_group.get(group)
        where = {} if team is None else {"team_id": team}
        try:
            answer = await self._client.usergroups_users_list(usergroup=group, **where)
        except SlackApiError as error:
            if error_name(error) in _UNKNOWN:  # it was named by its id, and is gone
                return frozenset()
            raise
        return frozenset(answer["users"])

    async def _read_channel(self, channel: str) -> frozenset[str]:
        pages = self._pages(self._client.conversations_members, "members", channel=channel)
        try:
            return frozenset([member async for member in pages])
        except SlackApiError as error:
            if error_name(error) in _UNKNOWN:
                return frozenset()
            raise

    async def _read_channels(self) -> dict[str, str]:
        wanted: dict[str, Any] = {"types": "public_channel,private_channel", "exclude_archived": True}
        found: list[tuple[str, str]] = []
        for where in await self._asked_about():
            pages = self._pages(self._client.conversations_list, "channels", **wanted, **where)
            found += [(channel["name"], channel["id"]) async for channel in pages]
        return _unambiguous(found)

    async def _read_people(self) -> dict[str, str]:
        found: dict[str, Person] = {}
        for where in await self._asked_about():
            pages = self._pages(self._client.users_list, "members", **where)
            found |= {user["id"]: person_of(user, self._team) async for user in pages}
        return names_of(found.values())

    async def _pages(self, method: Callable[..., Awaitable[Any]], field: str, **arguments: Any) -> AsyncIterator[Any]:
        cursor = ""
        while True:
            answer = await method(limit=_PAGE, cursor=cursor, **arguments)
            for item in answer[field]:
                yield item
            metadata: dict[str, Any] = answer.get("response_metadata") or {}
            cursor = str(metadata.get("next_cursor") or "")
            if not cursor:
                return

    async def _known(
        self, key: tuple[str, ...], about: str, read: Callable[[], Awaitable[Any]], staleness: float = STALENESS_S
    ) -> Any:
        """What was read before, if it is young enough, else what Slack says now. Raises ``Unreadable``."""
        try:
            async with asyncio.timeout(self._within_s):
                return await self._memo.get(key, staleness, read)
        except (SlackApiError, SlackClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("Slack did not say %s (%s).", about, reason_of(error))
            raise Unreadable(about) from None


def person_of(user: dict[str, Any], team: str) -> Person:
    """A person from Slack's user object, as seen by the workspace ``team``."""
    profile: dict[str, Any] = user.get("profile") or {}
    handle: str = user.get("name") or user["id"]
    name = profile.get("display_name") or profile.get("real_name") or user.get("real_name") or handle
    return Person(user["id"], handle, name, _standing(user, team), user.get("tz") or "")


def names_of(people: Iterable[Person]) -> dict[str, str]:
    """Members' ids by lower-case name: user names, and those chosen names that only one of them has."""
    members = [person for person in people if person.standing == "member"]
    handles = _unambiguous((person.handle, person.id) for person in members)
    # A handle that several have is nobody's chosen name either.
    taken = {person.handle.lower() for person in members}
    names = _unambiguous((person.name, person.id) for person in members)
    return {name: id_ for name, id_ in names.items() if name not in taken} | handles


def _unambiguous(named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The ids by their lower-case names, without names that stand for several."""
    ids: dict[str, set[str]] = {}
    for name, id_ in named:
        ids.setdefault(name.lower(), set()).add(id_)
    return {name: next(iter(found)) for name, found in ids.items() if len(found) == 1}


def _standing(user: dict[str, Any], team: str) -> Standing:
    if user.get("deleted"):
        return "deactivated"
    if user.get("is_bot"):
        return "bot"
    organization: dict[str, Any] = user.get("enterprise_user") or {}
    homes: list[str] = organization.get("teams") or [user.get("team_id", team)]
    if user.get("is_stranger") or team not in (*homes, organization.get("enterprise_id")):
        return "outsider"
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return "guest"
    return "member"


PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
"""Errors of Slack's own, which pass."""


def error_name(error: SlackApiError) -> str:
    """Slack's name of the refusal; empty where the answer was none of Slack's own."""
    response: Any = error.response
    return str(response.get("error", ""))


def reason_of(error: Exception) -> str:
    """Why a call of Slack gave no answer, in a few words without secrets."""
    if isinstance(error, SlackApiError):
        return error_name(error) or "an answer that is no JSON"
    return "no answer in time" if isinstance(error, TimeoutError) else (str(error) or type(error).__name__)
