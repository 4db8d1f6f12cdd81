"""The command line: the only place with flags and printing."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import click

from graphnets import __version__
from graphnets.cli.flags import (
    TEMPORARY,
    augmentation_flags,
    checkpoint_flags,
    classifier_flags,
    network_flags,
    options,
    photo_flags,
    run_flags,
    training_flags,
)
from graphnets.cli.terminal import progress_bar, quiet_tensorflow, report, say_left_out, say_where
from graphnets.errors import GraphnetsError
from graphnets.files import check_readable, check_writable, shown
from graphnets.jobs.options import (
    INPUT,
    OUTPUT,
    InputOptions,
    RetrainOptions,
    check_outputs,
    depth_names,
)
from graphnets.networks.precision import FLOAT32, check
from graphnets.photos.augmentation import Augmentation
from graphnets.photos.folders import check_class_count, class_files
from graphnets.training.options import TrainingOptions

# The flags of a network; not all commands have the last.
NETWORK = ("architecture", "graph_file", "weights", "model_dir", "precision")
FETCHED = ["inception_v3", "vgg16", "alexnet"]  # two readings, one file


class Group(click.Group):
    """Commands whose GraphnetsErrors end in one line; nothing else is caught."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except GraphnetsError as error:
            raise click.ClickException(str(error)) from None


def _underscores(name: str) -> str:
    return name.replace("-", "_")


