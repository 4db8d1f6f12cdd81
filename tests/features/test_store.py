"""The feature store: what was added is found again, and is never another's."""

import json
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from stores import IDENTITY, WIDTH, assert_holds, filled, keys_of, pair, rows_of

from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore


def test_rows_are_found_in_any_order_and_any_number_of_times(tmp_path):
    filled(tmp_path, *range(100))
    store = FeatureStore(tmp_path, IDENTITY)
    assert (len(store), store.width) == (100, WIDTH)
    order = np.random.default_rng(1).permutation(100)
    assert_holds(store, *order, missing=[100, 101])
    rows = store.read(keys_of(7, 3, 7, 99, 7))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, rows_of(7, 3, 7, 99, 7))


def test_has_answers_key_by_key(tmp_path):
    store = filled(tmp_path, 1, 2, 3)
    has = store.has(keys_of(5, 3, 4, 1))
    assert has.dtype == bool
    assert list(has) == [False, True, False, True]


def test_values_come_back_bit_by_bit(tmp_path):
    row = np.array([[np.nan, -0.0, np.inf, np.float32(1e-45), np.float32(0.1)]], np.float32)
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys_of(1), row)
    store.close()
    assert store.read(keys_of(1)).tobytes() == row.tobytes()


def test_keys_that_agree_in_part_are_told_apart(tmp_path):
    keys = ["00" * 16, "00" * 8 + "ff" * 8, "ff" * 8 + "00" * 8, "ff" * 16]
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys[::3], rows_of(0, 3))
    store.close()
    assert list(store.has(keys)) == [True, False, False, True]
    np.testing.assert_array_equal(store.read(keys[::3]), rows_of(0, 3))


def test_rows_in_any_memory_layout_and_float_type_are_kept_as_float32(tmp_path):
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys_of(1, 2), np.asfortranarray(rows_of(1, 2)))
    store.append(keys_of(3, 4), rows_of(3, 0, 4, 0)[::2].astype(">f8"))
    store.close()
    assert_holds(store, 1, 2, 3, 4)


def test_a_missing_key_is_a_keyerror_that_names_it(tmp_path):
    store = filled(tmp_path, 1, 2)
    with pytest.raises(KeyError, match=keys_of(9)[0]):
        store.read(keys_of(1, 9, 2))
    filtered = pd.Series(keys_of(1, 9, 8), index=[10, 0, 1])  # as a filtered table has it
    with pytest.raises(KeyError, match=keys_of(9)[0]):
        store.read(filtered)
    assert list(store.has(filtered)) == [True, False, False]


def test_an_empty_store_has_nothing(tmp_path):
    store = FeatureStore(tmp_path, IDENTITY)
    assert len(store) == 0
    assert list(store.has(keys_of(1, 2))) == [False, False]
    assert store.has([]).shape == (0,)
    assert len(store.read([])) == 0
    with pytest.raises(KeyError, match=keys_of(1)[0]):
        store.read(keys_of(1))
    store.close()
    assert list(tmp_path.iterdir()) == []  # looking writes nothing


def test_nothing_asked_for_is_nothing_read(tmp_path):
    store = filled(tmp_path, 1)
    assert store.has([]).shape == (0,)
    assert store.read([]).shape == (0, WIDTH)


def test_what_is_appended_is_on_disk_before_the_store_is_closed(tmp_path):
    store = FeatureStore(tmp_path, IDENTITY)
    for number in range(3):
        store.append(keys_of(number), rows_of(number))
        assert_holds(FeatureStore(tmp_path, IDENTITY), *range(number + 1), missing=[number + 1])
    store.close()
    assert_holds(store, 0, 1, 2)


def test_a_closed_store_can_be_added_to_again(tmp_path):
    store = filled(tmp_path, 1)
    store.append(keys_of(2), rows_of(2))
    store.close()
    store.close()
    assert_holds(store, 1, 2, missing=[3])
    assert_holds(FeatureStore(tmp_path, IDENTITY), 2, 1)


def test_the_same_key_twice_is_one_row(tmp_path):
    filled(tmp_path, 1, 2)
    store = filled(tmp_path, 2, 3)
    assert_holds(store, 3, 2, 1, 2)


def test_any_difference_of_identity_is_another_store(tmp_path):
    store = filled(tmp_path, 1)
    for name in IDENTITY:
        changed = FeatureStore(tmp_path, {**IDENTITY, name: "another"})
        assert changed.folder != store.folder
        assert not changed.has(keys_of(1)).any()
        changed.append(keys_of(1), rows_of(2))
        changed.close()
    assert len(list(tmp_path.iterdir())) == 5
    assert_holds(FeatureStore(tmp_path, dict(reversed(IDENTITY.items()))), 1)


