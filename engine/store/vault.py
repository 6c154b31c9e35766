"""Which data key seals what a run is about to record.

The one rule: the key is chosen by a run's first append and never changes; the transaction that uses a key looks whether
it is still whole, so that what is remembered here is never more than a shortcut.
"""

from typing import Final, TypeVar

from engine.ids import data_key_id
from engine.store import data_keys
from engine.store.database import Database
from engine.store.errors import NoSealer, WrongMasterKey
from engine.store.prepare import WORKSPACE_PREFIX
from engine.store.sealing import DataKey, Sealer
from engine.store.types import Append

_MOST: Final = 4096

V = TypeVar("V")


class Vault:
    """The data keys in use by this process. Without a `sealer` nothing is sealed, and nothing sealed can be read."""

    def __init__(self, database: Database, sealer: Sealer | None) -> None:
        self.sealer = sealer
        self._database = database
        self._of_subject: dict[str, DataKey] = {}
        self._of_run: dict[str, DataKey | None] = {}

    def required(self) -> Sealer:
        """The master keys, for what is never kept in the clear. ``NoSealer`` without any."""
        if self.sealer is None:
            raise NoSealer
        return self.sealer

    async def check(self) -> None:
        """WrongMasterKey if runs are sealed under master keys that we do not have."""
        for master in await self._database.read(data_keys.masters):
            if self.sealer is None or not self.sealer.knows(master):
                raise WrongMasterKey(master)

    async def key_for(self, append: Append) -> DataKey | None:
        """The key for these texts; None if they are not to be sealed. Erased if it is destroyed."""
        sealer, stream = self.sealer, append.stream
        if sealer is None or stream.startswith(WORKSPACE_PREFIX):
            return None
        if append.after.seq == 0:
            return None if append.subject is None else await self._key_of(sealer, append.subject)
        if stream not in self._of_run:
            _put(self._of_run, stream, await self._database.read(data_keys.of_run, sealer, stream))
        return self._of_run[stream]

    def forget(self, append: Append) -> bool:
        """After Erased: whether the append starts a run, which may be tried again under its subject's next key."""
        self._of_run.pop(append.stream, None)
        if append.after.seq != 0 or append.subject is None:
            return False
        self._of_subject.pop(append.subject, None)
        return True

    async def _key_of(self, sealer: Sealer, subject: str) -> DataKey:
        if (known := self._of_subject.get(subject)) is not None:
            return known
        key = await self._database.write(data_keys.of_subject, sealer, subject, DataKey.new(data_key_id()))
        _put(self._of_subject, subject, key)
        return key


def _put(cache: dict[str, V], name: str, value: V) -> None:
    if len(cache) >= _MOST:
        cache.pop(next(iter(cache)))
    cache[name] = value
