"""What is passed by, and freed, in other people's graphs."""

import backbones
import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.networks.rewriting import modernised

PICTURES = np.random.default_rng(6).uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
OUTPUT = "net/Predictions:0"


def one_by_one(graph_def, feed=None):
    rows = [graphs.run(graph_def, {"input:0": p[np.newaxis], **(feed or {})}, OUTPUT)
            for p in PICTURES]  # fmt: skip
    return np.concatenate(rows)


def close(found, wanted):
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def mobile(**options):
    return backbones.frozen(lambda: backbones.mobile(**options), "net/Predictions")


@pytest.mark.parametrize("norm", [backbones.fused, backbones.of_ops])
def test_a_fixed_number_of_pictures_becomes_any(norm):
    graph_def = mobile(batch=1, norm=norm)
    new = modernised(graph_def)
    close(graphs.run(new, {"input:0": PICTURES}, OUTPUT), one_by_one(graph_def))
    assert "BiasAdd" in {node.op for node in new.node}


def test_dropout_of_tensorflow_1_is_passed_by():
    graph_def = mobile(keep=True)
    new = modernised(graph_def)
    assert not {node.op for node in new.node} & {"RandomUniform", "Floor", "Shape"}
    wanted = one_by_one(graph_def, {"net/keep_prob:0": 1.0})
    close(graphs.run(new, {"input:0": PICTURES}, OUTPUT), wanted)


@pytest.mark.parametrize("form", ["v2", "chosen"])
def test_dropout_of_other_forms_is_passed_by(form):
    def build():
        x = tf.placeholder(tf.float32, [None, 4], "x")
        if form == "v2":
            y = tf.nn.dropout(x + 1, rate=0.5)
        else:
            kept = tf.greater_equal(tf.random.uniform(tf.shape(x)), 0.5)
            y = tf.where_v2(kept, (x + 1) * 2.0, tf.zeros_like(x))
        tf.nn.relu(y, name="y")

    new = modernised(backbones.frozen(build, "y"))
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(graphs.run(new, {"x:0": x}, "y:0"), x + 1)


def test_random_numbers_that_are_no_dropout_stay():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], "x")
        tf.nn.relu(x * (1 + tf.random.normal([4])), name="y")

    new = modernised(backbones.frozen(build, "y"))
    assert "RandomStandardNormal" in {node.op for node in new.node}


def test_what_is_passed_by_keeps_its_name():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], "x")
        y = tf.identity(tf.stop_gradient(x + 1, "stopped"), "named")
        a, _ = tf.identity_n([y, x], "both")
        tf.nn.relu(a * 1.0, name="y")

    new = modernised(backbones.frozen(build, "y"))
    nodes = {node.name: node for node in new.node}
    assert list(nodes["y"].input) == ["add"]
    x = np.arange(4, dtype=np.float32)[np.newaxis]
    for name in ("named:0", "stopped:0", "both:0", "y:0"):
        np.testing.assert_array_equal(graphs.run(new, {"x:0": x}, name), x + 1)


def test_control_inputs_go_and_loops_keep_them():
    def build():
        x = tf.placeholder(tf.float32, [None, 4], "x")
        with tf.control_dependencies([tf.assert_greater(x, -9.0)]):
            y = tf.identity(x) + 1
        _, y = tf.while_loop(lambda i, _: i < 3, lambda i, y: [i + 1, y * 2.0], [tf.constant(0), y])
        tf.nn.relu(y, name="y")

    with tf.Graph().as_default():
        tf.disable_control_flow_v2()
        try:
            graph_def = backbones.frozen(build, "y")
        finally:
            tf.enable_control_flow_v2()
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(graphs.run(modernised(graph_def), {"x:0": x}, "y:0"), x * 16)
