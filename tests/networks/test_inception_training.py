"""Inception v3 cut before the layers that train, and those layers as variables."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from graphs import built, images, untouched

from graphnets.errors import GraphnetsError
from graphnets.networks import inception
from graphnets.networks.network import Cut
from graphnets.networks.rewriting import modernised


@pytest.fixture(scope="module")
def network():
    return inception.network(modernised(graphs.inception_like()), "print")


MIXED = ["mixed/conv", "mixed/tower/conv", "mixed/tower/conv_1", "mixed/tower_1/conv"]
MIXED_1 = ["mixed_1/tower/conv", "mixed_1/tower/conv_1", "mixed_1/tower/conv_2"]
CONVS = ["conv", "conv_1", "conv_2", *MIXED, *MIXED_1]
BOTTLENECK = ["pool_3/_reshape"]


@pytest.mark.parametrize("trainable, after, layers", [
    ("mixed_1", "mixed/join", MIXED_1),
    ("mixed_1:", "mixed/join", MIXED_1),
    ("mixed_1/tower/conv_1:", "mixed/join", MIXED_1[1:]),  # mixed_1/pool is beside them
    (["mixed_1/tower/conv_2"], "mixed/join", MIXED_1[2:]),
    ("mixed", "pool", MIXED),
    ("mixed:", "pool", [*MIXED, *MIXED_1]),
    ("pool:", "pool", [*MIXED, *MIXED_1]),
    ("mixed/join:", "mixed/join", MIXED_1),
    ("mixed/tower_1", "pool", MIXED[3:]),
    ("mixed/tower*", "pool", MIXED[1:]),
    ("mixed_1/tower/conv, mixed/conv", "pool", [MIXED[0], MIXED_1[0]]),
    ("conv_2,mixed_1/tower/conv_2", "conv_1", ["conv_2", MIXED_1[2]]),
    ("mixed_1,softmax", "mixed/join", MIXED_1),
    ("*/conv_?", "pool", ["mixed/tower/conv_1", *MIXED_1[1:]]),
    ("conv:", "", CONVS),
    ("all", "", CONVS),
    (True, "", CONVS),
])  # fmt: skip
def test_the_cut_is_the_deepest_tensor_before_all_that_trains(network, trainable, after, layers):
    assert network.cut(BOTTLENECK, trainable) == Cut(after, layers, BOTTLENECK)


@pytest.mark.parametrize("trainable", [False, "", [], "softmax", "softmax:", ["softmax"]])
def test_nothing_trains_but_the_head(network, trainable):
    assert network.cut(["mixed/join:0", "pool:0"], trainable) == Cut("mixed/join", [], [])


def test_endpoints_that_no_layer_in_training_moves_are_not_behind_the_cut(network):
    names = ["pool", "mixed/join", "mixed_1/join:0", "pool_3/_reshape"]
    assert network.cut(names, "mixed_1") == Cut("mixed/join", MIXED_1, names[2:])
    assert network.cut(names, "mixed/conv") == Cut("pool", ["mixed/conv"], names[1:])


def test_within_a_branch_the_cut_lies_deeper(network):
    names = ["mixed_1/tower/conv_2"]
    cut = network.cut(names, "mixed_1/tower/conv_2")
    assert cut == Cut("mixed_1/tower/conv_1", names, names)


def test_layers_on_which_no_endpoint_depends_are_left_out_but_not_if_they_are_named(network):
    assert network.cut(["mixed/join"], "mixed:").layers == MIXED
    assert network.cut(["mixed/join"], True).layers == ["conv", "conv_1", "conv_2", *MIXED]
    assert network.cut(["mixed/tower/conv"], "mixed*").layers == ["mixed/tower/conv"]
    assert network.cut(["softmax"], "pool_3:") == Cut("pool_3/_reshape", ["softmax/logits"], [
        "softmax"])  # fmt: skip
    for trainable in ("mixed_1", "mixed_1/tower/conv", "softmax/logits", "mixed_1:", "pool"):
        with pytest.raises(GraphnetsError) as caught:
            network.cut(["mixed/join"], trainable)
        assert str(caught.value) == (
            f"the layer {trainable!r} cannot train: it has no parameters, or no endpoint asked "
            "for depends on it; wanted among conv, conv_1, conv_2, mixed/conv, "
            "mixed/tower/conv, mixed/tower/conv_1, mixed/tower_1/conv"
        )


@pytest.mark.parametrize("trainable", ["mixed_2", ["mixed_2:"], "conv,mixed_2"])
def test_an_unknown_layer_to_train_lists_the_layers(network, trainable):
    with pytest.raises(GraphnetsError, match="^no layer 'mixed_2'; this network has conv, conv_1"):
        network.cut(BOTTLENECK, trainable)


def test_an_unknown_endpoint_to_cut_for(network):
    with pytest.raises(GraphnetsError, match="^no endpoint 'mixed_9:0'; wanted a tensor of the gr"):
        network.cut(["mixed_9"], True)


@pytest.mark.parametrize("after", ["conv", "pool:0", "mixed/join", "mixed_1/join", "pool_3"])
def test_behind_an_endpoint_its_value_gives_what_the_whole_network_gives(network, after):
    stored, wanted = built(network, images(), [after, "softmax"])
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, *stored.shape[1:]])
        found = network.build(x, ["softmax", "pool_3/_reshape:0"], after)
        assert found["softmax"].name == "Inception/softmax:0"
        assert "Inception/conv" not in [op.name for op in graph.get_operations()]
        np.testing.assert_allclose(session.run(found["softmax"], {x: stored}), wanted, atol=1e-6)


def test_the_endpoint_itself_is_what_was_given(network):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 10, 10, 24])
        assert network.build(x, ["mixed/join:0"], "mixed/join")["mixed/join:0"] is x


@pytest.mark.parametrize("after", ["mixed_1/tower/conv_2", "pool_3/_reshape"])
def test_an_endpoint_that_needs_more_than_the_value_given(network, after):
    message = f"^softmax, mixed_1/join cannot be computed from {after} alone; name endpoints all"
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=message):
        network.build(tf.placeholder(tf.float32), ["softmax", "mixed_1/join"], after)


SEVERAL = ["mixed_1", "mixed/tower", "conv_2,mixed_1/*/conv_1", True]


def unfrozen(network, cut):
    """The bottleneck of the pictures, from what lies at the cut; its layers are variables."""
    [stored] = built(network, images(), [cut.after or "ResizeBilinear"])
    return network.build(tf.constant(stored), cut.behind, cut.after, cut.layers)[BOTTLENECK[0]]


@pytest.mark.parametrize("trainable", SEVERAL)
def test_before_the_first_step_an_unfrozen_network_is_the_file(network, trainable):
    with tf.Graph().as_default(), tf.Session() as session:
        found = unfrozen(network, network.cut(BOTTLENECK, trainable))
        session.run(tf.global_variables_initializer())
        wanted = untouched(images(), "pool_3/_reshape:0")
        np.testing.assert_allclose(session.run(found), wanted, atol=1e-5)


@pytest.mark.parametrize("trainable", SEVERAL)
def test_a_step_moves_the_chosen_layers_and_the_tuned_network_computes_it(network, trainable):
    cut = network.cut(BOTTLENECK, trainable)
    with tf.Graph().as_default(), tf.Session() as session:
        features = unfrozen(network, cut)
        variables = tf.trainable_variables()
        loss = tf.losses.sparse_softmax_cross_entropy([0, 1, 2], features)
        step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
        session.run(tf.global_variables_initializer())
        session.run(step)
        names = [v.op.name.removeprefix("Inception/") for v in variables]
        values = dict(zip(names, session.run(variables), strict=True))
        wanted = session.run(features)
    assert names == [f"{layer}/{part}" for layer in cut.layers
                     for part in ("conv2d_params", "batchnorm/folded_bias")]  # fmt: skip
    assert all((value != network.parameter(name)).any() for name, value in values.items())
    tuned = network.tuned(values)
    assert (tuned.name, tuned.fingerprint) == ("inception_v3", "print, fine-tuned")
    for name, value in values.items():
        np.testing.assert_array_equal(tuned.parameter(name), value)
    np.testing.assert_allclose(built(tuned, images(), BOTTLENECK)[0], wanted, atol=1e-5)


def test_variables_of_two_networks_in_one_graph(network):
    with tf.Graph().as_default() as graph:
        x = tf.placeholder(tf.float32, [None, 10, 10, 24])
        for _ in range(2):
            network.build(x, BOTTLENECK, "mixed/join", ["mixed_1/tower/conv"])
        assert [v.op.name for v in tf.trainable_variables()] == [
            f"{scope}/mixed_1/tower/conv/{part}"
            for scope in ("Inception", "Inception_1")
            for part in ("conv2d_params", "batchnorm/folded_bias")
        ]
        names = [op.name for op in graph.get_operations()]
    assert "Inception_1/graph/mixed_1/join" in names


@pytest.mark.parametrize("layer", ["mixed_1", "pool", "conv9"])
def test_only_layers_of_a_cut_can_be_built_to_train(network, layer):
    message = f"^no layer to train {layer!r}; this network has conv, conv_1, conv_2, mixed/conv, "
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=message):
        network.build(tf.constant(images()), BOTTLENECK, "", [layer])


def test_the_head_of_retrain_py_stands_for_the_head_too():
    network = inception.network(modernised(graphs.retrained_like()), "print")
    assert network.cut(BOTTLENECK, "final_result") == Cut("pool_3/_reshape", [], [])
    assert network.cut(BOTTLENECK, "mixed_1,final_result").layers == MIXED_1
