"""Whether a stranger's GraphDef is sound, told before TensorFlow computes with it.

TensorFlow checks a graph when it imports it, and raises. What it takes for granted even then, a
failing CHECK of which ends the process, is checked here first.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain

import tensorflow.compat.v1 as tf
from tensorflow.python.framework import op_def_registry

from graphnets.errors import GraphnetsError, check_kind, reason

WANTED = "a GraphDef, as graphnets.read_graph_def(file) or graph.as_graph_def() gives"
SMALL = 1024  # bytes of a Const from which on its values decide no shapes
ROOM = 64 << 20  # bytes that the Consts may take beyond those of the graph: one can fill a shape
MOST_NODES = 50_000  # the largest networks have some ten thousand
MOST_IN_ALL = 200_000  # with those of functions, which a SavedModel has several times over
MOST_OUTPUTS = 1 << 16  # of one node
LARGEST = 1 << 30  # bytes of a tensor, for one picture


@contextmanager
def refusing(source: str) -> Iterator[None]:
    """GraphnetsError in place of whatever else TensorFlow, NumPy and Python raise for a graph."""
    try:
        yield
    except GraphnetsError:
        raise
    except Exception as error:  # almost any: ValueError, KeyError, tf.errors.OpError ...
        raise GraphnetsError(
            f"{source} is no sound graph: {reason(error)}; wanted a frozen graph that TensorFlow "
            f"{tf.version.VERSION} can import"
        ) from error


@contextmanager
def running(source: str) -> Iterator[None]:
    """GraphnetsError in place of TensorFlow's for a graph that fails as it runs."""
    try:
        yield
    except tf.errors.OpError as error:
        raise GraphnetsError(f"{source} fails as it runs: {reason(error)}") from error


def check(graph_def: tf.GraphDef, source: str = "the graph") -> None:
    """Raise GraphnetsError unless TensorFlow can import the GraphDef, safely and in memory.

    Importing runs ops on whose constant inputs a shape depends: a stranger's are `allowed` first.
    """
    check_kind("graph_def", graph_def, tf.GraphDef, WANTED)
    check_nodes(graph_def, source)
    with refusing(source):
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(_without_values(graph_def), name="")
        for op in graph.get_operations():
            for tensor in op.outputs:
                _check_size(tensor)


def check_nodes(graph_def: tf.GraphDef, source: str) -> None:
    """Raise GraphnetsError for what can be told as unsound without importing the graph."""
    with refusing(source):
        functions = graph_def.library.function
        count = len(graph_def.node) + sum(len(function.node_def) for function in functions)
        if len(graph_def.node) > MOST_NODES or count > MOST_IN_ALL:
            raise ValueError(f"it has {count:,} nodes, more than any network")
        nodes = [*graph_def.node, *chain.from_iterable(f.node_def for f in functions)]
        _check_constants(nodes, graph_def.ByteSize() + ROOM)
        _check_counts(nodes)
        _check_calls(graph_def.library)


def imported(
    graph_def: tf.GraphDef,
    input_map: Mapping[str, tf.Tensor],
    return_elements: Sequence[str],
    name: str,
    source: str = "the graph",
) -> list[tf.Tensor]:
    """`tf.import_graph_def` of a graph that was checked, with the caller's inputs and name."""
    try:
        return tf.import_graph_def(graph_def, input_map, return_elements, name)
    except Exception as error:  # as in `refusing`
        raise GraphnetsError(
            f"{source} cannot be imported with these inputs, outputs and name: {reason(error)}"
        ) from error


def _check_constants(nodes: Iterable[tf.NodeDef], room: int) -> None:
    for node in nodes:
        if node.op == "Const" and not {"dtype", "value"} <= node.attr.keys():
            raise ValueError(f"{node.name} has no value")
        if node.op == "Const" and node.attr["value"].tensor.dtype != node.attr["dtype"].type:
            raise ValueError(f"{node.name} has values of another type than it says")
        for attr in node.attr.values():
            tensors = [attr.tensor] if attr.HasField("tensor") else attr.list.tensor
            room -= sum(_bytes(node.name, tensor) for tensor in tensors)
        if room < 0:
            raise ValueError("its constants take far more memory than the graph has bytes")


