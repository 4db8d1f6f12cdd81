"""A head by itself, trained on stored features."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import check_kind, check_path
from graphnets.features.rows import Held, Standardised, Table, fits_in_memory, joined
from graphnets.files import check_writable
from graphnets.photos.images import Progress, check_progress, no_progress
from graphnets.training.beside import Beside
from graphnets.training.examples import Examples, checked_splits
from graphnets.training.fed import Data
from graphnets.training.heads import Head, Standardisation, TrainableHead, standardisation
from graphnets.training.options import TrainingOptions, class_weights, with_usual_decay
from graphnets.training.summaries import Summaries
from graphnets.training.train import Model, checked_head, fit, model_with_head


def train_head(
    training: Examples,
    validation: Examples,
    classes: int,
    options: TrainingOptions,
    summaries_dir: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> Head:
    """Train a softmax classifier on standardised features, or one of several labels.

    training, validation: float32 (n, features) with labels from 0 to below `classes`, int (n,), or
    (n, classes) of 0 and 1 with `options.multi_label`; there may be none for validation.
    Of the steps at which validation ran, the one of the least validation cross-entropy is kept
    (the last one where there is no validation split); the standardisation is folded into what
    is returned. Equal arguments give equal weights. With summaries_dir, loss and accuracy of
    both splits are written for TensorBoard to a new folder in it.

    Raises GraphnetsError for examples that cannot be learnt from, and Diverged, a GraphnetsError,
    if the loss is no longer finite.

    >>> known = graphnets.Examples(np.eye(3, dtype=np.float32), np.array([0, 1, 2]))
    >>> head = graphnets.train_head(known, known, 3, graphnets.TrainingOptions(100))
    >>> head.probabilities(known.features).argmax(axis=1)
    array([0, 1, 2])
    """
    check_kind("options", options, TrainingOptions, "graphnets.TrainingOptions(...)")
    options = with_usual_decay(options, alone=True)
    training, validation = checked_splits(training, validation, classes, options.multi_label)
    check_progress(progress)
    if summaries_dir is not None:
        check_path("summaries_dir", summaries_dir)
        check_writable(Path(summaries_dir))
    weights = class_weights(
        options.class_weights, training.labels, [str(i) for i in range(classes)]
    )
    with tf.Graph().as_default(), Summaries(summaries_dir) as log:
        standard = standardisation(training.features)
        splits = [[training.features], [validation.features]]
        model, head, rows = head_alone(splits, standard, classes, options)
        data, judge = (
            Data([table], split.labels, counts)
            for table, split, counts in zip(
                rows, (training, validation), (weights, None), strict=True
            )
        )
        fitted = fit(model, data, judge, options, Beside(log, progress=progress))
        return checked_head(head, fitted, options)


def head_alone(
    splits: Sequence[Sequence[Table]],
    standard: Standardisation,
    classes: int,
    options: TrainingOptions,
    initial: Mapping[str, np.ndarray] | None = None,
) -> tuple[Model, TrainableHead, Sequence[Table]]:
    """Add a head by itself to the default graph, for training on tables of features.

    splits: of each split the tables, which are standardised and put side by side. The last value
    is what stands for each split in `Data.rows`.
    """
    x, features, rows = _held(splits, standard)
    model, head = model_with_head([x], features, [], standard, classes, options, initial)
    return model._replace(config=_in_one_thread()), head, rows


def _held(
    splits: Sequence[Sequence[Table]], standard: Standardisation
) -> tuple[tf.Tensor, tf.Tensor, Sequence[Table]]:
    """What the graph is fed with; the standardised features; what to feed of each split.

    The graph itself holds features that fit in memory, and is told their places: feeding the rows
    of 2,048 features made a step a tenth to a fifth longer.
    """
    tables = [Standardised(split, *standard) for split in splits]
    if not fits_in_memory(*tables):
        x = tf.placeholder(tf.float32, [None, len(standard.mean)], "BottleneckInputPlaceholder")
        return x, x, tables
    together = Standardised([joined(parts) for parts in zip(*splits, strict=True)], *standard)
    held = tf.Variable(
        lambda: tf.ensure_shape(
            tf.numpy_function(lambda: together[:], [], tf.float32), together.shape
        ),
        trainable=False,
        collections=[tf.GraphKeys.LOCAL_VARIABLES],  # no checkpoint needs them
        name="bottlenecks",
    )
    chosen = tf.placeholder(tf.int64, [None], "BottleneckInputPlaceholder")
    starts = np.cumsum([0, *map(len, tables)])
    rows = [Held(start, table.shape) for start, table in zip(starts, tables, strict=False)]
    return chosen, tf.gather(held, chosen), rows


def _in_one_thread() -> tf.ConfigProto:
    """For graphs of small ops one after another: handing them to threads costs more than they do.

    An op itself may still use all cores.
    """
    return tf.ConfigProto(inter_op_parallelism_threads=-1)
