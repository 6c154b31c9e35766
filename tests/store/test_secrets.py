"""Secrets are sealed, taken once, and exchanged by one holder at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.store import Log, NoSealer, SealBroken, Sealer, Secrets
from tests.store.build import KEY, query, tamper

OLD, NEW = b"1" * 32, b"2" * 32


@pytest.fixture
async def sealed(database_url: str) -> AsyncIterator[Log]:
    log = await Log.open(database_url, KEY, sealer=Sealer(OLD))
    yield log
    await log.close()


async def test_what_is_kept_is_read_back_and_lies_sealed(sealed: Log) -> None:
    secrets = Secrets(sealed)
    await secrets.put("bot/a", "xoxb-first")
    await secrets.put("bot/a", "xoxb-second")
    await secrets.put("bot/b", "xoxb-other")
    await secrets.put("bot%", "of another prefix")
    assert await secrets.get("bot/a") == "xoxb-second"
    assert await secrets.get("bot/c") is None
    assert await secrets.beginning_with("bot/") == {"bot/a": "xoxb-second", "bot/b": "xoxb-other"}
    rows = await query(sealed, "SELECT name, text FROM secrets ORDER BY name")
    assert "xoxb" not in str(rows)
    assert "another" not in str(rows)


async def test_a_sealed_text_is_good_in_its_own_place_alone(sealed: Log) -> None:
    secrets = Secrets(sealed)
    await secrets.put("bot/a", "ours")
    await secrets.put("bot/b", "theirs")
    await tamper(sealed, "UPDATE secrets SET text = (SELECT text FROM secrets WHERE name = 'bot/b')")
    with pytest.raises(SealBroken):
        await secrets.get("bot/a")


async def test_without_a_master_key_nothing_is_kept(database_url: str) -> None:
    log = await Log.open(database_url, KEY)
    try:
        with pytest.raises(NoSealer, match="vb keys new makes one"):
            await Secrets(log).put("bot/a", "xoxb-clear")
        assert await query(log, "SELECT count(*) FROM secrets") == [(0,)]
    finally:
        await log.close()


async def test_a_new_master_key_opens_what_an_older_one_sealed_and_then_replaces_it(
    sealed: Log, database_url: str
) -> None:
    await Secrets(sealed).put("bot/a", "kept")
    both = await Log.open(database_url, KEY, sealer=Sealer(NEW, [OLD]))
    assert await both.rewrap() == 1
    await both.close()
    newer = await Log.open(database_url, KEY, sealer=Sealer(NEW))
    assert await Secrets(newer).get("bot/a") == "kept"
    await newer.close()


async def test_of_many_who_take_at_once_one_gets_it(sealed: Log, database_url: str) -> None:
    other = await Log.open(database_url, KEY, sealer=Sealer(OLD))
    try:
        here, there = Secrets(sealed), Secrets(other)
        await here.put("state/x", "issued")
        taken = await asyncio.gather(*(each.take("state/x") for each in (here, there, here, there)))
        assert sorted(taken, key=str) == [None, None, None, "issued"]
    finally:
        await other.close()


async def test_only_the_holder_exchanges_and_only_while_its_claim_holds(sealed: Log) -> None:
    secrets = Secrets(sealed)
    assert not await secrets.claim("bot/a", "me", 60_000)
    await secrets.put("bot/a", "first")
    assert await secrets.claim("bot/a", "me", 60_000)
    assert not await secrets.claim("bot/a", "you", 60_000)
    assert not await secrets.put("bot/a", "yours", holder="you")
    assert await secrets.put("bot/a", "mine", holder="me")
    assert await secrets.get("bot/a") == "mine"
    # The exchange ends the claim, and one that has run out is nobody's.
    assert await secrets.claim("bot/a", "you", -1)
    assert not await secrets.put("bot/a", "late", holder="you")
    assert await secrets.claim("bot/a", "me", 60_000)
    await secrets.release("bot/a", "me")
    assert await secrets.claim("bot/a", "you", 60_000)


async def test_what_has_lain_too_long_is_dropped(sealed: Log) -> None:
    secrets = Secrets(sealed)
    await secrets.put("state/x", "issued")
    await secrets.put("bot/a", "kept")
    assert await secrets.drop_older("state/", 60_000) == 0
    assert await secrets.drop_older("state/", -1) == 1
    assert await secrets.beginning_with("") == {"bot/a": "kept"}
