"""The main job: a folder of photos in, a classifier out."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import tensorflow.compat.v1 as tf

import graphnets
from graphnets import devices
from graphnets.classifier import export
from graphnets.classifier.run_files import CURVES, METRICS, PHOTOS
from graphnets.errors import shown
from graphnets.exports.saved_model import write_saved_model
from graphnets.files import write_whole, writing
from graphnets.jobs.board import write_board
from graphnets.jobs.earlier import Earlier, earlier
from graphnets.jobs.judge import Judged, check_splits, judged
from graphnets.jobs.opinions import with_doubts, with_scores
from graphnets.jobs.options import RetrainOptions, check_outputs
from graphnets.jobs.search import Trainer, cross_validated, pool, searched
from graphnets.jobs.stock import Others, Stock, checked_job, in_two_classes, listed
from graphnets.networks.network import Cut, Network, endpoint_names
from graphnets.photos.folders import SPLITS
from graphnets.photos.images import Progress, no_progress, plain_text
from graphnets.photos.labels import class_names
from graphnets.photos.listing import Images
from graphnets.photos.splits import folds, split_by
from graphnets.photos.tracks import looks_like_tracks
from graphnets.report.write import report_on_run
from graphnets.storage import absolute
from graphnets.training.beside import Beside
from graphnets.training.checkpoints import Checkpoints
from graphnets.training.heads import Head
from graphnets.training.options import with_usual_decay
from graphnets.training.summaries import Point, Summaries
from graphnets.training.tune import Stored, Tuned, audit, train


@dataclass(frozen=True)
class Result:
    """What `retrain` found: metrics.json's content, the photos with their splits, head, network.

    photos has, besides the columns of `graphnets.scan` and `graphnets.split`, `predicted`: the
    label that the classifier gives to a photo of the testing split, "" for the others, and the
    columns of `opinions.with_scores` and `opinions.with_doubts`. network has the layers that were
    trained.
    """

    metrics: dict
    photos: pd.DataFrame
    head: Head
    network: Network


@plain_text
def retrain(
    images: Images,
    network: Network,
    options: RetrainOptions | None = None,
    progress: Progress = no_progress,
    say: Callable[[str], object] = lambda line: None,
) -> Result:
    """Train a classifier for the photos of a folder or table on the network's frozen features.

    Writes output_graph.pb, output_labels.txt, metrics.json, photos.csv, curves.csv and report.html;
    features already in the store are not computed again.
    images: as `graphnets.scan` takes them.
    network: from `graphnets.open_network`; it stays as it is, `Result` has the trained one.
    options: what is read, trained and written where (None: `graphnets.RetrainOptions()`).
    progress: called as tqdm is, and gives what it was given; by default no bar is shown.
    say: called with each line that tells what is being done; by default nobody is told.
    Raises GraphnetsError for photos, options or folders that cannot serve, before the photos
    are run wherever that can be known; Stopped where SIGTERM ended it.

    >>> network = graphnets.open_network("efficientnet_lite0", "random")
    >>> folders = {"output_dir": "out", "bottleneck_dir": "features", "summaries_dir": None}
    >>> steps = graphnets.TrainingOptions(how_many_training_steps=50)
    >>> options = graphnets.RetrainOptions(endpoint="stem", training=steps, **folders)
    >>> graphnets.retrain("signs", network, options).metrics["test_count"]
    43
    """
    options = checked_job(images, network, options, progress)
    check_outputs(options)
    seconds = _Seconds()
    job = _prepared(images, network, options, seconds, progress, say)
    with seconds("more heads"):
        options, heads = _more_heads(job, options, say)
    tuned, log = _trained(job, options, seconds, progress, say)
    with seconds("evaluation"):
        tested = job.photos[job.photos.split == "testing"]
        behind = job.cut, job.names
        found = judged(tuned, behind, job.splits, job.labels, options, tested, job.others)
        photos = _with_findings(job, found, tested, say)
    with seconds("export"):
        graph_def = _write_classifier(tuned.network, job.names, found.head, job.labels, options)
    metrics = {
        **found.figures,
        **heads,
        "train_count": len(job.splits[0].labels),
        "validation_count": len(job.splits[1].labels),
        "best_step": tuned.head.step,
        "labels": job.labels,
        "earlier": job.before and job.before.compared(photos, job.labels),
        **_of_photos(photos),
        "fine_tuning": _fine_tuning(network, job.cut, tuned, graph_def),
        **_provenance(network, job.names, photos, options),
        "seconds": {**seconds.measured, "training_step": tuned.seconds_per_step},
    }
    _write_figures(metrics, photos, log.points, Path(options.output_dir))
    if options.report:
        say("writing report.html")
        report_on_run(say, options.output_dir, options.graph_path, options.labels_path)
    board = partial(write_board, log.run, found, tested, say) if log.run else None
    _write_last(board, graph_def, options)
    return Result(metrics, photos, found.head, tuned.network)


def _write_last(
    board: Callable[[], object] | None, graph_def: tf.GraphDef, options: RetrainOptions
) -> None:
    """The summaries' pictures, and the SavedModel: a run that finds one refuses to begin."""
    if board:
        board()
    if options.saved_model_dir:
        write_saved_model(options.saved_model_dir, graph_def, options.final_tensor_name)


