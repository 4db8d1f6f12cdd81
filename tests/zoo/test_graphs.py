"""Any frozen graph as a network: what is found, what is asked for, what is refused."""

import backbones
import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets import open_network
from graphnets.errors import GraphnetsError
from graphnets.networks.network import Cut
from graphnets.networks.savedmodel import read_saved_model

RANGE = {"input_mean": 127.5, "input_std": 127.5}
PICTURES = np.random.default_rng(6).uniform(0, 255, (3, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def mobile(tmp_path_factory):
    graph_def = backbones.frozen(backbones.mobile, "net/Predictions")
    return graphs.write(tmp_path_factory.mktemp("pb") / "mobile.pb", graph_def)


@pytest.fixture(scope="module")
def keras(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "keras"
    backbones.keras_model(folder)
    return folder


def written(tmp_path, build, *outputs):
    return graphs.write(tmp_path / "net.pb", backbones.frozen(build, *outputs))


def refusal(path, **options):
    with pytest.raises(GraphnetsError) as caught:
        open_network("graph", path, **options)
    return str(caught.value)


def test_every_endpoint_is_that_of_the_untouched_graph(mobile, keras):
    for path in (mobile, keras):
        network = open_network("graph", path, **RANGE)
        names = [layer.name for layer in network.layers()]
        found = graphs.built(network, PICTURES, names)
        old = read_saved_model(path).graph_def if path == keras else graphs.read(path)
        scaled = (PICTURES - 127.5) / 127.5
        wanted = graphs.run(old, {network.found.entry: scaled}, [f"{name}:0" for name in names])
        for one, other in zip(found, wanted, strict=True):
            assert one.shape == other.shape
            assert np.abs(one - other).max() < 1e-5 * np.abs(other).max()


def test_what_a_graph_tells_is_found(mobile, keras):
    network = open_network("graph", mobile, **RANGE)
    assert (network.name, network.size) == ("graph", (16, 16))
    assert network.default_endpoint == "net/features:0"
    assert network.told() == [
        "pictures enter at input:0: 16 x 16, RGB, (pixel - 127.5) / 127.5",
        "features: net/features:0",
        "classifier: net/MatMul",
    ]
    kinds = [(layer.name, layer.kind, layer.parameters) for layer in network.layers()]
    assert kinds == [
        ("net/Conv2d_0/Relu6", "conv", 27 * 8 + 8),
        ("net/Conv2d_1_depthwise/Relu6", "depthwise", 9 * 8 + 8),
        ("net/Conv2d_1_pointwise/Relu6", "conv", 8 * 12 + 12),
        ("net/Conv2d_2_depthwise/Relu6", "depthwise", 9 * 12 + 12),
        ("net/Conv2d_2_pointwise/Relu6", "conv", 12 * 16 + 16),
        ("net/pool", "avg_pool", 0),
        ("net/features", "reshape", 0),
        ("net/logits", "fc", 16 * 7 + 7),
        ("net/Predictions", "softmax", 0),
    ]
    network = open_network("graph", keras, **RANGE)
    assert network.default_endpoint.endswith("/pool_1/Mean:0")
    assert [layer.kind for layer in network.layers()] == [
        "conv", "depthwise", "add", "mean", "fc", "softmax",
    ]  # fmt: skip


def test_another_size_mean_or_channel_order_is_another_network(mobile):
    plain = open_network("graph", mobile, **RANGE)
    other = open_network(
        "graph", mobile, input_mean="1,2,3", input_std=[4, 5, 6], input_channels="BGR"
    )
    assert plain.fingerprint != other.fingerprint
    [found] = graphs.built(other, PICTURES, ["net/features"])
    scaled = (PICTURES[..., ::-1] - [1, 2, 3]) / [4, 5, 6]
    wanted = graphs.run(graphs.read(mobile), {"input:0": scaled}, "net/features:0")
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("trainable, after, first, count", [
    ("Conv2d_2_pointwise:", "net/Conv2d_2_depthwise/Relu6", "net/Conv2d_2_pointwise/Relu6", 1),
    ("Conv2d_2:", "net/Conv2d_1_pointwise/Relu6", "net/Conv2d_2_depthwise/Relu6", 2),
    ("Conv2d_1_*", "net/Conv2d_0/Relu6", "net/Conv2d_1_depthwise/Relu6", 2),
    ("net/Conv2d_1_pointwise/Conv2D", "net/Conv2d_1_depthwise/Relu6",
     "net/Conv2d_1_pointwise/Relu6", 1),
    ("all", "", "net/Conv2d_0/Relu6", 5),
])  # fmt: skip
def test_cuts(mobile, trainable, after, first, count):
    cut = open_network("graph", mobile, **RANGE).cut(["net/features"], trainable)
    assert (cut.after, cut.layers[0], len(cut.layers)) == (after, first, count)


def test_a_residual_block_is_cut_in_front_of_its_fork(keras):
    network = open_network("graph", keras, **RANGE)
    names = [network.default_endpoint]
    cut = network.cut(names, "block_1:")
    assert cut.after.endswith("/stem_swish_1/mul") or cut.after.endswith("/stem_swish_1/mul_1")
    assert len(cut.layers) == 1
    assert network.cut(names, "head") == Cut(names[0].removesuffix(":0"), [], [])


def test_what_a_graph_does_not_tell_is_asked_for(mobile, tmp_path):
    assert refusal(mobile).startswith(
        f"{mobile} does not tell the range of the pixels that input:0 takes; say it, --input_mean "
        "127.5 --input_std 127.5 for -1 to 1 (MobileNet, Inception), "
    )
    assert refusal(mobile, input_height=32, **RANGE) == (
        f"{mobile} takes pictures of the height 16 at input:0, not 32"
    )

    def any_size():
        x = tf.placeholder(tf.float32, [None, None, None, 3], "x") / 255.0
        y = tf.nn.conv2d(x, backbones.drawn("w", 3, 3, 3, 4), 1, "SAME")
        tf.nn.relu(tf.reduce_mean(y, [1, 2]), name="y")

    path = written(tmp_path, any_size, "y")
    assert refusal(path) == (
        f"{path} takes pictures of any height at x:0; say --input_height and --input_width, those "
        "that it was trained on"
    )
    network = open_network("graph", path, input_height=20, input_width=30)  # it scales by itself
    assert (network.size, network.default_endpoint) == ((20, 30), "y:0")


def two_inputs():
    a, b = (tf.placeholder(tf.float32, [None, 8, 8, 3], name) for name in "ab")
    y = tf.nn.conv2d((a - b) / 255.0, backbones.drawn("w", 3, 3, 3, 4), 1, "SAME")
    tf.reduce_mean(y, [1, 2], name="y")


def grey():
    x = tf.placeholder(tf.float32, [None, 28, 28, 1], "x")
    tf.nn.conv2d(x, backbones.drawn("w", 3, 3, 1, 4), 1, "SAME", name="y")


def whole_numbers():
    x = tf.placeholder(tf.uint8, [1, None, None, 3], "image_tensor")
    y = tf.nn.conv2d(tf.cast(x, tf.float32), backbones.drawn("w", 3, 3, 3, 4), 1, "SAME")
    tf.reduce_mean(y, [1, 2], name="y")


def no_network():
    x = tf.placeholder(tf.float32, [None, 8, 8, 3], "x")
    tf.reduce_mean(x / 255.0, [1, 2], name="y")


def detector():
    x = tf.placeholder(tf.float32, [1, 8, 8, 3], "x") / 255.0
    y = tf.nn.conv2d(x, backbones.drawn("w", 3, 3, 3, 4), 1, "SAME")
    boxes = tf.reshape(y, [-1, 4])
    tf.image.non_max_suppression(boxes, boxes[:, 0], 5, name="y")


@pytest.mark.parametrize("build, message", [
    (two_inputs, " takes pictures at a:0 float32 (None, 8, 8, 3), b:0 float32 (None, 8, 8, 3); say "
     "which with --input_layer"),
    (grey, " has no input of float pictures (n, height, width, 3); it has x:0 float32 "
     "(None, 28, 28, 1): name a tensor behind with --input_layer, or another graph"),
    (whole_numbers, " has no input of float pictures (n, height, width, 3); it has image_tensor:0 "
     "uint8 (None, None, None, 3): name a tensor behind with --input_layer, or another graph"),
    (no_network, " has no convolution or product behind x:0; wanted a network"),
    (detector, " finds objects (it has NonMaxSuppressionV3), and no features of the whole picture "
     "lead to it; wanted a graph that classifies pictures, or their features"),
])  # fmt: skip
def test_other_graphs_are_refused_in_a_sentence(tmp_path, build, message):
    output = "y/NonMaxSuppressionV3" if build is detector else "y"
    path = written(tmp_path, build, output)
    assert refusal(path) == f"{path}{message}"


def test_two_inputs_with_one_named_ask_for_the_other_when_it_is_needed(tmp_path):
    path = written(tmp_path, two_inputs, "y")
    network = open_network("graph", path, input_layer="a", **RANGE)
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        network.build(tf.placeholder(tf.float32, [None, 8, 8, 3]), ["y"])
    assert str(caught.value) == (
        "y:0 of graph also depends on the placeholder 'b', which nothing is known of; freeze the "
        "graph as it is for inference"
    )


def test_several_outputs_leave_the_choice_to_the_user(tmp_path):
    def build():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], "x") / 255.0
        for name, channels in (("one", 3), ("two", 4)):
            y = tf.nn.conv2d(x, backbones.drawn(name, 3, 3, 3, channels), 1, "SAME")
            tf.reduce_mean(y, [1, 2], name=f"out_{name}")

    path = written(tmp_path, build, "out_one", "out_two")
    network = open_network("graph", path)
    with pytest.raises(GraphnetsError) as caught:
        network.default_endpoint  # noqa: B018
    assert str(caught.value) == (
        f"{path} has several outputs, out_one, out_two; say which features you want with "
        "--endpoint, one or more tensors"
    )
    [found] = graphs.built(network, np.zeros((1, 8, 8, 3), np.float32), ["out_two"])
    assert found.shape == (1, 4)


@pytest.mark.parametrize("name, what", [
    ("model.tflite", "a TensorFlow Lite model"), ("weights.h5", "Keras's weights or model"),
    ("model.keras", "a Keras model"), ("graph.pbtxt", "a graph as text"),
    ("model.ckpt.meta", "a checkpoint's graph"),
])  # fmt: skip
def test_files_of_other_kinds_are_told_what_to_do(tmp_path, name, what):
    (tmp_path / name).touch()
    assert refusal(tmp_path / name).startswith(f"{tmp_path / name} is {what}: ")


def test_an_endpoint_whose_batch_norm_is_folded_names_the_layer(mobile):
    network = open_network("graph", mobile, **RANGE)
    with pytest.raises(GraphnetsError) as caught:
        network.cut(["net/Conv2d_0/Conv2D"], False)
    assert str(caught.value) == (
        "'net/Conv2d_0/Conv2D:0' is no endpoint: the batch norm behind it is part of its layer "
        "here; wanted 'net/Conv2d_0/Relu6'"
    )


def test_the_inception_file_is_known_by_its_names(tmp_path):
    path = graphs.write(tmp_path / "any.pb", graphs.inception_like())
    assert open_network("graph", path).name == "inception_v3"


@pytest.mark.parametrize("name", ["mobilenet_1.0_224", "mobilenet_v1_1.0_224"])
def test_the_names_of_retrain_py(name, tmp_path):
    with pytest.raises(GraphnetsError) as caught:
        open_network(name, model_dir=tmp_path)
    assert str(caught.value) == (
        f"the weights of mobilenet_v1_1.0_224 are not at {tmp_path}/mobilenet_v1_1.0_224_frozen.pb;"
        f" get them with `graphnets fetch mobilenet_v1_1.0_224 --model_dir {tmp_path}`"
    )
    with pytest.raises(GraphnetsError, match="8 bits, from which nothing trains on; take mobile"):
        open_network(f"{name}_quantized")


def test_options_of_pictures_are_for_graphs():
    with pytest.raises(GraphnetsError, match="input_mean go with the architecture 'graph'; vgg16"):
        open_network("vgg16", "random", input_mean=3)
    for options, message in (
        ({"input_mean": 1}, "got one of input_mean and input_std; wanted both"),
        ({"input_mean": 1, "input_std": 0}, "input_std is 0, and the pixels are divided by it"),
        ({"input_mean": "1,2", "input_std": 1}, "input_mean is '1,2', wanted a number, or three"),
        ({"input_channels": "RBG"}, "input_channels is 'RBG', wanted RGB or BGR"),
    ):
        assert refusal("none.pb", **options).startswith(message)


def test_a_batch_norm_that_stands_in_front_is_told(tmp_path):
    def build():
        x = tf.placeholder(tf.float32, [None, 8, 8, 3], "x") / 255.0
        y = tf.nn.conv2d(x, backbones.drawn("w", 3, 3, 3, 4), 1, "SAME")
        y = tf.nn.relu(backbones.of_ops(tf.nn.relu(y)), name="normed")
        tf.nn.conv2d(y, backbones.drawn("v", 3, 3, 4, 4), 1, "SAME", name="y")

    assert open_network("graph", written(tmp_path, build, "y")).told()[3:] == [
        "not folded: 1 batch norms or scales, normed the first, stand where nothing in front can "
        "take them"
    ]
