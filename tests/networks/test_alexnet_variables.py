"""AlexNet's variables: which train, which are shared, and what they start with."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from alexnets import NAMES, SHAPES, photos, run, shapes_of

from graphnets.errors import GraphnetsError
from graphnets.networks import alexnet
from graphnets.networks.alexnet import AlexNet, alexnet_endpoints


def test_sixty_million_parameters():
    for declared in alexnet.READINGS.values():
        assert declared.shapes() == SHAPES
        assert sum(layer.parameters for layer in declared.layers()) == 60_965_224


def test_two_calls_have_variables_of_their_own(weights):
    images = photos(1, 63)
    with tf.Graph().as_default():
        a, b = (
            alexnet_endpoints(images, "random", until="conv2", seed=seed)["conv2"]
            for seed in (1, 2)
        )
        names = [v.op.name for v in tf.global_variables()]
        one, other = run([a, b])
    assert names == [
        f"{scope}/{layer}/{role}"
        for scope in ("AlexNet", "AlexNet_1") for layer in ("conv1", "conv2") for role in "Wb"
    ]  # fmt: skip
    assert np.abs(one - other).max() > 1


def test_calls_in_one_reusing_scope_share_their_variables(weights):
    with tf.Graph().as_default():
        with tf.variable_scope("twins", reuse=tf.AUTO_REUSE):
            left = alexnet_endpoints(photos(1, 63), weights, "conv2", until="conv2")["conv2"]
        with tf.variable_scope("twins", reuse=tf.AUTO_REUSE):
            right = alexnet_endpoints(photos(1, 63), weights, "conv2", until="conv2")["conv2"]
        assert len(tf.global_variables()) == 4
        assert {v.op.name for v in tf.trainable_variables()} == {
            "twins/AlexNet/conv2/W", "twins/AlexNet/conv2/b",
        }  # fmt: skip
        one, other = run([left, right])
    np.testing.assert_array_equal(one, other)


def test_shared_variables_cannot_change_their_mind_about_training(weights):
    with tf.Graph().as_default():
        for trainable in ("conv1", ""):
            scope = tf.variable_scope("twins", reuse=tf.AUTO_REUSE)
            with scope:
                if trainable:
                    alexnet_endpoints(photos(1, 63), weights, trainable, until="conv1")
                    continue
                with pytest.raises(GraphnetsError) as caught:
                    alexnet_endpoints(photos(1, 63), weights, until="conv1")
    assert str(caught.value) == (
        "the shared variable twins/AlexNet/conv1/W was made with trainable=True; give every call "
        "that shares it the same `trainable`"
    )


@pytest.mark.parametrize(
    "trainable, until, wanted",
    [
        ("fc7", "", ["fc7"]),
        (["fc8", "conv1"], "", ["conv1", "fc8"]),
        ("fc7,fc8", "", ["fc7", "fc8"]),
        ("conv5:", "", ["conv5", "fc6", "fc7", "fc8"]),
        ("pool2:", "conv4", ["conv3", "conv4"]),
        (True, "conv3", ["conv1", "conv2", "conv3"]),
        ("all", "", list(SHAPES)),
        (False, "", []),
        ((), "", []),
    ],
)
def test_only_the_chosen_layers_are_trainable_variables(trainable, until, wanted):
    with tf.Graph().as_default():
        shapes_of(tf.placeholder(tf.float32, [None, 227, 227, 3]), trainable=trainable, until=until)
        found = [v.op.name for v in tf.trainable_variables()]
    assert found == [f"AlexNet/{name}/{role}" for name in wanted for role in "Wb"]


@pytest.mark.parametrize(
    "trainable, until, message",
    [
        ("fc9", "", f"no layer 'fc9'; this network has {', '.join(NAMES)}"),
        ("fc9:", "", f"no layer 'fc9'; this network has {', '.join(NAMES)}"),
        (
            ["conv1", "pool1"],
            "",
            "the layer 'pool1' cannot train: it has nothing to train; wanted among "
            + ", ".join(SHAPES),
        ),
        (
            "conv1,fc7",
            "conv2",
            "the layer 'fc7' cannot train: it is not built, conv2 is the last; wanted among "
            "conv1, conv2",
        ),
    ],
)
def test_what_cannot_train_is_an_error(trainable, until, message):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        shapes_of(tf.placeholder(tf.float32, [1, 227, 227, 3]), trainable=trainable, until=until)
    assert str(caught.value) == message


def test_the_users_own_step_moves_the_chosen_layers_and_no_other(weights):
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(photos(2))
        endpoints = alexnet_endpoints(images, weights, ["conv4", "fc8"], preprocess=True)
        loss = tf.losses.sparse_softmax_cross_entropy([3, 5], endpoints["fc8"])
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(loss)
        session.run(step)
        assert session.run(loss) < before
        after = session.run({v.op.name: v for v in tf.global_variables()})
    assert len(after) == 16
    for name, value in after.items():
        _, layer, role = name.split("/")
        source = weights[layer]["Wb".index(role)]
        assert (value.tobytes() == source.tobytes()) == (layer not in ("conv4", "fc8")), name


def test_another_number_of_classes_draws_a_new_head(weights):
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 227, 227, 3])
        ends = alexnet_endpoints(x, weights, classes=43, trainable="fc8", seed=4)
        assert ends["prob"].shape.as_list() == [None, 43]
        found = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(found["AlexNet/fc7/W"], weights["fc7"][0])
    W = found["AlexNet/fc8/W"]
    assert W.shape == (4096, 43)
    assert abs(W.std() / np.sqrt(2 / 4096) - 1) < 0.02 and abs(W.mean()) < 1e-3
    with tf.Graph().as_default():  # the same seed draws the same head; its own weights are kept
        x = tf.placeholder(tf.float32, [None, 227, 227, 3])
        alexnet_endpoints(x, weights, classes=43, seed=4)
        alexnet_endpoints(x, weights | {"fc8": (W + 1, np.ones(43, "f"))}, classes=43, seed=4)
        again = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(again["AlexNet/fc8/W"], W)
    np.testing.assert_array_equal(again["AlexNet_1/fc8/W"], W + 1)


def test_skipped_layers_are_drawn_and_need_not_be_in_the_weights(weights):
    some = {name: pair for name, pair in weights.items() if name != "conv2"}
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 63, 63, 3])
        alexnet_endpoints(x, some, until="conv3", skip=("conv2",), seed=1)
        found = run({v.op.name: v for v in tf.global_variables()})
    np.testing.assert_array_equal(found["AlexNet/conv1/W"], weights["conv1"][0])
    assert abs(found["AlexNet/conv2/W"].std() / np.sqrt(2 / (25 * 48)) - 1) < 0.02
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        alexnet_endpoints(photos(), weights, skip=("fc9",))
    assert str(caught.value) == (f"no layer to skip 'fc9'; this network has {', '.join(SHAPES)}")


def test_all_that_is_wrong_with_weights_is_said_at_once(weights):
    W, b = weights["conv4"]
    bad = {name: pair for name, pair in weights.items() if name not in ("conv1", "fc6")}
    bad["conv2"] = (weights["conv2"][0].astype(np.float64), weights["conv2"][1])
    bad["conv3"] = (weights["conv3"][0], np.full(384, np.nan, np.float32))
    bad["conv4"] = (W.transpose(3, 2, 0, 1), b)
    bad["conv1_1"] = (W, b)
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        alexnet_endpoints(tf.placeholder(tf.float32, [None, 227, 227, 3]), bad)
    assert str(caught.value) == (
        "the weights do not suit the network: conv1, fc6 missing; conv1_1 not in this network; "
        "conv2/W is float64 (5, 5, 48, 256), wanted float32 (5, 5, 48, 256); conv3/b has NaN or "
        "infinite numbers; conv4/W is float32 (384, 192, 3, 3), wanted float32 (3, 3, 192, 384); "
        "choose a layer before those as the last one, or other weights"
    )


def test_the_graph_stays_small(weights):
    with tf.Graph().as_default() as graph:
        AlexNet(tf.placeholder(tf.float32, [None, 227, 227, 3]), weights=weights)
        assert graph.as_graph_def().ByteSize() < 100_000
