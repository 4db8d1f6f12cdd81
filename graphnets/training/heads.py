"""Heads: what turns a network's features into the probabilities of the user's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

from graphnets.features.rows import Table, in_parts
from graphnets.networks.network import features
from graphnets.training.examples import check_finite
from graphnets.training.options import HeadShape
from graphnets.training.unknown import Unknown

Pair = tuple[np.ndarray, np.ndarray]
FEW = 32  # classes: with so few of them, a step is faster if each has a row of the weights


class Head(NamedTuple):
    """A trained head: logits = features @ weights + biases, on features as stored.

    With a hidden layer, (W, b), relu(features @ W + b) takes the features' place. step is the
    training step it was taken from; flatten tells that features are whole maps. independent: each
    class has a probability of its own; `thresholds`, float32 (classes,), tell from where on it is
    named. unknown: what tells photos of no class.
    """

    weights: np.ndarray  # float32 (features, classes)
    biases: np.ndarray  # float32 (classes,)
    step: int
    hidden: Pair | None = None
    flatten: bool = False
    independent: bool = False
    thresholds: np.ndarray | None = None
    unknown: Unknown | None = None

    def logits_of(self, features: np.ndarray) -> np.ndarray:
        """float32 (n, features) -> (n, classes)."""
        if self.hidden is not None:
            features = np.maximum(features @ self.hidden[0] + self.hidden[1], 0)
        return features @ self.weights + self.biases

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """float32 (n, features) -> (n, classes); each row sums to 1, unless `independent`."""
        logits = self.logits_of(features)
        if self.independent:
            return 0.5 * (1 + np.tanh(0.5 * logits))  # the sigmoid, whatever its argument
        exp = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exp / exp.sum(axis=1, keepdims=True)

    def arrays(self) -> list[np.ndarray]:
        """The numbers that it has learnt."""
        return [self.weights, self.biases, *(self.hidden or ())]

    def cooled(self, temperature: float) -> Head:
        """The head whose logits are divided by the temperature."""
        weights, biases = self.weights / temperature, self.biases / temperature
        return self._replace(weights=weights.astype(np.float32), biases=biases.astype(np.float32))

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """The logits as constants in the default graph, for exporting."""
        if self.hidden is not None:
            W, b = (
                tf.constant(value, name=f"hidden_{role}")
                for role, value in zip(("weights", "biases"), self.hidden, strict=True)
            )
            features = tf.nn.relu(tf.nn.xw_plus_b(features, W, b), name="hidden")
        weights = tf.constant(self.weights, name="final_weights")
        biases = tf.constant(self.biases, name="final_biases")
        return tf.nn.xw_plus_b(features, weights, biases, name="final_logits")


def head_input(
    endpoints: Mapping[str, tf.Tensor], names: Sequence[str], flatten: bool
) -> list[tf.Tensor]:
    """Each endpoint as (n, features): maps averaged over the picture, or flattened."""
    found = [features(name, endpoints[name], whole=flatten) for name in names]
    return [
        tf.reshape(x, [-1, x.shape[1:].num_elements()]) if x.shape.rank == 4 else x for x in found
    ]


class Standardisation(NamedTuple):
    """Of each feature, float32: its mean, and 1 / its standard deviation (0 if it is constant)."""

    mean: np.ndarray
    scale: np.ndarray


def standardisation(features: Table, floor: float = 0) -> Standardisation:
    """The mean and 1 / standard deviation of each column; 0 for a column that is constant.

    floor: deviations count as at least this share of their root mean square over all columns.
    Raises GraphnetsError for a number that is not finite.
    """
    parts, count = in_parts(features), max(len(features), 1)
    zeros = np.zeros(features.shape[1])
    with np.errstate(invalid="ignore"):
        mean = sum((features[part].sum(axis=0, dtype=np.float64) for part in parts), zeros) / count
    if not np.isfinite(mean).all():
        check_finite("the table of features to train on", features)
    squares = sum((np.square(features[part] - mean).sum(axis=0) for part in parts), zeros)
    deviation = np.sqrt(squares / count)
    constant = deviation <= 1e-6 * np.abs(mean).max(initial=1e-30)
    least = floor * np.sqrt(np.mean(deviation**2))
    scale = np.where(constant, 0, 1 / np.where(constant, 1, np.maximum(deviation, least)))
    return Standardisation(mean.astype(np.float32), scale.astype(np.float32))


def unfolded(head: Head, standard: Standardisation) -> dict[str, np.ndarray]:
    """The values of the variables of a `TrainableHead` that would fold to this head."""
    pairs = [(head.weights, head.biases)]
    if head.hidden is not None:
        pairs.insert(0, head.hidden)
    W, b = (part.astype(np.float64) for part in pairs[0])
    mean, scale = (part.astype(np.float64)[:, np.newaxis] for part in standard)
    pairs[0] = np.where(scale > 0, W / np.where(scale > 0, scale, 1), 0), b + (mean * W).sum(axis=0)
    W, b = pairs[-1]
    found = {"final_weights": W.T if W.shape[1] <= FEW else W, "final_biases": b}
    if head.hidden is not None:
        found |= {"hidden_weights": pairs[0][0], "hidden_biases": pairs[0][1]}
    return {name: value.astype(np.float32) for name, value in found.items()}


class TrainableHead:
    """A head in the default graph.

    features: (n, width), standardised as `standard` says. Its variables are `final_weights` and
    `final_biases`, and those of a hidden layer.
    training: whether dropout is on (bool) and the number of the step (int64), both scalars.
    initial: values of the variables, {name: array}.
    """

    def __init__(
        self,
        features: tf.Tensor,
        classes: int,
        shape: HeadShape,
        standard: Standardisation,
        seed: int,
        training: tuple[tf.Tensor, tf.Tensor] | None = None,
        initial: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self._shape, self._standard = shape, standard
        self._initial = initial or {}
        x, width = features, len(standard.mean)
        self.variables: list[tf.Variable] = []
        if shape.units:
            # He et al. 2015, arXiv 1502.01852: keeps the scale of activations through ReLUs.
            deviation = float(np.sqrt(2 / width))
            W = self._variable("hidden_weights", [width, shape.units], deviation, seed + 1)
            x = tf.nn.relu(tf.nn.xw_plus_b(x, W, self._variable("hidden_biases", [shape.units])))
            if shape.dropout and training:
                dropping, step = training
                # Stateless, so that a run that is resumed drops what it would have dropped.
                drawn = tf.random.stateless_uniform(tf.shape(x), tf.stack([step, step * 0 + seed]))
                kept = tf.cast(drawn >= shape.dropout, tf.float32)
                x = tf.where(dropping, x * kept / (1 - shape.dropout), x)
            width = shape.units
        # For the gradient, W's rows as classes take the features as they lie, its columns as
        # classes make Eigen walk through them by columns: ten times slower with 5 classes.
        self._turned = classes <= FEW
        W = self._variable("final_weights", [width, classes], 0.001, seed, self._turned)
        products = tf.matmul(x, W, transpose_b=self._turned)
        self.logits = tf.nn.bias_add(products, self._variable("final_biases", [classes]))
        self.matrices = [v for v in self.variables if v.shape.rank == 2]

    def _variable(
        self,
        name: str,
        shape: list[int],
        deviation: float = 0,
        seed: int = 0,
        turned: bool = False,
    ) -> tf.Variable:
        if name in self._initial:
            initial = tf.constant(self._initial[name])
        elif deviation:
            initial = tf.truncated_normal(shape, stddev=deviation, seed=seed)
            initial = tf.transpose(initial) if turned else initial
        else:
            initial = tf.zeros(shape)
        variable = tf.Variable(initial, name=name)
        self.variables.append(variable)
        return variable

    def folded(self, values: Mapping[str, np.ndarray], step: int) -> Head:
        """The head on features as stored, from {variable: value}."""
        W, b = values["final_weights"], values["final_biases"]
        pairs = [(W.T if self._turned else W, b)]
        if self._shape.units:
            pairs.insert(0, (values["hidden_weights"], values["hidden_biases"]))
        W, b = pairs[0]
        mean, scale = (part.astype(np.float64) for part in self._standard)
        with np.errstate(over="ignore"):  # told by whoever checks that it is finite
            folded = (scale[:, np.newaxis] * W.astype(np.float64)).astype(np.float32)
            pairs[0] = folded, (b - mean @ folded).astype(np.float32)
        hidden = pairs[0] if self._shape.units else None
        return Head(*pairs[-1], step, hidden, self._shape.flatten, self._shape.independent)
