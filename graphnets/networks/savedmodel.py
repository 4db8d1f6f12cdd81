"""Reading a SavedModel, TensorFlow 1's or 2's, as a frozen GraphDef; nothing in it is run."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework import op_def_registry

from graphnets.errors import GraphnetsError
from graphnets.files import reading, sha256
from graphnets.networks import frozen, soundness
from graphnets.networks.inlining import inlined
from graphnets.networks.nodes import (
    MOST_PASSED,
    by_name,
    const_node,
    constant,
    data_inputs,
    needed,
    node_name,
)
from graphnets.weights import protos, wire

LARGEST = 3 * wire.LARGEST  # bytes: Adam has two numbers for each of a graph's own
FILE, VARIABLES = "saved_model.pb", Path("variables") / "variables"
SERVED = "serving_default"
NO_SIGNATURES = ("__saved_model_init_op", "__saved_model_train_op")
REFERENCES = ("Variable", "VariableV2")  # are read as they are
HOLDERS = ("VarHandleOp", *REFERENCES)
READS = ("ReadVariableOp",)
ASSIGNS = ("Assign", "AssignVariableOp")
PASSED = ("Identity", "IdentityN", "DisableCopyOnRead")


class Model(NamedTuple):
    """A SavedModel's signature, frozen: the graph, and the tensors that it gives."""

    graph_def: tf.GraphDef
    outputs: list[str]


def is_saved_model(path: str | os.PathLike[str]) -> bool:
    """Whether the path is a folder, which can only be meant as a SavedModel."""
    return os.path.isdir(path)


def fingerprint(folder: str | os.PathLike[str]) -> str:
    """What tells a SavedModel from all others: the SHA-256 of its files' own.

    Raises GraphnetsError for more bytes of variables than a network and its optimiser have.
    """
    files = [Path(folder) / FILE, *sorted((Path(folder) / VARIABLES).parent.glob("variables.*"))]
    size = sum(path.stat().st_size for path in files)
    if size > LARGEST:  # sparse files have any size
        raise GraphnetsError(
            f"{folder} has {size:,} bytes, wanted {LARGEST:,} at most: a graph and its optimiser"
        )
    return hashlib.sha256("".join(map(sha256, files)).encode()).hexdigest()


def read_saved_model(folder: str | os.PathLike[str], signature: str = "") -> Model:
    """The graph of a signature ("": the one that is served), its variables as constants.

    Functions are put where they are called, and the values of variables are read from their files
    by the names that the graph's own restoring uses, which is not run.
    Raises GraphnetsError for a folder that holds no SavedModel, or none that only computes.
    """
    source = str(folder)
    meta = _meta_graph(Path(folder))
    chosen = _signature(meta, source, signature)
    outputs = [chosen.outputs[name].name for name in sorted(chosen.outputs)]
    graph_def = meta.graph_def
    soundness.check_nodes(graph_def, source)  # no import: TensorFlow runs what shapes depend on
    with soundness.refusing(source):
        computing, outputs = inlined(graph_def, outputs)
        values = _Values(graph_def, meta.saver_def.restore_op_name, Path(folder))
        result = _frozen(computing, values, outputs)
    frozen.refuse_dangerous_ops(result, source)
    frozen.forget_surroundings(result)
    soundness.check(result, source)
    return Model(result, outputs)


def _meta_graph(folder: Path):
    if not (folder / FILE).exists():
        has = sorted(path.name for path in folder.iterdir())[:5] if folder.is_dir() else []
        kind = "a checkpoint" if any(n == "checkpoint" or ".index" in n for n in has) else "it"
        raise GraphnetsError(
            f"{folder} has no {FILE}: {kind} has {', '.join(has) or 'nothing'}; wanted the folder "
            "of a SavedModel, as model.export(DIR) writes it"
        )
    with reading(folder / FILE) as file:
        try:
            model = protos.parsed_from(saved_model_pb2.SavedModel, file)
        except ValueError as error:
            why = f" ({error})" if isinstance(error, wire.TooLarge) else ""
            raise GraphnetsError(
                f"{folder / FILE} is no SavedModel{why}; export the model again"
            ) from None
    graphs = list(model.meta_graphs)
    serving = [meta for meta in graphs if "serve" in meta.meta_info_def.tags] or [
        meta for meta in graphs if not meta.meta_info_def.tags
    ]
    if len(graphs) != 1 and not serving:
        raise GraphnetsError(
            f"{folder} has {len(graphs)} graphs and none tagged 'serve'; export it for serving"
        )
    return (serving or graphs)[0]


def _signature(meta, source: str, named: str):
    signatures = {
        name: one
        for name, one in meta.signature_def.items()
        if name not in NO_SIGNATURES and one.outputs
    }
    if not signatures:
        raise GraphnetsError(
            f"{source} has no signatures, so what goes in and comes out is not known; export it "
            "with one, as model.export(DIR) or tf.saved_model.save(model, DIR, signatures=...) does"
        )
    known = ", ".join(sorted(signatures))
    if named and named not in signatures:
        raise GraphnetsError(f"{source} has no signature {named!r}; wanted one of {known}")
    if not named and SERVED not in signatures and len(signatures) > 1:
        raise GraphnetsError(f"{source} has the signatures {known}; say which with --signature")
    return signatures[named or (SERVED if SERVED in signatures else next(iter(signatures)))]


