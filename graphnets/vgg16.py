"""VGG16 (Simonyan and Zisserman 2014, arXiv 1409.1556, configuration D), hand-written."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.layers import conv, fc, max_pool, softmax
from graphnets.network import Endpoints, LayerInfo, Network, declared_layers, stack
from graphnets.weights import Weights

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
    ("fc6", fc(4096)),
    ("fc7", fc(4096)),
    ("fc8", fc(1000, relu=False)),
    ("prob", softmax()),
)


def vgg16_endpoints(
    images: tf.Tensor, weights: Weights, trainable: Sequence[str] = (), until: str = ""
) -> Endpoints:
    """Add VGG16 to the default graph.

    images: float32 (n, 224, 224, 3), RGB, 0 to 255 (other sizes work up to pool5; the blue,
    green, red order and the mean that the weights want are seen to here).
    weights: {layer: (W, b)}, W as HWIO or (in, out).
    trainable: names of the layers to train. until: the last layer to build ("": all), so that
    weights of the convolutions alone are enough for `until="pool5"`.

    Returns the endpoints "conv1_1" to "prob". Raises GraphnetsError (see `network.stack`).
    """
    return stack(LAYERS, _preprocessed(images), weights, trainable, until)


def _preprocessed(images: tf.Tensor) -> tf.Tensor:
    images = tf.convert_to_tensor(images)
    if images.dtype != tf.float32 or not images.shape.is_compatible_with([None, None, None, 3]):
        raise GraphnetsError(
            f"got {images.dtype.name} images {images.shape}, wanted float32 (n, height, width, 3)"
        )
    return images[..., ::-1] - tf.constant(MEAN_BGR)


def network(weights: Weights, fingerprint: str) -> Network:
    """VGG16 with these weights; the default endpoint needs the convolutions alone."""
    names = [name for name, _ in LAYERS]

    def build(images: tf.Tensor, wanted: Sequence[str]) -> Endpoints:
        for name in wanted:
            if name not in names:
                raise GraphnetsError(f"no endpoint {name!r}; this network has {', '.join(names)}")
        return vgg16_endpoints(
            images, weights, until=max(wanted, key=names.index, default=names[0])
        )

    return Network("vgg16", SIZE, "conv4_3,conv5_3", fingerprint, build, layers)


def layers() -> list[LayerInfo]:
    """VGG16's layers with their shapes; 138,357,544 parameters in all."""
    return declared_layers(LAYERS, (None, *SIZE, 3))
