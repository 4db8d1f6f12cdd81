"""The training loop: options, batches, optimizers, and the step of the least validation loss."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.checkpoints import Checkpoints
from graphnets.errors import GraphnetsError
from graphnets.heads import Head, Standardisation, TrainableHead, standardisation
from graphnets.images import Progress, no_progress
from graphnets.options import TrainingOptions, class_weights, head_shape
from graphnets.rows import Standardised, Table
from graphnets.summaries import Summaries

OPTIMIZERS = {  # by the names in `options.OPTIMIZERS`
    "gradient_descent": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9),
    "adam": tf.train.AdamOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}
RUN_BYTES = 32e6  # of what is fed in a run that only evaluates


class Examples(NamedTuple):
    """features: float32 (n, features); labels: int (n,), positions in the list of classes."""

    features: np.ndarray
    labels: np.ndarray


class Data(NamedTuple):
    """What a model is fed with: for each of its inputs, rows[i][indices]; labels as in Examples.

    weights: how much each example counts in the loss, float32 (n,); None: all the same.
    """

    rows: Sequence[Table]
    labels: np.ndarray
    weights: np.ndarray | None = None


class Model(NamedTuple):
    """A graph in training: fed through `inputs`, trained in `groups`.

    groups: variables by the layer, the head's first, then from the last layer to the first.
    step counts the steps taken, int64; dropping, bool, is fed where dropout is to be on. config:
    of the session that trains it.
    """

    inputs: list[tf.Tensor]
    logits: tf.Tensor
    groups: list[list[tf.Variable]]
    step: tf.Variable
    dropping: tf.Tensor
    config: tf.ConfigProto | None = None


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


def sample(examples: Examples, size: int, random: np.random.Generator) -> Examples:
    """`size` of the examples drawn without replacement, in their order; all of them for -1."""
    chosen = _positions(len(examples.labels), size, random)
    if chosen is None:
        return examples
    return Examples(examples.features[chosen], examples.labels[chosen])


def _positions(count: int, size: int, random: np.random.Generator) -> np.ndarray | None:
    """`size` positions below count, sorted; None stands for all of them."""
    if size < 0 or size >= count:
        return None
    return np.sort(random.choice(count, size, replace=False))


def train_head(
    training: Examples,
    validation: Examples,
    classes: int,
    options: TrainingOptions,
    summaries_dir: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> Head:
    """Train a softmax classifier on standardised features.

    Of the steps at which validation ran, the one of the least validation cross-entropy is kept
    (the last one where there is no validation split); the standardisation is folded into what
    is returned. Equal arguments give equal weights. With summaries_dir, loss and accuracy of
    both splits are written for TensorBoard to a new folder in it.

    Raises GraphnetsError if the loss is no longer finite.
    """
    weights = class_weights(
        options.class_weights, training.labels, [str(i) for i in range(classes)]
    )
    with tf.Graph().as_default(), Summaries(summaries_dir) as log:
        standard = standardisation(training.features)
        model, head = head_alone(standard, classes, options)
        data, judge = (
            Data([Standardised([split.features], *standard)], split.labels, counts)
            for split, counts in ((training, weights), (validation, None))
        )
        fitted = fit(model, data, judge, options, log, progress=progress)
        return checked_head(head, fitted, options)


def head_alone(
    standard: Standardisation,
    classes: int,
    options: TrainingOptions,
    initial: Mapping[str, np.ndarray] | None = None,
) -> tuple[Model, TrainableHead]:
    """Add a head by itself to the default graph; it is fed with `rows.Standardised`.

    Standardising the features once, and not at each step, saves a fifth of a step's time.
    """
    x = tf.placeholder(tf.float32, [None, len(standard.mean)], "BottleneckInputPlaceholder")
    return model_with_head([x], x, [], standard, classes, options, initial)


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
    shape = head_shape(options.head)
    head = TrainableHead(
        features, classes, shape, standard, options.seed, (dropping, step), initial
    )
    return Model(inputs, head.logits, [head.variables, *layers], step, dropping), head


def _step_and_dropping() -> tuple[tf.Variable, tf.Tensor]:
    """The number of steps taken, and whether dropout is on, of a model in the default graph."""
    step = tf.Variable(tf.zeros([], tf.int64), trainable=False, name="global_step")
    return step, tf.placeholder_with_default(False, [], "dropping")


def checked_head(head: TrainableHead, fitted: Fitted, options: TrainingOptions) -> Head:
    """The head at the best step; GraphnetsError unless it is finite."""
    found = head.folded(fitted.best, fitted.step)
    largest = max(np.abs(part).max(initial=0) for part in (found.weights, found.biases))
    _check_finite(largest, fitted.step, options)
    return found


def fit(
    model: Model,
    training: Data,
    validation: Data,
    options: TrainingOptions,
    log: Summaries,
    phase: str = "training",
    checkpoints: Checkpoints | None = None,
    judge_start: bool = False,
    progress: Progress = no_progress,
) -> Fitted:
    """Train the model's groups; the step of the least validation cross-entropy is kept.

    Other variables are initialised and stay as they are. With judge_start, step 0 may be the one
    that is kept. With checkpoints, the phase goes on from its newest one, if that is wished, bit
    for bit. Raises GraphnetsError if the loss is no longer finite, Stopped after SIGTERM.
    """
    random = np.random.default_rng(options.seed)
    chosen = _positions(len(validation.labels), options.validation_batch_size, random)
    if chosen is not None:
        validation = Data([rows[chosen] for rows in validation.rows], validation.labels[chosen])
    training_names = {v.op.name for group in model.groups for v in group}
    frozen = {v.op.name for v in tf.global_variables()} - training_names - {model.step.op.name}
    graph = _TrainingGraph(model, options)
    saved = [v for v in tf.global_variables() if v.op.name not in frozen]
    batches = _batches(len(training.labels), options.train_batch_size, random)
    steps = options.how_many_training_steps
    judges = len(validation.labels) > 0
    seconds, timed = 0.0, 0
    with tf.Session(config=model.config) as session:
        session.run(tf.global_variables_initializer())
        initial = session.run(graph.values)
        with (checkpoints or Checkpoints()).phase(phase, session, saved) as saving:
            taken = int(session.run(model.step))
            for _ in range(taken):  # a resumed run goes on with the batches that are due
                next(batches)
            if judge_start and judges and not taken:
                graph.keep_if_better(session, graph.evaluated(session, validation)[0], 0)
            for number in progress(range(taken + 1, steps + 1), desc=phase, unit="steps"):
                start = time.perf_counter()
                value, share = graph.train(session, training, next(batches))
                seconds, timed = seconds + time.perf_counter() - start, timed + 1
                if number % options.eval_step_interval == 0 or number == steps:
                    log.add("train", number, value, share)
                    if judges:
                        value, share = graph.evaluated(session, validation)
                        log.add("validation", number, value, share)
                    _check_finite(value, number, options)
                    waiting = graph.keep_if_better(session, value, number, always=not judges)
                    if options.early_stopping and waiting >= options.early_stopping:
                        break
                saving.after(number)
        stayed = {v.op.name: v for v in tf.global_variables() if v.op.name in frozen}
        best, last, unmoved = session.run([graph.best, graph.values, stayed])
        step = int(session.run(graph.best_step))
        return Fitted(best, step, last, initial, unmoved, seconds / max(timed, 1))


class _TrainingGraph:
    """What training adds to a model: loss, optimizers, and the best values so far as variables."""

    def __init__(self, model: Model, options: TrainingOptions) -> None:
        self._model = model
        variables = [v for group in model.groups for v in group]
        self.values = {v.op.name: v for v in variables}
        self._label = tf.placeholder(tf.int64, [None], "GroundTruthInput")
        self._weight = tf.placeholder_with_default(tf.ones_like(self._label, tf.float32), [None])
        self._losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            labels=self._label, logits=model.logits
        )
        self._correct = tf.cast(tf.equal(tf.argmax(model.logits, 1), self._label), tf.float32)
        loss = tf.reduce_mean(self._losses * self._weight)
        updated = _updated(model, loss, variables, options)
        self._train = [updated, loss, tf.reduce_mean(self._correct)]

        def state(name: str, initial: tf.Tensor) -> tf.Variable:
            return tf.Variable(initial, trainable=False, name=f"best/{name}")

        self.best = {v.op.name: state(v.op.name, tf.zeros(v.shape)) for v in variables}
        self.best_step = state("step", tf.zeros([], tf.int64))
        self._best_loss = state("loss", tf.constant(np.inf, tf.float64))
        self._waiting = state("waiting", tf.zeros([], tf.int64))
        self._new_loss = tf.placeholder(tf.float64, [])
        self._new_step = tf.placeholder(tf.int64, [])
        self._keep = tf.group(
            *(self.best[name].assign(v) for name, v in self.values.items()),
            self.best_step.assign(self._new_step),
            self._best_loss.assign(self._new_loss),
            self._waiting.assign(tf.zeros([], tf.int64)),
        )
        self._wait = self._waiting.assign_add(1)

    def train(self, session: tf.Session, data: Data, chosen: np.ndarray) -> tuple[float, float]:
        """Take one step on the chosen examples; their loss and accuracy before it."""
        feed = self._feed(data, chosen) | {self._model.dropping: True}
        if data.weights is not None:
            feed[self._weight] = data.weights[chosen]
        _, value, share = session.run(self._train, feed)
        return float(value), float(share)

    def evaluated(self, session: tf.Session, data: Data) -> tuple[float, float]:
        """The mean cross-entropy and the accuracy over all of the data."""
        found = [
            session.run([self._losses, self._correct], self._feed(data, indices))
            for indices in rows_per_run(data.rows, len(data.labels))
        ]
        losses, correct = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return float(losses.mean(dtype=np.float64)), float(correct.mean())

    def keep_if_better(
        self, session: tf.Session, loss: float, step: int, always: bool = False
    ) -> int:
        """Keep the present values if their loss is the least so far; for how many it was not."""
        if always or loss < session.run(self._best_loss):
            session.run(self._keep, {self._new_loss: loss, self._new_step: step})
            return 0
        return int(session.run(self._wait))

    def _feed(self, data: Data, chosen: np.ndarray) -> dict:
        feed = {x: rows[chosen] for x, rows in zip(self._model.inputs, data.rows, strict=True)}
        return feed | {self._label: data.labels[chosen]}


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
        raise GraphnetsError(
            f"training has left the finite numbers at step {number} with learning_rate "
            f"{options.learning_rate}; choose a smaller one"
        )


def _batches(count: int, size: int, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Endless batches of positions; every example comes once before any comes again."""
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(count)])
        yield order[:size]
        order = order[size:]
