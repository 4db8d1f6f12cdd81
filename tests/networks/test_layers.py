"""Each layer against NumPy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.networks import layers


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(np.float32)


def run(layer, x, **parameters):
    """The layer's output; its parameters are asked for by role and shape."""
    asked = []

    def variable(role, shape):
        asked.append(role)
        assert list(parameters[role].shape) == shape
        return tf.constant(parameters[role])

    with tf.Graph().as_default(), tf.Session() as session:
        y = layer.build(tf.placeholder_with_default(x, [None, *x.shape[1:]]), variable)
        result = session.run(y)
    assert sorted(asked) == sorted(parameters)
    assert y.shape.as_list()[1:] == list(result.shape[1:])
    return result


def windows(x, size, stride):
    """(n, h', w', size, size, c): the windows of a picture, without padding."""
    rows = range(0, x.shape[1] - size + 1, stride)
    columns = range(0, x.shape[2] - size + 1, stride)
    return np.stack(
        [np.stack([x[:, r : r + size, c : c + size] for c in columns], 1) for r in rows], 1
    )


@pytest.mark.parametrize("size, stride", [(3, 1), (3, 2), (1, 1), (5, 3)])
def test_conv(size, stride):
    x, W, b = normal(2, 9, 8, 3), normal(size, size, 3, 4), normal(4)
    raw = np.einsum("nhwijc,ijco->nhwo", windows(x, size, stride), W) + b
    found = run(layers.conv(4, size, stride, "VALID"), x, W=W, b=b)
    assert (found == 0).any() and (found > 0).any()
    np.testing.assert_allclose(found, np.maximum(raw, 0), atol=1e-4)


def test_conv_pads_with_zeros_unless_told():
    x, W, b = normal(1, 5, 5, 2), normal(3, 3, 2, 2), np.ones(2, np.float32)
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    raw = np.einsum("nhwijc,ijco->nhwo", windows(padded, 3, 1), W) + b
    np.testing.assert_allclose(run(layers.conv(2, 3), x, W=W, b=b), np.maximum(raw, 0), atol=1e-5)


@pytest.mark.parametrize(
    "radius, channels", [(2, 96), (2, 3), (1, 7), (2, 256), (16, 144), (17, 144), (2, 130)]
)
def test_lrn_is_the_papers_formula(radius, channels):
    x = 100 * normal(2, 3, 4, channels)
    squares = x.astype(np.float64) ** 2
    sums = np.stack(
        [squares[..., max(0, i - radius) : i + radius + 1].sum(axis=3) for i in range(channels)],
        axis=3,
    )
    found = run(layers.lrn(radius, 1e-3), x)
    np.testing.assert_allclose(found, x / (1 + 1e-3 * sums) ** 0.75, rtol=1e-5)


@pytest.mark.parametrize("channels", [96, 256])
def test_lrn_and_its_gradient_are_those_of_tensorflows_op(channels):
    x, direction = 50 * normal(2, 5, 5, channels), normal(2, 5, 5, channels, seed=1)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(x)
        ours = layers.lrn().build(images, None)
        theirs = tf.nn.local_response_normalization(images, 2, 1.0, 2e-5, 0.75)
        pairs = session.run([ours, theirs])
        gradients = session.run(
            [tf.gradients(y, images, tf.constant(direction))[0] for y in (ours, theirs)]
        )
    assert np.abs(pairs[0] - x).max() > 1  # it does something here
    np.testing.assert_allclose(*pairs, rtol=1e-5)
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


def test_lrn_wants_a_known_number_of_channels():
    with tf.Graph().as_default():
        images = tf.placeholder(tf.float32, [None, 5, 5, None])
        with pytest.raises(ValueError, match="wanted \\(n, height, width, known\\)"):
            layers.lrn().build(images, None)


@pytest.mark.parametrize("size, stride", [(2, 2), (3, 2), (3, 1)])
def test_max_pool_leaves_out_what_no_whole_window_covers(size, stride):
    x = normal(2, 7, 9, 3) - 5  # all below zero: a padded zero would show
    found = run(layers.max_pool(size, stride), x)
    np.testing.assert_array_equal(found, windows(x, size, stride).max(axis=(3, 4)))


@pytest.mark.parametrize("relu", [True, False])
def test_fc_flattens_height_then_width_then_channel(relu):
    x, W, b = normal(3, 2, 4, 5), normal(40, 6), normal(6)
    raw = np.zeros((3, 6))
    for row in range(2):
        for column in range(4):
            for channel in range(5):
                place = (row * 4 + column) * 5 + channel
                raw += np.outer(x[:, row, column, channel], W[place])
    raw += b
    assert (raw < 0).any()
    wanted = np.maximum(raw, 0) if relu else raw
    np.testing.assert_allclose(run(layers.fc(6, relu), x, W=W, b=b), wanted, atol=1e-4)


def test_softmax():
    x = np.array([[0, 0, 0, 0], [1, 2, 3, 4], [1000, 0, 0, 1000]], np.float32)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    found = run(layers.softmax(), x)
    np.testing.assert_allclose(found, e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_kinds():
    made = [layers.conv(1, 1), layers.max_pool(2, 2), layers.fc(1), layers.softmax()]
    assert [layer.kind for layer in made] == ["conv", "max_pool", "fc", "softmax"]


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (layers.fc(2), [None, None, 4, 3], "shape (?, ?, 4, 3), wanted one of a known size"),
        (layers.fc(2), None, "shape <unknown>, wanted one of a known size"),
        (layers.conv(2, 3), None, "shape <unknown>, wanted (n, height, width, known)"),
        (layers.conv(2, 3), [9, 9, 3], "shape (9, 9, 3), wanted (n, height, width, known)"),
        (layers.conv(2, 3), [None, 9, 9, None], "shape (?, 9, 9, ?), wanted (n, height, width, kn"),
    ],
)
def test_an_input_that_a_layer_cannot_take(layer, shape, message):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, shape)
        with pytest.raises(ValueError) as caught:
            layer.build(x, lambda role, shape: tf.zeros(shape))
    # TensorFlow writes an unknown number either way.
    assert str(caught.value).replace("None", "?").startswith(f"got an input of {message}")
