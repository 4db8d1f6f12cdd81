"""Which photos' labels the others contradict, by their stored features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

NEIGHBOURS = 10
ROWS = 1024  # photos that are compared with all at a time


class Rivals(NamedTuple):
    """Of each photo the likeliest label that it does not have, against those that it has.

    own: the score of its label, float (n,), of several the least, NaN without one. rival: the place
    of the likeliest other label, int (n,), -1 without one; rival_score: its score.
    """

    own: np.ndarray
    rival: np.ndarray
    rival_score: np.ndarray


def rivals(scores: np.ndarray, labels: np.ndarray) -> Rivals:
    """Compare scores (n, classes) with the labels: int (n,), or (n, classes) of 0 and 1."""
    has = labels > 0 if labels.ndim == 2 else labels[:, np.newaxis] == np.arange(scores.shape[1])
    own = np.where(has, scores, np.inf).min(axis=1)
    others = np.where(has, -np.inf, scores)
    rival = others.argmax(axis=1)
    score = others.max(axis=1)
    return Rivals(
        np.where(np.isfinite(own), own, np.nan),
        np.where(np.isfinite(score), rival, -1),
        np.where(np.isfinite(score), score, np.nan),
    )


def told_by_others(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What all photos but those of its own group say of each: a score a class, (n, classes).

    features: float (n, width); labels: float (n, classes), 1 for those that a photo has, else 0;
    groups: int (n,), copies and frames of one track, say, which would confirm each other.
    A score near 1 is for the class, near 0 against it: the mean of what a regression and the
    nearest photos say. Of five swapped labels among 800 flowers, the two together found more than
    either, and than scikit-learn's logistic regression by folds.
    """
    labels = np.asarray(labels, np.float64)
    return (by_regression(features, labels, groups) + by_neighbours(features, labels, groups)) / 2


def by_neighbours(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The share of the NEIGHBOURS nearest photos of other groups (by the cosine) with each label.

    Of fewer others, all count. Arguments and result as of `told_by_others`.
    """
    x = np.asarray(features, np.float32)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    found = np.zeros((len(x), labels.shape[1]))
    for start in range(0, len(x), ROWS):
        part = slice(start, start + ROWS)
        alike = x[part] @ x.T
        alike[groups[part, np.newaxis] == groups] = -np.inf
        most = min(NEIGHBOURS, len(x))
        nearest = np.argpartition(-alike, most - 1, axis=1)[:, :most]
        others = np.isfinite(np.take_along_axis(alike, nearest, 1))
        count = np.maximum(others.sum(axis=1, keepdims=True), 1)
        found[part] = (labels[nearest] * others[..., np.newaxis]).sum(axis=1) / count
    return found


def by_regression(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What ridge regression on the photos of other groups gives each label.

    On standardised features of length 1, with their mean square as the penalty; each group is left
    out exactly, from one regression on all (Allen's PRESS, 1974, by groups). Arguments and result
    as of `told_by_others`.
    """
    x = np.asarray(features, np.float64)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    x -= x.mean(axis=0)
    weights = _times_inverse(x)
    residual = labels - (x @ (weights.T @ labels) + labels.mean(axis=0))
    # What a group itself adds to the fit at its own places; most have one photo.
    alone = 1 - (x * weights).sum(axis=1, keepdims=True) - 1 / len(x)
    found = labels - residual / alone
    for places in _members(groups):
        if len(places) > 1:
            own = x[places] @ weights[places].T + 1 / len(x)
            left = np.linalg.solve(np.eye(len(places)) - own, residual[places])
            found[places] = labels[places] - left
    return found


def _times_inverse(x: np.ndarray) -> np.ndarray:
    """x (x'x + p)^-1, float64 as x, with p the mean square of the rows."""
    penalty = max(float((x**2).sum(axis=1).mean()), 1e-12)
    if x.shape[1] <= len(x):
        return np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T).T.copy()
    return np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), x)


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """The places of each group."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
