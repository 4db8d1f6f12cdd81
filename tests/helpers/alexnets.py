"""AlexNet's layers and their shapes, pictures for it, and runs of its graph."""

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.alexnet import alexnet_endpoints

SHAPES = {
    "conv1": ((11, 11, 3, 96), (96,)),
    "conv2": ((5, 5, 48, 256), (256,)),
    "conv3": ((3, 3, 256, 384), (384,)),
    "conv4": ((3, 3, 192, 384), (384,)),
    "conv5": ((3, 3, 192, 256), (256,)),
    "fc6": ((9216, 4096), (4096,)),
    "fc7": ((4096, 4096), (4096,)),
    "fc8": ((4096, 1000), (1000,)),
}
NAMES = [
    "conv1", "norm1", "pool1", "conv2", "norm2", "pool2", "conv3", "conv4", "conv5", "pool5",
    "fc6", "fc7", "fc8", "prob",
]  # fmt: skip


def photos(count=1, size=227, seed=1):
    return np.random.default_rng(seed).uniform(0, 255, (count, size, size, 3)).astype(np.float32)


def run(tensors, feed=None):
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(tensors, feed)


def shapes_of(images, **options):
    layers = {
        name: (np.broadcast_to(np.float32(0), W), np.zeros(b, "f"))
        for name, (W, b) in SHAPES.items()
    }
    endpoints = alexnet_endpoints(images, layers, **options)
    return {name: tensor.shape.as_list() for name, tensor in endpoints.items()}
