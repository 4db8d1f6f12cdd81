"""Inception v3 by its tensor names, on a small graph of the file's style."""

import io

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from graphs import built, images, untouched
from PIL import Image

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.networks import inception
from graphnets.networks.inception import Inception, inception_endpoints
from graphnets.networks.network import LayerInfo
from graphnets.networks.rewriting import modernised


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inception")
    return graphs.write(folder / "classify_image_graph_def.pb", graphs.inception_like())


@pytest.fixture(scope="module")
def network(path):
    return inception.network(inception.inception_graph_def(path), "print")


def photo():
    pixels = np.random.default_rng(1).integers(0, 256, (60, 50, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


LAYERS = [
    "conv", "conv_1", "conv_2", "pool", "mixed/conv", "mixed/tower/conv", "mixed/tower/conv_1",
    "mixed/tower_1/pool", "mixed/tower_1/conv", "mixed/join", "mixed_1/tower/conv",
    "mixed_1/tower/conv_1", "mixed_1/tower/conv_2", "mixed_1/pool", "mixed_1/join", "pool_3",
    "pool_3/_reshape", "softmax/logits", "softmax",
]  # fmt: skip


def test_the_tutorials_way_works(path):
    names = ["pool_3/_reshape:0", "DecodeJpeg/contents:0", "ResizeBilinear:0"]
    with tf.Graph().as_default(), tf.Session() as session:
        bottleneck, jpeg, resized = tf.import_graph_def(
            graphnets.inception_graph_def(path), name="", return_elements=names
        )
        from_bytes, pixels = session.run([bottleneck, resized], {jpeg: photo()})
        from_pixels = session.run(bottleneck, {resized: pixels})
        batch = session.run(bottleneck, {resized: np.concatenate([pixels, pixels])})
    assert from_bytes.shape == (1, 32)
    assert from_bytes.std() > 0.1
    np.testing.assert_array_equal(from_pixels, from_bytes)
    assert batch.shape == (2, 32)
    np.testing.assert_allclose(batch, np.concatenate([from_bytes] * 2), atol=1e-5)


@pytest.mark.parametrize("missing", ["DecodeJpeg/contents", "ResizeBilinear", "Mul"])
def test_another_graph_is_refused(missing, tmp_path):
    graph_def = graphs.inception_like()
    for node in graph_def.node:
        if node.name == missing:
            node.name = "input"
        node.input[:] = ["input" if name == missing else name for name in node.input]
    path = graphs.write(tmp_path / "tensorflow_inception_graph.pb", graph_def)
    with pytest.raises(GraphnetsError) as caught:
        inception.inception_graph_def(path)
    assert str(caught.value) == (
        f"{path} has no {missing}; wanted the Inception v3 graph of 2015-12-05, "
        "classify_image_graph_def.pb (inception5h.zip holds another network): another graph goes "
        "with --architecture graph"
    )


def test_all_that_another_graph_lacks_is_named(tmp_path):
    net = graphs.Builder()
    net.add("input", "Placeholder", dtype=tf.float32)
    net.add("output", "Softmax", ["input"], T=tf.float32)
    path = graphs.write(tmp_path / "other.pb", net.graph_def)
    with pytest.raises(GraphnetsError, match="no DecodeJpeg/contents, ResizeBilinear,.* Mul, pool"):
        inception.inception_graph_def(path)


def test_a_resizing_without_the_size_of_the_file_is_refused(tmp_path):
    graph_def = graphs.inception_like()
    for node in graph_def.node:
        if node.name == "ResizeBilinear/size":
            node.name = "size"
        node.input[:] = ["size" if name == "ResizeBilinear/size" else name for name in node.input]
    with pytest.raises(GraphnetsError, match="has no ResizeBilinear/size; wanted the Inception"):
        inception.inception_graph_def(graphs.write(tmp_path / "g.pb", graph_def))


def test_a_dangerous_graph_is_refused(tmp_path):
    graph_def = graphs.inception_like()
    graph_def.node.add(name="w", op="WriteFile")
    with pytest.raises(GraphnetsError, match=r"g\.pb has the op\(s\) WriteFile"):
        inception.inception_graph_def(graphs.write(tmp_path / "g.pb", graph_def))


def test_the_network_says_what_it_is(network):
    assert network.name == "inception_v3"
    assert network.size == (graphs.SIZE, graphs.SIZE)
    assert network.default_endpoint == "pool_3/_reshape:0"
    assert network.fingerprint == "print"


@pytest.mark.parametrize("name", ["mixed/join", "mixed_1/join", "pool_3/_reshape", "softmax"])
def test_an_endpoint_is_named_with_or_without_its_zero(network, name):
    batch = images()
    wanted = untouched(batch, f"{name}:0")
    assert wanted.std() > 1e-3
    for result in built(network, batch, [name, f"{name}:0"]):
        assert result.shape == wanted.shape
        assert np.abs(result - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_what_lies_in_front_of_the_convolutions_can_be_fetched(network):
    batch = images()
    resized, scaled = built(network, batch, ["ResizeBilinear", "Mul"])
    np.testing.assert_array_equal(resized, batch)
    np.testing.assert_allclose(scaled, (batch - 128) / 128, atol=1e-6)


def test_a_graph_that_uses_its_names_is_no_obstacle(network):
    with tf.Graph().as_default(), tf.Session() as session:
        for name in ("Mul", "pool_3", "softmax"):
            tf.constant(1.0, name=name)
        endpoint = network.build(tf.constant(images()), ["softmax"])["softmax"]
        assert session.run(endpoint).shape == (3, 11)


@pytest.mark.parametrize("name", ["mixed_11/join", "conv:1", "pool_3:0:0", "", "^conv"])
def test_an_unknown_endpoint_lists_the_layers(network, name):
    with tf.Graph().as_default(), pytest.raises(GraphnetsError) as caught:
        network.build(tf.constant(images()), [name])
    message = str(caught.value)
    assert message.startswith(f"no endpoint '{name}")
    assert message.endswith(
        "wanted a tensor of the graph, such as pool, mixed/tower_1/pool, mixed/join, "
        "mixed_1/pool, mixed_1/join, pool_3, pool_3/_reshape, softmax/logits, softmax"
    )


def test_layers_are_listed_first_to_last_each_with_its_own_parameters(network):
    convs = {  # the height of its maps, the shape of its weights
        "conv": (23, 3, 3, 3, 8), "conv_1": (21, 3, 3, 8, 8), "conv_2": (21, 3, 3, 8, 12),
        "mixed/conv": (10, 1, 1, 12, 8), "mixed/tower/conv": (10, 1, 1, 12, 4),
        "mixed/tower/conv_1": (10, 5, 5, 4, 6), "mixed/tower_1/conv": (10, 1, 1, 12, 10),
        "mixed_1/tower/conv": (10, 1, 1, 24, 6), "mixed_1/tower/conv_1": (10, 1, 7, 6, 6),
        "mixed_1/tower/conv_2": (4, 3, 3, 6, 8),
    }  # fmt: skip
    parameterless = {
        "pool": ("max_pool", 10, 10, 12), "mixed/tower_1/pool": ("avg_pool", 10, 10, 12),
        "mixed/join": ("concat", 10, 10, 24), "mixed_1/pool": ("max_pool", 4, 4, 24),
        "mixed_1/join": ("concat", 4, 4, 32), "pool_3": ("avg_pool", 1, 1, 32),
        "pool_3/_reshape": ("reshape", 32), "softmax": ("softmax", 11),
    }  # fmt: skip
    wanted = {"softmax/logits": LayerInfo("softmax/logits", "fc", (None, 11), ((32, 11), (11,)))}
    for name, (height, *weights) in convs.items():
        channels = weights[-1]
        shapes = (tuple(weights), (channels,))
        wanted[name] = LayerInfo(name, "conv", (None, height, height, channels), shapes)
    for name, (kind, *shape) in parameterless.items():
        wanted[name] = LayerInfo(name, kind, (None, *shape), ())
    assert network.layers() == [wanted[name] for name in LAYERS]


def test_parameters_are_the_weights_and_one_bias_a_channel(network):
    graph_def = graphs.inception_like()
    sizes = {n.name: tf.make_ndarray(n.attr["value"].tensor).size for n in graph_def.node
             if n.op == "Const"}  # fmt: skip
    kept = ("conv2d_params", "beta", "softmax/weights", "softmax/biases")
    wanted = sum(size for name, size in sizes.items() if name.endswith(kept))
    assert sum(layer.parameters for layer in network.layers()) == wanted


def test_a_batch_norm_that_could_not_be_folded_is_a_layer_of_its_own():
    graph_def = graphs.inception_like()
    graph_def.node.add(name="also", op="Relu", input=["conv/Conv2D"]).attr[
        "T"
    ].type = tf.float32.as_datatype_enum
    layers = inception.network(modernised(graph_def), "").layers()
    assert [layer.name for layer in layers][:4] == [
        "conv/Conv2D", "also", "conv", "conv_1",
    ]  # fmt: skip
    assert layers[0].parameter_shapes == ((3, 3, 3, 8),)
    assert layers[2].kind == "scale"
    assert layers[2].parameter_shapes == ((8,), (8,))


def test_every_endpoint_by_name_equals_the_untouched_graph(path):
    with tf.Graph().as_default(), tf.Session() as session:
        endpoints = inception_endpoints(tf.constant(images()), path)
        assert list(endpoints) == LAYERS
        assert endpoints["pool_3/_reshape"].name == "Inception/pool_3/_reshape:0"
        found = session.run(dict(endpoints))
        with pytest.raises(GraphnetsError, match="^no endpoint 'prob'; this network has conv, con"):
            endpoints["prob"]
    for name in LAYERS:
        wanted = untouched(images(), f"{name}:0")
        worst = np.abs(found[name] - wanted).max() / np.abs(wanted).max()
        assert worst < 1e-4, name


def test_called_twice_and_by_file_graph_or_default(path, monkeypatch):
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(path.parent))
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, graphs.SIZE, graphs.SIZE, 3])
        graph_def = inception.inception_graph_def(path)
        tensors = [
            Inception(x, feature_extract=True, weights=weights)
            for weights in (path, graph_def, None)
        ]
        probabilities = Inception(x, weights=path)
        *found, scores = session.run([*tensors, probabilities], {x: images()})
    assert [t.name.partition("/")[0] for t in tensors] == [
        "Inception",
        "Inception_1",
        "Inception_2",
    ]
    for value in found:
        np.testing.assert_array_equal(value, found[0])
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(scores, untouched(images(), "softmax:0"), atol=1e-5)


