"""EfficientNet-Lite (Tan and Le 2019, arXiv 1905.11946, table 1), hand-written.

"Lite" is the authors' version without squeeze-and-excitation and with ReLU6: what runs fast on a
processor. Batch norm is folded into the weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow.compat.v1 as tf

from graphnets.errors import check_flag
from graphnets.networks.declared import Building, Declared, WeightSource
from graphnets.networks.layers import conv, fc, mbconv, mean, softmax
from graphnets.networks.network import Endpoints, Trainable
from graphnets.networks.stack import Rows
from graphnets.weights.efficientnet import CLASSES, HEAD, STEM, blocks

if TYPE_CHECKING:
    from typing_extensions import Unpack

MEAN, SCALE = 127.0, 128.0  # of the authors' input, for their quantized versions' sake


def _rows(name: str) -> Rows:
    """stem, block1a to block7a, head, pool, fc, prob.

    lite0 on 224 x 224: stem 112 x 112 x 32, block1 112 x 112 x 16, block2 56 x 56 x 24, block3
    28 x 28 x 40, block4 14 x 14 x 80, block5 14 x 14 x 112, block6 7 x 7 x 192, block7 7 x 7 x 320.
    """
    return (
        ("stem", conv(STEM, 3, stride=2, activation=tf.nn.relu6)),
        *((b.name, mbconv(b.channels, b.kernel, b.stride, b.expansion)) for b in blocks(name)),
        ("head", conv(HEAD, 1, activation=tf.nn.relu6)),  # 7 x 7 x 1280
        ("pool", mean()),  # 1280
        ("fc", fc(CLASSES, relu=False)),
        ("prob", softmax()),
    )


def _scaled(images: tf.Tensor) -> tf.Tensor:
    return (images - MEAN) / SCALE


def _declared(number: int, size: int) -> Declared:
    name, title = f"efficientnet_lite{number}", f"EfficientNetLite{number}"
    return Declared(name, title, _rows(name), (size, size), _scaled, "pool", "pool", "fc")


LITE0, LITE2 = _declared(0, 224), _declared(2, 260)


def EfficientNetLite0(
    images: tf.Tensor, feature_extract: bool = False, **options: Any
) -> tf.Tensor:
    """Add EfficientNet-Lite0 to the default graph: probabilities (n, 1000), or its features.

    images: any floats (n, height, width, 3), RGB, 0 to 255, 224 x 224 as it was trained.
    Returns float32 (n, 1000), each row sums to 1, in the order of `graphnets.imagenet_names`; or
    with feature_extract=True the means of the last maps, (n, 1280), 0 to 6.
    options: those of `efficientnet_lite0_endpoints`, which also tells what is raised.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 224, 224, 3))
    ...     features = graphnets.EfficientNetLite0(images, True, weights="random")
    >>> features.shape.as_list()
    [None, 1280]
    """
    check_flag("feature_extract", feature_extract)
    until = "pool" if feature_extract else "prob"
    return efficientnet_lite0_endpoints(images, until=until, **options)[until]


def efficientnet_lite0_endpoints(
    images: tf.Tensor,
    weights: WeightSource = None,
    trainable: Trainable = False,
    until: str = "",
    preprocess: bool = True,
    **options: Unpack[Building],
) -> Endpoints:
    """Add EfficientNet-Lite0 to the default graph and return its endpoints, "stem" to "prob".

    images: any floats (n, height, width, 3), RGB, 0 to 255; n, height and width may be unknown.
    (pixel - 127) / 128, which the weights want, is seen to here, unless preprocess=False.
    A block such as "block2a" is one layer: it trains as a whole, its variables are
    `block2a/expand/W`, `block2a/depthwise/W`, `block2a/project/b` ...
    The other arguments, the variables and what is raised are as for `alexnet_endpoints`.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 224, 224, 3))
    ...     layers = graphnets.efficientnet_lite0_endpoints(images, "random", until="block3b")
    >>> list(layers)[-1], layers["block3b"].shape.as_list()
    ('block3b', [None, 28, 28, 40])
    """
    return LITE0.endpoints(images, weights, trainable, until, preprocess=preprocess, **options)
