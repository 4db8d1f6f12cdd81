"""The frozen Inception v3 of 2015-12-05 (`classify_image_graph_def.pb`), by its tensor names.

The file is Szegedy et al. 2015 (arXiv 1512.00567) as released with TensorFlow; names and shapes
of its 94 convolutions are those of the file.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError, check_flag, check_path
from graphnets.networks import soundness
from graphnets.networks.folding import OLD, PRODUCTS
from graphnets.networks.found import Found
from graphnets.networks.frozen import read_graph_def
from graphnets.networks.graph import GraphNetwork, of_size
from graphnets.networks.layering import parts
from graphnets.networks.network import Endpoints, Network, float_images
from graphnets.networks.nodes import by_name, constant, dependents, node_name
from graphnets.networks.rewriting import modernised
from graphnets.weights.places import weight_file

RESIZED = "ResizeBilinear"  # float32 (n, 299, 299, 3), RGB, 0 to 255
BOTTLENECK = "pool_3/_reshape:0"


def inception_graph_def(path: str | os.PathLike[str]) -> tf.GraphDef:
    """Read the frozen Inception v3, rewritten so that batches go through and fast.

    Give it to `tf.import_graph_def`; the names are the file's: feed one JPEG's bytes to
    `DecodeJpeg/contents:0` (scalar string), or a batch to `ResizeBilinear:0` (float32
    (n, 299, 299, 3), RGB, 0 to 255) or `Mul:0` (the same, (pixel - 128) / 128), and fetch
    `pool_3/_reshape:0` ((n, 2048)), `mixed_7/join:0` ((n, 17, 17, 768)), `softmax:0` ...
    Batch norm is folded into the convolutions, so what lies between a convolution and its
    batch norm (`NAME/Conv2D:0`) is scaled; every layer's output equals the file's.

    Raises GraphnetsError if the file is not that graph.

    >>> graph_def = graphnets.inception_graph_def(graphnets.weight_file("inception_v3"))
    >>> with tf.Graph().as_default(), tf.Session() as session:
    ...     [bottleneck] = tf.import_graph_def(graph_def, {}, ["pool_3/_reshape:0"], name="")
    ...     photo = open("signs/14_stop/00000.jpg", "rb").read()
    ...     rows = session.run(bottleneck, {"DecodeJpeg/contents:0": photo})
    >>> len(rows)
    1
    """
    graph_def = modernised(read_graph_def(path))
    _check_graph(graph_def, path)
    return graph_def


def _check_graph(graph_def: tf.GraphDef, source: str | os.PathLike[str]) -> None:
    if missing := _missing(graph_def):
        raise GraphnetsError(
            f"{source} has no {', '.join(missing)}; wanted the Inception v3 graph of 2015-12-05, "
            "classify_image_graph_def.pb (inception5h.zip holds another network): another graph "
            "goes with --architecture graph"
        )
    _size(graph_def)


def Inception(images: tf.Tensor, feature_extract: bool = False, **options: Any) -> tf.Tensor:
    """Add the frozen Inception v3 to the default graph.

    Returns float32 (n, 1008), each row sums to 1, in the order of
    `graphnets.inception_names`; or with feature_extract=True the bottleneck
    `pool_3/_reshape`, (n, 2048). The arguments and what is raised are those of
    `inception_endpoints`.

    >>> with tf.Graph().as_default():
    ...     images = tf.placeholder(tf.float32, (None, 240, 320, 3))
    ...     bottleneck = graphnets.Inception(images, feature_extract=True)
    >>> bottleneck.op.name
    'Inception/pool_3/_reshape'
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

    >>> with tf.Graph().as_default():
    ...     layers = graphnets.inception_endpoints(tf.placeholder(tf.float32, (None, 240, 320, 3)))
    >>> list(layers)[0], list(layers)[-1]
    ('conv', 'softmax')
    """
    images = float_images("Inception", images)
    check_flag("preprocess", preprocess)
    graph_def = weights
    if isinstance(graph_def, tf.GraphDef):
        _check_graph(graph_def, "weights")
        if any(node.op == OLD for node in graph_def.node):
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
        images, entry = of_size("Inception", images, size, " where preprocess=False"), "Mul:0"
    else:
        entry = f"{RESIZED}:0" if images.shape.as_list()[1:3] == [*size] else "ExpandDims:0"
    names = [*parts(by_name(graph_def), [node.name for node in graph_def.node], RESIZED)]
    tensors = soundness.imported(
        graph_def, {entry: images}, [f"{name}:0" for name in names], "Inception"
    )
    return Endpoints(zip(names, tensors, strict=True))


def network(graph_def: tf.GraphDef, fingerprint: str) -> Network:
    """Inception v3 from what `inception_graph_def` returned."""
    nodes = by_name(graph_def)
    behind = dependents(nodes, [node_name(BOTTLENECK)])
    # One that retrain.py wrote has a head of its own.
    head = next((name for name in nodes if name in behind and nodes[name].op in PRODUCTS), "")
    found = Found(f"{RESIZED}:0", _size(graph_def), (0.0,), (1.0,), "RGB", BOTTLENECK, head)
    return GraphNetwork("inception_v3", graph_def, found, fingerprint, "Inception", bare=True)


def is_inception(graph_def: tf.GraphDef) -> bool:
    """Whether the graph has the names of the file of 2015."""
    return not _missing(graph_def)


def _missing(graph_def: tf.GraphDef) -> list[str]:
    names = {node.name for node in graph_def.node}
    wanted = ("DecodeJpeg/contents", RESIZED, f"{RESIZED}/size", "Mul", "pool_3/_reshape")
    return [name for name in wanted if name not in names]


def _size(graph_def: tf.GraphDef) -> tuple[int, int]:
    """The height and width that the graph resizes pictures to. Raises GraphnetsError for none."""
    nodes = by_name(graph_def)
    sizes = constant(nodes, f"{RESIZED}/size") if f"{RESIZED}/size" in nodes else None
    if sizes is None or sizes.shape != (2,) or sizes.dtype != np.int32 or sizes.min() < 1:
        raise GraphnetsError(
            f"the graph's {RESIZED}/size is {sizes}, wanted the height and width of Inception's "
            "pictures, as in classify_image_graph_def.pb"
        )
    return int(sizes[0]), int(sizes[1])
