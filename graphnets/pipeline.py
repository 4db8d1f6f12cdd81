"""The main job: a folder of photos in, a classifier out."""

from __future__ import annotations

import json
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

import graphnets
from graphnets import export
from graphnets.errors import GraphnetsError
from graphnets.evaluate import evaluate
from graphnets.features import Bottlenecks
from graphnets.files import write_whole
from graphnets.images import Progress, check_classes, no_progress, scan, shown, split
from graphnets.network import Network
from graphnets.train import Examples, Head, TrainingOptions, sample, train_head

TEMPORARY = Path(tempfile.gettempdir())  # retrain.py's defaults lie in /tmp


@dataclass(frozen=True)
class RetrainOptions:
    """What `retrain` reads, splits and writes; the names and defaults are retrain.py's."""

    endpoint: str | None = None  # None: the network's default
    output_dir: str | os.PathLike[str] = TEMPORARY
    output_graph: str | os.PathLike[str] | None = None  # None: in output_dir
    output_labels: str | os.PathLike[str] | None = None  # None: in output_dir
    saved_model_dir: str | os.PathLike[str] | None = None
    bottleneck_dir: str | os.PathLike[str] = TEMPORARY / "bottleneck"
    summaries_dir: str | os.PathLike[str] | None = TEMPORARY / "retrain_logs"
    final_tensor_name: str = export.OUTPUT
    testing_percentage: float = 10
    validation_percentage: float = 10
    test_batch_size: int = -1
    training: TrainingOptions = field(default_factory=TrainingOptions)

    @property
    def graph_path(self) -> Path:
        """Where the frozen classifier is written."""
        return Path(self.output_graph or Path(self.output_dir) / "output_graph.pb")

    @property
    def labels_path(self) -> Path:
        """Where the labels are written."""
        return Path(self.output_labels or Path(self.output_dir) / "output_labels.txt")


@dataclass(frozen=True)
class Result:
    """What `retrain` found: metrics.json's content, the photos with their splits, the head.

    photos has, besides the columns of `images.scan` and `images.split`, `predicted`: the label
    that the classifier gives to a photo of the testing split, "" for the others.
    """

    metrics: dict
    photos: pd.DataFrame
    head: Head


def retrain(
    image_dir: str | os.PathLike[str],
    network: Network,
    options: RetrainOptions | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], object] = lambda line: None,
) -> Result:
    """Train a classifier for the sub-folders of image_dir on the network's frozen features.

    Writes output_graph.pb, output_labels.txt, metrics.json and photos.csv; features already in
    the store are not computed again. `say` is told what is being done, a line at a time.
    Raises GraphnetsError for photos, options or folders that cannot serve, before the photos
    are run wherever that can be known.
    """
    options = options or RetrainOptions()
    seconds = _Seconds()
    _check_outputs(options)
    with seconds("photos"):
        photos = split(scan(image_dir, progress), **_percentages(options))
        say(f"{len(photos)} files in {photos.label.nunique()} classes")
    with seconds("features"):
        bottlenecks = Bottlenecks(network, options.endpoint, options.bottleneck_dir)
        new = len(bottlenecks.missing(photos))
        say(f"{new} photos to run through {network.name} to {','.join(bottlenecks.names)}")
        photos = bottlenecks.add(photos, progress)
        check_classes(photos)
        photos = split(photos, **_percentages(options))
        labels = sorted(photos.label.unique())
        training, validation, testing = (
            _examples(photos, name, labels, bottlenecks)
            for name in ("training", "validation", "testing")
        )
    say(
        f"{len(training.labels)} for training, {len(validation.labels)} for validation, "
        f"{len(testing.labels)} for testing"
    )
    with seconds("training"):
        head = train_head(
            training, validation, len(labels), options.training, options.summaries_dir, progress
        )
    with seconds("evaluation"):
        photos = _with_predictions(photos, head, testing, labels)
        random = np.random.default_rng(options.training.seed)
        tested = sample(testing, options.test_batch_size, random)
        figures = evaluate(tested.labels, predicted_labels(head, tested), labels)
    with seconds("export"):
        _write_classifier(network, bottlenecks.names, head, labels, options)
    metrics = {
        **figures,
        "train_count": len(training.labels),
        "validation_count": len(validation.labels),
        "best_step": head.step,
        "labels": labels,
        "left_out": _left_out(photos),
        "copies_across_splits": copies_across_splits(photos),
        **_provenance(network, bottlenecks.names, options),
        "seconds": seconds.measured,
    }
    output_dir = Path(options.output_dir)
    write_whole(output_dir / "photos.csv", _csv(photos))
    write_whole(output_dir / "metrics.json", (json.dumps(metrics, indent=2) + "\n").encode())
    return Result(metrics, photos, head)


