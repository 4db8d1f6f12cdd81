"""Threads that are kept for the next who asks: TensorFlow never frees what it keeps of each.

A session that is run in a new thread costs 200 bytes to 1 KiB of memory for good, by measurement:
a loop of predictions that each began threads of their own would grow without end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

KEPT = "graphnets-kept"

_idle: dict[int | None, ThreadPoolExecutor] = {}  # one of each size, by its threads

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)  # their threads stay behind


@contextmanager
def kept_pool(threads: int | None = None) -> Iterator[Callable[..., Future]]:
    """What submits (work, *arguments) to threads that nobody else has, as an executor does.

    At the end all is done, or not begun where the block raises. threads: at work at a time (None:
    some more than there are cores).
    """
    pool = _idle.pop(threads, None) or ThreadPoolExecutor(threads, KEPT)
    begun: set[Future] = set()

    def submit(work: Callable, *arguments: object) -> Future:
        future = pool.submit(work, *arguments)
        begun.add(future)
        future.add_done_callback(begun.discard)
        return future

    try:
        yield submit
    except BaseException:  # the consumer has had enough: what has not begun need not be done
        for future in begun.copy():
            future.cancel()
        raise
    finally:
        wait(begun.copy())
        if _idle.setdefault(threads, pool) is not pool:
            pool.shutdown()
