"""Keys that a table has, taken as they are: no photo is opened for them."""

import graphs
import pytest

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.photos.listing import scan


@pytest.fixture
def table(photo_folder):
    return scan(photo_folder)


def test_the_table_is_that_of_a_scan_and_nothing_is_opened(table, tmp_path, monkeypatch):
    table.to_csv(tmp_path / "photos.csv", index=False)
    monkeypatch.setattr("graphnets.photos.listing._key", None)
    assert scan(tmp_path / "photos.csv", trust_keys=True).equals(table)
    assert scan(table, trust_keys=True).equals(table)


def test_without_trust_keys_are_those_of_the_files(table):
    assert scan(table.assign(key="0" * 32)).equals(table)


def test_what_is_stored_is_not_read_and_what_is_missing_is_looked_at(table, tmp_path, reads):
    file = graphs.write(tmp_path / "small.pb", graphs.inception_like())
    store = Bottlenecks(graphnets.open_network("inception_v3", file), None, tmp_path / "store")
    store.add(table[:40])
    reads.clear()
    wrong = table.assign(key=[*table.key[:59], "0" * 32])
    found = store.add(scan(wrong, trust_keys=True))
    assert sorted(reads) == sorted(table.path[40:])
    assert list(found.key) == list(table.key)  # the wrong one was not stored: it was looked at


@pytest.mark.parametrize(
    "key, message",
    [
        ("", "row 3 has no key of 32 hex digits; wanted"),
        ("ABC", r"row 3 has no key of 32 hex digits \('ABC'\)"),
        ("0" * 33, "row 3 has no key of 32 hex digits"),
    ],
)
def test_what_is_no_key_is_refused(table, key, message):
    keys = list(table.key)
    keys[3] = key
    with pytest.raises(GraphnetsError, match=message):
        scan(table.assign(key=keys), trust_keys=True)


def test_a_table_without_keys_and_a_folder_are_refused(table, photo_folder):
    with pytest.raises(GraphnetsError, match="the table has no column key to trust; wanted that"):
        scan(table.drop(columns="key"), trust_keys=True)
    with pytest.raises(GraphnetsError, match="trust_keys is for tables, and .* is a folder"):
        scan(photo_folder, trust_keys=True)


def test_a_photo_that_was_left_out_needs_no_key(table):
    table.loc[3, ["key", "problem"]] = "", "damaged"
    assert scan(table, trust_keys=True).problem[3] == "damaged"
