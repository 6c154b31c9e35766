"""One worker process of a fleet. It works until SIGTERM, or until somebody kills it.

The one rule: it is the engine's own worker; what is the fleet's own are its steps and, where told so, a planted bug.
"""

from __future__ import annotations

import asyncio
import os
import signal

import uvloop

from engine.core import events as e
from engine.store import StoreUnavailable
from tests.fleet import bugs
from tests.fleet.orders import Journal, Orders, opened, settle_in
from tests.fleet.steps import Me, registry

RISE_AGAIN = 0.2
"""Seconds until a worker that finds no database tries again, as whatever supervises it would."""


def live(orders: Orders) -> None:
    """The worker's whole life; to be the target of a process."""
    settle_in(orders)
    bugs.plant(orders.bug)
    if orders.older:
        forget_an_event_type()
    uvloop.run(_work(orders))


def forget_an_event_type() -> None:
    """Become an earlier version: one that has never heard of lines in the timeline."""
    del e.EVENTS[e.StepLogged.type]


async def _work(orders: Orders) -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    journal = Journal(orders.folder / "workers.jsonl")
    me = Me(orders.pay_url)
    while not told.is_set():
        try:
            async with opened(orders, registry(me, older=orders.older)) as engine, engine.work() as worker:
                # An older worker goes on under another id when it meets what it does not know: it gives none.
                me.worker = "" if orders.older else worker.id
                journal.note("worker", name=orders.name, process=os.getpid(), id=worker.id, older=orders.older)
                await told.wait()
        except StoreUnavailable:
            await asyncio.sleep(RISE_AGAIN)
