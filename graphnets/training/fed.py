"""What training is fed with: the examples of each step, and those that validation judges on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from graphnets.features.rows import Table

RUN_BYTES = 32e6  # of what is fed in a run that only evaluates


class Data(NamedTuple):
    """What a model is fed with: for each of its inputs, rows[i][indices]; labels as in Examples.

    weights: how much each example counts in the loss, float32 (n,), or, of several labels, each
    label of it, (n, classes); None: all the same.
    """

    rows: Sequence[Table]
    labels: np.ndarray
    weights: np.ndarray | None = None


def batches(count: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of positions; every example comes once before any comes again."""
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(count)])
        yield order[:size]
        order = order[size:]


def rows_per_run(rows: Sequence[Table], count: int) -> Iterator[np.ndarray]:
    """0 to count - 1 in parts small enough for one run of a graph that is fed with such rows."""
    width = sum(4 * math.prod(part.shape[1:]) for part in rows)
    size = int(np.clip(RUN_BYTES // max(width, 1), 16, 4096))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
