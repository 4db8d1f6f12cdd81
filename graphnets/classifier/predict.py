"""Classifying photos with an exported graph, its own or another tool's."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier import export
from graphnets.classifier.options import InputOptions
from graphnets.classifier.predictions import Prediction, Results, predictions, read_rules
from graphnets.classifier.tables import Says
from graphnets.errors import (
    GraphnetsError,
    PhotoError,
    check_kind,
    check_path,
    reason,
    shown,
)
from graphnets.networks import soundness
from graphnets.networks.frozen import read_graph_def
from graphnets.networks.nodes import operations_behind
from graphnets.photos import images, jpeg
from graphnets.photos.folders import File, checked_path, each_path
from graphnets.photos.images import Held
from graphnets.photos.reading import ahead, batched, in_runs
from graphnets.photos.video import Frame, check_every, with_frames
from graphnets.sessions import Later
from graphnets.storage import StorageError

Result = TypeVar("Result")
LONGEST_LABELS = 1 << 24  # bytes
PICTURES = "Mul"  # where retrain.py feeds its Inception (pixel - 128) / 128


class Classifier:
    """A frozen graph with its labels, loaded once.

    graph, labels: the files that `retrain` writes, or another tool's with `options`.

    Threads may share it, with the scores of one. So may forks that come before it, or TensorFlow,
    is used; those that come after are told that they cannot. Pickled it is the names of its files:
    another process opens them for itself, and refuses others than those.

    Raises GraphnetsError if the graph cannot be used: an input or output that it does not have,
    or a number of labels that is not that of its outputs.

    >>> classifier = graphnets.Classifier("trained/output_graph.pb", "trained/output_labels.txt")
    >>> [prediction] = classifier.predict(["signs/14_stop/00000.jpg"], top_k=3)
    >>> len(prediction.top)
    3
    """

    def __init__(
        self,
        graph: File,
        labels: File,
        options: InputOptions | None = None,
    ) -> None:
        check_path("graph", graph, "the path of a frozen graph, a .pb file")
        check_path("labels", labels, "the path of a file with one label a line")
        options = InputOptions() if options is None else options
        check_kind("options", options, InputOptions, "a graphnets.InputOptions")
        graph_def = read_graph_def(graph)
        self.labels = read_labels(labels)
        with tf.Graph().as_default() as self._graph:
            soundness.imported(graph_def, {}, [], "", shown(graph))
            self._input = _tensor(self._graph, options.input_layer, graph)
            self._output = _tensor(self._graph, options.output_layer, graph)
            self._place_photos(options)
        if not self._output.dtype.is_floating:
            raise GraphnetsError(
                f"the output {self._output.name} is {self._output.dtype.name}, wanted floats, a "
                "score for each class: name another --output_layer"
            )
        classes = self._output.shape[-1] if self._output.shape.rank else None
        if classes is not None and int(classes) != len(self.labels):
            raise GraphnetsError(
                f"{labels} has {len(self.labels)} labels, {graph} has {int(classes)} outputs; "
                "wanted the labels file that was written with this graph"
            )
        self._rules = read_rules(self._graph, self.labels, shown(graph))
        self._opened = Later(self._graph)
        self._opening: tuple = (os.path.abspath(graph), os.path.abspath(labels), options)

    def __reduce__(self) -> tuple:
        return _again, (type(self), self._opening, self._digest)

    @cached_property
    def _digest(self) -> str:
        """What tells the graph and its labels from all others."""
        graph_def = self._graph.as_graph_def().SerializeToString(deterministic=True)
        lines = "\n".join(self.labels).encode("utf-8", "surrogateescape")
        return hashlib.sha256(hashlib.sha256(graph_def).digest() + lines).hexdigest()

    @property
    def _session(self) -> tf.Session:
        return self._opened()

    def says(self, top_k: int) -> Says:
        """What its predictions tell, with so many classes named."""
        rules = self._rules
        several, unknown = rules.thresholds is not None, rules.unknown_above is not None
        return Says(min(top_k, len(self.labels)), several, unknown)

    def _place_photos(self, options: InputOptions) -> None:
        """Settle where a photo's bytes go, what comes of them, and where that is fed."""
        resized = _resized(self._graph, self._input, self._output)
        self._contents = tf.placeholder(tf.string, []) if resized is None else self._input
        self._decoded = jpeg.decode(self._contents)
        if resized is None:
            self._entry = self._input
            self._value = _input_value(self._contents, self._decoded, self._input, options)
        else:
            self._entry = self._value = resized

    def scores(self, path: File) -> np.ndarray:
        """float32 (classes,) of one photo.

        Raises PhotoError if the photo cannot be read, GraphnetsError if the graph fails on it.
        """
        return self.row(path)[: len(self.labels)]

    def row(self, path: File | Held) -> np.ndarray:
        """float32 of one photo: its scores, and behind them what `Rules.more` gives.

        Raises as `scores` does.
        """
        with contents_of(path) as data:
            contents = {self._contents: data}
            try:
                value = path.value if isinstance(path, Frame) else None
                value = self._session.run(self._value, contents) if value is None else value
                scores = self.run(value)
            except tf.errors.OpError as error:
                if data:  # else it is a frame, which could be read
                    self._picture(contents)  # another tool's graph can fail by itself
                raise GraphnetsError(f"the graph fails on {shown(path)}: {reason(error)}") from None
            return scores[0]

    def read(self, path: File | Held) -> np.ndarray:
        """A photo as `run` takes it, (1, height, width, 3); `row` tells why there is none."""
        with contents_of(path) as data:
            value = self._session.run(self._value, {self._contents: data})
        if isinstance(path, Frame):
            path.value, path.png = value, b""
        return value

    def run(self, values: np.ndarray) -> np.ndarray:
        """float32 (n, classes) of photos (n, height, width, 3), or of one photo's bytes ().

        Behind the scores stands what `Rules.more` gives.
        """
        fetched = [self._output, *self._rules.more]
        scores, *more = self._session.run(fetched, {self._entry: values})
        self._check_scores(scores, values)
        return np.column_stack([scores, *more]) if more else scores

    def _check_scores(self, scores: np.ndarray, values: np.ndarray) -> None:
        """Raise GraphnetsError unless there is a number for each label of each photo."""
        wanted = (len(values) if values.ndim else 1, len(self.labels))
        if scores.shape != wanted:
            raise GraphnetsError(
                f"the output {self._output.name} is {scores.shape}, wanted {wanted} as there are "
                "labels: name another --output_layer"
            )
        if np.isnan(scores).any():
            raise GraphnetsError(
                f"the output {self._output.name} is not a number; wanted a graph whose scores are"
            )

    def _picture(self, contents: dict) -> np.ndarray:
        """uint8 (height, width, 3), upright; PhotoError if the photo is damaged."""
        try:
            return self._session.run(self._decoded, contents)
        except tf.errors.InvalidArgumentError:
            raise PhotoError("damaged or cut off") from None

    @property
    def takes_batches(self) -> bool:
        """Whether `run` takes several photos at a time."""
        return _is_free(self._entry) and _is_free(self._output)

    def prediction(self, name: str, row: Callable[[], np.ndarray], top_k: int = 5) -> Prediction:
        """What follows from a photo's row, or from the PhotoError that `row` raises."""
        return next(predictions(iter([(name, row)]), self.labels, top_k, self._rules))

    def outputs(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Photos' rows (n, ...) by the names of a SavedModel's outputs: `scores`, those of rules.

        All have n rows but `thresholds`, (classes,).
        """
        found = {"scores": rows[:, : len(self.labels)]}
        if self._rules.thresholds is not None:
            found["thresholds"] = self._rules.thresholds
        if self._rules.unknown_above is not None:
            found["unknown_score"] = rows[:, -1]
            found["is_unknown"] = rows[:, -1] > np.float32(self._rules.unknown_above)
        return found

    def predict(
        self, paths: File | Iterable[File], top_k: int = 5, every: float = 1.0
    ) -> Iterator[Prediction]:
        """A prediction for each file, in order; one that cannot be read says why.

        paths: of files, or one path. top_k: classes to name, 1 or more. every: of files that end as
        videos do (.mp4, .mov, .mkv ...), the seconds from a frame to the next that is predicted;
        one that is cut off gives a last prediction that says so.
        Files are read as the results are taken: memory does not grow with their number.
        Raises GraphnetsError for what is no path, and if the graph fails on a photo.
        """
        paths = with_frames(each_path(paths), check_every(every))
        if self.takes_batches:
            results = in_batches(paths, self.read, self.run, self.row)
        else:
            results = ahead(paths, self.row)
        return predictions(results, self.labels, top_k, self._rules)


def _again(kind: type[Classifier], opening: tuple, digest: str) -> Classifier:
    """A classifier that was pickled, opened from its files."""
    found = kind(*opening)
    if found._digest != digest:
        graph, labels, *_ = opening
        raise GraphnetsError(
            f"{graph} or {labels} is another file than when the classifier was pickled; open "
            "a graphnets.Classifier of them again"
        )
    return found


def in_batches(
    paths: Iterable[File],
    read: Callable[[File], np.ndarray],
    run: Callable[[np.ndarray], np.ndarray],
    alone: Callable[[File], np.ndarray],
) -> Results:
    """What `ahead(paths, alone)` gives, from runs on batches of files, a few batches in hand.

    read: a file to (1, height, width, 3), called in threads; run: photos (n, height, width, 3) to
    (n, classes); alone: a file to (classes,), called where read or run fails.
    """
    for scored in in_runs(batched(ahead(paths, read)), partial(_scored, run)):
        for path, row in scored():
            # What has no row is run alone: it says what is wrong with it, or nothing is.
            yield path, partial(alone, path) if row is None else partial(np.asarray, row)


def _scored(
    run: Callable[[np.ndarray], np.ndarray], photos: list[tuple]
) -> list[tuple[File, np.ndarray | None]]:
    """Each file of a batch with its scores (classes,), or None where read or run failed."""
    batch = [(path, or_none(result)) for path, result in photos]
    values = [value for _, value in batch if value is not None]
    scores = or_none(lambda: run(np.concatenate(values))) if values else None
    if scores is None:
        return [(path, None) for path, _ in batch]
    rows = iter(scores)
    return [(path, None if value is None else next(rows)) for path, value in batch]


def or_none(result: Callable[[], Result]) -> Result | None:
    """What the function returns; None if it raises what a photo or graph can be blamed for."""
    try:
        return result()
    except StorageError:  # no photo's own fault
        raise
    except (GraphnetsError, tf.errors.OpError):
        return None


@contextmanager
def contents_of(photo: File | Frame | Held) -> Iterator[bytes]:
    """The bytes of a photo as a graph takes them; PhotoError where there are none."""
    if isinstance(photo, Frame):
        if photo.problem:
            raise PhotoError(photo.problem)
        yield photo.png
    elif isinstance(photo, Held):
        with images.room_for(photo) as data:
            yield images.contents(data)
    else:
        with images.opened(checked_path(photo)) as data:
            yield images.contents(data)


def read_labels(path: File) -> list[str]:
    """The labels of a file with one a line. Raises GraphnetsError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST_LABELS + 1)
    except OSError as error:
        raise GraphnetsError(f"{shown(path)} cannot be read: {error.strerror}") from None
    if len(data) > LONGEST_LABELS:
        raise GraphnetsError(
            f"{shown(path)} has over {LONGEST_LABELS:,} bytes; wanted labels, one a line"
        )
    text = data.decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def _tensor(graph: tf.Graph, name: str, source: File) -> tf.Tensor:
    try:
        return graph.get_tensor_by_name(name if ":" in name else f"{name}:0")
    except (KeyError, ValueError):
        operations = graph.get_operations()
        inputs = [op.name for op in operations if op.type.startswith("Placeholder")]
        outputs = [op.name for op in operations if op.type == "Softmax"]
        raise GraphnetsError(
            f"{shown(source)} has no {name!r}; its placeholders are {', '.join(inputs) or 'none'}, "
            f"{_computed_entries(operations)}its softmax is {', '.join(outputs) or 'none'}: name "
            "them with --input_layer and --output_layer"
        ) from None


