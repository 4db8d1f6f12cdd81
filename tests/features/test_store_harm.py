"""The feature store keeps what is whole: writers at once, kills, torn files, a full disk."""

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from stores import IDENTITY, WIDTH, assert_holds, filled, keys_of, pair, rows_of

from graphnets.errors import GraphnetsError
from graphnets.features.store import FeatureStore


def run(script, *arguments):
    """A process of its own that has FeatureStore, keys_of and rows_of."""
    helpers = f"""
        import os, sys, time
        from pathlib import Path
        from graphnets.features.store import FeatureStore
        sys.path.insert(0, {str(Path(__file__).parents[1] / "helpers")!r})
        from stores import IDENTITY, keys_of, rows_of
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(helpers) + textwrap.dedent(script), *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


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


def torn(folder, file, row, cut):
    """A store of 5 rows once `file`, of `row` bytes each, has lost its end; and how many it has."""
    assert file.stat().st_size == 5 * row
    os.truncate(file, 5 * row - cut)
    whole = (5 * row - cut) // row
    store = FeatureStore(folder, IDENTITY)
    assert len(store) == whole
    assert_holds(store, *range(whole), missing=range(whole, 5))
    return store, whole


@pytest.mark.parametrize("cut", [1, 4, 11, 12, 13, 24, 35, 59, 60])
def test_rows_with_a_torn_tail_are_left_out(tmp_path, cut):
    features, _ = pair(filled(tmp_path, *range(5)))
    store, whole = torn(tmp_path, features, 12, cut)
    store.append(keys_of(*range(whole, 6)), rows_of(*range(whole, 6)))
    store.close()
    assert_holds(store, *range(6))


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 48, 79, 80])
def test_keys_with_a_torn_tail_are_left_out(tmp_path, cut):
    _, keys = pair(filled(tmp_path, *range(5)))
    torn(tmp_path, keys, 16, cut)


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
    sums = features.with_suffix(".sums")
    sizes = ((features, 2 * 12), (sums, 2 * 8), (keys, 2 * 16))
    assert synced == [(path.stat().st_ino, size) for path, size in sizes]
    store.close()


def test_files_of_a_run_that_was_killed_before_its_first_row_are_removed(tmp_path, monkeypatch):
    store = filled(tmp_path, 0)
    kept = set(store.folder.iterdir())
    for name in ("dead", "young"):
        for ending in (".features", ".sums", ".keys"):
            (store.folder / f"{name}{ending}").touch()
    (store.folder / "earlier.features").write_bytes(b"rows without keys")
    young = {store.folder / f"young{ending}" for ending in (".features", ".sums", ".keys")}
    for path in set(store.folder.iterdir()) - young:
        os.utime(path, (0, 0))
    at_work = FeatureStore(tmp_path, IDENTITY)
    at_work._writer = at_work._begin((WIDTH,))
    begun = {Path(file.name) for file in at_work._writer}
    for path in begun:
        os.utime(path, (0, 0))  # but it is locked
    filled(tmp_path, 1)
    left = set(store.folder.iterdir())
    assert left >= kept | young | begun
    assert len(left - kept - young - begun) == 3  # of the row that was added
    at_work.append(keys_of(2), rows_of(2))
    at_work.close()
    assert_holds(FeatureStore(tmp_path, IDENTITY), 0, 1, 2)
