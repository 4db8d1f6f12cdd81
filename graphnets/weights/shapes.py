"""The shapes of published weights, to tell whether a file holds the network that it should.

They are those of `networks.alexnet` and `networks.vgg16`, known here without TensorFlow.
"""

from __future__ import annotations

import os

import numpy as np

from graphnets.errors import GraphnetsError
from graphnets.weights import efficientnet
from graphnets.weights.arrays import Weights

Shapes = dict[str, tuple[int, ...]]

# Krizhevsky et al. 2012 in Caffe's version, bvlc_alexnet; conv2, conv4 and conv5 have two groups.
ALEXNET: Shapes = {
    "conv1": (11, 11, 3, 96),
    "conv2": (5, 5, 48, 256),
    "conv3": (3, 3, 256, 384),
    "conv4": (3, 3, 192, 384),
    "conv5": (3, 3, 192, 256),
    "fc6": (6 * 6 * 256, 4096),
    "fc7": (4096, 4096),
    "fc8": (4096, 1000),
}


def _vgg16() -> Shapes:
    shapes: Shapes = {}
    channels = 3
    for block, (width, count) in enumerate([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)], 1):
        for number in range(1, count + 1):
            shapes[f"conv{block}_{number}"] = (3, 3, channels, width)
            channels = width
    return {**shapes, "fc6": (7 * 7 * 512, 4096), "fc7": (4096, 4096), "fc8": (4096, 1000)}


SHAPES = {
    "alexnet": ALEXNET,
    "vgg16": _vgg16(),
    **{name: efficientnet.shapes(name) for name in efficientnet.WIDTH_AND_DEPTH},
}
OPTIONAL = {"vgg16": ("fc6", "fc7", "fc8")}  # the convolutions alone are of use


def bias_shape(layer: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of b for that of W: one number for each channel that the layer gives."""
    return shape[2:3] if layer.endswith("/depthwise") else shape[-1:]


def fitting(
    name: str, path: str | os.PathLike[str], weights: Weights
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The network's layers among the weights that were read from `path`.

    name: "alexnet", "vgg16", whose fully connected layers may be missing, "efficientnet_lite0" ...
    Raises GraphnetsError that lists the layers which are missing or of another shape.
    """
    shapes, optional = SHAPES[name], OPTIONAL.get(name, ())
    found = {layer: weights[layer] for layer in shapes if layer in weights}
    missing = [layer for layer in shapes if layer not in found and layer not in optional]
    problems = [f"{', '.join(missing)} missing"] if missing else []
    for layer, pair in found.items():
        for role, array, shape in zip(
            "Wb", pair, (shapes[layer], bias_shape(layer, shapes[layer])), strict=True
        ):
            if array.shape != shape:
                problems.append(f"{layer}/{role} of the shape {array.shape}, wanted {shape}")
    if problems:
        raise GraphnetsError(f"{path} is not {name}: {'; '.join(problems)}")
    return found