def _computed_entries(operations: Sequence[tf.Operation]) -> str:
    """Where photos enter a graph of retrain.py, which has no placeholder for them."""
    contents = {
        op.inputs[0].op.name: None
        for op in operations
        if op.type.startswith("Decode") and op.inputs and op.inputs[0].op.type == "Const"
    }
    pictures = [op.name for op in operations if op.type == "Mul" and op.name == PICTURES]
    return "".join(
        f"it takes {what} at {', '.join(names)}, "
        for what, names in (("a photo's bytes", contents), ("scaled pictures", pictures))
        if names
    )


def _resized(graph: tf.Graph, entry: tf.Tensor, output: tf.Tensor) -> tf.Tensor | None:
    """Where a graph of `export` takes a batch, (n, height, width, 3); None in any other graph."""
    try:
        resized = graph.get_tensor_by_name(f"{export.RESIZED}:0")
    except KeyError:
        return None
    shape = resized.shape.as_list() if resized.shape.rank == 4 else []
    takes_batches = (
        resized.op.type == "PlaceholderWithDefault"
        and resized.dtype.is_floating
        and shape[:1] == [None]
        and all(shape[1:3])
        and shape[3:] == [3]
    )
    takes_bytes = entry.dtype == tf.string and entry.shape.rank == 0
    is_between = entry.op.name in operations_behind(
        resized
    ) and entry.op.name not in operations_behind(output, export.RESIZED)
    return resized if takes_batches and takes_bytes and is_between else None


