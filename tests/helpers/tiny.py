"""A tiny network with a head, and what it computes written out in NumPy."""

import numpy as np
from PIL import Image

from graphnets.networks.declared import Declared
from graphnets.networks.layers import conv, max_pool
from graphnets.training.heads import Head
from graphnets.weights.drawn import RandomWeights

SIZE = (16, 16)
ROWS = (("conv1", conv(4, 3)), ("pool1", max_pool(2, 2)), ("conv2", conv(6, 3)))
LABELS = ["ant", "bee", "cat"]
TINY = Declared("tiny", "Tiny", ROWS, SIZE, lambda images: images / 127.5 - 1, "conv2")


def tiny_weights():
    return RandomWeights(TINY.shapes())


def tiny_network():
    """Two convolutions and a pooling, on pixels from -1 to 1."""
    return TINY.network(tiny_weights(), "random 0")


def a_head(features=6):
    random = np.random.default_rng(3)
    return Head(
        random.standard_normal((features, len(LABELS)), np.float32),
        random.standard_normal(len(LABELS), np.float32),
        10,
    )


def conv_by_hand(x, W):
    """3 x 3, stride 1, SAME, ReLU; the biases of RandomWeights are 0."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    y = sum(
        padded[i : i + x.shape[0], j : j + x.shape[1]] @ W[i, j] for i in range(3) for j in range(3)
    )
    return np.maximum(y, 0)


def maps_by_hand(pixels):
    """{layer: map} of the tiny network; pixels is (16, 16, 3)."""
    weights = tiny_weights()
    conv1 = conv_by_hand(pixels / 127.5 - 1, weights["conv1"][0])
    pool1 = conv1.reshape(8, 2, 8, 2, 4).max((1, 3))
    conv2 = conv_by_hand(pool1, weights["conv2"][0])
    return {"conv1": conv1, "pool1": pool1, "conv2": conv2}


def features_by_hand(pixels):
    """{layer: averages over the picture} of the tiny network."""
    return {name: x.mean((0, 1)) for name, x in maps_by_hand(pixels).items()}


def softmax_by_hand(logits):
    exp = np.exp(logits - logits.max())
    return exp / exp.sum()


def by_hand(pixels, head=None):
    """The probabilities of a picture (16, 16, 3)."""
    head = head or a_head()
    return softmax_by_hand(features_by_hand(pixels)["conv2"] @ head.weights + head.biases)


def pixels(seed, height=16, width=16):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


def resized_by_hand(x, size):
    """Bilinear from the upper left corner, as TensorFlow 1 did it: source = target * ratio."""
    for axis, length in enumerate(size):
        place = np.arange(length) * (x.shape[axis] / length)
        low = place.astype(int)
        high = np.minimum(low + 1, x.shape[axis] - 1)
        weight = np.expand_dims(place - low, tuple(range(1, 3 - axis)))
        x = np.take(x, low, axis) * (1 - weight) + np.take(x, high, axis) * weight
    return x


def saved(path, picture, **options):
    Image.fromarray(picture).save(path, **options)
    return path


def write_png(path, array):
    return saved(path, array)
