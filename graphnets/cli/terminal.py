"""What the commands share: the quiet start of TensorFlow, the progress bar, the report."""

from __future__ import annotations

import contextlib
import gc
import os
import platform
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click


def progress_bar() -> Callable:
    """A bar with rate and time left, on a terminal, for what takes over a second."""
    from tqdm import tqdm

    return partial(tqdm, delay=1, disable=None, dynamic_ncols=True)


@contextlib.contextmanager
def quiet_tensorflow() -> Iterator[None]:
    """Import TensorFlow as the commands need it: quiet, fast, and without Keras.

    The body is for the imports that need it. What the user's environment says of the three
    settings goes before.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine() in ("x86_64", "AMD64"):
        # TensorFlow leaves oneDNN off on processors without VNNI, where it is faster, too.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    # TensorFlow imports Keras 3, which nothing here uses, unless Keras 2 is asked for instead.
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    with _uncollected():
        with _stderr_closed():
            import tensorflow.compat.v1 as tf
        tf.logging.set_verbosity(tf.logging.ERROR)
        yield


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from what stays to the end: modules, on a first import.

    Looking through TensorFlow's for garbage takes half a second of its import, and a second of
    the process's end.
    """
    if "tensorflow" in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


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


def report(result, misclassified: bool) -> None:
    """Say how a training run went: figures per class, what was left out, the test accuracy."""
    from graphnets.photos.images import shown

    metrics = result.metrics
    width = max(len(shown(label)) for label in metrics["labels"])
    click.echo(f"\n{'':{width}s}  precision  recall    F1  photos")
    for label, row in metrics["per_class"].items():
        figures = f"{row['precision']:9.3f}  {row['recall']:6.3f}  {row['f1']:.3f}"
        click.echo(f"{shown(label):{width}s}  {figures}  {row['count']:6d}")
    say_left_out(result.photos[result.photos.problem != ""])
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


def say_left_out(photos) -> None:
    """List photos that could not be read, with the reasons."""
    from graphnets.photos.images import shown

    if len(photos):
        click.echo(f"\n{len(photos)} left out")
        for row in photos.itertuples():
            click.echo(f"  {shown(row.path)}: {row.problem}")


def say_where(options) -> None:
    """Say what was written where, and how to use it."""
    click.echo(f"classifier  {options.graph_path}\nlabels      {options.labels_path}")
    for name in ("metrics.json", "photos.csv"):
        click.echo(f"{name.partition('.')[0]:10s}  {Path(options.output_dir) / name}")
    predict = f"graphnets predict --graph {options.graph_path} --labels {options.labels_path}"
    click.echo(f"try it with `{predict} PHOTO...`")
