"""Commands that run photos through a network: predict, classify, extract."""

from __future__ import annotations

import os
from pathlib import Path

import click

from graphnets.classifier.options import InputOptions
from graphnets.cli.cluster import cluster_flags, on_cluster, taken, worker_flags
from graphnets.cli.flags import graph_flags, network_flags, options, photo_flags
from graphnets.cli.keeping import Keeping, bar, check_keeping, keep, say_predictions
from graphnets.cli.network import check_network, check_photos, opened
from graphnets.cli.parts import Cutting, check_cutting, part_flags, write_parts
from graphnets.cli.terminal import progress_bar, quiet_tensorflow, say, say_left_out
from graphnets.errors import GraphnetsError, shown
from graphnets.features.mirror import check_bottleneck_dir
from graphnets.files import check_readable, check_target
from graphnets.photos.folders import is_video, photo_paths

# Endings that say another format than what `extract` writes.
OTHER_FORMATS = (
    ".npy", ".csv", ".tsv", ".txt", ".json", ".h5", ".hdf5", ".pkl", ".pickle", ".mat", ".parquet",
    ".safetensors", ".pb", ".zip", ".gz",
)  # fmt: skip
every_flag = click.option(
    "--every",
    type=click.FloatRange(0, min_open=True),
    default=1.0,
    help="Seconds from frame to frame of a video.",
)


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@options(
    click.option("--top_k", type=click.IntRange(1), default=5, help="Classes to name."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option(
        "--output",
        type=click.Path(),
        help="A .csv, .jsonl or .parquet to write in place of a line a photo.",
    ),
    click.option(
        "--copy_to",
        type=click.Path(),
        help="Copy the photos to this folder, in folders by label; nothing is overwritten.",
    ),
    click.option(
        "--min_score",
        type=float,
        help="With --copy_to: a photo whose score is below goes to the folder 'unsure'.",
    ),
    part_flags,
    worker_flags,
    every_flag,
    graph_flags,
)
def predict(**flags) -> None:
    """Classify PHOTOS, files or whole folders, with a trained graph.

    The --input_ flags but the first are for another tool's graph that takes pictures, not bytes.
    """
    photos, top_k, every = (flags.pop(name) for name in ("photos", "top_k", "every"))
    keeping = Keeping(**{name: flags.pop(name) for name in Keeping._fields})
    cutting = Cutting(**{name: flags.pop(name) for name in Cutting._fields})
    cluster = taken(flags)
    graph, labels = flags.pop("graph"), flags.pop("labels")
    entry = InputOptions(**flags)
    for path in (graph, labels):
        check_readable(path)
    check_keeping(keeping, photos)
    check_cutting(cutting, keeping)
    if cutting.parts is not None:
        with on_cluster(cluster):
            write_parts(cutting.parts, photos, (graph, labels, entry), cutting.options(top_k))
        return
    if cluster["cluster"]:
        raise click.UsageError("--cluster is for predictions in --parts; name their folder")
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier

    classifier = Classifier(graph, labels, entry)
    predictions = classifier.predict(photo_paths(photos), top_k, every)
    if keeping.output is None and keeping.copy_to is None:
        say_predictions(predictions, keeping.as_json)
    else:
        keep(bar(predictions, photos), keeping, classifier.labels, classifier.says(top_k))


@click.command()
@photo_flags
@every_flag
@click.option("--output", type=click.Path(), default="features.npz", help="The .npz to write.")
@cluster_flags
def extract(output: str, every: float, **flags) -> None:
    """Write the features of a folder's photos to one .npz: features, paths, labels.

    Or of the frames of a video: features, paths, times.
    """
    target, cluster = _npz(output), taken(flags)
    check_network(flags)
    check_target(target)
    if is_video(flags["images"]):
        check_readable(flags["images"])
        if cluster["cluster"]:
            raise GraphnetsError("--cluster is for photos, and a video is one file; leave it out")
        _extract_video(target, every, flags)
        return
    check_photos(flags["images"], flags["image_root"], flags["multi_label"])
    check_bottleneck_dir(flags["bottleneck_dir"])
    with quiet_tensorflow():
        from graphnets.features.bottlenecks import Bottlenecks
        from graphnets.photos.listing import scan

    progress = progress_bar()
    network = opened(flags)
    with on_cluster(cluster):
        flagged = (flags[name] for name in ("image_root", "multi_label", "trust_keys"))
        photos = scan(flags["images"], progress, *flagged)
        bottlenecks = Bottlenecks(network, flags["endpoint"], flags["bottleneck_dir"])
        photos = bottlenecks.add(photos, progress, lambda line: say(f"warning: {line}"))
    say_left_out(photos[photos.problem != ""])
    photos = photos[photos.problem == ""]
    features = bottlenecks.read(photos)
    columns = {"paths": photos.path.to_numpy(str), "labels": photos.label.to_numpy(str)}
    _write_features(target, "photos", ",".join(bottlenecks.names), features, columns)


def _extract_video(target: Path, every: float, flags: dict) -> None:
    with quiet_tensorflow():
        import numpy as np

        from graphnets.features.frames import frame_features

    network = opened(flags)
    found = frame_features(network, flags["endpoint"], flags["images"], every)
    if found.problem:
        say(f"warning: {flags['images']}: {found.problem}", err=True)
    if not len(found.times):
        raise GraphnetsError(f"{flags['images']} has no frames that can be read")
    columns = {"paths": np.repeat(flags["images"], len(found.times)), "times": found.times}
    _write_features(target, "frames", ",".join(found.names), found.features, columns)


def _write_features(target: Path, what: str, names: str, features, columns: dict) -> None:
    import numpy as np

    from graphnets.files import whole_file, writing

    with writing(target), whole_file(target) as temporary, open(temporary, "wb") as file:
        # A file, as to a name NumPy may add an ending.
        np.savez(file, features=features, **columns)
    count, width = features.shape
    click.echo(f"{shown(target)}: {count} {what}, {width} features of {names}")


def _npz(output: str) -> Path:
    """The file that an --output names, with .npz at its end; GraphnetsError if it names none."""
    lower = output.lower()
    if lower.endswith(OTHER_FORMATS):
        raise GraphnetsError(
            f"--output {shown(output)} names another format, features are written as .npz; name a "
            "file that ends in .npz"
        )
    target = Path(output if lower.endswith(".npz") else f"{output}.npz")
    if not os.path.basename(output) or os.path.isdir(output) or os.path.isdir(target):
        raise GraphnetsError(
            f"--output {shown(output)} is a folder; name a file in it, such as "
            f"{shown(Path(output) / 'features.npz')}"
        )
    return target


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path())
@network_flags
@click.option("--top_k", type=click.IntRange(1), default=5, help="Classes to name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def classify(images: tuple[str, ...], top_k: int, as_json: bool, **flags) -> None:
    """Name what is in IMAGES, files or whole folders: ImageNet's classes, likeliest first."""
    check_network(flags)
    with quiet_tensorflow():
        from graphnets.classifier.classify import ImageNetClassifier

    classifier = ImageNetClassifier(opened(flags))
    say_predictions(classifier.predict(photo_paths(images), top_k), as_json)
