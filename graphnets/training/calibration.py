"""Scores that mean what they say: a temperature, and how far scores are from the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_expit, log_softmax, softmax

BINS = 15  # as Guo et al. have them
BOUNDS = -4.0, 4.0  # of the temperature's natural logarithm


def temperature(logits: np.ndarray, truth: np.ndarray) -> float:
    """What to divide logits by so that their scores are likeliest: Guo et al. 2017, 1706.04599.

    logits: (n, classes); truth: int (n,), or (n, classes) of 0 and 1, of several labels. Photos
    that are all classified rightly would make it 0: of them 1 in n + 2 is then taken for another
    class's, as Platt (1999) does. 1 without photos.
    """
    if not len(logits):
        return 1.0
    logits = logits.astype(np.float64)
    several = truth.ndim == 2
    right = (logits > 0) == (truth > 0) if several else logits.argmax(axis=1) == truth
    doubt = 1 / (len(logits) + 2) if right.all() else 0.0
    wanted = truth if several else np.eye(logits.shape[1])[truth]
    wanted = wanted * (1 - doubt) + doubt / (2 if several else logits.shape[1])

    def loss(logarithm: float) -> float:
        scaled = logits / np.exp(logarithm)
        if several:
            return -(wanted * log_expit(scaled) + (1 - wanted) * log_expit(-scaled)).mean()
        return -(wanted * log_softmax(scaled, axis=1)).sum(axis=1).mean()

    return float(np.exp(minimize_scalar(loss, bounds=BOUNDS, method="bounded").x))


class Reliability(NamedTuple):
    """How scores relate to the truth.

    error: the expected calibration error: the mean distance between score and share of right
    decisions in a bin, weighted by its photos; 0 to 1. bins: of those with photos from, to, count,
    mean score, and the share that was right.
    """

    error: float
    bins: list[dict[str, float]]


def reliability(logits: np.ndarray, truth: np.ndarray) -> Reliability:
    """Of the likeliest class of each photo; of several labels, of each class of each photo.

    logits, truth: as in `temperature`, one photo or more.
    """
    if truth.ndim == 2:
        scores, right = expit(logits).ravel(), truth.ravel() > 0
    else:
        shares = softmax(logits.astype(np.float64), axis=1)
        scores, right = shares.max(axis=1), shares.argmax(axis=1) == truth
    number = np.minimum((scores * BINS).astype(int), BINS - 1)
    bins = []
    for i in np.unique(number):
        here = number == i
        bins.append(
            {
                "from": round(i / BINS, 4),
                "to": round((i + 1) / BINS, 4),
                "count": int(here.sum()),
                "score": float(scores[here].mean(dtype=np.float64)),
                "right": float(right[here].mean()),
            }
        )
    error = sum(row["count"] * abs(row["score"] - row["right"]) for row in bins) / len(scores)
    return Reliability(float(error), bins)
