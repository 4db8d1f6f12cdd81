"""Published values of the real weight files, wherever these have been fetched.

The marker "weights" chooses these tests; where a file is not there, the reason is reported.
"""

import re

import numpy as np
import pytest

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
