"""Deliveries: what a consumer means to do in the world outside, written before it does it, and what came of it.

The one rule: an intent is written once and never changed; whoever comes later gets the one that is there.
"""

import json
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, select, update

from engine.store.dbclock import now_ms
from engine.store.schema import deliveries
from engine.store.types import Delivery, JsonObject
from engine.store.upsert import insert_into

_dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def intend(connection: Connection, consumer: str, stream: str, key: str, seq: int, intent: JsonObject) -> Delivery:
    """Write the intent, or find the one that has this key."""
    row = insert_into(connection.dialect, deliveries).values(
        consumer=consumer, stream=stream, key=key, seq=seq, intent=_dump(intent), created_at=now_ms()
    )
    connection.execute(row.on_conflict_do_nothing())
    return _delivery(connection.execute(_all().where(_is(consumer, stream, key))).one())


def confirm(
    connection: Connection, consumer: str, stream: str, key: str, receipt: JsonObject, receipt_key: str | None
) -> bool:
    """Write what came of it; False if it has a receipt already, or was never intended."""
    open_ = update(deliveries).where(_is(consumer, stream, key), deliveries.c.confirmed_at.is_(None))
    values = {"receipt": _dump(receipt), "receipt_key": receipt_key, "confirmed_at": now_ms()}
    return connection.execute(open_.values(values)).rowcount == 1


def update_receipt(connection: Connection, consumer: str, stream: str, key: str, receipt: JsonObject) -> bool:
    """Replace the receipt of a confirmed delivery, whose key stays; False if there is none."""
    confirmed = update(deliveries).where(_is(consumer, stream, key), deliveries.c.confirmed_at.is_not(None))
    return connection.execute(confirmed.values(receipt=_dump(receipt))).rowcount == 1


def one(connection: Connection, consumer: str, stream: str, key: str) -> Delivery | None:
    """The one that has this key, if it was intended."""
    row = connection.execute(_all().where(_is(consumer, stream, key))).one_or_none()
    return None if row is None else _delivery(row)


def of_stream(connection: Connection, consumer: str, stream: str) -> list[Delivery]:
    """All of one stream, by seq and key."""
    mine = _all().where(deliveries.c.consumer == consumer, deliveries.c.stream == stream)
    return [_delivery(row) for row in connection.execute(mine.order_by(deliveries.c.seq, deliveries.c.key))]


def unconfirmed(connection: Connection, consumer: str, limit: int) -> list[Delivery]:
    """Those whose outcome is not known, by stream and seq."""
    open_ = _all().where(deliveries.c.consumer == consumer, deliveries.c.confirmed_at.is_(None))
    ordered = open_.order_by(deliveries.c.stream, deliveries.c.seq, deliveries.c.key)
    return [_delivery(row) for row in connection.execute(ordered.limit(limit))]


def find(connection: Connection, consumer: str, receipt_key: str) -> Delivery | None:
    """The newest one that was confirmed with this key."""
    found = _all().where(deliveries.c.consumer == consumer, deliveries.c.receipt_key == receipt_key)
    row = connection.execute(found.order_by(deliveries.c.confirmed_at.desc()).limit(1)).one_or_none()
    return None if row is None else _delivery(row)


def _all() -> Select[*tuple[Any, ...]]:
    return select(*deliveries.c)


def _is(consumer: str, stream: str, key: str) -> ColumnElement[bool]:
    return and_(deliveries.c.consumer == consumer, deliveries.c.stream == stream, deliveries.c.key == key)


def _delivery(row: Row[*tuple[Any, ...]]) -> Delivery:
    return Delivery(
        consumer=row.consumer,
        stream=row.stream,
        key=row.key,
        seq=row.seq,
        intent=json.loads(row.intent),
        receipt=None if row.receipt is None else json.loads(row.receipt),
        receipt_key=row.receipt_key,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
    )
