"""The feature store: rows of float32 on disk, found by the content of the photo they come from.

One folder per (network, weights, endpoint, preprocessing). A row is a vector or a map, stored
flat; store.json has its shape. Each run that adds rows appends to
files of its own: `ID.features` (rows), `ID.sums` (two CRC-32 a row) and `ID.keys` (16 bytes a row,
written last): a kill at any moment leaves complete rows, and runs that share a store never wait for
each other. A key and its row are checked when they are first asked for; what does not fit counts as
not stored. Of a disk that is full, the whole rows stay, and what is cut off is taken away.

On a file system without mmap rows are read one by one, more slowly. On one without fsync a power
cut may take the latest rows, and what it leaves of them does not fit. A file that another program
cuts off while its rows are mapped ends the process with SIGBUS, as any mapped file does.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.features.mirror import ENDINGS, Mirror
from graphnets.features.rows import DTYPE, Rows, StoredRows, gather, stored_rows
from graphnets.files import YOUNG, lock, remove_unlocked, write_whole
from graphnets.storage import is_address

KEY_BYTES = 16
SUMS = np.dtype([("key", "<u4"), ("row", "<u4")])  # of the key with its row's sum; of the row
NO_FSYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # of file systems that have none
LAYOUT = 2  # of the files; 1 had no sums, and its rows are not used
UNKNOWN, FITS, UNFIT = 0, 1, 2  # whether a row fits its sum


class FeatureStore:
    """The rows stored for one identity.

    folder: where stores lie, or an address, of whose store `folder` is then a copy on this disk.
    identity: what the features depend on besides the photo, as JSON values; any difference is
    another store. prefix: of the names of the files that are read and written, of those of one
    shard; "": all are read. place: of the store, for messages.
    Raises GraphnetsError if the folder cannot be used.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        identity: Mapping[str, object],
        prefix: str = "",
    ) -> None:
        text = json.dumps(identity, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        name = re.sub(r"[^\w.-]+", "_", f"{identity.get('network')}-{identity.get('endpoint')}")
        name = f"{name[:50]}-{digest}"  # the digest tells stores apart
        remote = is_address(folder)
        self._mirror = Mirror(os.fspath(folder), name, prefix) if remote else None
        self.folder = self._mirror.folder if self._mirror else Path(folder) / name
        self.place = self._mirror.address if self._mirror else str(self.folder)
        self._identity, self._text, self._prefix = dict(identity), text, prefix
        self._writer: tuple[BinaryIO, ...] | None = None
        self._open()

    def reopen(self) -> None:
        """Find what others have stored since."""
        self._open()

    def _open(self) -> None:
        try:
            if self._mirror:
                self._mirror.refresh()
            self._read_keys()
        except OSError as error:
            raise GraphnetsError(
                f"the feature store {self.place} cannot be read: {error.strerror}; delete it, its "
                "features will be computed again, or name another folder with --bottleneck_dir"
            ) from None

    def _read_keys(self) -> None:
        """Read the keys; the rows stay on disk, mapped."""
        self.shape: tuple[int, ...] = (0,)
        self._lost = 0  # keys without a row or a checksum
        self._files: list[StoredRows] = []
        keys, sums, files, rows = [], [], [], []
        meta = self.folder / "store.json"
        if meta.exists():
            self.shape = self._described(meta)
        self._seed = self._seed_of(self.shape)
        for path in sorted(self.folder.glob(f"{self._prefix}*.keys")):
            file_keys, file_sums = self._whole(path)
            if len(file_keys):
                rows.append(np.arange(len(file_keys)))
                files.append(np.full(len(file_keys), len(self._files)))
                keys.append(file_keys)
                sums.append(file_sums)
                shape = (len(file_keys), self.width)
                self._files.append(stored_rows(path.with_suffix(".features"), shape))
        self._keys = np.concatenate([np.zeros(0, f"V{KEY_BYTES}"), *keys])
        self._sums = np.concatenate([np.zeros(0, SUMS), *sums])
        self._file = np.concatenate([np.zeros(0, int), *files])
        self._row = np.concatenate([np.zeros(0, int), *rows])
        self._state = np.full(len(self), UNKNOWN, np.uint8)
        # Sorted by the first 8 bytes, which hardly ever tie: `_find` looks through those that do.
        heads = _heads(self._keys)
        self._order = np.argsort(heads, kind="stable")
        self._heads = heads[self._order]
        starts = np.flatnonzero(np.append(self._heads[1:] != self._heads[:-1], True))
        self._ties = int(np.diff(starts, prepend=-1).max(initial=0))  # two runs may store one photo

    def _whole(self, path: Path) -> tuple[np.ndarray, np.ndarray]:
        """The keys of a file, and their sums, as far as there is a row for each."""
        written = path.stat().st_size // KEY_BYTES  # a run at work writes the rows first
        features, sums = path.with_suffix(".features"), path.with_suffix(".sums")
        rows = features.stat().st_size // (self.width * DTYPE.itemsize) if self.width else 0
        summed = sums.stat().st_size // SUMS.itemsize if sums.exists() else 0
        count = min(written, rows, summed)
        self._lost += written - count
        if not count:
            return np.zeros(0, f"V{KEY_BYTES}"), np.zeros(0, SUMS)
        return np.fromfile(path, f"V{KEY_BYTES}", count), np.fromfile(sums, SUMS, count)

    def _seed_of(self, shape: Sequence[int]) -> int:
        """What checksums start from, so that another store's rows do not fit."""
        return zlib.crc32(f"{self._text} {list(shape)}".encode())

    def _described(self, meta: Path) -> tuple[int, ...]:
        """The shape of a row, by store.json."""
        layout, shape = 0, ()
        with contextlib.suppress(OSError, LookupError, ValueError, TypeError, AttributeError):
            description = json.loads(meta.read_text())
            layout = int(description.get("layout", 1))
            width = description["width"]
            numbers = description.get("shape", [width])  # before there were maps, there was none
            if all(isinstance(n, int) and n > 0 for n in (width, *numbers)):
                shape = tuple(numbers) if math.prod(numbers) == width else ()
        if layout > LAYOUT:
            raise GraphnetsError(
                f"the feature store {self.place} was written by a newer graphnets (layout "
                f"{layout}, wanted {LAYOUT} at most); name another folder with --bottleneck_dir"
            )
        if not shape:
            raise GraphnetsError(
                f"{self.place}/{meta.name} is damaged or cannot be read; delete {self.place}, its "
                "features will be computed again"
            )
        return shape

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return len(self._keys)

    def _find(self, keys: Sequence[str]) -> np.ndarray:
        """The position of each key among the stored ones, -1 where it is missing or unfit."""
        wanted = np.frombuffer(bytes.fromhex("".join(keys)), f"V{KEY_BYTES}")
        if not len(self) or not len(wanted):
            return np.full(len(wanted), -1)
        place = np.searchsorted(self._heads, _heads(wanted))
        found = np.full(len(wanted), -1)
        for offset in range(self._ties):
            candidate = self._order[np.minimum(place + offset, len(self) - 1)]
            here = np.flatnonzero((found < 0) & (self._keys[candidate] == wanted))
            here = here[self._fits(candidate[here])]
            found[here] = candidate[here]
        return found

    def _fits(self, positions: np.ndarray) -> np.ndarray:
        """Whether the rows there fit their checksums; each is read for that only once."""
        new = np.unique(positions[self._state[positions] == UNKNOWN])
        places = zip(self._file[new].tolist(), self._row[new].tolist(), strict=True)
        sums = [zlib.crc32(self._files[file][row].data, self._seed) for file, row in places]
        fits = self._keys_fit(new) & (self._sums["row"][new] == np.array(sums, "<u4"))
        self._state[new] = np.where(fits, FITS, UNFIT)
        return self._state[positions] == FITS

    def _keys_fit(self, positions: np.ndarray) -> np.ndarray:
        sums = self._sums[positions]
        return _key_sums(self._keys[positions], sums["row"], self._seed) == sums["key"]

    @property
    def unfit(self) -> int:
        """How many of all keys, and of the rows asked for so far, do not fit their checksums."""
        unknown = np.flatnonzero(self._state == UNKNOWN)
        found = int((self._state == UNFIT).sum()) + int((~self._keys_fit(unknown)).sum())
        return self._lost + found

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
        shape = rows.shape[1:]
        rows = np.ascontiguousarray(rows, DTYPE).reshape(len(keys), math.prod(shape))
        names = np.frombuffer(bytes.fromhex("".join(keys)), f"V{KEY_BYTES}")
        seed, sums = self._seed_of(shape), np.empty(len(keys), SUMS)
        sums["row"] = [zlib.crc32(row.data, seed) for row in rows]
        sums["key"] = _key_sums(names, sums["row"], seed)
        try:
            if self._writer is None:
                self._writer = self._begin(shape)
            self._check_there()
            for file, data in zip(self._writer, (rows, sums, names), strict=True):
                file.write(data.tobytes())
                file.flush()
                _sync(file.fileno())  # a key must not outlive its row, not even a power cut
        except OSError as error:
            # The files may be out of step: what is added next must begin others.
            self._close_short(rows.shape[1])
            raise GraphnetsError(
                f"the feature store {self.folder} cannot be written: {error.strerror}; name "
                "another folder with --bottleneck_dir"
            ) from None

    def _check_there(self) -> None:
        """Raise GraphnetsError if what is written to has been removed: it would all be lost."""
        if not all(os.path.exists(file.name) for file in self._writer or ()):
            self._close_files()
            raise GraphnetsError(
                f"the feature store {self.place} was removed while it was written to; give "
                "the command again"
            )

    def _begin(self, shape: Sequence[int]) -> tuple[BinaryIO, ...]:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_empty()
        layout = {
            "layout": LAYOUT, "width": math.prod(shape), "shape": shape, "dtype": DTYPE.str,
        }  # fmt: skip
        meta = {**self._identity, **layout}
        stem = f"{self._prefix}{uuid.uuid4().hex}"
        if self._mirror:
            self._mirror.begin(stem)
        write_whole(self.folder / "store.json", json.dumps(meta, indent=2).encode())
        name = self.folder / stem
        with contextlib.ExitStack() as opened:
            files = []
            for ending in ENDINGS:
                files.append(opened.enter_context(open(name.with_suffix(ending), "xb")))
                if ending == ENDINGS[0]:
                    lock(files[0].fileno())
            opened.pop_all()
        return tuple(files)

    def _remove_empty(self) -> None:
        """Remove the files of runs that were killed before they had stored a row."""
        if self._mirror:
            return  # what is there is what is at the address
        for rows in self.folder.glob(f"{self._prefix}*.features"):
            sums, keys = rows.with_suffix(".sums"), rows.with_suffix(".keys")
            if not keys.exists() or not keys.stat().st_size:
                remove_unlocked(rows, YOUNG, keys, sums)

    def close(self) -> None:
        """Finish writing; what was added can be read now."""
        if self._writer is not None:
            self._check_there()
            self._close_files()
            if self._mirror:
                self._mirror.upload()
            self._open()

    def _close_files(self) -> list[str]:
        """Close what is written to; the names."""
        files, self._writer = self._writer or (), None
        for file in files:
            with contextlib.suppress(OSError):  # append has told that the disk is full
                file.close()
        return [str(file.name) for file in files]

    def _close_short(self, width: int) -> None:
        """Close what could not be written to its end, without what is no whole row."""
        names = self._close_files()
        sizes = (width * DTYPE.itemsize, SUMS.itemsize, KEY_BYTES)
        with contextlib.suppress(OSError, GraphnetsError):
            parts = list(zip(names, sizes, strict=True)) if names else []
            whole = min((os.path.getsize(name) // size for name, size in parts), default=0)
            for name, size in reversed(parts):
                os.truncate(name, whole * size) if whole else os.unlink(name)
            if self._mirror:
                self._mirror.upload()
            self._open()


def _sync(handle: int) -> None:
    """Have what was written on the disk, where the file system can tell."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in NO_FSYNC:
            raise


def _heads(keys: np.ndarray) -> np.ndarray:
    return keys.view(np.uint64)[::2] if len(keys) else np.zeros(0, np.uint64)


def _key_sums(keys: np.ndarray, row_sums: np.ndarray, seed: int) -> np.ndarray:
    """The checksum of each key with its row's: uint32 (n,)."""
    records = np.empty(len(keys), [("key", keys.dtype), ("row", "<u4")])
    records["key"], records["row"] = keys, row_sums
    plain = records.view(f"V{records.itemsize}")  # bytes, one by one
    return np.array([zlib.crc32(record, seed) for record in plain.tolist()], "<u4")
