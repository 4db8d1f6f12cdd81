"""Which pictures AlexNet takes, and what shapes they become."""

import re

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from alexnets import NAMES, photos, shapes_of

from graphnets.errors import GraphnetsError
from graphnets.networks.alexnet import AlexNet


@pytest.mark.parametrize(
    "size, reading, heights",
    [
        (227, "course", [57, 57, 28, 28, 28, 13, 13, 13, 13, 6]),
        (224, "course", [56, 56, 27, 27, 27, 13, 13, 13, 13, 6]),
        (227, "caffe", [55, 55, 27, 27, 27, 13, 13, 13, 13, 6]),
        (None, "course", [None] * 10),
        (None, "caffe", [None] * 10),
    ],
)
@pytest.mark.parametrize("batch", [None, 5])
def test_names_and_shapes(size, reading, heights, batch):
    channels = [96, 96, 96, 256, 256, 256, 384, 384, 256, 256]
    with tf.Graph().as_default():
        found = shapes_of(tf.placeholder(tf.float32, [batch, size, size, 3]), reading=reading)
    assert list(found) == NAMES
    maps = [[batch, h, h, c] for h, c in zip(heights, channels, strict=True)]
    assert list(found.values())[:10] == maps
    assert [found[name] for name in NAMES[10:]] == [
        [batch, 4096], [batch, 4096], [batch, 1000], [batch, 1000],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reading, until, size, wanted",
    [
        ("course", "", 32, "AlexNet up to prob got pictures of 32 x 32, wanted 217 to 248 pixels"),
        ("course", "", 249, "wanted 217 to 248 pixels"),
        ("caffe", "", 224, "wanted 227 to 258 pixels"),
        ("course", "conv5", 24, "AlexNet up to conv5 got pictures of 24 x 24, wanted 25 x 25 or"),
        ("caffe", "conv5", 34, "wanted 35 x 35 or more"),
        ("course", "pool5", 56, "wanted 57 x 57 or more"),
    ],
)
def test_a_size_that_does_not_do_names_those_that_do(reading, until, size, wanted):
    with tf.Graph().as_default():
        shape = [None, size, size, 3]
        with pytest.raises(GraphnetsError, match=re.escape(wanted)):
            shapes_of(tf.placeholder(tf.float32, shape), reading=reading, until=until)
        assert not tf.global_variables()
        for near in map(int, re.findall(r"\d+", wanted.partition("wanted")[2])):
            images = tf.placeholder(tf.float32, [None, near, near, 3])
            assert shapes_of(images, reading=reading, until=until)


def test_a_size_known_only_at_the_run_is_checked_there(weights):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.placeholder(tf.float32, [None, None, None, 3])
        fc7 = AlexNet(images, feature_extract=True, weights=weights)
        session.run(tf.global_variables_initializer())
        # 4 x 9 x 1024 values would make one row of fc6, of four photos.
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected shape"):
            session.run(fc7, {images: photos(4, 120)})


def test_a_reading_that_nobody_knows():
    with pytest.raises(GraphnetsError, match="^no reading 'bgr' of AlexNet; wanted course or caf"):
        AlexNet(photos(), reading="bgr")


@pytest.mark.parametrize("images", [tf.constant(photos(1, 30)), photos(1, 30)])
def test_eager_calls_are_told_what_to_do(images):
    with pytest.raises(GraphnetsError, match="AlexNet builds a graph, and got eager tensors or "):
        AlexNet(images)


def test_an_eager_tensor_inside_a_graph_too():
    eager = tf.constant(photos(1, 30))
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match="call it under `with tf.Gr"):
        AlexNet(eager)


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((1, 227, 227, 3), np.uint8), "got uint8 images of the shape (1, 227, 227, 3)"),
        (np.zeros((227, 227, 3), np.float32), "got float32 images of the shape (227, 227, 3)"),
        (
            np.zeros((1, 227, 227, 1), np.float32),
            "got float32 images of the shape (1, 227, 227, 1)",
        ),
    ],
)
def test_images_of_another_kind(images, message):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=re.escape(message)):
        AlexNet(images)
