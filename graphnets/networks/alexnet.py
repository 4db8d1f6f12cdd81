"""AlexNet (Krizhevsky et al. 2012) with the layers and weights of Caffe's bvlc_alexnet.

Two readings of the same weight file are in use, and shapes do not tell them apart: Caffe's own,
and that of the traffic-sign course. Each is declared here with the preprocessing it goes with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_flag
from graphnets.networks.declared import Building, Declared, WeightSource
from graphnets.networks.layers import conv, fc, lrn, max_pool, softmax
from graphnets.networks.network import Endpoints, Trainable
from graphnets.networks.stack import Rows

if TYPE_CHECKING:
    from typing_extensions import Unpack

MEAN_BGR = (104.0, 117.0, 124.0)  # of ImageNet, as Caffe's examples round it


def _rows(padding: str) -> Rows:
    return (
        ("conv1", conv(96, 11, stride=4, padding=padding)),  # 57 x 57 x 96, VALID 55 x 55 x 96
        ("norm1", lrn()),
        ("pool1", max_pool(3, 2)),  # 28 x 28 x 96, 27 x 27 x 96
        ("conv2", conv(256, 5, groups=2)),  # 28 x 28 x 256, 27 x 27 x 256
        ("norm2", lrn()),
        ("pool2", max_pool(3, 2)),  # 13 x 13 x 256, for both
        ("conv3", conv(384, 3)),  # 13 x 13 x 384
        ("conv4", conv(384, 3, groups=2)),  # 13 x 13 x 384
        ("conv5", conv(256, 3, groups=2)),  # 13 x 13 x 256
        ("pool5", max_pool(3, 2)),  # 6 x 6 x 256
        ("fc6", fc(4096, maps=6)),
        ("fc7", fc(4096)),
        ("fc8", fc(1000, relu=False)),
        ("prob", softmax()),
    )


def _less_own_mean(images: tf.Tensor) -> tf.Tensor:
    return images - tf.reduce_mean(images, [1, 2, 3], keepdims=True)


def _caffes_pixels(images: tf.Tensor) -> tf.Tensor:
    return images[..., ::-1] - tf.constant(MEAN_BGR)


COURSE = Declared("alexnet", "AlexNet", _rows("SAME"), (227, 227), _less_own_mean, "fc7")
CAFFE = Declared("alexnet_caffe", "AlexNet", _rows("VALID"), (227, 227), _caffes_pixels, "fc7")
READINGS = {"course": COURSE, "caffe": CAFFE}


def AlexNet(
    images: tf.Tensor | None = None,
    feature_extract: bool = False,
    reading: str = "course",
    *,
    features: tf.Tensor | None = None,
    **options: Any,
) -> tf.Tensor:
    """Add AlexNet to the default graph: probabilities (n, 1000), or fc7 with feature_extract.

    images: any floats (n, height, width, 3), 227 x 227 (217 to 248 will do; for reading="caffe"
    227 to 242). They go to conv1 as they are, as in the course's graph: give preprocess=True where
    they are RGB, 0 to 255, and leave it where your own code has taken the mean off, or where you
    want the course's figures.
    features: the course's name for images; one of both is given.
    Returns float32 (n, 1000), each row sums to 1, in the order of `graphnets.imagenet_names`; or
    with feature_extract=True the activations of fc7, (n, 4096), from 0 up.
    options: those of `alexnet_endpoints`, which also tells what is raised.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 227, 227, 3))
    ...     fc7 = graphnets.AlexNet(images, feature_extract=True, weights="random")
    >>> fc7.shape.as_list()
    [None, 4096]
    """
    if (images is None) == (features is None):
        got = "neither images nor features" if images is None else "both images and features"
        raise GraphnetsError(f"AlexNet got {got}, wanted the pictures as one of them")
    images = features if images is None else images
    check_flag("feature_extract", feature_extract)
    if feature_extract:
        return alexnet_endpoints(images, until="fc7", reading=reading, **options)["fc7"]
    return alexnet_endpoints(images, reading=reading, **options)["prob"]


def alexnet_endpoints(
    images: tf.Tensor,
    weights: WeightSource = None,
    trainable: Trainable = False,
    until: str = "",
    *,
    reading: str = "course",
    preprocess: bool = False,
    **options: Unpack[Building],
) -> Endpoints:
    """Add AlexNet to the default graph and return its endpoints, "conv1" to "prob", in order.

    images: any floats (n, height, width, 3); n, height and width may be unknown. Up to conv5 any
    size from 25 (reading="caffe": 35) does, fc6 wants 6 x 6 maps of pool5.
    weights: a file (.npz, .npy, .safetensors), a mapping {layer: (W, b)}, "random" (He-normal,
    from `seed`), or None for the file where `graphnets fetch alexnet` puts it.
    trainable: the layers whose variables go into TRAINABLE_VARIABLES: a name, several, True, or
    "conv5:" for that layer and all behind it.
    until: the last layer to build ("": all).
    reading: "course" (conv1 SAME) or "caffe" (conv1 VALID); both use the same weight file, which
    Caffe's reading was trained with.
    preprocess: False gives images to conv1 as they are; True takes them as RGB, 0 to 255, and does
    the reading's own preprocessing: "course" takes each picture's own mean off, "caffe" turns RGB
    into blue, green, red less 104, 117, 124.
    options: skip, layers drawn from `seed`, not loaded; classes, the outputs of fc8, which is drawn
    anew where the weights have another number; seed, an integer (0).

    Run `tf.global_variables_initializer()` to load the weights. Each call makes variables of its
    own, `AlexNet/conv1/W` ...; calls under one `tf.variable_scope(..., reuse=tf.AUTO_REUSE)`
    share them. Raises GraphnetsError for images, sizes, names and weights that do not fit.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 227, 227, 3))
    ...     layers = graphnets.alexnet_endpoints(images, "random", trainable="fc7:", classes=43)
    ...     print([variable.op.name for variable in tf.trainable_variables()])
    ['AlexNet/fc7/W', 'AlexNet/fc7/b', 'AlexNet/fc8/W', 'AlexNet/fc8/b']
    >>> layers["fc8"].shape.as_list()
    [None, 43]
    """
    if reading not in list(READINGS):
        raise GraphnetsError(f"no reading {reading!r} of AlexNet; wanted course or caffe")
    return READINGS[reading].endpoints(
        images, weights, trainable, until, preprocess=preprocess, **options
    )
