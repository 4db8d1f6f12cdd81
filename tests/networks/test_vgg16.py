"""VGG16 against a forward pass written out in NumPy."""

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks import vgg16
from graphnets.weights.drawn import RandomWeights

NAMES = [
    "conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2",
    "conv3_1", "conv3_2", "conv3_3", "pool3", "conv4_1", "conv4_2", "conv4_3", "pool4",
    "conv5_1", "conv5_2", "conv5_3", "pool5", "fc6", "fc7", "fc8", "prob",
]  # fmt: skip
CHANNELS = {1: 64, 2: 128, 3: 256, 4: 512, 5: 512}


def shapes():
    """{layer: (shape of W, shape of b)}, written out from the paper's table."""
    found, inputs = {}, 3
    for name in NAMES[:18]:
        if name.startswith("conv"):
            outputs = CHANNELS[int(name[4])]
            found[name] = ((3, 3, inputs, outputs), (outputs,))
            inputs = outputs
    for name, (inputs, outputs) in {
        "fc6": (7 * 7 * 512, 4096), "fc7": (4096, 4096), "fc8": (4096, 1000),
    }.items():  # fmt: skip
        found[name] = ((inputs, outputs), (outputs,))
    return found


@pytest.fixture(scope="module")
def weights():
    """Random weights of the convolutions, with biases other than zero."""
    convolutions = {name: pair for name, pair in shapes().items() if name.startswith("conv")}
    drawn = RandomWeights(convolutions)
    random = np.random.default_rng(5)
    found = {}
    for name in drawn:
        W, b = drawn[name]
        found[name] = (W, random.normal(0, 0.1, b.shape).astype(np.float32))
    return found


def photos(count=2, size=32):
    return np.random.default_rng(1).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def convolved(x, W, b):
    """3 x 3, stride 1, zeros around, then ReLU."""
    height, width = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = b + sum(
        padded[:, i : i + height, j : j + width] @ W[i, j] for i in range(3) for j in range(3)
    )
    return np.maximum(y, 0)


def pooled(x):
    n, height, width, channels = x.shape
    return x.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def forward(images, weights):
    """Every endpoint up to pool5, in NumPy."""
    red, green, blue = np.moveaxis(images, -1, 0)
    x = np.stack([blue - 103.939, green - 116.779, red - 123.68], axis=-1).astype(np.float32)
    found = {}
    for name in NAMES[:18]:
        x = convolved(x, *weights[name]) if name in weights else pooled(x)
        found[name] = x
    return found


def test_every_endpoint_up_to_pool5_equals_numpy(weights):
    with tf.Graph().as_default(), tf.Session() as session:
        endpoints = vgg16.vgg16_endpoints(tf.constant(photos()), weights, until="pool5")
        session.run(tf.global_variables_initializer())
        found = session.run(dict(endpoints))
    wanted = forward(photos(), weights)
    assert list(found) == list(wanted) == NAMES[:18]
    for name, value in wanted.items():
        assert found[name].shape == value.shape
        assert value.std() > 1
        assert np.abs(found[name] - value).max() < 1e-4 * np.abs(value).max(), name


def test_the_weights_see_blue_green_red_less_the_mean():
    W = np.zeros((3, 3, 3, 64), np.float32)
    W[1, 1, :, :3] = np.eye(3)
    b = np.full(64, 200, np.float32)
    image = np.array([10, 100, 250], np.float32).reshape(1, 1, 1, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        weights = {"conv1_1": (W, b)}
        y = vgg16.vgg16_endpoints(tf.constant(image), weights, until="conv1_1")["conv1_1"]
        session.run(tf.global_variables_initializer())
        seen = session.run(y)[0, 0, 0, :3] - 200
    np.testing.assert_allclose(seen, [250 - 103.939, 100 - 116.779, 10 - 123.68], atol=1e-4)


@pytest.mark.parametrize("dtype, shape", [
    ("uint8", [None, 224, 224, 3]),
    ("float32", [None, 224, 224, 4]),
    ("float32", [None, 224, 224, 1]),
    ("float32", [224, 224, 3]),
    ("float32", [None, 3, 224, 224]),
])  # fmt: skip
def test_images_of_another_kind(dtype, shape):
    with tf.Graph().as_default():
        images = tf.placeholder(dtype, shape)
        with pytest.raises(GraphnetsError, match=f"^VGG16 got {dtype} images of the shape"):
            vgg16.vgg16_endpoints(images, {})


def test_names_and_shapes_of_the_layers():
    layers = {layer.name: layer for layer in vgg16.DECLARED.layers()}
    assert list(layers) == NAMES
    heights = {"1": 224, "2": 112, "3": 56, "4": 28, "5": 14}
    for name, layer in layers.items():
        if name.startswith(("conv", "pool")):
            height = heights[name[4]] // (2 if name.startswith("pool") else 1)
            assert layer.shape == (None, height, height, CHANNELS[int(name[4])])
    assert [layers[name].shape[1] for name in NAMES[18:]] == [4096, 4096, 1000, 1000]
    assert {name: layer.parameter_shapes for name, layer in layers.items()
            if layer.parameter_shapes} == shapes()  # fmt: skip
    assert [layer.kind for layer in layers.values()][-5:] == [
        "max_pool", "fc", "fc", "fc", "softmax",
    ]  # fmt: skip


def test_the_number_of_parameters_is_the_papers():
    assert sum(layer.parameters for layer in vgg16.DECLARED.layers()) == 138_357_544
    convolutions = [layer for layer in vgg16.DECLARED.layers() if layer.kind == "conv"]
    assert sum(layer.parameters for layer in convolutions) == 14_714_688


@pytest.mark.parametrize("until", ["conv1_1", "pool2", "conv3_2"])
def test_until_builds_no_further(weights, until):
    with tf.Graph().as_default():
        endpoints = vgg16.vgg16_endpoints(tf.constant(photos()), weights, until=until)
        assert list(endpoints) == NAMES[: NAMES.index(until) + 1]
        built = {v.op.name.split("/")[1] for v in tf.global_variables()}
    assert built == {name for name in endpoints if name.startswith("conv")}


def test_weights_of_the_convolutions_alone_do_not_reach_fc6(weights):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        vgg16.vgg16_endpoints(tf.placeholder(tf.float32, [None, 224, 224, 3]), weights)
    assert str(caught.value) == (
        "the weights do not suit the network: fc6, fc7, fc8 missing; choose a layer before those "
        "as the last one, or other weights"
    )


def test_photos_of_another_size_do_not_fit_fc6(weights):
    with tf.Graph().as_default():
        message = "^VGG16 up to fc6 got pictures of 64 x 64, wanted 224 to 255 pixels high and wide"
        with pytest.raises(GraphnetsError, match=message):
            vgg16.vgg16_endpoints(tf.constant(photos(1, 64)), weights, until="fc6")
        message = "^VGG16 up to pool5 got pictures of 31 x 31, wanted 32 x 32 or more"
        with pytest.raises(GraphnetsError, match=message):
            vgg16.vgg16_endpoints(tf.constant(photos(1, 31)), weights, until="pool5")


def test_probabilities_or_fc7():
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, [None, 224, 224, 3])
        assert vgg16.VGG16(x, weights="random").shape.as_list() == [None, 1000]
        assert vgg16.VGG16(x, True, weights="random").shape.as_list() == [None, 4096]
        assert vgg16.VGG16(x, weights="random", classes=17).shape.as_list() == [None, 17]


