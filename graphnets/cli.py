"""The command line: the only place with flags and printing."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click

from graphnets import __version__
from graphnets.errors import GraphnetsError

TEMPORARY = tempfile.gettempdir()


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


def _options(*options: Callable) -> Callable:
    """One decorator for several click options, in the order of the help text."""

    def decorate(command: Callable) -> Callable:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


_network_flags = _options(
    click.option(
        "--architecture",
        type=click.Choice(["inception_v3", "vgg16"]),
        default="inception_v3",
        help="The pretrained network.",
    ),
    click.option(
        "--graph", "graph_file", type=click.Path(), help="Frozen Inception GraphDef (.pb)."
    ),
    click.option("--weights", help="Weights of vgg16 (.npz), or 'random'."),
    click.option(
        "--model_dir",
        type=click.Path(),
        envvar="GRAPHNETS_MODEL_DIR",
        help="Where `graphnets fetch` puts files.  [default: the user's cache]",
    ),
)

_photo_flags = _options(
    click.option(
        "--image_dir",
        type=click.Path(),
        required=True,
        help="Folder with one sub-folder of photos per class.",
    ),
    _network_flags,
    click.option(
        "--endpoint",
        help="Layers to take features from, with commas between; 4-D ones are averaged over the "
        "picture.  [default: the network's]",
    ),
    click.option(
        "--bottleneck_dir",
        type=click.Path(),
        default=os.path.join(TEMPORARY, "bottleneck"),
        help="Where features are kept.",
    ),
)


@main.command()
@_photo_flags
@_options(
    click.option(
        "--output_dir", type=click.Path(), default=TEMPORARY, help="Where results are written."
    ),
    click.option("--output_graph", type=click.Path(), help="[default: in output_dir]"),
    click.option("--output_labels", type=click.Path(), help="[default: in output_dir]"),
    click.option("--saved_model_dir", type=click.Path(), help="Also write a SavedModel here."),
    click.option(
        "--summaries_dir",
        type=click.Path(),
        default=os.path.join(TEMPORARY, "retrain_logs"),
        help="TensorBoard summaries; each run adds a folder.",
    ),
    click.option("--final_tensor_name", default="final_result", help="Name of the output."),
    click.option("--how_many_training_steps", type=int, default=4000),
    click.option("--learning_rate", type=float, default=0.01),
    click.option("--testing_percentage", type=float, default=10.0),
    click.option("--validation_percentage", type=float, default=10.0),
    click.option("--eval_step_interval", type=int, default=10, help="Steps between validations."),
    click.option("--train_batch_size", type=int, default=100),
    click.option("--test_batch_size", type=int, default=-1, help="-1: all test photos."),
    click.option("--validation_batch_size", type=int, default=-1, help="-1: all of them."),
    click.option("--seed", type=int, default=0, help="Of all that is random."),
    click.option("--print_misclassified_test_images", is_flag=True),
    click.option(
        "--assert_accuracy_at_least",
        type=float,
        help="Exit with status 1 if the test accuracy (0 to 1) is below.",
    ),
)
def retrain(**flags) -> None:
    """Train a classifier for your classes on a network's frozen features."""
    misclassified = flags.pop("print_misclassified_test_images")
    least = flags.pop("assert_accuracy_at_least")
    _quiet_tensorflow()
    from graphnets.pipeline import RetrainOptions, TrainingOptions
    from graphnets.pipeline import retrain as run

    image_dir = flags.pop("image_dir")
    network = _open_network(flags)
    training = {name: flags.pop(name) for name in TrainingOptions.__dataclass_fields__}
    options = RetrainOptions(**flags, training=TrainingOptions(**training))
    result = run(image_dir, network, options, progress_bar(), click.echo)
    _report(result, misclassified)
    _say_where(options)
    accuracy = result.metrics["test_accuracy"]
    if least is not None and (accuracy is None or accuracy < least):
        raise GraphnetsError(f"the test accuracy is {accuracy}, wanted at least {least}")


