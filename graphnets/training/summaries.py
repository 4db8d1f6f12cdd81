"""TensorBoard summaries of a training run."""

from __future__ import annotations

import os
from pathlib import Path

import tensorflow.compat.v1 as tf


class Summaries:
    """Loss and accuracy for TensorBoard, in a new folder of `parent`; None: nowhere."""

    def __init__(self, parent: str | os.PathLike[str] | None) -> None:
        self.offset = 0  # steps of the phases before
        self._writers = {}
        if parent is not None:
            run = _new_folder(Path(parent))
            for split in ("train", "validation"):
                with tf.Graph().as_default():  # it refuses to be made eagerly
                    self._writers[split] = tf.summary.FileWriter(str(run / split))

    def add(self, split: str, number: int, loss: float, accuracy: float) -> None:
        """Write the figures of a split after step `number` of the present phase."""
        if split in self._writers:
            values = [
                tf.Summary.Value(tag=tag, simple_value=value)
                for tag, value in (("cross_entropy", loss), ("accuracy", accuracy))
            ]
            self._writers[split].add_summary(tf.Summary(value=values), self.offset + number)

    def __enter__(self) -> Summaries:
        return self

    def __exit__(self, *_: object) -> None:
        for writer in self._writers.values():
            writer.close()


def _new_folder(parent: Path) -> Path:
    """parent/run1, or the first number that is free: earlier runs are never overwritten."""
    number = 1
    while True:
        try:
            (parent / f"run{number}").mkdir(parents=True)
            return parent / f"run{number}"
        except FileExistsError:
            number += 1
