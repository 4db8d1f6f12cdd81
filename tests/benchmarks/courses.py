"""The graphs of tutorials and of the traffic-sign course, in the TF1 that these are written in.

No graphnets here, and no setting of TensorFlow that the environment does not have.
"""

import time
from math import prod

import numpy as np
import tensorflow.compat.v1 as tf

from tests.benchmarks.contender import (
    PREPARATIONS,
    PROBES,
    Started,
    less_own_mean,
    on_batches,
    pictures,
)
from tests.benchmarks.photos import paths

JPEG, MUL = "DecodeJpeg/contents:0", "Mul:0"
BOTTLENECK, POOL = "pool_3/_reshape:0", "pool_3:0"
ALEXNET, FC7 = (227, 227), "fc7"


def _graph_def(path):
    with open(path, "rb") as file:
        return tf.GraphDef.FromString(file.read())


def tutorial(graph, photos):
    """retrain.py's way from files to bottlenecks: one JPEG's bytes at a time."""
    session, files = tf.Session(graph=tf.Graph()), paths(photos)
    with session.graph.as_default():
        tf.import_graph_def(_graph_def(graph), name="")

    def bottleneck(path):
        with open(path, "rb") as file:
            return np.squeeze(session.run(BOTTLENECK, {JPEG: file.read()}))

    def turn():
        start = time.perf_counter()
        for path in files:
            bottleneck(path)
        return {"photos": len(files), "seconds": time.perf_counter() - start}

    return Started(turn, np.stack([bottleneck(path) for path in files[:PROBES]]))


def untouched(graph, size, batch, batches):
    """Batches in place of Mul:0; they pass up to pool_3 only, pool_3/_reshape is for one."""
    session = tf.Session(graph=tf.Graph())
    with session.graph.as_default():
        x = tf.placeholder(tf.float32, [None, *size, 3])  # Mul:0 itself has a batch of one
        [y] = tf.import_graph_def(_graph_def(graph), {MUL: x}, [POOL])

    def run(images):
        return session.run(y, {x: images})[:, 0, 0]

    return on_batches(run, PREPARATIONS["inception"](pictures(batch, size)), batches)


def alexnet(weights, batch, batches):
    """The course's AlexNet to fc7."""
    session = tf.Session(graph=tf.Graph())
    with session.graph.as_default():
        x = tf.placeholder(tf.float32, [None, *ALEXNET, 3])
        fc7 = alexnet_fc7(x, np.load(weights), tf.Variable)
        session.run(tf.global_variables_initializer())

    def run(images):
        return session.run(fc7, {x: images})

    return on_batches(run, less_own_mean(pictures(batch, ALEXNET)), batches)


def alexnet_fc7(x, net_data, parameter):
    """The course's layers on pictures less their own mean; parameter: tf.Variable or tf.constant.

    net_data has the arrays conv1/W, conv1/b ...
    """

    def pair(layer):
        return parameter(net_data[f"{layer}/W"]), parameter(net_data[f"{layer}/b"])

    conv1 = tf.nn.relu(_conv(x, *pair("conv1"), stride=4))
    lrn1 = tf.nn.local_response_normalization(
        conv1, depth_radius=2, alpha=2e-05, beta=0.75, bias=1.0
    )
    maxpool1 = _max_pool(lrn1)
    conv2 = tf.nn.relu(_conv(maxpool1, *pair("conv2"), group=2))
    lrn2 = tf.nn.local_response_normalization(
        conv2, depth_radius=2, alpha=2e-05, beta=0.75, bias=1.0
    )
    maxpool2 = _max_pool(lrn2)
    conv3 = tf.nn.relu(_conv(maxpool2, *pair("conv3")))
    conv4 = tf.nn.relu(_conv(conv3, *pair("conv4"), group=2))
    conv5 = tf.nn.relu(_conv(conv4, *pair("conv5"), group=2))
    maxpool5 = _max_pool(conv5)
    flat5 = tf.reshape(maxpool5, [-1, prod(maxpool5.get_shape().as_list()[1:])])
    fc6 = tf.nn.relu(tf.nn.xw_plus_b(flat5, *pair("fc6")))
    return tf.nn.relu(tf.nn.xw_plus_b(fc6, *pair(FC7)))


def _conv(x, kernel, biases, stride=1, group=1):
    def convolve(i, k):
        return tf.nn.conv2d(i, k, [1, stride, stride, 1], padding="SAME")

    if group == 1:
        conv = convolve(x, kernel)
    else:
        input_groups = tf.split(x, group, 3)
        kernel_groups = tf.split(kernel, group, 3)
        output_groups = [convolve(i, k) for i, k in zip(input_groups, kernel_groups, strict=True)]
        conv = tf.concat(output_groups, 3)
    return tf.reshape(tf.nn.bias_add(conv, biases), [-1, *conv.get_shape().as_list()[1:]])


def _max_pool(x):
    return tf.nn.max_pool(x, ksize=[1, 3, 3, 1], strides=[1, 2, 2, 1], padding="VALID")
