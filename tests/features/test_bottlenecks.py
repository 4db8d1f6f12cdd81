"""Bottlenecks: features and maps are those of each photo alone, stored once, never served stale."""

import itertools
import json
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from world import batches_of, close, maps_of, small_network

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks
from graphnets.features.store import FeatureStore
from graphnets.networks.declared import Declared
from graphnets.networks.layers import fc, max_pool
from graphnets.photos import jpeg
from graphnets.photos.listing import scan
from graphnets.photos.reading import BATCH
from graphnets.weights.drawn import RandomWeights


@pytest.mark.parametrize("endpoint, maps", [("conv9", ()), ("conv2", ["conv9"])])
def test_an_unknown_endpoint_lists_those_there_are(network, tmp_path, endpoint, maps):
    with pytest.raises(GraphnetsError, match="no endpoint 'conv9'.*conv1, pool1, conv2"):
        Bottlenecks(network, endpoint, tmp_path / "store", maps)


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
    photos = scan(photo_folder)
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
    photos = bottlenecks.add(scan(photo_folder))
    left_out = photos[photos.problem != ""].set_index("path").problem.to_dict()
    assert left_out == {
        str(broken): "damaged or cut off",
        str(
            photo_folder / "grass" / "notes.jpg"
        ): "not a JPEG, PNG, BMP, GIF, PPM, WebP, TIFF, AVIF or HEIC picture",
    }
    assert bottlenecks.read(photos[photos.problem == ""]).shape == (60 - 1, 6)


def test_stored_features_are_not_computed_again_wherever_the_photo_lies(
    network, photo_folder, tmp_path
):
    store = tmp_path / "store"
    Bottlenecks(network, "conv2", store).add(scan(photo_folder))
    moved = photo_folder.rename(tmp_path / "elsewhere")
    os.rename(moved / "grass" / "000.jpg", moved / "red_roof" / "renamed.jpeg")
    again = Bottlenecks(network, "conv2", store)
    assert len(again.missing(scan(moved))) == 0
    assert len(Bottlenecks(network, "conv1,conv2", store).missing(scan(moved))) == 60


def test_a_changed_photo_or_weight_file_is_never_served_stale(network, photo_folder, tmp_path):
    store = tmp_path / "store"
    Bottlenecks(network, None, store).add(scan(photo_folder))
    changed = photo_folder / "grass" / "000.jpg"
    changed.write_bytes((photo_folder / "grass" / "001.jpg").read_bytes() + b"\0")
    assert list(Bottlenecks(network, None, store).missing(scan(photo_folder)).path) == [
        str(changed)
    ]
    other = small_network()
    other.fingerprint = "random 2"
    assert len(Bottlenecks(other, None, store).missing(scan(photo_folder))) == 60


def test_the_same_photo_gives_the_same_bits_in_a_batch_of_another_run(
    network, photo_folder, tmp_path
):
    photos = scan(photo_folder)
    whole = Bottlenecks(network, None, tmp_path / "whole")
    whole.add(photos)
    parts = Bottlenecks(network, None, tmp_path / "parts")
    parts.add(photos.iloc[:BATCH])  # what a killed run leaves behind: whole batches
    parts.add(photos)
    np.testing.assert_array_equal(whole.read(photos), parts.read(photos))


def plain_pictures(network, photos):
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        resized = jpeg.resize(jpeg.decode(contents), network.size)
        found = [session.run(resized, {contents: open(p, "rb").read()}) for p in photos.path]
    return np.concatenate(found)


def test_one_pass_over_the_photos_fills_the_stores_of_all_endpoints_and_maps(
    network, photo_folder, tmp_path, passes
):
    bottlenecks = Bottlenecks(network, "conv2,conv1", tmp_path / "store", maps=["pool1", "conv2"])
    photos = bottlenecks.add(scan(photo_folder))
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
    photos = bottlenecks.add(scan(photo_folder))
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
    photos = pooled.add(scan(photo_folder))
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
    photos = both.add(scan(photo_folder))
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
    photos = scan(photo_folder)
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
    photos = scan(photo_folder)
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
    left = 60 if appended < 2 else 60 - BATCH  # whole batches are kept
    assert sorted(passes["run"]) == batches_of(left)
    pool1 = maps_of(network, plain_pictures(network, photos), "pool1")
    close(again.rows("pool1", photos)[:], pool1)
    close(again.read(photos), features_one_by_one(network, photos.path, "conv2"))
    assert [len(store) for store in again._stores.values()] == [60, 60]  # no row twice
