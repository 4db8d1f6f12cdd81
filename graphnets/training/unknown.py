"""Photos of none of the classes: a score that tells them from the others, and from where on."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow.compat.v1 as tf

DIRECTIONS = 32  # in which photos of a class differ; more were no better on three pairs of sets
SMALLEST = 1e-12


class Distance(NamedTuple):
    """The squared Mahalanobis distance of features, each of length 1, to the nearest class.

    All classes share a covariance: `spread` along `directions`, `rest` in all others (Lee et al.
    2018, 1807.03888, on normalised features, as Mueller and Hein 2025, 2505.18032, have them).
    """

    means: np.ndarray  # float32 (classes, features)
    directions: np.ndarray  # float32 (directions, features), orthonormal
    gains: np.ndarray  # float32 (directions,): 1 / rest - 1 / spread
    rest: float

    def of(self, features: np.ndarray) -> np.ndarray:
        """float32 (n, features) -> float64 (n,)."""
        x = _normalised(features)
        across = self.means @ self.directions.T
        within = ((x @ self.directions.T)[:, np.newaxis] - across) ** 2 @ self.gains
        apart = (x**2).sum(axis=1)[:, np.newaxis] - 2 * x @ self.means.T
        return ((apart + (self.means**2).sum(axis=1)) / self.rest - within).min(axis=1)

    def tensor(self, features: tf.Tensor) -> tf.Tensor:
        """The same in the default graph: float32 (n,)."""
        x = _of_length_1(features)
        across = tf.constant(self.means @ self.directions.T)
        along = tf.matmul(x, tf.constant(self.directions.T))
        within = tf.reduce_sum(
            (along[:, tf.newaxis] - across) ** 2 * tf.constant(self.gains), axis=2
        )
        apart = tf.reduce_sum(x**2, 1, keepdims=True) - 2 * tf.matmul(x, tf.constant(self.means.T))
        squares = tf.constant((self.means**2).sum(axis=1))
        return tf.reduce_min((apart + squares) / self.rest - within, axis=1)


class Unknown(NamedTuple):
    """score = constant + weights . (distance, doubt[, likeness]); above `threshold` is unknown.

    doubt: 1 - the largest probability. likeness: features . seen, of features of length 1; where
    there were photos of no class to learn from.
    """

    distance: Distance
    weights: np.ndarray  # float32 (2,) or (3,)
    constant: float
    threshold: float
    seen: np.ndarray | None = None

    def score(self, features: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        """float32 (n, features) and (n, classes) -> float64 (n,)."""
        return _parts(self.distance, self.seen, features, probabilities) @ self.weights + (
            self.constant
        )

    def tensor(self, features: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
        """The same in the default graph: float32 (n,)."""
        parts = [self.distance.tensor(features), 1 - tf.reduce_max(probabilities, 1)]
        if self.seen is not None:
            seen = tf.constant(self.seen[:, np.newaxis])
            parts.append(tf.matmul(_of_length_1(features), seen)[:, 0])
        weighted = [float(weight) * part for weight, part in zip(self.weights, parts, strict=True)]
        return tf.add_n(weighted) + self.constant


def learnt(
    training: tuple[np.ndarray, np.ndarray],
    validation: tuple[np.ndarray, np.ndarray],
    false_alarm_rate: float,
    others: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> Unknown:
    """What tells unknown photos; of those like the validation photos this share counts as unknown.

    training: features and labels, int (n,). validation: features and the head's probabilities.
    others: features of photos of no class, to learn from and to weigh with, and the probabilities
    of the latter. Without them, distance and doubt weigh the same, each in standard deviations of
    the validation photos.
    """
    distance = _distance(*training, validation[1].shape[1])
    seen = None if others is None else _seen(training[0], others[0])
    known = _parts(distance, seen, *validation)
    if others is None:
        deviations = np.maximum(known.std(axis=0), SMALLEST)
        weights, constant = 1 / deviations, -float((known.mean(axis=0) / deviations).sum())
    else:
        weights, constant = _weighed(known, _parts(distance, seen, *others[1:]))
    scores = known @ weights + constant
    threshold = _quantile(scores, 1 - false_alarm_rate)
    return Unknown(distance, weights.astype(np.float32), constant, threshold, seen)


def _distance(features: np.ndarray, labels: np.ndarray, classes: int) -> Distance:
    from sklearn.utils.extmath import randomized_svd

    x = _normalised(features)
    means = np.stack([_mean(x[labels == number]) for number in range(classes)])
    within = x - means[labels]
    count = max(1, min(DIRECTIONS, len(x) // 2, x.shape[1] // 2))
    _, singular, directions = randomized_svd(within, count, random_state=0)
    spread = singular.astype(np.float64) ** 2 / len(x)
    whole = np.square(within, dtype=np.float64).sum() / len(x)
    rest = max((whole - spread.sum()) / max(x.shape[1] - count, 1), SMALLEST)
    gains = 1 / rest - 1 / np.maximum(spread, rest)
    return Distance(
        means.astype(np.float32), directions.astype(np.float32), gains.astype(np.float32), rest
    )


def _mean(rows: np.ndarray) -> np.ndarray:
    return rows.mean(axis=0, dtype=np.float64) if len(rows) else np.zeros(rows.shape[1])


def _seen(known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
    """The direction in which features of photos of no class lie: float32 (features,)."""
    from sklearn.linear_model import LogisticRegression

    x = _normalised(np.concatenate([known, unknown]))
    # Of features of length 1, scikit-learn's usual C would keep the weights near 0.
    model = LogisticRegression(C=100, class_weight="balanced", max_iter=1000)
    model.fit(x, np.arange(len(x)) >= len(known))
    return model.coef_[0].astype(np.float32)


def _weighed(known: np.ndarray, unknown: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights of the parts, and what is added, that tell the one from the other."""
    from sklearn.linear_model import LogisticRegression

    parts = np.concatenate([known, unknown])
    deviations = np.maximum(parts.std(axis=0), SMALLEST)
    model = LogisticRegression(class_weight="balanced", max_iter=1000)
    model.fit(parts / deviations, np.arange(len(parts)) >= len(known))
    return model.coef_[0] / deviations, float(model.intercept_[0])


def _parts(
    distance: Distance, seen: np.ndarray | None, features: np.ndarray, probabilities: np.ndarray
) -> np.ndarray:
    parts = [distance.of(features), 1 - probabilities.max(axis=1)]
    if seen is not None:
        parts.append(_normalised(features) @ seen)
    return np.stack(parts, axis=1).astype(np.float64)


def _normalised(features: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(lengths, SMALLEST)


def _of_length_1(features: tf.Tensor) -> tf.Tensor:
    """`_normalised` in the default graph."""
    return features / tf.maximum(tf.norm(features, axis=1, keepdims=True), SMALLEST)


def _quantile(scores: np.ndarray, share: float) -> float:
    """What another score is not above with this probability or more: a conformal bound.

    Vovk et al. 2005. The largest score, if there are too few for that.
    """
    place = min(math.ceil((len(scores) + 1) * share), len(scores))
    return float(np.sort(scores)[place - 1])
