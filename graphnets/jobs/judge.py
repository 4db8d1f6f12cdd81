"""What training gave, made ready for use and judged on photos that it has not learnt from."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from graphnets.errors import GraphnetsError
from graphnets.features.rows import fits_in_memory
from graphnets.jobs.evaluate import evaluate, evaluate_several, interval
from graphnets.jobs.options import RetrainOptions
from graphnets.jobs.stock import Others
from graphnets.networks.network import Cut
from graphnets.photos.folders import BETWEEN
from graphnets.training import unknown
from graphnets.training.calibration import reliability, temperature
from graphnets.training.examples import positions
from graphnets.training.heads import Head
from graphnets.training.thresholds import best_thresholds
from graphnets.training.tune import Stored, Tuned, features_behind


class Judged(NamedTuple):
    """head: ready for use; predicted: the label of each test photo; figures: as in metrics.json.

    scores: what the head gives to each test photo, float32 (n, classes).
    testing: the head's features of the test photos, float32 (n, features).
    """

    head: Head
    predicted: list[str]
    scores: np.ndarray
    figures: dict
    testing: np.ndarray


def check_splits(
    splits: Sequence[Stored], options: RetrainOptions, say: Callable[[str], object]
) -> None:
    """Say how many photos there are; GraphnetsError if the options cannot do with these splits.

    Before anything trains.
    """
    training, count, testing = (len(split.labels) for split in splits)
    say(f"{training} for training, {count} for validation, {testing} for testing")
    wanted = "a validation_percentage above 0"
    if not count and options.search and not options.folds:
        raise GraphnetsError(f"a search has no photos for validation; wanted {wanted}, or folds")
    rate = options.false_alarm_rate
    if rate is None:
        return
    if not count:
        raise GraphnetsError(f"false_alarm_rate has no photos for validation; wanted {wanted}")
    if not fits_in_memory(*splits[0].features):
        raise GraphnetsError(
            f"false_alarm_rate and unknown_dir are for features that fit in memory; got {training} "
            "photos for training, whose do not; leave both away, or take fewer photos"
        )
    if (count + 1) * rate < 1:
        say(
            f"warning: {count} photos for validation are too few for a false_alarm_rate of {rate}, "
            f"their largest score is taken for the limit; {math.ceil(1 / rate) - 1} would do"
        )


def judged(
    tuned: Tuned,
    behind: tuple[Cut, Sequence[str]],
    splits: tuple[Stored, Stored, Stored],
    labels: Sequence[str],
    options: RetrainOptions,
    tested: pd.DataFrame,
    others: Others | None = None,
) -> Judged:
    """The head with what validation photos teach, and its figures on the test photos.

    behind: the cut and the endpoints of the head. splits: for training, validation and testing;
    the test photos' rows in the table of photos are `tested`. others: photos of no class, likewise.
    """
    cut, names = behind

    def features(split: Stored) -> np.ndarray:
        return features_behind(tuned.network, cut, list(names), split, tuned.head.flatten)

    validation, testing = features(splits[1]), features(splits[2])
    truth = splits[1].labels
    warmth = temperature(tuned.head.logits_of(validation), truth)
    head = tuned.head.cooled(warmth)
    if head.independent:
        thresholds = best_thresholds(head.probabilities(validation), truth)
        head = head._replace(thresholds=thresholds)
    about_unknown = None
    if options.false_alarm_rate is not None:
        head, about_unknown = _with_unknown(
            head,
            [features(splits[0]), validation, testing],
            splits[0].labels,
            None if others is None else [features(split) for split in others.splits],
            options.false_alarm_rate,
            _groups(tested),
        )
    if about_unknown and others:
        about_unknown |= {"tested": others.tested, "left_out": others.left_out}
    logits = tuned.head.logits_of(testing), head.logits_of(testing)
    figures = {
        **_figures(head, testing, splits[2].labels, labels, options, tested),
        "calibration": _calibration(logits, splits[2].labels, warmth, len(truth)),
        "unknown": about_unknown,
    }
    scores = head.probabilities(testing)
    return Judged(head, _names(scores, head.thresholds, labels), scores, figures, testing)


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
    groups = _groups(tested)
    return {
        "test_accuracy": figures.pop("test_accuracy"),
        "test_accuracy_interval": interval(right, None if groups is None else groups[chosen]),
        **figures,
    }


def _groups(photos: pd.DataFrame) -> np.ndarray | None:
    return photos.group.to_numpy() if "group" in photos else None


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


def _with_unknown(
    head: Head,
    features: Sequence[np.ndarray],
    labels: np.ndarray,
    others: Sequence[np.ndarray] | None,
    rate: float,
    groups: np.ndarray | None,
) -> tuple[Head, dict]:
    """The head with what tells photos of no class, and how well it does on the test photos.

    features: of the photos for training, whose classes are `labels`, validation and testing, which
    are of `groups`; others: the same of photos of no class.
    """
    training, validation, testing = features
    found = unknown.learnt(
        (training, labels),
        (validation, head.probabilities(validation)),
        rate,
        None if others is None else (others[0], others[1], head.probabilities(others[1])),
    )
    known = found.score(testing, head.probabilities(testing))
    alarms = known > found.threshold
    figures = {
        "false_alarm_rate": rate,
        "threshold": found.threshold,
        "validation_count": len(validation),
        "false_alarms": float(alarms.mean()) if len(alarms) else None,
        "false_alarms_interval": interval(alarms, groups),
    }
    if others is not None:
        scores = found.score(others[2], head.probabilities(others[2]))
        figures |= {
            "unknown_count": len(scores),
            "detected": float((scores > found.threshold).mean()),
            "detected_interval": interval(scores > found.threshold),
            "area_under_roc": _area(known, scores) if len(known) else None,
        }
    return head._replace(unknown=found), figures


def _area(known: np.ndarray, others: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score  # here, as most runs do without

    truth = np.repeat([0, 1], [len(known), len(others)])
    return float(roc_auc_score(truth, np.concatenate([known, others])))


def _names(
    probabilities: np.ndarray, thresholds: np.ndarray | None, labels: Sequence[str]
) -> list[str]:
    if thresholds is None:
        return [labels[i] for i in probabilities.argmax(axis=1)]
    names = np.array(labels, object)
    return [BETWEEN.join(names[own]) for own in probabilities >= thresholds]
