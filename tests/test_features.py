import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets import images, jpeg
from graphnets.errors import GraphnetsError
from graphnets.features import BATCH, Bottlenecks, ahead, endpoint_names, pooled


def test_endpoint_names_are_split_at_commas_and_lose_their_output_number(network):
    assert endpoint_names(network, "conv1, mixed_7/join:0") == ["conv1", "mixed_7/join"]
    assert endpoint_names(network, None) == ["conv2"]


@pytest.mark.parametrize("text", ["conv1,", "conv1,conv1", "conv1,conv1:0", ","])
def test_an_endpoint_named_twice_or_not_at_all_is_refused(network, text):
    with pytest.raises(GraphnetsError, match="wanted different names, with commas between them"):
        endpoint_names(network, text)


def test_maps_are_averaged_over_height_and_width_and_vectors_are_kept(network):
    x = np.random.default_rng(0).uniform(0, 255, (2, 16, 16, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        resized = tf.placeholder(tf.float32, [None, 16, 16, 3])
        endpoints = network.build(resized, [])
        maps = endpoints["conv1"]
        vector = tf.reshape(maps, [-1, 16 * 16 * 4])
        with_vector = lambda images, names: {"conv1": maps, "flat": vector}  # noqa: E731
        found = pooled(network.__class__(**{**vars(network), "build": with_vector}), resized,
                       ["conv1", "flat"])  # fmt: skip
        session.run(tf.global_variables_initializer())
        conv1, mean, flat = session.run([maps, *found], {resized: x})
    np.testing.assert_allclose(mean, conv1.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_array_equal(flat, conv1.reshape(2, -1))


def test_an_unknown_endpoint_lists_those_there_are(network, photo_folder, tmp_path):
    bottlenecks = Bottlenecks(network, "conv9", tmp_path / "store")
    with pytest.raises(GraphnetsError, match="no endpoint 'conv9'.*conv1, pool1, conv2"):
        bottlenecks.add(images.scan(photo_folder))


def features_one_by_one(network, paths, endpoint):
    """Each photo alone through the graph, no store and no batch."""
    with tf.Graph().as_default(), tf.Session() as session:
        contents = tf.placeholder(tf.string, [])
        tensor = network.build(jpeg.resize(jpeg.decode(contents), network.size), [])[endpoint]
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
    other = network.__class__(**{**vars(network), "fingerprint": "random 2"})
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
