import hashlib
import itertools
import json
import os

import numpy as np
import pandas as pd
import pytest
import tensorflow.compat.v1 as tf
from conftest import small_network

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks, endpoint_names, features, with_copies
from graphnets.features.store import FeatureStore
from graphnets.networks.declared import Declared
from graphnets.networks.layers import fc, max_pool
from graphnets.photos import augment, images, jpeg
from graphnets.photos.augmentation import PHOTO, Augmentation
from graphnets.photos.reading import BATCH, ahead
from graphnets.weights.arrays import RandomWeights


def test_endpoint_names_are_split_at_commas_and_lose_their_output_number(network):
    assert endpoint_names(network, "conv1, mixed_7/join:0") == ["conv1", "mixed_7/join"]
    assert endpoint_names(network, None) == endpoint_names(network, "") == ["conv2"]
    assert endpoint_names(network, ("conv1", "a,b:0")) == ["conv1", "a,b"]
    assert endpoint_names(network, []) == []


@pytest.mark.parametrize("text", ["conv1,", "conv1,conv1", "conv1,conv1:0", ","])
def test_an_endpoint_named_twice_or_not_at_all_is_refused(network, text):
    with pytest.raises(GraphnetsError, match="wanted different names, with commas between them"):
        endpoint_names(network, text)


