"""Plain functions beside the event loop, each in a thread of its own.

The one rule: nobody ever waits for an abandoned thread: not the next step, not the end of the process. (The threads of
the loop's default executor are joined at exit, and a stuck one occupies a place in it.)
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def run_in_thread(fn: Callable[[], T]) -> T:
    """The result of ``fn()``, or what it raised. If this call is cancelled, ``fn`` goes on and its end is forgotten."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def deliver(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # pyright: ignore[reportArgumentType] - T itself, as there was no error

    def work() -> None:
        result: T | None = None
        failure: BaseException | None = None
        try:
            result = context.run(fn)
        except StopIteration as error:  # a future cannot carry it
            failure = RuntimeError(f"the function raised StopIteration({error.value!r})")
        except BaseException as error:  # noqa: BLE001 - delivered, not swallowed
            failure = error
        try:
            loop.call_soon_threadsafe(deliver, result, failure)
        except RuntimeError:  # the loop was closed in the meantime: nobody waits for this thread
            return

    threading.Thread(target=work, name="step", daemon=True).start()
    return await done
