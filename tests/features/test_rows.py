"""Tables of features that training takes rows from."""

import numpy as np
import pytest

from graphnets.features import rows
from graphnets.features.rows import (
    Held,
    Kept,
    Rows,
    Standardised,
    fits_in_memory,
    fitting_rows,
    gather,
    in_parts,
    joined,
    on_disk,
    taken,
)


def table(count, width, seed=0):
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@pytest.mark.parametrize("part", [1, 10**9])
def test_gather_takes_rows_of_several_files_in_the_order_asked_for(monkeypatch, part):
    monkeypatch.setattr(rows, "PART", part)
    files = [table(5, 3, 1), table(4, 3, 2), table(1, 3, 3)]
    file, row = np.array([1, 0, 2, 1, 1, 0]), np.array([3, 4, 0, 0, 3, 0])
    wanted = np.stack([files[f][r] for f, r in zip(file, row, strict=True)])
    np.testing.assert_array_equal(gather(files, file, row, 3), wanted)
    np.testing.assert_array_equal(gather(files, file[:1], row[:1], 3), wanted[:1])
    assert gather(files, file[:0], row[:0], 3).shape == (0, 3)


@pytest.mark.parametrize("part", [1, 10**9])
def test_rows_are_read_in_the_order_in_which_they_lie(monkeypatch, part):
    monkeypatch.setattr(rows, "PART", part)
    read = []

    class File(np.ndarray):
        def __getitem__(self, row):
            read.append(np.ravel(row).tolist())
            return np.asarray(self)[row]

    files = [table(9, 3, 1).view(File), table(9, 3, 2).view(File)]
    file, row = np.array([1, 0, 1, 0, 1]), np.array([8, 7, 2, 3, 5])
    wanted = np.stack([np.asarray(files[f])[r] for f, r in zip(file, row, strict=True)])
    np.testing.assert_array_equal(gather(files, file, row, 3), wanted)
    assert sum(read, []) == [3, 7, 2, 5, 8]


def test_kept_rows_are_read_once(monkeypatch):
    monkeypatch.setattr(rows, "PART", 2 * 12)
    source = table(6, 3)
    kept = Kept(source, np.array([1, 3, 5]))
    wanted, source[:] = source.copy(), 0
    assert len(kept) == 6 and kept.shape == (6, 3)
    np.testing.assert_array_equal(kept[np.array([5, 1])], wanted[[5, 1]])
    with pytest.raises(IndexError):
        kept[np.array([0])]


def test_rows_of_all_tables_together_that_fit(monkeypatch):
    monkeypatch.setattr(rows, "IN_MEMORY", 4 * (3 + 2) * 7)
    assert fitting_rows(table(9, 3), table(9, 2)) == 7
    assert fitting_rows(np.empty((9, 7, 5, 4), np.float32)) == 1


@pytest.mark.parametrize("in_memory", [0, rows.IN_MEMORY])
def test_flat_rows_are_the_same_numbers(monkeypatch, in_memory):
    monkeypatch.setattr(rows, "IN_MEMORY", in_memory)
    maps = Rows([table(4, 12)], np.zeros(3, int), np.array([2, 0, 3]), (2, 3, 2))
    assert maps.shape == (3, 2, 3, 2) and maps.flat().shape == (3, 12)
    np.testing.assert_array_equal(maps.flat()[[0, 2]], table(4, 12)[[2, 3]])
    np.testing.assert_array_equal(maps[:].reshape(3, 12), maps.flat()[:])


def test_joined_tables_are_one():
    parts = [table(3, 2, 1), table(2, 2, 2)]
    both = joined(parts)
    assert len(both) == 5 and both.shape == (5, 2)
    stacked = np.concatenate(parts)
    for indices in ([4, 0, 3, 2], slice(1, 4), np.array([True, False, False, True, True]), []):
        np.testing.assert_array_equal(both[indices], stacked[indices])
    assert joined(parts[:1]) is parts[0]


@pytest.mark.parametrize("in_memory", [0, rows.IN_MEMORY])
def test_rows_taken_of_joined_tables_stay_on_the_disk(monkeypatch, in_memory):
    monkeypatch.setattr(rows, "IN_MEMORY", in_memory)
    parts = [Rows([table(9, 3)], np.zeros(4, int), np.arange(k, k + 4), (3,)) for k in (0, 5)]
    found = taken(joined(parts), np.array([7, 0, 3]))
    assert on_disk(found) == (not in_memory)
    assert len(found) == 3 and found.shape == (3, 3)
    np.testing.assert_array_equal(found[:], table(9, 3)[[8, 0, 3]])
    np.testing.assert_array_equal(found[[2, 0]], table(9, 3)[[3, 8]])


def test_standardised_tables_side_by_side():
    parts = [table(4, 2, 1), table(4, 3, 2)]
    mean, scale = table(1, 5, 3)[0], table(1, 5, 4)[0]
    found = Standardised(parts, mean, scale)
    assert len(found) == 4 and found.shape == (4, 5)
    wanted = (np.concatenate(parts, axis=1) - mean) * scale
    np.testing.assert_array_equal(found[:], wanted)
    np.testing.assert_array_equal(found[[3, 1]], wanted[[3, 1]])
    np.testing.assert_array_equal(parts[0], table(4, 2, 1))  # the sources stay as they are


def test_rows_that_a_graph_holds_are_named_by_their_places():
    held = Held(10, (4, 3))
    assert len(held) == 4 and held.shape == (4, 3)
    np.testing.assert_array_equal(held[[3, 0]], [13, 10])
    np.testing.assert_array_equal(held[:], [10, 11, 12, 13])


def test_tables_fit_in_memory_together_or_not(monkeypatch):
    monkeypatch.setattr(rows, "IN_MEMORY", 4 * 3 * (5 + 2))  # float32
    assert fits_in_memory(table(5, 3), table(2, 3))
    assert not fits_in_memory(table(5, 3), table(3, 3))


@pytest.mark.parametrize(("part", "count"), [(1, 5), (2 * 12, 3), (10**9, 1)])
def test_parts_cover_the_table(monkeypatch, part, count):
    monkeypatch.setattr(rows, "PART", part)
    features = table(5, 3)
    parts = in_parts(features)
    assert len(parts) == count
    np.testing.assert_array_equal(np.concatenate([features[p] for p in parts]), features)
    assert in_parts(features[:0]) == []
