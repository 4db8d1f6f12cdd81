"""A photo's place in its batch, on which the last digits of its features depend."""

import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.photos.augmentation import PHOTO_AUGMENTATION
from graphnets.photos.listing import scan
from graphnets.photos.reading import BATCH


@pytest.fixture
def marked(network, monkeypatch):
    """A network whose every feature has 1000 times the place added, and refuses other batches."""
    build = network.build

    def with_places(x, names, after=""):
        with tf.control_dependencies([tf.assert_equal(tf.shape(x)[0], BATCH)]):
            places = tf.range(tf.shape(x)[0])
        marks = 1000 * tf.cast(places, tf.float32)[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return {name: value + marks for name, value in build(x, names, after).items()}

    monkeypatch.setattr(network, "build", with_places)
    return network


def places(bottlenecks, photos):
    return list(np.rint(bottlenecks.read(photos)[:, 0] / 1000).astype(int))


def in_order(count):
    return [n % BATCH for n in range(count)]


@pytest.fixture
def photos(photo_folder):
    return scan(photo_folder)


def test_places_follow_from_the_position(marked, photos, tmp_path):
    store = Bottlenecks(marked, None, tmp_path / "store")
    assert places(store, store.add(photos)) == in_order(60)


def test_the_order_of_the_table_is_nothing_to_them(marked, photos, tmp_path):
    store = Bottlenecks(marked, None, tmp_path / "store")
    store.add(photos.sample(frac=1, random_state=3))
    assert places(store, photos) == in_order(60)


def test_what_is_stored_already_does_not_move_the_others(marked, photos, tmp_path):
    store = Bottlenecks(marked, None, tmp_path / "store")
    first = photos.iloc[[7, 21, 22, 40]]
    store.add(first)
    assert places(store, first) == [0, 1, 2, 3]
    store.add(photos)
    others = photos.drop([7, 21, 22, 40])
    assert places(store, others) == [n % BATCH for n in others.index]


def test_photos_that_cannot_be_read_do_not_move_the_others(marked, photos, tmp_path):
    for row, content in ((2, b""), (3, b"no picture"), (30, None)):
        if content is None:
            os.unlink(photos.path[row])
        else:
            with open(photos.path[row], "wb") as file:
                file.write(content)
    os.mkdir(photos.path[30])  # a folder in a photo's place
    listed = scan(os.path.dirname(os.path.dirname(photos.path[0])))
    store = Bottlenecks(marked, None, tmp_path / "store")
    added = store.add(listed)
    assert list(added.index[added.problem != ""]) == [2, 3, 30]
    good = added[added.problem == ""]
    assert places(store, good) == [n % BATCH for n in good.index]


def test_a_photo_that_changed_keeps_its_place(marked, photos, tmp_path):
    with open(photos.path[19], "ab") as file:
        file.write(b"\0")
    store = Bottlenecks(marked, None, tmp_path / "store")
    assert places(store, store.add(photos)) == in_order(60)


def test_a_changed_photo_is_computed_for_the_stores_that_had_it_too(marked, photos, tmp_path):
    Bottlenecks(marked, "conv2", tmp_path / "store").add(photos)
    with open(photos.path[19], "ab") as file:
        file.write(b"\0")
    both = Bottlenecks(marked, "conv2", tmp_path / "store", maps=["pool1"])
    added = both.add(photos)
    assert places(both, added) == in_order(60)
    assert both.rows("pool1", added).shape == (60, 8, 8, 4)


def test_copies_have_places_one_after_another(marked, photos, tmp_path):
    copies = with_copies(photos[:10], 3)
    store = Bottlenecks(marked, None, tmp_path / "store", augmentation=PHOTO_AUGMENTATION)
    assert places(store, store.add(copies)) == in_order(30)


def test_rows_are_equal_to_the_bit_whatever_was_there_before(network, photos, tmp_path):
    whole = Bottlenecks(network, None, tmp_path / "whole", maps=["pool1"])
    whole.add(photos)
    parts = Bottlenecks(network, None, tmp_path / "parts", maps=["pool1"])
    parts.add(photos)
    for store in parts._stores.values():  # every row of some photos is lost
        for path in store.folder.glob("*.features"):
            data = bytearray(path.read_bytes())
            data[len(data) // 4 : len(data) // 2] = bytes(len(data) // 2 - len(data) // 4)
            path.write_bytes(data)
    again = Bottlenecks(network, None, tmp_path / "parts", maps=["pool1"])
    assert 10 < len(again.missing(photos)) < 20
    with pytest.warns(UserWarning, match="have no checksum that fits"):
        again.add(photos)
    np.testing.assert_array_equal(again.read(photos), whole.read(photos))
    np.testing.assert_array_equal(again.rows("pool1", photos)[:], whole.rows("pool1", photos)[:])


def test_in_another_place_a_row_is_equal_to_some_digits(network, photos, tmp_path):
    whole = Bottlenecks(network, None, tmp_path / "whole")
    rows = whole.read(whole.add(photos))
    for first in (1, 5, 8):
        moved = Bottlenecks(network, None, tmp_path / f"from {first}")
        found = moved.read(moved.add(photos[first:]))
        np.testing.assert_allclose(found, rows[first:], rtol=0, atol=1e-5 * np.abs(rows).max())


def test_rows_with_and_without_onednn_are_stored_apart(network, photos, tmp_path, monkeypatch):
    for on in (True, False):
        monkeypatch.setattr("graphnets.features.running.onednn", lambda on=on: on)
        store = Bottlenecks(network, None, tmp_path / "store")
        assert len(store.missing(photos)) == 60
        store.add(photos)
        assert len(list((tmp_path / "store").iterdir())) == (1 if on else 2)
