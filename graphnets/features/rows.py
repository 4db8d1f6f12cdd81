"""Rows of features for training, fetched in parts: from memory if they fit, else from the disk."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from graphnets.errors import GraphnetsError

DTYPE = np.dtype("<f4")
IN_MEMORY = 2 << 30  # bytes; tables that are larger stay on disk
PART = 32 << 20  # bytes, of what is copied at a time

Indices = slice | np.ndarray | Sequence[int]


class Table(Protocol):
    """An array of float32, or what stands for one: `table[indices]` is its rows, in that order."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, ...)."""

    def __len__(self) -> int: ...

    def __getitem__(self, indices: Indices, /) -> np.ndarray: ...


class Unmapped:
    """Rows in a file that cannot be mapped: read one by one, when they are asked for.

    rows[n]: float32 (width,); rows[numbers]: (len(numbers), width).
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.shape, self._path = shape, path
        with open(path, "rb"):  # raises what reading would
            pass

    def __getitem__(self, numbers: int | np.ndarray) -> np.ndarray:
        width = self.shape[1]
        found = np.empty((*np.shape(numbers), width), DTYPE)
        try:
            with open(self._path, "rb") as file:
                for row, number in zip(found.reshape(-1, width), np.ravel(numbers), strict=True):
                    file.seek(int(number) * row.nbytes)
                    if file.readinto(row.view(np.uint8).data) < row.nbytes:
                        raise OSError("it is shorter than it was")
        except OSError as error:
            raise GraphnetsError(
                f"the features in {self._path} cannot be read: {error.strerror or error}; give the "
                "command again"
            ) from None
        return found


StoredRows = np.ndarray | Unmapped


def stored_rows(path: Path, shape: tuple[int, int]) -> StoredRows:
    """The rows of a file, float32 of that shape; mapped, if its file system can do so."""
    try:
        return np.asarray(np.memmap(path, DTYPE, "r", shape=shape))  # its own indexing is slow
    except OSError:
        return Unmapped(path, shape)


class Rows:
    """Chosen rows of a store: `rows[indices]` is float32 (len(indices), *rows.shape[1:]).

    indices: a 1-D array of integers or booleans, or a slice. What fits into IN_MEMORY is read at
    once, the rest when asked for. What is added to the store later changes nothing here.
    """

    def __init__(
        self, files: Sequence[StoredRows], file: np.ndarray, row: np.ndarray, shape: Sequence[int]
    ) -> None:
        self.shape = (len(row), *shape)
        self._files, self._file, self._row = files, file, row
        fits = fits_in_memory(self)
        self._whole = gather(files, file, row, math.prod(shape)) if fits else None
        self.on_disk = not fits
        self._numbers = np.arange(len(row))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        chosen = self._numbers[indices]
        if self._whole is not None:
            found = self._whole.take(chosen, axis=0)
        else:
            width = math.prod(self.shape[1:])
            found = gather(self._files, self._file[chosen], self._row[chosen], width)
        return found.reshape(len(found), *self.shape[1:])

    def flat(self) -> Rows:
        """The same with each row as a vector; nothing is read or copied."""
        found = copy.copy(self)
        found.shape = (len(self), math.prod(self.shape[1:]))
        return found


def on_disk(table: Table) -> bool:
    """Whether a table's rows are read from the disk each time that they are asked for."""
    return getattr(table, "on_disk", False)


def joined(parts: Sequence[Table]) -> Table:
    """Tables one after another, as one."""
    return parts[0] if len(parts) == 1 else _Joined(parts)


class _Joined:
    def __init__(self, parts: Sequence[Table]) -> None:
        self._parts = list(parts)
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self._starts[-1]), *parts[0].shape[1:])
        self.on_disk = any(map(on_disk, parts))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        indices = np.arange(len(self))[indices]
        found = np.empty((len(indices), *self.shape[1:]), np.float32)
        for part, start, end in zip(self._parts, self._starts, self._starts[1:], strict=False):
            here = (indices >= start) & (indices < end)
            if here.any():
                found[here] = part[indices[here] - start]
        return found


