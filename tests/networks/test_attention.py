"""Grad-CAM: what the paper's equations give, written out, and finding the map in a graph."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from world import deep_network, maps_of, pictures, values

from graphnets.errors import GraphnetsError
from graphnets.networks.attention import chosen_map, grad_cam, logits_of, maps_between

RANDOM = np.random.default_rng(4)
MAPS = RANDOM.standard_normal((3, 4, 5, 6)).astype(np.float32)
W = RANDOM.standard_normal((4 * 5 * 6, 7)).astype(np.float32)
V = RANDOM.standard_normal((7, 4)).astype(np.float32)


def by_hand(classes):
    """Equations 1 and 2 for logits = relu(flat maps @ W) @ V, whose gradient is known."""
    found = []
    for maps, label in zip(MAPS, classes, strict=True):
        active = maps.reshape(-1) @ W > 0
        gradient = (W @ (active * V[:, label])).reshape(maps.shape)
        weights = [gradient[:, :, k].sum() / (4 * 5) for k in range(6)]
        heat = sum(weight * maps[:, :, k] for k, weight in enumerate(weights))
        found.append(np.maximum(heat, 0))
    return np.array(found)


def of_maps(classes, feeds=None):
    """What `grad_cam` gives for MAPS; the logits."""
    maps = tf.placeholder(tf.float32, [None, 4, 5, 6])
    logits = tf.nn.relu(tf.reshape(maps, [-1, 120]) @ tf.constant(W)) @ tf.constant(V)
    heat = grad_cam(logits, maps, classes)
    with tf.Session() as session:
        return session.run([heat, logits], {maps: MAPS, **(feeds or {})})


@pytest.mark.parametrize("classes", [[2, 2, 2], [0, 3, 1]])
@pytest.mark.parametrize("how", ["number", "list", "placeholder"])
def test_it_is_what_the_paper_says(classes, how):
    with tf.Graph().as_default():
        given, feeds = classes, {}
        if how == "number":
            given = classes = 3 * [classes[1]]
            given = classes[0]
            classes = 3 * [given]
        elif how == "placeholder":
            given = tf.placeholder(tf.int32, [None])
            feeds = {given: classes}
        heat, _ = of_maps(given, feeds)
    assert heat.dtype == np.float32 and heat.shape == (3, 4, 5)
    assert (heat == 0).any() and (heat > 0.1).any()
    np.testing.assert_allclose(heat, by_hand(classes), rtol=1e-4, atol=1e-5)


def test_without_a_class_it_is_of_the_likeliest():
    with tf.Graph().as_default():
        heat, logits = of_maps(None)
    likeliest = logits.argmax(1)
    assert len(set(likeliest)) > 1
    np.testing.assert_allclose(heat, by_hand(likeliest), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("label", [0, 6])
def test_its_weights_are_what_a_small_step_in_a_channel_is_worth(label):
    """A whole network behind the map, by differences, without any gradient."""
    network, step = deep_network(), 1e-3
    maps = maps_of(network, pictures(1), "conv2")[0]
    steps = step * np.eye(maps.shape[2], dtype=np.float32)[:, np.newaxis, np.newaxis]
    more, less = (values(network, maps + s, ["fc8"], "conv2")[0][:, label] for s in (steps, -steps))
    weights = (more - less) / (2 * step) / (maps.shape[0] * maps.shape[1])
    expected = maps @ weights
    with tf.Graph().as_default(), tf.Session() as session:
        photos = tf.placeholder(tf.float32, [None, 16, 16, 3])
        endpoints = network.build(photos, ["conv2", "fc8"])
        heat = grad_cam(endpoints["fc8"], endpoints["conv2"], label)
        session.run(tf.global_variables_initializer())
        [found] = session.run(heat, {photos: pictures(1)})
    largest = np.abs(expected).max()
    assert found.max() > 0.1 * largest > 0
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=0.03 * largest)


def test_a_photo_does_not_depend_on_those_beside_it():
    with tf.Graph().as_default():
        maps = tf.placeholder(tf.float32, [None, 4, 5, 6])
        logits = tf.nn.relu(tf.reshape(maps, [-1, 120]) @ tf.constant(W)) @ tf.constant(V)
        heat = grad_cam(logits, maps, 1)
        with tf.Session() as session:
            together = session.run(heat, {maps: MAPS})
            alone = [session.run(heat, {maps: one[np.newaxis]})[0] for one in MAPS]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


def test_a_class_that_is_not_there_fails_as_it_runs():
    with tf.Graph().as_default():
        number = tf.placeholder(tf.int64, [None])
        with pytest.raises(tf.errors.InvalidArgumentError):
            of_maps(number, {number: [0, 1, 4]})


@pytest.mark.parametrize(
    "wrap",
    [
        tf.nn.softmax,
        tf.nn.sigmoid,
        lambda x: tf.identity(tf.reshape(tf.nn.softmax(x), [-1, 4])),
        lambda x: tf.cast(tf.nn.softmax(x), tf.float64),
    ],
)
def test_logits_are_what_the_softmax_or_sigmoid_takes(wrap):
    with tf.Graph().as_default():
        logits = tf.nn.bias_add(tf.placeholder(tf.float32, [None, 4]), tf.zeros(4))
        assert logits_of(wrap(logits)) is logits
        assert logits_of(logits) is logits


def two_towers():
    """A photo to 6 logits by two maps, put side by side, and a last map of one place."""
    photos = tf.placeholder(tf.float32, [None, 8, 8, 3], "photos")
    scaled = photos / 255
    first = tf.nn.relu(tf.nn.conv2d(scaled, tf.ones([3, 3, 3, 4]), 2, "SAME"), name="a/conv")
    second = tf.nn.relu(tf.nn.conv2d(first, tf.ones([3, 3, 4, 5]), 1, "SAME"), name="b/c/conv")
    tf.nn.relu(second, name="b/beside")  # leads nowhere
    small = tf.nn.conv2d(tf.reduce_mean(second, [1, 2], keepdims=True), tf.ones([1, 1, 5, 5]), 1,
                         "SAME")  # fmt: skip
    first = tf.ensure_shape(tf.identity(first), [None, 4, 4, 4], name="d_1/EnsureShape")
    features = tf.concat([tf.reduce_mean(first, [1, 2]), tf.squeeze(small, [1, 2])], 1)
    return photos, tf.matmul(features, tf.ones([9, 6]), name="logits")


@pytest.mark.parametrize(
    "layer, expected",
    [(None, "b/c/conv"), ("", "b/c/conv"), ("a", "a/conv"), ("a/conv", "a/conv"), ("c", "b/c/conv"),
     ("a/conv:0", "a/conv"), ("b", "b/c/conv"),
     ("d", "d_1/EnsureShape"), ("d_1", "d_1/EnsureShape")],
)  # fmt: skip
def test_the_last_map_is_found_or_the_one_that_is_named(layer, expected):
    with tf.Graph().as_default():
        photos, logits = two_towers()
        names = [tensor.op.name for tensor in maps_between(photos, logits)]
        assert [name for name in names if "conv" in name] == ["a/conv", "b/c/conv"]
        assert "truediv" not in names  # pixels
        assert chosen_map(photos, logits, layer, "x.pb").op.name == expected


def test_a_map_that_is_not_there_lists_those_that_are():
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        chosen_map(*two_towers(), "conv5", "x.pb")
    assert str(caught.value) == (
        "x.pb has no map 'conv5' that leads to logits:0; the last of its 6 are Conv2D, a/conv, "
        "Conv2D_1, b/c/conv, Identity, d_1/EnsureShape"
    )


def test_a_graph_without_convolutions_has_no_map():
    with tf.Graph().as_default():
        photos = tf.placeholder(tf.float32, [None, 8, 8, 3], "photos")
        logits = tf.matmul(tf.reshape(photos * 2, [-1, 192]), tf.ones([192, 2]), name="logits")
        with pytest.raises(
            GraphnetsError, match="^x.pb has no map of a convolution between photos:0 and logits:0"
        ):
            chosen_map(photos, logits, None, "x.pb")


def test_an_op_without_a_gradient_is_named():
    with tf.Graph().as_default():
        maps = tf.placeholder(tf.float32, [None, 4, 4, 3], "maps")
        padded = tf.raw_ops.FusedPadConv2D(
            input=maps, paddings=tf.zeros([4, 2], tf.int32), filter=tf.ones([3, 3, 3, 2]),
            mode="REFLECT", strides=[1, 1, 1, 1], padding="VALID",
        )  # fmt: skip
        with pytest.raises(
            GraphnetsError, match="^no gradient leads from Mean:0 to maps:0: .*FusedPadConv2D"
        ):
            grad_cam(tf.reduce_mean(padded, [1, 2]), maps, 0)


def test_another_graph_than_the_default_is_told():
    with tf.Graph().as_default():
        photos, logits = two_towers()
    with tf.Graph().as_default(), pytest.raises(
        GraphnetsError, match="logits is of another graph than the default; call grad_cam under"
    ):  # fmt: skip
        grad_cam(logits, photos, 0)