@pytest.mark.parametrize("shape", [[None, None, None, 3], [2, 60, 50, 3]])
def test_pictures_of_another_size_are_resized_as_the_graph_does(path, shape):
    pictures = np.random.default_rng(4).uniform(0, 255, (2, 60, 50, 3))
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float64, shape)
        found = session.run(Inception(x, feature_extract=True, weights=path), {x: pictures})
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graphs.inception_like(), name="")
        wanted = [
            session.run("pool_3/_reshape:0", {"ExpandDims:0": picture[np.newaxis]})
            for picture in pictures
        ]
    np.testing.assert_allclose(found, np.concatenate(wanted), atol=1e-4)


def test_without_preprocessing(path):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, 3])
        tensors = [
            Inception(x, weights=path),
            Inception((x - 128) / 128, weights=path, preprocess=False),
        ]
        one, other = session.run(tensors, {x: images()})
        np.testing.assert_allclose(one, other, atol=1e-5)
        with pytest.raises(GraphnetsError, match=r"shape \(\?, 60, 50, 3\), wanted 47 x 47 where|"
                           r"shape \(None, 60, 50, 3\), wanted 47 x 47 where"):  # fmt: skip
            Inception(tf.placeholder(tf.float32, [None, 60, 50, 3]), weights=path, preprocess=False)


