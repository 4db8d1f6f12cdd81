"""The nodes of a GraphDef: finding one's way among them."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError

Nodes = Mapping[str, tf.NodeDef]

MOST_PASSED = 100  # a thousand nodes may each be asked for what is a thousand nodes behind


def by_name(graph_def: tf.GraphDef) -> dict[str, tf.NodeDef]:
    """The graph's nodes by their names, in its order."""
    return {node.name: node for node in graph_def.node}


def data_inputs(node: tf.NodeDef) -> list[str]:
    """The names of the tensors that a node takes, without control inputs."""
    return [name for name in node.input if name[0] != "^"]


def node_name(tensor_name: str) -> str:
    """ "conv:0", "^conv" or "conv" -> "conv"."""
    return tensor_name.lstrip("^").partition(":")[0]


def full_name(tensor: str) -> str:
    """ "conv" -> "conv:0"; "conv:1" and "^conv" stay."""
    return tensor if ":" in tensor or tensor[:1] == "^" else f"{tensor}:0"


def constant(nodes: Nodes, name: str) -> np.ndarray:
    """The value of a Const among {name: node}. Raises GraphnetsError if it is another op."""
    node = nodes[node_name(name)]
    if node.op != "Const":
        raise not_frozen(node)
    return tf.make_ndarray(node.attr["value"].tensor)


def not_frozen(node: tf.NodeDef) -> GraphnetsError:
    """The error for a node that is no Const."""
    return GraphnetsError(
        f"{node.name} is a {node.op}, wanted a Const: freeze the graph's variables first"
    )


def const_node(name: str, value: np.ndarray) -> tf.NodeDef:
    """A Const of that value."""
    node = tf.NodeDef(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype
    return node


def const_behind(nodes: Nodes, tensor: str) -> tf.NodeDef | None:
    """The Const whose value a tensor is, also behind Identity ops; None if there is none."""
    node = behind(nodes, nodes[node_name(tensor)], ("Identity",))
    return node if node.op == "Const" else None


def behind(nodes: Nodes, node: tf.NodeDef, ops: Collection[str]) -> tf.NodeDef:
    """The node that reaches another through ops, MOST_PASSED at most, by their first inputs."""
    for _ in range(MOST_PASSED):
        if node.op not in ops:
            break
        node = nodes[node_name(node.input[0])]
    return node


def shape_of(const: tf.NodeDef) -> tuple[int, ...]:
    """The shape of a Const's value."""
    return tuple(dim.size for dim in const.attr["value"].tensor.tensor_shape.dim)


def holds_floats(node: tf.NodeDef) -> bool:
    """Whether it is a Const of floats."""
    return node.op == "Const" and tf.as_dtype(node.attr["dtype"].type).is_floating


def attribute(node: tf.NodeDef, name: str):
    """An attribute of a node, or an empty one; reading node.attr[name] would put that there."""
    return node.attr[name] if name in node.attr else tf.AttrValue()


def readers(nodes: Nodes) -> dict[str, list[tf.NodeDef]]:
    """{node: the nodes that take one of its outputs, or wait for it}, one entry an input."""
    found = defaultdict(list)
    for node in nodes.values():
        for name in node.input:
            found[node_name(name)].append(node)
    return found


def consumers(nodes: Nodes) -> dict[str, list[tf.NodeDef]]:
    """`readers`, without the Identity ops that nobody reads: they are but names."""
    reading = readers(nodes)
    names = {n.name for n in nodes.values() if n.op == "Identity" and not reading[n.name]}
    return defaultdict(
        list,
        {name: [r for r in found if r.name not in names] for name, found in reading.items()},
    )


def dependents(nodes: Nodes, sources: Iterable[str]) -> set[str]:
    """The names of all nodes that depend on one of the nodes `sources`, and those themselves."""
    reading = readers(nodes)
    found: set[str] = set()
    waiting = list(sources)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [node.name for node in reading[name]]
    return found


def needed(nodes: Nodes, tensors: Iterable[str], given: Collection[str] = ()) -> set[str]:
    """The names of the nodes that tensors depend on, but not through the tensors `given`.

    Raises GraphnetsError for a tensor that the graph does not have.
    """
    found: set[str] = set()
    waiting = list(tensors)
    while waiting:
        tensor = waiting.pop()
        name = node_name(tensor)
        if name in found or full_name(tensor) in given:
            continue
        if name not in nodes:
            raise GraphnetsError(
                f"the graph has no node {name!r}, wanted for {tensor!r}; name tensors as "
                "`NODE:0`, with nodes of graph_def"
            )
        found.add(name)
        waiting += nodes[name].input
    return found


def in_order(nodes: Nodes) -> list[str]:
    """The names of the nodes, inputs first, else as they stand; those in a loop are the last."""
    places = {name: place for place, name in enumerate(nodes)}
    reading = readers(nodes)
    waits = {node.name: len(node.input) for node in nodes.values()}
    ready = [places[name] for name, count in waits.items() if not count]
    heapq.heapify(ready)
    names = list(nodes)
    order = []
    while ready:
        name = names[heapq.heappop(ready)]
        order.append(name)
        for reader in reading[name]:
            waits[reader.name] -= 1
            if not waits[reader.name]:
                heapq.heappush(ready, places[reader.name])
    done = set(order)
    return order + [name for name in names if name not in done]


def operations_behind(tensor: tf.Tensor, cut: str = "") -> set[str]:
    """The operations that a tensor is computed from, without those behind the operation `cut`."""
    found: set[str] = set()
    waiting = [tensor.op]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found.add(op.name)
            if op.name != cut:
                waiting += [*(source.op for source in op.inputs), *op.control_inputs]
    return found
