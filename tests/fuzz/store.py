"""Damaged feature stores: rows are right, read or computed again, or the store is refused."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
from stores import IDENTITY, filled, keys_of, rows_of

from graphnets.features.store import FeatureStore
from tests.fuzz.mutate import damaged_folders

ROWS, FIRST = 12, 5  # of the store, of the first of its two pairs of files


@functools.cache
def _sound():
    """{name: bytes} of the files, which each store would name otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, numbers in (("a", range(FIRST)), ("b", range(FIRST, ROWS))):
            path = filled(Path(folder, name), *numbers).folder
            for file in path.iterdir():
                other = file.name if file.suffix == ".json" else name + file.suffix
                found[other] = file.read_bytes()
        return dict(sorted(found.items()))


def cases(seed, count):
    """See `damaged_folders`."""
    return damaged_folders(_sound(), "ab", ["features", "sums", "keys"], seed, count)


def check(data):
    """Read what is there, add what is not, and look at every row."""
    with tempfile.TemporaryDirectory() as folder:
        path = FeatureStore(folder, IDENTITY).folder
        path.mkdir()
        sound = {name: content.hex() for name, content in _sound().items()}
        for name, content in (sound | json.loads(data)).items():
            if content is not None:
                (path / name).write_bytes(bytes.fromhex(content))
        store = FeatureStore(folder, IDENTITY)
        has = store.has(keys_of(*range(ROWS)))
        _assert_rows(store, np.flatnonzero(has))
        missing = np.flatnonzero(~has)
        store.append(keys_of(*missing), rows_of(*missing))
        store.close()
        _assert_rows(store, range(ROWS))
        _assert_rows(FeatureStore(folder, IDENTITY), range(ROWS))


def _assert_rows(store, numbers):
    keys = keys_of(*numbers)
    if keys:
        np.testing.assert_array_equal(store.read(keys), rows_of(*numbers))
        np.testing.assert_array_equal(store.rows(keys)[:], rows_of(*numbers))