def _write_classifier(
    network: Network, names: list[str], head: Head, labels: list[str], options: RetrainOptions
) -> None:
    output = options.final_tensor_name
    graph_def = export.classifier_graph_def(network, names, head, output)
    export.write_graph(options.graph_path, graph_def)
    export.write_labels(options.labels_path, labels)
    if options.saved_model_dir:
        export.write_saved_model(options.saved_model_dir, graph_def, output)


def _left_out(photos: pd.DataFrame) -> list[dict[str, str]]:
    left_out = photos[photos.problem != ""]
    return [{"path": row.path, "reason": row.problem} for row in left_out.itertuples()]


def predicted_labels(head: Head, examples: Examples) -> np.ndarray:
    """The position of the likeliest class of each example: int (n,)."""
    return head.probabilities(examples.features).argmax(axis=1)


def copies_across_splits(photos: pd.DataFrame) -> int:
    """How many photos have the same bytes as one in another split: they flatter the figures."""
    usable = photos[photos.problem == ""]
    return int((usable.groupby("key").split.transform("nunique") > 1).sum())


def _percentages(options: RetrainOptions) -> dict[str, float]:
    return {
        "testing_percentage": options.testing_percentage,
        "validation_percentage": options.validation_percentage,
    }


def _examples(
    photos: pd.DataFrame, name: str, labels: list[str], bottlenecks: Bottlenecks
) -> Examples:
    chosen = photos[photos.split == name]
    positions = {label: number for number, label in enumerate(labels)}
    return Examples(bottlenecks.read(chosen), chosen.label.map(positions).to_numpy(int))


def _with_predictions(
    photos: pd.DataFrame, head: Head, testing: Examples, labels: list[str]
) -> pd.DataFrame:
    photos = photos.assign(predicted="")
    names = [labels[i] for i in predicted_labels(head, testing)]
    photos.loc[photos.split == "testing", "predicted"] = names
    return photos


def _check_outputs(options: RetrainOptions) -> None:
    """Fail now, not after the photos were run, if what comes out cannot be written."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_./-]*", options.final_tensor_name):
        raise GraphnetsError(
            f"{options.final_tensor_name!r} cannot name the output; wanted letters, digits, '_', "
            "'.', '/' or '-'"
        )
    if options.saved_model_dir:
        export.refuse_existing(options.saved_model_dir)
    folders = {Path(options.output_dir), options.graph_path.parent, options.labels_path.parent}
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise GraphnetsError(
                f"{shown(folder)} cannot be written to: {error.strerror}; name another folder"
            ) from None


def _provenance(network: Network, names: list[str], options: RetrainOptions) -> dict:
    """What someone needs to get the same figures again."""
    training = options.training
    return {
        "architecture": network.name,
        "weights": network.fingerprint,
        "endpoint": ",".join(names),
        "seeds": {"training": training.seed},
        "options": {
            **_percentages(options),
            "test_batch_size": options.test_batch_size,
            **{name: value for name, value in vars(training).items() if name != "seed"},
        },
        "versions": {
            "graphnets": graphnets.__version__,
            "tensorflow": tf.version.VERSION,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _csv(photos: pd.DataFrame) -> bytes:
    return photos.to_csv(index=False, lineterminator="\n").encode("utf-8", "surrogateescape")


class _Seconds:
    """with seconds("stage"): ... adds to seconds.measured["stage"]."""

    def __init__(self) -> None:
        self.measured: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.measured[stage] = round(time.perf_counter() - start, 3)
