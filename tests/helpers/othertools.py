"""Graphs of other tools that classify photos, of whatever they take and give."""

import numpy as np
import tensorflow.compat.v1 as tf
from tiny import LABELS

from graphnets.classifier import export
from graphnets.classifier.options import InputOptions
from graphnets.classifier.predict import Classifier


def write_graph(folder, build):
    """Another tool's graph: what `build` adds to the default graph. Returns its path."""
    with tf.Graph().as_default() as graph:
        build()
        export.write_graph(folder / "other.pb", graph.as_graph_def())
    export.write_labels(folder / "labels.txt", LABELS)
    return folder / "other.pb"


MATRIX = np.random.default_rng(8).standard_normal((12 * 10 * 3, 3)).astype(np.float32)


def of_floats(shape, dtype=tf.float32):
    """A placeholder for pictures of 12 x 10, and a softmax that no two pixels enter alike."""

    def build():
        picture = tf.placeholder(dtype, shape, "input")
        flat = tf.reshape(tf.cast(picture, tf.float32), [-1, 12 * 10 * 3])
        tf.nn.softmax(flat @ tf.constant(MATRIX), name="softmax")

    return build


def other(folder, build, **options):
    options = {"input_layer": "input", "output_layer": "softmax", **options}
    return Classifier(write_graph(folder, build), folder / "labels.txt", InputOptions(**options))


def of_bytes(contents):
    """The averages of the three channels, as a softmax; contents: makes the input."""

    def build():
        image = tf.image.decode_jpeg(contents(), channels=3, name="DecodeJpeg")
        averages = tf.reduce_mean(tf.cast(image, tf.float32), [0, 1]) / 255
        tf.nn.softmax(averages[tf.newaxis], name="softmax")

    return build
