"""Commands that train: retrain, compare, demo."""

from __future__ import annotations

import signal
from pathlib import Path

import click

from graphnets.cli.cluster import cluster_flags, on_cluster, taken
from graphnets.cli.flags import (
    augmentation_flags,
    checkpoint_flags,
    classifier_flags,
    photo_flags,
    run_flags,
    training_flags,
)
from graphnets.cli.network import NETWORK, check_network, check_photos, opened
from graphnets.cli.terminal import (
    progress_bar,
    quiet_tensorflow,
    report,
    say,
    say_where,
    saying,
)
from graphnets.errors import GraphnetsError
from graphnets.files import check_writable
from graphnets.jobs.options import (
    RetrainOptions,
    check_outputs,
    check_outputs_of_run,
    compared_files,
    demo_options,
    depth_names,
)
from graphnets.photos.augmentation import Augmentation
from graphnets.training.options import TrainingOptions


@click.command()
@photo_flags
@run_flags
@classifier_flags
@training_flags
@augmentation_flags
@checkpoint_flags
@cluster_flags
def retrain(**flags) -> None:
    """Train a classifier for your classes: a head on a network's frozen features, or deeper."""
    cluster = taken(flags)
    misclassified = flags.pop("print_misclassified_test_images")
    least = flags.pop("assert_accuracy_at_least")
    verbosity = flags.pop("logging_verbosity").upper()
    images, chosen = _checked_run(flags)
    check_outputs(chosen)
    with quiet_tensorflow(verbosity):
        from graphnets.jobs.retrain import retrain as run
        from graphnets.training.checkpoints import Stopped

    network = opened(flags, chosen.training.seed)
    try:
        with on_cluster(cluster):
            result = run(images, network, chosen, progress_bar(verbosity), saying(verbosity))
    except Stopped as stopped:
        say(stopped, err=True)
        raise SystemExit(128 + signal.SIGTERM) from None
    report(result, misclassified)
    say_where(chosen, result.photos)
    accuracy = result.metrics["test_accuracy"]
    if least is not None and (accuracy is None or accuracy < least):
        raise GraphnetsError(f"the test accuracy is {accuracy}, wanted at least {least}")


@click.command()
@photo_flags
@click.option(
    "--from",
    "depths",
    required=True,
    help="First layers to train, with commas between, as 'fc8,fc7,fc6,conv5'.",
)
@run_flags
@training_flags
@augmentation_flags
@cluster_flags
def compare(depths: str, **flags) -> None:
    """Train from several layers on, on the same split and store, and show what each gives."""
    cluster = taken(flags)
    names = depths.split(",")
    depth_names(names)
    verbosity = flags.pop("logging_verbosity").upper()
    images, chosen = _checked_run(flags)
    check_outputs_of_run(chosen, compared_files(chosen))
    with quiet_tensorflow(verbosity):
        from graphnets.jobs.compare import compare as run
        from graphnets.jobs.compare import table

    network = opened(flags, chosen.training.seed)
    with on_cluster(cluster):
        found = run(images, network, names, chosen, progress_bar(verbosity), saying(verbosity))
    click.echo(f"\n{table(found)}\n")
    for file in compared_files(chosen):
        click.echo(file)
    diverged = [f"{one.name} at step {one.diverged_at}" for one in found if one.diverged_at]
    if diverged:
        raise GraphnetsError(
            f"{len(diverged)} of {len(found)} depths diverged, {', '.join(diverged)}; choose a "
            f"smaller --learning_rate than {chosen.training.learning_rate} for them"
        )


def _taken(flags: dict, kind: type) -> dict:
    """The fields of a dataclass, out of `flags`."""
    return {name: flags.pop(name) for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]


def _checked_run(flags: dict) -> tuple[str, RetrainOptions]:
    """The photos and the options that the flags of a training command give, checked.

    The flags of the network stay in `flags`.
    """
    images = flags.pop("images")
    chosen = {name: flags.pop(name) for name in list(flags) if name not in NETWORK}
    training = TrainingOptions(**_taken(chosen, TrainingOptions))
    augmentation = Augmentation(**_taken(chosen, Augmentation))
    options = RetrainOptions(**chosen, training=training, augmentation=augmentation)
    check_network(flags)
    check_photos(images, options.image_root, options.multi_label)
    return images, options


@click.command()
@click.option("--output_dir", type=click.Path(), default="graphnets-demo")
@click.option("--per_class", type=click.IntRange(5), default=30, help="Photos of each sign.")
def demo(output_dir: str, per_class: int) -> None:
    """Draw traffic signs, train on them, report, predict: the whole job in minutes."""
    options = demo_options(output_dir)
    check_writable(Path(output_dir) / "photos")
    check_outputs(options)
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier
        from graphnets.jobs.demo import demo as run

    result = run(output_dir, per_class, progress=progress_bar(), say=say)
    report(result, misclassified=False)
    classifier = Classifier(options.graph_path, options.labels_path)
    click.echo("\nThree test photos, as `graphnets predict` sees them:")
    tested = result.photos[result.photos.split == "testing"]
    for prediction in classifier.predict(tested.path.iloc[:: len(tested) // 3][:3], top_k=2):
        top = ", ".join(f"{label} {score:.3f}" for label, score in prediction.top)
        say(f"  {prediction.path}: {top}")
    say_where(options, result.photos)