@click.group(
    cls=Group,
    context_settings={
        "token_normalize_func": _underscores,  # --image-dir is --image_dir
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.version_option(__version__, prog_name="graphnets")
def main() -> None:
    """From a folder of photos to a classifier, with plain TensorFlow graphs.

    Flags may be written with dashes or underscores.
    """
    for stream in (sys.stdout, sys.stderr):  # a file's name may be no text at all
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


@main.command()
@photo_flags
@run_flags
@classifier_flags
@training_flags
@augmentation_flags
@checkpoint_flags
def retrain(**flags) -> None:
    """Train a classifier for your classes: a head on a network's frozen features, or deeper."""
    misclassified = flags.pop("print_misclassified_test_images")
    least = flags.pop("assert_accuracy_at_least")
    image_dir, chosen = _checked_run(flags)
    check_outputs(chosen)
    with quiet_tensorflow():
        from graphnets.jobs.retrain import retrain as run
        from graphnets.training.checkpoints import Stopped

    network = _open_network(flags, chosen.training.seed)
    try:
        result = run(image_dir, network, chosen, progress_bar(), click.echo)
    except Stopped as stopped:
        click.echo(str(stopped), err=True)
        raise SystemExit(128 + signal.SIGTERM) from None
    report(result, misclassified)
    say_where(chosen)
    accuracy = result.metrics["test_accuracy"]
    if least is not None and (accuracy is None or accuracy < least):
        raise GraphnetsError(f"the test accuracy is {accuracy}, wanted at least {least}")


@main.command()
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
def compare(depths: str, **flags) -> None:
    """Train from several layers on, on the same split and store, and show what each gives."""
    names = depths.split(",")
    depth_names(names)
    image_dir, chosen = _checked_run(flags)
    check_writable(Path(chosen.output_dir))
    with quiet_tensorflow():
        from graphnets.jobs.compare import compare as run
        from graphnets.jobs.compare import table

    network = _open_network(flags, chosen.training.seed)
    found = run(image_dir, network, names, chosen, progress_bar(), click.echo)
    click.echo(f"\n{table(found)}\n")
    for suffix in ("csv", "json", "png"):
        click.echo(Path(chosen.output_dir) / f"compare.{suffix}")


def _taken(flags: dict, kind: type) -> dict:
    """The fields of a dataclass, out of `flags`."""
    return {name: flags.pop(name) for name in kind.__dataclass_fields__}  # type: ignore[attr-defined]


def _checked_run(flags: dict) -> tuple[str, RetrainOptions]:
    """The photos' folder and the options that the flags of a training command give, checked.

    The flags of the network stay in `flags`.
    """
    image_dir = flags.pop("image_dir")
    chosen = {name: flags.pop(name) for name in list(flags) if name not in NETWORK}
    training = TrainingOptions(**_taken(chosen, TrainingOptions))
    augmentation = Augmentation(**_taken(chosen, Augmentation))
    options = RetrainOptions(**chosen, training=training, augmentation=augmentation)
    _check_network(flags)
    _check_photos(image_dir)
    return image_dir, options


@main.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@options(
    click.option("--graph", type=click.Path(), default=os.path.join(TEMPORARY, "output_graph.pb")),
    click.option(
        "--labels", type=click.Path(), default=os.path.join(TEMPORARY, "output_labels.txt")
    ),
    click.option("--top_k", type=click.IntRange(1), default=5, help="Classes to name."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option("--input_layer", default=INPUT, help="Takes bytes or pictures."),
    click.option("--output_layer", default=OUTPUT),
    click.option("--input_height", type=int, help="[default: the graph's]"),
    click.option("--input_width", type=int, help="[default: the graph's]"),
    click.option("--input_mean", type=float, default=0.0),
    click.option("--input_std", type=float, default=255.0),
)
def predict(**flags) -> None:
    """Classify PHOTOS, files or whole folders, with a trained graph.

    The --input_ flags but the first are for another tool's graph that takes pictures, not bytes.
    """
    photos, top_k, as_json = (flags.pop(name) for name in ("photos", "top_k", "as_json"))
    graph, labels = flags.pop("graph"), flags.pop("labels")
    entry = InputOptions(**flags)
    for path in (graph, labels):
        check_readable(path)
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier, photo_paths

    classifier = Classifier(graph, labels, entry)
    _say_predictions(classifier.predict(photo_paths(photos), top_k), as_json)


def _say_predictions(predictions: Iterable, as_json: bool) -> None:
    read = left_out = 0
    for prediction in predictions:
        if prediction.problem:
            left_out += 1
            click.echo(f"{shown(prediction.path)}: left out, {prediction.problem}", err=True)
        else:
            read += 1
        if as_json:
            click.echo(json.dumps(_as_json(prediction)))
        elif not prediction.problem:
            click.echo(shown(prediction.path))
            for label, score in prediction.top:
                click.echo(f"  {score:.4f}  {shown(label)}")
    if left_out:
        click.echo(f"{read} photos classified, {left_out} left out", err=True)
    if not read:
        raise GraphnetsError("no photo could be classified; wanted readable pictures")


def _as_json(prediction) -> dict:
    if prediction.problem:
        return {"path": prediction.path, "problem": prediction.problem}
    label, score = prediction.top[0]
    top = [{"label": label, "score": score} for label, score in prediction.top]
    return {"path": prediction.path, "label": label, "score": score, "top": top}


@main.command()
@photo_flags
@click.option("--output", type=click.Path(), default="features.npz", help="The .npz to write.")
def extract(output: str, **flags) -> None:
    """Write the features of a folder's photos to one .npz: features, paths, labels."""
    _check_network(flags)
    _check_photos(flags["image_dir"])
    with quiet_tensorflow():
        import numpy as np

        from graphnets.features.bottlenecks import Bottlenecks
        from graphnets.files import whole_file
        from graphnets.photos.images import scan

    progress = progress_bar()
    network = _open_network(flags)
    photos = scan(flags["image_dir"], progress)
    bottlenecks = Bottlenecks(network, flags["endpoint"], flags["bottleneck_dir"])
    photos = bottlenecks.add(photos, progress)
    say_left_out(photos[photos.problem != ""])
    photos = photos[photos.problem == ""]
    features = bottlenecks.read(photos)
    columns = {"paths": photos.path, "labels": photos.label}
    try:
        with whole_file(Path(output).with_suffix(".npz")) as temporary:
            np.savez(
                temporary,
                features=features,
                **{name: column.to_numpy(str) for name, column in columns.items()},
            )
    except OSError as error:
        raise GraphnetsError(f"{output} cannot be written: {error.strerror}") from None
    names = ",".join(bottlenecks.names)
    click.echo(f"{output}: {features.shape[0]} photos, {features.shape[1]} features of {names}")


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(FETCHED))
@options(
    click.option("--list", "only_list", is_flag=True, help="Show what is known and where it lies."),
    click.option("--file", type=click.Path(), help="A file that you have: it is checked and used."),
    click.option("--model_dir", type=click.Path(), envvar="GRAPHNETS_MODEL_DIR"),
)
def fetch(names: tuple[str, ...], only_list: bool, file: str | None, model_dir: str | None) -> None:
    """Get the pretrained weights called NAMES."""
    from graphnets.zoo import fetch as fetching

    if not names and not only_list:
        raise click.UsageError(f"name what to fetch: {', '.join(fetching.SOURCES)}, or --list")
    if file and len(names) != 1:
        raise click.UsageError("--file goes with one name, that of the network it belongs to")
    for name in names:
        fetching.fetch(name, model_dir, partial(click.echo, err=True), file)
    if only_list:
        for name in fetching.SOURCES:
            status = fetching.status(name, model_dir)
            click.echo(f"{name}\n  {status.path}\n  {status.state}")
            for source in fetching.SOURCES[name]:
                click.echo(f"  from {source.place}: {source.holds}")


@main.command()
@network_flags
def inspect(**flags) -> None:
    """List a network's layers: index, name, kind, output shape, parameters."""
    if flags["architecture"] != "inception_v3" and not flags["graph_file"]:
        flags["weights"] = "random"  # the list is the same for all weights
    _check_network(flags)
    with quiet_tensorflow():
        layers = _open_network(flags).layers()
    width = max(len(layer.name) for layer in layers)
    click.echo(f"{'#':>4s}  {'name':{width}s}  {'kind':8s}  {'output':20s}  {'parameters':>11s}")
    for index, layer in enumerate(layers):
        shape = " x ".join("n" if size is None else str(size) for size in layer.shape)
        click.echo(
            f"{index:4d}  {layer.name:{width}s}  {layer.kind:8s}  {shape:20s}  "
            f"{layer.parameters:>11,d}"
        )
    total = sum(layer.parameters for layer in layers)
    click.echo(f"{len(layers)} layers, {total:,d} parameters")


@main.command()
@click.argument("source", type=click.Path())
@click.argument("target", type=click.Path())
def convert(source: str, target: str) -> None:
    """Write the weights in SOURCE as TARGET.

    SOURCE is Caffe's .caffemodel, Keras's .h5 or the .onnx of VGG16, .npy, .npz or .safetensors;
    TARGET is .npz, .safetensors, or the .npy with a dict that older code loads.
    """
    from graphnets.weights.convert import convert as run

    for layer, (W, b) in run(source, target).items():
        click.echo(f"{layer:8s}  W {W.shape}  b {b.shape}")


@main.command()
@click.argument("images", nargs=-1, required=True, type=click.Path())
@network_flags
@click.option("--top_k", type=click.IntRange(1), default=5, help="Classes to name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def classify(images: tuple[str, ...], top_k: int, as_json: bool, **flags) -> None:
    """Name what is in IMAGES, files or whole folders: ImageNet's classes, likeliest first."""
    _check_network(flags)
    with quiet_tensorflow():
        from graphnets.classifier.classify import ImageNetClassifier
        from graphnets.classifier.predict import photo_paths

    classifier = ImageNetClassifier(_open_network(flags))
    _say_predictions(classifier.predict(photo_paths(images), top_k), as_json)


@main.command()
@click.option("--output_dir", type=click.Path(), default="graphnets-demo")
@click.option("--per_class", type=click.IntRange(5), default=30, help="Photos of each sign.")
def demo(output_dir: str, per_class: int) -> None:
    """Draw traffic signs, train on them, report, predict: the whole job in minutes."""
    with quiet_tensorflow():
        from graphnets.classifier.predict import Classifier
        from graphnets.jobs.demo import demo as run

    result = run(output_dir, per_class, progress=progress_bar(), say=click.echo)
    report(result, misclassified=False)
    options = RetrainOptions(output_dir=output_dir)
    classifier = Classifier(options.graph_path, options.labels_path)
    click.echo("\nThree test photos, as `graphnets predict` sees them:")
    tested = result.photos[result.photos.split == "testing"]
    for prediction in classifier.predict(tested.path.iloc[:: len(tested) // 3][:3], top_k=2):
        top = ", ".join(f"{label} {score:.3f}" for label, score in prediction.top)
        click.echo(f"  {prediction.path}: {top}")
    say_where(options)


def _open_network(flags: dict, seed: int = 0):
    """The network that the flags name; seed: of weights that are drawn."""
    from graphnets.zoo.architectures import open_network

    architecture, graph, weights, model_dir = (flags[name] for name in NETWORK[:-1])
    precision = flags.get("precision", FLOAT32)
    return open_network(architecture, graph or weights, model_dir, seed, precision)


def _check_network(flags: dict) -> None:
    """Raise GraphnetsError if the flags that name the network contradict, or its file is missing.

    Like all checks before `quiet_tensorflow`, so that a mistake is told at once: the import takes
    seconds.
    """
    from graphnets.weights.arrays import RANDOM, default_file
    from graphnets.weights.formats import kind

    architecture, graph, weights, model_dir = (flags[name] for name in NETWORK[:-1])
    check(flags.get("precision", FLOAT32))
    if graph and architecture != "inception_v3":
        raise GraphnetsError(f"--graph is for inception_v3; {architecture} takes --weights")
    if weights and architecture == "inception_v3":
        raise GraphnetsError("--weights is not for inception_v3; it takes --graph FILE.pb")
    if graph:
        check_readable(graph)
    elif not weights:
        default_file(architecture, model_dir)
    elif weights != RANDOM:
        kind(weights)


def _check_photos(image_dir: str) -> None:
    """Raise GraphnetsError if the folder has no classes of photos."""
    classes = {label for label, _ in class_files(image_dir)}
    check_class_count(len(classes))
