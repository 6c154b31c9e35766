"""The worker processes of a fleet: as many as it has, each killed, stopped and continued, and born again.

The one rule: a worker that ends by itself is a finding; only what kills may end one: we, or a step that is told to.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from multiprocessing.process import BaseProcess

from tests.fleet import people, worker
from tests.fleet.orders import Journal, Orders
from tests.forks import FORKS

END_WITHIN = 30.0
SEE_EVERY = 0.2


class Crew:
    """Workers, and the people who give them work. ``wrong``: who ended by themselves; ``poisoned``: by a step."""

    def __init__(self, orders: Orders, workers: int, older: int = 0) -> None:
        """Of ``workers`` processes, the first ``older`` are of the earlier version."""
        self.wrong: list[str] = []
        self.poisoned = 0
        self._journal = Journal(orders.folder / "faults.jsonl")
        self._orders = [replace(orders, name=f"worker{n + 1}", older=n < older) for n in range(workers)]
        self._workers = [_born(worker.live, each) for each in self._orders]
        self._people = _born(people.live, replace(orders, name="people"))
        self._continuing: set[asyncio.Task[None]] = set()

    async def kill(self, place: float) -> None:
        """Kill a worker, and start another in its place."""
        index = int(place * len(self._workers))
        self._see(index)
        self._workers[index].kill()
        self._journal.note("killed", process=self._workers[index].pid)
        await asyncio.to_thread(self._workers[index].join)
        self._workers[index] = _born(worker.live, self._orders[index])

    def stop(self, place: float, lasts: float) -> None:
        """Stop a worker, and continue it ``lasts`` seconds later if it is still there."""
        victim = self._workers[int(place * len(self._workers))]
        _signal(victim, signal.SIGSTOP)
        self._journal.note("stopped", process=victim.pid, lasts=lasts)
        task = asyncio.create_task(_continue(victim, lasts))
        self._continuing.add(task)
        task.add_done_callback(self._continuing.discard)

    def see_all(self) -> None:
        """Note the workers that ended by themselves, and put others in their places."""
        for index in range(len(self._workers)):
            self._see(index)

    async def send_home(self, patience: float) -> None:
        """No new runs; wait until all have ended, for so many seconds, then tell everybody to stop."""
        await asyncio.gather(*self._continuing)
        self._people.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._people.exitcode is None:
                    self.see_all()
                    await asyncio.sleep(SEE_EVERY)
        code = self._people.exitcode
        if code not in (0, None):
            self.wrong.append(f"the people ended with exit code {code}")
        self._people.kill()
        self.see_all()
        for each in self._workers:
            each.terminate()
        await asyncio.gather(*(self._join(each, END_WITHIN) for each in self._workers))
        for number, each in enumerate(self._workers, 1):
            if each.exitcode != 0:
                self.wrong.append(f"worker{number} was told to stop, and had exit code {each.exitcode}")

    def leave_nobody(self) -> None:
        """End whoever is left, in whatever state."""
        for each in (*self._workers, self._people):
            each.kill()
            each.join()

    def _see(self, index: int) -> None:
        code = self._workers[index].exitcode
        if code is None:
            return
        if code == -signal.SIGKILL:
            self.poisoned += 1
        else:
            self.wrong.append(f"worker{index + 1} ended by itself, with exit code {code}")
        self._workers[index] = _born(worker.live, self._orders[index])

    async def _join(self, process: BaseProcess, within: float) -> None:
        await asyncio.to_thread(process.join, within)


def _born(life: object, orders: Orders) -> BaseProcess:
    process = FORKS.Process(target=life, args=(orders,), daemon=True)  # pyright: ignore[reportArgumentType]
    process.start()
    return process


def _signal(process: BaseProcess, number: int) -> None:
    if process.pid is not None and process.exitcode is None:
        os.kill(process.pid, number)


async def _continue(process: BaseProcess, lasts: float) -> None:
    await asyncio.sleep(lasts)
    _signal(process, signal.SIGCONT)
