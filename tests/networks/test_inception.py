"""Inception v3 by its tensor names, on a small graph of the file's style."""

import io

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from PIL import Image

import graphnets
from graphnets.errors import GraphnetsError
from graphnets.networks import frozen, inception
from graphnets.networks.inception import Inception, inception_endpoints
from graphnets.networks.stack import Cut, LayerInfo


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


def images(count=3):
    shape = (count, graphs.SIZE, graphs.SIZE, 3)
    return np.random.default_rng(2).uniform(0, 255, shape).astype(np.float32)


def built(network, batch, names):
    with tf.Graph().as_default(), tf.Session() as session:
        placeholder = tf.placeholder(tf.float32, [None, *network.size, 3])
        endpoints = network.build(placeholder, names)
        assert list(endpoints) == names
        return session.run([endpoints[name] for name in names], {placeholder: batch})


def untouched(batch, name):
    """What the graph in the file gives, one image at a time."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.import_graph_def(graphs.inception_like(), name="")
        rows = [session.run(name, {"ResizeBilinear:0": image[np.newaxis]}) for image in batch]
    return np.concatenate(rows)


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
        "classify_image_graph_def.pb (inception5h.zip holds another network)"
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
    def conv(name, height, channels, *weights):
        return LayerInfo(name, "conv", (None, height, height, channels), (weights, (channels,)))

    def parameterless(name, kind, *shape):
        return LayerInfo(name, kind, (None, *shape), ())

    assert network.layers() == [
        conv("conv", 23, 8, 3, 3, 3, 8),
        conv("conv_1", 21, 8, 3, 3, 8, 8),
        conv("conv_2", 21, 12, 3, 3, 8, 12),
        parameterless("pool", "max_pool", 10, 10, 12),
        conv("mixed/conv", 10, 8, 1, 1, 12, 8),
        conv("mixed/tower/conv", 10, 4, 1, 1, 12, 4),
        conv("mixed/tower/conv_1", 10, 6, 5, 5, 4, 6),
        parameterless("mixed/tower_1/pool", "avg_pool", 10, 10, 12),
        conv("mixed/tower_1/conv", 10, 10, 1, 1, 12, 10),
        parameterless("mixed/join", "concat", 10, 10, 24),
        conv("mixed_1/tower/conv", 10, 6, 1, 1, 24, 6),
        conv("mixed_1/tower/conv_1", 10, 6, 1, 7, 6, 6),
        conv("mixed_1/tower/conv_2", 4, 8, 3, 3, 6, 8),
        parameterless("mixed_1/pool", "max_pool", 4, 4, 24),
        parameterless("mixed_1/join", "concat", 4, 4, 32),
        parameterless("pool_3", "avg_pool", 1, 1, 32),
        parameterless("pool_3/_reshape", "reshape", 32),
        LayerInfo("softmax/logits", "fc", (None, 11), ((32, 11), (11,))),
        parameterless("softmax", "softmax", 11),
    ]


def test_parameters_are_the_weights_and_one_bias_a_channel(network):
    graph_def = graphs.inception_like()
    sizes = {n.name: tf.make_ndarray(n.attr["value"].tensor).size for n in graph_def.node
             if n.op == "Const"}  # fmt: skip
    kept = ("conv2d_params", "beta", "softmax/weights", "softmax/biases")
    wanted = sum(size for name, size in sizes.items() if name.endswith(kept))
    assert sum(layer.parameters for layer in network.layers()) == wanted


def test_a_batch_norm_that_could_not_be_folded_is_no_layer_of_its_own():
    graph_def = graphs.inception_like()
    graph_def.node.add(name="also", op="Relu", input=["conv/Conv2D"]).attr[
        "T"
    ].type = tf.float32.as_datatype_enum
    layers = inception.network(frozen.modernised(graph_def), "").layers()
    assert [layer.name for layer in layers][:2] == ["conv", "conv_1"]
    assert layers[0].parameter_shapes == ((3, 3, 3, 8), (8,))


LAYERS = [
    "conv", "conv_1", "conv_2", "pool", "mixed/conv", "mixed/tower/conv", "mixed/tower/conv_1",
    "mixed/tower_1/pool", "mixed/tower_1/conv", "mixed/join", "mixed_1/tower/conv",
    "mixed_1/tower/conv_1", "mixed_1/tower/conv_2", "mixed_1/pool", "mixed_1/join", "pool_3",
    "pool_3/_reshape", "softmax/logits", "softmax",
]  # fmt: skip


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


@pytest.mark.parametrize("trainable", ["mixed_1", "mixed/tower", "conv_2,mixed_1/*/conv_1", True])
def test_before_the_first_step_an_unfrozen_network_is_the_file(network, trainable):
    cut = network.cut(BOTTLENECK, trainable)
    [stored] = built(network, images(), [cut.after or "ResizeBilinear"])
    with tf.Graph().as_default(), tf.Session() as session:
        found = network.build(tf.constant(stored), cut.behind, cut.after, cut.layers)
        session.run(tf.global_variables_initializer())
        wanted = untouched(images(), "pool_3/_reshape:0")
        np.testing.assert_allclose(session.run(found[BOTTLENECK[0]]), wanted, atol=1e-5)


@pytest.mark.parametrize("trainable", ["mixed_1", "mixed/tower", "conv_2,mixed_1/*/conv_1", True])
def test_a_step_moves_the_chosen_layers_and_the_tuned_network_computes_it(network, trainable):
    cut = network.cut(BOTTLENECK, trainable)
    [stored] = built(network, images(), [cut.after or "ResizeBilinear"])
    with tf.Graph().as_default(), tf.Session() as session:
        features = network.build(tf.constant(stored), cut.behind, cut.after, cut.layers)
        features = features[BOTTLENECK[0]]
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


def test_the_frozen_network_keeps_the_files_names_and_can_be_built_twice(network):
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant(images())
        first, second = (network.build(x, ["mixed_1/join"])["mixed_1/join"] for _ in range(2))
        assert first.name == "mixed_1/join:0"
        one, other = session.run([first, second])
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("layer", ["mixed_1", "pool", "conv9"])
def test_only_layers_of_a_cut_can_be_built_to_train(network, layer):
    message = f"^no layer to train {layer!r}; this network has conv, conv_1, conv_2, mixed/conv, "
    with tf.Graph().as_default(), pytest.raises(GraphnetsError, match=message):
        network.build(tf.constant(images()), BOTTLENECK, "", [layer])


def test_a_parameter_is_a_const_of_the_graph(network):
    weights, bias = (network.parameter(f"softmax/{name}") for name in ("weights", "biases"))
    found, scores = built(network, images(), ["pool_3/_reshape", "softmax/logits"])
    np.testing.assert_allclose(found @ weights + bias, scores, atol=1e-4)
