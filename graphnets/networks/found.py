"""What a graph tells of itself: where pictures enter, their size and range, where features are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.networks import soundness
from graphnets.networks.folding import PRODUCTS
from graphnets.networks.nodes import (
    Nodes,
    const_behind,
    consumers,
    data_inputs,
    dependents,
    in_order,
    needed,
    node_name,
    readers,
)
from graphnets.networks.pictures import PictureOptions

PLACEHOLDERS = ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault")
DECODERS = ("DecodeImage", "DecodeJpeg", "DecodePng")
SCALES = ("Add", "AddV2", "Mul", "RealDiv", "Sub")
PASSED = ("Identity", "Pad", "PadV2")
SMALL = 1 / 32  # a graph that scales pixels by less wants them from 0 to 255
RANGES = (
    "--input_mean 127.5 --input_std 127.5 for -1 to 1 (MobileNet, Inception), --input_mean 0 "
    "--input_std 255 for 0 to 1 (TF-Hub), --input_mean 103.939,116.779,123.68 --input_std 1 "
    "--input_channels BGR for Keras's ResNet50 and VGG16"
)


class _Ambiguous(GraphnetsError):
    """A choice that only the user can make."""


class Found(NamedTuple):
    """How pictures enter a graph, and what it gives.

    entry: the tensor that takes float32 (n, height, width, 3), (pixel - mean) / std with pixels
    from 0 to 255, channels "RGB" or "BGR"; size: height, width. endpoint: the tensor of the
    features; problem: why there is none. no_range: why mean and std are empty. head: the node of
    the classifier's product, or "".
    """

    entry: str
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    channels: str
    endpoint: str
    head: str
    problem: str = ""
    no_range: str = ""

    def describe(self) -> str:
        """How pictures enter, for what tells stores of features apart."""
        return f"{self.entry} {self.size} {self.mean} {self.std} {self.channels}"


def find(
    graph_def: tf.GraphDef, source: str, options: PictureOptions, ends: Sequence[str] = ()
) -> Found:
    """What a graph (see `rewriting.modernised`) tells, completed by the options.

    source: its file, for messages. ends: its outputs, where they are known.
    Raises GraphnetsError, with what there is to choose from, where neither tells.
    """
    with soundness.refusing(source), tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
    nodes = {node.name: node for node in graph_def.node}
    shapes = {tensor.name: tensor for op in graph.get_operations() for tensor in op.outputs}
    entry = _entry(nodes, shapes, source, options.input_layer)
    size = _size(nodes, shapes[entry], source, options)
    mean, std, no_range = options.mean, options.std, ""
    if mean is None or std is None:
        mean, std = (0.0,), (1.0,)
        if not _decoders(nodes, entry) and not _scales(nodes, entry):
            mean = std = ()
            no_range = (
                f"{source} does not tell the range of the pixels that {entry} takes; say it, "
                f"{RANGES}"
            )
    endpoint = head = problem = ""
    try:
        endpoint, head = _endpoint(nodes, shapes, source, entry, ends)
    except _Ambiguous as error:
        problem = str(error)
    channels = options.input_channels
    return Found(entry, size, mean, std, channels, endpoint, head, problem, no_range)


def _entry(nodes: Nodes, tensors: Mapping[str, tf.Tensor], source: str, named: str) -> str:
    if named:
        entry = named if ":" in named else f"{named}:0"
        if entry not in tensors:
            raise GraphnetsError(
                f"{source} has no tensor {entry}, the --input_layer; it has "
                f"{_inputs(nodes, tensors)}"
            )
        if not _takes_pictures(tensors[entry]):
            raise GraphnetsError(
                f"{source}: the --input_layer {_told(tensors[entry])} is no float pictures "
                "(n, height, width, 3)"
            )
        return entry
    placeholders = [f"{node.name}:0" for node in nodes.values() if node.op in PLACEHOLDERS]
    found = [name for name in placeholders if _takes_pictures(tensors[name], rank=True)]
    # Where the graph decodes photos itself, pictures enter behind.
    found = found or _resized(nodes, tensors)
    if len(found) == 1:
        return found[0]
    if found:
        raise GraphnetsError(
            f"{source} takes pictures at {', '.join(_told(tensors[name]) for name in found)}; say "
            "which with --input_layer"
        )
    raise GraphnetsError(
        f"{source} has no input of float pictures (n, height, width, 3); it has "
        f"{_inputs(nodes, tensors)}: name a tensor behind with --input_layer, or another graph"
    )


def _takes_pictures(tensor: tf.Tensor, rank: bool = False) -> bool:
    known = tensor.shape.rank == 4 or not rank
    return (
        tensor.dtype == tf.float32 and known and tensor.shape.is_compatible_with([None] * 3 + [3])
    )


def _resized(nodes: Nodes, tensors: Mapping[str, tf.Tensor]) -> list[str]:
    """The pictures of a fixed size that a graph makes of a photo's bytes."""
    decoders = [node.name for node in nodes.values() if node.op in DECODERS]
    behind = dependents(nodes, decoders)
    return [
        f"{name}:0"
        for name in in_order(nodes)
        if name in behind
        and nodes[name].op.startswith("Resize")
        and _takes_pictures(tensors[f"{name}:0"], rank=True)
    ]