def _bytes(name: str, tensor) -> int:
    """What a tensor takes in memory; ValueError unless its values fit its shape and type."""
    dtype = tf.as_dtype(tensor.dtype)
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_shape.unknown_rank or min(sizes, default=0) < 0:
        raise ValueError(f"{name} has values of no definite shape")
    if not (dtype.is_numpy_compatible and dtype.as_datatype_enum <= tf.uint64.as_datatype_enum):
        raise ValueError(f"{name} has values of the type {dtype.name}")
    count, content = math.prod(sizes), len(tensor.tensor_content)
    listed = [len(value) for field, value in tensor.ListFields() if field.name.endswith("_val")]
    if dtype == tf.string:  # one takes a byte in the file or more, and 24 in memory
        fits = not content or content >= count
    else:
        fits = not content or content == count * dtype.size
    if not fits or max(listed, default=0) > count * (2 if dtype.is_complex else 1):
        raise ValueError(f"{name} has other values than its shape {sizes} wants")
    return count * (dtype.size or 24)


def _check_counts(nodes: Iterable[tf.NodeDef]) -> None:
    """Raise ValueError if a node says that it has more inputs, or outputs, than can be."""
    for node in nodes:
        known = op_def_registry.get(node.op)
        takes = known.input_arg if known else ()
        for argument in (*takes, *(known.output_arg if known else ())):
            count = node.attr[name].i if (name := argument.number_attr) in node.attr else 0
            most = len(node.input) if argument in takes else MOST_OUTPUTS
            if count > most:
                raise ValueError(
                    f"{node.name} says that its {name} is {count}, wanted {most} at most"
                )


def _check_calls(library) -> None:
    """Raise ValueError if a function calls itself, at any remove, or calls become too many nodes.

    TensorFlow goes into each call as it imports a graph: it would take for ever.
    """
    functions = {function.signature.name: function for function in library.function}
    calls = {name: _calls(f.node_def, functions) for name, f in functions.items()}
    sizes = {name: len(function.node_def) for name, function in functions.items()}
    left = {name: len(called) for name, called in calls.items()}
    callers = defaultdict(list)
    for name, called in calls.items():
        for other in called:
            callers[other].append(name)
    leaves = [name for name, count in left.items() if not count]
    while leaves:
        name = leaves.pop()
        del left[name]
        sizes[name] += sum(count * sizes[called] for called, count in calls[name].items())
        if sizes[name] > MOST_IN_ALL:
            raise ValueError(f"its functions become more than {MOST_IN_ALL:,} nodes")
        for caller in callers[name]:
            left[caller] -= 1
            if not left[caller]:
                leaves.append(caller)
    if left:
        raise ValueError(f"its function {min(left)} calls itself")


def _calls(nodes: Iterable, functions: Collection[str]) -> Counter[str]:
    """How often functions are called by nodes."""
    names = Counter(name for node in nodes for name in _called([node]))
    return Counter({name: count for name, count in names.items() if name in functions})


def keep_called(graph_def: tf.GraphDef, library) -> None:
    """Give a graph those functions of a library that it calls, and those that they call."""
    functions = {function.signature.name: function for function in library.function}
    kept: set[str] = set()
    waiting = _called(graph_def.node) & functions.keys()
    while waiting:
        name = waiting.pop()
        kept.add(name)
        waiting |= (_called(functions[name].node_def) & functions.keys()) - kept
    del graph_def.library.function[:]
    graph_def.library.function.extend(functions[name] for name in functions if name in kept)


def _called(nodes: Iterable) -> set[str]:
    """The names of what nodes are and call."""
    names = set()
    for node in nodes:
        names.add(node.op)
        for attr in node.attr.values():
            names.update(called.name for called in (attr.func, *attr.list.func))
    return names


def _without_values(graph_def: tf.GraphDef) -> tf.GraphDef:
    """The graph with placeholders for its large constants, to import it in a tenth of the time."""
    result = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    for node in graph_def.node:
        if node.op == "Const" and node.attr["value"].ByteSize() > SMALL:
            const = node
            node = tf.NodeDef(name=const.name, op="Placeholder", input=const.input)
            node.attr["dtype"].CopyFrom(const.attr["dtype"])
            node.attr["shape"].shape.CopyFrom(const.attr["value"].tensor.tensor_shape)
        result.node.append(node)
    return result


def _check_size(tensor: tf.Tensor) -> None:
    """Raise ValueError if a tensor is too large for one picture already."""
    sizes = tensor.shape.as_list() if tensor.shape.rank else []
    size = math.prod(size or 1 for size in sizes) * (tensor.dtype.base_dtype.size or 1)
    if size > LARGEST:
        raise ValueError(f"its {tensor.name}, {tensor.dtype.name} {sizes}, takes {size} bytes")