def _frozen(graph_def: tf.GraphDef, values: _Values, outputs: list[str]) -> tf.GraphDef:
    """The part of the graph that the outputs need, with constants for what reads variables."""
    nodes = by_name(graph_def)
    kept = needed(nodes, outputs)
    result = tf.GraphDef(versions=graph_def.versions)
    for name, node in nodes.items():
        if name not in kept:
            continue
        holder = _holder(nodes, node)
        if name == holder and node.op in REFERENCES or holder and node.op in READS:
            result.node.append(const_node(name, values.of(holder)))
        elif holder is None or nodes[holder].op in REFERENCES:
            result.node.append(_with_defaults(node))
    known = {node.name for node in result.node}
    for node in result.node:  # what waited for a variable
        node.input[:] = [i for i in node.input if i[0] != "^" or i[1:] in known]
    soundness.keep_called(result, graph_def.library)
    return result


def _holder(nodes: Mapping[str, tf.NodeDef], node: tf.NodeDef) -> str | None:
    """The variable that a node is, passes on or reads; None for any other."""
    source = _behind(nodes, node.name, (*READS, *PASSED))
    return node_name(source) if nodes[node_name(source)].op in HOLDERS else None


def _behind(nodes: Mapping[str, tf.NodeDef], tensor: str, passed: tuple[str, ...]) -> str:
    """The tensor that reaches another through ops which pass it on."""
    for _ in range(MOST_PASSED):  # in a function's body, a node could be its own input
        node = nodes[node_name(tensor)]
        if node.op not in passed or not data_inputs(node):
            return tensor
        tensor = node.input[0]
    raise ValueError(f"{tensor} is its own input, or over {MOST_PASSED} ops behind what reads it")


def _with_defaults(node: tf.NodeDef) -> tf.NodeDef:
    """The node with the attributes that SavedModels leave out where they are the usual ones."""
    result = tf.NodeDef()
    result.CopyFrom(node)
    known = op_def_registry.get(node.op)
    for attr in known.attr if known else ():
        if attr.name not in node.attr and attr.HasField("default_value"):
            result.attr[attr.name].CopyFrom(attr.default_value)
    return result


class _Values:
    """The values of a SavedModel's variables, by the names of the nodes that hold them."""

    def __init__(self, graph_def: tf.GraphDef, restore: str, folder: Path) -> None:
        self._folder, self._keys = folder, _keys(graph_def, restore)
        self._reader: Any = None  # opened where it is needed
        self._left = 0  # bytes that may yet be read; one variable may be read by several nodes

    def of(self, holder: str) -> np.ndarray:
        """The value of a variable. Raises GraphnetsError if the files do not have it."""
        if self._reader is None:
            self._reader = self._opened()
        key = self._keys.get(holder)
        if key is None or not self._reader.has_tensor(key):
            raise GraphnetsError(
                f"{self._folder} has no value for its variable {holder}; export the model again"
            )
        value = self._reader.get_tensor(key)
        self._left -= value.nbytes
        if self._left < 0:
            raise ValueError("it reads its variables far more often than it has them")
        return value

    def _opened(self):
        prefix = self._folder / VARIABLES
        try:
            reader = tf.train.load_checkpoint(str(prefix))
            sizes = reader.get_variable_to_shape_map()
            there = sum(path.stat().st_size for path in prefix.parent.glob("variables.data*"))
        except (tf.errors.OpError, ValueError, OSError, RuntimeError, MemoryError) as error:
            raise GraphnetsError(
                f"{prefix} cannot be read: {error}; wanted the variables of the SavedModel"
            ) from None
        numbers = sum(map(math.prod, sizes.values()))
        if numbers > there:
            raise GraphnetsError(f"{prefix} says that it holds more numbers than it has bytes")
        if there > LARGEST:
            raise GraphnetsError(f"{prefix} has {there:,} bytes, wanted {LARGEST:,} at most")
        self._left = 2 * there + soundness.ROOM
        return reader


def _keys(graph_def: tf.GraphDef, restore: str) -> dict[str, str]:
    """{node of a variable: its key in the files}, as the graph's restoring would have it."""
    if not restore:
        return {}
    nodes = by_name(inlined(graph_def, [restore])[0])
    found = {}
    for node in nodes.values():
        if node.op not in ASSIGNS:
            continue
        holder = nodes[node_name(node.input[0])]
        source = _behind(nodes, data_inputs(node)[1], PASSED)
        restored = nodes[node_name(source)]
        if holder.op in HOLDERS and restored.op == "RestoreV2":
            place = int(source.partition(":")[2] or 0)
            slices = constant(nodes, restored.input[2]).ravel()
            if not slices[place]:  # a slice of a variable is told as a missing value
                found[holder.name] = constant(nodes, restored.input[1]).ravel()[place].decode()
    return found