def _is_free(tensor: tf.Tensor) -> bool:
    """Whether the first dimension is left open; a graph that tells no shape tells no batches."""
    return bool(tensor.shape.rank) and tensor.shape.as_list()[0] is None


def _input_value(
    contents: tf.Tensor, decoded: tf.Tensor, entry: tf.Tensor, options: InputOptions
) -> tf.Tensor:
    """What to feed to `entry` for a photo: its bytes, or its pixels as `InputOptions` tells."""
    if entry.dtype == tf.string and entry.shape.is_compatible_with([]):
        return contents
    size = tf.TensorShape(entry.shape if entry.shape.rank == 4 else [None] * 4).as_list()
    height, width = options.input_height or size[1], options.input_width or size[2]
    if not entry.dtype.is_floating or not entry.shape.is_compatible_with([1, height, width, 3]):
        raise GraphnetsError(
            f"the input {entry.name} is {entry.dtype.name} {entry.shape}; wanted one photo's bytes "
            f"(string, a scalar) or float32 (n, {height or 'height'}, {width or 'width'}, 3): name "
            "another --input_layer"
        )
    if not height or not width:
        raise GraphnetsError(
            f"the input {entry.name} does not tell its size; give --input_height and --input_width"
        )
    mean, std = options.input_mean, options.input_std
    if not entry.op.type.startswith("Placeholder") and (mean is None or std is None):
        raise GraphnetsError(
            f"the input {entry.name} is what the graph computes of pictures, as a {entry.op.type}: "
            "give --input_mean and --input_std as the graph scales them (128 and 128 for the Mul "
            "of retrain.py's Inception), or name the --input_layer that takes a photo's bytes"
        )
    resized = jpeg.resize(decoded, (height, width))
    scaled = (resized - (0 if mean is None else mean)) / (255 if std is None else std)
    return tf.cast(scaled, entry.dtype)