class _Job(NamedTuple):
    """What is trained on: photos with a split, what is stored of them, and an earlier run."""

    network: Network
    names: list[str]
    cut: Cut
    before: Earlier | None
    photos: pd.DataFrame
    labels: list[str]
    splits: tuple[Stored, Stored, Stored]
    others: Others | None


def _prepared(
    images: Images,
    network: Network,
    options: RetrainOptions,
    seconds: _Seconds,
    progress: Progress,
    say: Callable[[str], object],
) -> _Job:
    """What is wrong with the options is told before the photos are run, wherever it can be."""
    names = endpoint_names(network, options.endpoint)
    cut = network.cut(names, options.trainable)
    before = earlier(options, network, names)
    stock = Stock(network, names, [cut], options)
    with seconds("photos"):
        photos = listed(images, options, progress, say)
    with seconds("features"):
        if cut.layers and not cut.after:
            say("the first layer trains: the whole network runs at every step, nothing is stored")
        photos = stock.add(photos, progress, say)
        labels = class_names(photos)
        splits = stock.stored(photos, cut, labels)
        others = stock.others(photos, cut, progress, say)
    check_splits(splits, options, say)
    if options.folds:
        folds(photos[photos.problem == ""], options.folds, options.training.seed)
    if before and before.learnt(photos):
        say(
            f"warning: {before.learnt(photos)} test photos have taught the head of "
            f"{shown(before.folder)}, which flatters the figures; give the flags of its split"
        )
    return _Job(network, names, cut, before, photos, labels, splits, others)


def _trained(
    job: _Job,
    options: RetrainOptions,
    seconds: _Seconds,
    progress: Progress,
    say: Callable[[str], object],
) -> tuple[Tuned, Summaries]:
    """What was trained, and its curves."""
    start = job.before and job.before.start(job.labels, options.training.seed)
    checkpoints = _checkpoints(job, options, start, say)

    def warn(line: str) -> None:
        say(f"warning: {line}")

    graphs = options.intermediate_store_frequency, partial(_write_intermediate, job.names, options)
    with seconds("training"), Summaries(options.summaries_dir) as log:
        tuned = train(
            job.network, job.cut, job.names, job.splits[:2], len(job.labels), options.training,
            Beside(log, checkpoints, progress, *graphs, warn), start,
        )  # fmt: skip
        return tuned, log


def _with_findings(
    job: _Job, found: Judged, tested: pd.DataFrame, say: Callable[[str], object]
) -> pd.DataFrame:
    """The photos with the columns that `Result` tells of."""
    predicted = pd.Series(found.predicted, tested.index, object)
    photos = job.photos.assign(predicted=predicted.reindex(job.photos.index).fillna(""))
    photos = with_scores(photos, found.scores, job.labels)
    return with_doubts(photos, job.splits, job.labels, say)


def _more_heads(
    job: _Job, options: RetrainOptions, say: Callable[[str], object]
) -> tuple[RetrainOptions, dict]:
    """The options with the head that a search found best; what search and folds gave."""
    trials = figures = None
    trainer = Trainer(job.network, job.names, len(job.labels))
    if options.search:
        learnt = pool(job.photos, job.splits[:2], SPLITS[:2]) if options.folds else None
        best, trials = searched(job.splits[:2], learnt, trainer, options, say)
        options = replace(options, training=best)
    if options.folds:
        figures = cross_validated(pool(job.photos, job.splits), trainer, options, say)
    return options, {"search": trials, "folds": figures}


def _of_photos(photos: pd.DataFrame) -> dict:
    """What a reader of the figures must know about the photos behind them."""
    return {
        "left_out": _left_out(photos),
        "split_by": split_by(photos),
        "torn_tracks": _torn_tracks(photos),
        "copies_across_splits": copies_across_splits(photos),
        "in_two_classes": in_two_classes(photos),
    }


def _torn_tracks(photos: pd.DataFrame) -> dict | None:
    tracks = looks_like_tracks(photos)
    return tracks and tracks._asdict()


