"""The feature store: what was added is found again, whatever happened in between."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import textwrap
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore

IDENTITY = {
    "network": "vgg16",
    "weights": "abc",
    "endpoint": "fc7",
    "preprocessing": "upright (224, 224)",
}
WIDTH = 3


def keys_of(*numbers):
    return [hashlib.sha256(b"%d" % n).hexdigest()[:32] for n in numbers]


def rows_of(*numbers, width=WIDTH):
    """Different for every number, and not what zeros or another row would be."""
    values = np.array([[n + i / 8 for i in range(width)] for n in numbers], np.float32)
    return values.reshape(-1, width)


def filled(folder, *numbers, identity=IDENTITY):
    store = FeatureStore(folder, identity)
    store.append(keys_of(*numbers), rows_of(*numbers))
    store.close()
    return store


def assert_holds(store, *numbers, missing=()):
    np.testing.assert_array_equal(store.read(keys_of(*numbers)), rows_of(*numbers))
    assert store.has(keys_of(*numbers)).all()
    assert not store.has(keys_of(*missing)).any()


def pair(store):
    (features,) = store.folder.glob("*.features")
    return features, features.with_suffix(".keys")


def run(script, *arguments):
    """A process of its own that has FeatureStore, keys_of and rows_of."""
    helpers = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[1])!r})
        from test_store import *
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(helpers) + textwrap.dedent(script), *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


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


def test_two_writers_at_once_lose_nothing(tmp_path):
    first, second = FeatureStore(tmp_path, IDENTITY), FeatureStore(tmp_path, IDENTITY)
    for number in range(0, 20, 2):
        first.append(keys_of(number, 100), rows_of(number, 100))
        second.append(keys_of(number + 1, 100), rows_of(number + 1, 100))
    first.close()
    assert_holds(first, *range(20), 100)
    second.close()
    assert_holds(second, *range(20), 100)
    assert_holds(FeatureStore(tmp_path, IDENTITY), *range(20), 100, missing=[20])


def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    script = """
        store = FeatureStore(sys.argv[1], IDENTITY)
        Path(sys.argv[1], sys.argv[2] + ".ready").touch()
        while len(list(Path(sys.argv[1]).glob("*.ready"))) < 2:
            time.sleep(0.001)
        for number in range(int(sys.argv[2]), int(sys.argv[3])):
            store.append(keys_of(number), rows_of(number))
    """
    writers = [run(script, str(tmp_path), *span) for span in (("0", "60"), ("40", "100"))]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    store = FeatureStore(tmp_path, IDENTITY)
    assert len(store) == 120
    assert_holds(store, *range(100), missing=[100])


def test_a_writer_killed_at_any_moment_leaves_complete_rows(tmp_path):
    """30 writers killed by SIGKILL, every second one not before it has added something."""
    script = """
        import random, signal

        random.seed(3)
        for number in range(30):
            start = len(FeatureStore(sys.argv[1], IDENTITY))
            reader, writer = os.pipe()
            child = os.fork()
            if not child:
                store = FeatureStore(sys.argv[1], IDENTITY)
                for first in range(start, start + 100_000, 50):
                    numbers = range(first, first + 50)
                    store.append(keys_of(*numbers), rows_of(*numbers, width=400))
                    os.write(writer, b"added")
            if number % 2:
                os.read(reader, 1)
            time.sleep(random.random() * 0.02)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print(start)
    """
    killer = run(script, str(tmp_path))
    starts = [int(line) for line in killer.communicate(timeout=120)[0].split()]
    assert killer.returncode == 0
    assert len(starts) == 30
    assert starts == sorted(starts)
    store = FeatureStore(tmp_path, IDENTITY)
    assert len(store) >= 15 * 50
    stored = range(len(store))  # each writer went on where the rows of the last one ended
    np.testing.assert_array_equal(store.read(keys_of(*stored)), rows_of(*stored, width=400))


@pytest.mark.parametrize("cut", [1, 4, 11, 12, 13, 24, 35, 59, 60])
def test_rows_with_a_torn_tail_are_left_out(tmp_path, cut):
    features, _ = pair(filled(tmp_path, *range(5)))
    assert features.stat().st_size == 60
    os.truncate(features, 60 - cut)
    whole = (60 - cut) // 12
    store = FeatureStore(tmp_path, IDENTITY)
    assert len(store) == whole
    assert_holds(store, *range(whole), missing=range(whole, 5))
    store.append(keys_of(*range(whole, 6)), rows_of(*range(whole, 6)))
    store.close()
    assert_holds(store, *range(6))


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 48, 79, 80])
def test_keys_with_a_torn_tail_are_left_out(tmp_path, cut):
    _, keys = pair(filled(tmp_path, *range(5)))
    assert keys.stat().st_size == 80
    os.truncate(keys, 80 - cut)
    whole = (80 - cut) // 16
    store = FeatureStore(tmp_path, IDENTITY)
    assert len(store) == whole
    assert_holds(store, *range(whole), missing=range(whole, 5))


@pytest.mark.parametrize(("limit", "count"), [(1_000_000, 100_000), (5_000, 600)])
def test_a_full_disk_is_an_error_and_mixes_up_nothing(tmp_path, limit, count):
    """The file size limit stands in for the disk; it is reached in the middle of the rows."""
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys_of(1), rows_of(1))
    keys, rows = keys_of(*range(10, 10 + count)), np.full((count, WIDTH), 9, np.float32)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        with pytest.raises(GraphnetsError, match=r"cannot be written: File too large; name anoth"):
            store.append(keys, rows)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    store.append(keys_of(2), rows_of(2))
    store.close()
    assert_holds(store, 1, 2, missing=range(10, 20))
    assert_holds(FeatureStore(tmp_path, IDENTITY), 1, 2)


def test_rows_reach_the_disk_before_their_keys(tmp_path, monkeypatch):
    """A power cut between the two leaves rows without keys, which count for nothing."""
    store = FeatureStore(tmp_path, IDENTITY)
    store.append(keys_of(1), rows_of(1))
    synced = []

    def fsync(handle):
        status = os.fstat(handle)
        synced.append((status.st_ino, status.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    store.append(keys_of(2), rows_of(2))
    features, keys = pair(store)
    assert synced == [(features.stat().st_ino, 2 * 12), (keys.stat().st_ino, 2 * 16)]
    store.close()


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
    assert meta == {**IDENTITY, "width": WIDTH, "shape": [WIDTH], "dtype": "<f4"}


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
