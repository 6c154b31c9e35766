"""Opening a key: of a provider, or a secret of steps.

The one rule: ``open_key`` is the one function that opens a key, asked anew for each use and for as long as it lasts.
Its use is on record before anybody has the value, and what is said meanwhile is redacted. import-linter keeps everybody
but those who hand keys to running steps away from this module.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

from engine.core import keys as ks
from engine.core.failures import FailureClass, StepError
from engine.redaction import Redactor
from engine.store import Log, StoreError, StoreUnavailable
from engine.store.keyring import Keyring
from engine.store.unseal import unseal


@asynccontextmanager
async def open_key(
    store: Log,
    workspace: str,
    provider: str,
    name: str | None,
    *,
    used: Callable[[ks.Use], Awaitable[None]],
    redactor: Redactor,
) -> AsyncGenerator[str]:
    """The value of the workspace's key, for one use; ``name`` None: the default one, or the only one.

    ``used`` puts its use on record. ``redactor`` knows the value until it forgets. ``StepError``: PERMISSION where
    there is no such key, or where it cannot be opened; TRANSIENT while the database is away.
    """
    try:
        opened = await unseal(store.database, store.vault, workspace, provider, name)
    except StoreError as error:
        cls = FailureClass.TRANSIENT if isinstance(error, StoreUnavailable) else FailureClass.PERMISSION
        raise StepError(f"{ks.named(provider, name or ks.DEFAULT)} cannot be opened: {error}", cls) from None
    if opened is None:
        rows = await Keyring(store.database, store.vault, workspace).rows()
        words = ks.missing(provider, name, {(row.provider, row.name): row for row in rows})
        raise StepError(words, FailureClass.PERMISSION)
    label = opened.name if provider == ks.SECRETS else f"{provider}/{opened.name}"
    redactor.add(label, opened.value)
    await used(ks.Use(provider, opened.name, opened.id, opened.last_four, opened.fingerprint))
    yield opened.value


async def chosen_key(store: Log, workspace: str, provider: str, name: str | None) -> ks.Chosen | None:
    """Which key ``open_key`` would open now; None if there is no such key, or nobody can tell."""
    try:
        rows = await Keyring(store.database, store.vault, workspace).rows()
    except StoreError:
        return None if name is None else ks.Chosen(name)
    ids = {row.name: row.id for row in rows if row.provider == provider}
    found = ks.chosen(list(ids), name)
    return None if found is None else ks.Chosen(found, ids[found])
