"""Un-freezing a frozen GraphDef: chosen Consts train as variables, then are Consts again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_kind, check_names, refused
from graphnets.networks import frozen, run_only, soundness
from graphnets.networks.folding import PRODUCTS
from graphnets.networks.layering import parameters_of
from graphnets.networks.network import check_graph
from graphnets.networks.nodes import (
    Nodes,
    by_name,
    constant,
    dependents,
    full_name,
    holds_floats,
    needed,
    readers,
    shape_of,
)


def matches(name: str, pattern: str) -> bool:
    """Whether the name is the pattern, lies under it, or matches it as a shell pattern.

    "mixed_10" is for "mixed_10" and "mixed_10/conv", "mixed_1?/tower*" for
    "mixed_10/tower_1/conv"; upper and lower case differ.
    """
    pattern = pattern.removesuffix(":0").rstrip("/")
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}/*")


def parameter_names(graph_def: tf.GraphDef, pattern: str) -> list[str]:
    """The names of the Consts that can train in the nodes that a pattern (see `matches`) chooses.

    Those are Consts of floats, of rank 1 or more, also behind Identity ops, that a convolution or
    product takes as its weights, or that are added or multiplied behind one. What scales pictures
    in front of the first layer is none of them, nor are scalars, unless the pattern is the name
    of that very Const. A Const is chosen by its own name or by that of the node that takes it.
    The batch norm of 2015, an op of its own, has no parameters here before `modernised` has
    folded it into weights and a bias.

    Returns them in the order of the nodes that take them.
    Raises GraphnetsError if there is none, for a graph that may do more than compute, and if
    TensorFlow cannot import it.

    >>> file = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> graphnets.parameter_names(file, "softmax")
    ['softmax/weights', 'softmax/biases']
    """
    frozen.check(graph_def)
    check_kind("pattern", pattern, str, "a name or a shell pattern, such as 'mixed_10'")
    nodes = by_name(graph_def)
    named = nodes.get(pattern.removesuffix(":0"))
    if named is not None and holds_floats(named):
        return [named.name]
    found = dict.fromkeys(
        name
        for taker, name in _parameters(nodes)
        if matches(name, pattern) or matches(taker, pattern)
    )
    if not found:
        tops = dict.fromkeys(name.partition("/")[0] for _, name in _parameters(nodes))
        raise GraphnetsError(
            f"no parameter matches {pattern!r}; this graph has parameters in "
            f"{', '.join(tops) or 'no node'}: name a node there, or give a shell pattern"
        )
    return list(found)


def _parameters(nodes: Nodes) -> Iterator[tuple[str, str]]:
    """(node that takes it, Const), in the order of the graph."""
    behind = dependents(nodes, [node.name for node in nodes.values() if node.op in PRODUCTS])
    for node in nodes.values():
        if node.name not in behind:
            continue
        for name in parameters_of(nodes, node.name):
            yield node.name, name


def import_unfrozen(
    graph_def: tf.GraphDef,
    trainable_parameters: Sequence[str],
    input_map: Mapping[str, tf.Tensor],
    return_elements: Sequence[str],
    name: str = "import",
) -> list[tf.Tensor]:
    """Add a frozen graph to the default one with some of its Consts as trainable variables.

    As `tf.import_graph_def`, but no node is added that return_elements, names of tensors, do not
    need, given those in input_map. trainable_parameters: Consts (see `parameter_names`). Their
    variables are `NAME/const`, the imported nodes `NAME/graph/node`, or `NAME/node` where nothing
    trains; NAME is `name`, with a number if it is taken.
    Run `tf.global_variables_initializer()` to load the values, which are not in the graph again.

    Raises GraphnetsError for names that the graph does not have, for a parameter that is no
    Const of floats or on which none of return_elements depends, and for a graph that may do more
    than compute (as `read_graph_def`) or that TensorFlow cannot import, by itself or with those
    tensors in it.

    >>> file = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> names = graphnets.parameter_names(file, "softmax")
    >>> with tf.Graph().as_default():
    ...     [scores] = graphnets.import_unfrozen(file, names, {}, ["softmax:0"])
    ...     print([variable.op.name for variable in tf.trainable_variables()])
    ['import/softmax/weights', 'import/softmax/biases']
    """
    frozen.check(graph_def)
    trainable_parameters = check_names("trainable_parameters", trainable_parameters)
    return_elements = check_names("return_elements", return_elements)
    check_kind("input_map", input_map, Mapping, "a mapping {name of a tensor: tensor}")
    check_kind("name", name, str, "a text")
    check_graph("import_unfrozen", *input_map.values())
    nodes = by_name(graph_def)
    given: dict[str, tf.Tensor] = {full_name(key): value for key, value in input_map.items()}
    needed(nodes, given)  # raises for what is unknown
    wanted = [full_name(element) for element in return_elements]
    used = needed(nodes, wanted, given)
    _check_trainable(nodes, trainable_parameters, used)
    held = dict.fromkeys(trainable_parameters)  # two layers may share one
    if run_only.wanted():
        held |= dict.fromkeys(name for _, name in _parameters(nodes) if name in used)
    if not held:
        return _imported(graph_def, wanted, given, name)
    halved = _for_products(nodes, held) if run_only.dtype() == tf.bfloat16 else []
    with tf.variable_scope(None, default_name=name or "import"):
        for parameter in held:
            trains = parameter in trainable_parameters
            kept = tf.bfloat16 if parameter in halved and not trains else None
            given[f"{parameter}:0"] = _variable(nodes, parameter, trains, kept)
        # A node may be named as the folder of a variable is, in which case it would be renamed.
        return _imported(graph_def, wanted, given, "graph")


def _check_trainable(nodes: Nodes, parameters: Sequence[str], used: Collection[str]) -> None:
    for name in parameters:
        if name not in nodes:
            problem = "the graph has no such node"
        elif not holds_floats(nodes[name]):
            problem = f"it is a {nodes[name].op}"
        elif name not in used:
            problem = "none of the tensors asked for depends on it"
        else:
            continue
        raise GraphnetsError(
            f"the parameter {name!r} cannot train: {problem}; wanted Consts of floats, as "
            "parameter_names finds them"
        )


def _for_products(nodes: Nodes, names: Collection[str]) -> set[str]:
    """Those of float32 that only convolutions and products take: these run in 16 bits, a scale
    may not."""
    reading = readers(nodes)
    found = set()
    for name in names:
        waiting, takers = [name], set()
        while waiting:
            for node in reading[waiting.pop()]:
                takers.add(node.op)
                if node.op == "Identity":
                    waiting.append(node.name)
        if takers <= {*PRODUCTS, "Identity"} and nodes[name].attr["dtype"].type == tf.float32:
            found.add(name)
    return found


def _variable(nodes: Nodes, name: str, trains: bool, kept: tf.DType | None) -> tf.Tensor:
    wanted = tf.as_dtype(nodes[name].attr["dtype"].type)

    def initializer(shape, dtype=None, partition_info=None):
        # As a constant, the array would be part of the GraphDef.
        value = tf.numpy_function(lambda: constant(nodes, name), [], wanted)
        return tf.cast(tf.ensure_shape(value, shape), dtype)

    shape = shape_of(nodes[name])
    found = tf.get_variable(name, shape, kept or wanted, initializer, trainable=trains)
    # Where kept is bfloat16, the session casts what is cast here back, and both are left out.
    return tf.cast(tf.convert_to_tensor(found), wanted)


def _imported(
    graph_def: tf.GraphDef, wanted: Sequence[str], given: Mapping[str, tf.Tensor], name: str
) -> list[tf.Tensor]:
    part = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    kept = needed(by_name(graph_def), wanted, given)
    for node in graph_def.node:
        if node.name in kept:
            part.node.add().CopyFrom(node)
            part.node[-1].attr.pop("_class", None)  # places it beside a node that may be left out
    read = {full_name(tensor) for node in part.node for tensor in node.input}
    inside = [tensor for tensor in wanted if tensor not in given]
    taken = {tensor: value for tensor, value in given.items() if tensor in read}
    found = dict(given)
    if inside:
        found.update(zip(inside, soundness.imported(part, taken, inside, name), strict=True))
    return [found[tensor] for tensor in wanted]


def with_values(graph_def: tf.GraphDef, values: Mapping[str, np.ndarray]) -> tf.GraphDef:
    """A copy of the GraphDef with other values for some Consts, {name: array}; the rest is equal.

    Raises GraphnetsError for what is no Const of the graph, or an array of another shape or dtype.

    >>> file = graphnets.read_graph_def(graphnets.weight_file("inception_v3"))
    >>> [node] = [node for node in file.node if node.name == "softmax/biases"]
    >>> biases = tf.make_ndarray(node.attr["value"].tensor)
    >>> changed = graphnets.with_values(file, {"softmax/biases": biases / 2})
    """
    check_kind("graph_def", graph_def, tf.GraphDef, soundness.WANTED)
    check_kind("values", values, Mapping, "a mapping {name of a Const: array}")
    result = tf.GraphDef()
    result.CopyFrom(graph_def)
    nodes = by_name(result)
    for name, value in values.items():
        if name not in nodes or nodes[name].op != "Const":
            what = f"is a {nodes[name].op}" if name in nodes else "is not in the graph"
            raise GraphnetsError(f"{name!r} {what}; wanted the name of a Const of the graph")
        shape, dtype = shape_of(nodes[name]), tf.as_dtype(nodes[name].attr["dtype"].type)
        if isinstance(value, tf.Tensor | tf.Variable):
            raise refused(f"the value of {name!r}", value, "an array: what session.run gives of it")
        value = np.asarray(value)
        if value.shape != shape or value.dtype != dtype.as_numpy_dtype:
            raise GraphnetsError(
                f"got {value.dtype} {value.shape} for {name!r}, wanted {dtype.name} {shape}; give "
                "the array that its variable holds"
            )
        nodes[name].attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return result
