"""Folding batch norm, whatever its ops, into the convolution or product in front of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks.nodes import (
    attribute,
    const_node,
    constant,
    consumers,
    data_inputs,
    node_name,
)

PRODUCTS = ("Conv2D", "DepthwiseConv2dNative", "MatMul")
FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
OLD = "BatchNormWithGlobalNormalization"  # of 2015
SCALED = "_graphnets_scaled"  # an attribute of nodes whose values are no longer the file's
LARGEST = 1 << 26  # numbers of a constant that is computed here
ROOM = 16 << 20  # bytes that all of those may take beyond those of the graph
# What is computed here where all its inputs are constants; each is NumPy's namesake.
COMPUTED: dict[str, Callable[..., np.ndarray]] = {
    "Add": np.add,
    "AddV2": np.add,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Pack": lambda *parts: np.stack(parts),
    "RealDiv": np.divide,
    "Reshape": np.reshape,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sqrt": np.sqrt,
    "Square": np.square,
    "Sub": np.subtract,
}

BROADCAST = ("Add", "AddV2", "Mul", "RealDiv", "Sub")
Graph = dict[str, tf.NodeDef]


class Affine(NamedTuple):
    """What follows a product of a rank: y * scale + bias, channel by channel, float64."""

    rank: int
    scale: np.ndarray
    bias: np.ndarray

    def scaled(self, scale: np.ndarray) -> Affine:
        """This, and then times `scale`."""
        return Affine(self.rank, self.scale * scale, self.bias * scale)

    def moved(self, bias: np.ndarray) -> Affine:
        """This, and then plus `bias`."""
        return Affine(self.rank, self.scale, self.bias + bias)


def _identity(rank: int, channels: int) -> Affine:
    return Affine(rank, np.ones(channels), np.zeros(channels))


def compute_constants(nodes: Graph, order: list[str]) -> None:
    """Make nodes Consts that compute with Consts alone: `rsqrt(variance + epsilon) * gamma`.

    Raises ValueError where these take far more memory than what they are computed of.
    """
    room = ROOM + sum(node.ByteSize() for node in nodes.values())
    for name in order:
        node = nodes[name]
        inputs = [nodes[node_name(i)] for i in data_inputs(node)]
        axis = node.op == "Pack" and attribute(node, "axis").i
        if not inputs or any(i.op != "Const" for i in inputs) or axis:
            continue
        values = [tf.make_ndarray(i.attr["value"].tensor) for i in inputs]
        room -= _bytes(node.op, values)
        if room < 0:
            raise ValueError("what it computes of constants takes far more memory than they do")
        value = _squeezed(node, *values) if node.op == "Squeeze" else _computed(node.op, values)
        if value is not None:
            node.CopyFrom(const_node(name, value))


def _bytes(op: str, values: list[np.ndarray]) -> int:
    """What `_computed` makes at most."""
    if op in BROADCAST:
        shape = np.broadcast_shapes(*(value.shape for value in values))
        count = math.prod(shape)
        return count * values[0].itemsize if count <= LARGEST else 0
    return sum(value.nbytes for value in values) if op in COMPUTED else 0


def _squeezed(node: tf.NodeDef, value: np.ndarray) -> np.ndarray:
    return np.squeeze(value, tuple(attribute(node, "squeeze_dims").list.i) or None)


def _computed(op: str, values: list[np.ndarray]) -> np.ndarray | None:
    """The value of an op, in the numbers of its first input; None where it is better left."""
    small = all(value.size <= LARGEST for value in values)
    if op not in COMPUTED or not small or values[0].dtype == object:
        return None
    if op in BROADCAST:
        if np.prod(np.broadcast_shapes(*(value.shape for value in values))) > LARGEST:
            return None
        if not np.issubdtype(values[0].dtype, np.floating):
            return None  # integers overflow and divide in TensorFlow's own ways
    with np.errstate(all="ignore"):  # what TensorFlow would give, too
        return np.asarray(COMPUTED[op](*values)).astype(values[0].dtype)


def fold_batch_norms(nodes: Graph, order: list[str]) -> None:
    """Fold what scales and moves the channels of a product into its weights and one BiasAdd.

    The last of those nodes keeps its name and its values. The product's own values are scaled: it
    is marked SCALED. What stands elsewhere, or is read in between, is left as it is.
    """
    reading = consumers(nodes)
    for name in order:
        product = nodes.get(name)
        if product is not None and product.op in PRODUCTS:
            _fold_behind(nodes, reading, product)
    for node in [node for node in nodes.values() if node.op == OLD]:
        _renewed(nodes, node)
    for name in order:  # names of what is scaled now, or gone
        if name in nodes and nodes[name].op == "Identity":
            source = nodes.get(node_name(nodes[name].input[0]))
            if source is None or SCALED in source.attr:
                del nodes[name]


def _fold_behind(nodes: Graph, reading: dict[str, list[tf.NodeDef]], product: tf.NodeDef) -> None:
    weights = nodes[node_name(product.input[1])]
    channels = _channels(product, weights)
    if not channels or len(reading[weights.name]) != 1:
        return
    chain: list[tf.NodeDef] = []
    affine = _identity(2 if product.op == "MatMul" else 4, channels)
    node = product
    while len(following := reading[node.name]) == 1:
        found = _followed(nodes, following[0], node.name, affine)
        if found is None or _read_apart(reading, following[0]):
            break
        node, affine = following[0], found
        chain.append(node)
    if not chain or [node.op for node in chain] in (["BiasAdd"], ["Add"], ["AddV2"]):
        return
    scaled = _times(product, constant(nodes, weights.name), affine.scale)
    if not (np.isfinite(scaled).all() and np.isfinite(affine.bias).all()):
        return
    if (affine.scale != 1).any():
        weights.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(scaled, tf.float32))
        product.attr[SCALED].b = True
    for inner in chain[:-1]:
        del nodes[inner.name]
    _put_bias(nodes, chain[-1], product.name, affine.bias)


def _read_apart(reading: dict[str, list[tf.NodeDef]], node: tf.NodeDef) -> bool:
    """Whether another output than the first is read: the statistics of a fused batch norm."""
    return any(i.startswith(f"{node.name}:") for r in reading[node.name] for i in r.input)


def _channels(product: tf.NodeDef, weights: tf.NodeDef) -> int:
    """How many channels the product gives; 0 where its weights cannot be scaled here."""
    if weights.op != "Const" or weights.attr["dtype"].type != tf.float32.as_datatype_enum:
        return 0
    if (
        attribute(product, "data_format").s not in (b"", b"NHWC")
        or attribute(product, "transpose_a").b
    ):
        return 0
    shape = [dim.size for dim in weights.attr["value"].tensor.tensor_shape.dim]
    if len(shape) != (2 if product.op == "MatMul" else 4):
        return 0
    if product.op == "DepthwiseConv2dNative":
        return shape[2] * shape[3]
    return shape[0] if attribute(product, "transpose_b").b else shape[-1]


def _times(product: tf.NodeDef, W: np.ndarray, scale: np.ndarray) -> np.ndarray:
    if product.op == "DepthwiseConv2dNative":
        scale = scale.reshape(W.shape[2:])
    if attribute(product, "transpose_b").b:
        scale = scale[:, np.newaxis]
    with np.errstate(over="ignore"):
        return (W * scale).astype(np.float32)


def _followed(nodes: Graph, node: tf.NodeDef, source: str, before: Affine) -> Affine | None:
    """`before` and then the op of a node that reads `source`; None if it is another kind."""
    inputs = data_inputs(node)
    if node.op in (OLD, *FUSED) and inputs[0] == source:
        return _normed(nodes, node, before)
    if len(inputs) != 2 or len(node.input) != 2 or attribute(node, "data_format").s == b"NCHW":
        return None
    first = inputs[0] == source
    other = nodes[node_name(inputs[1] if first else inputs[0])]
    value = _by_channel(other, before)
    if value is None or source not in inputs:
        return None
    if node.op in ("Add", "AddV2", "BiasAdd"):
        return before.moved(value)
    if node.op == "Mul":
        return before.scaled(value)
    if node.op == "Sub":
        return before.moved(-value) if first else before.scaled(-np.ones(1)).moved(value)
    if node.op == "RealDiv" and first and value.all():
        return before.scaled(1 / value)
    return None


def _by_channel(const: tf.NodeDef, affine: Affine) -> np.ndarray | None:
    """A Const of floats as one number for each channel; None if it is anything else."""
    if const.op != "Const" or const.attr["dtype"].type != tf.float32.as_datatype_enum:
        return None
    channels = len(affine.scale)
    value = tf.make_ndarray(const.attr["value"].tensor).astype(np.float64)
    if value.ndim > affine.rank or value.size not in (1, channels):
        return None
    if value.size == 1:
        return np.full(channels, value.reshape(()))
    return value.reshape(channels) if value.shape[-1] == channels else None


def _normed(nodes: Graph, node: tf.NodeDef, before: Affine) -> Affine | None:
    if attribute(node, "data_format").s == b"NCHW" or _in_training(node):
        return None
    constants = [nodes[node_name(name)] for name in data_inputs(node)[1:]]
    values = [_by_channel(const, before) for const in constants]
    if len(values) != 4 or any(value is None for value in values):
        return None
    a, b, c, d = (value for value in values if value is not None)
    if node.op == OLD:
        mean, variance, beta = a, b, c
        gamma = d if attribute(node, "scale_after_normalization").b else np.ones_like(d)
        epsilon = attribute(node, "variance_epsilon").f
    else:
        gamma, beta, mean, variance = a, b, c, d
        epsilon = node.attr["epsilon"].f if "epsilon" in node.attr else 1e-4  # TensorFlow's own
    with np.errstate(all="ignore"):
        scale = gamma / np.sqrt(variance + epsilon)
    return before.scaled(scale).moved(beta - mean * scale)


def _in_training(node: tf.NodeDef) -> bool:
    return node.op in FUSED and ("is_training" not in node.attr or node.attr["is_training"].b)


def batch_dependent(nodes: Graph) -> list[str]:
    """The batch norms that take mean and variance of the batch: what a photo gives varies."""
    return [node.name for node in nodes.values() if _in_training(node)]


def _put_bias(nodes: Graph, node: tf.NodeDef, source: str, bias: np.ndarray) -> None:
    """Make the node a BiasAdd to `source`."""
    const = const_node(f"{node.name}/folded_bias", np.float32(bias))
    nodes[const.name] = const
    node.CopyFrom(tf.NodeDef(name=node.name, op="BiasAdd", input=[source, const.name]))
    node.attr["T"].type = tf.float32.as_datatype_enum


def _renewed(nodes: Graph, node: tf.NodeDef) -> None:
    """The old batch norm where it could not be folded: a product and a sum."""
    source = node.input[0]
    channels = [constant(nodes, name) for name in data_inputs(node)[1:]][0].size
    affine = _normed(nodes, node, _identity(4, channels))
    if affine is None:
        raise ValueError(f"{node.name} has no mean, variance, beta and gamma of one size")
    scale = const_node(f"{node.name}/folded_scale", np.float32(affine.scale))
    product = tf.NodeDef(name=f"{node.name}/folded_product", op="Mul", input=[source, scale.name])
    product.attr["T"].type = tf.float32.as_datatype_enum
    nodes[scale.name], nodes[product.name] = scale, product
    _put_bias(nodes, node, product.name, affine.bias)
