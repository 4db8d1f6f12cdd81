"""Bottlenecks of augmented copies: each has its own, and they are never mixed up."""

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from world import batches_of, close, maps_of

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks, with_copies
from graphnets.photos import augment, jpeg
from graphnets.photos.augmentation import PHOTO_AUGMENTATION, Augmentation
from graphnets.photos.listing import scan


def test_copies_of_a_photo_have_keys_of_their_own():
    photos = pd.DataFrame(
        {"path": ["a", "b"], "label": ["x", "y"], "key": ["12" * 16, "34" * 16], "problem": ""},
        index=[7, 7],
    )
    table = with_copies(photos, 3)
    assert list(table.index) == list(range(6))
    assert list(table.path) == ["a"] * 3 + ["b"] * 3
    assert list(table.label) == ["x"] * 3 + ["y"] * 3
    assert list(table["copy"]) == [1, 2, 3, 1, 2, 3]
    assert list(table.source) == ["12" * 16] * 3 + ["34" * 16] * 3
    assert table.key[4] == hashlib.sha256(b"34" * 16 + b" 2").hexdigest()[:32]
    assert table.key.nunique() == 6
    assert list(with_copies(photos, 2).key) == list(table.key[table["copy"] < 3])
    assert list(photos.columns) == ["path", "label", "key", "problem"]
    assert len(with_copies(photos[:0], 3)) == 0


def test_no_copies_are_an_error():
    with pytest.raises(GraphnetsError, match="got 0 copies of each photo; wanted 1 or more"):
        with_copies(pd.DataFrame({"key": ["12" * 16]}), 0)


BRIGHT = Augmentation(random_brightness=50, flip_left_right=True)


def variants(network, photos, augmentation, seed):
    """Each copy by hand: the photo decoded, the variant drawn and applied."""
    found = []
    with tf.Graph().as_default(), tf.Session() as session:
        contents, transform = tf.placeholder(tf.string, []), tf.placeholder(tf.float32, [2, 3])
        brightness = tf.placeholder(tf.float32, [])
        variant = augment.apply(jpeg.decode(contents), transform, brightness, network.size)
        for photo in photos.itertuples():
            drawn = augment.draw(augmentation, network.size, seed, photo.source, photo.copy)
            feed = {transform: drawn.transform, brightness: drawn.brightness}
            found.append(session.run(variant, feed | {contents: open(photo.path, "rb").read()}))
    return np.concatenate(found)


def test_what_is_stored_of_copies_are_the_values_of_the_variants(
    network, photo_folder, tmp_path, passes
):
    store = Bottlenecks(network, "conv2", tmp_path / "store", ["pool1"], PHOTO_AUGMENTATION, seed=5)
    copies = with_copies(scan(photo_folder)[::3], 3)
    photos = store.add(copies)
    assert sorted(passes["read"]) == sorted(set(photos.path))  # once for all its variants
    assert sorted(passes["run"]) == batches_of(60)
    expected = maps_of(network, variants(network, photos, PHOTO_AUGMENTATION, 5), "conv2")
    close(store.read(photos), expected.mean(axis=(1, 2)))
    assert len(np.unique(store.read(photos), axis=0)) == 60
    pool1 = maps_of(network, variants(network, photos, PHOTO_AUGMENTATION, 5), "pool1")
    close(store.rows("pool1", photos)[[2, 50]], pool1[[2, 50]])


def test_copies_are_the_same_in_every_run_and_more_of_them_keep_the_first(
    network, photo_folder, tmp_path, passes
):
    photos = scan(photo_folder)[:20]
    first = Bottlenecks(network, None, tmp_path / "store", augmentation=PHOTO_AUGMENTATION)
    first.add(with_copies(photos, 2))
    passes["run"].clear()
    again = Bottlenecks(network, None, tmp_path / "store", augmentation=PHOTO_AUGMENTATION)
    again.add(with_copies(photos, 3))
    assert sorted(passes["run"]) == batches_of(20)
    other = Bottlenecks(network, None, tmp_path / "other", augmentation=PHOTO_AUGMENTATION)
    other.add(with_copies(photos, 3)[::-1])
    close(again.read(with_copies(photos, 3)), other.read(with_copies(photos, 3)))


def test_more_copies_of_a_photo_than_a_batch_holds(network, photo_folder, tmp_path, passes):
    store = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    photos = store.add(with_copies(scan(photo_folder)[:3], 70))
    assert sorted(passes["run"]) == batches_of(210)
    assert len(passes["read"]) == 3
    expected = maps_of(network, variants(network, photos, BRIGHT, 0), "conv2")
    close(store.read(photos), expected.mean(axis=(1, 2)))


def test_a_broken_photo_is_reported_for_all_its_copies(network, photo_folder, tmp_path):
    broken = photo_folder / "grass" / "004.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    store = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    photos = store.add(with_copies(scan(photo_folder), 2))
    left_out = photos[photos.problem != ""]
    assert list(left_out.path) == [str(broken)] * 2
    assert list(left_out["copy"]) == [1, 2]
    assert set(left_out.problem) == {"damaged or cut off"}
    assert store.read(photos[photos.problem == ""]).shape == (2 * (60 - 1), 6)


def test_each_photo_and_each_copy_is_a_step_of_the_progress_bar(network, photo_folder, tmp_path):
    broken = photo_folder / "grass" / "004.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    seen = []

    def progress(items, total, desc, unit):
        seen.append([total, desc, unit, 0])
        for item in items:
            seen[-1][3] += 1
            yield item

    photos = scan(photo_folder)
    Bottlenecks(network, None, tmp_path / "store").add(photos, progress)
    augmented = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    augmented.add(with_copies(photos, 2), progress)
    assert seen == [[60, "features", "photos", 60], [120, "features", "photos", 120]]


def test_plain_photos_and_the_variants_of_each_augmentation_and_seed_are_never_mixed(
    network, photo_folder, tmp_path
):
    photos = scan(photo_folder)[:2]
    copies = with_copies(photos, 2)
    plain = Bottlenecks(network, None, tmp_path / "store")
    plain.add(photos)
    for augmentation, seed in ((BRIGHT, 0), (BRIGHT, 1), (PHOTO_AUGMENTATION, 0)):
        bottlenecks = Bottlenecks(
            network, None, tmp_path / "store", augmentation=augmentation, seed=seed
        )
        assert len(bottlenecks.missing(copies)) == 4
        bottlenecks.add(copies)
        (store,) = bottlenecks._stores.values()
        meta = json.loads((store.folder / "store.json").read_text())
        assert (meta["augmentation"], meta["seed"]) == (augmentation.describe(), seed)
    assert len(list((tmp_path / "store").iterdir())) == 4
    off = Bottlenecks(network, None, tmp_path / "store", augmentation=Augmentation(), seed=9)
    np.testing.assert_array_equal(off.read(photos), plain.read(photos))


def test_copies_and_augmentation_belong_together(network, photo_folder, tmp_path):
    photos = scan(photo_folder)
    augmented = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    with pytest.raises(GraphnetsError, match="got photos without copies for an augmentation; want"):
        augmented.add(photos)
    with pytest.raises(GraphnetsError, match="got copies of photos and no augmentation that is on"):
        Bottlenecks(network, None, tmp_path / "store").add(with_copies(photos, 2))
