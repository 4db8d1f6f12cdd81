"""What a network is to the rest: endpoints, layers, features."""

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from tiny import tiny_network

from graphnets.errors import GraphnetsError
from graphnets.networks.alexnet import AlexNet
from graphnets.networks.inception import Inception
from graphnets.networks.network import Endpoints, check_graph, endpoint_names, features
from graphnets.networks.unfreeze import import_unfrozen
from graphnets.networks.vgg16 import VGG16


def test_endpoints_list_themselves_for_a_missing_name():
    endpoints = Endpoints(conv1=1, pool1=2)
    assert endpoints["pool1"] == 2
    with pytest.raises(GraphnetsError) as caught:
        endpoints["pool2"]
    assert str(caught.value) == "no endpoint 'pool2'; this network has conv1, pool1"


def test_endpoint_names_are_split_at_commas_and_lose_their_output_number(network):
    assert endpoint_names(network, "conv1, mixed_7/join:0") == ["conv1", "mixed_7/join"]
    assert endpoint_names(network, None) == endpoint_names(network, "") == ["conv2"]
    assert endpoint_names(network, ("conv1", "a,b:0")) == ["conv1", "a,b"]
    assert endpoint_names(network, []) == []


@pytest.mark.parametrize("text", ["conv1,", "conv1,conv1", "conv1,conv1:0", ","])
def test_an_endpoint_named_twice_or_not_at_all_is_refused(network, text):
    with pytest.raises(GraphnetsError, match="wanted different names, with commas between them"):
        endpoint_names(network, text)


def test_maps_are_averaged_over_height_and_width_or_kept_and_so_are_vectors():
    x = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        mean, whole, vector, vector_whole = session.run(
            [
                features("map", tf.constant(x)),
                features("map", tf.constant(x), whole=True),
                features("vector", tf.constant(x[:, 0, 0])),
                features("vector", tf.constant(x[:, 0, 0]), whole=True),
            ]
        )
    np.testing.assert_allclose(mean, x.mean(axis=(1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(whole, x)
    np.testing.assert_array_equal(vector, x[:, 0, 0])
    np.testing.assert_array_equal(vector_whole, x[:, 0, 0])


@pytest.mark.parametrize(
    ("dtype", "shape", "got"),
    [(tf.float32, [2, 3, 4], r"float32 \(2, 3, 4\)"), (tf.int32, [2, 4], r"int32 \(2, 4\)")],
)
def test_an_endpoint_that_is_neither_map_nor_vector_is_refused(dtype, shape, got):
    with tf.Graph().as_default():
        wanted = f"the endpoint 'odd' is {got}; wanted float32 .n, features. or .n, height, width,"
        with pytest.raises(GraphnetsError, match=wanted):
            features("odd", tf.placeholder(dtype, shape))


@pytest.mark.parametrize(
    "value, message",
    [
        (lambda x: tf.reshape(x, [7, 11]), "tiny fails as it runs: .*reshape is a tensor with 48"),
        (
            lambda x: tf.reshape(x, [1, -1]),
            r"tiny gives \(1, 48\) as .*:0 for 2 pictures, wanted a",
        ),
    ],
)
def test_a_graph_that_fails_as_it_runs_is_told(value, message):
    network = tiny_network()
    with tf.Graph().as_default(), network.session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, 3])
        with pytest.raises(GraphnetsError, match=f"^{message}") as caught:
            network.run(session, [value(x)], x, np.ones((2, 4, 2, 3), np.float32))
    assert "\n" not in str(caught.value)


GRAPH = graphs.inception_like()
BUILDS = {
    "AlexNet": lambda network, x: AlexNet(x, weights="random"),
    "VGG16": lambda network, x: VGG16(x, weights="random"),
    "Inception": lambda network, x: Inception(x, weights=GRAPH),
    "Small": lambda network, x: network.build(x, ["conv2"], after="pool1"),
    "import_unfrozen": lambda network, x: import_unfrozen(GRAPH, [], {"Mul": x}, ["softmax"]),
}


@pytest.mark.parametrize("title", BUILDS)
def test_a_network_in_a_tf_function_or_called_eagerly_says_that_it_is_for_graphs(network, title):
    @tf.function
    def traced():
        return BUILDS[title](network, tf.zeros([1, 227, 227, 3]))

    wanted = r"; call it under `with tf.Graph\(\).as_default\(\):`, or after tf.disable_v2"
    told = f"^{title} builds a graph, and was called inside tf.function{wanted}"
    with pytest.raises(GraphnetsError, match=told):
        traced()
    told = f"^{title} builds a graph, and got eager tensors or was called eagerly{wanted}"
    with pytest.raises(GraphnetsError, match=told):
        BUILDS[title](network, tf.zeros([1, 227, 227, 3]))


def test_the_branches_of_a_condition_and_the_body_of_a_loop_are_parts_of_a_graph():
    def checked(x):
        check_graph("AlexNet", x)
        return x

    with tf.Graph().as_default(), tf.Session() as session:
        zeros = tf.zeros([2])
        chosen = tf.cond(tf.constant(True), lambda: checked(zeros), lambda: zeros)
        np.testing.assert_array_equal(session.run(tf.map_fn(checked, chosen)), [0, 0])
