"""The training loop: options, batches, optimizers, and the step of the least validation loss."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import check_kind, check_path
from graphnets.features.rows import Held, Standardised, Table, fits_in_memory, joined
from graphnets.files import check_writable
from graphnets.photos.images import Progress, check_progress, no_progress
from graphnets.sessions import Session
from graphnets.training.beside import Beside
from graphnets.training.examples import Examples, checked_splits, positions
from graphnets.training.heads import Head, Standardisation, TrainableHead, standardisation
from graphnets.training.losses import of_one_label, of_several_labels
from graphnets.training.options import (
    Diverged,
    TrainingOptions,
    class_weights,
    head_shape,
    with_usual_decay,
)
from graphnets.training.summaries import Summaries

OPTIMIZERS = {  # by the names in `options.OPTIMIZERS`
    "gradient_descent": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9),
    "adam": tf.train.AdamOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}
RUN_BYTES = 32e6  # of what is fed in a run that only evaluates


class Data(NamedTuple):
    """What a model is fed with: for each of its inputs, rows[i][indices]; labels as in Examples.

    weights: how much each example counts in the loss, float32 (n,), or, of several labels, each
    label of it, (n, classes); None: all the same.
    """

    rows: Sequence[Table]
    labels: np.ndarray
    weights: np.ndarray | None = None


class Model(NamedTuple):
    """A graph in training: fed through `inputs`, trained in `groups`.

    groups: variables by the layer, the head's first, then from the last layer to the first.
    step counts the steps taken, int64; dropping, bool, is fed where dropout is to be on. config:
    of the session that trains it. decayed: those to which `weight_decay` applies.
    """

    inputs: list[tf.Tensor]
    logits: tf.Tensor
    groups: list[list[tf.Variable]]
    step: tf.Variable
    dropping: tf.Tensor
    config: tf.ConfigProto | None = None
    decayed: Sequence[tf.Variable] = ()


class Fitted(NamedTuple):
    """{variable: value}, of those that train: best, at `step`; last, after the last step; initial.

    frozen: of those that do not, after the last step.
    """

    best: dict[str, np.ndarray]
    step: int
    last: dict[str, np.ndarray]
    initial: dict[str, np.ndarray]
    frozen: dict[str, np.ndarray]
    seconds_per_step: float


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


def model_with_head(
    inputs: list[tf.Tensor],
    features: tf.Tensor,
    layers: list[list[tf.Variable]],
    standard: Standardisation,
    classes: int,
    options: TrainingOptions,
    initial: Mapping[str, np.ndarray] | None = None,
) -> tuple[Model, TrainableHead]:
    """Add a head on standardised `features`, (n, width), to the default graph.

    standard: how they were standardised, by what the frozen network gave for the training photos.
    layers: the variables of the network's layers that train, from the last to the first.
    initial: values for the head's variables, by name.
    """
    step, dropping = _step_and_dropping()
    shape = head_shape(options.head)._replace(independent=options.multi_label)
    head = TrainableHead(
        features, classes, shape, standard, options.seed, (dropping, step), initial
    )
    groups = [head.variables, *layers]
    return Model(inputs, head.logits, groups, step, dropping, decayed=head.matrices), head


def _step_and_dropping() -> tuple[tf.Variable, tf.Tensor]:
    """The number of steps taken, and whether dropout is on, of a model in the default graph."""
    step = tf.Variable(tf.zeros([], tf.int64), trainable=False, name="global_step")
    return step, tf.placeholder_with_default(False, [], "dropping")


def checked_head(head: TrainableHead, fitted: Fitted, options: TrainingOptions) -> Head:
    """The head at the best step; Diverged unless it is finite."""
    found = head.folded(fitted.best, fitted.step)
    largest = max(np.abs(part).max(initial=0) for part in (found.weights, found.biases))
    _check_finite(largest, fitted.step, options)
    return found


def fit(
    model: Model,
    training: Data,
    validation: Data,
    options: TrainingOptions,
    beside: Beside,
    phase: str = "training",
    judge_start: bool = False,
    stored: Callable[[Mapping[str, np.ndarray], int], object] | None = None,
) -> Fitted:
    """Train the model's groups; the step of the least validation cross-entropy is kept.

    Other variables are initialised and stay as they are. With judge_start, step 0 may be the one
    that is kept. With checkpoints, the phase goes on from its newest one, if that is wished, bit
    for bit. stored: called with the values and the step when `beside` wants them stored.
    Raises Diverged if the loss is no longer finite, Stopped after SIGTERM.
    """
    random = np.random.default_rng(options.seed)
    judged = positions(len(validation.labels), options.validation_batch_size, random)
    training_names = {v.op.name for group in model.groups for v in group}
    frozen = {v.op.name for v in tf.global_variables()} - training_names - {model.step.op.name}
    graph = _TrainingGraph(model, options)
    saved = [v for v in tf.global_variables() if v.op.name not in frozen]
    batches = _batches(len(training.labels), options.train_batch_size, random)
    steps = options.how_many_training_steps
    seconds, timed = 0.0, 0
    with Session(config=model.config) as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        initial = session.run(graph.values)
        with beside.checkpoints.phase(phase, session, saved, beside.log.points) as saving:
            taken = graph.begin(session)
            for _ in range(taken):  # a resumed run goes on with the batches that are due
                next(batches)
            if judge_start and len(judged) and not taken:
                graph.keep_if_better(session, graph.evaluated(session, validation, judged)[0], 0)
            for number in beside.progress(range(taken + 1, steps + 1), desc=phase, unit="steps"):
                due = number % options.eval_step_interval == 0 or number == steps
                start = time.perf_counter()
                figures = graph.train(session, training, next(batches), told=due)
                seconds, timed = seconds + time.perf_counter() - start, timed + 1
                if due:
                    beside.log.add("train", number, *figures)
                    if len(judged):
                        figures = graph.evaluated(session, validation, judged)
                        beside.log.add("validation", number, *figures)
                    _check_finite(figures[0], number, options)
                    graph.keep_if_better(session, figures[0], number, always=not len(judged))
                    waiting = (number - graph.kept) // options.eval_step_interval
                    if options.early_stopping and waiting >= options.early_stopping:
                        break
                if stored and beside.store_every and number % beside.store_every == 0:
                    stored(session.run(graph.values), number)
                saving.after(number)
        stayed = {v.op.name: v for v in tf.global_variables() if v.op.name in frozen}
        best, last, unmoved = session.run([graph.best, graph.values, stayed])
        return Fitted(best, graph.kept, last, initial, unmoved, seconds / max(timed, 1))


class _TrainingGraph:
    """What training adds to a model: loss, optimizers, and the best values so far as variables.

    kept: the step that the best values are of.
    """

    def __init__(self, model: Model, options: TrainingOptions) -> None:
        self._model = model
        variables = [v for group in model.groups for v in group]
        self.values = {v.op.name: v for v in variables}
        self._loss = (of_several_labels if options.multi_label else of_one_label)(model.logits)
        minimised = self._loss.weighted
        if options.weight_decay:
            penalties = [tf.nn.l2_loss(v) for v in model.decayed]
            minimised += options.weight_decay * tf.add_n(penalties)
        self._updated = _updated(model, minimised, variables, options)
        self._figures = [self._loss.weighted, tf.reduce_mean(self._loss.right)]

        def state(name: str, initial: tf.Tensor) -> tf.Variable:
            return tf.Variable(initial, trainable=False, name=f"best/{name}")

        self.best = {v.op.name: state(v.op.name, tf.zeros(v.shape)) for v in variables}
        self._best_step = state("step", tf.zeros([], tf.int64))
        self._best_loss = state("loss", tf.constant(np.inf, tf.float64))
        self._new_loss = tf.placeholder(tf.float64, [])
        self._new_step = tf.placeholder(tf.int64, [])
        self._keep = tf.group(
            *(self.best[name].assign(v) for name, v in self.values.items()),
            self._best_step.assign(self._new_step),
            self._best_loss.assign(self._new_loss),
        )

    def begin(self, session: tf.Session) -> int:
        """The number of steps taken so far, of which the best is known from then on."""
        kept, self._least, taken = session.run([self._best_step, self._best_loss, self._model.step])
        self.kept = int(kept)
        return int(taken)

    def train(self, session: tf.Session, data: Data, chosen: np.ndarray, told: bool) -> list[float]:
        """Take one step on the chosen examples; their loss and accuracy before it, if `told`."""
        feed = self._feed(data, chosen) | {self._model.dropping: True}
        if data.weights is not None:
            feed[self._loss.weight] = data.weights[chosen]
        _, figures = session.run([self._updated, self._figures if told else []], feed)
        return [float(figure) for figure in figures]

    def evaluated(self, session: tf.Session, data: Data, chosen: np.ndarray) -> list[float]:
        """The mean cross-entropy and the accuracy over the chosen examples."""
        found = [
            session.run([self._loss.each, self._loss.right], self._feed(data, chosen[part]))
            for part in rows_per_run(data.rows, len(chosen))
        ]
        losses, correct = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return [float(losses.mean(dtype=np.float64)), float(correct.mean())]

    def keep_if_better(
        self, session: tf.Session, loss: float, step: int, always: bool = False
    ) -> None:
        """Keep the present values if their loss is the least so far."""
        if always or loss < self._least:
            session.run(self._keep, {self._new_loss: loss, self._new_step: step})
            self.kept, self._least = step, loss

    def _feed(self, data: Data, chosen: np.ndarray) -> dict:
        feed = {x: rows[chosen] for x, rows in zip(self._model.inputs, data.rows, strict=True)}
        return feed | {self._loss.label: data.labels[chosen]}


def _updated(
    model: Model, loss: tf.Tensor, variables: list[tf.Variable], options: TrainingOptions
) -> tf.Operation:
    """One step of the optimizer on each group at its rate."""
    gradients = dict(
        zip((v.op.name for v in variables), tf.gradients(loss, variables), strict=True)
    )
    rate = _rate(model.step, options)
    steps = []
    for depth, group in enumerate(model.groups):
        share = options.learning_rate_decay_per_layer**depth
        optimizer = OPTIMIZERS[options.optimizer](rate * share)
        steps.append(optimizer.apply_gradients([(gradients[v.op.name], v) for v in group]))
    with tf.control_dependencies(steps):
        return model.step.assign_add(1).op


def _rate(step: tf.Variable, options: TrainingOptions) -> tf.Tensor:
    rate = tf.constant(options.learning_rate, tf.float32)
    done = tf.cast(step, tf.float32) / options.how_many_training_steps
    if options.learning_rate_schedule == "cosine":
        return rate * (1 + tf.cos(np.pi * done)) / 2
    if options.learning_rate_schedule == "step":
        tenth = tf.where(done < 0.5, 1.0, 0.1)
        return rate * tf.where(done < 0.75, tenth, 0.01)
    return rate


def rows_per_run(rows: Sequence[Table], count: int) -> Iterator[np.ndarray]:
    """0 to count - 1 in parts small enough for one run of a graph that is fed with such rows."""
    width = sum(4 * math.prod(part.shape[1:]) for part in rows)
    size = int(np.clip(RUN_BYTES // max(width, 1), 16, 4096))
    for start in range(0, count, size):
        yield np.arange(start, min(start + size, count))


def _check_finite(value: float, number: int, options: TrainingOptions) -> None:
    if not np.isfinite(value):
        raise Diverged(number, options)


def _batches(count: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of positions; every example comes once before any comes again."""
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(count)])
        yield order[:size]
        order = order[size:]
