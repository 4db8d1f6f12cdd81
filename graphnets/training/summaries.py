"""TensorBoard summaries of a training run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
    """Loss and accuracy for TensorBoard, in a new folder of `parent`, `run`; None: nowhere.

    points: all of them, of the phases before those of this process, too.
    """

    def __init__(self, parent: str | os.PathLike[str] | None) -> None:
        self.offset = 0  # steps of the phases before
        self.points: list[Point] = []
        self._writers = {}
        self._parent = parent
        self.run: Path | None = None
        if parent is not None:
            with self._writing():
                self.run = _new_folder(Path(parent))
                for split in ("train", "validation"):
                    (self.run / split).mkdir()
                    self._writers[split] = event_file(self.run / split)

    def add(self, split: str, number: int, loss: float, accuracy: float) -> None:
        """Write the figures of a split after step `number` of the present phase."""
        self.points.append(Point(split, self.offset + number, loss, accuracy))
        if split in self._writers:
            values = [
                tf.Summary.Value(tag=tag, simple_value=value)
                for tag, value in (("cross_entropy", loss), ("accuracy", accuracy))
            ]
            with self._writing():
                add_event(self._writers[split], self.offset + number, values)

    def __enter__(self) -> Summaries:
        return self

    def __exit__(self, *_: object) -> None:
        with self._writing():
            for writer in self._writers.values():
                writer.close()

    def _writing(self) -> AbstractContextManager[None]:
        return writing_summaries(self._parent)


@contextmanager
def writing_summaries(folder: str | os.PathLike[str] | None) -> Iterator[None]:
    """GraphnetsError, naming the folder, in place of the error that a full disk is to the block."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, "strerror", None) or getattr(error, "message", error)
        raise GraphnetsError(
            f"the summaries in {folder} cannot be written: {reason}; name another folder "
            "with --summaries_dir"
        ) from None


def event_file(folder: Path) -> tf.io.TFRecordWriter:
    """A new file of events in a folder; close it."""
    # FileWriter writes in a thread, whose errors would be tracebacks.
    writer = tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{int(time.time())}"))
    version = tf.Event(wall_time=time.time(), file_version="brain.Event:2")
    writer.write(version.SerializeToString())
    return writer


def add_event(writer: tf.io.TFRecordWriter, step: int, values: list[tf.Summary.Value]) -> None:
    """Write what was found at a step."""
    event = tf.Event(wall_time=time.time(), step=step, summary=tf.Summary(value=values))
    writer.write(event.SerializeToString())


def _new_folder(parent: Path) -> Path:
    """parent/run1, or the first number that is free: earlier runs are never overwritten."""
    number = 1
    while True:
        try:
            (parent / f"run{number}").mkdir(parents=True)
            return parent / f"run{number}"
        except FileExistsError:
            number += 1
