"""Rewriting a frozen GraphDef so that it runs in batches, fast, under today's TensorFlow."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping

import numpy as np
import tensorflow.compat.v1 as tf
from google.protobuf.message import DecodeError
from tensorflow.python.framework import op_def_registry

from graphnets.errors import GraphnetsError
from graphnets.files import reading
from graphnets.networks import soundness

# Ops that reach outside of the graph (files, Python, other hosts), though TensorFlow's registry
# calls them stateless: Abort ends the process, ImmutableConst maps a file, and Dataset, Proto and
# VocabRemapping ops read files named by their inputs or attributes.
REACHES_OUT = re.compile(
    r"File|Dataset|PyFunc|Reader|Snapshot|Debug|TPU|Xla|^Load|^Save|^Restore|"
    r"^Abort$|^ImmutableConst$|Proto|VocabRemapping"
)
# Stateful by the registry, but with no state beyond the graph's own.
HARMLESS = re.compile(
    r"^(Assert|Case|CheckNumerics(V2)?|If|Multinomial|Random(?!ShuffleQueue)\w*|"
    r"StatefulPartitionedCall|TensorArray\w*|While)$"
)
MAPS = ("AvgPool", "Conv2D", "DepthwiseConv2dNative", "MaxPool")  # give maps, pictures first


def read_graph_def(path: str | os.PathLike[str]) -> tf.GraphDef:
    """Read a frozen GraphDef from a .pb file, refusing one that could do more than compute.

    The devices that it was made for are left out: what has them here is not known.
    Raises GraphnetsError if the file is missing, is no GraphDef, holds an op that reads or
    writes files, runs Python or keeps state, or no graph that TensorFlow can import.
    """
    graph_def = tf.GraphDef()
    try:
        with reading(path) as file:
            graph_def.ParseFromString(file.read())
    except DecodeError:
        raise GraphnetsError(f"{path} is no GraphDef; wanted a frozen graph, a .pb file") from None
    if not graph_def.node:
        raise GraphnetsError(f"{path} holds no graph; wanted a frozen GraphDef, a .pb file")
    refuse_dangerous_ops(graph_def, str(path))
    soundness.check(graph_def, str(path))
    for node in graph_def.node:
        node.device = ""
    return graph_def


def refuse_dangerous_ops(graph_def: tf.GraphDef, source: str) -> None:
    """Raise GraphnetsError if an op in the graph or its functions reaches outside of the graph."""
    ops = {node.op for node in graph_def.node}
    functions = {function.signature.name for function in graph_def.library.function}
    for function in graph_def.library.function:
        ops.update(node.op for node in function.node_def)
    calls = {name for name in functions if op_def_registry.get(name) is None}
    refused = sorted(op for op in ops - calls if _is_refused(op))
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
    CheckNumerics is dropped, the old Concat becomes ConcatV2, and batches can be fed: a reshape to
    one row ([1, n]) takes many ([-1, n]), behind a pool or a convolution one for each picture
    (pictures of another size fail there), and the result of an ExpandDims in front (0) is a
    placeholder with that default. `graph_def` itself is left as it is.
    Raises GraphnetsError for what is no GraphDef, and if TensorFlow cannot import it, before or
    after.
    """
    soundness.check(graph_def)
    graph = tf.GraphDef()
    graph.CopyFrom(graph_def)
    with soundness.refusing("the graph"):
        _drop_checks(graph)
        _fold_batch_norms(graph)
        _free_batch_dimension(graph)
        _renew_concats(graph)
    graph.versions.Clear()
    graph.versions.producer = tf.version.GRAPH_DEF_VERSION
    soundness.check(graph, "the modernised graph")
    return graph


def _renew_concats(graph: tf.GraphDef) -> None:
    for node in graph.node:
        if node.op == "Concat":  # the axis comes first here, last in ConcatV2
            node.op = "ConcatV2"
            axis, *parts = data_inputs(node)
            node.input[:] = [*parts, axis]
            node.attr["Tidx"].type = tf.int32.as_datatype_enum


def _drop_checks(graph: tf.GraphDef) -> None:
    checked = {node.name: node.input[0] for node in graph.node if node.op == "CheckNumerics"}

    def source(name: str) -> str:
        while name.removesuffix(":0") in checked:  # a check may follow a check
            name = checked[name.removesuffix(":0")]
        return name

    kept = [node for node in graph.node if node.op != "CheckNumerics"]
    for node in kept:
        inputs = [i for i in node.input if not (i[0] == "^" and i[1:] in checked)]
        node.input[:] = [source(i) for i in inputs]
    _replace_nodes(graph, kept)