def _decoders(nodes: Nodes, entry: str) -> list[str]:
    return [name for name in needed(nodes, [entry]) if nodes[name].op in DECODERS]


def _told(tensor: tf.Tensor) -> str:
    shape = "?" if tensor.shape.rank is None else tuple(tensor.shape.as_list())
    return f"{tensor.name} {tensor.dtype.name} {shape}"


def _inputs(nodes: Nodes, tensors: Mapping[str, tf.Tensor]) -> str:
    named = [node.name for node in nodes.values() if node.op in PLACEHOLDERS]
    return ", ".join(_told(tensors[f"{name}:0"]) for name in named) or "no placeholder"


def _size(nodes: Nodes, tensor: tf.Tensor, source: str, options: PictureOptions) -> tuple[int, int]:
    known = tensor.shape.as_list()[1:3] if tensor.shape.rank else [None, None]
    sizes: list[int] = []
    for name, has, given in zip(
        ("height", "width"), known, (options.input_height, options.input_width), strict=True
    ):
        if has is None and given is None:
            raise GraphnetsError(
                f"{source} takes pictures of any {name} at {tensor.name}; say --input_height and "
                "--input_width, those that it was trained on"
            )
        if has is not None and given not in (None, has):
            raise GraphnetsError(
                f"{source} takes pictures of the {name} {has} at {tensor.name}, not {given}"
            )
        sizes.append(has or given or 0)
    return sizes[0], sizes[1]


def _scales(nodes: Nodes, entry: str) -> bool:
    """Whether the graph itself scales pixels from 0 to 255, right behind where they enter."""
    reading = readers(nodes)
    name, scale = node_name(entry), 1.0
    while len(following := reading[name]) == 1 and following[0].op in (*SCALES, *PASSED):
        node = following[0]
        others = [const_behind(nodes, i) for i in data_inputs(node) if node_name(i) != name]
        if node.op in SCALES:
            if len(others) != 1 or others[0] is None:
                break
            value = float(np.abs(tf.make_ndarray(others[0].attr["value"].tensor)).mean())
            scale *= value if node.op == "Mul" else 1.0
            scale /= value if node.op == "RealDiv" and value else 1.0
        name = node.name
    return scale < SMALL


def _endpoint(
    nodes: Nodes, tensors: Mapping[str, tf.Tensor], source: str, entry: str, ends: Sequence[str]
) -> tuple[str, str]:
    """The last features before the classifier's product, and that product ("": there is none)."""
    reached = dependents(nodes, [node_name(entry)])
    order = [name for name in in_order(nodes) if name in reached]
    outputs = [node_name(end) for end in ends] or _sinks(nodes, order)
    detectors = sorted({nodes[n].op for n in reached if nodes[n].op.startswith("NonMaxSuppress")})
    if detectors:
        raise GraphnetsError(
            f"{source} finds objects (it has {detectors[0]}), and no features of the whole picture "
            "lead to it; wanted a graph that classifies pictures, or their features"
        )
    products_behind = _last_products(nodes, order)
    last = {output: products_behind.get(output, "") for output in outputs}
    products = set(last.values()) - {""}
    if not products:
        raise GraphnetsError(
            f"{source} has no convolution or product behind {entry}; wanted a network"
        )
    if len(products) > 1:
        raise _Ambiguous(
            f"{source} has several outputs, {', '.join(outputs)}; say which features you want with "
            "--endpoint, one or more tensors"
        )
    (product,) = products
    features = node_name(nodes[product].input[0])
    if nodes[product].op == "MatMul" and tensors[f"{features}:0"].shape.rank == 2:
        return f"{features}:0", product
    if nodes[product].op == "Conv2D" and tensors[f"{features}:0"].shape.as_list()[1:3] == [1, 1]:
        return f"{features}:0", product
    return _last_features(tensors, [name for name in outputs if last[name]]), ""


def _last_products(nodes: Nodes, order: Sequence[str]) -> dict[str, str]:
    """{node: the last product in the order that it depends on, or is}, of those that have one."""
    places = {name: place for place, name in enumerate(order)}
    found: dict[str, str] = {}
    for name in order:
        inputs = [found[i] for i in map(node_name, nodes[name].input) if i in found]
        own = [name] if nodes[name].op in PRODUCTS else []
        if last := max([*own, *inputs], key=places.__getitem__, default=""):
            found[name] = last
    return found


def _last_features(tensors: Mapping[str, tf.Tensor], outputs: Sequence[str]) -> str:
    good = [name for name in outputs if tensors[f"{name}:0"].shape.rank in (2, 4)]
    return f"{(good or outputs)[-1]}:0"


def _sinks(nodes: Nodes, order: Sequence[str]) -> list[str]:
    """The nodes that nobody reads, and that compute something."""
    reading = consumers(nodes)
    return [name for name in order if not reading[name] and nodes[name].op != "Identity"]
