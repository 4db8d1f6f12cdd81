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
    classes = np.arange(len(labels))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=classes, zero_division=0
    )
    return {
        "test_accuracy": float((truth == predicted).mean()) if len(truth) else None,
        "test_count": len(truth),
        "per_class": {
            label: {
                "precision": float(precision[i]),
                "recall": float(recall[i]),
                "f1": float(f1[i]),
                "count": int(support[i]),
            }
            for i, label in enumerate(labels)
        },
        "confusion_matrix": metrics.confusion_matrix(truth, predicted, labels=classes).tolist()
        if len(truth)
        else np.zeros((len(labels), len(labels)), int).tolist(),
    }