def taken(table: Table, places: np.ndarray) -> Table:
    """The rows of a table at these places, int (n,), read later if they lie on the disk."""
    return _Taken(table, places) if on_disk(table) else table[places]


class _Taken:
    on_disk = True

    def __init__(self, table: Table, places: np.ndarray) -> None:
        self.shape = (len(places), *table.shape[1:])
        self._table, self._places = table, places

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        return self._table[self._places[indices]]


class Standardised:
    """Tables of features side by side, (x - mean) * scale of each column: float32 (n, features).

    mean, scale: float32 (features,). Nothing is computed before it is asked for.
    """

    def __init__(self, parts: Sequence[Table], mean: np.ndarray, scale: np.ndarray) -> None:
        self.shape = (len(parts[0]), len(mean))
        self._parts, self._mean, self._scale = parts, mean, scale
        self.on_disk = any(map(on_disk, parts))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        found = np.concatenate([part[indices] for part in self._parts], axis=1)
        found -= self._mean
        found *= self._scale
        return found


class Kept:
    """Chosen rows of a table, read once: `kept[indices]` as of the table, of chosen indices only.

    chosen: int (n,). shape: of the table.
    """

    def __init__(self, table: Table, chosen: np.ndarray) -> None:
        self.shape = table.shape
        self._place_of = np.full(len(table), len(chosen))
        self._place_of[chosen] = np.arange(len(chosen))
        self._rows = np.empty((len(chosen), *table.shape[1:]), np.float32)
        for part in in_parts(self._rows):
            self._rows[part] = table[chosen[part]]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        return self._rows[self._place_of[indices]]


class Held:
    """Rows that a graph holds, this table's from `start` on.

    held[indices]: where in the graph they lie, int64 (len(indices),). shape: of the rows.
    """

    def __init__(self, start: int, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self._places = np.arange(start, start + shape[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: Indices) -> np.ndarray:
        return self._places[indices]


def gather(
    files: Sequence[StoredRows], file: np.ndarray, row: np.ndarray, width: int
) -> np.ndarray:
    """float32 (n, width): for each n, row `row[n]` of files[file[n]]; read in the order on disk."""
    found = np.empty((len(row), width), np.float32)
    if not len(row):
        return found
    part = _rows_a_part(width)
    order = np.lexsort((row, file))
    first = files[file[order[0]]]
    one = isinstance(first, np.ndarray) and file[order[0]] == file[order[-1]]
    if one and (np.diff(row) >= 0).all():
        # Straight into its place; "raise" would buffer it.
        return np.take(first, row, axis=0, out=found, mode="clip")
    ends = np.flatnonzero(np.diff(file[order])) + 1
    for places in np.split(order, ends):
        number = file[places[0]]
        for start in range(0, len(places), part):
            some = places[start : start + part]
            found[some] = files[number][row[some]]
    return found


def _rows_a_part(width: int) -> int:
    return max(1, PART // (4 * max(width, 1)))


def fits_in_memory(*tables: Table) -> bool:
    """Whether all of them together are not larger than IN_MEMORY."""
    return sum(4 * math.prod(table.shape) for table in tables) <= IN_MEMORY


def fitting_rows(*tables: Table) -> int:
    """How many rows of each, of all of them together, fit into IN_MEMORY; 1 at least."""
    return max(1, IN_MEMORY // max(1, sum(map(row_bytes, tables))))


def row_bytes(table: Table) -> int:
    """The size of one row of float32."""
    return 4 * math.prod(table.shape[1:])


def in_parts(table: Table) -> list[slice]:
    """Slices, first to last, that cover the table with not more than PART bytes each."""
    size = _rows_a_part(math.prod(table.shape[1:]))
    return [slice(start, start + size) for start in range(0, len(table), size)]
