import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics

from graphnets.jobs.evaluate import evaluate, evaluate_several, interval


def test_figures_worked_out_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 0, 0])
    found = evaluate(truth, predicted, ["a", "b", "c", "absent"])
    assert found["test_accuracy"] == 3 / 6
    assert found["test_count"] == 6
    assert found["confusion_matrix"] == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    f1 = 2 * (2 / 4) * (2 / 3) / (2 / 4 + 2 / 3)
    expected = {"precision": 2 / 4, "recall": 2 / 3, "f1": f1, "count": 3}
    assert found["per_class"]["a"] == pytest.approx(expected)
    assert found["per_class"]["c"] == {"precision": 0, "recall": 0, "f1": 0, "count": 1}
    assert found["per_class"]["absent"]["count"] == 0


def test_figures_are_scikit_learns():
    random = np.random.default_rng(0)
    for classes in (2, 3, 9):  # of which one is never there, and one never predicted
        truth, predicted = random.integers(1, classes, 50), random.integers(0, classes - 1, 50)
        found = evaluate(truth, predicted, [f"class {i}" for i in range(classes)])
        there = np.arange(classes)
        confusion = metrics.confusion_matrix(truth, predicted, labels=there)
        assert found["confusion_matrix"] == confusion.tolist()
        figures = np.transpose(metrics.precision_recall_fscore_support(
            truth, predicted, labels=there, zero_division=0
        ))  # fmt: skip
        of_classes = [list(own.values()) for own in found["per_class"].values()]
        np.testing.assert_allclose(of_classes, figures, rtol=1e-12)


def test_a_run_without_need_of_it_does_not_import_scikit_learn():
    program = "import graphnets.jobs.compare, graphnets.jobs.retrain, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "sklearn" not in ran.stdout.split() and "graphnets.jobs.search" in ran.stdout.split()


def test_without_test_photos_there_is_no_accuracy():
    found = evaluate(np.array([], int), np.array([], int), ["a", "b"])
    assert found["test_accuracy"] is None
    assert found["test_count"] == 0
    assert found["confusion_matrix"] == [[0, 0], [0, 0]]


def test_figures_of_several_labels_are_scikit_learns():
    random = np.random.default_rng(0)
    truth = (random.random((40, 3)) < [0.2, 0.5, 0.7]).astype(np.float32)
    probabilities = np.clip(truth * 0.4 + random.random((40, 3)) * 0.6, 0, 1)
    thresholds = np.array([0.3, 0.5, 0.7])
    named = probabilities >= thresholds
    found = evaluate_several(truth, probabilities, thresholds, ["a", "b", "c"])
    averages = [metrics.average_precision_score(truth[:, i], probabilities[:, i]) for i in range(3)]
    assert found["mean_average_precision"] == pytest.approx(np.mean(averages))
    assert found["test_accuracy"] == metrics.accuracy_score(truth, named)
    assert found["micro_f1"] == metrics.f1_score(truth, named, average="micro")
    assert found["macro_f1"] == metrics.f1_score(truth, named, average="macro")
    assert found["hamming_loss"] == pytest.approx((truth != named).mean())
    assert found["coverage"] == metrics.coverage_error(truth, probabilities)
    assert found["per_class"]["b"] == {
        "precision": metrics.precision_score(truth[:, 1], named[:, 1]),
        "recall": metrics.recall_score(truth[:, 1], named[:, 1]),
        "f1": metrics.f1_score(truth[:, 1], named[:, 1]),
        "count": int(truth[:, 1].sum()),
        "average_precision": averages[1],
        "threshold": 0.5,
    }


def test_of_several_labels_a_class_without_photos_has_no_average_precision():
    truth = np.array([[1, 0], [0, 0]], np.float32)
    probabilities = np.array([[0.9, 0.1], [0.2, 0.1]])
    found = evaluate_several(truth, probabilities, np.array([0.5, 0.5]), ["a", "b"])
    assert found["per_class"]["b"]["average_precision"] is None
    assert found["mean_average_precision"] == 1
    nothing = evaluate_several(truth[:0], probabilities[:0], np.array([0.5, 0.5]), ["a", "b"])
    assert nothing["test_accuracy"] is nothing["mean_average_precision"] is None
    assert nothing["micro_f1"] is nothing["coverage"] is None
    assert nothing["test_count"] == 0


@pytest.mark.parametrize("right, count", [(7, 10), (0, 5), (5, 5), (880, 1000)])
def test_the_interval_is_scipys(right, count):
    expected = binomtest(right, count).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(interval(np.arange(count) < right), expected, atol=1e-6)


def test_photos_of_a_group_that_agree_count_as_one():
    right = np.repeat([True, True, False, True, False, True], 10)
    groups = np.repeat(list("abcdef"), 10)
    wide, narrow = interval(right, groups), interval(right)
    assert wide[0] < narrow[0] and narrow[1] < wide[1]
    # Six groups of which four are right: their variance is divided by 5, not by 6.
    np.testing.assert_allclose(wide, wilson(4 / 6, 5), atol=1e-6)
    alone = interval(right, np.arange(60))
    np.testing.assert_allclose(alone, narrow, atol=2e-3)
    np.testing.assert_allclose(interval(right | True, groups), wilson(1, 6), atol=1e-6)
    assert interval(right[:0]) is interval(right[:0], groups[:0]) is None


def wilson(share, count, z=1.959964):
    middle, half = (
        share + z**2 / 2 / count,
        z * np.sqrt(share * (1 - share) / count + z**2 / 4 / count**2),
    )
    return [(middle - half) / (1 + z**2 / count), (middle + half) / (1 + z**2 / count)]