def _checkpoints(
    job: _Job, options: RetrainOptions, start: Head | None, say: Callable[[str], object]
) -> Checkpoints:
    """Those of this run: equal in all that decides what it learns."""
    network, photos = job.network, job.photos
    learns = {
        "start": start and [part.tolist() for part in start.arrays()],
        "network": [
            network.name,
            network.fingerprint,
            job.names,
            options.trainable,
            network.precision,
        ],
        "training": vars(options.training),
        "augmentation": [options.drawn.describe(), options.copies],
        "photos": photos[photos.columns.intersection(["label", "key", "split", "weight"])].to_csv(),
    }
    digest = hashlib.sha256(json.dumps(learns, sort_keys=True).encode()).hexdigest()
    folder = options.checkpoint_dir or Path(options.output_dir) / "checkpoints"
    return Checkpoints(
        folder, options.checkpoint_every, options.max_to_keep, digest, options.resume, say
    )


def _fine_tuning(network: Network, cut: Cut, tuned: Tuned, graph_def: tf.GraphDef) -> dict:
    """What trained, and the freeze audit of the exported graph."""
    return {
        "trainable": cut.layers,
        "stored_at": cut.after if cut.layers else None,
        "freeze_audit": audit(network, graph_def, tuned.moved),
    }


def _write_classifier(
    network: Network, names: list[str], head: Head, labels: list[str], options: RetrainOptions
) -> tf.GraphDef:
    output = options.final_tensor_name
    graph_def = export.classifier_graph_def(network, names, head, output)
    with writing(options.graph_path):
        export.write_graph(options.graph_path, graph_def)
    with writing(options.labels_path):
        export.write_labels(options.labels_path, labels)
    return graph_def


def _write_intermediate(
    names: list[str], options: RetrainOptions, head: Head, network: Network
) -> None:
    graph_def = export.classifier_graph_def(network, names, head, options.final_tensor_name)
    target = Path(options.intermediate_output_graphs_dir) / f"intermediate_{head.step}.pb"
    with writing(target):
        export.write_graph(target, graph_def)


def _left_out(photos: pd.DataFrame) -> list[dict[str, str]]:
    left_out = photos[photos.problem != ""]
    return [{"path": row.path, "reason": row.problem} for row in left_out.itertuples()]


def copies_across_splits(photos: pd.DataFrame) -> int:
    """How many photos have the same bytes as one in another split: they flatter the figures."""
    usable = photos[photos.problem == ""]
    return int((usable.groupby("key").split.transform("nunique") > 1).sum())


def _provenance(
    network: Network, names: list[str], photos: pd.DataFrame, options: RetrainOptions
) -> dict:
    """What someone needs to get the same figures again."""
    training = with_usual_decay(options.training, alone=not options.trainable)
    return {
        "architecture": network.name,
        "weights": network.fingerprint,
        "endpoint": ",".join(names),
        "precision": network.precision,
        "device": devices.used(),
        "seeds": {"training": training.seed},
        "options": {
            **(
                options.splitting
                if split_by(photos) != "table"
                else dict.fromkeys(options.splitting)
            ),
            "trainable": options.trainable,
            "final_tensor_name": options.final_tensor_name,
            "augmentation": options.drawn.describe() if options.copies else "",
            "augmented_copies": options.copies,
            "test_batch_size": options.test_batch_size,
            "folds": options.folds,
            "search": options.search,
            "from": options.earlier and os.fspath(options.earlier),
            "unknown_dir": options.unknown_dir and os.fspath(options.unknown_dir),
            "false_alarm_rate": options.false_alarm_rate,
            **{name: value for name, value in vars(training).items() if name != "seed"},
        },
        "versions": {
            "graphnets": graphnets.__version__,
            "tensorflow": tf.version.VERSION,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _write_figures(
    metrics: dict, photos: pd.DataFrame, points: Sequence[Point], output_dir: Path
) -> None:
    # As a table of photos it gives the same run again, wherever that is started.
    table = photos.drop(columns=["given_split", "labels"], errors="ignore")
    table = table.assign(path=photos.path.map(absolute))
    csv = table.to_csv(index=False, lineterminator="\n")
    curves = pd.DataFrame(points, columns=Point._fields).to_csv(index=False, lineterminator="\n")
    text = f"{json.dumps(metrics, indent=2)}\n"
    for name, data in (
        (PHOTOS, csv.encode("utf-8", "surrogateescape")),
        (CURVES, curves.encode()),
        (METRICS, text.encode()),
    ):
        with writing(output_dir / name):
            write_whole(output_dir / name, data)


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
