"""Shares a file in a conversation once, whatever breaks in between.

The one rule: upload, intend, share, confirm. Nobody sees an upload until it is shared, and Slack shares an upload once:
so its id is on record before, and whoever is not sure shares it again. Refused then, they look for the file in the
conversation, by its id. Only an upload that Slack has discarded, and that is nowhere to be seen, is made anew.

What is left: Slack answers before it shows a file (it looks at it first), so one that shows up later than
``SETTLE_MS`` after it was looked for in vain is there twice.

A file's words go into the message, not into ``alt_txt``: files that have one may never be shown, although Slack says
that they were shared (slackapi/python-slack-sdk#1818).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bot.sending.looking import Target, look_through
from bot.sending.outbox import NOT_FOUND, Outbox, Priority, Refused
from engine.store import Deliveries, Delivery, JsonObject, Log

log = logging.getLogger(__name__)

CONSUMER = "files"

SETTLE_MS = 10_000
"""How long after a call of unknown outcome Slack may still show the file; only then its absence counts."""

NOT_TAKEN = "not_taken"
"""Our own word for bytes that could not be brought to Slack."""

_BEGIN, _COMPLETE = "files.getUploadURLExternal", "files.completeUploadExternal"
_PAUSES = (0.5, 1.0, 2.0)
_LOST = "lost"
_UPLOADS = 2
"""So many times one call uploads the file, if Slack discards it."""


@dataclass(frozen=True, slots=True)
class File:
    """``comment`` is mrkdwn, and says what the file says. ``snippet``: Slack's word for what kind of text it is."""

    name: str
    title: str
    body: bytes
    comment: str
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Key:
    """Under what a file is shared once: ``name`` in ``stream``, a run's or a workspace's, for its event ``seq``."""

    stream: str
    name: str
    seq: int = 0


@dataclass(frozen=True, slots=True)
class SharedFile:
    """Where a file is: ``link`` leads whoever sees the conversation to it, and is empty if Slack did not say."""

    channel: str
    file: str
    link: str = ""

    @classmethod
    def of(cls, receipt: JsonObject) -> SharedFile:
        return cls(*(str(receipt.get(name, "")) for name in ("channel", "file", "link")))

    def receipt(self) -> JsonObject:
        return {"channel": self.channel, "file": self.file, "link": self.link}


class Files:
    """Shares files through the one outbox."""

    def __init__(self, outbox: Outbox, store: Log, *, settle_ms: int = SETTLE_MS) -> None:
        self._outbox = outbox
        self._deliveries = Deliveries(store)
        self._settle_ms = settle_ms

    async def share(self, key: Key, target: Target, file: File, priority: Priority) -> SharedFile:
        """Where the file is, shared now or before. Raises ``Refused``; then it is not there."""
        uploads = 0
        for name in _names(key):
            begun = await self._deliveries.intended(CONSUMER, key.stream, name)
            if begun is None:
                uploads += 1
                if uploads > _UPLOADS:
                    break
                uploaded = await self._upload(file, priority)
                intent: JsonObject = {"file": uploaded, "to": target.channel, "under": target.thread}
                begun = await self._deliveries.intend(CONSUMER, key.stream, name, key.seq, intent)
            if begun.receipt is None:
                shared = await self._complete(begun, file, priority)
                receipt = {_LOST: "the upload was discarded"} if shared is None else shared.receipt()
                await self._deliveries.confirm(CONSUMER, key.stream, name, receipt)
                if shared is not None:
                    return shared
            elif _LOST not in begun.receipt:
                return SharedFile.of(begun.receipt)
        raise Refused(_COMPLETE, NOT_FOUND)

    async def known(self, key: Key) -> SharedFile | None:
        """Where the file is, if it was shared already, as far as is on record."""
        for name in _names(key):
            begun = await self._deliveries.intended(CONSUMER, key.stream, name)
            if begun is None or begun.receipt is None:
                break
            if _LOST not in begun.receipt:
                return SharedFile.of(begun.receipt)
        return None

    async def direct(self, user: str, priority: Priority) -> Target:
        """Where the bot writes to one person. Raises ``Refused``."""
        answer = await self._outbox.call("conversations.open", {"users": user}, priority)
        return Target(str(answer["channel"]["id"]))

    async def _upload(self, file: File, priority: Priority) -> str:
        """The id under which Slack has the bytes, seen by nobody."""
        wanted: dict[str, Any] = {"filename": file.name, "length": len(file.body)}
        if file.snippet:
            wanted["snippet_type"] = file.snippet
        for pause in _PAUSES:
            answer = await self._outbox.call(_BEGIN, wanted, priority)
            if await self._outbox.upload(answer["upload_url"], file.body):
                return str(answer["file_id"])
            await asyncio.sleep(pause)
        raise Refused(_BEGIN, NOT_TAKEN)

    async def _complete(self, begun: Delivery, file: File, priority: Priority) -> SharedFile | None:
        """Where the file is; None if Slack has discarded the upload. Raises ``Refused``."""
        uploaded, target = str(begun.intent["file"]), Target(str(begun.intent["to"]), begun.intent["under"])
        wanted = {
            "files": [{"id": uploaded, "title": file.title}],
            "channel_id": target.channel,
            "initial_comment": file.comment,
            **({"thread_ts": target.thread} if target.thread else {}),
        }
        try:
            answer = await self._outbox.call(_COMPLETE, wanted, priority, channel=target.channel)
        except Refused as refused:
            if refused.error != NOT_FOUND:
                raise
            return await self._look_for(uploaded, target, begun.created_at, priority)
        return _shared(uploaded, target, answer["files"])

    async def _look_for(self, uploaded: str, target: Target, since: int, priority: Priority) -> SharedFile | None:
        def is_it(message: dict[str, Any]) -> bool:
            return any(one.get("id") == uploaded for one in message.get("files") or ())

        for last in (False, True):
            found = await look_through(self._outbox, target, since, priority, is_it)
            if found is not None:
                return _shared(uploaded, target, found["files"])
            if not last:
                await asyncio.sleep(self._settle_ms / 1_000)
        log.info("The upload %s was discarded; it is made anew.", uploaded)
        return None


def _names(key: Key) -> Iterator[str]:
    """Under what it is on record: first under its own name, then under a new one for each upload that was discarded."""
    yield key.name
    yield from (f"{key.name}:{number}" for number in itertools.count(2))


def _shared(uploaded: str, target: Target, files: list[dict[str, Any]]) -> SharedFile:
    links = [str(one.get("permalink") or "") for one in files if one.get("id") == uploaded]
    return SharedFile(target.channel, uploaded, next(iter(links), ""))
