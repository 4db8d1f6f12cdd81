"""The feature store's rows as tables: maps in their shape, fetched in parts."""

import json

import numpy as np
import pytest
from stores import IDENTITY, WIDTH, assert_holds, filled, keys_of, pair, rows_of

from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore


def maps_of(*numbers):
    return rows_of(*numbers, width=24).reshape(-1, 2, 3, 4)


def filled_with_maps(folder, *numbers):
    store = FeatureStore(folder, IDENTITY)
    for number in numbers:  # a file each, as of a run each
        store.append(keys_of(number), maps_of(number))
        store.close()
    return store


def test_maps_come_back_in_their_shape(tmp_path):
    filled_with_maps(tmp_path, 1, 2, 3)
    store = FeatureStore(tmp_path, IDENTITY)
    assert (store.shape, store.width) == ((2, 3, 4), 24)
    np.testing.assert_array_equal(store.read(keys_of(3, 1)), maps_of(3, 1))
    meta = json.loads((store.folder / "store.json").read_text())
    assert (meta["width"], meta["shape"]) == (24, [2, 3, 4])


def test_a_description_without_a_shape_is_one_of_vectors(tmp_path):
    store = filled(tmp_path, 1, 2)
    meta = {**IDENTITY, "width": WIDTH, "dtype": "<f4"}
    (store.folder / "store.json").write_text(json.dumps(meta))
    old = FeatureStore(tmp_path, IDENTITY)
    assert old.shape == (WIDTH,)
    assert_holds(old, 2, 1)


@pytest.mark.parametrize("shape", ["[24, 2]", "[-2, 3, -4]", "[]", "24", "null", '"ab"', "[24.0]"])
def test_a_shape_that_does_not_suit_the_width_is_an_error(tmp_path, shape):
    store = filled_with_maps(tmp_path, 1)
    (store.folder / "store.json").write_text(f'{{"width": 24, "shape": {shape}}}')
    with pytest.raises(GraphnetsError, match="is damaged or cannot be read"):
        FeatureStore(tmp_path, IDENTITY)


@pytest.mark.parametrize("in_memory", [5 * 24 * 4, 5 * 24 * 4 - 1])
def test_rows_are_fetched_in_parts_from_memory_or_the_disk(tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", in_memory)
    store = filled_with_maps(tmp_path, *range(10))
    rows = store.rows(keys_of(8, 2, 9, 0, 2))
    assert len(rows) == 5 and rows.shape == (5, 2, 3, 4)
    np.testing.assert_array_equal(rows[np.array([4, 0, 0])], maps_of(2, 8, 8))
    np.testing.assert_array_equal(rows[[3]], maps_of(0))
    np.testing.assert_array_equal(rows[1:3], maps_of(2, 9))
    np.testing.assert_array_equal(rows[np.array([True, False, False, True, False])], maps_of(8, 0))
    assert rows[[]].shape == (0, 2, 3, 4) and rows[:].dtype == np.float32
    rows[[1]][:] = 0  # what was fetched is the caller's
    np.testing.assert_array_equal(rows[[1]], maps_of(2))
    with pytest.raises(IndexError):
        rows[[5]]


@pytest.mark.parametrize(("in_memory", "held"), [(2 * 24 * 4, True), (2 * 24 * 4 - 1, False)])
def test_rows_are_held_in_memory_up_to_the_limit(tmp_path, monkeypatch, in_memory, held):
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", in_memory)
    store = filled_with_maps(tmp_path, 1)
    rows = store.rows(keys_of(1, 1))
    features, _ = pair(store)
    with open(features, "r+b") as file:  # only who looks at the disk again sees this
        file.write(maps_of(7).tobytes())
    np.testing.assert_array_equal(rows[[1]], maps_of(1 if held else 7))


def test_what_is_added_later_does_not_move_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("graphnets.features.rows.IN_MEMORY", 0)
    store = filled_with_maps(tmp_path, 1, 2)
    rows = store.rows(keys_of(2, 1))
    for number in range(3, 13):  # names are random: some file is sorted in front of the others
        store.append(keys_of(number), maps_of(number))
        store.close()
    np.testing.assert_array_equal(rows[:], maps_of(2, 1))


def test_rows_of_a_missing_key_are_a_keyerror_that_names_it(tmp_path):
    with pytest.raises(KeyError, match=keys_of(9)[0]):
        filled_with_maps(tmp_path, 1).rows(keys_of(1, 9))
    assert len(FeatureStore(tmp_path / "none", IDENTITY).rows([])[:]) == 0
