"""What a network is to the rest of graphnets, and how a declared one becomes a graph."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.layers import Layer
from graphnets.weights import Weights

Rows = Sequence[tuple[str, Layer]]


class Endpoints(dict):
    """Named tensors of a network, first to last; a missing name's error lists those there are."""

    def __missing__(self, name: str) -> tf.Tensor:
        raise GraphnetsError(f"no endpoint {name!r}; this network has {', '.join(self)}")


class LayerInfo(NamedTuple):
    """A layer as `graphnets inspect` lists it; `shape` is that of its output, None where free."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    parameter_shapes: tuple[tuple[int, ...], ...]

    @property
    def parameters(self) -> int:
        """How many numbers the layer learns."""
        return sum(math.prod(shape) for shape in self.parameter_shapes)


@dataclass(frozen=True)
class Network:
    """A pretrained network, as the feature store, the exporter and the commands see it.

    build(images, names) adds the network to the default graph and returns at least the named
    endpoints; images is float32 (n, height, width, 3), RGB, 0 to 255, of `size`: whatever
    the network wants instead (channel order, mean, range) happens inside.
    """

    name: str
    size: tuple[int, int]
    default_endpoint: str
    fingerprint: str  # tells these weights from all others
    build: Callable[[tf.Tensor, Sequence[str]], Endpoints]
    layers: Callable[[], list[LayerInfo]]


def stack(
    rows: Rows, x: tf.Tensor, weights: Weights, trainable: Sequence[str] = (), until: str = ""
) -> Endpoints:
    """Build the layers of `rows` on `x`, the last one being `until` ("": all).

    weights: {layer: (W, b)}, float32. trainable: the layers whose variables go into
    TRAINABLE_VARIABLES. A layer's variables are `layer/W` and `layer/b`; run
    `tf.global_variables_initializer()` to load them.

    Raises GraphnetsError for a name that is not in `rows`, for weights that are missing or of
    another shape, and for an input that a layer cannot take.
    """
    names = [name for name, _ in rows]
    for name in [*trainable, *([until] if until else [])]:
        if name not in names:
            raise GraphnetsError(f"no layer {name!r}; this network has {', '.join(names)}")
    endpoints = Endpoints()
    for name, layer in rows:
        with tf.variable_scope(name):
            try:
                x = layer.build(x, _variables(name, weights, name in trainable))
            except GraphnetsError:
                raise
            except ValueError as error:
                raise GraphnetsError(f"layer {name}: {error}") from None
        endpoints[name] = x
        if name == until:
            break
    return endpoints


def _variables(
    layer: str, weights: Weights, trainable: bool
) -> Callable[[str, list[int]], tf.Tensor]:
    @functools.cache  # W and b come from one reading of the file
    def pair() -> tuple[np.ndarray, np.ndarray]:
        try:
            return weights[layer]
        except KeyError:
            raise GraphnetsError(
                f"the weights hold no {layer!r}, only {', '.join(weights)}; choose an endpoint "
                f"before {layer!r} or a weight file that has it"
            ) from None

    def variable(role: str, shape: list[int]) -> tf.Tensor:
        value = np.asarray(pair()["Wb".index(role)])
        if list(value.shape) != shape or value.dtype != np.float32:
            raise GraphnetsError(
                f"the weights have {layer}/{role} as {value.dtype} {value.shape}, "
                f"wanted float32 {tuple(shape)}"
            )
        return tf.get_variable(
            role, shape, tf.float32, initializer=_from_memory(value), trainable=trainable
        )

    return variable


def _from_memory(value):
    """An initializer that hands the array over when it runs, so that the GraphDef stays small."""

    def initializer(shape, dtype=None, partition_info=None):
        return tf.ensure_shape(tf.numpy_function(lambda: value, [], dtype), shape)

    return initializer


def declared_layers(rows: Rows, input_shape: Sequence[int | None]) -> list[LayerInfo]:
    """The layers of `rows` on an input of that shape; no weights are needed."""
    found = []
    with tf.Graph().as_default():
        x = tf.placeholder(tf.float32, input_shape)
        for name, layer in rows:
            shapes: list[tuple[int, ...]] = []

            def variable(role: str, shape: list[int], shapes=shapes) -> tf.Tensor:
                shapes.append(tuple(shape))
                return tf.placeholder(tf.float32, shape)

            x = layer.build(x, variable)
            found.append(LayerInfo(name, layer.kind, tuple(x.shape.as_list()), tuple(shapes)))
    return found
