"""How deep to fine-tune: the same training from several layers on, side by side."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from graphnets.errors import GraphnetsError
from graphnets.features.bottlenecks import Bottlenecks, endpoint_names, with_copies
from graphnets.files import check_writable, write_whole
from graphnets.jobs import plots
from graphnets.jobs.options import RetrainOptions, depth_names
from graphnets.jobs.plots import Curve
from graphnets.jobs.retrain import tested_figures
from graphnets.jobs.stock import Stock
from graphnets.networks.stack import Cut, Network
from graphnets.photos.images import Progress, check_classes, no_progress, scan, shown, split
from graphnets.training.heads import Head
from graphnets.training.options import head_shape
from graphnets.training.summaries import Summaries
from graphnets.training.train import Examples
from graphnets.training.tune import features_behind, train

Say = Callable[[str], object]
SPLITS = ("training", "validation", "testing")


@dataclass(frozen=True)
class Depth:
    """What came of training from the layer `name` on; a row of the table.

    trainable_parameters: numbers that train, those of the head among them.
    test_accuracy: at best_step, the step of the least validation loss, a share from 0 to 1; None
    without photos for testing. shared_features_seconds: of the one pass over the photos, the same
    in all rows of a comparison: it filled the stores of all depths, and cannot be told apart.
    training_seconds: of this depth alone, with validations and the head's warm-up, without
    testing. steps_per_second: of the steps behind the warm-up, without validations.
    validation: the curve; with a warm-up, its steps are the first.
    """

    name: str
    trainable_parameters: int
    test_accuracy: float | None
    shared_features_seconds: float
    training_seconds: float
    steps_per_second: float
    best_step: int
    validation: Curve


def compare(
    image_dir: str | os.PathLike[str],
    network: Network,
    depths: Sequence[str],
    options: RetrainOptions | None = None,
    progress: Progress = no_progress,
    say: Say = lambda line: None,
) -> list[Depth]:
    """Train a classifier for the sub-folders of image_dir once for each depth.

    A depth is the first layer that trains: "fc7" is `trainable="fc7:"`, fc7 and all behind it;
    the network's own last layer ("fc8", "softmax") is the head alone; "all" is all. Photos,
    split, seed, batches and first head are the same for all. The photos run through the
    network once, and what lies before each depth is stored; only a depth that trains the first
    layer reads them again, at every step.

    Writes compare.csv (the table), compare.json (curves and options, too) and compare.png into
    options.output_dir after each depth, and TensorBoard's summaries into a folder a depth of
    options.summaries_dir. No classifier is written, and `trainable`, the checkpoints and the
    outputs of `options` are passed over. Raises GraphnetsError for depths, photos and folders
    that cannot serve, wherever possible before the photos are run, and where a depth's loss is no
    longer finite: the files have the depths before it.
    """
    options = options or RetrainOptions()
    names = endpoint_names(network, options.endpoint)
    cuts = _cuts(network, names, depths, options)
    check_writable(Path(options.output_dir))
    photos = scan(image_dir, progress)
    say(f"{len(photos)} files in {photos.label.nunique()} classes")
    start = time.perf_counter()
    photos = _store(network, names, cuts, photos, options, (progress, say))
    seconds = round(time.perf_counter() - start, 3)
    counts = {name: int((photos.split == name).sum()) for name in SPLITS}
    say(", ".join(f"{count} for {name}" for name, count in counts.items()))
    found: list[Depth] = []
    for name, cut in cuts.items():
        say(f"training {', '.join([*cut.layers, 'the head'])}")
        try:
            found.append(_trained(name, cut, (network, names), photos, seconds, options, progress))
        except GraphnetsError as error:
            raise GraphnetsError(f"the depth {name!r} fails: {error}") from None
        _write(found, _provenance(network, names, counts, options), Path(options.output_dir))
    return found


def table(depths: Sequence[Depth]) -> str:
    """The rows as text for people, a line a depth."""
    width = max([len("from"), *(len(shown(depth.name)) for depth in depths)])
    lines = [
        f"{'from':{width}s}  trainable parameters  test accuracy  features s (shared)  training s"
        "  steps/s"
    ]
    for depth in depths:
        accuracy = "-" if depth.test_accuracy is None else f"{depth.test_accuracy:.1%}"
        lines.append(
            f"{shown(depth.name):{width}s}  {depth.trainable_parameters:>20,d}  {accuracy:>13s}  "
            f"{depth.shared_features_seconds:19.1f}  {depth.training_seconds:10.1f}  "
            f"{depth.steps_per_second:7.1f}"
        )
    return "\n".join(lines)


def _cuts(
    network: Network, names: Sequence[str], depths: Sequence[str], options: RetrainOptions
) -> dict[str, Cut]:
    cuts = {
        depth: network.cut(names, depth if depth == "all" else f"{depth}:")
        for depth in depth_names(depths)
    }
    for depth, cut in cuts.items():
        if options.copies and not cut.after:
            raise GraphnetsError(
                f"got the depth {depth!r} and augmented copies, which are stored behind frozen "
                "layers, of which it leaves none; wanted a later layer, or no augmentation"
            )
    return cuts


def _store(
    network: Network,
    names: Sequence[str],
    cuts: dict[str, Cut],
    photos: pd.DataFrame,
    options: RetrainOptions,
    shows: tuple[Progress, Say],
) -> pd.DataFrame:
    """Store what the depths need in one pass; the photos with their splits and problems."""
    progress, say = shows
    maps = [cut.after for cut in cuts.values() if cut.layers and cut.after]
    maps += names if head_shape(options.training.head).flatten else []
    maps = list(dict.fromkeys(maps))
    plain = Bottlenecks(network, names, options.bottleneck_dir, maps)
    new = len(plain.missing(photos))
    say(f"{new} photos to run through {network.name} to {','.join(dict.fromkeys([*names, *maps]))}")
    photos = plain.add(photos, progress)
    check_classes(photos)
    photos = split(photos, **options.splitting)
    if options.copies:
        varied = Bottlenecks(
            network, names, options.bottleneck_dir, maps, options.drawn, options.training.seed
        )
        copies = with_copies(photos[photos.split == "training"], options.copies)
        say(f"{len(varied.missing(copies))} augmented variants to run through {network.name}")
        varied.add(copies, progress)
    return photos


def _trained(
    name: str,
    cut: Cut,
    source: tuple[Network, list[str]],
    photos: pd.DataFrame,
    features_seconds: float,
    options: RetrainOptions,
    progress: Progress,
) -> Depth:
    network, names = source
    labels = sorted(photos[photos.problem == ""].label.unique())
    stock = Stock(network, names, cut, options)
    stock.add(photos, progress, lambda line: None)  # finds all of it stored
    training, validation, testing = (stock.stored(photos, part, labels) for part in SPLITS)
    folder = re.sub(r"[^\w.-]", "_", name)
    logs = options.summaries_dir and Path(options.summaries_dir) / folder
    log = _Record(logs)
    start = time.perf_counter()
    with log:
        tuned = train(
            network, cut, names, (training, validation), len(labels), options.training, log,
            progress=progress,
        )  # fmt: skip
    seconds = time.perf_counter() - start
    features = features_behind(tuned.network, cut, names, testing, tuned.head.flatten)
    figures = tested_figures(tuned.head, Examples(features, testing.labels), labels, options)
    return Depth(
        name,
        _parameters(network, cut.layers) + _head_parameters(tuned.head),
        figures["test_accuracy"],
        features_seconds,
        round(seconds, 3),
        round(1 / max(tuned.seconds_per_step, 1e-9), 3),
        tuned.head.step,
        log.curve,
    )


def _parameters(network: Network, layers: Sequence[str]) -> int:
    """How many numbers the named layers learn."""
    return sum(layer.parameters for layer in network.layers() if layer.name in layers)


def _head_parameters(head: Head) -> int:
    return sum(part.size for part in (head.weights, head.biases, *(head.hidden or ())))


class _Record(Summaries):
    """Summaries that also keep the figures of the validation split."""

    def __init__(self, parent: str | os.PathLike[str] | None) -> None:
        super().__init__(parent)
        self.curve = Curve([], [], [])

    def add(self, split: str, number: int, loss: float, accuracy: float) -> None:
        super().add(split, number, loss, accuracy)
        if split == "validation":
            for column, value in zip(
                self.curve, (self.offset + number, loss, accuracy), strict=True
            ):
                column.append(value)  # type: ignore[attr-defined]


def _provenance(
    network: Network, names: Sequence[str], counts: dict[str, int], options: RetrainOptions
) -> dict:
    """What is the same for all depths."""
    return {
        "architecture": network.name,
        "weights": network.fingerprint,
        "endpoint": ",".join(names),
        "precision": network.precision,
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
    csv = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_whole(folder / "compare.csv", csv.encode("utf-8", "surrogateescape"))
    for row, curve in zip(rows, curves, strict=True):
        row["validation"] = Curve(*curve)._asdict()
    text = json.dumps({**provenance, "depths": rows}, indent=2)
    write_whole(folder / "compare.json", f"{text}\n".encode())
    plots.validation_curves(
        {depth.name: depth.validation for depth in depths}, folder / "compare.png"
    )
