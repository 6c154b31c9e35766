"""Posts a message once, whatever breaks in between.

The one rule: intend, post, confirm. The intent is in the database before Slack is called, and the message carries its
run and key as metadata; so a post whose confirmation is missing is looked for in Slack, and adopted if it is there. A
process that was held up, and finds when its post arrives that another has made it, takes its own back.

Looking for a message needs the history of its conversation, which the app may read only where it is a member. Elsewhere
a post of unknown outcome cannot be checked: ``if_unsure`` says whether it is then made again or left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from bot.blocks.kit import Message
from bot.sending.looking import Target, look_through
from bot.sending.newer import NewerBlocks
from bot.sending.outbox import Outbox, OutcomeUnknown, Priority, Refused
from engine.ids import worker_id
from engine.store import Deliveries, Delivery, JsonObject, Log

log = logging.getLogger(__name__)

EVENT_TYPE = "vectorbea_message"

THREADS = "slack"
"""The consumer of the log that tells runs."""

NOTICES = "notices"
"""The consumer that tells what was said in workspaces themselves."""

NOWHERE = "nowhere"
"""How the key of a request ends that could not be shown anywhere."""

SETTLE_MS = 3_000
"""How long after a post of unknown outcome Slack may still show it; only then its absence counts."""

DELETED = frozenset({"cannot_reply_to_message", "message_not_found", "thread_not_found"})
"""Errors after which a message is not there any more, though its conversation may be."""

GONE = DELETED | {
    "channel_not_found",
    "is_archived",
    "is_inactive",
    "not_in_channel",
    "restricted_action",
    "restricted_action_non_threadable_channel",
    "restricted_action_read_only_channel",
    "restricted_action_thread_locked",
    "restricted_action_thread_only_channel",
}
"""Errors after which nothing more can be said where that message was to be."""


@dataclass(frozen=True, slots=True)
class Item:
    """A message that is posted once under its ``key``, and what it was made for: event ``seq`` of ``run``.

    ``intent``: what the caller wants to find in the delivery after a crash.
    """

    run: str
    key: str
    seq: int
    intent: JsonObject
    if_unsure: Literal["repeat", "leave"] = "leave"


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is, and the digest of what it shows. ``failed`` says why it is not (any more) there."""

    channel: str = ""
    ts: str = ""
    digest: str = ""
    failed: str = ""

    @property
    def where(self) -> str:
        return f"{self.channel}/{self.ts}"

    @classmethod
    def of(cls, receipt: JsonObject) -> Posted:
        return cls(**{name: str(receipt.get(name, "")) for name in ("channel", "ts", "digest", "failed")})

    def receipt(self) -> JsonObject:
        values = {"channel": self.channel, "ts": self.ts, "digest": self.digest, "failed": self.failed}
        return {name: value for name, value in values.items() if value}


