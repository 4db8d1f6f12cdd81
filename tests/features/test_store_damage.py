"""Damaged files of a feature store: what does not fit its checksum counts as not stored."""

import json
import shutil

import numpy as np
import pytest
from stores import IDENTITY, assert_holds, filled, keys_of, pair, rows_of

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.store import FeatureStore
from graphnets.photos.listing import scan

ALL = range(12)  # rows, in two files: 0 to 4, and 5 to 11


def files(folder, ending):
    """Those of a kind, that with 5 rows first."""
    return sorted(folder.glob(f"*.{ending}"), key=lambda path: path.stat().st_size)


def zeros(data):
    return data[:30] + bytes(30) + data[60:]


def flipped(data):
    return data[:33] + bytes([data[33] ^ 4]) + data[34:]


def front_lost(data):
    return data[16:]


def end_lost(data):
    return data[:-17]


def emptied(data):
    return b""


def assert_repaired(folder, unfit=None):
    """What the store has is right; with what it lacks added, it is whole, in memory or not."""
    store = FeatureStore(folder, IDENTITY)
    has = store.has(keys_of(*ALL))
    assert not has.all() and store.unfit == (np.sum(~has) if unfit is None else unfit)
    if has.any():
        assert_holds(store, *np.flatnonzero(has))
    lost = np.flatnonzero(~has)
    store.append(keys_of(*lost), rows_of(*lost))
    store.close()
    assert_holds(store, *ALL)
    again = FeatureStore(folder, IDENTITY)
    assert_holds(again, *ALL, missing=[12])
    np.testing.assert_array_equal(again.rows(keys_of(*ALL))[[3, 9]], rows_of(3, 9))
    return lost


@pytest.mark.parametrize("in_memory", [0, 1 << 20])
@pytest.mark.parametrize("ending", ["features", "keys", "sums"])
@pytest.mark.parametrize("damage", [zeros, flipped, front_lost, end_lost, emptied])
def test_what_is_damaged_is_not_served(tmp_path, monkeypatch, in_memory, ending, damage):
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", in_memory)
    filled(tmp_path, *ALL[:5])
    store = filled(tmp_path, *ALL[5:])
    path = files(store.folder, ending)[1]
    path.write_bytes(damage(path.read_bytes()))
    # Keys that are not there cannot be missed: they look as a run that was killed.
    cut_keys = {end_lost: 0, front_lost: 6, emptied: 0}.get(damage) if ending == "keys" else None
    lost = assert_repaired(tmp_path, cut_keys)
    assert set(lost) <= set(ALL[5:])
    if damage is flipped:
        assert len(lost) == 1


@pytest.mark.parametrize("ending", ["features", "keys", "sums"])
def test_files_that_changed_names_are_not_served(tmp_path, ending):
    filled(tmp_path, *ALL[:5])
    store = filled(tmp_path, *ALL[5:])
    first, second = files(store.folder, ending)
    first.rename(tmp_path / "between")
    second.rename(first)
    (tmp_path / "between").rename(second)
    assert len(assert_repaired(tmp_path)) == len(ALL)


@pytest.mark.parametrize(
    "change",
    [{"width": 4, "shape": [4]}, {"width": 1, "shape": [1]}, {"shape": [1, 3]},
     {"width": 10**12, "shape": [10**12]}],
)  # fmt: skip
def test_a_description_of_other_rows_serves_none(tmp_path, change):
    store = filled(tmp_path, *ALL)
    meta = store.folder / "store.json"
    meta.write_text(json.dumps(json.loads(meta.read_text()) | change))
    assert len(assert_repaired(tmp_path)) == len(ALL)


def test_rows_without_a_description_are_not_served(tmp_path):
    (filled(tmp_path, *ALL).folder / "store.json").unlink()
    assert len(assert_repaired(tmp_path)) == len(ALL)


def test_rows_of_another_store_are_not_served(tmp_path):
    other = filled(tmp_path, *ALL[:5], identity={**IDENTITY, "weights": "def"})
    store = filled(tmp_path, *ALL[5:])
    for path in other.folder.glob("*.[fks]*s"):
        shutil.copy(path, store.folder)
    assert list(assert_repaired(tmp_path)) == list(ALL[:5])


def test_rows_that_were_once_found_unfit_are_served_from_where_they_fit(tmp_path):
    store = filled(tmp_path, *ALL)
    features, _ = pair(store)
    features.write_bytes(zeros(features.read_bytes()))
    assert_repaired(tmp_path)
    again = FeatureStore(tmp_path, IDENTITY)
    assert again.has(keys_of(*ALL)).all()


def test_a_row_is_checked_once(tmp_path, monkeypatch):
    filled(tmp_path, *ALL)
    store = FeatureStore(tmp_path, IDENTITY)
    assert store.has(keys_of(*ALL)).all()
    monkeypatch.setattr("zlib.crc32", None)
    assert store.has(keys_of(*ALL)).all()
    assert_holds(store, *ALL)


def test_a_store_of_a_newer_layout_is_left_alone(tmp_path):
    store = filled(tmp_path, 1)
    meta = store.folder / "store.json"
    for description in (json.loads(meta.read_text()), {}):
        meta.write_text(json.dumps({**description, "layout": 3}))
        wanted = r"was written by a newer graphnets \(layout 3, wanted 2 at most\); name another fo"
        with pytest.raises(GraphnetsError, match=wanted):
            FeatureStore(tmp_path, IDENTITY)


UNFIT = (
    "have no checksum that fits: they are damaged, or an older version wrote them; what is wanted "
    "of them is computed again"
)


def zeroed(store):
    features, _ = pair(store)
    data = features.read_bytes()
    features.write_bytes(data[:100] + bytes(60) + data[160:])  # rows of 24 bytes: 4 to 6


def older(store):
    next(store.folder.glob("*.sums")).unlink()
    meta = store.folder / "store.json"
    meta.write_text(meta.read_text().replace('"layout": 2,', ""))


@pytest.mark.parametrize(("damage", "count"), [(zeroed, 3), (older, 60)])
def test_what_is_unfit_is_computed_again_and_said(network, photo_folder, tmp_path, damage, count):
    folder = tmp_path / "store"
    first = Bottlenecks(network, None, folder)
    photos = first.add(scan(photo_folder))
    rows = first.read(photos)
    [store] = first._stores.values()
    damage(store)
    said = []
    again = Bottlenecks(network, None, folder)
    assert len(again.missing(photos)) == count
    again.add(photos, warn=said.append)
    assert said == [f"{count} rows in {store.folder} {UNFIT}"]
    np.testing.assert_allclose(again.read(photos), rows, rtol=1e-5)
    later = Bottlenecks(network, None, folder)
    later.add(photos, warn=said.append)
    assert len(said) == 1  # all is there


def test_in_python_it_is_a_warning(network, photo_folder, tmp_path):
    first = Bottlenecks(network, None, tmp_path / "store")
    photos = first.add(scan(photo_folder))
    zeroed(*first._stores.values())
    with pytest.warns(UserWarning, match=f"^3 rows in .* {UNFIT}$"):
        Bottlenecks(network, None, tmp_path / "store").add(photos)
