"""What training is fed with: the examples of each step, and those that validation judges on."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from graphnets.features.rows import (
    Kept,
    Standardised,
    Table,
    fits_in_memory,
    fitting_rows,
    on_disk,
    row_bytes,
)
from graphnets.photos.reading import ahead
from graphnets.training.examples import positions

Fed = TypeVar("Fed")

RUN_BYTES = 32e6  # of what is fed in a run that only evaluates


class Data(NamedTuple):
    """What a model is fed with: for each of its inputs, rows[i][indices]; labels as in Examples.

    weights: how much each example counts in the loss, float32 (n,), or, of several labels, each
    label of it, (n, classes); None: all the same.
    """

    rows: Sequence[Table]
    labels: np.ndarray
    weights: np.ndarray | None = None


def judged(
    validation: Data, size: int, random: np.random.Generator, warn: Callable[[str], object]
) -> tuple[Data, np.ndarray]:
    """The examples that validation judges on, as data that is not read from the disk again.

    size: how many, drawn; -1 for all. Of those on the disk at most what fits in memory: `warn` is
    told, in a line, if that is less. The last value is their positions, sorted.
    """
    count = len(validation.labels)
    wanted = count if size < 0 else min(size, count)
    stored = [table for table in validation.rows if on_disk(table)]
    most = fitting_rows(*stored) if stored else count
    if wanted > most:
        warn(
            f"{wanted} photos for validation have more features than are held in memory; {most} "
            "of them, drawn by the seed, decide which step is kept"
        )
    chosen = positions(count, min(wanted, most), random)
    found = [_kept(table, chosen) for table in validation.rows]
    return validation._replace(rows=found), chosen


def _kept(table: Table, chosen: np.ndarray) -> Table:
    """The table with what is chosen of it read, and standardised, once."""
    standardised = isinstance(table, Standardised) and fits_in_memory(table)
    return Kept(table, chosen) if on_disk(table) or standardised else table


def feeds(
    data: Data, due: Iterable[np.ndarray], feed: Callable[[np.ndarray], Fed]
) -> Generator[Fed, None, None]:
    """What `feed` makes of each batch that is due; from the disk, one is read ahead in a thread."""
    if not any(map(on_disk, data.rows)):
        yield from map(feed, due)
        return
    for _, found in ahead(due, feed, in_hand=2, threads=1):
        yield found()


def batches(count: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of positions; every example comes once before any comes again."""
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(count)])
        yield order[:size]
        order = order[size:]


def rows_per_run(tables: Sequence[Table], count: int) -> Iterator[np.ndarray]:
    """0 to count - 1 in parts small enough for one run of a graph that is fed with such rows."""
    width = sum(map(row_bytes, tables))
    size = int(np.clip(RUN_BYTES // max(width, 1), 16, 4096))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))
