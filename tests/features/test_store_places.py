"""Stores where the disk is full, the folder goes away, or the file system lacks something."""

import errno
import os
import shutil

import numpy as np
import pytest
from stores import IDENTITY, assert_holds, filled, keys_of, pair, rows_of

from graphnets.errors import GraphnetsError
from graphnets.features import rows as rows_module
from graphnets.features.store import FeatureStore


def raising(number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def unmapped(monkeypatch):
    monkeypatch.setattr(np, "memmap", raising(errno.ENODEV))


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
def test_without_mmap_the_rows_are_the_same(tmp_path, monkeypatch, unmapped, in_memory):
    monkeypatch.setattr(rows_module, "IN_MEMORY", in_memory)
    filled(tmp_path, *range(5))
    store = filled(tmp_path, *range(5, 12))
    assert_holds(store, *range(12), missing=[12])
    some = store.rows(keys_of(*range(12)))
    assert some.on_disk == (not in_memory)
    np.testing.assert_array_equal(some[[11, 3, 3, 0]], rows_of(11, 3, 3, 0))
    np.testing.assert_array_equal(some[4:9], rows_of(*range(4, 9)))
    assert some[[]].shape == (0, 3)


def test_without_mmap_damage_is_found(tmp_path, unmapped):
    features, _ = pair(filled(tmp_path, *range(12)))
    data = bytearray(features.read_bytes())
    data[12 * 7 + 5] ^= 1
    features.write_bytes(data)
    store = FeatureStore(tmp_path, IDENTITY)
    assert list(np.flatnonzero(~store.has(keys_of(*range(12))))) == [7]


@pytest.mark.parametrize("harm", [os.unlink, lambda path: os.truncate(path, 12)])
def test_without_mmap_rows_that_go_away_are_told(tmp_path, monkeypatch, unmapped, harm):
    monkeypatch.setattr(rows_module, "IN_MEMORY", 0)
    store = filled(tmp_path, *range(12))
    some = store.rows(keys_of(*range(12)))
    harm(pair(store)[0])
    wanted = r"^the features in .*\.features cannot be read: .*; give the command again$"
    with pytest.raises(GraphnetsError, match=wanted):
        some[:]


def test_a_store_that_is_removed_is_read_to_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(rows_module, "IN_MEMORY", 0)
    store = filled(tmp_path, *range(12))
    some = store.rows(keys_of(*range(12)))
    shutil.rmtree(tmp_path)
    np.testing.assert_array_equal(some[:], rows_of(*range(12)))
    assert_holds(store, *range(12))


@pytest.mark.parametrize("gone", [shutil.rmtree, lambda path: path.rename(f"{path} moved")])
def test_a_store_that_goes_away_is_told_at_the_next_batch(tmp_path, gone):
    store = FeatureStore(tmp_path / "store", IDENTITY)
    store.append(keys_of(1), rows_of(1))
    gone(tmp_path / "store")
    with pytest.raises(GraphnetsError, match="was removed while it was written to; give the com"):
        store.append(keys_of(2), rows_of(2))
    store.append(keys_of(3), rows_of(3))
    store.close()
    assert_holds(store, 3, missing=[1, 2])


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_fsync_rows_are_stored(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", raising(number))
    assert_holds(filled(tmp_path, *range(5)), *range(5))


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_disk_that_fails_at_fsync_is_told(tmp_path, monkeypatch, number):
    monkeypatch.setattr(os, "fsync", raising(number))
    wanted = f"cannot be written: {os.strerror(number)}; name another"
    with pytest.raises(GraphnetsError, match=wanted):
        FeatureStore(tmp_path, IDENTITY).append(keys_of(1), rows_of(1))


class Full:
    """A file that takes so many bytes more."""

    def __init__(self, file, left):
        self._file, self.left = file, left

    def write(self, data):
        self._file.write(data[: self.left])
        if len(data) > self.left:
            self._file.flush()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= len(data)

    def __getattr__(self, name):
        return getattr(self._file, name)


@pytest.mark.parametrize("ending", range(3))
@pytest.mark.parametrize("left", [0, 1, 7, 30, 75])
@pytest.mark.parametrize("before", [0, 2])
def test_of_a_full_disk_the_whole_rows_stay_and_no_part_of_one(tmp_path, ending, left, before):
    store = FeatureStore(tmp_path, IDENTITY)
    if before:
        store.append(keys_of(*range(before)), rows_of(*range(before)))
    store._writer = list(store._writer or store._begin((3,)))
    store._writer[ending] = Full(store._writer[ending], left)
    added = range(before, before + 10)
    with pytest.raises(GraphnetsError, match="cannot be written: No space left on device; name"):
        store.append(keys_of(*added), rows_of(*added))
    stored = len(store)
    assert stored == before + (left // 16 if ending == 2 else 0)
    assert_holds(store, *range(stored), missing=range(stored, before + 10))
    sizes = {path.suffix: path.stat().st_size for path in store.folder.glob("*.[fsk]*s")}
    rows = {".features": 12 * stored, ".sums": 8 * stored, ".keys": 16 * stored}
    assert sizes == (rows if stored else {})
    store.append(keys_of(*added), rows_of(*added))
    store.close()
    assert_holds(FeatureStore(tmp_path, IDENTITY), *range(before + 10))
    assert store.unfit == 0


def test_a_store_of_the_first_layout_is_found_unfit_and_written_anew(tmp_path):
    """As 0.1.0 wrote it: no sums, no shape, no layout."""
    folder = FeatureStore(tmp_path, IDENTITY).folder
    folder.mkdir()
    (folder / "store.json").write_text(
        '{"network": "vgg16", "weights": "abc", "endpoint": "fc7",'
        ' "preprocessing": "upright (224, 224)", "width": 3, "dtype": "<f4"}'
    )
    (folder / f"{'0' * 32}.features").write_bytes(rows_of(*range(5)).tobytes())
    (folder / f"{'0' * 32}.keys").write_bytes(bytes.fromhex("".join(keys_of(*range(5)))))
    store = FeatureStore(tmp_path, IDENTITY)
    assert store.unfit == 5 and not store.has(keys_of(*range(5))).any()
    store.append(keys_of(*range(5)), rows_of(*range(5)))
    store.close()
    assert_holds(FeatureStore(tmp_path, IDENTITY), *range(5))
