"""Rewriting a frozen GraphDef so that it runs in batches, fast, under today's TensorFlow."""

from __future__ import annotations

import os
import re
from collections import Counter

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.python.framework import op_def_registry

from graphnets.errors import GraphnetsError

# Ops that reach outside of the graph (files, Python, other hosts), though TensorFlow's registry
# calls them stateless; Dataset ops read files named by their inputs.
REACHES_OUT = re.compile(r"File|Dataset|PyFunc|Reader|Snapshot|Debug|TPU|Xla|^Load|^Save|^Restore")
# Stateful by the registry, but with no state beyond the graph's own.
HARMLESS = re.compile(r"^(Random\w*|Multinomial|Assert|StatefulPartitionedCall|TensorArray\w*)$")


def read_graph_def(path: str | os.PathLike) -> tf.GraphDef:
    """Read a frozen GraphDef from a .pb file, refusing one that could do more than compute.

    Raises GraphnetsError if the file is missing, is no GraphDef, or holds an op that reads or
    writes files, runs Python or keeps state.
    """
    graph_def = tf.GraphDef()
    try:
        with open(path, "rb") as file:
            graph_def.ParseFromString(file.read())
    except OSError as error:
        raise GraphnetsError(f"{path} cannot be read: {error.strerror}") from None
    except DecodeError:
        raise GraphnetsError(f"{path} is no GraphDef; wanted a frozen graph, a .pb file") from None
    if not graph_def.node:
        raise GraphnetsError(f"{path} holds no graph; wanted a frozen GraphDef, a .pb file")
    refuse_dangerous_ops(graph_def, str(path))
    return graph_def


def refuse_dangerous_ops(graph_def: tf.GraphDef, source: str) -> None:
    """Raise GraphnetsError if an op in the graph or its functions reaches outside of the graph."""
    ops = {node.op for node in graph_def.node}
    functions = {function.signature.name for function in graph_def.library.function}
    for function in graph_def.library.function:
        ops.update(node.op for node in function.node_def)
    refused = sorted(op for op in ops - functions if _is_refused(op))
    if refused:
        raise GraphnetsError(
            f"{source} has the op(s) {', '.join(refused)}, which can reach files, run code or keep "
            "state; wanted a frozen graph that only computes"
        )


def _is_refused(op: str) -> bool:
    known = op_def_registry.get(op)
    stateful = known is not None and known.is_stateful and not HARMLESS.match(op)
    return known is None or stateful or bool(REACHES_OUT.search(op))


def modernised(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The same function in ops that newer GraphDefs allow; no tensor that is left changes its name.

    The old batch norm behind a convolution is folded into it (weights x scale, and a bias),
    CheckNumerics is dropped, a reshape to one row ([1, n]) takes a batch ([-1, n]), and the old
    Concat becomes ConcatV2. `graph_def` itself is left as it is.
    """
    graph = tf.GraphDef()
    graph.CopyFrom(graph_def)
    _drop_checks(graph)
    _fold_batch_norms(graph)
    _free_batch_dimension(graph)
    for node in graph.node:
        if node.op == "Concat":  # the axis comes first here, last in ConcatV2
            node.op = "ConcatV2"
            node.input[:] = [*node.input[1:], node.input[0]]
            node.attr["Tidx"].type = tf.int32.as_datatype_enum
    graph.versions.Clear()
    graph.versions.producer = tf.version.GRAPH_DEF_VERSION
    return graph


def _drop_checks(graph: tf.GraphDef) -> None:
    checked = {node.name: node.input[0] for node in graph.node if node.op == "CheckNumerics"}
    kept = [node for node in graph.node if node.op != "CheckNumerics"]
    for node in kept:
        inputs = [i for i in node.input if not (i[0] == "^" and i[1:] in checked)]
        node.input[:] = [checked.get(i.removesuffix(":0"), i) for i in inputs]
    _replace_nodes(graph, kept)


def _fold_batch_norms(graph: tf.GraphDef) -> None:
    nodes = {node.name: node for node in graph.node}
    uses = Counter(_node_name(i) for node in graph.node for i in node.input)
    added = []
    for node in graph.node:
        if node.op != "BatchNormWithGlobalNormalization":
            continue
        x, *constants = node.input
        mean, variance, beta, gamma = (_constant(nodes, name) for name in constants)
        scale = 1 / np.sqrt(variance.astype(np.float64) + node.attr["variance_epsilon"].f)
        if node.attr["scale_after_normalization"].b:
            scale = scale * gamma
        bias = beta - mean * scale
        producer = nodes[_node_name(x)]
        weights = nodes.get(_node_name(producer.input[1])) if producer.op == "Conv2D" else None
        # Folding changes the convolution's own output, so nobody else may be reading it.
        if weights is not None and uses[producer.name] == uses[weights.name] == 1:
            folded = _constant(nodes, weights.name) * scale
            weights.attr["value"].tensor.CopyFrom(_tensor(folded))
        else:
            added.append(_const_node(f"{node.name}/scale", scale))
            product = tf.NodeDef(name=f"{node.name}/scaled", op="Mul")
            product.input.extend([x, added[-1].name])
            product.attr["T"].type = tf.float32.as_datatype_enum
            added.append(product)
            x = product.name
        added.append(_const_node(f"{node.name}/bias", bias))
        biased = tf.NodeDef(name=node.name, op="BiasAdd")
        biased.input.extend([x, added[-1].name])
        biased.attr["T"].type = tf.float32.as_datatype_enum
        node.CopyFrom(biased)
    graph.node.extend(added)
    _drop_unused_constants(graph, {"batchnorm"})


def _drop_unused_constants(graph: tf.GraphDef, parents: set[str]) -> None:
    used = {_node_name(i) for node in graph.node for i in node.input}
    kept = [
        node
        for node in graph.node
        if node.op != "Const" or node.name in used or parents.isdisjoint(node.name.split("/"))
    ]
    _replace_nodes(graph, kept)


def _free_batch_dimension(graph: tf.GraphDef) -> None:
    nodes = {node.name: node for node in graph.node}
    for node in graph.node:
        if node.op == "Reshape" and nodes[_node_name(node.input[1])].op == "Const":
            shape = _constant(nodes, node.input[1])
            if shape.size > 1 and shape[0] == 1 and (shape[1:] > 0).all():
                shape = np.concatenate([[-1], shape[1:]]).astype(shape.dtype)
                nodes[_node_name(node.input[1])].attr["value"].tensor.CopyFrom(
                    tf.make_tensor_proto(shape)
                )


def _replace_nodes(graph: tf.GraphDef, nodes: list) -> None:
    kept = tf.GraphDef(node=nodes)  # a copy, taken before the originals go
    del graph.node[:]
    graph.node.extend(kept.node)


def _node_name(tensor_name: str) -> str:
    return tensor_name.lstrip("^").partition(":")[0]


def _constant(nodes: dict, name: str) -> np.ndarray:
    node = nodes[_node_name(name)]
    if node.op != "Const":
        raise GraphnetsError(
            f"{node.name} is a {node.op}, wanted a Const: freeze the graph's variables first"
        )
    return tf.make_ndarray(node.attr["value"].tensor)


def _tensor(value: np.ndarray):
    return tf.make_tensor_proto(value, tf.float32)


def _const_node(name: str, value: np.ndarray):
    node = tf.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(_tensor(value))
    return node
