"""What training gave, made ready for use and judged on photos that it has not learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from graphnets.jobs.evaluate import evaluate, evaluate_several, interval
from graphnets.jobs.options import RetrainOptions
from graphnets.networks.network import Cut
from graphnets.photos.folders import BETWEEN
from graphnets.training.calibration import reliability, temperature
from graphnets.training.examples import positions
from graphnets.training.heads import Head
from graphnets.training.thresholds import best_thresholds
from graphnets.training.tune import Stored, Tuned, features_behind


class Judged(NamedTuple):
    """head: ready for use; predicted: the label of each test photo; figures: as in metrics.json."""

    head: Head
    predicted: list[str]
    figures: dict


def judged(
    tuned: Tuned,
    behind: tuple[Cut, Sequence[str]],
    splits: tuple[Stored, Stored],
    labels: Sequence[str],
    options: RetrainOptions,
    tested: pd.DataFrame,
) -> Judged:
    """The head with what validation photos teach, and its figures on the test photos.

    behind: the cut and the endpoints of the head. splits: for validation and for testing, whose
    rows in the table of photos are `tested`.
    """
    cut, names = behind
    validation, testing = (
        features_behind(tuned.network, cut, list(names), split, tuned.head.flatten)
        for split in splits
    )
    truth = splits[0].labels
    warmth = temperature(tuned.head.logits_of(validation), truth)
    head = tuned.head.cooled(warmth)
    if head.independent:
        thresholds = best_thresholds(head.probabilities(validation), truth)
        head = head._replace(thresholds=thresholds)
    logits = tuned.head.logits_of(testing), head.logits_of(testing)
    figures = {
        **_figures(head, testing, splits[1].labels, labels, options, tested),
        "calibration": _calibration(logits, splits[1].labels, warmth, len(truth)),
    }
    return Judged(head, _names(head.probabilities(testing), head.thresholds, labels), figures)


def _figures(
    head: Head,
    features: np.ndarray,
    truth: np.ndarray,
    labels: Sequence[str],
    options: RetrainOptions,
    tested: pd.DataFrame,
) -> dict:
    """Those of the test photos, or of a sample of them."""
    random = np.random.default_rng(options.training.seed)
    chosen = positions(len(truth), options.test_batch_size, random)
    truth, probabilities = truth[chosen], head.probabilities(features[chosen])
    if head.thresholds is not None:
        right = ((probabilities >= head.thresholds) == (truth > 0)).all(axis=1)
        figures = evaluate_several(truth, probabilities, head.thresholds, labels)
    else:
        predicted = probabilities.argmax(axis=1)
        right, figures = predicted == truth, evaluate(truth, predicted, labels)
    groups = tested.group.to_numpy()[chosen] if "group" in tested else None
    return {
        "test_accuracy": figures.pop("test_accuracy"),
        "test_accuracy_interval": interval(right, groups),
        **figures,
    }


def _calibration(
    logits: tuple[np.ndarray, np.ndarray], truth: np.ndarray, warmth: float, count: int
) -> dict | None:
    """How far scores are from the truth on test photos, before and after; None without photos."""
    if not count or not len(truth):
        return None
    before, after = (reliability(part, truth) for part in logits)
    return {
        "temperature": warmth,
        "expected_calibration_error": after.error,
        "uncalibrated_error": before.error,
        "reliability": after.bins,
    }


def _names(
    probabilities: np.ndarray, thresholds: np.ndarray | None, labels: Sequence[str]
) -> list[str]:
    if thresholds is None:
        return [labels[i] for i in probabilities.argmax(axis=1)]
    names = np.array(labels, object)
    return [BETWEEN.join(names[own]) for own in probabilities >= thresholds]
