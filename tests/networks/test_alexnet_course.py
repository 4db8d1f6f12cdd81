"""AlexNet as the traffic-sign course has it: its graph, written out, on its scripts' inputs."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.networks import layers
from graphnets.networks.alexnet import AlexNet


def conv(x, kernel, biases, stride=1, group=1):
    if group == 1:
        y = tf.nn.conv2d(x, kernel, [1, stride, stride, 1], padding="SAME")
    else:
        pairs = zip(tf.split(x, group, 3), tf.split(kernel, group, 3), strict=True)
        y = tf.concat([tf.nn.conv2d(i, k, [1, 1, 1, 1], padding="SAME") for i, k in pairs], 3)
    return tf.nn.relu(tf.nn.bias_add(y, biases))


def lrn(x):
    return tf.nn.local_response_normalization(x, depth_radius=2, alpha=2e-05, beta=0.75, bias=1.0)


def max_pool(x):
    return tf.nn.max_pool(x, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="VALID")


def courses_alexnet(x, net_data, lrn=lrn):
    """fc7 and the probabilities, (n, 4096) and (n, 1000)."""
    maxpool1 = max_pool(lrn(conv(x, *net_data["conv1"], stride=4)))
    maxpool2 = max_pool(lrn(conv(maxpool1, *net_data["conv2"], group=2)))
    conv3 = conv(maxpool2, *net_data["conv3"])
    conv4 = conv(conv3, *net_data["conv4"], group=2)
    maxpool5 = max_pool(conv(conv4, *net_data["conv5"], group=2))
    flat5 = tf.reshape(maxpool5, [-1, int(np.prod(maxpool5.get_shape()[1:]))])
    fc6 = tf.nn.relu(tf.nn.xw_plus_b(flat5, *net_data["fc6"]))
    fc7 = tf.nn.relu(tf.nn.xw_plus_b(fc6, *net_data["fc7"]))
    return fc7, tf.nn.softmax(tf.nn.xw_plus_b(fc7, *net_data["fc8"]))


@pytest.fixture
def net_data(weights):
    """The last layer is small: a probability's digits are those of its logit, times its size."""
    W, b = weights["fc8"]
    return {**weights, "fc8": (W / 200, b)}


def photos(size):
    """Two pictures, smooth as photos are: float32, RGB, 0 to 255."""
    coarse = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    repeats = size // 8 + 1
    return coarse.repeat(repeats, axis=1).repeat(repeats, axis=2)[:, :size, :size]


def less_mean(images):
    return images - images.mean(axis=(1, 2, 3), keepdims=True)


SCRIPTS = {
    "imagenet_inference": less_mean(photos(227)),
    "feature_extraction, traffic_sign_inference": less_mean(photos(32)),
    "train_feature_extraction": photos(32),  # never centred
}


def both(net_data, images, lrn):
    """What AlexNet and the course's graph give: (fc7, probabilities) twice."""
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, (None, *images.shape[1:]))
        resized = x if images.shape[1] == 227 else tf.image.resize_images(x, (227, 227))
        with tf.variable_scope("graphnets", reuse=tf.AUTO_REUSE):
            fc7 = AlexNet(resized, feature_extract=True, weights=net_data)
            probabilities = AlexNet(resized, weights=net_data)
        variables = {v.op.name.rpartition("AlexNet/")[2]: v for v in tf.global_variables()}
        parameters = {name: [variables[f"{name}/{role}"] for role in "Wb"] for name in net_data}
        course = courses_alexnet(resized, parameters, lrn)
        session.run(tf.global_variables_initializer())
        return session.run([(fc7, probabilities), course], {x: images})


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_scripts_get_what_the_courses_graph_gives(net_data, script):
    """To float32's rounding in LRN: the course's own graph is as far from its float64 values."""
    for mine, theirs in zip(*both(net_data, SCRIPTS[script], lrn), strict=True):
        assert np.abs(mine - theirs).max() < 2e-6 * np.abs(theirs).max()
        np.testing.assert_array_equal(mine.argmax(axis=1), theirs.argmax(axis=1))


@pytest.mark.parametrize("script", SCRIPTS)
def test_but_for_lrn_it_is_the_courses_graph(net_data, script):
    """To the bit, where convolution, bias and ReLU round alike in one op and in three."""

    def its_own(x):
        return layers.lrn().build(x, None)

    for mine, theirs in zip(*both(net_data, SCRIPTS[script], its_own), strict=True):
        assert np.abs(mine - theirs).max() < 1e-6 * np.abs(theirs).max()


def test_lrn_is_tensorflows_to_the_last_digits():
    x = np.random.default_rng(0).gamma(1, 100, (2, 9, 9, 256)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        mine, theirs = session.run([layers.lrn().build(tf.constant(x), None), lrn(x)])
    np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def graph_of(build):
    """The output's name, and every op with what it takes."""
    with tf.Graph().as_default() as graph:
        name = build(tf.placeholder(tf.float32, [None, 227, 227, 3])).op.name
        return name, [
            (op.name, op.type, [x.name for x in op.inputs]) for op in graph.get_operations()
        ]


@pytest.mark.parametrize("name", ["features", "images"])
def test_the_courses_name_for_the_pictures_will_do(name):
    found = graph_of(lambda x: AlexNet(**{name: x}, weights="random"))
    assert found == graph_of(lambda x: AlexNet(x, weights="random"))
    found = graph_of(lambda x: AlexNet(**{name: x}, feature_extract=True, weights="random"))
    assert found == graph_of(lambda x: AlexNet(x, True, weights="random"))
    assert found[0] == "AlexNet/fc7/Relu"
