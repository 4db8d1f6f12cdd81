"""From which probability on a class is named, where a photo may have several labels."""

from __future__ import annotations

import numpy as np

USUAL = 0.5


def best_thresholds(probabilities: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """For each class the threshold of the largest F1, float32 (classes,), between 0 and 1.

    probabilities: (n, classes); truth: the same of 0 and 1. Candidates lie in the middle between
    two neighbouring probabilities, and at 0.5, which equals win to, and which a class keeps that no
    photo has.
    """
    columns = zip(probabilities.T.astype(np.float64), truth.T > 0, strict=True)
    return np.array([_best(column, own) for column, own in columns], np.float32)


def _best(probabilities: np.ndarray, truth: np.ndarray) -> float:
    if not truth.any():
        return USUAL
    values = np.unique(probabilities)
    candidates = np.append((values[1:] + values[:-1]) / 2, USUAL)
    order = np.argsort(probabilities)
    # Of the sorted photos those from `first` on are named.
    first = np.searchsorted(probabilities[order], candidates)
    named = len(truth) - first
    right = np.append(np.cumsum(truth[order][::-1])[::-1], 0)[first]
    f1 = 2 * right / (named + truth.sum())
    best = candidates[f1 >= f1.max() - 1e-12]
    return float(best[np.argmin(np.abs(best - USUAL))])
