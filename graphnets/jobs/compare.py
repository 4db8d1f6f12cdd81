"""How deep to fine-tune: the same training from several layers on, side by side."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import pandas as pd

from graphnets import devices
from graphnets.errors import GraphnetsError, shown
from graphnets.files import write_whole, writing
from graphnets.jobs.judge import judged
from graphnets.jobs.options import RetrainOptions, check_outputs_of_run, compared_files, depth_names
from graphnets.jobs.stock import Stock, checked_job, listed
from graphnets.networks.network import Cut, Network, endpoint_names
from graphnets.photos.folders import SPLITS
from graphnets.photos.images import Progress, no_progress, plain_text
from graphnets.photos.labels import class_names
from graphnets.photos.listing import Images
from graphnets.report import plots
from graphnets.report.plots import Curve
from graphnets.report.write import report_on_run
from graphnets.training.beside import Beside
from graphnets.training.options import Diverged, head_shape
from graphnets.training.summaries import Summaries
from graphnets.training.tune import Stored, train

Say = Callable[[str], object]


@dataclass(frozen=True)
class Depth:
    """What came of training from the layer `name` on; a row of the table.

    trainable_parameters: numbers that train, those of the head among them.
    test_accuracy: at best_step, the step of the least validation loss, a share from 0 to 1; None
    without photos for testing. shared_features_seconds: of the one pass over the photos, the same
    in all rows of a comparison: it filled the stores of all depths, and cannot be told apart.
    training_seconds: of this depth alone, with validations and the head's warm-up, without
    testing. steps_per_second: of the steps behind the warm-up, without validations.
    validation: the curve; with a warm-up, its steps are the first. diverged_at: the step, counted
    likewise, at which the loss was no longer finite; what training would have given is None then.
    mean_average_precision: on the test photos, where they may have several labels, or else None.
    test_accuracy_interval: from and to, of 95 %, see `evaluate.interval`.
    """

    name: str
    trainable_parameters: int
    test_accuracy: float | None
    shared_features_seconds: float
    training_seconds: float
    steps_per_second: float | None
    best_step: int | None
    validation: Curve
    diverged_at: int | None = None
    mean_average_precision: float | None = None
    test_accuracy_interval: list[float] | None = None


@plain_text
def compare(
    images: Images,
    network: Network,
    depths: str | Sequence[str],
    options: RetrainOptions | None = None,
    progress: Progress = no_progress,
    say: Say = lambda line: None,
) -> list[Depth]:
    """Train a classifier once for each depth, for the photos of a folder or table.

    A depth is the first layer that trains: "fc7" is `trainable="fc7:"`, fc7 and all behind it; the
    network's own last layer ("fc8", "softmax") is the head alone; "all" is all. Photos, split,
    seed, batches and first head are the same for all. The photos run through the network once, and
    what lies before each depth is stored; only a depth that trains the first layer reads them
    again, at every step. Writes compare.csv (the table), compare.json (curves and options, too) and
    compare.png into options.output_dir after each depth, report.html at the end, and TensorBoard's
    summaries into a folder a depth of options.summaries_dir. No classifier is written, and of
    `options` are passed over `trainable`, checkpoints, outputs, folds, search and photos of no
    class. A depth that diverges has a row that says so.
    images, network, options, progress, say: as `graphnets.retrain` takes them.
    Raises GraphnetsError for depths, photos and folders that cannot serve, wherever possible before
    the photos are run, and for a depth that fails otherwise: the files have the depths before it.

    >>> network = graphnets.open_network("efficientnet_lite0", "random")
    >>> folders = {"output_dir": "depths", "bottleneck_dir": "features", "summaries_dir": None}
    >>> options = graphnets.RetrainOptions(**folders, training=graphnets.TrainingOptions(2))
    >>> depths = graphnets.compare(graphnets.scan("signs").head(9), network, "fc,head", options)
    >>> [(depth.name, depth.trainable_parameters) for depth in depths]
    [('fc', 3843), ('head', 414723)]
    """
    options = checked_job(images, network, options, progress)
    names = endpoint_names(network, options.endpoint)
    cuts = _cuts(network, names, depths)
    stock = Stock(network, names, list(cuts.values()), options)
    check_outputs_of_run(options, compared_files(options))
    photos = listed(images, options, progress, say)
    start = time.perf_counter()
    photos = stock.add(photos, progress, say)
    seconds = round(time.perf_counter() - start, 3)
    counts = {name: int((photos.split == name).sum()) for name in SPLITS}
    say(", ".join(f"{count} for {name}" for name, count in counts.items()))
    labels = class_names(photos)
    found: list[Depth] = []
    for name, cut in cuts.items():
        say(f"training {', '.join([*cut.layers, 'the head'])}")
        try:
            splits = stock.stored(photos, cut, labels)
            found.append(
                _trained(name, cut, (network, names), splits, photos, seconds, options, progress)
            )
        except GraphnetsError as error:
            raise GraphnetsError(f"the depth {name!r} fails: {error}") from None
        if found[-1].diverged_at is not None:
            say(f"{name} diverged at step {found[-1].diverged_at}; the others go on")
        with writing(f"the table in {options.output_dir}"):
            _write(found, _provenance(network, names, counts, options), Path(options.output_dir))
    if options.report:
        report_on_run(say, options.output_dir)
    return found


def table(depths: Sequence[Depth]) -> str:
    """The rows as text for people, a line a depth."""
    width = max([len("from"), *(len(shown(depth.name)) for depth in depths)])
    several = any(depth.mean_average_precision is not None for depth in depths)
    lines = [
        f"{'from':{width}s}  trainable parameters  test accuracy  95 % interval  "
        f"{'  mAP  ' if several else ''}"
        "features s (shared)  training s  steps/s"
    ]
    for depth in depths:
        accuracy = "-" if depth.test_accuracy is None else f"{depth.test_accuracy:.1%}"
        rate = "-" if depth.steps_per_second is None else f"{depth.steps_per_second:.1f}"
        line = (
            f"{shown(depth.name):{width}s}  {depth.trainable_parameters:>20,d}  {accuracy:>13s}  "
            f"{_between(depth.test_accuracy_interval):>13s}  "
            f"{_percent(depth.mean_average_precision) + '  ' if several else ''}"
            f"{depth.shared_features_seconds:19.1f}  {depth.training_seconds:10.1f}  {rate:>7s}"
        )
        diverged = depth.diverged_at is not None
        lines.append(f"{line}  diverged at step {depth.diverged_at}" if diverged else line)
    return "\n".join(lines)


def _between(interval: list[float] | None) -> str:
    return "-" if interval is None else "{:.1%} - {:.1%}".format(*interval)


def _percent(share: float | None) -> str:
    return f"{'-' if share is None else f'{share:.1%}':>5s}"


def _cuts(network: Network, names: Sequence[str], depths: str | Sequence[str]) -> dict[str, Cut]:
    return {
        depth: network.cut(names, depth if depth == "all" else f"{depth}:")
        for depth in depth_names(depths)
    }


def _trained(
    name: str,
    cut: Cut,
    source: tuple[Network, list[str]],
    splits: tuple[Stored, Stored, Stored],
    photos: pd.DataFrame,
    features_seconds: float,
    options: RetrainOptions,
    progress: Progress,
) -> Depth:
    network, names = source
    labels, tested = class_names(photos), photos[photos.split == "testing"]
    training, validation, _ = splits
    folder = re.sub(r"[^\w.-]", "_", name)
    logs = options.summaries_dir and Path(options.summaries_dir) / folder
    log = Summaries(logs)
    row = Depth(
        name,
        _parameters(network, cut.layers) + _head_parameters(training, len(labels), options),
        None,
        features_seconds,
        0.0,
        None,
        None,
        Curve([], [], []),
    )
    start = time.perf_counter()
    try:
        with log:
            tuned = train(
                network, cut, names, (training, validation), len(labels), options.training,
                Beside(log, progress=progress),
            )  # fmt: skip
    except Diverged as error:
        seconds = round(time.perf_counter() - start, 3)
        row = replace(row, validation=_curve(log), diverged_at=log.offset + error.step)
        return replace(row, training_seconds=seconds)
    seconds = round(time.perf_counter() - start, 3)
    plain = replace(options, false_alarm_rate=None, unknown_dir=None)
    figures = judged(tuned, (cut, names), splits, labels, plain, tested).figures
    return replace(
        row,
        validation=_curve(log),
        test_accuracy=figures["test_accuracy"],
        test_accuracy_interval=figures["test_accuracy_interval"],
        mean_average_precision=figures.get("mean_average_precision"),
        training_seconds=seconds,
        steps_per_second=round(1 / max(tuned.seconds_per_step, 1e-9), 3),
        best_step=tuned.head.step,
    )


def _parameters(network: Network, layers: Sequence[str]) -> int:
    """How many numbers the named layers learn."""
    return sum(layer.parameters for layer in network.layers() if layer.name in layers)


def _head_parameters(training: Stored, classes: int, options: RetrainOptions) -> int:
    """How many numbers a head on the stored features learns."""
    width = sum(part.shape[1] for part in training.features)
    units = head_shape(options.training.head).units
    sizes = [width, units, classes] if units else [width, classes]
    return sum((size + 1) * following for size, following in pairwise(sizes))


def _curve(log: Summaries) -> Curve:
    """Of the validation split, without what JSON has no numbers for."""
    points = [p for p in log.points if p.split == "validation" and math.isfinite(p.loss)]
    return Curve([p.step for p in points], [p.loss for p in points], [p.accuracy for p in points])


def _provenance(
    network: Network, names: Sequence[str], counts: dict[str, int], options: RetrainOptions
) -> dict:
    """What is the same for all depths."""
    return {
        "architecture": network.name,
        "weights": network.fingerprint,
        "endpoint": ",".join(names),
        "precision": network.precision,
        "device": devices.used(),
        "photos": counts,
        "options": {
            **options.splitting,
            "augmentation": options.drawn.describe() if options.copies else "",
            "augmented_copies": options.copies,
            "test_batch_size": options.test_batch_size,
            **vars(options.training),
        },
    }


def _write(depths: Sequence[Depth], provenance: dict, folder: Path) -> None:
    rows = [asdict(depth) for depth in depths]
    curves = [row.pop("validation") for row in rows]
    # object: a None among whole numbers would make fractions of them.
    csv = pd.DataFrame(rows, dtype=object).to_csv(index=False, lineterminator="\n")
    write_whole(folder / "compare.csv", csv.encode("utf-8", "surrogateescape"))
    for row, curve in zip(rows, curves, strict=True):
        row["validation"] = Curve(*curve)._asdict()
    text = json.dumps({**provenance, "depths": rows}, indent=2)
    write_whole(folder / "compare.json", f"{text}\n".encode())
    plots.validation_curves(
        # The losses of one that diverged would leave no height for the others'.
        {depth.name: depth.validation for depth in depths if depth.diverged_at is None},
        folder / "compare.png",
    )
