"""The frozen Inception v3 of 2015-12-05 (`classify_image_graph_def.pb`), by its tensor names.

The file is Szegedy et al. 2015 (arXiv 1512.00567) as released with TensorFlow; names and shapes
of its 94 convolutions are those of the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_flag, check_names, check_path
from graphnets.networks import frozen, soundness, unfreeze
from graphnets.networks.declared import without
from graphnets.networks.network import (
    Cut,
    Endpoints,
    LayerInfo,
    Network,
    Trainable,
    float_images,
    unknown,
)
from graphnets.weights.places import weight_file

RESIZED = "ResizeBilinear"  # float32 (n, 299, 299, 3), RGB, 0 to 255
BOTTLENECK = "pool_3/_reshape:0"
HEAD = "softmax"
KINDS = {
    "Relu": "conv",
    "MaxPool": "max_pool",
    "AvgPool": "avg_pool",
    "ConcatV2": "concat",
    "Reshape": "reshape",
    "BiasAdd": "fc",
    "Add": "fc",
    "Softmax": "softmax",
}


def inception_graph_def(path: str | os.PathLike[str]) -> tf.GraphDef:
    """Read the frozen Inception v3, rewritten so that batches go through and fast.

    Give it to `tf.import_graph_def`; the names are the file's: feed one JPEG's bytes to
    `DecodeJpeg/contents:0` (scalar string), or a batch to `ResizeBilinear:0` (float32
    (n, 299, 299, 3), RGB, 0 to 255) or `Mul:0` (the same, (pixel - 128) / 128), and fetch
    `pool_3/_reshape:0` ((n, 2048)), `mixed_7/join:0` ((n, 17, 17, 768)), `softmax:0` ...
    Batch norm is folded into the convolutions, so what lies between a convolution and its
    batch norm (`NAME/Conv2D:0`) is scaled; every layer's output equals the file's.

    Raises GraphnetsError if the file is not that graph.
    """
    graph_def = frozen.modernised(frozen.read_graph_def(path))
    _check_graph(graph_def, path)
    return graph_def


def _check_graph(graph_def: tf.GraphDef, source: str | os.PathLike[str]) -> None:
    names = {node.name for node in graph_def.node}
    wanted = ("DecodeJpeg/contents", RESIZED, f"{RESIZED}/size", "Mul", "pool_3/_reshape")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise GraphnetsError(
            f"{source} has no {', '.join(missing)}; wanted the Inception v3 graph of 2015-12-05, "
            "classify_image_graph_def.pb (inception5h.zip holds another network)"
        )
    _size(graph_def)


def Inception(images: tf.Tensor, feature_extract: bool = False, **options) -> tf.Tensor:
    """Add the frozen Inception v3 to the default graph.

    Returns float32 (n, 1008), each row sums to 1, in the order of
    `graphnets.inception_names`; or with feature_extract=True the bottleneck
    `pool_3/_reshape`, (n, 2048). The arguments and what is raised are those of
    `inception_endpoints`.
    """
    check_flag("feature_extract", feature_extract)
    endpoints = inception_endpoints(images, **options)
    return endpoints["pool_3/_reshape" if feature_extract else "softmax"]


def inception_endpoints(
    images: tf.Tensor,
    weights: str | os.PathLike[str] | tf.GraphDef | None = None,
    preprocess: bool = True,
) -> Endpoints:
    """Add the frozen Inception v3 to the default graph and return its layers by their names.

    images: any floats (n, height, width, 3), RGB, 0 to 255, resized in the graph (bilinear) unless
    they are 299 x 299; with preprocess=False 299 x 299, (pixel - 128) / 128: of any other size, the
    graph stops when it runs.
    weights: the .pb file, what `inception_graph_def` returned, or None for the file where
    `graphnets fetch inception_v3` puts it.

    Returns "conv" to "softmax", in order; each call adds a graph of its own, `Inception/conv` ...
    Raises GraphnetsError for images that do not fit and files that are not that graph.
    """
    images = float_images("Inception", images)
    check_flag("preprocess", preprocess)
    graph_def = weights
    if isinstance(graph_def, tf.GraphDef):
        _check_graph(graph_def, "weights")
        if any(node.op == "BatchNormWithGlobalNormalization" for node in graph_def.node):
            raise GraphnetsError(
                "weights is the graph as its file has it, with ops of 2015; wanted what "
                "graphnets.inception_graph_def(file) gives"
            )
    else:
        if weights is not None:
            check_path("weights", weights, "a .pb file, what inception_graph_def returned, or None")
        graph_def = inception_graph_def(weights or weight_file("inception_v3"))
    size = _size(graph_def)
    if not preprocess:
        images, entry = _of_size(images, size, " where preprocess=False"), "Mul:0"
    else:
        entry = f"{RESIZED}:0" if images.shape.as_list()[1:3] == [*size] else "ExpandDims:0"
    names = [node.name for node in graph_def.node if _kind(node.name, node.op)]
    tensors = soundness.imported(
        graph_def, {entry: images}, [f"{name}:0" for name in names], "Inception"
    )
    return Endpoints(zip(names, tensors, strict=True))


def network(graph_def: tf.GraphDef, fingerprint: str) -> Network:
    """Inception v3 from what `inception_graph_def` returned."""
    return InceptionNetwork(graph_def, fingerprint)


class InceptionNetwork(Network):
    """The frozen Inception v3, whose layers can be un-frozen by name.

    A layer that trains has its weights and its bias, into which batch norm is folded.
    """

    def __init__(self, graph_def: tf.GraphDef, fingerprint: str) -> None:
        self.name, self.size = "inception_v3", _size(graph_def)
        self.default_endpoint, self.fingerprint = BOTTLENECK, fingerprint
        self._graph_def = graph_def
        self._nodes = unfreeze.by_name(graph_def)
        kinds = {name: _kind(name, node.op) for name, node in self._nodes.items()}
        self._kinds = {name: kind for name, kind in kinds.items() if kind}
        self._parameters = {
            name: _parameters(self._nodes, name) if kind in ("conv", "fc") else []
            for name, kind in self._kinds.items()
        }

    def build(
        self, x: tf.Tensor, names: Sequence[str], after: str = "", trainable: Sequence[str] = ()
    ) -> Endpoints:
        """See `Network.build`; the scope is "Inception", "Inception_1" ...

        As a whole and frozen, the network keeps the file's names, `mixed_7/join:0`, where the
        default graph does not have them yet.
        """
        x = x if after else _of_size(x, self.size)
        entry = self._checked(after or RESIZED)
        wanted = [self._checked(name) for name in check_names("names", names)]
        if after and RESIZED in unfreeze.needed(self._nodes, wanted, {entry}):
            raise GraphnetsError(
                f"{', '.join(names)} cannot be computed from {after} alone; name endpoints all "
                "whose paths lead through it, or an earlier one to begin behind"
            )
        parameters: list[str] = []
        for layer in trainable:
            if not self._parameters.get(layer):
                raise unknown("layer to train", layer, self._learning())
            parameters += self._parameters[layer]
        scope = "Inception" if after or parameters else ""
        tensors = unfreeze.import_unfrozen(self._graph_def, parameters, {entry: x}, wanted, scope)
        return Endpoints(zip(names, tensors, strict=True))

    def layers(self) -> list[LayerInfo]:
        """See `Network.layers`."""
        with tf.Graph().as_default():
            endpoints = self.build(
                tf.placeholder(tf.float32, [None, *self.size, 3]), [*self._kinds]
            )
        return [
            LayerInfo(
                name,
                kind,
                tuple(endpoints[name].shape.as_list()),
                tuple(self.parameter(parameter).shape for parameter in self._parameters[name]),
            )
            for name, kind in self._kinds.items()
        ]

    def cut(self, names: Sequence[str], trainable: Trainable) -> Cut:
        """See `Network.cut`; layers are also chosen by what they lie under, and by shell patterns.

        "mixed_10" is for all layers under it, "mixed_9:" for those and all behind the first of
        them, in the order of `layers`, "mixed_?/tower*" for those that it matches.
        """
        ends = {n: frozen.node_name(self._checked(n)) for n in check_names("names", names)}
        chosen = self._chosen(unfreeze.needed(self._nodes, ends.values()), trainable)
        if not chosen:
            order = list(self._nodes)
            return Cut(max(ends.values(), key=order.index, default=""), [], [])
        parameters = [parameter for layer in chosen for parameter in self._parameters[layer]]
        trained = unfreeze.dependents(self._nodes, parameters)
        behind = [name for name, end in ends.items() if end in trained]
        before = ""
        for name in self._kinds:
            if name not in trained and RESIZED not in unfreeze.needed(
                self._nodes, [ends[name] for name in behind], {f"{name}:0"}
            ):
                before = name  # the layers for which this holds follow on each other
        return Cut(before, chosen, behind)

    def parameter(self, name: str) -> np.ndarray:
        """See `Network.parameter`; a parameter is a Const of the graph."""
        if name not in self._nodes:
            parameters = (parameter for layer in self._parameters.values() for parameter in layer)
            raise unknown("parameter", name, list(parameters))
        return frozen.constant(self._nodes, name)

    def tuned(self, values: Mapping[str, np.ndarray]) -> Network:
        """See `Network.tuned`."""
        graph_def = unfreeze.with_values(self._graph_def, values)
        tuned = InceptionNetwork(graph_def, f"{self.fingerprint}, fine-tuned")
        return tuned.computing_in(self.precision)

    def _checked(self, name: str) -> str:
        """The name of a tensor, with its ":0"."""
        tensor = unfreeze.full_name(name)
        node = frozen.node_name(tensor)
        if node not in self._nodes or tensor != f"{node}:0":
            layers = ", ".join(layer for layer, kind in self._kinds.items() if kind != "conv")
            raise GraphnetsError(
                f"no endpoint {tensor!r}; wanted a tensor of the graph, such as {layers}"
            )
        return tensor

    def _learning(self) -> list[str]:
        return [name for name, parameters in self._parameters.items() if parameters]

    def _chosen(self, needed: set[str], trainable: Trainable) -> list[str]:
        """The layers to train among the nodes needed, in their order."""
        built = [name for name in self._learning() if name in needed]
        trainable = without(HEAD, trainable)
        if isinstance(trainable, bool) or list(trainable) == ["all"]:
            return built if trainable else []
        names = list(self._kinds)
        chosen: set[str] = set()
        for pattern in filter(None, trainable):
            first = pattern.removesuffix(":")
            found = [name for name in names if unfreeze.matches(name, first)]
            if not found:
                raise unknown("layer", first, names)
            if pattern.endswith(":"):
                found = names[names.index(found[0]) :]
            if not set(found) & set(built):
                raise GraphnetsError(
                    f"the layer {pattern!r} cannot train: it has no parameters, or no endpoint "
                    f"asked for depends on it; wanted among {', '.join(built) or 'none'}"
                )
            chosen.update(found)
        return [name for name in built if name in chosen]


def _of_size(images: tf.Tensor, size: tuple[int, int], where: str = "") -> tf.Tensor:
    """The images; GraphnetsError if they are of another size, or TensorFlow's when they run."""
    shape = [None, *size, 3]
    if not images.shape.is_compatible_with(shape):
        raise GraphnetsError(
            f"Inception got images of the shape {images.shape}, wanted {size[0]} x {size[1]}{where}"
        )
    return images if images.shape[1:].is_fully_defined() else tf.ensure_shape(images, shape)


