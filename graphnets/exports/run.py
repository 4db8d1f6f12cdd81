"""The folder of a run: its graph, its labels, its photos."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

from graphnets.classifier import export
from graphnets.classifier.options import INPUT
from graphnets.classifier.predict import read_labels
from graphnets.classifier.predictions import read_rules
from graphnets.classifier.run_files import GRAPH, LABELS, PHOTOS, read_photos
from graphnets.errors import GraphnetsError, PhotoError, shown
from graphnets.networks import soundness
from graphnets.networks.frozen import read_graph_def
from graphnets.networks.nodes import by_name, needed
from graphnets.photos import images
from graphnets.photos.labels import parts
from graphnets.photos.reading import ahead, pixel_reader
from graphnets.sessions import Session

IMAGE, SCORES = "image", "scores"
IN_HAND = 4  # photos that are decoded ahead; each may have many pixels


class Run(NamedTuple):
    """What `retrain` left in a folder.

    size: height and width of the pictures that the network takes. outputs: {what it is called in an
    export: tensor of the graph}. thresholds: from which score on each class is named, None where a
    photo has one label; unknown_above likewise of `unknown_score`.
    """

    folder: Path
    graph_def: tf.GraphDef
    labels: list[str]
    photos: pd.DataFrame
    size: tuple[int, int]
    outputs: dict[str, str]
    thresholds: list[float] | None
    unknown_above: float | None

    def paths(self, split: str) -> list[str]:
        """Of the photos of a split, "training" or "testing", that the run could read."""
        chosen = self.photos[self.photos.split == split]
        return [os.path.join(self.folder, path) for path in chosen.path]


class Photo(NamedTuple):
    """A photo as the exports take it: bytes for a graph, and uint8 (height, width, 3) of them."""

    path: str
    contents: bytes
    pixels: np.ndarray


def read_run(folder: str | os.PathLike[str], output: str) -> Run:
    """Read the folder. Raises GraphnetsError for one that `retrain` has not written."""
    folder = Path(folder)
    for name in (GRAPH, LABELS, PHOTOS):
        if not (folder / name).is_file():
            raise GraphnetsError(
                f"{folder} has no {name}; wanted the --output_dir of a `graphnets retrain`"
            )
    source = shown(folder / GRAPH)
    graph_def = read_graph_def(folder / GRAPH)
    labels = read_labels(folder / LABELS)
    with tf.Graph().as_default() as graph:
        soundness.imported(graph_def, {}, [], "", source)
        size = _size(graph, output, len(labels), source)
        rules = read_rules(graph, labels, source)
    there = {node.name for node in graph_def.node}
    more = {key: f"{name}:0" for key, name in export.SERVED.items() if name in there}
    more.pop("thresholds", None)
    thresholds = None if rules.thresholds is None else [float(limit) for limit in rules.thresholds]
    photos = _photos(folder / PHOTOS)
    outputs = {SCORES: f"{output}:0", **more}
    return Run(folder, graph_def, labels, photos, size, outputs, thresholds, rules.unknown_above)


def _size(graph: tf.Graph, output: str, classes: int, source: str) -> tuple[int, int]:
    try:
        graph.get_tensor_by_name(f"{INPUT}:0")
        resized = graph.get_tensor_by_name(f"{export.RESIZED}:0")
        scores = graph.get_tensor_by_name(f"{output}:0")
    except (KeyError, ValueError) as error:
        raise GraphnetsError(
            f"{source} is no graph of `graphnets retrain`, or has another output: "
            f"{' '.join(str(error).split())}; wanted one, and its --final_tensor_name as "
            "--output_layer"
        ) from None
    shape = resized.shape.as_list() if resized.shape.rank == 4 else [0]
    if resized.op.type != "PlaceholderWithDefault" or shape[3:] != [3] or not all(shape[1:3]):
        raise GraphnetsError(
            f"{source} has {export.RESIZED} {resized.shape}, wanted where pictures can be fed"
        )
    if not scores.shape.is_compatible_with([None, classes]) or not scores.dtype.is_floating:
        raise GraphnetsError(
            f"{source} has {output} {scores.dtype.name} {scores.shape} and {classes} labels; "
            "wanted a score for each, and the graph and labels of one run"
        )
    return shape[1], shape[2]


def _photos(path: Path) -> pd.DataFrame:
    try:
        table = read_photos(path)[["path", "label", "split", "problem"]]
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise GraphnetsError(
            f"{path} cannot be read ({reason}); wanted a run's own photos.csv"
        ) from None
    return table[table.problem == ""]


def picture_graph(run: Run, dtype: tf.DType = tf.uint8, batch: int | None = None) -> tf.GraphDef:
    """The run's graph from pictures on, without what decodes photos.

    `image:0`, of the dtype, is (batch, height, width, 3), RGB, 0 to 255, of any height and width:
    resizing and preprocessing are inside, by the ops of the whole graph. The outputs have the names
    of `run.outputs`.
    """
    with tf.Graph().as_default() as graph:
        image = tf.placeholder(dtype, [batch, None, None, 3], IMAGE)
        # As a float first, which TFLite's resizing wants; the values are the same.
        resized = tf.raw_ops.ResizeBilinear(images=tf.cast(image, tf.float32), size=run.size)
        found = soundness.imported(
            run.graph_def, {f"{export.RESIZED}:0": resized}, list(run.outputs.values()),
            "classifier", shown(run.folder / GRAPH),
        )  # fmt: skip
        for name, tensor in zip(run.outputs, found, strict=True):
            tf.identity(tensor, name)
        return without_others(graph.as_graph_def(), list(run.outputs))


def without_others(
    graph_def: tf.GraphDef, outputs: Sequence[str], given: Sequence[str] = ()
) -> tf.GraphDef:
    """The nodes that the outputs need, but not those behind the tensors `given`."""
    kept = needed(by_name(graph_def), outputs, given)
    result = tf.GraphDef(versions=graph_def.versions, library=graph_def.library)
    result.node.extend(node for node in graph_def.node if node.name in kept)
    return result


def each_photo(paths: Sequence[str]) -> Iterator[Photo]:
    """The photos, decoded as the graph does; those that cannot be read are passed by."""
    with tf.Graph().as_default() as graph, Session(graph=graph) as session:
        read = partial(_read, pixel_reader(session))
        for _, photo in ahead(paths, read, IN_HAND):
            try:
                yield photo()
            except PhotoError:
                continue


def _read(pixels, path: str) -> Photo:
    with images.opened(path) as data:
        contents = images.contents(data)
        return Photo(path, contents, pixels(contents))


def spread(paths: Sequence[str], count: int | None) -> list[str]:
    """So many of the paths, at even distances; all of them for None."""
    if count is None or count >= len(paths):
        return list(paths)
    return [paths[number * len(paths) // count] for number in range(count)]


def named(run: Run, scores: np.ndarray) -> tuple[str, ...]:
    """The labels that scores (classes,) name: the likeliest one, or all that are above."""
    if run.thresholds is None:
        return (run.labels[int(np.argmax(scores))],)
    limits = np.array(run.thresholds, np.float32)
    return tuple(label for label, on in zip(run.labels, scores >= limits, strict=True) if on)


def true_labels(run: Run, label: str) -> tuple[str, ...]:
    """Those of a photo, from the text that its table has, in the order of `named`."""
    if run.thresholds is None:
        return (label,)
    own = parts(label)
    return tuple(name for name in run.labels if name in own)
