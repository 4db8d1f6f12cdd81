"""Training a softmax head on stored features, in a TF1 graph with the loop in sight."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.errors import GraphnetsError
from graphnets.images import Progress, no_progress


class Examples(NamedTuple):
    """features: float32 (n, features); labels: int (n,), positions in the list of classes."""

    features: np.ndarray
    labels: np.ndarray


class Head(NamedTuple):
    """logits = features @ weights + biases, on features as stored; the step it was taken from."""

    weights: np.ndarray  # float32 (features, classes)
    biases: np.ndarray  # float32 (classes,)
    step: int

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """float32 (n, features) -> (n, classes), each row sums to 1."""
        logits = features @ self.weights + self.biases
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)


@dataclass(frozen=True)
class TrainingOptions:
    """How the head is trained; the names and defaults are retrain.py's.

    One default differs: validation looks at all its photos (-1) each time, not at 100 drawn
    anew, so that its figures can be compared from step to step.
    """

    how_many_training_steps: int = 4000
    learning_rate: float = 0.01
    train_batch_size: int = 100
    validation_batch_size: int = -1
    eval_step_interval: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("how_many_training_steps", "train_batch_size", "eval_step_interval"):
            if getattr(self, name) < 1:
                raise GraphnetsError(f"{name} is {getattr(self, name)}, wanted 1 or more")
        if not 0 < self.learning_rate < float("inf"):
            raise GraphnetsError(f"learning_rate is {self.learning_rate}, wanted above 0")


def sample(examples: Examples, size: int, random: np.random.Generator) -> Examples:
    """`size` of the examples drawn without replacement, in their order; all of them for -1."""
    if size < 0 or size >= len(examples.labels):
        return examples
    chosen = np.sort(random.choice(len(examples.labels), size, replace=False))
    return Examples(examples.features[chosen], examples.labels[chosen])


def standardisation(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean, 1 / standard deviation) of each column, float32; 0 for a column that is constant."""
    mean = features.mean(axis=0, dtype=np.float64)
    deviation = features.std(axis=0, dtype=np.float64)
    constant = deviation <= 1e-6 * np.abs(mean).max(initial=1e-30)
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    return mean.astype(np.float32), scale.astype(np.float32)


def train_head(
    training: Examples,
    validation: Examples,
    classes: int,
    options: TrainingOptions,
    summaries_dir: str | os.PathLike[str] | None = None,
    progress: Progress = no_progress,
) -> Head:
    """Train a linear softmax classifier on standardised features by gradient descent.

    Of the steps at which validation ran, the one of the least validation cross-entropy is kept
    (the last one where there is no validation split); the standardisation is folded into what
    is returned. Equal arguments give equal weights. With summaries_dir, loss and accuracy of
    both splits are written for TensorBoard to a new folder in it.

    Raises GraphnetsError if the loss is no longer finite.
    """
    random = np.random.default_rng(options.seed)
    validation = sample(validation, options.validation_batch_size, random)
    mean, scale = standardisation(training.features)
    width = training.features.shape[1]

    with tf.Graph().as_default(), tf.Session() as session:
        bottleneck = tf.placeholder(tf.float32, [None, width], "BottleneckInputPlaceholder")
        label = tf.placeholder(tf.int64, [None], "GroundTruthInput")
        initial = tf.truncated_normal([width, classes], stddev=0.001, seed=options.seed)
        weights = tf.Variable(initial, name="final_weights")
        biases = tf.Variable(tf.zeros([classes]), name="final_biases")
        logits = tf.nn.xw_plus_b((bottleneck - mean) * scale, weights, biases)
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=logits)
        )
        correct = tf.equal(tf.argmax(logits, 1), label)
        accuracy = tf.reduce_mean(tf.cast(correct, tf.float32))
        step = tf.train.GradientDescentOptimizer(options.learning_rate).minimize(loss)
        session.run(tf.global_variables_initializer())

        log = _Summaries(summaries_dir, loss, accuracy)
        best = (np.inf, 0, *session.run([weights, biases]))
        steps = options.how_many_training_steps
        batches = _batches(len(training.labels), options.train_batch_size, random)
        for number in progress(range(1, steps + 1), desc="training", unit="steps"):
            chosen = next(batches)
            feed = {bottleneck: training.features[chosen], label: training.labels[chosen]}
            session.run(step, feed)
            if number % options.eval_step_interval and number < steps:
                continue
            value = log.add("train", number, session, feed)
            if len(validation.labels):
                feed = {bottleneck: validation.features, label: validation.labels}
                value = log.add("validation", number, session, feed)
            _check_finite(value, number, options)
            if value < best[0] or not len(validation.labels):
                best = (value, number, *session.run([weights, biases]))
        log.close()
    _, number, W, b = best
    with np.errstate(over="ignore"):  # told by what follows
        folded = (scale[:, np.newaxis] * W.astype(np.float64)).astype(np.float32)
        _check_finite(np.abs(folded).max(initial=0), number, options)
        return Head(folded, (b - mean.astype(np.float64) @ folded).astype(np.float32), number)


def _check_finite(value: float, number: int, options: TrainingOptions) -> None:
    if not np.isfinite(value):
        raise GraphnetsError(
            f"training has left the finite numbers at step {number} with learning_rate "
            f"{options.learning_rate}; choose a smaller one"
        )


def _batches(count: int, size: int, random: np.random.Generator):
    """Endless batches of positions; every example comes once before any comes again."""
    order = np.empty(0, int)
    while True:
        while len(order) < size:
            order = np.concatenate([order, random.permutation(count)])
        yield order[:size]
        order = order[size:]


class _Summaries:
    """Loss and accuracy, evaluated and written for TensorBoard where a folder is given."""

    def __init__(self, folder: str | os.PathLike[str] | None, loss: tf.Tensor, accuracy: tf.Tensor):
        tf.summary.scalar("cross_entropy", loss)
        tf.summary.scalar("accuracy", accuracy)
        self._fetches = [loss, tf.summary.merge_all()]
        self._writers = {}
        if folder is not None:
            run = _new_folder(Path(folder))
            for split in ("train", "validation"):
                self._writers[split] = tf.summary.FileWriter(str(run / split))

    def add(self, split: str, number: int, session: tf.Session, feed: dict) -> float:
        loss, summary = session.run(self._fetches, feed)
        if split in self._writers:
            self._writers[split].add_summary(summary, number)
        return float(loss)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


def _new_folder(parent: Path) -> Path:
    """parent/run1, or the first number that is free: earlier runs are never overwritten."""
    number = 1
    while True:
        try:
            (parent / f"run{number}").mkdir(parents=True)
            return parent / f"run{number}"
        except FileExistsError:
            number += 1
