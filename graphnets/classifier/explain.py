"""Where a classifier sees a class in a photo: Grad-CAM, and occlusion as the slow check."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier.options import InputOptions
from graphnets.classifier.predict import Classifier, contents_of, or_none
from graphnets.errors import GraphnetsError, PhotoError, check_flag, check_kind, refused, shown
from graphnets.networks import attention, soundness
from graphnets.photos.folders import File, each_path
from graphnets.photos.reading import BATCH, ahead, batched, in_runs

CELLS = 10  # places for the patch in a row and in a column
REACH = 1  # cells that it covers on each side of its own
GREY = 127.5


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where in a photo a class is seen; or the photo's problem.

    label, score: the class and its score, 0 to 1. heat: float32 (rows, columns) over the whole
    photo, upright, squeezed to the network's shape. Of Grad-CAM, 0 to 1, its largest (all 0 where
    nothing speaks for the class); of occlusion, by how much the score falls with a grey patch at
    that place, below 0 where it rises.
    """

    path: str
    label: str = ""
    score: float = 0.0
    heat: np.ndarray | None = None
    problem: str = ""


class Explainer(Classifier):
    """A classifier that also tells where in a photo it sees a class.

    graph, labels, options: as of `Classifier`. layer: whose map Grad-CAM is of, the name of a
    tensor or of what it lies in; None for the last map in front of the output. occlusion: instead
    of Grad-CAM, cover each place of the photo with a grey patch and look how the score falls
    (Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2): 100 passes a photo. The patch covers
    three of ten parts of each side.

    Raises GraphnetsError as `Classifier` does, and for a graph that has no such map, or an op
    without a gradient behind it.

    >>> explainer = graphnets.Explainer("trained/output_graph.pb", "trained/output_labels.txt")
    >>> [explanation] = explainer.explain(["signs/14_stop/00000.jpg"])
    """

    def __init__(
        self,
        graph: File,
        labels: File,
        options: InputOptions | None = None,
        layer: str | None = None,
        occlusion: bool = False,
    ) -> None:
        super().__init__(graph, labels, options)
        check_kind("layer", layer, str | None, "the name of a tensor or layer")
        check_flag("occlusion", occlusion)
        self._opening += (layer, occlusion)
        self._source = shown(graph)
        self.layer = ""  # the operation whose map Grad-CAM is of
        self._grey = GREY
        self._occlusion = bool(occlusion)
        if occlusion:
            self._prepare_occlusion(options or InputOptions(), layer)
        else:
            with self._graph.as_default():
                self._add_grad_cam(layer)

    def _add_grad_cam(self, layer: str | None) -> None:
        logits = attention.logits_of(self._output)
        maps = attention.chosen_map(self._entry, logits, layer, self._source)
        likeliest = tf.argmax(logits, -1)
        self._classes = tf.placeholder_with_default(likeliest, likeliest.shape)
        self._heat = attention.grad_cam(logits, maps, self._classes)
        self.layer = maps.op.name

    def _prepare_occlusion(self, options: InputOptions, layer: str | None) -> None:
        if layer:
            raise GraphnetsError(f"layer is {layer!r}, and occlusion is of none; leave it out")
        if not self._entry.dtype.is_floating:
            raise GraphnetsError(
                f"{self._source} takes a photo's bytes at {self._entry.name}, which no patch can "
                "cover; name the --input_layer behind that takes pictures"
            )
        if self._entry.op.name == self._input.op.name:  # another tool's, of scaled pixels
            mean, std = options.input_mean or 0, options.input_std or 255
            self._grey = (GREY - mean) / std

    def explain(
        self, paths: File | Iterable[File], classes: int | Iterable[int] | None = None
    ) -> Iterator[Explanation]:
        """An explanation for each photo, in order; of one that cannot be read, why.

        paths: of files, or one path. classes: the number of the class to look for, one for all
        photos or one for each; None for the likeliest of each photo.
        Photos are read as the results are taken: memory does not grow with their number.
        Raises GraphnetsError for what is no path or class, and if the graph fails on a photo.
        """
        read = ahead(self._items(paths, classes), lambda item: self.read(item[0]))
        # Passes over one photo fill batches by themselves.
        together = self.takes_batches and not self._occlusion
        batches = batched(read) if together else ([one] for one in read)
        found = in_runs(batches, self._of_batch)
        return (explanation for results in found for explanation in results())

    def _items(self, paths: File | Iterable[File], classes: object) -> Iterator[tuple]:
        """(path, number of the class or None) of each photo."""
        if classes is None or isinstance(classes, Integral):
            number = None if classes is None else self._checked_class(classes)
            return ((path, number) for path in each_path(paths))
        if isinstance(classes, str | bytes) or not isinstance(classes, Iterable):
            raise refused("classes", classes, "the number of a class, or one for each photo")
        numbers, listed = list(map(self._checked_class, classes)), list(each_path(paths))
        if len(numbers) != len(listed):
            raise GraphnetsError(
                f"there are {len(numbers)} classes for {len(listed)} photos; wanted one for each"
            )
        return zip(listed, numbers, strict=True)

    def _checked_class(self, number: object) -> int:
        most = len(self.labels) - 1
        if not isinstance(number, Integral) or not 0 <= int(number) <= most:
            raise refused("a class", number, f"its number, 0 to {most}")
        return int(number)

    def _of_batch(self, batch: Sequence[tuple]) -> list[Explanation]:
        """batch: ((path, class), function that returns what `_read` gives, or raises)."""
        values = [(number, or_none(read)) for (_, number), read in batch]
        good = [(number, value) for number, value in values if value is not None]
        rows = iter(or_none(lambda: self._run_on(good)) or [] if good else [])
        found = [None if value is None else next(rows, None) for _, value in values]
        return [
            self._alone(path, number) if row is None else self._told(path, *row)
            for ((path, number), _), row in zip(batch, found, strict=True)
        ]

    def _run_on(self, photos: Sequence[tuple]) -> list[tuple]:
        """(scores, class, heat) of each of the photos, (class or None, what `_read` gives)."""
        numbers, values = zip(*photos, strict=True)
        heats = self._occluded if self._occlusion else self._grad_cam
        return heats(np.concatenate(values) if values[0].ndim else values[0], numbers)

    def _alone(self, path: File, number: int | None) -> Explanation:
        try:
            self.row(path)  # says what is wrong with a photo, and with a graph
            with soundness.running(self._source):
                [found] = self._run_on([(number, self.read(path))])
        except PhotoError as error:
            return Explanation(os.fspath(path), problem=str(error))
        return self._told(path, *found)

    def _told(self, path: File, scores: np.ndarray, number: int, heat: np.ndarray) -> Explanation:
        return Explanation(os.fspath(path), self.labels[number], float(scores[number]), heat)

    def _grad_cam(
        self, values: np.ndarray, numbers: Sequence[int | None]
    ) -> list[tuple[np.ndarray, int, np.ndarray]]:
        """Of each photo of a batch the scores (classes,), the class and the heat."""
        feeds = {self._entry: values}
        if None not in numbers:
            feeds[self._classes] = np.array(numbers)
        fetched = [self._output, self._classes, self._heat]
        scores, chosen, heats = self._session.run(fetched, feeds)
        self._check_scores(scores, values)
        if not np.isfinite(heats).all():
            raise GraphnetsError(
                f"the gradient at {self.layer} is not a number; name another layer"
            )
        largest = heats.max((1, 2), keepdims=True)
        heats = np.divide(heats, largest, out=np.zeros_like(heats), where=largest > 0)
        return list(zip(scores, map(int, chosen), heats, strict=True))

    def _occluded(
        self, values: np.ndarray, numbers: Sequence[int | None]
    ) -> list[tuple[np.ndarray, int, np.ndarray]]:
        """As `_grad_cam`."""
        found = []
        for value, scores, given in zip(values, self.run(values), numbers, strict=True):
            number = int(scores[: len(self.labels)].argmax()) if given is None else given
            rows, columns = (spans(length) for length in value.shape[:2])
            places = [(row, column) for row in rows for column in columns]
            left = []
            step = BATCH if self.takes_batches else 1
            for start in range(0, len(places), step):
                part = places[start : start + step]
                left += [*self.run(_covered(value, part, self._grey))[:, number]]
            heat = scores[number] - np.reshape(left, (len(rows), len(columns)))
            found.append((scores, number, heat.astype(np.float32)))
        return found

    def picture(self, path: File) -> np.ndarray:
        """A photo as the network's input is made of it, upright: uint8 (height, width, 3), RGB.

        Raises PhotoError if it cannot be read.
        """
        with contents_of(path) as data:
            return self._picture({self._contents: data})


def spans(length: int) -> list[slice]:
    """What the patch covers of a side of so many pixels, at each of its places."""
    cells = min(CELLS, length)
    edges = [round(cell * length / cells) for cell in range(cells + 1)]
    return [
        slice(edges[max(0, cell - REACH)], edges[min(cells, cell + 1 + REACH)])
        for cell in range(cells)
    ]


def _covered(picture: np.ndarray, places: Sequence[tuple[slice, slice]], grey: float) -> np.ndarray:
    """The picture (height, width, 3) as often as there are places, each with one in grey."""
    found = np.repeat(picture[np.newaxis], len(places), 0)
    for copy, place in zip(found, places, strict=True):
        copy[place] = grey
    return found
