"""The feature store: rows of float32 on disk, found by the content of the photo they come from.

One folder per (network, weights, endpoint, preprocessing). A row is a vector or a map, stored
flat; store.json has its shape. Each run that adds rows appends to a
pair of files of its own, `ID.features` (rows) and `ID.keys` (16 bytes a row, written after the
row): a kill at any moment leaves complete rows, and runs that share a store never wait for each
other.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.features.rows import Rows, gather
from graphnets.files import write_whole

KEY_BYTES = 16
DTYPE = np.dtype("<f4")


class FeatureStore:
    """The rows stored for one identity.

    identity: what the features depend on besides the photo, as JSON values; any difference is
    another store. Raises GraphnetsError if the folder cannot be used.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: Mapping[str, object]) -> None:
        text = json.dumps(identity, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = re.sub(r"[^\w.-]+", "_", f"{identity.get('network')}-{identity.get('endpoint')}")
        self.folder = Path(folder) / f"{name[:50]}-{digest}"  # the digest tells stores apart
        self._identity = dict(identity)
        self._writer: tuple[BinaryIO, BinaryIO] | None = None
        self._open()

    def _open(self) -> None:
        try:
            self._read_keys()
        except OSError as error:
            raise GraphnetsError(
                f"the feature store {self.folder} cannot be read: {error.strerror}; delete it, its "
                "features will be computed again, or name another folder with --bottleneck_dir"
            ) from None

    def _read_keys(self) -> None:
        """Read the keys; the rows stay on disk, mapped."""
        self.shape: tuple[int, ...] = (0,)
        self._files: list[np.ndarray] = []
        keys, files, rows = [], [], []
        meta = self.folder / "store.json"
        if meta.exists():
            self.shape = self._shape(meta)
            for path in sorted(self.folder.glob("*.keys")):
                features = path.with_suffix(".features")
                # A run that was killed, or is at work, may have written part of a row.
                count = min(
                    path.stat().st_size // KEY_BYTES,
                    features.stat().st_size // (self.width * DTYPE.itemsize),
                )
                if count:
                    rows.append(np.arange(count))
                    files.append(np.full(count, len(self._files)))
                    keys.append(np.fromfile(path, f"V{KEY_BYTES}", count))
                    mapped = np.memmap(features, DTYPE, "r", shape=(count, self.width))
                    self._files.append(np.asarray(mapped))  # memmap's own indexing is slow
        self._keys = np.concatenate([np.zeros(0, f"V{KEY_BYTES}"), *keys])
        self._file = np.concatenate([np.zeros(0, int), *files])
        self._row = np.concatenate([np.zeros(0, int), *rows])
        # Sorted by the first 8 bytes, which hardly ever tie: `_find` looks through those that do.
        heads = _heads(self._keys)
        self._order = np.argsort(heads, kind="stable")
        self._heads = heads[self._order]
        starts = np.flatnonzero(np.append(self._heads[1:] != self._heads[:-1], True))
        self._ties = int(np.diff(starts, prepend=-1).max(initial=0))  # two runs may store one photo

    def _shape(self, meta: Path) -> tuple[int, ...]:
        try:
            description = json.loads(meta.read_text())
            width = description["width"]
            shape = description.get("shape", [width])  # stores of before there were maps have none
            if all(isinstance(n, int) and n > 0 for n in (width, *shape)):
                if math.prod(shape) == width:
                    return tuple(shape)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        raise GraphnetsError(
            f"{meta} is damaged or cannot be read; delete {self.folder}, its features will be "
            "computed again"
        )

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(self._keys)

    def _find(self, keys: Sequence[str]) -> np.ndarray:
        """The position of each key among the stored ones, -1 where it is missing."""
        wanted = np.frombuffer(bytes.fromhex("".join(keys)), f"V{KEY_BYTES}")
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1)
        place = np.searchsorted(self._heads, _heads(wanted))
        found = np.full(len(wanted), -1)
        for offset in reversed(range(self._ties)):
            candidate = self._order[np.minimum(place + offset, len(self) - 1)]
            found = np.where(self._keys[candidate] == wanted, candidate, found)
        return found

    def has(self, keys: Sequence[str]) -> np.ndarray:
        """Whether each key (32 hex digits) is stored: bool (n,)."""
        return self._find(keys) >= 0

    def read(self, keys: Sequence[str]) -> np.ndarray:
        """The rows of the keys: float32 (n, *shape). Raises KeyError if one is not stored."""
        found = self._stored(keys)
        rows = gather(self._files, self._file[found], self._row[found], self.width)
        return rows.reshape(len(rows), *self.shape)

    def rows(self, keys: Sequence[str]) -> Rows:
        """The rows of the keys, to fetch in parts. Raises KeyError if one is not stored."""
        found = self._stored(keys)
        return Rows(self._files, self._file[found], self._row[found], self.shape)

    def _stored(self, keys: Sequence[str]) -> np.ndarray:
        found = self._find(keys)
        if (found < 0).any():
            raise KeyError(list(keys)[int(np.argmax(found < 0))])
        return found

    def append(self, keys: Sequence[str], rows: np.ndarray) -> None:
        """Add rows (n, *shape), float32; they are on disk when this returns."""
        try:
            if self._writer is None:
                self._writer = self._begin(rows.shape[1:])
            for file, data in zip(
                self._writer,
                (np.ascontiguousarray(rows, DTYPE).tobytes(), bytes.fromhex("".join(keys))),
                strict=True,
            ):
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # a key must not outlive its row, not even a power cut
        except OSError as error:
            self.close()  # the pair may be out of step: what is added next must begin another
            raise GraphnetsError(
                f"the feature store {self.folder} cannot be written: {error.strerror}; name "
                "another folder with --bottleneck_dir"
            ) from None

    def _begin(self, shape: tuple[int, ...]) -> tuple[BinaryIO, BinaryIO]:
        self.folder.mkdir(parents=True, exist_ok=True)
        layout = {"width": math.prod(shape), "shape": shape, "dtype": DTYPE.str}
        meta = {**self._identity, **layout}
        write_whole(self.folder / "store.json", json.dumps(meta, indent=2).encode())
        name = self.folder / uuid.uuid4().hex
        return open(name.with_suffix(".features"), "xb"), open(name.with_suffix(".keys"), "xb")

    def close(self) -> None:
        """Finish writing; what was added can be read now."""
        if self._writer is not None:
            for file in self._writer:
                with contextlib.suppress(OSError):  # append has told that the disk is full
                    file.close()
            self._writer = None
            self._open()


def _heads(keys: np.ndarray) -> np.ndarray:
    return keys.view(np.uint64)[::2] if len(keys) else np.zeros(0, np.uint64)