def test_eager_calls_are_told_what_to_do(path):
    with pytest.raises(GraphnetsError, match="^Inception builds a graph, and got eager tensors"):
        Inception(images(), weights=path)


def test_the_frozen_network_keeps_the_files_names_and_can_be_built_twice(network):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(images())
        first, second = (network.build(x, ["mixed_1/join"])["mixed_1/join"] for _ in range(2))
        assert first.name == "mixed_1/join:0"
        one, other = session.run([first, second])
    np.testing.assert_array_equal(one, other)


def test_a_parameter_is_a_const_of_the_graph(network):
    weights, bias = (network.parameter(f"softmax/{name}") for name in ("weights", "biases"))
    found, scores = built(network, images(), ["pool_3/_reshape", "softmax/logits"])
    np.testing.assert_allclose(found @ weights + bias, scores, atol=1e-4)


def test_pictures_whose_size_turns_out_wrong_stop_the_graph(path):
    """330 x 400 through a network for 299 x 299 gave four rows a picture, and no word of it."""
    two = np.zeros((2, graphs.SIZE + 31, graphs.SIZE + 70, 3), np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, 3])
        bottleneck = Inception(x, True, weights=path, preprocess=False)
        assert session.run(bottleneck, {x: images(2)}).shape == (2, 32)
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"not compatible with expected"):
            session.run(bottleneck, {x: two})


def test_a_network_is_built_on_pictures_of_its_size_alone(network):
    name = "pool_3/_reshape"
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, 3])
        bottleneck = network.build(x, [name])[name]
        with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected"):
            session.run(bottleneck, {x: np.zeros((2, 78, 117, 3))})
        with pytest.raises(GraphnetsError, match=r", 78, 117, 3\), wanted 47 x 47$"):
            network.build(tf.placeholder(tf.float32, [None, 78, 117, 3]), [name])


@pytest.mark.parametrize("entry, shape", [
    ("Mul:0", (2, 78, 117, 3)), ("ResizeBilinear:0", (2, 78, 117, 3)),
    ("mixed/join:0", (2, 14, 14, 24)), ("mixed_1/join:0", (2, 9, 9, 32)),
])  # fmt: skip
def test_maps_of_another_size_do_not_pass_for_more_pictures(path, entry, shape):
    graph_def = graphnets.inception_graph_def(path)
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, shape[-1]])
        [bottleneck] = tf.import_graph_def(graph_def, {entry: x}, ["pool_3/_reshape:0"], "net")
        assert bottleneck.shape.as_list() == [None, 32]
        with pytest.raises(tf.errors.InvalidArgumentError, match="requested shape"):
            session.run(bottleneck, {x: np.zeros(shape)})


def test_behind_a_cut_maps_of_another_size_stop_the_graph_too(network):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [None, None, None, 24])
        found = network.build(x, ["softmax"], "mixed/join")["softmax"]
        assert found.shape.as_list() == [None, 11]
        with pytest.raises(tf.errors.InvalidArgumentError, match="requested shape"):
            session.run(found, {x: np.zeros((2, 14, 14, 24))})
