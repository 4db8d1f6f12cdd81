"""The layers of hand-written networks: each builds ordinary TF1 ops on a tensor.

`conv(64, 3)` returns a `Layer`, which `graphnets.network.stack` applies: declaring a network is
writing a list of them. A layer asks `variable(role, shape)` for its parameters; where these come
from and whether they train is decided there, so that freezing needs no plumbing here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow.compat.v1 as tf

Variable = Callable[[str, list[int]], tf.Tensor]  # ("W" or "b", shape) -> the parameter


class Layer(NamedTuple):
    """A kind ("conv", "max_pool", "fc", "softmax") and what builds it: (x, variable) -> tensor."""

    kind: str
    build: Callable[[tf.Tensor, Variable], tf.Tensor]


def conv(channels: int, size: int, stride: int = 1, padding: str = "SAME") -> Layer:
    """Convolution, bias, ReLU. (n, h, w, c) -> (n, h', w', channels); W is HWIO."""

    def build(x: tf.Tensor, variable: Variable) -> tf.Tensor:
        if x.shape.rank != 4 or x.shape.as_list()[3] is None:
            raise ValueError(f"got an input of shape {x.shape}, wanted (n, height, width, known)")
        W = variable("W", [size, size, int(x.shape[3]), channels])
        y = tf.nn.conv2d(x, W, strides=[1, stride, stride, 1], padding=padding)
        return tf.nn.relu(tf.nn.bias_add(y, variable("b", [channels])))

    return Layer("conv", build)


def max_pool(size: int, stride: int, padding: str = "VALID") -> Layer:
    """The largest value of each size x size window. (n, h, w, c) -> (n, h', w', c)."""

    def build(x: tf.Tensor, _: Variable) -> tf.Tensor:
        return tf.nn.max_pool2d(x, size, stride, padding)

    return Layer("max_pool", build)


def fc(units: int, relu: bool = True) -> Layer:
    """Fully connected. (n, ...) -> (n, units); a picture is flattened height, width, channel."""

    def build(x: tf.Tensor, variable: Variable) -> tf.Tensor:
        inputs = x.shape[1:].num_elements()
        if inputs is None:
            raise ValueError(f"got an input of shape {x.shape}, wanted one of a known size")
        W = variable("W", [inputs, units])
        y = tf.nn.xw_plus_b(tf.reshape(x, [-1, inputs]), W, variable("b", [units]))
        return tf.nn.relu(y) if relu else y

    return Layer("fc", build)


def softmax() -> Layer:
    """Probabilities. (n, classes) -> (n, classes), each row sums to 1."""
    return Layer("softmax", lambda x, _: tf.nn.softmax(x))
