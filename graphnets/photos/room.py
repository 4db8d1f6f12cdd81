"""Room in memory, which threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Room:
    """Lets threads work on things whose sizes sum up to a limit; a larger thing has it all."""

    def __init__(self, limit: int) -> None:
        self._limit, self._taken = limit, 0
        self._changed = threading.Condition()

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """Wait until there is room of that size, and take it for the block.

        A thread that has taken some must not take more: two could wait for each other.
        """
        size = min(size, self._limit)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + size <= self._limit)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()
