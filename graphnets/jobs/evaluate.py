"""Figures of a classifier on photos that it has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics


def evaluate(truth: np.ndarray, predicted: np.ndarray, labels: Sequence[str]) -> dict:
    """Accuracy, per-class figures and confusion matrix of predicted class positions.

    truth, predicted: int (n,), positions in `labels`. Shares are from 0 to 1; a class's precision
    is 0 where it was never predicted. confusion_matrix[i][j] counts photos of class i predicted
    as j. test_accuracy is None where n is 0.
    """
    confusion = np.zeros((len(labels), len(labels)), int)
    figures = np.zeros((len(labels), 4))
    if len(truth):  # scikit-learn refuses empty arrays
        classes = np.arange(len(labels))
        confusion = metrics.confusion_matrix(truth, predicted, labels=classes)
        figures = np.transpose(
            metrics.precision_recall_fscore_support(
                truth, predicted, labels=classes, zero_division=0
            )
        )
    return {
        "test_accuracy": float((truth == predicted).mean()) if len(truth) else None,
        "test_count": len(truth),
        "per_class": {
            label: {"precision": precision, "recall": recall, "f1": f1, "count": int(count)}
            for label, (precision, recall, f1, count) in zip(labels, figures.tolist(), strict=True)
        },
        "confusion_matrix": confusion.tolist(),
    }
