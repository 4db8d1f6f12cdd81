"""Putting the bodies of a graph's functions where they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow.compat.v1 as tf
from tensorflow.python.framework import op_def_registry

from graphnets.networks.nodes import attribute, data_inputs, node_name

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
MOST = 200_000  # nodes that calls may become; the largest networks have some ten thousand


def inlined(graph_def: tf.GraphDef, wanted: Sequence[str]) -> tuple[tf.GraphDef, list[str]]:
    """What tensors need of a graph, without calls of its functions, and the tensors' names there.

    Conditions and loops go on calling theirs. A node of a function's body keeps its name where
    that is free, else it lies under the call's.
    Raises ValueError for calls that do not fit their function, or that become too many nodes.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    pending = {node.name: node for node in graph_def.node}
    places: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(pending)}
    done: dict[str, tf.NodeDef] = {}
    outputs: dict[str, list[str]] = {}  # of the calls that are gone
    waiting = [node_name(name) for name in reversed(wanted)]
    while waiting:
        name = waiting.pop()
        if name in done or name in outputs:
            continue
        node = pending.pop(name, None)
        if node is None:
            raise ValueError(f"it has no node {name}")
        function = functions.get(_called(node, functions))
        if function is None:
            done[name] = node
            waiting += [node_name(i) for i in reversed(node.input)]
            continue
        body, outputs[name] = _body(node, function, functions, {name, *pending, *done, *outputs})
        pending.update(body)
        places |= {inner: (*places[name], i) for i, inner in enumerate(body)}
        if len(pending) + len(done) > MOST:
            raise ValueError(f"its functions become more than {MOST:,} nodes")
        waiting += [node_name(i) for i in outputs[name]]
    for node in done.values():
        node.input[:] = [i for name in node.input for i in _resolved(outputs, name)]
    ordered = [done[name] for name in sorted(done, key=places.__getitem__)]
    result = tf.GraphDef(node=ordered, library=graph_def.library, versions=graph_def.versions)
    return result, [tensor for name in wanted for tensor in _resolved(outputs, name)[:1]]


def _called(node: tf.NodeDef, functions: Mapping) -> str:
    return attribute(node, "f").func.name if node.op in CALLS else node.op


def _resolved(outputs: Mapping[str, list[str]], name: str) -> list[str]:
    """The inputs that stand for one: what a call's body gives."""
    for _ in range(len(outputs) + 1):
        if node_name(name) not in outputs:
            return [name]
        results = outputs[node_name(name)]
        if name[0] == "^":
            return [f"^{node_name(found)}" for one in results for found in _resolved(outputs, one)]
        place = int(name.partition(":")[2] or 0)
        if place >= len(results):
            raise ValueError(f"a call has no output {name}")
        name = results[place]
    raise ValueError(f"{name} is its own input")


def _body(
    call: tf.NodeDef, function, functions: Mapping, taken: set[str]
) -> tuple[dict[str, tf.NodeDef], list[str]]:
    """The nodes of a call, and the tensors that it gives."""
    arguments = [argument.name for argument in function.signature.input_arg]
    given = data_inputs(call)
    if len(arguments) != len(given):
        raise ValueError(f"{call.name} gives {len(given)} inputs, its function {len(arguments)}")
    tensors = dict(zip(arguments, given, strict=True))
    names: dict[str, str] = {}
    for node in function.node_def:
        free = node.name not in taken and node.name not in names.values()
        names[node.name] = node.name if free else f"{call.name}/{node.name}"
    if taken.intersection(names.values()):
        raise ValueError(f"names under {call.name} are taken")
    bodies = {node.name: node for node in function.node_def}

    def outer(name: str) -> str:
        if name[0] == "^":
            inner = name[1:]
            return f"^{names[inner]}" if inner in names else f"^{node_name(tensors[inner])}"
        if name in tensors:
            return tensors[name]
        node, _, rest = name.partition(":")
        output, _, place = rest.partition(":")
        found = _first_output(bodies[node], output, functions) + int(place or 0)
        return f"{names[node]}:{found}" if found else names[node]

    body = {}
    for node in function.node_def:
        copied = tf.NodeDef()
        copied.CopyFrom(node)
        copied.name = names[node.name]
        copied.input[:] = [outer(name) for name in node.input]
        for key, value in copied.attr.items():
            if value.placeholder:
                copied.attr[key].CopyFrom(attribute(call, value.placeholder))
        body[copied.name] = copied
    return body, [outer(function.ret[output.name]) for output in function.signature.output_arg]


def _first_output(node: tf.NodeDef, output: str, functions: Mapping) -> int:
    """The place of the first tensor of an output by its name: "split:output" of Split."""
    own = functions.get(node.op)
    known = own.signature if own is not None else op_def_registry.get(node.op)
    place = 0
    for argument in known.output_arg if known else ():
        if argument.name == output:
            return place
        if argument.number_attr:
            place += attribute(node, argument.number_attr).i
        elif argument.type_list_attr:
            place += len(attribute(node, argument.type_list_attr).list.type)
        else:
            place += 1
    raise ValueError(f"{node.name} has no output {output}")