def test_weights_of_another_shape(weights):
    W, b = weights["conv2_1"]
    channels_first = weights | {"conv2_1": (W.transpose(3, 2, 0, 1), b)}
    message = r"conv2_1/W is float32 \(128, 64, 3, 3\), wanted float32 \(3, 3, 64, 128\)"
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=message):
        vgg16.vgg16_endpoints(tf.constant(photos()), channels_first, until="pool5")


def test_an_unknown_trainable_layer_names_the_valid_ones(weights):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        vgg16.vgg16_endpoints(tf.constant(photos()), weights, ["conv5_4"], until="pool5")
    assert str(caught.value) == f"no layer 'conv5_4'; this network has {', '.join(NAMES)}"


def test_a_step_trains_the_chosen_layers_and_no_other(weights):
    chosen = ["conv2_2", "conv3_1"]
    with tf.Graph().as_default(), tf.Session() as session:
        images = tf.constant(photos(1, 16))
        y = vgg16.vgg16_endpoints(images, weights, chosen, until="pool3")["pool3"]
        assert sorted(v.op.name for v in tf.trainable_variables()) == [
            "VGG16/conv2_2/W", "VGG16/conv2_2/b", "VGG16/conv3_1/W", "VGG16/conv3_1/b",
        ]  # fmt: skip
        step = tf.train.GradientDescentOptimizer(1e-3).minimize(tf.reduce_mean(y))
        session.run(tf.global_variables_initializer())
        session.run(step)
        after = {v.op.name: session.run(v) for v in tf.global_variables()}
    assert len(after) == 14
    for name, value in after.items():
        _, layer, role = name.split("/")
        before = weights[layer]["Wb".index(role)]
        assert (value.tobytes() == before.tobytes()) == (layer not in chosen), name


def test_the_graph_stays_small(weights):
    with tf.Graph().as_default() as graph:
        vgg16.vgg16_endpoints(tf.constant(photos()), weights, trainable=["conv5_3"], until="pool5")
        assert graph.as_graph_def().ByteSize() < 1_000_000
    assert sum(W.nbytes for W, _ in weights.values()) > 58_000_000


def test_the_network_says_what_it_is(weights):
    network = vgg16.DECLARED.network(weights, "print")
    assert (network.name, network.size) == ("vgg16", (224, 224))
    assert (network.default_endpoint, network.fingerprint) == ("conv4_3,conv5_3", "print")
    assert network.layers() == vgg16.DECLARED.layers()


@pytest.mark.parametrize("wanted", [["pool1", "conv2_1"], ["conv2_1", "pool1"]])
def test_the_network_builds_as_far_as_the_last_endpoint_wanted(weights, wanted):
    with tf.Graph().as_default(), tf.Session() as session:
        endpoints = vgg16.DECLARED.network(weights, "").build(tf.constant(photos(1, 8)), wanted)
        session.run(tf.global_variables_initializer())
        found = session.run([endpoints[name] for name in wanted])
        assert len(tf.global_variables()) == 6
        assert tf.trainable_variables() == []
    assert [value.shape[1:] for value in found] == [
        {"pool1": (4, 4, 64), "conv2_1": (4, 4, 128)}[name] for name in wanted
    ]


@pytest.mark.parametrize("wanted", [["conv9"], ["conv1_1", "conv9"], ["conv9", "pool5"]])
def test_an_unknown_endpoint_lists_them_all(weights, wanted):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        vgg16.DECLARED.network(weights, "").build(tf.constant(photos()), wanted)
    assert str(caught.value) == f"no endpoint 'conv9'; this network has {', '.join(NAMES)}"
