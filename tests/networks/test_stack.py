"""From declared rows to a graph: endpoints, weights, what trains and what does not."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks.layers import conv, fc, max_pool, softmax
from graphnets.networks.network import LayerInfo
from graphnets.networks.stack import declared_layers, stack
from graphnets.weights.memory import aligned

ROWS = (
    ("conv1", conv(4, 3)),
    ("pool1", max_pool(2, 2)),
    ("conv2", conv(5, 3)),
    ("fc3", fc(6)),
    ("fc4", fc(3, relu=False)),
    ("prob", softmax()),
)
SHAPES = {
    "conv1": ((3, 3, 3, 4), (4,)),
    "conv2": ((3, 3, 4, 5), (5,)),
    "fc3": ((3 * 3 * 5, 6), (6,)),
    "fc4": ((6, 3), (3,)),
}


def drawn(seed=0):
    random = np.random.default_rng(seed)
    return {
        name: tuple((random.standard_normal(shape) * 0.4).astype(np.float32) for shape in pair)
        for name, pair in SHAPES.items()
    }


@pytest.fixture
def x():
    """A placeholder (n, 6, 6, 3) in a graph of its own."""
    with tf.Graph().as_default():
        yield tf.placeholder(tf.float32, [None, 6, 6, 3])


def pictures(count=2):
    return np.random.default_rng(1).standard_normal((count, 6, 6, 3)).astype(np.float32)


def trainable_names():
    return sorted(v.op.name for v in tf.trainable_variables())


def test_endpoints_are_named_and_ordered_as_declared(x):
    endpoints = stack(ROWS, x, drawn())
    assert {name: tensor.shape.as_list() for name, tensor in endpoints.items()} == {
        "conv1": [None, 6, 6, 4],
        "pool1": [None, 3, 3, 4],
        "conv2": [None, 3, 3, 5],
        "fc3": [None, 6],
        "fc4": [None, 3],
        "prob": [None, 3],
    }
    assert list(endpoints) == [name for name, _ in ROWS]


def test_until_is_the_last_layer_built(x):
    assert list(stack(ROWS, x, drawn(), until="conv2")) == ["conv1", "pool1", "conv2"]


def test_variables_are_named_by_layer_and_hold_the_weights(x):
    weights = drawn()
    stack(ROWS, x, weights)
    variables = {v.op.name: v for v in tf.global_variables()}
    assert set(variables) == {f"{name}/{role}" for name in SHAPES for role in "Wb"}
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        values = session.run(variables)
    for name, pair in weights.items():
        np.testing.assert_array_equal(values[f"{name}/W"], pair[0])
        np.testing.assert_array_equal(values[f"{name}/b"], pair[1])


def test_nothing_trains_unless_named(x):
    stack(ROWS, x, drawn())
    assert trainable_names() == []


@pytest.mark.parametrize("chosen", [["fc4"], ["conv1"], ["fc3", "fc4"], list(SHAPES)])
def test_exactly_the_chosen_layers_train(x, chosen):
    stack(ROWS, x, drawn(), trainable=chosen)
    assert trainable_names() == sorted(f"{name}/{role}" for name in chosen for role in "Wb")
    assert len(tf.global_variables()) == 8


@pytest.mark.parametrize("optimizer", [tf.train.GradientDescentOptimizer, tf.train.AdamOptimizer])
def test_a_step_moves_the_chosen_layers_and_leaves_the_frozen_bit_for_bit(x, optimizer):
    weights = drawn()
    endpoints = stack(ROWS, x, weights, trainable=["conv2", "fc4"])
    loss = tf.losses.sparse_softmax_cross_entropy([0, 2], endpoints["fc4"])
    variables = {v.op.name: v for v in tf.global_variables()}
    step = optimizer(0.1).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        session.run(step, {x: pictures()})
        after = session.run(variables)
    for name, pair in weights.items():
        for role, before in zip("Wb", pair, strict=True):
            same = after[f"{name}/{role}"].tobytes() == before.tobytes()
            assert same == (name not in ("conv2", "fc4")), f"{name}/{role}"


@pytest.mark.parametrize("options", [{"trainable": ["fc9"]}, {"until": "fc9"}])
def test_an_unknown_layer_lists_the_valid_ones(x, options):
    with pytest.raises(GraphnetsError) as caught:
        stack(ROWS, x, drawn(), **options)
    assert str(caught.value) == (
        "no layer 'fc9'; this network has conv1, pool1, conv2, fc3, fc4, prob"
    )


def test_missing_weights(x):
    weights = {name: pair for name, pair in drawn().items() if name[:4] == "conv"}
    with pytest.raises(GraphnetsError) as caught:
        stack(ROWS, x, weights)
    assert str(caught.value) == (
        "the weights do not suit the network: fc3, fc4 missing; choose a layer before those as "
        "the last one, or other weights"
    )


@pytest.mark.parametrize(
    "position, shape, message",
    [
        (0, (3, 3, 4, 6), r"conv2/W is float32 \(3, 3, 4, 6\), wanted float32 \(3, 3, 4, 5\)"),
        (0, (5, 4, 3, 3), r"conv2/W is float32 \(5, 4, 3, 3\), wanted float32 \(3, 3, 4, 5\)"),
        (1, (1, 5), r"conv2/b is float32 \(1, 5\), wanted float32 \(5,\)"),
    ],
)
def test_weights_of_another_shape(x, position, shape, message):
    weights = drawn()
    pair = list(weights["conv2"])
    pair[position] = np.zeros(shape, np.float32)
    with pytest.raises(GraphnetsError, match=f"do not suit the network: {message}; "):
        stack(ROWS, x, weights | {"conv2": tuple(pair)})


def test_weights_in_double_precision(x):
    W, b = drawn()["conv2"]
    message = r": conv2/W is float64 \(3, 3, 4, 5\), wanted float32 \(3, 3, 4, 5\); choose a layer"
    with pytest.raises(GraphnetsError, match=message):
        stack(ROWS, x, drawn() | {"conv2": (W.astype(np.float64), b)})


def test_weights_of_a_picture_of_another_size():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3])
        with pytest.raises(
            GraphnetsError, match=r"fc3/W is float32 \(45, 6\), wanted float32 \(80, 6\)"
        ):
            stack(ROWS, x, drawn())


def test_a_layer_that_cannot_be_built_is_named():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 1, 1, 3])
        with pytest.raises(GraphnetsError, match="^layer pool1: .*[Nn]egative dimension size"):
            stack(ROWS, x, drawn())


def test_a_network_built_twice_in_one_scope_is_an_error(x):
    stack(ROWS, x, drawn(), until="conv1")
    with pytest.raises(GraphnetsError, match="^layer conv1: Variable conv1/W already exists"):
        stack(ROWS, x, drawn(), until="conv1")


def test_two_networks_in_two_scopes(x):
    with tf.variable_scope("a"):
        first = stack(ROWS, x, drawn(0), trainable=["fc4"])["prob"]
    with tf.variable_scope("b"):
        second = stack(ROWS, x, drawn(1))["prob"]
    assert trainable_names() == ["a/fc4/W", "a/fc4/b"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        one, other = session.run([first, second], {x: pictures()})
    assert np.abs(one - other).max() > 0.01


class Counted(dict):
    """Weights that note which layers were read."""

    def __init__(self, weights):
        super().__init__(weights)
        self.read = []

    def __getitem__(self, name):
        self.read.append(name)
        return super().__getitem__(name)


def test_weights_are_checked_at_the_call_and_loaded_by_the_initializer(x):
    weights = Counted(drawn())
    stack(ROWS, x, weights, until="fc3")
    assert weights.read == ["conv1", "conv2", "fc3"]
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
    assert sorted(weights.read[3:]) == ["conv1", "conv2", "fc3"]


def test_weights_that_no_layer_wants(x):
    weights = drawn() | {"conv3": drawn()["conv2"]}
    with pytest.raises(GraphnetsError, match=": conv3 not in this network; choose"):
        stack(ROWS, x, weights, until="conv1")
    stack(ROWS, x, drawn(), until="conv1")  # what lies behind the last layer is no problem


@pytest.mark.parametrize("role, value", [(0, np.nan), (1, np.inf)])
def test_weights_that_are_no_numbers(x, role, value):
    weights = drawn()
    weights["fc3"][role].flat[2] = value
    with pytest.raises(GraphnetsError, match=f": fc3/{'Wb'[role]} has NaN or infinite numbers; "):
        stack(ROWS, x, weights)
    assert not tf.global_variables()


def test_training_leaves_the_given_arrays_as_they_are(x):
    """TensorFlow may take an array over without a copy."""
    weights = {name: (aligned(W.copy()), b) for name, (W, b) in drawn().items()}
    endpoints = stack(ROWS, x, weights, trainable=True)
    loss = tf.losses.sparse_softmax_cross_entropy([0, 2], endpoints["fc4"])
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss)
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(step, {x: pictures()})
    for name, (W, b) in drawn().items():
        np.testing.assert_array_equal(weights[name][0], W)
        np.testing.assert_array_equal(weights[name][1], b)


def test_the_graph_does_not_hold_the_weights():
    rows = [("fc", fc(500))]
    W = np.random.default_rng(0).standard_normal((1000, 500)).astype(np.float32)
    with tf.Graph().as_default() as graph:
        stack(rows, tf.placeholder(tf.float32, [None, 1000]), {"fc": (W, np.zeros(500, "f"))})
        assert graph.as_graph_def().ByteSize() < 10_000
    assert W.nbytes == 2_000_000


def test_declared_layers_need_no_weights():
    assert declared_layers(ROWS, (None, 6, 6, 3)) == [
        LayerInfo("conv1", "conv", (None, 6, 6, 4), SHAPES["conv1"]),
        LayerInfo("pool1", "max_pool", (None, 3, 3, 4), ()),
        LayerInfo("conv2", "conv", (None, 3, 3, 5), SHAPES["conv2"]),
        LayerInfo("fc3", "fc", (None, 6), SHAPES["fc3"]),
        LayerInfo("fc4", "fc", (None, 3), SHAPES["fc4"]),
        LayerInfo("prob", "softmax", (None, 3), ()),
    ]


def test_parameters_are_counted():
    layers = declared_layers(ROWS, (None, 6, 6, 3))
    assert [layer.parameters for layer in layers] == [112, 0, 185, 276, 21, 0]
