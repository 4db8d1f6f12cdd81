"""Figures of a classifier on photos that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

Z = 1.959964  # standard deviations to either side that hold 95 %


def interval(right: np.ndarray, groups: np.ndarray | None = None) -> list[float] | None:
    """The 95 % interval, from and to, of the share of which `right` is a sample; None of none.

    right: bool (n,). groups: of each, photos of which are alike and tell less than as many others:
    they count as so many photos as their spread over groups allows (Kish's design effect).
    Wilson, 1927: also of a share of 1 it does not pretend to be sure.
    """
    n = float(len(right))
    if not n:
        return None
    share = right.mean()
    if groups is not None and 0 < share < 1:
        _, number = np.unique(groups, return_inverse=True)
        count = number.max() + 1
        residuals = np.bincount(number, right - share)
        variance = (residuals**2).sum() * count / max(count - 1, 1) / n**2
        n /= max(1.0, variance * n / (share * (1 - share)))
    elif groups is not None:
        n = float(len(np.unique(groups)))
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return [float(np.clip(middle - half, 0, share)), float(np.clip(middle + half, share, 1))]


def evaluate(truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> dict:
    """Accuracy, per-class figures and confusion matrix of predicted class positions.

    truth, predicted: int (n,), positions in `labels`. Shares are from 0 to 1; a class's precision
    is 0 where it was never predicted. confusion_matrix[i][j] counts photos of class i predicted
    as j. test_accuracy is None where n is 0.
    """
    # By hand, as scikit-learn's import would take longer than most of a run's steps.
    confusion = np.zeros((len(labels), len(labels)), int)
    np.add.at(confusion, (truth, predicted), 1)
    right, named, count = confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)
    shares = [right / np.maximum(n, 1) for n in (named, count, (named + count) / 2)]
    figures = np.stack([*shares, count], axis=1)
    return {
        "test_accuracy": float((truth == predicted).mean()) if len(truth) else None,
        "test_count": len(truth),
        "per_class": {
            label: {"precision": precision, "recall": recall, "f1": f1, "count": int(count)}
            for label, (precision, recall, f1, count) in zip(labels, figures.tolist(), strict=True)
        },
        "confusion_matrix": confusion.tolist(),
    }


def evaluate_several(
    truth: np.ndarray, probabilities: np.ndarray, thresholds: np.ndarray, labels: Sequence[str]
) -> dict:
    """The same where a photo may have several labels.

    truth: (n, classes) of 0 and 1; probabilities: the same shape; a class is named from its
    threshold on. test_accuracy counts the photos whose labels are named exactly. A class's
    average_precision, and mean_average_precision, the mean over classes, do not depend on the
    thresholds; None without a photo of the class. hamming_loss: the share of wrong decisions, photo
    by class; coverage: how many classes one has to name, likeliest first, to have all labels of a
    photo, on average.
    """
    from sklearn import metrics  # here, as most runs do without

    truth, named = truth > 0, probabilities >= thresholds
    figures = np.zeros((len(labels), 4))
    overall = dict.fromkeys(("micro_f1", "macro_f1", "hamming_loss", "coverage"))
    precisions = [
        metrics.average_precision_score(own, column) if own.any() else None
        for own, column in zip(truth.T, probabilities.T, strict=True)
    ]
    known = [precision for precision in precisions if precision is not None]
    if len(truth):
        scores = partial(metrics.precision_recall_fscore_support, truth, named, zero_division=0)
        figures = np.transpose(scores())
        overall = {
            "micro_f1": float(scores(average="micro")[2]),
            "macro_f1": float(scores(average="macro")[2]),
            "hamming_loss": float(metrics.hamming_loss(truth, named)),
            "coverage": float(metrics.coverage_error(truth, probabilities)),
        }
    return {
        "test_accuracy": float((truth == named).all(axis=1).mean()) if len(truth) else None,
        "test_count": len(truth),
        "mean_average_precision": float(np.mean(known)) if known else None,
        **overall,
        "per_class": {
            label: {
                "precision": precision,
                "recall": recall,
                "f1": f1,
                "count": int(count),
                "average_precision": None if average is None else float(average),
                "threshold": float(threshold),
            }
            for label, (precision, recall, f1, count), average, threshold in zip(
                labels, figures.tolist(), precisions, thresholds, strict=True
            )
        },
    }
