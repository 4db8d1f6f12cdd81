"""TensorBoard summaries of a training run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError


class Point(NamedTuple):
    """Figures of a split ("train", "validation") after a step, all phases counted.

    loss: the mean cross-entropy; accuracy: a share, 0 to 1.
    """

    split: str
    step: int
    loss: float
    accuracy: float


class Summaries:
    """Loss and accuracy for TensorBoard, in a new folder of `parent`; None: nowhere.

    points: all of them, of the phases before those of this process, too.
    """

    def __init__(self, parent: str | os.PathLike[str] | None) -> None:
        self.offset = 0  # steps of the phases before
        self.points: list[Point] = []
        self._writers = {}
        self._parent = parent
        if parent is not None:
            with self._writing():
                run = _new_folder(Path(parent))
                for split in ("train", "validation"):
                    (run / split).mkdir()
                    name = str(run / split / f"events.out.tfevents.{int(time.time())}")
                    # FileWriter writes in a thread, whose errors would be tracebacks.
                    self._writers[split] = tf.io.TFRecordWriter(name)
                    version = tf.Event(wall_time=time.time(), file_version="brain.Event:2")
                    self._writers[split].write(version.SerializeToString())

    def add(self, split: str, number: int, loss: float, accuracy: float) -> None:
        """Write the figures of a split after step `number` of the present phase."""
        self.points.append(Point(split, self.offset + number, loss, accuracy))
        if split in self._writers:
            values = [
                tf.Summary.Value(tag=tag, simple_value=value)
                for tag, value in (("cross_entropy", loss), ("accuracy", accuracy))
            ]
            with self._writing():
                event = tf.Event(
                    wall_time=time.time(),
                    step=self.offset + number,
                    summary=tf.Summary(value=values),
                )
                self._writers[split].write(event.SerializeToString())

    def __enter__(self) -> Summaries:
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing():
            for writer in self._writers.values():
                writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            reason = getattr(error, "strerror", None) or getattr(error, "message", error)
            raise GraphnetsError(
                f"the summaries in {self._parent} cannot be written: {reason}; name another folder "
                "with --summaries_dir"
            ) from None


def _new_folder(parent: Path) -> Path:
    """parent/run1, or the first number that is free: earlier runs are never overwritten."""
    number = 1
    while True:
        try:
            (parent / f"run{number}").mkdir(parents=True)
            return parent / f"run{number}"
        except FileExistsError:
            number += 1
