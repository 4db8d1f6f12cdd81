"""The shapes of published weights are those of the networks, and another network's are refused."""

import numpy as np
import pytest

from graphnets.errors import GraphnetsError
from graphnets.networks import alexnet, efficientnet, vgg16
from graphnets.weights.shapes import SHAPES, bias_shape, fitting


@pytest.mark.parametrize(
    "name, declared, parameters",
    [
        ("alexnet", alexnet.CAFFE, 60_965_224),
        ("alexnet", alexnet.COURSE, 60_965_224),
        ("vgg16", vgg16.DECLARED, 138_357_544),
        ("efficientnet_lite0", efficientnet.LITE0, 4_631_000),
        ("efficientnet_lite2", efficientnet.LITE2, 6_063_024),
    ],
)
def test_they_are_the_networks(name, declared, parameters):
    pairs = {layer: (shape, bias_shape(layer, shape)) for layer, shape in SHAPES[name].items()}
    assert pairs == declared.shapes()
    assert sum(np.prod(shape) for pair in pairs.values() for shape in pair) == parameters


def weights(name, **changes):
    """Weights of the right shapes that take no memory; changes: {layer: shape, or None}."""
    shapes = {**SHAPES[name], **changes}
    zero = np.zeros((), np.float32)
    return {
        layer: (
            np.broadcast_to(zero, shape),
            np.broadcast_to(zero, bias_shape(layer, SHAPES[name][layer])),
        )
        for layer, shape in shapes.items()
        if shape
    }


@pytest.mark.parametrize("name", SHAPES)
def test_the_right_weights_fit(name):
    found = fitting(name, "w.npz", {**weights(name), "fc9": ()})
    assert list(found) == list(SHAPES[name])
    assert all(found[layer][0].shape == shape for layer, shape in SHAPES[name].items())


def test_vgg16s_convolutions_alone_fit():
    found = fitting("vgg16", "w.npz", weights("vgg16", fc6=None, fc7=None, fc8=None))
    assert list(found) == list(SHAPES["vgg16"])[:13]


def refused(name, given):
    with pytest.raises(GraphnetsError) as caught:
        fitting(name, "w.npz", given)
    return str(caught.value)


def test_what_is_missing_or_misshapen_is_named():
    given = weights("alexnet", conv1=None, fc8=None, conv2=(5, 5, 96, 256), fc6=(4096, 9216))
    assert refused("alexnet", given) == (
        "w.npz is not alexnet: conv1, fc8 missing; "
        "conv2/W of the shape (5, 5, 96, 256), wanted (5, 5, 48, 256); "
        "fc6/W of the shape (4096, 9216), wanted (9216, 4096)"
    )
    given = weights("alexnet")
    given["fc8"] = given["fc8"][0], np.zeros(1001, np.float32)
    assert refused("alexnet", given) == (
        "w.npz is not alexnet: fc8/b of the shape (1001,), wanted (1000,)"
    )


def test_another_networks_weights_are_refused():
    convolutions = ", ".join(list(SHAPES["vgg16"])[:13])
    assert refused("vgg16", weights("alexnet")) == (
        f"w.npz is not vgg16: {convolutions} missing; "
        "fc6/W of the shape (9216, 4096), wanted (25088, 4096)"
    )
    assert refused("alexnet", weights("vgg16")).startswith(
        "w.npz is not alexnet: conv1, conv2, conv3, conv4, conv5 missing; "
    )