@main.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path())
@_options(
    click.option("--graph", type=click.Path(), default=os.path.join(TEMPORARY, "output_graph.pb")),
    click.option(
        "--labels", type=click.Path(), default=os.path.join(TEMPORARY, "output_labels.txt")
    ),
    click.option("--top_k", type=click.IntRange(1), default=5, help="Classes to name."),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line."),
    click.option("--input_layer", default="DecodeJPGInput", help="Takes bytes or pictures."),
    click.option("--output_layer", default="final_result"),
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
    _quiet_tensorflow()
    from graphnets.images import shown
    from graphnets.predict import Classifier, InputOptions, photo_paths

    classifier = Classifier(flags.pop("graph"), flags.pop("labels"), InputOptions(**flags))
    read = left_out = 0
    for prediction in classifier.predict(photo_paths(photos), top_k):
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
@_photo_flags
@click.option("--output", type=click.Path(), default="features.npz", help="The .npz to write.")
def extract(output: str, **flags) -> None:
    """Write the features of a folder's photos to one .npz: features, paths, labels."""
    _quiet_tensorflow()
    import numpy as np

    from graphnets.features import Bottlenecks
    from graphnets.files import whole_file
    from graphnets.images import scan

    progress = progress_bar()
    network = _open_network(flags)
    photos = scan(flags["image_dir"], progress)
    bottlenecks = Bottlenecks(network, flags["endpoint"], flags["bottleneck_dir"])
    photos = bottlenecks.add(photos, progress)
    _say_left_out(photos[photos.problem != ""])
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
@click.argument("names", nargs=-1, type=click.Choice(["inception_v3", "vgg16"]))
@click.option("--list", "only_list", is_flag=True, help="Show what is known and where it lies.")
@click.option("--model_dir", type=click.Path(), envvar="GRAPHNETS_MODEL_DIR")
def fetch(names: tuple[str, ...], only_list: bool, model_dir: str | None) -> None:
    """Get the pretrained weights called NAMES."""
    from graphnets import fetch as fetching

    if not names and not only_list:
        raise click.UsageError(f"name what to fetch: {', '.join(fetching.SOURCES)}, or --list")
    for name in names:
        fetching.fetch(name, model_dir, partial(click.echo, err=True))
    if only_list:
        for name in fetching.SOURCES:
            status = fetching.status(name, model_dir)
            click.echo(f"{name}\n  {status.path}\n  {status.state}")
            for source in fetching.SOURCES[name]:
                click.echo(f"  from {source.place}: {source.holds}")


@main.command()
@_network_flags
def inspect(**flags) -> None:
    """List a network's layers: index, name, kind, output shape, parameters."""
    _quiet_tensorflow()
    if flags["architecture"] == "vgg16" and not flags["weights"] and not flags["graph_file"]:
        flags["weights"] = "random"  # the list is the same for all weights
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
@click.option("--output_dir", type=click.Path(), default="graphnets-demo")
@click.option("--per_class", type=click.IntRange(5), default=30, help="Photos of each sign.")
def demo(output_dir: str, per_class: int) -> None:
    """Draw traffic signs, train on them, report, predict: the whole job in minutes."""
    _quiet_tensorflow()
    from graphnets.demo import demo as run
    from graphnets.pipeline import RetrainOptions
    from graphnets.predict import Classifier

    result = run(output_dir, per_class, progress=progress_bar(), say=click.echo)
    _report(result, misclassified=False)
    options = RetrainOptions(output_dir=output_dir)
    classifier = Classifier(options.graph_path, options.labels_path)
    click.echo("\nThree test photos, as `graphnets predict` sees them:")
    tested = result.photos[result.photos.split == "testing"]
    for prediction in classifier.predict(tested.path.iloc[:: len(tested) // 3][:3], top_k=2):
        top = ", ".join(f"{label} {score:.3f}" for label, score in prediction.top)
        click.echo(f"  {prediction.path}: {top}")
    _say_where(options)


def progress_bar() -> Callable:
    """A bar with rate and time left, on a terminal, for what takes over a second."""
    from tqdm import tqdm

    return partial(tqdm, delay=1, disable=None, dynamic_ncols=True)


def _open_network(flags: dict):
    """The network that the flags name; they are taken out of `flags`."""
    from graphnets.architectures import open_network

    architecture, graph, weights, model_dir = (
        flags.pop(name) for name in ("architecture", "graph_file", "weights", "model_dir")
    )
    if graph and architecture != "inception_v3":
        raise GraphnetsError(f"--graph is for inception_v3; {architecture} takes --weights")
    if weights and architecture == "inception_v3":
        raise GraphnetsError("--weights is not for inception_v3; it takes --graph FILE.pb")
    return open_network(architecture, graph or weights, model_dir, flags.get("seed", 0))


def _report(result, misclassified: bool) -> None:
    from graphnets.images import shown

    metrics = result.metrics
    width = max(len(shown(label)) for label in metrics["labels"])
    click.echo(f"\n{'':{width}s}  precision  recall    F1  photos")
    for label, row in metrics["per_class"].items():
        figures = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:.3f}"
        click.echo(f"{shown(label):{width}s}  {figures}  {row['count']:6d}")
    _say_left_out(result.photos[result.photos.problem != ""])
    if metrics["copies_across_splits"]:
        click.echo(
            f"{metrics['copies_across_splits']} photos have a copy in another split: the accuracy "
            "is flattered"
        )
    if misclassified:
        tested = result.photos[result.photos.predicted != ""]
        wrong = tested[tested.predicted != tested.label]
        click.echo(f"\n{len(wrong)} misclassified test photos")
        for row in wrong.itertuples():
            click.echo(f"  {shown(row.path)}: {shown(row.predicted)}")
    if metrics["test_accuracy"] is None:
        click.echo("\nno test accuracy: no photo was kept for testing")
    else:
        click.echo(
            f"\ntest accuracy {metrics['test_accuracy']:.1%} on {metrics['test_count']} photos "
            f"(step {metrics['best_step']})"
        )


def _say_left_out(photos) -> None:
    from graphnets.images import shown

    if len(photos):
        click.echo(f"\n{len(photos)} left out")
        for row in photos.itertuples():
            click.echo(f"  {shown(row.path)}: {row.problem}")


def _say_where(options) -> None:
    click.echo(f"classifier  {options.graph_path}\nlabels      {options.labels_path}")
    for name in ("metrics.json", "photos.csv"):
        click.echo(f"{name.partition('.')[0]:10s}  {Path(options.output_dir) / name}")
    predict = f"graphnets predict --graph {options.graph_path} --labels {options.labels_path}"
    click.echo(f"try it with `{predict} PHOTO...`")


def _quiet_tensorflow() -> None:
    """Import TensorFlow without the notes that it and its C++ libraries print."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _stderr_closed():
        import tensorflow.compat.v1 as tf
    tf.logging.set_verbosity(tf.logging.ERROR)


@contextlib.contextmanager
def _stderr_closed() -> Iterator[None]:
    """C++ logging that starts before any setting is read goes to file descriptor 2."""
    sys.stderr.flush()
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)
