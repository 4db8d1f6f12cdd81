"""Opening a network by its name."""

import hashlib

import graphs
import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks.alexnet import AlexNet
from graphnets.weights.arrays import write_npz
from graphnets.zoo.architectures import open_network


@pytest.fixture
def model_dir(tmp_path, monkeypatch):
    """The folder that weight files are looked for in."""
    monkeypatch.setenv("GRAPHNETS_MODEL_DIR", str(tmp_path))
    return tmp_path


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def conv1_1():
    W = np.random.default_rng(0).standard_normal((3, 3, 3, 64), np.float32)
    return {"conv1_1": (W, np.ones(64, np.float32))}


def output(network, name):
    images = np.random.default_rng(1).uniform(0, 255, (1, *network.size, 3)).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        images = images if network.name == "inception_v3" else images[:, :8, :8]
        tensor = network.build(tf.constant(images), [name])[name]
        session.run(tf.global_variables_initializer())
        return session.run(tensor)


def test_inception_is_the_default_and_lies_where_fetch_puts_it(model_dir):
    path = graphs.write(model_dir / "classify_image_graph_def.pb", graphs.inception_like())
    network = open_network()
    assert network.name == "inception_v3"
    assert network.fingerprint == sha256(path)
    assert output(network, "softmax").shape == (1, 11)


def test_a_graph_from_elsewhere(tmp_path):
    path = graphs.write(tmp_path / "mine.pb", graphs.inception_like(seed=3))
    network = open_network("inception_v3", path)
    assert network.fingerprint == sha256(path)
    assert open_network("inception_v3", str(path)).fingerprint == sha256(path)


def test_vgg16_from_an_archive(tmp_path):
    write_npz(tmp_path / "vgg16.npz", conv1_1())
    for network in (
        open_network("vgg16", tmp_path / "vgg16.npz"),
        open_network("vgg16", model_dir=tmp_path),
    ):
        assert network.name == "vgg16"
        assert network.fingerprint == sha256(tmp_path / "vgg16.npz")
        assert output(network, "conv1_1").shape == (1, 8, 8, 64)


def test_other_weights_have_another_fingerprint(tmp_path):
    [(W, b)] = conv1_1().values()
    for name, bias in (("a", b), ("b", b + 1)):
        write_npz(tmp_path / f"{name}.npz", {"conv1_1": (W, bias)})
    prints = {open_network("vgg16", tmp_path / f"{name}.npz").fingerprint for name in "ab"}
    prints |= {open_network("vgg16", "random", seed=seed).fingerprint for seed in (0, 1)}
    assert len(prints) == 4


def test_random_weights_follow_the_seed():
    outputs = [output(open_network("vgg16", "random", seed=seed), "conv1_2") for seed in (0, 0, 1)]
    assert outputs[0].std() > 1
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert np.abs(outputs[0] - outputs[2]).max() > 1


def test_random_weights_reach_to_the_end():
    network = open_network("vgg16", "random")
    assert sum(layer.parameters for layer in network.layers()) == 138_357_544
    assert network.fingerprint == "random 0"


@pytest.mark.parametrize("name", ["vgg19", "VGG16", ""])
def test_an_unknown_architecture_lists_those_there_are(name):
    with pytest.raises(GraphnetsError) as caught:
        open_network(name)
    assert (
        str(caught.value) == f"no architecture {name!r}; wanted one of inception_v3, "
        "vgg16, alexnet_caffe, alexnet, efficientnet_lite0, efficientnet_lite2, graph, "
        "mobilenet_v1_SHARE_SIZE (1.0, 0.75, 0.50 or 0.25; 224, 192, 160 or 128)"
    )


def test_random_weights_are_not_for_inception():
    with pytest.raises(GraphnetsError, match="^random weights are not for Inception, which comes"):
        open_network("inception_v3", "random")


@pytest.mark.parametrize(
    "architecture, file",
    [
        ("inception_v3", "inception_v3"),
        ("vgg16", "vgg16"),
        ("alexnet", "alexnet"),
        ("alexnet_caffe", "alexnet"),
    ],
)
def test_weights_that_are_not_there(architecture, file, model_dir, tmp_path):
    command = f"get them with `graphnets fetch {file}`$"
    with pytest.raises(GraphnetsError, match=command):
        open_network(architecture)
    command = f"get them with `graphnets fetch {file} --model_dir {tmp_path / 'm'}`$"
    with pytest.raises(GraphnetsError, match=command):
        open_network(architecture, model_dir=tmp_path / "m")
    with pytest.raises(GraphnetsError, match=r"mine.*(there is no such|No such) file"):
        open_network(architecture, tmp_path / "mine")


def test_weights_of_the_other_architecture(tmp_path):
    graph = graphs.write(tmp_path / "g.pb", graphs.inception_like())
    with pytest.raises(GraphnetsError, match=r"g\.pb is no \.npz, \.npy or \.safetensors of"):
        open_network("vgg16", graph)
    write_npz(tmp_path / "w.npz", conv1_1())
    with pytest.raises(GraphnetsError, match=r"w\.npz is no GraphDef; wanted a frozen graph"):
        open_network("inception_v3", tmp_path / "w.npz")


def test_a_seed_that_nothing_can_be_drawn_from_is_told_at_once():
    images = np.zeros([1, 227, 227, 3])
    for ask in (
        lambda: open_network("vgg16", "random", seed=-1),
        lambda: AlexNet(images, weights="random", seed=-1),
        lambda: AlexNet(images, weights="none.npz", seed=-1),  # whether or not it is needed
    ):
        with (
            tf.Graph().as_default(),
            pytest.raises(GraphnetsError, match="^seed is -1, wanted a whole number from 0"),
        ):
            ask()
