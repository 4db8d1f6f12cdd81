"""Reading a frozen GraphDef, and refusing one that could do more than compute."""

from __future__ import annotations

import os
from itertools import chain

import tensorflow.compat.v1 as tf
from tensorflow.python.framework import op_def_registry

from graphnets.errors import GraphnetsError, check_kind
from graphnets.files import reading
from graphnets.networks import soundness
from graphnets.networks.allowed import ALLOWED
from graphnets.networks.nodes import not_frozen
from graphnets.weights import protos, wire

LOWERED = "_lower_using_switch_merge"  # into ops of their own, which a session can stop
LOWERS = ("Case", "If", "While", "StatelessCase", "StatelessIf", "StatelessWhile")
SETTINGS = {"config", "config_proto", "executor_type"}  # of a call's own session
KEPT = ("_output_shapes", LOWERED)  # of the attributes that no op has declared
VARIABLES = ("Variable", "VariableV2", "VarHandleOp")
WANTED = "wanted a frozen graph, a .pb file"
NAMED = 8  # ops that an error names before it says "..."


def read_graph_def(path: str | os.PathLike[str]) -> tf.GraphDef:
    """Read a frozen GraphDef from a .pb file, refusing one that could do more than compute.

    The devices that it was made for are left out, and all else that ties it to where it was made.
    Raises GraphnetsError if the file is missing, is no GraphDef, holds an op that is not known to
    do no more than compute (`allowed`), or no graph that TensorFlow can import.

    >>> graph_def = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> graph_def.node[0].name
    'DecodeJpeg/contents'
    """
    with reading(path) as file:
        try:
            graph_def = protos.parsed_from(tf.GraphDef, file)
        except wire.TooLarge as error:
            raise GraphnetsError(f"{path} is no network: {error}; {WANTED}") from None
        except ValueError:
            raise GraphnetsError(f"{path} is no GraphDef; {WANTED}") from None
    if not graph_def.node:
        raise GraphnetsError(f"{path} holds no graph; {WANTED}")
    refuse_dangerous_ops(graph_def, str(path))
    forget_surroundings(graph_def)
    soundness.check(graph_def, str(path))
    return graph_def


def check(graph_def: tf.GraphDef) -> None:
    """Raise GraphnetsError unless a GraphDef from anywhere only computes, and is sound."""
    check_kind("graph_def", graph_def, tf.GraphDef, soundness.WANTED)
    for node in graph_def.node:
        if node.op in VARIABLES:
            raise not_frozen(node)
    refuse_dangerous_ops(graph_def, "the graph")
    soundness.check(graph_def)


def forget_surroundings(graph_def: tf.GraphDef) -> None:
    """Take out what ties a graph to where it was made, and what TensorFlow would do for it alone.

    Devices and what lies on one of them, kernels and compilers by name, sessions' configurations,
    gradients that are Python's. Loops become ops that a session can stop.
    """
    functions = graph_def.library.function
    for node in chain(graph_def.node, *(function.node_def for function in functions)):
        node.device = ""
        for name in [name for name in node.attr if name[:1] == "_" and name not in KEPT]:
            del node.attr[name]
        if node.op in LOWERS:
            node.attr[LOWERED].b = True
        for name in SETTINGS & node.attr.keys():
            node.attr[name].s = b""
    for function in functions:
        function.attr.clear()
    if functions:  # else clearing would make a library
        graph_def.library.ClearField("gradient")
        graph_def.library.ClearField("registered_gradients")


def refuse_dangerous_ops(graph_def: tf.GraphDef, source: str) -> None:
    """Raise GraphnetsError unless all ops in the graph and its functions are `allowed`."""
    ops = {node.op for node in graph_def.node}
    functions = {function.signature.name for function in graph_def.library.function}
    for function in graph_def.library.function:
        ops.update(node.op for node in function.node_def)
    calls = {name for name in functions if op_def_registry.get(name) is None}
    refused = sorted(ops - calls - ALLOWED.keys())
    if refused:
        more = ", ..." if len(refused) > NAMED else ""
        raise GraphnetsError(
            f"{source} has the op(s) {', '.join(refused[:NAMED])}{more}, which are not known to do "
            "no more than compute (others can reach files, run code or keep state); wanted a "
            "frozen graph of a network"
        )
