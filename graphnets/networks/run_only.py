"""Graphs for this process to run, not to keep: faster and smaller than those that are saved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import tensorflow.compat.v1 as tf

from graphnets import devices
from graphnets.networks.precision import BFLOAT16, FLOAT32, check, onednn

_precision: ContextVar[str | None] = ContextVar("precision", default=None)  # None: to keep


@contextlib.contextmanager
def run_only(precision: str = FLOAT32) -> Iterator[None]:
    """Networks built within are for this process to run; a graph saved from them may run nowhere.

    precision: of the session that will run them, see `session_config`. What they give is the same
    to the last digits. On the processor, LRN is compiled by XLA (some 0.4 s for each size of batch
    that is new) and groups of a convolution are one op of oneDNN: AlexNet to fc7 runs 1.1 times as
    fast. The weights of a frozen file are variables, which TensorFlow holds once, and constants
    several times; run `tf.global_variables_initializer()`. In bfloat16, weights that do not train
    are held in it, where the session would turn them into it at each run. Raises GraphnetsError as
    `session_config`.

    >>> with tf.Graph().as_default(), graphnets.run_only():
    ...     images = tf.placeholder(tf.float32, (16, 227, 227, 3))
    ...     fc7 = graphnets.AlexNet(images, feature_extract=True, weights="random")
    """
    check(precision)
    token = _precision.set(precision)
    try:
        yield
    finally:
        _precision.reset(token)


def wanted() -> bool:
    """Whether what is built here and now is only to be run."""
    return _precision.get() is not None


def compiles() -> bool:
    """Whether XLA compiles parts of what is built here and now."""
    return wanted() and devices.used() == devices.CPU and tf.test.is_built_with_xla()


def groups_are_one() -> bool:
    """Whether a convolution of groups is one op here and now: oneDNN's."""
    return wanted() and devices.used() == devices.CPU and onednn()


def dtype() -> tf.DType:
    """In which parameters that do not train are held here and now."""
    bfloat16 = _precision.get() == BFLOAT16 and devices.used() == devices.CPU
    return tf.bfloat16 if bfloat16 else tf.float32


def in_its_precision(x: tf.Tensor) -> tf.Tensor:
    """x as convolutions and products of a declared network take it here and now."""
    return tf.cast(x, tf.bfloat16) if dtype() == tf.bfloat16 else x


def exact(x: tf.Tensor) -> tf.Tensor:
    """x as numbers that sums and powers can be taken of: bfloat16 as float32."""
    return tf.cast(x, tf.float32) if x.dtype == tf.bfloat16 else x
