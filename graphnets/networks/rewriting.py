"""Rewriting a frozen GraphDef so that it runs in batches, fast, under today's TensorFlow."""

from __future__ import annotations

from collections import Counter

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.networks import folding, frozen, soundness
from graphnets.networks.folding import Graph
from graphnets.networks.nodes import (
    attribute,
    behind,
    by_name,
    const_node,
    constant,
    data_inputs,
    in_order,
    node_name,
    shape_of,
)

MAPS = ("AvgPool", "Conv2D", "DepthwiseConv2dNative", "MaxPool")  # give maps, pictures first
PASSED = ("Identity", "PreventGradient", "Snapshot", "StopGradient")  # give what they take
CHECKS = ("CheckNumerics", "CheckNumericsV2")
LOOPS = ("Enter", "Exit", "LoopCond", "Merge", "NextIteration", "Switch")  # TensorFlow 1's
RANDOM = ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")


def modernised(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The same function in ops that newer GraphDefs allow; no tensor that is left changes its name.

    What is computed of constants alone is a constant. Batch norm, whatever its ops, behind a
    convolution or product is folded into it (weights x scale, and a bias): the product's own output
    is scaled then, and its node has the attribute `_graphnets_scaled`. Identity ops and dropout
    are passed by, CheckNumerics and other control inputs dropped, the old Concat becomes ConcatV2,
    and batches can be fed: a placeholder of a fixed number of pictures takes any number, a reshape
    to that many rows ([1, n]) takes many ([-1, n]), behind a pool or a convolution one for each
    picture (pictures of another size fail there), and the result of an ExpandDims in front (0) is a
    placeholder with that default. `graph_def` itself is left as it is.
    Raises GraphnetsError for what is no GraphDef, or one that may do more than compute (as
    `read_graph_def`), if TensorFlow cannot import it, before or after, and for a batch norm that
    takes its mean from the batch.

    >>> old = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> new = graphnets.modernised(old)
    >>> len(new.node) < len(old.node)
    True
    """
    frozen.check(graph_def)
    graph = tf.GraphDef()
    graph.CopyFrom(graph_def)
    with soundness.refusing("the graph"):
        nodes = by_name(graph)
        _tidy_inputs(nodes)
        _drop_checks(nodes)
        _pass_by(nodes)
        if training := folding.batch_dependent(nodes):
            raise ValueError(
                f"its batch norm {training[0]} is that of training, by which a photo's features "
                "depend on the other photos: freeze the graph as it is for inference"
            )
        folding.compute_constants(nodes, in_order(nodes))
        folding.fold_batch_norms(nodes, in_order(nodes))
        _drop_unread(nodes, graph_def)
        _free_batch_dimension(nodes)
        _renew_concats(nodes)
        ordered = [nodes[name] for name in in_order(nodes)]
    result = tf.GraphDef(node=ordered, library=graph.library)
    result.versions.producer = tf.version.GRAPH_DEF_VERSION
    soundness.check(result, "the modernised graph")
    return result


def _tidy_inputs(nodes: Graph) -> None:
    for node in nodes.values():
        node.input[:] = [name.removesuffix(":0") for name in node.input]


def _renew_concats(nodes: Graph) -> None:
    for node in nodes.values():
        if node.op == "Concat":  # the axis comes first here, last in ConcatV2
            node.op = "ConcatV2"
            axis, *parts = data_inputs(node)
            node.input[:] = [*parts, axis]
            node.attr["Tidx"].type = tf.int32.as_datatype_enum


def _drop_checks(nodes: Graph) -> None:
    """Control inputs go: nothing here has effects. Only TensorFlow 1's loops count on them."""
    loops = any(node.op in LOOPS for node in nodes.values())
    checked = {node.name: node.input[0] for node in nodes.values() if node.op in CHECKS}
    for node in nodes.values():
        node.input[:] = [
            _source(checked, name)
            for name in node.input
            if name[0] != "^" or (loops and name[1:] not in checked)
        ]
    for name in [n for n, node in nodes.items() if node.op == "NoOp" and not loops]:
        del nodes[name]
    for name in checked:
        del nodes[name]


def _source(passed: dict[str, str], name: str) -> str:
    names = []
    while name in passed:  # one may follow on another
        names.append(name)
        name = passed[name]
    passed.update(dict.fromkeys(names, name))  # a thousand may read the last of a thousand
    return name


def _pass_by(nodes: Graph) -> None:
    """Let readers of an Identity, or of dropout, read what it takes; it stays, by its name."""
    # In a loop of TensorFlow 1, an Identity is what control inputs hold on to.
    held = {i[1:] for node in nodes.values() for i in node.input if i[0] == "^"}
    passed: dict[str, str] = {}
    for node in nodes.values():
        if node.name in held or len(data_inputs(node)) < len(node.input):
            continue
        if node.op == "IdentityN":
            passed |= {f"{node.name}:{i}": name for i, name in enumerate(node.input)}
        if source := _passed_on(nodes, node):
            passed[node.name] = source
    for node in nodes.values():
        if node.name in passed:
            node.CopyFrom(_identity(node, passed[node.name]))
    for node in nodes.values():
        node.input[:] = [_source(passed, name) for name in node.input]
    found = {name: _undropped(nodes, node) for name, node in nodes.items()}
    dropped = {name: source for name, source in found.items() if source}
    for node in nodes.values():
        if node.name in dropped:
            node.CopyFrom(_identity(node, dropped[node.name]))
    for node in nodes.values():
        if node.name not in dropped:
            node.input[:] = [_source(dropped, name) for name in node.input]


def _passed_on(nodes: Graph, node: tf.NodeDef) -> str:
    """The input that a node gives as it is; "" where it computes."""
    if node.op in (*PASSED, "IdentityN"):
        return node.input[0]
    if node.op == "Mul":  # the beta of Keras's swish is a 1
        for one, other in (node.input, node.input[::-1]):
            const = nodes[node_name(one)]
            if const.op == "Const" and not shape_of(const) and constant(nodes, one) == 1:
                return other
    return ""


def _identity(node: tf.NodeDef, source: str) -> tf.NodeDef:
    result = tf.NodeDef(name=node.name, op="Identity", input=[source])
    types = attribute(node, "T")
    result.attr["T"].type = types.list.type[0] if types.list.type else types.type
    return result


def _undropped(nodes: Graph, node: tf.NodeDef) -> str | None:
    """What a node that ends a dropout takes, before it is scaled; None if it ends none.

    (x / keep) * floor(keep + random), (x * scale) * cast(random >= rate), or a choice between
    x * scale and 0 by random >= rate.
    """
    inputs = data_inputs(node)
    if node.op == "Mul" and len(inputs) == 2:
        pairs = [inputs, inputs[::-1]]
    elif node.op in ("Select", "SelectV2") and len(inputs) == 3:
        pairs = [[inputs[1], inputs[0]]]
    else:
        return None
    for scaled, mask in pairs:
        kept, chance = nodes[node_name(scaled)], nodes[node_name(mask)]
        if kept.op in ("Mul", "RealDiv") and _is_random(nodes, chance):
            source = kept.input[0]
            return kept.input[1] if nodes[node_name(source)].op == "Const" else source
    return None


def _is_random(nodes: Graph, node: tf.NodeDef) -> bool:
    """Whether a node is a dropout's mask: a comparison with random numbers, or their floor."""
    node = behind(nodes, node, ("Cast", "Identity"))
    if node.op not in ("Floor", "GreaterEqual"):
        return False
    for _ in range(8):  # random_uniform's own product, sum and minimum lie between
        if node.op in RANDOM:
            return True
        inputs = [nodes[node_name(name)] for name in data_inputs(node)]
        inputs = [i for i in inputs if i.op not in ("Const", "Placeholder", "Sub")]
        if not inputs:
            return False
        node = next((i for i in inputs if i.op in RANDOM), inputs[-1])
    return False


def _drop_unread(nodes: Graph, before: tf.GraphDef) -> None:
    """What was read, and is not: constants of batch norms, masks of dropout."""
    read = {node_name(i) for node in before.node for i in node.input}
    uses = Counter(node_name(i) for node in nodes.values() for i in node.input)
    unread = [name for name in read if not uses[name]]
    while unread:
        name = unread.pop()
        if name in nodes and nodes[name].op != "Identity":
            for source in map(node_name, nodes.pop(name).input):
                uses[source] -= 1
                if not uses[source]:
                    unread.append(source)


def _free_batch_dimension(nodes: Graph) -> None:
    counts = {1}  # of pictures that the graph is made for
    for node in nodes.values():
        if node.op == "Placeholder" and len(sizes := attribute(node, "shape").shape.dim) == 4:
            if sizes[3].size == 3 and sizes[0].size > 0:
                counts.add(sizes[0].size)
                sizes[0].size = -1
    for node in [*nodes.values()]:
        if node.op == "ExpandDims" and nodes[node_name(node.input[1])].op == "Const":
            if constant(nodes, node.input[1]) == 0:  # a batch of one; feeding more must be allowed
                one = tf.NodeDef()
                one.CopyFrom(node)
                one.name = f"{node.name}/one"
                nodes[one.name] = one
                node.CopyFrom(tf.NodeDef(name=node.name, op="PlaceholderWithDefault"))
                node.input.append(one.name)
                node.attr["dtype"].type = one.attr["T"].type
                node.attr["shape"].shape.unknown_rank = True
        if node.op == "Reshape" and nodes[node_name(node.input[1])].op == "Const":
            shape = constant(nodes, node.input[1])
            if shape.size > 1 and shape[0] in counts and (shape[1:] != 0).all():
                maps = _maps(nodes, node.input[0])
                if maps is None and (shape[1:] < 0).any():
                    continue
                # Others may be reading the old one.
                added = _batch_shape(f"{node.name}/batch_shape", shape[1:], maps)
                nodes.update({one.name: one for one in added})
                node.input[1] = added[-1].name


def _maps(nodes: Graph, tensor: str) -> tf.NodeDef | None:
    """The node of a tensor that is maps for sure: its first dimension counts pictures."""
    first = nodes[node_name(tensor)]
    node = behind(nodes, first, ("BiasAdd", "Identity", "LRN", "Relu", "Relu6"))
    return first if node.op in MAPS else None


def _batch_shape(name: str, row: np.ndarray, maps: tf.NodeDef | None) -> list[tf.NodeDef]:
    """Nodes, the last one `name`: the shape of a row for each picture of maps, or of any number."""
    if maps is None:
        return [const_node(name, np.array([-1, *row], row.dtype))]
    shape = tf.NodeDef(name=f"{name}/of_maps", op="Shape", input=[maps.name])
    shape.attr["T"].CopyFrom(maps.attr["T"])
    zero, one = (const_node(f"{name}/{i}", np.array([i], np.int32)) for i in range(2))
    ends = [shape.name, zero.name, one.name, one.name]
    count = tf.NodeDef(name=f"{name}/count", op="StridedSlice", input=ends)
    count.attr["shrink_axis_mask"].i = 1
    sizes = [const_node(f"{name}/row_{i}", size) for i, size in enumerate(row)]
    whole = tf.NodeDef(name=name, op="Pack", input=[count.name, *(size.name for size in sizes)])
    whole.attr["N"].i = 1 + len(sizes)
    numbers = tf.as_dtype(row.dtype).as_datatype_enum
    shape.attr["out_type"].type = count.attr["T"].type = whole.attr["T"].type = numbers
    count.attr["Index"].type = tf.int32.as_datatype_enum
    return [shape, zero, one, count, *sizes, whole]
