"""Which photos' labels the others contradict, by their stored features."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


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
    A score near 1 is for the class, near 0 against it. Ridge regression on standardised features of
    length 1, whose penalty is their mean square, with each group left out: exactly, from one
    regression on all (Allen's PRESS, 1974, by groups).
    """
    x = np.asarray(features, np.float64)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    x /= np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    x -= x.mean(axis=0)
    weights = _inverse_times(x)
    labels = np.asarray(labels, np.float64)
    fitted = x @ (weights @ labels) + labels.mean(axis=0)
    found = np.empty_like(labels)
    for places in _members(groups):
        # What the group itself adds to the fit at its own places.
        own = x[places] @ weights[:, places] + 1 / len(x)
        residual = labels[places] - fitted[places]
        found[places] = labels[places] - np.linalg.solve(np.eye(len(places)) - own, residual)
    return found


def _inverse_times(x: np.ndarray) -> np.ndarray:
    """(x'x + p)^-1 x', float64 (width, n), with p the mean square of the rows."""
    penalty = max(float((x**2).sum(axis=1).mean()), 1e-12)
    if x.shape[1] <= len(x):
        return np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T)
    return np.linalg.solve(x @ x.T + penalty * np.eye(len(x)), x).T


def _members(groups: np.ndarray) -> list[np.ndarray]:
    """The places of each group."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