def _fold_batch_norms(graph: tf.GraphDef) -> None:
    nodes = {node.name: node for node in graph.node}
    uses = Counter(node_name(i) for node in graph.node for i in node.input)
    added = []
    for node in graph.node:
        if node.op != "BatchNormWithGlobalNormalization":
            continue
        x, *constants = data_inputs(node)
        mean, variance, beta, gamma = (constant(nodes, name) for name in constants)
        scale = 1 / np.sqrt(variance.astype(np.float64) + node.attr["variance_epsilon"].f)
        if node.attr["scale_after_normalization"].b:
            scale = scale * gamma
        bias = beta - mean * scale
        producer = nodes[node_name(x)]
        weights = nodes.get(node_name(producer.input[1])) if producer.op == "Conv2D" else None
        # Folding changes the convolution's own output, so nobody else may be reading it.
        if weights is not None and uses[producer.name] == uses[weights.name] == 1:
            folded = constant(nodes, weights.name) * scale
            weights.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(folded, tf.float32))
        else:
            added.append(_const_node(f"{node.name}/folded_scale", np.float32(scale)))
            product = tf.NodeDef(name=f"{node.name}/folded_product", op="Mul")
            product.input.extend([x, added[-1].name])
            product.attr["T"].type = tf.float32.as_datatype_enum
            added.append(product)
            x = product.name
        added.append(_const_node(f"{node.name}/folded_bias", np.float32(bias)))
        biased = tf.NodeDef(name=node.name, op="BiasAdd")
        biased.input.extend([x, added[-1].name])
        biased.attr["T"].type = tf.float32.as_datatype_enum
        node.CopyFrom(biased)
    graph.node.extend(added)
    _drop_unused_constants(graph, {"batchnorm"})


def _drop_unused_constants(graph: tf.GraphDef, parents: set[str]) -> None:
    used = {node_name(i) for node in graph.node for i in node.input}
    kept = [
        node
        for node in graph.node
        if node.op != "Const" or node.name in used or parents.isdisjoint(node.name.split("/"))
    ]
    _replace_nodes(graph, kept)


def _free_batch_dimension(graph: tf.GraphDef) -> None:
    nodes = {node.name: node for node in graph.node}
    added = []
    for node in graph.node:
        if node.op == "ExpandDims" and nodes[node_name(node.input[1])].op == "Const":
            if constant(nodes, node.input[1]) == 0:  # a batch of one; feeding more must be allowed
                one = tf.NodeDef()
                one.CopyFrom(node)
                one.name = f"{node.name}/one"
                added.append(one)
                node.CopyFrom(tf.NodeDef(name=node.name, op="PlaceholderWithDefault"))
                node.input.append(one.name)
                node.attr["dtype"].type = one.attr["T"].type
                node.attr["shape"].shape.unknown_rank = True
        if node.op == "Reshape" and nodes[node_name(node.input[1])].op == "Const":
            shape = constant(nodes, node.input[1])
            if shape.size > 1 and shape[0] == 1 and (shape[1:] > 0).all():
                # Others may be reading the old one.
                maps = _maps(nodes, node.input[0])
                added += _batch_shape(f"{node.name}/batch_shape", shape[1:], maps)
                node.input[1] = added[-1].name
    graph.node.extend(added)


def _maps(nodes: Mapping[str, tf.NodeDef], tensor: str) -> tf.NodeDef | None:
    """The node of a tensor that is maps for sure: its first dimension counts pictures."""
    first = node = nodes[node_name(tensor)]
    while node.op in ("BiasAdd", "Identity", "LRN", "Relu", "Relu6"):
        node = nodes[node_name(node.input[0])]
    return first if node.op in MAPS else None


def _batch_shape(name: str, row: np.ndarray, maps: tf.NodeDef | None) -> list[tf.NodeDef]:
    """Nodes, the last one `name`: the shape of a row for each picture of maps, or of any number."""
    if maps is None:
        return [_const_node(name, np.array([-1, *row], row.dtype))]
    shape = tf.NodeDef(name=f"{name}/of_maps", op="Shape", input=[maps.name])
    shape.attr["T"].CopyFrom(maps.attr["T"])
    zero, one = (_const_node(f"{name}/{i}", np.array([i], np.int32)) for i in range(2))
    ends = [shape.name, zero.name, one.name, one.name]
    count = tf.NodeDef(name=f"{name}/count", op="StridedSlice", input=ends)
    count.attr["shrink_axis_mask"].i = 1
    sizes = [_const_node(f"{name}/row_{i}", size) for i, size in enumerate(row)]
    whole = tf.NodeDef(name=name, op="Pack", input=[count.name, *(size.name for size in sizes)])
    whole.attr["N"].i = 1 + len(sizes)
    numbers = tf.as_dtype(row.dtype).as_datatype_enum
    shape.attr["out_type"].type = count.attr["T"].type = whole.attr["T"].type = numbers
    count.attr["Index"].type = tf.int32.as_datatype_enum
    return [shape, zero, one, count, *sizes, whole]


def _replace_nodes(graph: tf.GraphDef, nodes: list) -> None:
    kept = tf.GraphDef(node=nodes)  # a copy, taken before the originals go
    del graph.node[:]
    graph.node.extend(kept.node)


def data_inputs(node: tf.NodeDef) -> list[str]:
    """The names of the tensors that a node takes, without control inputs."""
    return [name for name in node.input if name[0] != "^"]


def node_name(tensor_name: str) -> str:
    """ "conv:0", "^conv" or "conv" -> "conv"."""
    return tensor_name.lstrip("^").partition(":")[0]


def constant(nodes: Mapping[str, tf.NodeDef], name: str) -> np.ndarray:
    """The value of a Const among {name: node}. Raises GraphnetsError if it is another op."""
    node = nodes[node_name(name)]
    if node.op != "Const":
        raise GraphnetsError(
            f"{node.name} is a {node.op}, wanted a Const: freeze the graph's variables first"
        )
    return tf.make_ndarray(node.attr["value"].tensor)


def _const_node(name: str, value: np.ndarray):
    node = tf.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype
    return node
