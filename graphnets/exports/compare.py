"""What an export gives for the run's test photos, beside what the graph gives."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf
from PIL import Image, ImageOps

from graphnets.classifier.export import RESIZED
from graphnets.classifier.options import INPUT
from graphnets.exports.run import SCORES, Photo, Run, each_photo, named, spread, true_labels
from graphnets.photos import jpeg
from graphnets.photos.images import Progress
from graphnets.sessions import Session

Runner = Callable[[Photo], dict[str, np.ndarray]]
PILLOW = "the graph, photos decoded by Pillow"


class Comparison:
    """The graph's own outputs for the run's test photos, computed once for all formats.

    count: of how many of them (None: all).
    """

    def __init__(self, run: Run, count: int | None, progress: Progress) -> None:
        self._run, self._progress = run, progress
        tested = run.photos[run.photos.split == "testing"]
        paths = run.paths("testing")
        self._truth = dict(zip(paths, tested.label, strict=True))
        self._paths = spread(paths, count)
        self._graph: dict[str, dict[str, np.ndarray]] = {}
        self.of_graph: dict = {}

    @cached_property
    def _opened(self) -> _Graph:
        return _Graph(self._run)

    def compared(self, runners: Mapping[str, Runner]) -> dict[str, dict]:
        """{name: figures} of each runner, and those of the graph in `of_graph`.

        accuracy: of the photos, how many have exactly the right label (or labels); same_labels: how
        many have the graph's; largest_difference: of all scores; milliseconds: a photo, the median,
        with decoding where the graph does it; photos: how many could be read.
        """
        graph = self._opened
        all_runners = dict(runners)
        if not self._graph:
            all_runners = {"graph": graph, PILLOW: graph.by_pillow, **runners}
        rows = {name: _Rows(self._run) for name in all_runners}
        photos = each_photo(self._paths)
        for photo in self._progress(photos, total=len(self._paths), desc="comparing"):
            if photo.path not in self._graph:
                self._graph[photo.path] = graph(photo)
            for name, run in all_runners.items():
                start = time.perf_counter()
                found = run(photo)
                seconds = time.perf_counter() - start
                rows[name].add(found, self._graph[photo.path], self._truth[photo.path], seconds)
        figures = {name: found.figures() for name, found in rows.items()}
        if "graph" in figures:
            self.of_graph = {"graph": figures.pop("graph"), PILLOW: figures.pop(PILLOW)}
        return figures


class _Rows:
    """What a runner has given, photo by photo."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._right: list[bool] = []
        self._same: list[bool] = []
        self._same_unknown: list[bool] = []
        self._differences: list[float] = []
        self._seconds: list[float] = []

    def add(
        self, found: dict[str, np.ndarray], graph: dict[str, np.ndarray], label: str, seconds: float
    ) -> None:
        labels = named(self._run, found[SCORES])
        self._right.append(labels == true_labels(self._run, label))
        self._same.append(labels == named(self._run, graph[SCORES]))
        self._differences.append(float(np.abs(found[SCORES] - graph[SCORES]).max()))
        self._seconds.append(seconds)
        if "is_unknown" in graph:
            self._same_unknown.append(bool(found["is_unknown"]) == bool(graph["is_unknown"]))

    def figures(self) -> dict:
        count = len(self._right)
        if not count:
            return {"photos": 0}
        more = {"same_unknown": sum(self._same_unknown)} if self._same_unknown else {}
        return {
            "photos": count,
            "accuracy": sum(self._right) / count,
            "same_labels": sum(self._same),
            **more,
            "largest_difference": max(self._differences),
            "milliseconds": round(1000 * statistics.median(self._seconds), 2),
        }


class _Graph:
    """The run's graph, from the bytes of photos."""

    def __init__(self, run: Run) -> None:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(run.graph_def, name="")
            self._session = Session(graph=graph)
            self._picture = tf.placeholder(tf.uint8, [None, None, 3])
            self._resized = jpeg.resize(self._picture, run.size)
        self._outputs = run.outputs

    def __call__(self, photo: Photo) -> dict[str, np.ndarray]:
        return self._found({f"{INPUT}:0": np.array(photo.contents, object)})

    def by_pillow(self, photo: Photo) -> dict[str, np.ndarray]:
        """As the scripts beside the exports decode: a JPEG's pixels differ by some levels."""
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(photo.contents))).convert("RGB")
        resized = self._session.run(self._resized, {self._picture: np.asarray(picture)})
        return self._found({f"{RESIZED}:0": resized})

    def _found(self, feed: dict) -> dict[str, np.ndarray]:
        return {name: rows[0] for name, rows in self._session.run(self._outputs, feed).items()}


def size_of(folder: Path, file: str) -> int:
    """The bytes of a file of an export, or of a folder of it; of TensorFlow.js all weights."""
    path = folder / file
    if path.name == "model.json":
        return sum(part.stat().st_size for part in (path, *folder.glob("*.bin")))
    parts = [part for part in path.rglob("*") if part.is_file()] if path.is_dir() else [path]
    return sum(part.stat().st_size for part in parts)