class Postings:
    """Posts for one consumer of the log (the threads, or a step), through the one outbox."""

    def __init__(self, outbox: Outbox, store: Log, consumer: str, *, settle_ms: int = SETTLE_MS) -> None:
        self.outbox = outbox
        self.deliveries = Deliveries(store)
        self.newer = NewerBlocks()
        self.consumer = consumer
        self._store = store
        self._settle_ms = settle_ms
        self._me = worker_id()
        self._count = 0
        self._refused: set[tuple[str, str]] = set()
        """Messages that Slack has refused, so that they need not be looked for."""

    async def post(
        self, item: Item, target: Target, message: Message, priority: Priority, *, in_turn: bool = False
    ) -> Posted:
        """Where the message is, posted now or before. Raises ``Refused``; nothing was posted then.

        The result's digest is that of ``message`` only if it was posted by this call; one that is found may show what
        an earlier state of the run looked like, and has no digest.
        """
        self._count += 1
        aim = {"to": target.channel, "under": target.thread}
        intent = {**item.intent, **aim, "by": f"{self._me}/{self._count}"}
        delivery = await self.deliveries.intend(self.consumer, item.run, item.key, item.seq, intent)
        if delivery.receipt is not None:
            return Posted.of(delivery.receipt)
        posted = None
        name = (item.run, item.key)
        if delivery.intent.get("by") != intent["by"] and name not in self._refused:
            posted = await self._look_for(item, delivery, priority)
        self._refused.discard(name)
        if posted is None:
            try:
                posted = await self._post_as_taken(item, target, message, delivery, priority, in_turn=in_turn)
            except Refused:
                self._refused.add(name)
                raise
        return await self._confirm(item, posted, priority)

    async def settle(self, item: Item, priority: Priority) -> Posted:
        """Find out about a post that was begun before a crash and is not wanted any more; it is not made now."""
        delivery = await self.deliveries.intend(self.consumer, item.run, item.key, item.seq, item.intent)
        posted = await self._look_for(item, delivery, priority)
        if posted is None:
            return await self.give_up(item, "it came too late")
        return await self._confirm(item, posted, priority)

    async def give_up(self, item: Item, why: str) -> Posted:
        """Record that the message will not be posted."""
        self._refused.discard((item.run, item.key))
        await self.deliveries.intend(self.consumer, item.run, item.key, item.seq, item.intent)
        posted = Posted(failed=why)
        if not await self.deliveries.confirm(self.consumer, item.run, item.key, posted.receipt()):
            await self.deliveries.update_receipt(self.consumer, item.run, item.key, posted.receipt())
        return posted

    async def update(self, run: str, key: str, posted: Posted, message: Message, priority: Priority) -> Posted:
        """Replace what a message shows; the caller has waited for its turn. Raises ``Refused``."""
        try:
            await self._replace(posted, message, priority, in_turn=True)
        except Refused as refused:
            if not self.newer.learn(refused.error, message):
                raise
            message = self.newer.fitted(message)
            await self._replace(posted, message, priority, in_turn=False)
        shown = Posted(posted.channel, posted.ts, message.digest)
        await self.deliveries.update_receipt(self.consumer, run, key, shown.receipt())
        return shown

    async def _replace(self, posted: Posted, message: Message, priority: Priority, *, in_turn: bool) -> None:
        arguments = {"channel": posted.channel, "ts": posted.ts, **_content(message)}
        await self.outbox.call("chat.update", arguments, priority, in_turn=in_turn)

    async def _confirm(self, item: Item, posted: Posted, priority: Priority) -> Posted:
        """Record where the message is. Of two processes that come here for one message, the first is right."""
        where = posted.where if posted.ts else None
        if await self.deliveries.confirm(self.consumer, item.run, item.key, posted.receipt(), receipt_key=where):
            return posted
        delivery = await self.deliveries.intend(self.consumer, item.run, item.key, item.seq, item.intent)
        first = posted if delivery.receipt is None else Posted.of(delivery.receipt)
        if posted.ts and first.where != posted.where:
            await self._take_back(item, posted, priority)
        return first

    async def _take_back(self, item: Item, posted: Posted, priority: Priority) -> None:
        log.warning("%s of %s was posted by another process meanwhile; ours is deleted.", item.key, item.run)
        try:
            await self.outbox.call("chat.delete", {"channel": posted.channel, "ts": posted.ts}, priority)
        except Refused as refused:
            log.warning("It could not be deleted (%s).", refused)

    async def _post_as_taken(
        self, item: Item, target: Target, message: Message, delivery: Delivery, priority: Priority, *, in_turn: bool
    ) -> Posted:
        """Post it; without newer blocks where the workspace turns out not to take them."""
        try:
            return await self._post(item, target, message, delivery, priority, in_turn=in_turn)
        except Refused as refused:
            if not self.newer.learn(refused.error, message):
                raise
            return await self._post(item, target, self.newer.fitted(message), delivery, priority, in_turn=False)

    async def _post(
        self, item: Item, target: Target, message: Message, delivery: Delivery, priority: Priority, *, in_turn: bool
    ) -> Posted:
        payload = {"run": item.run, "key": item.key, "seq": item.seq}
        arguments: dict[str, Any] = {
            "channel": target.channel,
            **_content(message),
            "metadata": {"event_type": EVENT_TYPE, "event_payload": payload},
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if target.thread is not None:
            arguments["thread_ts"] = target.thread
        while True:
            try:
                answer = await self.outbox.call(
                    "chat.postMessage",
                    arguments,
                    priority,
                    channel=target.channel,
                    repeatable=False,
                    in_turn=in_turn,
                )
            except OutcomeUnknown:
                in_turn = False
                found = await self._look_for(item, delivery, priority, lost_now=True)
                if found is not None:
                    return found
            else:
                return Posted(answer["channel"], answer["ts"], message.digest)

    async def _look_for(
        self, item: Item, delivery: Delivery, priority: Priority, *, lost_now: bool = False
    ) -> Posted | None:
        """The message, if Slack has it where it was meant to go; None if it surely has not."""
        target = Target(str(delivery.intent["to"]), delivery.intent["under"])
        try:
            found = await self._find(item, target, delivery.created_at, priority)
            if found is not None:
                return found
            age = 0 if lost_now else await self._store.now() - delivery.created_at
            if age < self._settle_ms:
                await asyncio.sleep((self._settle_ms - age) / 1_000)
                return await self._find(item, target, delivery.created_at, priority)
        except Refused as refused:
            log.warning("Whether %s of %s was posted cannot be seen (%s).", item.key, item.run, refused)
            return None if item.if_unsure == "repeat" else Posted(failed="its outcome is unknown")
        return None

    async def _find(self, item: Item, target: Target, since: int, priority: Priority) -> Posted | None:
        found = await look_through(self.outbox, target, since, priority, lambda message: _is_of(message, item))
        return None if found is None else Posted(target.channel, found["ts"])


async def unshown(store: Log, runs: Iterable[str]) -> dict[str, set[int]]:
    """The runs with requests that could not be shown to anybody in Slack, and the seqs of those gates' events."""
    deliveries, found = Deliveries(store), dict[str, set[int]]()
    for run in runs:
        for one in await deliveries.deliveries(THREADS, run):
            if one.receipt is not None and one.key.endswith(f":{NOWHERE}"):
                found.setdefault(run, set()).add(one.seq)
    return found


def _is_of(message: dict[str, Any], item: Item) -> bool:
    metadata: dict[str, Any] = message.get("metadata") or {}
    payload: dict[str, Any] = metadata.get("event_payload") or {}
    return metadata.get("event_type") == EVENT_TYPE and (payload.get("run"), payload.get("key")) == (item.run, item.key)


def _content(message: Message) -> dict[str, Any]:
    """Text and blocks; an empty list clears the blocks that were there."""
    return {"text": message.text, "blocks": list(message.blocks)}
