"""What a consumer of the log needs to carry it outside exactly once: leased cursors, and intents before deeds.

The one rule: intend, do, confirm. After a crash the unconfirmed intents say what may or may not have been done.
"""

from engine.store import cursors, outbound
from engine.store.log import Log
from engine.store.types import Cursor, Delivery, JsonObject


class Deliveries:
    """The cursors and deliveries of all consumers in one log. Leases run on the database's clock, in milliseconds."""

    def __init__(self, log: Log) -> None:
        self._database = log.database
        self._registered: set[str] = set()

    async def unread(self, consumer: str, owner: str) -> list[str]:
        """The workspaces in which `claim_cursors` would find something for the owner; one question for all of them."""
        await self._register(consumer)
        return await self._database.read(cursors.unread, consumer, owner)

    async def unread_said(self, consumer: str, owner: str, home: str) -> list[str]:
        """The workspaces for which the owner has something to read, in their own streams or in that of `home`.

        One question for all of them. What a workspace reads there, it reads as the consumer that `in_home` names.
        """
        return await self._database.read(cursors.unread_said, consumer, owner, home)

    @staticmethod
    def in_home(consumer: str, workspace: str) -> str:
        """As which consumer a workspace reads the stream of the home workspace."""
        return cursors.consumer_in_home(consumer, workspace)

    async def claim_cursors(
        self, consumer: str, owner: str, ttl_ms: int, limit: int, *, workspace: str | None = None
    ) -> list[Cursor]:
        """Lease up to `limit` cursors of runs (of `workspace` alone, if given) with events the consumer has not read.

        Left out are those leased by another, and streams that the consumer is done with. Cursors that the owner has
        already are among them, after the others, and are prolonged.
        """
        await self._register(consumer)
        return await self._database.write(cursors.claim_unread, consumer, owner, ttl_ms, limit, workspace)

    async def open_with(self, consumer: str, workspace: str, prefix: str) -> list[str]:
        """The workspace's runs with which the consumer is not done, of which it has deliveries whose keys begin so."""
        return await self._database.read(cursors.open_with, consumer, workspace, prefix)

    async def claim_cursor(self, consumer: str, stream: str, owner: str, ttl_ms: int) -> Cursor | None:
        """Lease or prolong one cursor, whether or not there is something to read; None if another has it."""
        return await self._database.write(cursors.claim, consumer, stream, owner, ttl_ms)

    async def advance(self, consumer: str, stream: str, owner: str, seq: int, *, done: bool = False) -> bool:
        """Remember that all up to and with `seq` is read; `done`: nothing is expected after it.

        False if the owner no longer has the cursor: then another reads on from where it was, and this one must stop.
        """
        return await self._database.write(cursors.advance, consumer, stream, owner, seq, done)

    async def release_cursor(self, consumer: str, stream: str, owner: str) -> None:
        """Give the cursor back, so that others need not wait for the lease's end."""
        await self._database.write(cursors.release, consumer, stream, owner)

    async def intend(self, consumer: str, stream: str, key: str, seq: int, intent: JsonObject) -> Delivery:
        """Record what is about to be done for the event `seq`, or get what was recorded under this key before."""
        return await self._database.write(outbound.intend, consumer, stream, key, seq, intent)

    async def confirm(
        self, consumer: str, stream: str, key: str, receipt: JsonObject, *, receipt_key: str | None = None
    ) -> bool:
        """Record what came of it; `receipt_key` finds it again. False if it was confirmed before: that one stays."""
        return await self._database.write(outbound.confirm, consumer, stream, key, receipt, receipt_key)

    async def update_receipt(self, consumer: str, stream: str, key: str, receipt: JsonObject) -> bool:
        """Replace a receipt, for what changes after it was confirmed; False if there is none."""
        return await self._database.write(outbound.update_receipt, consumer, stream, key, receipt)

    async def intended(self, consumer: str, stream: str, key: str) -> Delivery | None:
        """What was recorded under this key, if anything was."""
        return await self._database.read(outbound.one, consumer, stream, key)

    async def deliveries(self, consumer: str, stream: str) -> list[Delivery]:
        """All for one stream, by seq."""
        return await self._database.read(outbound.of_stream, consumer, stream)

    async def unconfirmed(self, consumer: str, limit: int = 1000) -> list[Delivery]:
        """Those whose outcome is not known, by stream and seq."""
        return await self._database.read(outbound.unconfirmed, consumer, limit)

    async def find_delivery(self, consumer: str, receipt_key: str) -> Delivery | None:
        """The newest that was confirmed with this receipt key."""
        return await self._database.read(outbound.find, consumer, receipt_key)

    async def _register(self, consumer: str) -> None:
        if consumer not in self._registered:
            await self._database.write(cursors.register, consumer)
            self._registered.add(consumer)
