"""Forms about keys and secrets that were sent.

The one rule: who may is asked again when the form comes, of whoever Slack says has sent it; and what was entered goes
to the engine and nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from bot.blocks import keys as forms
from bot.blocks import replies
from bot.blocks.forms import Place, block_of, read_fields
from bot.blocks.kit import escape
from bot.listeners.answers import Answer, told, wrong
from bot.listeners.desk import Ack, Desk, NotInTime, actor
from bot.people.directory import Unreadable
from bot.people.policy import Act, Refused
from engine.core import keys as ks
from engine.core.errors import EngineError
from engine.core.events import Actor

log = logging.getLogger(__name__)

_MAY = frozenset({ks.KEYS})
"""Asked for before, by role."""


class KeyForms:
    """The listeners of the forms."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def add(self, ack: Ack, body: dict[str, Any]) -> None:
        async def put(provider: str, name: str, given: dict[str, str], by: Actor) -> Answer:
            ring, value = self._desk.engine.keyring, given.get(forms.KEY, "")
            if provider == ks.SECRETS:
                key = await ring.set_secret(name, value, by=by, may=_MAY, if_new=True)
            else:
                key = await ring.add(provider, name, value, by=by, may=_MAY)
            return told("Kept", forms.kept(key))

        await ack(**await self._answer(body, put, forms.KEY))

    async def rotate(self, ack: Ack, body: dict[str, Any]) -> None:
        async def put(provider: str, name: str, given: dict[str, str], by: Actor) -> Answer:
            ring, value = self._desk.engine.keyring, given.get(forms.KEY, "")
            if provider == ks.SECRETS:
                key = await ring.set_secret(name, value, by=by, may=_MAY)
            else:
                key = await ring.rotate(provider, name, value, by=by, may=_MAY)
            return told("Replaced", forms.kept(key))

        await ack(**await self._answer(body, put, forms.KEY))

    async def revoke(self, ack: Ack, body: dict[str, Any]) -> None:
        async def drop(provider: str, name: str, given: dict[str, str], by: Actor) -> Answer:
            ring, reason = self._desk.engine.keyring, given.get(forms.REASON, "")
            if provider == ks.SECRETS:
                await ring.remove_secret(name, by=by, may=_MAY, reason=reason)
            else:
                await ring.revoke(provider, name, by=by, may=_MAY, reason=reason)
            return told("Revoked", forms.revoked(provider, name))

        await ack(**await self._answer(body, drop, forms.REASON))

    async def _answer(
        self,
        body: dict[str, Any],
        act: Callable[[str, str, dict[str, str], Actor], Awaitable[Answer]],
        field: str,
    ) -> Answer:
        """What the form becomes; a mistake is said at its field. No error that nobody foresaw is logged with its words,
        which may repeat the key.
        """
        try:
            verdict = await self._desk.from_slack(self._desk.roles.may(Act.KEYS, body["user"]["id"]))
            if isinstance(verdict, Refused):
                return told("Not changed", verdict.sentence)
            provider, _, name = Place.unpacked(body["view"]["private_metadata"]).about.partition(" ")
            given = read_fields(body["view"]["state"]["values"])
            return await self._desk.in_time(act(provider, name, given, actor(verdict.person)))
        except (EngineError, Unreadable) as error:
            return told("Not changed", escape(str(error)))
        except ValueError as problem:
            said = str(problem)
            return wrong({block_of(field): f"{said[:1].upper()}{said[1:]}."})
        except NotInTime:
            return wrong({block_of(field): replies.KEY_NOT_IN_TIME})
        except Exception as error:  # noqa: BLE001 - its traceback is left out for what it may hold
            log.error("A form about keys could not be taken (%s).", type(error).__name__)
            return told("Not changed", replies.UNEXPECTED)
