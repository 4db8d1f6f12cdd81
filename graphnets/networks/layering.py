"""The layers of a frozen graph: what a product with weights ends in, and what lies between."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphnets.networks.folding import FUSED, PRODUCTS
from graphnets.networks.nodes import (
    Nodes,
    const_behind,
    consumers,
    data_inputs,
    dependents,
    holds_floats,
    node_name,
    shape_of,
)

KINDS = {"Conv2D": "conv", "DepthwiseConv2dNative": "depthwise", "MatMul": "fc"}
ACTIVATIONS = {"Elu", "LeakyRelu", "Relu", "Relu6", "Selu", "Sigmoid", "Softplus", "Tanh"}
SUMS = ("Add", "AddV2", "Mul", "Sub")  # of two tensors, or of one and a parameter
BETWEEN = {
    "Add": "add",
    "AddV2": "add",
    "AvgPool": "avg_pool",
    "ConcatV2": "concat",
    "LRN": "lrn",
    "MaxPool": "max_pool",
    "Mean": "mean",
    "Mul": "multiply",
    "Reshape": "reshape",
    "Softmax": "softmax",
    **{op: op.lower() for op in ACTIVATIONS},
}
# The inputs of an op that can be parameters.
WEIGHTS = {
    "Conv2D": (1,),
    "DepthwiseConv2dNative": (1,),
    "MatMul": (0, 1),
    "BiasAdd": (1,),
    "Add": (0, 1),
    "AddV2": (0, 1),
    "Sub": (0, 1),
    "Mul": (0, 1),
    **dict.fromkeys(FUSED, (1, 2)),  # scale and offset; mean and variance are no weights
}


class Part(NamedTuple):
    """A layer of a graph, known by the node that it ends in.

    parameters: the Consts that it learns. members: all names that it goes by, those of its nodes
    and parameters.
    """

    kind: str
    parameters: list[str]
    members: list[str]


def parameters_of(nodes: Nodes, name: str) -> list[str]:
    """The Consts of floats, of rank 1 or more, that a node takes as its weights."""
    node = nodes[name]
    inputs = data_inputs(node)
    found = (const_behind(nodes, inputs[place]) for place in WEIGHTS.get(node.op, ()))
    return [const.name for const in found if const and holds_floats(const) and shape_of(const)]


def parts(nodes: Nodes, order: Sequence[str], entry: str) -> dict[str, Part]:
    """The layers that depend on the node `entry`, {name of its last node: layer}, in order.

    A layer is a product with its weights and the sum, batch norm and activation that follow, as
    far as nothing else reads what is between; or a scale that learns; or what joins and pools.
    """
    reading = consumers(nodes)
    reached = dependents(nodes, [entry]) - {entry}
    products = [name for name in reached if nodes[name].op in PRODUCTS]
    learning = dependents(nodes, products)
    found: dict[str, Part] = {}
    taken: set[str] = set()
    for name in order:
        if name not in reached or name in taken:
            continue
        own = parameters_of(nodes, name) if name in learning else []
        if own:
            chain = _chain(nodes, reading, name)
            parameters = [const for member in chain for const in parameters_of(nodes, member)]
            kind = KINDS.get(nodes[name].op, "scale")
            part = Part(kind, list(dict.fromkeys(parameters)), [*chain, *parameters])
            found[chain[-1]] = part
            taken.update(chain)
        elif nodes[name].op in BETWEEN and name in learning:
            if nodes[name].op not in SUMS or _of_two(nodes, name, reached):
                found[name] = Part(BETWEEN[nodes[name].op], [], [name])
    places = {name: place for place, name in enumerate(order)}
    return dict(sorted(found.items(), key=lambda item: places[item[0]]))


def _chain(nodes: Nodes, reading: dict, name: str) -> list[str]:
    chain = [name]
    while len(following := reading[chain[-1]]) == 1:
        node = following[0]
        takes = data_inputs(node)[:1] == [chain[-1]] or node.op in SUMS
        if not takes or not (node.op in ACTIVATIONS or parameters_of(nodes, node.name)):
            break
        if node.op in PRODUCTS:
            break
        chain.append(node.name)
        if node.op in ACTIVATIONS:
            break
    return chain + _swish(nodes, reading, chain[-1])


def _swish(nodes: Nodes, reading: dict, name: str) -> list[str]:
    """The nodes of x * sigmoid(x) behind the node x; none if something else follows."""
    following = {node.name: node for node in reading[name]}
    gates = [node.name for node in following.values() if node.op == "Sigmoid"]
    if len(following) == 2 and len(gates) == 1:
        (product,) = following.keys() - gates
        inputs = {node_name(i) for i in data_inputs(nodes[product])}
        if nodes[product].op == "Mul" and inputs == {name, *gates}:
            return [*gates, product]
    return []


def _of_two(nodes: Nodes, name: str, reached: set[str]) -> bool:
    return all(node_name(tensor) in reached for tensor in data_inputs(nodes[name]))
