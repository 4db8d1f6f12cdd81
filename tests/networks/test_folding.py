"""Batch norm of every form goes into the product in front of it, and the figures stay."""

import backbones
import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from backbones import drawn, fused, of_ops

from graphnets.errors import GraphnetsError
from graphnets.networks.folding import SCALED
from graphnets.networks.rewriting import modernised

X = np.random.default_rng(4).standard_normal((3, 6, 6, 4)).astype(np.float32)


def conv(x):
    return tf.nn.conv2d(x, drawn("w", 3, 3, 4, 5), 1, "SAME", name="product")


def depthwise(x):
    return tf.nn.depthwise_conv2d(x, drawn("w", 3, 3, 4, 2), [1] * 4, "SAME", name="product")


def dense(x):
    return tf.matmul(tf.reshape(x, [-1, 144]), drawn("w", 144, 5, deviation=0.1), name="product")


def transposed(x):
    W = drawn("w", 5, 144, deviation=0.1)
    return tf.matmul(tf.reshape(x, [-1, 144]), W, transpose_b=True, name="product")


def rewritten(build, *outputs):
    """The nodes of the rewritten graph, once its outputs were found to be the untouched one's."""

    def whole():
        build(tf.placeholder(tf.float32, [None, 6, 6, 4], "x"))

    old = backbones.frozen(whole, *outputs)
    new = modernised(old)
    names = [f"{name}:0" for name in outputs]
    pairs = zip(graphs.run(new, {"x:0": X}, names), graphs.run(old, {"x:0": X}, names), strict=True)
    for found, wanted in pairs:
        assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()
    return {node.name: node for node in new.node}


def ops(nodes):
    silent = ("Const", "Identity", "Placeholder")  # Identity: a name for what it takes
    return sorted(node.op for node in nodes.values() if node.op not in silent)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("product, norm", [
    (conv, fused), (depthwise, fused),
    (conv, of_ops), (depthwise, of_ops), (dense, of_ops), (transposed, of_ops),
])  # fmt: skip
def test_it_becomes_one_bias(product, norm, bias):
    def build(x):
        y = product(x)
        if bias:
            y = tf.nn.bias_add(y, drawn("bias", int(y.shape[-1])))
        tf.nn.relu(tf.identity(norm(y), "normed"), name="y")

    nodes = rewritten(build, "y", "normed")
    kinds = [op for op in ops(nodes) if op != "Reshape"]
    assert kinds == sorted([nodes["product"].op, "BiasAdd", "Relu"])
    assert SCALED in nodes["product"].attr


def test_scales_and_sums_of_any_order_are_folded():
    def build(x):
        y = 2.0 * conv(x) - drawn("a", 5)
        y = (drawn("c", 1, 1, 1, 5) - y) / tf.constant([1.0, 2.0, 4.0, 5.0, 8.0])
        tf.nn.relu(y + 1.0, name="y")

    assert ops(rewritten(build, "y")) == ["BiasAdd", "Conv2D", "Relu"]


@pytest.mark.parametrize("other", ["read", "shared", "spatial", "dynamic"])
def test_what_is_not_sure_is_left_as_it_is(other):
    def build(x):
        y = conv(x)
        if other == "read":
            tf.nn.relu(y, name="also")
        if other == "shared":
            W = tf.get_default_graph().get_tensor_by_name("w/read:0")
            tf.nn.conv2d(x, W, 2, "SAME", name="also")
        scale = {"spatial": drawn("map", 6, 6, 5), "dynamic": tf.reduce_mean(y)}.get(other, 1.0)
        tf.nn.relu(fused(y * scale), name="y")

    outputs = ["y", "also"] if other in ("read", "shared") else ["y"]
    nodes = rewritten(build, *outputs)
    assert "FusedBatchNormV3" in ops(nodes)
    assert SCALED not in nodes["product"].attr


def test_a_batch_norm_in_front_stays():
    def build(x):
        tf.nn.relu(conv(tf.nn.relu(of_ops(x))), name="y")

    assert ops(rewritten(build, "y")) == ["AddV2", "Conv2D", "Mul", "Relu", "Relu"]


def test_a_batch_norm_that_takes_the_mean_of_the_batch_is_refused():
    def build():
        y = conv(tf.placeholder(tf.float32, [None, 6, 6, 4], "x"))
        tf.nn.fused_batch_norm(y, tf.ones([5]), tf.zeros([5]), is_training=True, name="norm")

    with pytest.raises(GraphnetsError) as caught:
        modernised(backbones.frozen(build, "norm"))
    assert str(caught.value).startswith(
        "the graph is no sound graph: its batch norm norm is that of training, by which a photo's "
        "features depend on the other photos: freeze the graph as it is for inference"
    )


def test_numbers_that_the_fold_would_make_infinite_stay_apart():
    def build():
        y = conv(tf.placeholder(tf.float32, [None, 6, 6, 4], "x")) * tf.constant(np.float32(3e38))
        tf.nn.relu(y * tf.constant(np.float32(3e38)), name="y")

    new = modernised(backbones.frozen(build, "y"))
    assert ops({node.name: node for node in new.node}) == ["Conv2D", "Mul", "Mul", "Relu"]
