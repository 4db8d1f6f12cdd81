"""Graphs that are only run give what those that are kept give, to the last digits."""

import contextlib
import gc
import weakref

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets import devices
from graphnets.networks import alexnet, efficientnet, layers, run_only, vgg16
from graphnets.networks.precision import BFLOAT16, FLOAT32, no_bfloat16, onednn


def ops():
    return {operation.type for operation in tf.get_default_graph().get_operations()}


def fc_and_gradients(reading):
    """pool5 of AlexNet, its gradients by the pictures and by all filters, and the ops of it."""
    random = np.random.default_rng(0)
    x = random.uniform(0, 255, (3, 67, 67, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(x)
        found = alexnet.alexnet_endpoints(
            images, "random", trainable=True, until="pool5", reading=reading, preprocess=True
        )["pool5"]
        built = ops()
        weights = [v for v in tf.trainable_variables() if v.op.name.endswith("W")]
        gradients = tf.gradients(tf.reduce_sum(found**2), [images, *weights])
        session.run(tf.global_variables_initializer())
        return session.run([found, *gradients]), built


@pytest.mark.parametrize("reading", ["course", "caffe"])
def test_alexnet_and_its_gradients(reading):
    kept, kept_ops = fc_and_gradients(reading)
    with run_only.run_only():
        run, run_ops = fc_and_gradients(reading)
    assert "PartitionedCall" not in kept_ops and "PartitionedCall" in run_ops
    assert len(kept) == 7  # pool5, the pictures, five layers
    for one, other in zip(kept, run, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(one, other, atol=2e-5 * np.abs(one).max())


@pytest.mark.parametrize("radius, channels", [(2, 96), (1, 7), (2, 256), (0, 4), (5, 3)])
def test_lrn_is_the_papers_formula(radius, channels):
    x = 100 * np.random.default_rng(0).standard_normal((2, 3, 4, channels)).astype(np.float32)
    squares = x.astype(np.float64) ** 2
    sums = np.stack(
        [squares[..., max(0, i - radius) : i + radius + 1].sum(axis=3) for i in range(channels)],
        axis=3,
    )
    with tf.Graph().as_default(), tf.Session() as session, run_only.run_only():
        x_of_any_number = tf.placeholder_with_default(x, [None, 3, 4, channels])
        y = layers.lrn(radius, 1e-3).build(x_of_any_number, None)
        found = session.run(y)
    assert y.shape.as_list() == [None, 3, 4, channels]
    np.testing.assert_allclose(found, x / (1 + 1e-3 * sums) ** 0.75, rtol=1e-5)


def test_the_same_bits_from_run_to_run():
    x = np.random.default_rng(0).standard_normal((16, 9, 9, 96)).astype(np.float32)

    def once():
        with tf.Graph().as_default(), tf.Session() as session, run_only.run_only():
            y = layers.lrn().build(tf.constant(x), None)
            return [session.run(y).tobytes() for _ in range(3)]

    assert len({*once(), *once()}) == 1


def test_a_graph_that_is_let_go_is_gone():
    with tf.Graph().as_default() as graph, run_only.run_only():
        layers.lrn().build(tf.placeholder(tf.float32, [None, 9, 9, 96]), None)
    gone = weakref.ref(graph)
    del graph
    gc.collect()
    assert gone() is None


@pytest.mark.skipif(not onednn(), reason="groups are one op of oneDNN")
def test_groups_are_one_convolution(monkeypatch):
    monkeypatch.setattr(run_only, "check", lambda _: None)  # whatever the processor has
    for block in (run_only.run_only(), run_only.run_only(BFLOAT16), contextlib.nullcontext()):
        with tf.Graph().as_default() as graph, block:
            images = tf.placeholder(tf.float32, [None, 8, 8, 4])
            layers.conv(6, 3, groups=2).build(
                images, lambda _, shape: tf.zeros(shape, run_only.dtype())
            )
            names = [o.type for o in graph.get_operations()]
            assert names.count("Conv2D") == (1 if run_only.wanted() else 2)


def in_both_precisions(build, trainable, until):
    """All endpoints in float32 and in bfloat16, and the dtypes of the latter's variables."""
    x = np.random.default_rng(0).uniform(0, 255, (2, 67, 67, 3)).astype(np.float32)
    found = []
    for precision in (FLOAT32, BFLOAT16):
        with tf.Graph().as_default(), tf.Session() as session, run_only.run_only(precision):
            endpoints = build(tf.constant(x), "random", trainable, until, preprocess=True)
            assert {tensor.dtype for tensor in endpoints.values()} == {tf.float32}
            session.run(tf.global_variables_initializer())
            found.append(session.run(dict(endpoints)))
            variables = tf.global_variables()
    return (*found, {v.op.name: v.dtype.base_dtype for v in variables})


@pytest.mark.parametrize(
    ("build", "trainable", "until"),
    [
        (alexnet.alexnet_endpoints, "conv4", "pool5"),
        (vgg16.vgg16_endpoints, "conv4_2", "pool5"),
        (efficientnet.efficientnet_lite0_endpoints, "block4b", "prob"),
    ],
)
def test_in_bfloat16_what_does_not_train_is_held_in_it(monkeypatch, build, trainable, until):
    monkeypatch.setattr(run_only, "check", lambda _: None)
    if no_bfloat16():  # TensorFlow emulates it, but not convolutions of groups
        monkeypatch.setattr(run_only, "groups_are_one", lambda: False)
    exact, rounded, dtypes = in_both_precisions(build, trainable, until)
    assert {dtype for name, dtype in dtypes.items() if f"/{trainable}/" in name} == {tf.float32}
    assert {dtype for name, dtype in dtypes.items() if f"/{trainable}/" not in name} == {
        tf.bfloat16
    }
    for name, values in exact.items():
        differ = np.abs(values - rounded[name]).max() / np.abs(values).max()
        assert 0 < differ < 0.03, name
    if until == "prob":
        np.testing.assert_allclose(rounded[until].sum(axis=1), 1, rtol=1e-6)


def test_lrn_in_bfloat16_is_rounded_once(monkeypatch):
    monkeypatch.setattr(run_only, "check", lambda _: None)
    x = tf.bfloat16.as_numpy_dtype(
        100 * np.random.default_rng(0).standard_normal((2, 3, 4, 96)).astype(np.float32)
    )
    found = []
    for compiles in (True, False):
        monkeypatch.setattr(run_only, "compiles", lambda compiles=compiles: compiles)
        with tf.Graph().as_default(), tf.Session() as session, run_only.run_only(BFLOAT16):
            y = layers.lrn(2, 1e-3).build(tf.constant(x), None)
            found.append(session.run(tf.cast(y, tf.float32)))
    in_one_pass, by_ops = found
    np.testing.assert_allclose(in_one_pass, by_ops, rtol=2**-8)  # half a step of bfloat16


def test_on_a_gpu_nothing_is_compiled_for_the_processor(monkeypatch):
    monkeypatch.setattr(devices, "used", lambda: "a card")
    with run_only.run_only():
        assert run_only.wanted()
        assert not run_only.compiles() and not run_only.groups_are_one()


def test_outside_of_the_block_graphs_are_to_be_kept():
    with pytest.raises(ZeroDivisionError), run_only.run_only():
        raise ZeroDivisionError
    assert not run_only.wanted()
    assert not run_only.compiles() and not run_only.groups_are_one()
