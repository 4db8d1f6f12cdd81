"""The layers of hand-written networks: each builds ordinary TF1 ops on a tensor.

`conv(64, 3)` returns a `Layer`, which `graphnets.networks.stack.stack` applies: declaring a
network is writing a list of them. A layer asks `variable(role, shape)` for its
parameters, of `run_only.dtype()`; where these come from and whether they train is decided there,
so that freezing needs no plumbing here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow.compat.v1 as tf

from graphnets.networks import run_only

OWN = ("",)  # the parts of a layer that is one
BLOCK = 16  # channels, see `_sums_over_channels`

Variable = Callable[[str, list[int]], tf.Tensor]  # ("W", "b" or "part/W", shape) -> parameter


class Layer(NamedTuple):
    """A kind ("conv", "lrn", "max_pool", "fc", "softmax" ...) and what builds it.

    parts: what has parameters W and b in it, "" for the layer itself; those of a part are called
    "part/W" and "part/b".
    """

    kind: str
    build: Callable[[tf.Tensor, Variable], tf.Tensor]
    parts: tuple[str, ...] = ()

    @property
    def learns(self) -> bool:
        """Whether it has parameters."""
        return bool(self.parts)


def conv(
    channels: int, size: int, stride: int = 1, padding: str = "SAME", groups: int = 1,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.nn.relu,
) -> Layer:  # fmt: skip
    """Convolution, bias, ReLU or another activation. (n, h, w, c) -> (n, h', w', channels).

    W is (size, size, c / groups, channels): with groups, each part of the output channels sees
    its own part of the input channels.
    """

    def build(x: tf.Tensor, variable: Variable) -> tf.Tensor:
        depth = x.shape.as_list()[3] if x.shape.rank == 4 else None
        if depth is None:
            raise ValueError(f"got an input of shape {x.shape}, wanted (n, height, width, known)")
        x = run_only.in_its_precision(x)
        W = variable("W", [size, size, depth // groups, channels])
        b = variable("b", [channels])
        if groups == 1 or run_only.groups_are_one():
            return activation(_convolved(x, W, b, stride, padding))
        # conv2d with groups needs oneDNN, which is not on everywhere.
        parts = zip(
            tf.split(x, groups, 3), tf.split(W, groups, 3), tf.split(b, groups), strict=True
        )
        return tf.concat([activation(_convolved(*part, stride, padding)) for part in parts], 3)

    return Layer("conv", build, OWN)


def _convolved(x: tf.Tensor, W: tf.Tensor, b: tf.Tensor, stride: int, padding: str) -> tf.Tensor:
    return tf.nn.bias_add(tf.nn.conv2d(x, W, stride, padding), b)


def mbconv(channels: int, size: int, stride: int, expansion: int) -> Layer:
    """Inverted residual block (Sandler et al. 2018), ReLU6. (n, h, w, c) -> (n, h', w', channels).

    A 1 x 1 convolution to c * expansion channels ("expand", none for 1), a depthwise one of
    size x size ("depthwise"), a 1 x 1 one without activation ("project"); and x again, where the
    block keeps its shape.
    """

    def build(x: tf.Tensor, variable: Variable) -> tf.Tensor:
        inputs = x.shape.as_list()[3]
        inner = inputs * expansion
        y = x = run_only.in_its_precision(x)
        if expansion > 1:
            W, b = variable("expand/W", [1, 1, inputs, inner]), variable("expand/b", [inner])
            y = tf.nn.relu6(_convolved(y, W, b, 1, "SAME"))
        W = variable("depthwise/W", [size, size, inner, 1])
        y = tf.nn.depthwise_conv2d(y, W, [1, stride, stride, 1], "SAME")
        y = tf.nn.relu6(tf.nn.bias_add(y, variable("depthwise/b", [inner])))
        W, b = variable("project/W", [1, 1, inner, channels]), variable("project/b", [channels])
        y = _convolved(y, W, b, 1, "SAME")
        return x + y if stride == 1 and inputs == channels else y

    parts = ("expand", "depthwise", "project")
    return Layer("mbconv", build, parts if expansion > 1 else parts[1:])


def mean() -> Layer:
    """The mean over each map. (n, h, w, c) -> (n, c)."""
    return Layer("mean", lambda x, _: tf.reduce_mean(run_only.exact(x), [1, 2]))


def lrn(radius: int = 2, alpha: float = 2e-5) -> Layer:
    """Local response normalisation across channels (Krizhevsky et al. 2012). Keeps the shape.

    x / (1 + alpha * sum of x^2 over 2 * radius + 1 channels) ^ 0.75; alpha is Caffe's (1e-4) over
    its local_size (5), as tf.nn.local_response_normalization counts it.
    """

    def build(x: tf.Tensor, _: Variable) -> tf.Tensor:
        channels = x.shape.as_list()[3] if x.shape.rank == 4 else None
        if channels is None:
            raise ValueError(f"got an input of shape {x.shape}, wanted (n, height, width, known)")
        if run_only.compiles():
            one_pass = partial(_lrn_of_shifted, channels=channels, radius=radius, alpha=alpha)
            # A tf.function of the module would keep all graphs that it was ever called in.
            return tf.function(one_pass, jit_compile=True, autograph=False)(x)
        x = run_only.exact(x)
        return _normalised(x, _sums_over_channels(tf.square(x), channels, radius, alpha))

    return Layer("lrn", build)


def _normalised(x: tf.Tensor, sums: tf.Tensor) -> tf.Tensor:
    root = tf.math.rsqrt(sums)
    return x * (root * tf.sqrt(root))  # to the power of -0.75, without the slow power


def _lrn_of_shifted(x: tf.Tensor, channels: int, radius: int, alpha: float) -> tf.Tensor:
    """For XLA, which makes one pass through memory of it, where ops of their own take seven."""
    values = run_only.exact(x)
    squares = tf.pad(tf.square(values), [[0, 0], [0, 0], [0, 0], [radius, radius]])
    shifted = [squares[..., start : start + channels] for start in range(2 * radius + 1)]
    return tf.cast(_normalised(values, 1 + alpha * tf.add_n(shifted)), x.dtype)


def _sums_over_channels(x: tf.Tensor, channels: int, radius: int, alpha: float) -> tf.Tensor:
    """1 + alpha * the sum over the channels up to `radius` away, at each pixel: x's shape.

    A convolution with a band matrix does this faster than TensorFlow's op for the whole layer.
    Many channels are laid out as blocks beside one another, each of which sees its neighbours:
    a band over all of them would be zeros for the most part.
    """
    in_blocks = channels > 128 and channels % BLOCK == 0 and radius <= BLOCK
    size, reach = (BLOCK, 1) if in_blocks else (channels, 0)
    inputs = tf.range((2 * reach + 1) * size) - reach * size
    band = tf.abs(inputs[:, tf.newaxis] - tf.range(size)) <= radius
    kernel = tf.reshape(alpha * tf.cast(band, tf.float32), [1, 2 * reach + 1, size, size])
    shape = tf.shape(x)
    blocks = tf.reshape(x, [shape[0], -1, channels // size, size]) if in_blocks else x
    sums = tf.nn.bias_add(tf.nn.conv2d(blocks, kernel, 1, "SAME"), tf.ones([size]))
    return tf.reshape(sums, shape) if in_blocks else sums


def max_pool(size: int, stride: int, padding: str = "VALID") -> Layer:
    """The largest value of each size x size window. (n, h, w, c) -> (n, h', w', c)."""

    def build(x: tf.Tensor, _: Variable) -> tf.Tensor:
        return tf.nn.max_pool2d(x, size, stride, padding)

    return Layer("max_pool", build)


def fc(units: int, relu: bool = True, maps: int | None = None) -> Layer:
    """Fully connected. (n, ...) -> (n, units); a picture is flattened height, width, channel.

    maps: the height and width of the maps it wants, where it comes behind a convolution: pictures
    may then be of a size that is known only when the graph runs.
    """

    def build(x: tf.Tensor, variable: Variable) -> tf.Tensor:
        if maps is not None:
            if not x.shape.is_compatible_with([None, maps, maps, None]):
                got = " x ".join(str(size) for size in x.shape.as_list()[1:3])
                raise ValueError(f"got maps of {got}, wanted {maps} x {maps}")
            x = tf.ensure_shape(x, [None, maps, maps, x.shape.as_list()[3]])
        inputs = x.shape[1:].num_elements()
        if inputs is None:
            raise ValueError(f"got an input of shape {x.shape}, wanted one of a known size")
        x = run_only.in_its_precision(tf.reshape(x, [-1, inputs]))
        y = tf.nn.xw_plus_b(x, variable("W", [inputs, units]), variable("b", [units]))
        return tf.nn.relu(y) if relu else y

    return Layer("fc", build, OWN)


def softmax() -> Layer:
    """Probabilities. (n, classes) -> (n, classes), each row sums to 1."""
    return Layer("softmax", lambda x, _: tf.nn.softmax(run_only.exact(x)))