def _size(graph_def: tf.GraphDef) -> tuple[int, int]:
    """The height and width that the graph resizes pictures to. Raises GraphnetsError for none."""
    nodes = unfreeze.by_name(graph_def)
    sizes = frozen.constant(nodes, f"{RESIZED}/size") if f"{RESIZED}/size" in nodes else None
    if sizes is None or sizes.shape != (2,) or sizes.dtype != np.int32 or sizes.min() < 1:
        raise GraphnetsError(
            f"the graph's {RESIZED}/size is {sizes}, wanted the height and width of Inception's "
            "pictures, as in classify_image_graph_def.pb"
        )
    return int(sizes[0]), int(sizes[1])


def _kind(name: str, op: str) -> str | None:
    """What a layer of that op is called; None for what is no layer's end."""
    return None if name.endswith("/batchnorm") else KINDS.get(op)


def _parameters(nodes: unfreeze.Nodes, name: str) -> list[str]:
    """The Consts of the convolution or product that a node is the end of: weights, bias."""
    found: list[str] = []
    node = nodes[name]
    seen = set()  # a loop goes in circles
    while node.name not in seen and (inputs := frozen.data_inputs(node)):
        seen.add(node.name)
        if node.op in ("Conv2D", "MatMul", "BiasAdd", "Add"):
            const = unfreeze.const_behind(nodes, inputs[1])
            found[:0] = [const.name] if const is not None else []
        if node.op in ("Conv2D", "MatMul"):
            return found
        node = nodes[frozen.node_name(inputs[0])]
    return []
