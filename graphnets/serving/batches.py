"""Photos of many requests, run through a classifier together."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets import forks
from graphnets.classifier.predict import Classifier
from graphnets.errors import GraphnetsError, PhotoError
from graphnets.photos.images import Held
from graphnets.photos.reading import BATCH
from graphnets.sessions import claim

RUNNER = "graphnets-runner"
WAIT = 0.01  # seconds that a photo waits at most for those that are being read


class _Ready(NamedTuple):
    photo: Held
    value: np.ndarray
    row: Future


class Batches:
    """Threads that read photos, and one that runs those that are read, BATCH at a time.

    seen: called with the number of photos of each batch. A photo that comes alone waits for none;
    one that comes with others goes with them. Rows do not depend on the company but for rounding.
    The threads begin with the first photo: until then the process may be forked.
    """

    def __init__(self, classifier: Classifier, seen: Callable[[int], None] = lambda _: None):
        self._classifier, self._seen = classifier, seen
        self._readers = ThreadPoolExecutor((os.cpu_count() or 1) + 1, "graphnets-reader")
        self._changed = threading.Condition()
        self._ready: deque[_Ready] = deque()
        self._coming, self._closed = 0, False
        self._runner: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether photos that are submitted will be run."""
        runs = self._runner is None or self._runner.is_alive()
        return runs and not self._closed and not forks.lost

    @property
    def waiting(self) -> int:
        """Photos that are not run yet."""
        return self._coming + len(self._ready)

    def submit(self, photo: Held) -> Future[np.ndarray]:
        """What becomes the photo's row, as `Classifier.row` gives or raises it.

        One that is cancelled before its turn is not run.
        """
        claim()  # a fork from now on would lack the threads
        row: Future[np.ndarray] = Future()
        with self._changed:
            if self._runner is None:
                self._runner = threading.Thread(target=self._work, name=RUNNER, daemon=True)
                self._runner.start()
            self._coming += 1
        self._readers.submit(self._read, photo, row)
        return row

    def close(self) -> None:
        """Run what is waiting, and end the threads."""
        self._readers.shutdown()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._runner is not None:
            self._runner.join()

    def _read(self, photo: Held, row: Future) -> None:
        value = None
        try:
            if self._classifier.takes_batches and not row.cancelled():
                value = self._classifier.read(photo)
        except Exception:  # `row` says what is wrong with it, or nothing is
            pass
        if value is None:
            _settle(row, self._classifier.row, photo)
        with self._changed:
            self._coming -= 1
            if value is not None:
                self._ready.append(_Ready(photo, value, row))
            self._changed.notify_all()

    def _work(self) -> None:
        while batch := self._next():
            self._run([ready for ready in batch if not ready.row.cancelled()])

    def _next(self) -> list[_Ready]:
        """The next batch; none when there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._closed)
            self._changed.wait_for(lambda: len(self._ready) >= BATCH or not self._coming, WAIT)
            return [self._ready.popleft() for _ in range(min(BATCH, len(self._ready)))]

    def _run(self, batch: list[_Ready]) -> None:
        if not batch:
            return
        self._seen(len(batch))
        rows: Iterable
        try:
            rows = self._classifier.run(np.concatenate([ready.value for ready in batch]))
        except (GraphnetsError, tf.errors.OpError, MemoryError):
            for ready in batch:  # one of them alone may be to blame
                _settle(ready.row, self._classifier.row, ready.photo)
            return
        except Exception as error:
            rows = [error] * len(batch)
        for ready, row in zip(batch, rows, strict=True):
            _settle(ready.row, given, row)


def given(row: np.ndarray | Exception) -> np.ndarray:
    """The row; raises what stands in its place."""
    if isinstance(row, PhotoError):
        raise PhotoError(*row.args)  # another one, as below
    if isinstance(row, Exception):
        raise row
    return row


def _settle(future: Future, work: Callable, *arguments: object) -> None:
    """Let a future have what `work` returns or raises, unless nobody waits for it any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = work(*arguments)
    except PhotoError as error:
        # A new one: the frames of the old one lead back here, and to the photo's bytes, which
        # would wait for the garbage collector.
        future.set_exception(PhotoError(*error.args))
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(found)
