"""Opening any frozen graph, or SavedModel, as a network."""

from __future__ import annotations

import os

from graphnets.errors import GraphnetsError, check_path
from graphnets.files import sha256
from graphnets.networks import inception, savedmodel
from graphnets.networks.found import find
from graphnets.networks.frozen import read_graph_def
from graphnets.networks.graph import GraphNetwork
from graphnets.networks.network import Network
from graphnets.networks.pictures import PictureOptions
from graphnets.networks.rewriting import modernised

OTHERS = {  # what people have in place of a frozen graph
    ".tflite": "a TensorFlow Lite model: export the model that it was made of",
    ".h5": "Keras's weights or model: load it there and `model.export(DIR)`",
    ".keras": "a Keras model: load it there and `model.export(DIR)`",
    ".onnx": "an ONNX model: export the model that it was made of from TensorFlow",
    ".pth": "PyTorch's weights",
    ".pt": "PyTorch's weights",
    ".pbtxt": "a graph as text: write it in binary, with `as_text=False`",
    ".ckpt": "a checkpoint: freeze its graph, or export a SavedModel",
    ".meta": "a checkpoint's graph: freeze it, or export a SavedModel",
    ".index": "a checkpoint's index: freeze its graph, or export a SavedModel",
}


def opened_graph(
    path: str | os.PathLike[str] | None, options: PictureOptions, to_run: bool = True
) -> Network:
    """The network in a .pb, or in a SavedModel's folder; see `open_network`.

    The Inception file of 2015 is known by its names, and is inception_v3 all the same. With
    to_run=False it may be left open what range of pixels it takes.
    """
    if path is None:
        raise GraphnetsError(
            "the architecture 'graph' wants a file: a .pb or a SavedModel's folder"
        )
    check_path("weights", path)
    check_graph_file(path)
    source = os.fspath(path)
    ends: list[str] = []
    if os.path.isdir(path):
        graph_def, ends = savedmodel.read_saved_model(path, options.signature)
        fingerprint = savedmodel.fingerprint(path)
    elif options.signature:
        raise GraphnetsError(f"a signature is a SavedModel's, and {path} is a file")
    else:
        graph_def, fingerprint = read_graph_def(path), sha256(path)
    graph_def = modernised(graph_def)
    if options == PictureOptions() and inception.is_inception(graph_def):
        return inception.network(graph_def, fingerprint)
    found = find(graph_def, source, options, ends)
    if to_run and found.no_range:
        raise GraphnetsError(found.no_range)
    return GraphNetwork("graph", graph_def, found, f"{fingerprint} {found.describe()}")


def opened_mobilenet(name: str, path: str | os.PathLike[str]) -> Network:
    """A MobileNet v1 (Howard et al. 2017, arXiv 1704.04861) as TF-Slim released it, frozen.

    name: as `places.mobilenet` gives it; its pixels are (x - 127.5) / 127.5, as retrain.py has it.
    """
    check_path("weights", path)
    size = int(name.rpartition("_")[2])
    options = PictureOptions("input", size, size, 127.5, 127.5)
    graph_def = modernised(read_graph_def(path))
    found = find(graph_def, os.fspath(path), options)
    return GraphNetwork(name, graph_def, found, sha256(path), "MobilenetV1", bare=True)


def check_graph_file(path: str | os.PathLike[str]) -> None:
    """Raise GraphnetsError for files of other kinds that people take for frozen graphs."""
    name = os.fspath(path)
    other = next((text for end, text in OTHERS.items() if name.lower().endswith(end)), "")
    if other and not os.path.isdir(path):
        raise GraphnetsError(f"{path} is {other}; wanted a frozen graph, a .pb, or a SavedModel")
