"""Putting the bodies of a graph's functions where they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import tensorflow.compat.v1 as tf
from tensorflow.python.framework import op_def_registry

from graphnets.networks.nodes import attribute, data_inputs, node_name

CALLS = ("PartitionedCall", "StatefulPartitionedCall")
MOST = 50_000  # nodes that calls may become, with them; large networks have ten thousand
MOST_INPUTS = 500_000  # of all those nodes
ROOM = 64 << 20  # bytes that bodies may take beyond those of the graph: one can be called often


def inlined(graph_def: tf.GraphDef, wanted: Sequence[str]) -> tuple[tf.GraphDef, list[str]]:
    """What tensors need of a graph, without calls of its functions, and the tensors' names there.

    Conditions and loops go on calling theirs. A node of a function's body keeps its name where
    that is free, else it lies under the call's.
    Raises ValueError for calls that do not fit their function, or that become too much.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    room = _Room(graph_def.ByteSize() + ROOM)
    pending = {node.name: node for node in graph_def.node}
    top, taken = list(pending), set(pending)
    inner: dict[str, list[str]] = {}  # the nodes of the calls that are gone
    done: dict[str, tf.NodeDef] = {}
    outputs: dict[str, list[str]] = {}  # of those calls
    waiting = [node_name(name) for name in reversed(wanted)]
    while waiting:
        name = waiting.pop()
        if name in done or name in outputs:
            continue
        node = pending.pop(name, None)
        if node is None:
            raise ValueError(f"it has no node {name}")
        function = functions.get(_called(node))
        if function is None:
            done[name] = node
            waiting += [node_name(i) for i in reversed(node.input)]
            continue
        body, outputs[name] = _body(node, function, functions, taken, room)
        inner[name] = list(body)
        taken.update(body)
        pending.update(body)
        if len(taken) > MOST:
            raise ValueError(f"its functions become more than {MOST:,} nodes")
        waiting += [node_name(i) for i in outputs[name]]
    sources = _Sources(outputs)
    left = MOST_INPUTS
    for node in done.values():
        inputs = [i for name in node.input for i in sources.of(name)]
        left -= len(inputs)
        node.input[:] = inputs[: max(left, 0)]
        if left < 0:
            raise ValueError(f"its nodes come to have more than {MOST_INPUTS:,} inputs")
    ordered = [done[name] for name in _leaves(top, inner) if name in done]
    result = tf.GraphDef(node=ordered, library=graph_def.library, versions=graph_def.versions)
    return result, [tensor for name in wanted for tensor in sources.of(name)[:1]]


def _called(node: tf.NodeDef) -> str:
    return attribute(node, "f").func.name if node.op in CALLS else node.op


def _leaves(top: list[str], inner: Mapping[str, list[str]]) -> Iterator[str]:
    """The names in their order, those of a body in place of its call."""
    waiting = top[::-1]
    while waiting:
        name = waiting.pop()
        if name in inner:
            waiting += reversed(inner[name])
        else:
            yield name


class _Room:
    """How many bytes the bodies may still take."""

    def __init__(self, left: int) -> None:
        self._left = left

    def take(self, count: int) -> None:
        """Raise ValueError if there are not as many."""
        self._left -= count
        if self._left < 0:
            raise ValueError("its functions become far more bytes than the graph has")


class _Sources:
    """What stands for the outputs of calls: what their bodies give."""

    def __init__(self, outputs: Mapping[str, list[str]]) -> None:
        self._outputs = outputs
        self._known: dict[str, str] = {}
        self._waits: dict[str, list[str]] = {}

    def of(self, name: str) -> list[str]:
        """The inputs that stand for one; what waits for a call waits for all that it gives."""
        if name[:1] != "^" or name[1:] not in self._outputs:
            return [self._tensor(name)]
        if name not in self._waits:
            results = map(self._tensor, self._outputs[name[1:]])
            self._waits[name] = list(dict.fromkeys(f"^{node_name(found)}" for found in results))
        return self._waits[name]

    def _tensor(self, name: str) -> str:
        passed = []
        while name not in self._known and node_name(name) in self._outputs:
            results = self._outputs[node_name(name)]
            place = int(name.partition(":")[2] or 0)
            if place >= len(results):
                raise ValueError(f"a call has no output {name}")
            passed.append(name)
            if len(passed) > len(self._outputs):
                raise ValueError(f"{name} is its own input")
            name = results[place]
        found = self._known.get(name, name)
        self._known.update(dict.fromkeys(passed, found))  # a thousand may read the last of them
        return found


def _body(
    call: tf.NodeDef, function, functions: Mapping, taken: Set[str], room: _Room
) -> tuple[dict[str, tf.NodeDef], list[str]]:
    """The nodes of a call, and the tensors that it gives."""
    arguments = [argument.name for argument in function.signature.input_arg]
    given = data_inputs(call)
    if len(arguments) != len(given):
        raise ValueError(f"{call.name} gives {len(given)} inputs, its function {len(arguments)}")
    tensors = dict(zip(arguments, given, strict=True))
    names: dict[str, str] = {}
    own: set[str] = set()
    for node in function.node_def:
        free = node.name not in taken and node.name not in own
        names[node.name] = node.name if free else f"{call.name}/{node.name}"
        own.add(names[node.name])
    if not taken.isdisjoint(own):
        raise ValueError(f"names under {call.name} are taken")
    bodies = {node.name: node for node in function.node_def}

    def outer(name: str) -> str:
        inner, _, rest = name.lstrip("^").partition(":")
        if name[:1] == "^" and inner in names:
            return f"^{names[inner]}"
        if inner in tensors:
            return f"^{node_name(tensors[inner])}" if name[0] == "^" else tensors[inner]
        if inner not in bodies:
            raise ValueError(f"the function of {call.name} has no node {name}")
        output, _, place = rest.partition(":")
        found = _first_output(bodies[inner], output, functions) + int(place or 0)
        return f"{names[inner]}:{found}" if found else names[inner]

    body = {}
    for node in function.node_def:
        copied = tf.NodeDef()
        copied.CopyFrom(node)
        copied.name = names[node.name]
        copied.input[:] = [outer(name) for name in node.input]
        for key, value in copied.attr.items():
            if value.placeholder:
                copied.attr[key].CopyFrom(attribute(call, value.placeholder))
        room.take(copied.ByteSize())
        body[copied.name] = copied
    results = [function.ret[output.name] for output in function.signature.output_arg]
    if any(name[:1] == "^" for name in results):
        raise ValueError(f"the function of {call.name} gives no tensor")
    return body, [outer(name) for name in results]


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