def test_maps_are_averaged_over_height_and_width_or_kept_and_so_are_vectors():
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        mean, whole, vector, vector_whole = session.run(
            [
                features("map", tf.constant(x)),
                features("map", tf.constant(x), whole=True),
                features("vector", tf.constant(x[:, 0, 0])),
                features("vector", tf.constant(x[:, 0, 0]), whole=True),
            ]
        )
    np.testing.assert_allclose(mean, x.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(whole, x)
    np.testing.assert_array_equal(vector, x[:, 0, 0])
    np.testing.assert_array_equal(vector_whole, x[:, 0, 0])


@pytest.mark.parametrize(
    ("dtype", "shape", "got"),
    [(tf.float32, [2, 3, 4], r"float32 \(2, 3, 4\)"), (tf.int32, [2, 4], r"int32 \(2, 4\)")],
)
def test_an_endpoint_that_is_neither_map_nor_vector_is_refused(dtype, shape, got):
    with tf.Graph().as_default():
        wanted = f"the endpoint 'odd' is {got}; wanted float32 .n, features. or .n, height, width,"
        with pytest.raises(GraphnetsError, match=wanted):
            features("odd", tf.placeholder(dtype, shape))


def test_an_unknown_endpoint_lists_those_there_are(network, photo_folder, tmp_path):
    bottlenecks = Bottlenecks(network, "conv9", tmp_path / "store")
    with pytest.raises(GraphnetsError, match="no endpoint 'conv9'.*conv1, pool1, conv2"):
        bottlenecks.add(images.scan(photo_folder))


def features_one_by_one(network, paths, endpoint):
    """Each photo alone through the graph, no store and no batch."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        resized = jpeg.resize(jpeg.decode(contents), network.size)
        tensor = network.build(resized, [endpoint])[endpoint]
        session.run(tf.global_variables_initializer())
        maps = [session.run(tensor, {contents: open(path, "rb").read()})[0] for path in paths]
    return np.stack([map_.mean(axis=(0, 1)) for map_ in maps])


def test_features_are_those_of_each_photo_alone(network, photo_folder, tmp_path):
    photos = images.scan(photo_folder)
    bottlenecks = Bottlenecks(network, "conv1,conv2", tmp_path / "store")
    photos = bottlenecks.add(photos)
    found = bottlenecks.read(photos)
    assert found.shape == (60, 10) and found.dtype == np.float32
    for columns, endpoint in ((slice(0, 4), "conv1"), (slice(4, 10), "conv2")):
        expected = features_one_by_one(network, photos.path, endpoint)
        np.testing.assert_allclose(found[:, columns], expected, rtol=1e-5, atol=1e-6)


def test_a_broken_photo_is_left_out_with_its_reason_and_the_others_go_on(
    network, photo_folder, tmp_path
):
    broken = photo_folder / "grass" / "004.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    (photo_folder / "grass" / "notes.jpg").write_text("not a picture")
    bottlenecks = Bottlenecks(network, None, tmp_path / "store")
    photos = bottlenecks.add(images.scan(photo_folder))
    left_out = photos[photos.problem != ""].set_index("path").problem.to_dict()
    assert left_out == {
        str(broken): "damaged or cut off",
        str(photo_folder / "grass" / "notes.jpg"): "not a JPEG, PNG, BMP, GIF, PPM or WebP picture",
    }
    assert bottlenecks.read(photos[photos.problem == ""]).shape == (60 - 1, 6)


def test_stored_features_are_not_computed_again_wherever_the_photo_lies(
    network, photo_folder, tmp_path
):
    store = tmp_path / "store"
    Bottlenecks(network, "conv2", store).add(images.scan(photo_folder))
    moved = photo_folder.rename(tmp_path / "elsewhere")
    os.rename(moved / "grass" / "000.jpg", moved / "red_roof" / "renamed.jpeg")
    again = Bottlenecks(network, "conv2", store)
    assert len(again.missing(images.scan(moved))) == 0
    assert len(Bottlenecks(network, "conv1,conv2", store).missing(images.scan(moved))) == 60


def test_a_changed_photo_or_weight_file_is_never_served_stale(network, photo_folder, tmp_path):
    store = tmp_path / "store"
    Bottlenecks(network, None, store).add(images.scan(photo_folder))
    changed = photo_folder / "grass" / "000.jpg"
    changed.write_bytes((photo_folder / "grass" / "001.jpg").read_bytes() + b"\0")
    assert list(Bottlenecks(network, None, store).missing(images.scan(photo_folder)).path) == [
        str(changed)
    ]
    other = small_network()
    other.fingerprint = "random 2"
    assert len(Bottlenecks(other, None, store).missing(images.scan(photo_folder))) == 60


def test_the_same_photo_gives_the_same_bits_in_a_batch_of_another_run(
    network, photo_folder, tmp_path
):
    photos = images.scan(photo_folder)
    whole = Bottlenecks(network, None, tmp_path / "whole")
    whole.add(photos)
    parts = Bottlenecks(network, None, tmp_path / "parts")
    parts.add(photos.iloc[:BATCH])  # what a killed run leaves behind: whole batches
    parts.add(photos)
    np.testing.assert_array_equal(whole.read(photos), parts.read(photos))


def batches_of(count):
    """The sizes of the batches that so many photos run in, the last one first."""
    return sorted(min(BATCH, count - start) for start in range(0, count, BATCH))


@pytest.fixture
def passes(network, monkeypatch):
    """Lists of the files "read", the sizes of the batches "run", the endpoints of each "build"."""
    seen = {"read": [], "run": [], "build": []}
    contents, build = images.contents, network.build

    def reading(path):
        seen["read"].append(path)
        return contents(path)

    def counted(x, names):
        seen["build"].append(names)

        def count(batch):
            seen["run"].append(len(batch))
            return batch

        return build(tf.ensure_shape(tf.numpy_function(count, [x], tf.float32), x.shape), names)

    monkeypatch.setattr(images, "contents", reading)
    monkeypatch.setattr(network, "build", counted)
    return seen


def maps_of(network, pictures, endpoint):
    """An endpoint's values for pictures (n, height, width, 3), straight from the network."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, *network.size, 3])
        tensor = network.build(x, [endpoint])[endpoint]
        session.run(tf.global_variables_initializer())
        return session.run(tensor, {x: pictures})


def plain_pictures(network, photos):
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        resized = jpeg.resize(jpeg.decode(contents), network.size)
        found = [session.run(resized, {contents: open(p, "rb").read()}) for p in photos.path]
    return np.concatenate(found)


def close(found, expected):
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_one_pass_over_the_photos_fills_the_stores_of_all_endpoints_and_maps(
    network, photo_folder, tmp_path, passes
):
    bottlenecks = Bottlenecks(network, "conv2,conv1", tmp_path / "store", maps=["pool1", "conv2"])
    photos = bottlenecks.add(images.scan(photo_folder))
    assert sorted(passes["read"]) == sorted(photos.path)
    assert sorted(passes["run"]) == batches_of(60)
    assert len(bottlenecks.missing(photos)) == 0
    pictures = plain_pictures(network, photos)
    chosen = [59, 3, 3, 17]
    for name, shape in (("pool1", (8, 8, 4)), ("conv2", (8, 8, 6))):
        rows = bottlenecks.rows(name, photos)
        assert len(rows) == 60 and rows.shape == (60, *shape)
        close(rows[chosen], maps_of(network, pictures, name)[chosen])
    conv2, conv1 = (rows[:] for rows in bottlenecks.each(photos))
    np.testing.assert_array_equal(bottlenecks.read(photos), np.hstack([conv2, conv1]))
    close(conv2, bottlenecks.rows("conv2", photos)[:].mean(axis=(1, 2)))


def test_maps_alone_are_stored_where_no_endpoint_is_wanted(network, photo_folder, tmp_path):
    bottlenecks = Bottlenecks(network, [], tmp_path / "store", maps=("pool1:0",))
    photos = bottlenecks.add(images.scan(photo_folder))
    assert [path.name[:11] for path in (tmp_path / "store").iterdir()] == ["small-pool1"]
    assert bottlenecks.read(photos).shape == (60, 0)
    assert bottlenecks.rows("pool1", photos).shape == bottlenecks.rows("pool1:0", photos).shape
    with pytest.raises(
        GraphnetsError, match="no map 'conv2' among those stored whole, pool1; name"
    ):
        bottlenecks.rows("conv2", photos)


def test_a_map_that_is_wanted_later_does_not_store_the_rest_again(
    network, photo_folder, tmp_path, passes
):
    pooled = Bottlenecks(network, "conv2", tmp_path / "store")
    photos = pooled.add(images.scan(photo_folder))
    (folder,) = (tmp_path / "store").iterdir()
    files = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    both = Bottlenecks(network, "conv2", tmp_path / "store", maps=["pool1"])
    assert len(both.missing(photos)) == 60
    both.add(photos)
    assert sorted(passes["run"]) == sorted(2 * batches_of(60))
    assert passes["build"] == [["conv2"], ["pool1"]]  # the second goes no further than it must
    assert files == {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    close(both.rows("pool1", photos)[:], maps_of(network, plain_pictures(network, photos), "pool1"))
    np.testing.assert_array_equal(both.read(photos), pooled.read(photos))


def test_a_vector_has_one_store_pooled_or_not(photo_folder, tmp_path):
    rows = (("pool", max_pool(4, 4)), ("fc", fc(5, maps=4)))
    small = Declared("dense", "Dense", rows, (16, 16), lambda x: x / 255, "fc")
    network = small.network(RandomWeights(small.shapes(), seed=1), "random 1")
    layers, calls = network.layers, []
    network.layers = lambda: calls.append(1) or layers()
    both = Bottlenecks(network, "fc", tmp_path / "store", maps=["fc", "pool"])
    photos = both.add(images.scan(photo_folder))
    assert calls == [1]
    assert len(list((tmp_path / "store").iterdir())) == 2
    assert both.rows("fc", photos).shape == (60, 5)
    np.testing.assert_array_equal(both.rows("fc", photos)[:], both.read(photos))
    later = Bottlenecks(network, "fc", tmp_path / "store")
    assert len(later.missing(photos)) == 0
    np.testing.assert_array_equal(later.read(photos), both.read(photos))


def test_stores_of_before_there_were_maps_are_still_found(network, photo_folder, tmp_path):
    identity = {
        "network": "small",
        "weights": "random 1",
        "endpoint": "conv2",
        "preprocessing": "decode_jpeg, upright, bilinear (16, 16)",
    }
    photos = images.scan(photo_folder)
    values = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    old = FeatureStore(tmp_path, identity)
    old.append(list(photos.key), values)
    old.close()
    assert old.folder.name == "small-conv2-a474e92cc1875727"
    description = old.folder / "store.json"
    meta = json.loads(description.read_text())
    del meta["shape"]
    description.write_text(json.dumps(meta))
    found = Bottlenecks(network, None, tmp_path, maps=["pool1"])
    np.testing.assert_array_equal(found.read(photos), values)
    np.testing.assert_array_equal(found.add(photos).problem, "")
    np.testing.assert_array_equal(found.read(photos), values)


class Killed(BaseException):
    """What nothing catches, as a kill."""


@pytest.mark.parametrize("appended", range(4))
def test_a_kill_between_two_stores_loses_and_mixes_up_nothing(
    network, photo_folder, tmp_path, passes, monkeypatch, appended
):
    photos = images.scan(photo_folder)
    append, calls = FeatureStore.append, itertools.count()

    def killed(store, keys, rows):
        if next(calls) == appended:
            raise Killed
        append(store, keys, rows)

    monkeypatch.setattr(FeatureStore, "append", killed)
    with pytest.raises(Killed):
        Bottlenecks(network, "conv2", tmp_path / "store", maps=["pool1"]).add(photos)
    monkeypatch.setattr(FeatureStore, "append", append)
    passes["run"].clear()
    again = Bottlenecks(network, "conv2", tmp_path / "store", maps=["pool1"])
    again.add(photos)
    assert sum(passes["run"]) == (60 if appended < 2 else 60 - BATCH)  # whole batches are kept
    pool1 = maps_of(network, plain_pictures(network, photos), "pool1")
    close(again.rows("pool1", photos)[:], pool1)
    close(again.read(photos), features_one_by_one(network, photos.path, "conv2"))
    assert [len(store) for store in again._stores.values()] == [60, 60]  # no row twice


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
    store = Bottlenecks(network, "conv2", tmp_path / "store", ["pool1"], PHOTO, seed=5)
    copies = with_copies(images.scan(photo_folder)[::3], 3)
    photos = store.add(copies)
    assert sorted(passes["read"]) == sorted(set(photos.path))  # once for all its variants
    assert sorted(passes["run"]) == batches_of(60)
    expected = maps_of(network, variants(network, photos, PHOTO, 5), "conv2")
    close(store.read(photos), expected.mean(axis=(1, 2)))
    assert len(np.unique(store.read(photos), axis=0)) == 60
    pool1 = maps_of(network, variants(network, photos, PHOTO, 5), "pool1")
    close(store.rows("pool1", photos)[[2, 50]], pool1[[2, 50]])


def test_copies_are_the_same_in_every_run_and_more_of_them_keep_the_first(
    network, photo_folder, tmp_path, passes
):
    photos = images.scan(photo_folder)[:20]
    first = Bottlenecks(network, None, tmp_path / "store", augmentation=PHOTO)
    first.add(with_copies(photos, 2))
    passes["run"].clear()
    again = Bottlenecks(network, None, tmp_path / "store", augmentation=PHOTO)
    again.add(with_copies(photos, 3))
    assert sorted(passes["run"]) == batches_of(20)
    other = Bottlenecks(network, None, tmp_path / "other", augmentation=PHOTO)
    other.add(with_copies(photos, 3)[::-1])
    close(again.read(with_copies(photos, 3)), other.read(with_copies(photos, 3)))


def test_more_copies_of_a_photo_than_a_batch_holds(network, photo_folder, tmp_path, passes):
    store = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    photos = store.add(with_copies(images.scan(photo_folder)[:3], 70))
    assert sorted(passes["run"]) == batches_of(210)
    assert len(passes["read"]) == 3
    expected = maps_of(network, variants(network, photos, BRIGHT, 0), "conv2")
    close(store.read(photos), expected.mean(axis=(1, 2)))


def test_a_broken_photo_is_reported_for_all_its_copies(network, photo_folder, tmp_path):
    broken = photo_folder / "grass" / "004.jpg"
    broken.write_bytes(broken.read_bytes()[:-200])
    store = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    photos = store.add(with_copies(images.scan(photo_folder), 2))
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

    photos = images.scan(photo_folder)
    Bottlenecks(network, None, tmp_path / "store").add(photos, progress)
    augmented = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    augmented.add(with_copies(photos, 2), progress)
    assert seen == [[60, "features", "photos", 60], [120, "features", "photos", 120]]


def test_plain_photos_and_the_variants_of_each_augmentation_and_seed_are_never_mixed(
    network, photo_folder, tmp_path
):
    photos = images.scan(photo_folder)[:2]
    copies = with_copies(photos, 2)
    plain = Bottlenecks(network, None, tmp_path / "store")
    plain.add(photos)
    for augmentation, seed in ((BRIGHT, 0), (BRIGHT, 1), (PHOTO, 0)):
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
    photos = images.scan(photo_folder)
    augmented = Bottlenecks(network, None, tmp_path / "store", augmentation=BRIGHT)
    with pytest.raises(GraphnetsError, match="got photos without copies for an augmentation; want"):
        augmented.add(photos)
    with pytest.raises(GraphnetsError, match="got copies of photos and no augmentation that is on"):
        Bottlenecks(network, None, tmp_path / "store").add(with_copies(photos, 2))


def test_threads_work_ahead_in_order_but_not_without_end():
    started = []

    def work(item):
        started.append(item)
        if item == 3:
            raise ValueError("three")
        return item * item

    results = ahead(iter(range(10_000)), work)
    found = [next(results) for _ in range(10)]
    assert [item for item, _ in found] == list(range(10))
    assert [result() for item, result in found if item != 3] == [0, 1, 4, 16, 25, 36, 49, 64, 81]
    with pytest.raises(ValueError, match="three"):
        found[3][1]()
    results.close()
    assert len(started) <= 10 + 2 * BATCH


def test_fewer_items_are_in_hand_where_each_is_larger():
    started = []
    results = ahead(iter(range(100)), started.append, in_hand=3)
    next(results)
    results.close()
    assert len(started) <= 3
