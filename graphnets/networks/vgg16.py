"""VGG16 (Simonyan and Zisserman 2014, arXiv 1409.1556, configuration D), hand-written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow.compat.v1 as tf

from graphnets.errors import check_flag
from graphnets.networks.declared import Building, Declared, WeightSource
from graphnets.networks.layers import conv, fc, max_pool, softmax
from graphnets.networks.network import Endpoints, Trainable

if TYPE_CHECKING:
    from typing_extensions import Unpack

SIZE = (224, 224)
MEAN_BGR = (103.939, 116.779, 123.68)  # of ImageNet, from the authors' Caffe model

LAYERS = (
    ("conv1_1", conv(64, 3)),  # 224 x 224 x 64
    ("conv1_2", conv(64, 3)),
    ("pool1", max_pool(2, 2)),  # 112 x 112 x 64
    ("conv2_1", conv(128, 3)),  # 112 x 112 x 128
    ("conv2_2", conv(128, 3)),
    ("pool2", max_pool(2, 2)),  # 56 x 56 x 128
    ("conv3_1", conv(256, 3)),  # 56 x 56 x 256
    ("conv3_2", conv(256, 3)),
    ("conv3_3", conv(256, 3)),
    ("pool3", max_pool(2, 2)),  # 28 x 28 x 256
    ("conv4_1", conv(512, 3)),  # 28 x 28 x 512
    ("conv4_2", conv(512, 3)),
    ("conv4_3", conv(512, 3)),
    ("pool4", max_pool(2, 2)),  # 14 x 14 x 512
    ("conv5_1", conv(512, 3)),  # 14 x 14 x 512
    ("conv5_2", conv(512, 3)),
    ("conv5_3", conv(512, 3)),
    ("pool5", max_pool(2, 2)),  # 7 x 7 x 512
    ("fc6", fc(4096, maps=7)),
    ("fc7", fc(4096)),
    ("fc8", fc(1000, relu=False)),
    ("prob", softmax()),
)


def _less_mean(images: tf.Tensor) -> tf.Tensor:
    return images[..., ::-1] - tf.constant(MEAN_BGR)


DECLARED = Declared("vgg16", "VGG16", LAYERS, SIZE, _less_mean, "conv4_3,conv5_3")


def VGG16(images: tf.Tensor, feature_extract: bool = False, **options: Any) -> tf.Tensor:
    """Add VGG16 to the default graph: probabilities (n, 1000), or fc7 with feature_extract.

    images: any floats (n, height, width, 3), RGB, 0 to 255, 224 x 224 (to 255 x 255).
    Returns float32 (n, 1000), each row sums to 1, in the order of `graphnets.imagenet_names`; or
    with feature_extract=True the activations of fc7, (n, 4096), from 0 up.
    options: those of `vgg16_endpoints`, which also tells what is raised.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 224, 224, 3))
    ...     probabilities = graphnets.VGG16(images, weights="random")
    >>> probabilities.shape.as_list()
    [None, 1000]
    """
    check_flag("feature_extract", feature_extract)
    if feature_extract:
        return vgg16_endpoints(images, until="fc7", **options)["fc7"]
    return vgg16_endpoints(images, **options)["prob"]


def vgg16_endpoints(
    images: tf.Tensor,
    weights: WeightSource = None,
    trainable: Trainable = False,
    until: str = "",
    preprocess: bool = True,
    **options: Unpack[Building],
) -> Endpoints:
    """Add VGG16 to the default graph and return its endpoints, "conv1_1" to "prob", in order.

    images: any floats (n, height, width, 3), RGB, 0 to 255; n, height and width may be unknown.
    Up to pool5 any size from 32 does, fc6 wants 7 x 7 maps of pool5. The order blue, green, red
    and the mean that the weights want are seen to here, unless preprocess=False.
    The other arguments, the variables and what is raised are as for `alexnet_endpoints`; weights
    of the convolutions alone are enough for until="pool5".

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 224, 224, 3))
    ...     layers = graphnets.vgg16_endpoints(images, "random", until="pool5")
    >>> layers["conv5_3"].shape.as_list()
    [None, 14, 14, 512]
    """
    return DECLARED.endpoints(images, weights, trainable, until, preprocess=preprocess, **options)
