"""Other tools' names for arrays: Frossard's VGG16 is read, torchvision's networks are refused."""

import re
import zipfile

import numpy as np
import pytest
import tensorflow.compat.v1 as tf
from safetensors.numpy import save_file

from graphnets.errors import GraphnetsError
from graphnets.networks.vgg16 import vgg16_endpoints
from graphnets.weights.arrays import read_weights, write_npz
from graphnets.weights.convert import convert

SHAPES = {
    "conv1_1": (3, 3, 3, 64),
    "conv1_2": (3, 3, 64, 64),
    "conv2_1": (3, 3, 64, 128),
    "fc6": (8, 5),
}


def ours():
    random = np.random.default_rng(0)
    return {
        name: (
            random.standard_normal(shape, np.float32) / 9,
            random.standard_normal(shape[-1], np.float32),
        )
        for name, shape in SHAPES.items()
    }


def frossards(path, layers):
    """The layout of vgg16_weights.npz, whose first filters take red, green, blue."""
    arrays = {}
    for name, (W, b) in layers.items():
        W = W[:, :, ::-1] if name == "conv1_1" else W
        arrays |= {f"{name}_W": W, f"{name}_b": b}
    np.savez(path, **arrays)


def assert_ours(weights):
    assert list(weights) == list(SHAPES)
    for name, pair in ours().items():
        for got, wanted in zip(weights[name], pair, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_frossards_file_is_the_same_weights_in_the_librarys_layout(tmp_path):
    frossards(tmp_path / "vgg16_weights.npz", ours())
    assert_ours(read_weights(tmp_path / "vgg16_weights.npz"))
    convert(tmp_path / "vgg16_weights.npz", tmp_path / "vgg16.npz")
    write_npz(tmp_path / "expected.npz", ours())
    assert (tmp_path / "vgg16.npz").read_bytes() == (tmp_path / "expected.npz").read_bytes()


def test_frossards_file_gives_what_his_graph_gives(tmp_path):
    frossards(tmp_path / "vgg16_weights.npz", ours())
    picture = np.random.default_rng(1).uniform(0, 255, (1, 40, 40, 3)).astype(np.float32)
    arrays = np.load(tmp_path / "vgg16_weights.npz")
    with tf.Graph().as_default(), tf.Session() as session:
        x = picture - np.array([123.68, 116.779, 103.939], np.float32)  # as he feeds it
        his = tf.nn.conv2d(x, arrays["conv1_1_W"], 1, "SAME") + arrays["conv1_1_b"]
        weights = {name: pair for name, pair in ours().items() if name == "conv1_1"}
        frossards(tmp_path / "conv1_1.npz", weights)
        found = vgg16_endpoints(picture, str(tmp_path / "conv1_1.npz"), until="conv1_1")
        session.run(tf.global_variables_initializer())
        his, found = session.run([tf.nn.relu(his), found["conv1_1"]])
    np.testing.assert_allclose(found, his, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "change", [{"fc6_b": None}, {"fc7_W": np.ones(1, np.float32)}, {"step": 1}]
)
def test_a_file_of_frossards_names_is_checked_as_any(tmp_path, change):
    frossards(tmp_path / "whole.npz", ours())
    arrays = {**np.load(tmp_path / "whole.npz"), **change}
    np.savez(tmp_path / "w.npz", **{name: a for name, a in arrays.items() if a is not None})
    with pytest.raises(
        GraphnetsError, match=r"(fc6/b|fc7/b|step).* missing or out of place; wanted"
    ):
        read_weights(tmp_path / "w.npz")


def as_zip(path, arrays):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")


@pytest.mark.parametrize(
    "write",
    [
        lambda path, arrays: save_file(arrays, path),
        lambda path, arrays: (
            np.savez(path.with_suffix(".npz"), **arrays) or path.with_suffix(".npz").rename(path)
        ),
        as_zip,
    ],
    ids=["safetensors", "npz", "pth"],
)
def test_torchvisions_state_dict_is_refused_with_what_to_do(tmp_path, write):
    path = tmp_path / "vgg16"
    arrays = {
        "features.0.weight": np.ones((64, 3, 3, 3), np.float32),
        "features.0.bias": np.ones(64, np.float32),
        "classifier.0.weight": np.ones((5, 8), np.float32),
    }
    write(path, arrays)
    with pytest.raises(GraphnetsError) as caught:
        read_weights(path)
    assert re.fullmatch(
        f"{path} is a state dict of PyTorch, whose VGG16 and AlexNet were trained on pixels from 0 "
        "to 1 with other means, which the preprocessing here does not give; wanted the original "
        "weights, as `graphnets fetch vgg16` and `graphnets fetch alexnet` get them",
        str(caught.value),
    )