def test_the_folder_says_what_it_holds(tmp_path):
    store = filled(tmp_path, 1)
    assert store.folder.parent == tmp_path
    assert store.folder.name.startswith("vgg16-fc7-")
    meta = json.loads((store.folder / "store.json").read_text())
    layout = {"layout": 2, "width": WIDTH, "shape": [WIDTH], "dtype": "<f4"}
    assert meta == {**IDENTITY, **layout}


@pytest.mark.parametrize(
    "endpoint", ["mixed_10/tower/conv", "a b", "../../outside", "/etc", "..", "é\n", "a/" * 300]
)
def test_every_endpoint_name_is_one_folder_inside(tmp_path, endpoint):
    folder = tmp_path / "features"
    store = filled(folder, 1, identity={**IDENTITY, "endpoint": endpoint})
    assert [path.name for path in tmp_path.iterdir()] == ["features"]
    assert list(folder.iterdir()) == [store.folder]
    assert_holds(FeatureStore(folder, {**IDENTITY, "endpoint": endpoint}), 1)


def test_endpoints_whose_folders_look_alike_are_told_apart(tmp_path):
    for number, endpoint in enumerate(["a/b", "a_b", "a b", "c" * 300, "c" * 301]):
        filled(tmp_path, number, identity={**IDENTITY, "endpoint": endpoint})
    for number, endpoint in enumerate(["a/b", "a_b", "a b", "c" * 300, "c" * 301]):
        store = FeatureStore(tmp_path, {**IDENTITY, "endpoint": endpoint})
        assert_holds(store, number, missing=set(range(5)) - {number})


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1]", b"null", b"{}", b"\xff", *(b'{"width": %s}' % w for w in
     (b"0", b"-4", b"null", b'"wide"', b"1e999", b"2.5"))],
)  # fmt: skip
def test_a_damaged_description_is_an_error_that_says_what_to_do(tmp_path, content):
    store = filled(tmp_path, 1)
    (store.folder / "store.json").write_bytes(content)
    wanted = r"store\.json is damaged or cannot be read; delete .*, its features will be computed"
    with pytest.raises(GraphnetsError, match=wanted):
        FeatureStore(tmp_path, IDENTITY)


def test_rows_that_were_deleted_are_an_error_that_says_what_to_do(tmp_path):
    features, _ = pair(filled(tmp_path, 1))
    features.unlink()
    wanted = r"^the feature store .* cannot be read: No such file or directory; delete it, its feat"
    with pytest.raises(GraphnetsError, match=wanted):
        FeatureStore(tmp_path, IDENTITY)


def test_files_that_are_not_of_the_store_are_left_alone(tmp_path):
    store = filled(tmp_path, 1)
    (store.folder / "notes.txt").write_text("mine")
    (store.folder / "left.features").write_bytes(b"killed before the first key")
    assert_holds(FeatureStore(tmp_path, IDENTITY), 1, missing=[2])


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    store = FeatureStore(tmp_path / "file", IDENTITY)
    wanted = r"^the feature store .*file/vgg16-fc7-\w+ cannot be written: Not a directory; name ano"
    with pytest.raises(GraphnetsError, match=wanted):
        store.append(keys_of(1), rows_of(1))


def test_keys_that_begin_alike_are_told_apart(tmp_path):
    keys = ["ab" * 8 + end * 8 for end in ("00", "cd", "ff")]
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys, rows_of(1, 2, 3))
    store.append([keys[1]], rows_of(2))  # another run had it too
    store.close()
    np.testing.assert_array_equal(store.read(keys[::-1]), rows_of(3, 2, 1))
    assert list(store.has([*keys, "ab" * 8 + "ee" * 8])) == [True, True, True, False]


def test_a_million_keys_are_opened_within_a_second(tmp_path):
    digits = np.random.default_rng(2).bytes(16_000_000).hex()
    keys = [digits[i : i + 32] for i in range(0, len(digits), 32)]
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys, np.arange(4_000_000, dtype=np.float32).reshape(-1, 4))
    seconds = []
    for _ in range(3):  # the best: the machine may have other work
        start = time.perf_counter()
        store = FeatureStore(tmp_path, IDENTITY)
        assert store.has([keys[123_456]]).all()
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1
    np.testing.assert_array_equal(store.read([keys[999_999], keys[0]])[:, 0], [3_999_996, 0])


def test_reading_some_rows_does_not_load_the_others(tmp_path):
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys_of(*range(2000)), np.arange(4_000_000, dtype=np.float32).reshape(2000, -1))
    store.close()
    tracemalloc.start()
    rows = FeatureStore(tmp_path, IDENTITY).read(keys_of(*range(0, 2000, 200)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(rows[:, 1], np.arange(1, 4_000_000, 400_000))
    assert peak < 1_000_000  # bytes; all rows are 16 million
