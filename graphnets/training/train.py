"""The training loop: optimizers, and the step of the least validation loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import partial
from itertools import islice
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.sessions import Session
from graphnets.training import fed
from graphnets.training.beside import Beside
from graphnets.training.fed import Data, rows_per_run
from graphnets.training.heads import Head, Standardisation, TrainableHead
from graphnets.training.losses import of_one_label, of_several_labels
from graphnets.training.options import (
    Diverged,
    TrainingOptions,
    head_shape,
)

OPTIMIZERS = {  # by the names in `options.OPTIMIZERS`
    "gradient_descent": tf.train.GradientDescentOptimizer,
    "momentum": lambda rate: tf.train.MomentumOptimizer(rate, 0.9),
    "adam": tf.train.AdamOptimizer,
    "rmsprop": tf.train.RMSPropOptimizer,
}


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
    judge, judged = fed.judged(validation, options.validation_batch_size, random, beside.warn)
    training_names = {v.op.name for group in model.groups for v in group}
    frozen = {v.op.name for v in tf.global_variables()} - training_names - {model.step.op.name}
    graph = _TrainingGraph(model, options)
    saved = [v for v in tf.global_variables() if v.op.name not in frozen]
    batches = fed.batches(len(training.labels), options.train_batch_size, random)
    steps = options.how_many_training_steps
    seconds, timed = 0.0, 0
    with Session(config=model.config) as session:
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        initial = session.run(graph.values)
        phases = beside.checkpoints.phase(phase, session, saved, beside.log.points)
        with phases as saving, ExitStack() as stack:
            taken = graph.begin(session)
            if judge_start and len(judged) and not taken:
                graph.keep_if_better(session, graph.evaluated(session, judge, judged)[0], 0)
            due_batches = islice(batches, taken, steps)  # a resumed run goes on with those
            feeds = fed.feeds(training, due_batches, partial(graph.feed, training))
            stack.enter_context(closing(feeds))
            for number in beside.progress(range(taken + 1, steps + 1), desc=phase, unit="steps"):
                due = number % options.eval_step_interval == 0 or number == steps
                start = time.perf_counter()
                figures = graph.train(session, next(feeds), told=due)
                seconds, timed = seconds + time.perf_counter() - start, timed + 1
                if due:
                    beside.log.add("train", number, *figures)
                    if len(judged):
                        figures = graph.evaluated(session, judge, judged)
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
        self._evaluated = [self._loss.each, self._loss.right]
        self._prepared: dict[tuple[str, ...], Callable[..., list[np.ndarray]]] = {}

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

    def train(self, session: Session, feed: dict, told: bool) -> list[float]:
        """Take one step on what `feed` gave; the loss and accuracy before it, if `told`."""
        feed = feed | {self._model.dropping: True}
        fetches = self._figures if told else []
        return [float(figure) for figure in self._run(session, fetches, feed, [self._updated])]

    def _run(
        self,
        session: Session,
        fetches: Sequence[tf.Tensor],
        feed: dict,
        targets: Sequence[tf.Operation] = (),
    ) -> list[np.ndarray]:
        """As `session.run`, prepared at the first call: what is wanted has always those feeds."""
        key = (*(fetch.name for fetch in fetches), *(target.name for target in targets))
        if key not in self._prepared:
            self._prepared[key] = session.prepared(fetches, list(feed), targets)
        return self._prepared[key](*feed.values())

    def evaluated(self, session: Session, data: Data, chosen: np.ndarray) -> list[float]:
        """The mean cross-entropy and the accuracy over the chosen examples."""
        found = [
            self._run(session, self._evaluated, self.feed(data, chosen[part]))
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

    def feed(self, data: Data, chosen: np.ndarray) -> dict:
        """The chosen examples, for a run of the graph."""
        feed = {x: rows[chosen] for x, rows in zip(self._model.inputs, data.rows, strict=True)}
        if data.weights is not None:
            feed[self._loss.weight] = data.weights[chosen]
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


def _check_finite(value: float, number: int, options: TrainingOptions) -> None:
    if not np.isfinite(value):
        raise Diverged(number, options)
