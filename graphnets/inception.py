"""The frozen Inception v3 of 2015-12-05 (`classify_image_graph_def.pb`), by its tensor names.

The file is Szegedy et al. 2015 (arXiv 1512.00567) as released with TensorFlow; names and shapes
of its 94 convolutions are those of the file.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import tensorflow.compat.v1 as tf

from graphnets import frozen
from graphnets.errors import GraphnetsError
from graphnets.network import Endpoints, LayerInfo, Network, float_images
from graphnets.weights import default_file

RESIZED = "ResizeBilinear"  # float32 (n, 299, 299, 3), RGB, 0 to 255
BOTTLENECK = "pool_3/_reshape:0"
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
    names = {node.name for node in graph_def.node}
    wanted = ("DecodeJpeg/contents", RESIZED, f"{RESIZED}/size", "Mul", "pool_3/_reshape")
    missing = [name for name in wanted if name not in names]
    if missing:
        raise GraphnetsError(
            f"{path} has no {', '.join(missing)}; wanted the Inception v3 graph of 2015-12-05, "
            "classify_image_graph_def.pb (inception5h.zip holds another network)"
        )
    return graph_def


def Inception(images: tf.Tensor, feature_extract: bool = False, **options) -> tf.Tensor:
    """Add the frozen Inception v3 to the default graph.

    Returns float32 (n, 1008), each row sums to 1, in the order of
    `graphnets.names.imagenet_inception_2015`; or with feature_extract=True the bottleneck
    `pool_3/_reshape`, (n, 2048). The arguments and what is raised are those of
    `inception_endpoints`.
    """
    endpoints = inception_endpoints(images, **options)
    return endpoints["pool_3/_reshape" if feature_extract else "softmax"]


def inception_endpoints(
    images: tf.Tensor,
    weights: str | os.PathLike[str] | tf.GraphDef | None = None,
    preprocess: bool = True,
) -> Endpoints:
    """Add the frozen Inception v3 to the default graph and return its layers by their names.

    images: any floats (n, height, width, 3), RGB, 0 to 255, resized in the graph (bilinear) unless
    they are 299 x 299; with preprocess=False 299 x 299, (pixel - 128) / 128.
    weights: the .pb file, what `inception_graph_def` returned, or None for the file where
    `graphnets fetch inception_v3` puts it.

    Returns "conv" to "softmax", in order; each call adds a graph of its own, `Inception/conv` ...
    Raises GraphnetsError for images that do not fit and files that are not that graph.
    """
    graph_def = weights
    if not isinstance(graph_def, tf.GraphDef):
        graph_def = inception_graph_def(weights or default_file("inception_v3"))
    images = float_images("Inception", images)
    size = _size(graph_def)
    if not preprocess:
        if not images.shape[1:3].is_compatible_with(size):
            raise GraphnetsError(
                f"Inception got images of the shape {images.shape}, wanted {size[0]} x {size[1]} "
                "where preprocess=False"
            )
        entry = "Mul:0"
    else:
        entry = f"{RESIZED}:0" if images.shape.as_list()[1:3] == [*size] else "ExpandDims:0"
    names = [node.name for node in graph_def.node if _kind(node.name, node.op)]
    tensors = tf.import_graph_def(
        graph_def, {entry: images}, [f"{name}:0" for name in names], name="Inception"
    )
    return Endpoints(zip(names, tensors, strict=True))


def network(graph_def: tf.GraphDef, fingerprint: str) -> Network:
    """Inception v3 from what `inception_graph_def` returned."""
    size = _size(graph_def)

    def build(images: tf.Tensor, wanted: Sequence[str]) -> Endpoints:
        names = [name if ":" in name else f"{name}:0" for name in wanted]
        known = {node.name for node in graph_def.node}
        for name in names:
            if name.rpartition(":")[0] not in known or not name.endswith(":0"):
                layers_ = ", ".join(layer.name for layer in layers() if layer.kind != "conv")
                raise GraphnetsError(
                    f"no endpoint {name!r}; wanted a tensor of the graph, such as {layers_}"
                )
        tensors = tf.import_graph_def(
            graph_def, input_map={f"{RESIZED}:0": images}, return_elements=names, name=""
        )
        return Endpoints(zip(wanted, tensors, strict=True))

    def layers() -> list[LayerInfo]:
        return _layers(graph_def, size)

    return Network("inception_v3", size, BOTTLENECK, fingerprint, build, layers)


def _size(graph_def: tf.GraphDef) -> tuple[int, int]:
    """The height and width that the graph resizes pictures to."""
    nodes = {node.name: node for node in graph_def.node}
    height, width = tf.make_ndarray(nodes[f"{RESIZED}/size"].attr["value"].tensor)
    return int(height), int(width)


def _kind(name: str, op: str) -> str | None:
    """What a layer of that op is called; None for what is no layer's end."""
    return None if name.endswith("/batchnorm") else KINDS.get(op)


def _layers(graph_def: tf.GraphDef, size: tuple[int, int]) -> list[LayerInfo]:
    with tf.Graph().as_default() as graph:
        images = tf.placeholder(tf.float32, [None, *size, 3])
        tf.import_graph_def(graph_def, input_map={f"{RESIZED}:0": images}, name="")
        found = []
        for node in graph_def.node:
            op = graph.get_operation_by_name(node.name)
            kind = _kind(op.name, op.type)
            if kind is not None:
                own = _parameter_shapes(op) if kind in ("conv", "fc") else ()
                found.append(LayerInfo(op.name, kind, tuple(op.outputs[0].shape.as_list()), own))
    return found


def _parameter_shapes(op: tf.Operation) -> tuple[tuple[int, ...], ...]:
    """The weights and biases of the convolution or product that `op` is the end of."""
    shapes: list[tuple[int, ...]] = []
    while op.inputs:
        if op.type in ("Conv2D", "MatMul", "BiasAdd", "Add"):
            shapes.insert(0, tuple(op.inputs[1].shape.as_list()))
        if op.type in ("Conv2D", "MatMul"):
            return tuple(shapes)
        op = op.inputs[0].op
    return ()
