"""Reading a frozen GraphDef, and refusing one that could do more than compute."""

from __future__ import annotations

import os
import re
from itertools import chain

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


def read_graph_def(path: str | os.PathLike[str]) -> tf.GraphDef:
    """Read a frozen GraphDef from a .pb file, refusing one that could do more than compute.

    The devices that it was made for are left out: what has them here is not known.
    Raises GraphnetsError if the file is missing, is no GraphDef, holds an op that reads or
    writes files, runs Python or keeps state, or no graph that TensorFlow can import.

    >>> graph_def = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> graph_def.node[0].name
    'DecodeJpeg/contents'
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
    forget_devices(graph_def)
    return graph_def


def forget_devices(graph_def: tf.GraphDef) -> None:
    """Take the devices out that a graph was made for: what has them here is not known."""
    bodies = [function.node_def for function in graph_def.library.function]
    for node in chain(graph_def.node, *bodies):
        node.device = ""


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
