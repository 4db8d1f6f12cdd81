"""What a classifier says of a photo: from its graph's numbers to labels."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.classifier import export
from graphnets.errors import GraphnetsError, PhotoError, check_whole
from graphnets.photos.video import Frame

# As `reading.ahead` gives them: of each file what gives its row, or raises PhotoError.
Results = Iterator[tuple[str | os.PathLike[str], Callable[[], np.ndarray]]]


@dataclass(frozen=True)
class Prediction:
    """A photo's classes, likeliest first, as (label, score), scores 0 to 1; or its problem.

    labels: of a graph that gives several, those from whose thresholds on the scores are, likeliest
    first; None of any other graph. unknown: of a graph that tells photos of no class, whether this
    is one; None of any other graph. time: of a video's frame, seconds behind the first; None of a
    photo.
    """

    path: str
    top: list[tuple[str, float]]
    problem: str = ""
    labels: list[tuple[str, float]] | None = None
    unknown: bool | None = None
    time: float | None = None

    def found(self) -> dict:
        """What was found, for JSON: `top`, with `label` and `score` or `labels`; or `problem`."""
        if self.problem:
            return {"problem": self.problem}
        top = _labelled(self.top)
        if self.labels is not None:
            return {"labels": _labelled(self.labels), "top": top}
        if self.unknown:  # whoever reads the label alone is not to take it for one
            return {"unknown": True, "label": None, "score": None, "top": top}
        known = {} if self.unknown is None else {"unknown": False}
        return {**known, **top[0], "top": top}


def _labelled(scores: list[tuple[str, float]]) -> list[dict]:
    return [{"label": label, "score": score} for label, score in scores]


class Rules(NamedTuple):
    """What a graph of `export` says besides its scores.

    thresholds: from which score on each class is named, float32 (classes,); None where a photo has
    one label. unknown_above: from which value of the last column on a photo is of no class; None
    where the graph does not tell. more: the tensors of the columns behind the scores.
    """

    thresholds: np.ndarray | None = None
    unknown_above: float | None = None
    more: Sequence[tf.Tensor] = ()


def read_rules(graph: tf.Graph, labels: Sequence[str], name: str) -> Rules:
    """Those of a graph; none of another tool's graph.

    name: for messages. Raises GraphnetsError for rules that do not fit the labels.
    """
    thresholds = _constant(graph, export.THRESHOLDS)
    if thresholds is not None and thresholds.shape != (len(labels),):
        raise GraphnetsError(
            f"{name} has {thresholds.size} {export.THRESHOLDS} and {len(labels)} labels; wanted "
            "the graph and labels of one run"
        )
    above = _constant(graph, export.UNKNOWN_ABOVE)
    if above is None:
        return Rules(thresholds)
    try:
        score = graph.get_tensor_by_name(f"{export.UNKNOWN}:0")
    except KeyError:
        return Rules(thresholds)
    if above.shape != () or not score.shape.is_compatible_with([None]):
        raise GraphnetsError(
            f"{name} has {export.UNKNOWN} {score.shape} and {export.UNKNOWN_ABOVE} {above.shape}; "
            "wanted a number a photo and one number"
        )
    return Rules(thresholds, float(above), [score])


def _constant(graph: tf.Graph, name: str) -> np.ndarray | None:
    """What an Identity of a constant gives; None if there is none of this name."""
    try:
        operation = graph.get_operation_by_name(name)
    except KeyError:
        return None
    if operation.type != "Identity" or operation.inputs[0].op.type != "Const":
        return None
    return np.asarray(tf.get_static_value(operation.inputs[0]))


def predictions(
    results: Results, labels: Sequence[str], top_k: int, rules: Rules | None = None
) -> Iterator[Prediction]:
    """What follows from each file's row (classes,), in order; see `Classifier.predict`.

    With `Rules.more`, a row has its columns behind those of the classes.
    """
    return _predictions(results, labels, check_whole("top_k", top_k, 1), rules or Rules())


def _predictions(
    results: Results, labels: Sequence[str], top_k: int, rules: Rules
) -> Iterator[Prediction]:
    for path, result in results:
        time = path.time if isinstance(path, Frame) else None
        try:
            row = result()
        except PhotoError as error:
            yield Prediction(os.fspath(path), [], str(error), time=time)
            continue
        values = row[: len(labels)]
        order = np.argsort(-values, kind="stable")
        top = [(labels[i], float(values[i])) for i in order[:top_k]]
        named = unknown = None
        if rules.thresholds is not None:
            named = [
                (labels[i], float(values[i])) for i in order if values[i] >= rules.thresholds[i]
            ]
        if rules.unknown_above is not None:
            unknown = bool(row[-1] > np.float32(rules.unknown_above))
        yield Prediction(os.fspath(path), top, labels=named, unknown=unknown, time=time)
